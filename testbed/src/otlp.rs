//! What takes traces by OTLP, over gRPC and over HTTP, on loopback: the protocol's own messages, read by the library that describes them.

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    Request, Response,
    body::Incoming,
    header::AUTHORIZATION,
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    service::TowerToHyperService,
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
    common::v1::{KeyValue, any_value::Value},
};
use prost::Message as _;
use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, Condvar, Mutex},
    time::{Duration, Instant},
};
use tokio::{net::TcpListener, runtime::Runtime};
use tonic::{
    Status,
    service::{Interceptor, interceptor::InterceptedService},
};

/// How long a test waits for spans.
const PATIENCE: Duration = Duration::from_secs(30);

/// A span, as it was told.
#[derive(Clone, Debug)]
pub struct Span {
    /// 32 digits.
    pub trace: String,
    /// 16 digits.
    pub id: String,
    /// 16 digits; empty for the first one of its trace.
    pub parent: String,
    /// Its name.
    pub name: String,
    /// What it says of itself, as text.
    pub attributes: BTreeMap<String, String>,
    /// What its process says of itself, as text.
    pub resource: BTreeMap<String, String>,
}

#[derive(Default)]
struct Taken {
    spans: Mutex<Vec<Span>>,
    more: Condvar,
}

/// A collector of one's own; it ends when it is dropped.
pub struct Collector {
    taken: Arc<Taken>,
    grpc: SocketAddr,
    http: SocketAddr,
    // Last: what listens ends with it.
    _runtime: Runtime,
}

impl Collector {
    /// Starts one that takes spans of whoever brings `token`, or of everybody.
    pub fn start(token: Option<&'static str>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let taken = Arc::new(Taken::default());
        let (grpc, http) = runtime.block_on(async {
            let bind = || async { TcpListener::bind("127.0.0.1:0").await.expect("a port") };
            let (over_grpc, over_http) = (bind().await, bind().await);
            let address = |listener: &TcpListener| listener.local_addr().expect("an address");
            let addresses = (address(&over_grpc), address(&over_http));
            let service = TraceServiceServer::with_interceptor(Service(taken.clone()), Token(token));
            tokio::spawn(serve_grpc(over_grpc, service));
            tokio::spawn(serve_http(over_http, taken.clone(), token));
            addresses
        });
        Self { taken, grpc, http, _runtime: runtime }
    }

    /// Where it is spoken to over gRPC.
    pub fn grpc(&self) -> SocketAddr {
        self.grpc
    }

    /// Where it is spoken to over HTTP.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Waits until what was taken of a trace is enough.
    pub fn wait(&self, trace: &str, is_enough: impl Fn(&[Span]) -> bool) -> Vec<Span> {
        let began = Instant::now();
        let mut spans = self.taken.spans.lock().expect("no panic");
        loop {
            let found: Vec<_> = spans.iter().filter(|span| span.trace == trace).cloned().collect();
            if is_enough(&found) {
                return found;
            }
            let left = PATIENCE.checked_sub(began.elapsed()).unwrap_or_else(|| panic!("of trace {trace} came only {found:#?}"));
            spans = self.taken.more.wait_timeout(spans, left).expect("no panic").0;
        }
    }

    /// All that was taken so far.
    pub fn spans(&self) -> Vec<Span> {
        self.taken.spans.lock().expect("no panic").clone()
    }
}

impl Taken {
    fn take(&self, request: ExportTraceServiceRequest) {
        let mut spans = self.spans.lock().expect("no panic");
        for of_process in request.resource_spans {
            let resource = attributes(of_process.resource.unwrap_or_default().attributes);
            for span in of_process.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                spans.push(Span {
                    trace: hex(&span.trace_id),
                    id: hex(&span.span_id),
                    parent: hex(&span.parent_span_id),
                    name: span.name,
                    attributes: attributes(span.attributes),
                    resource: resource.clone(),
                });
            }
        }
        self.more.notify_all();
    }
}

fn attributes(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    let text = |value: Value| match value {
        Value::StringValue(text) => text,
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.into_iter().filter_map(|KeyValue { key, value, .. }| Some((key, text(value?.value?)))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether whoever comes has the token.
#[derive(Clone)]
struct Token(Option<&'static str>);

impl Token {
    fn is_brought(&self, header: Option<&[u8]>) -> bool {
        self.0.is_none_or(|token| header == Some(format!("Bearer {token}").as_bytes()))
    }
}

impl Interceptor for Token {
    fn call(&mut self, request: tonic::Request<()>) -> Result<tonic::Request<()>, Status> {
        let header = request.metadata().get("authorization").map(|value| value.as_bytes().to_vec());
        if self.is_brought(header.as_deref()) { Ok(request) } else { Err(Status::unauthenticated("who are you?")) }
    }
}

struct Service(Arc<Taken>);

#[tonic::async_trait]
impl TraceService for Service {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        self.0.take(request.into_inner());
        Ok(tonic::Response::new(ExportTraceServiceResponse::default()))
    }
}

async fn serve_grpc(listener: TcpListener, service: InterceptedService<TraceServiceServer<Service>, Token>) {
    while let Ok((stream, _)) = listener.accept().await {
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service));
    }
}

async fn serve_http(listener: TcpListener, taken: Arc<Taken>, token: Option<&'static str>) {
    while let Ok((stream, _)) = listener.accept().await {
        let taken = taken.clone();
        let answer = service_fn(move |request| answer(request, taken.clone(), token));
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), answer));
    }
}

async fn answer(request: Request<Incoming>, taken: Arc<Taken>, token: Option<&'static str>) -> Result<Response<Full<Bytes>>, Infallible> {
    let is_brought = Token(token).is_brought(request.headers().get(AUTHORIZATION).map(|value| value.as_bytes()));
    let is_known = request.uri().path() == "/v1/traces";
    let body = request.into_body().collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let status = match ExportTraceServiceRequest::decode(body) {
        _ if !is_brought => 401,
        _ if !is_known => 404,
        Err(_) => 400,
        Ok(spans) => {
            taken.take(spans);
            200
        }
    };
    let body = ExportTraceServiceResponse::default().encode_to_vec();
    Ok(Response::builder().status(status).header("content-type", "application/x-protobuf").body(Full::from(body)).expect("sound"))
}
