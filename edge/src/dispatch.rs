//! From a request to its answer: route, fast path, admission, authentication, handler.
//!
//! A GET that memory can answer never leaves [`Service::call`](crate::server::Service::call): no future, no permit, no copy of the request. All
//! else becomes a future behind a warp filter, within the limits of admission.

use crate::{
    address,
    cursor::Params,
    exchange::Exchange,
    handler,
    health::{Health, Stage},
    metrics::HttpMetrics,
    problem,
    route::{self, Auth, Glance, Input, Route, Segment},
    server::{Answer, Fault, Peer, RequestBody, ResponseBody, Service as Served, Stats},
    system::Readings,
};
use actors::{Client, account::Accounts, account::Token, supervisor};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt, future::BoxFuture};
use http::{HeaderMap, HeaderValue, Method, Request, Response, header};
use protocol::{ErrorCode, Principal, Refusal};
use ractor::ActorRef;
use std::{
    error::Error as _,
    net::IpAddr,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;
use tower_service::Service as _;
use uuid::Uuid;
use warp::{Filter, filters::BoxedFilter};

/// What a listener answers for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Scope {
    /// All services, under `/api/<prefix>`.
    Gateway,
    /// One service, on its own port.
    Own(route::Service),
    /// Operators.
    Admin,
}

impl Scope {
    /// Whose series and health the listener shows.
    #[must_use]
    pub const fn service(self) -> route::Service {
        match self {
            Self::Own(service) => service,
            Self::Gateway | Self::Admin => route::Service::Gateway,
        }
    }
}

/// The route label of health, metrics and of what matches no route.
const OWN_ROUTE: &str = "other";

/// What the edge stands on.
pub struct Platform {
    /// The door to the owners.
    pub client: Client,
    /// Accounts and sessions.
    pub accounts: Accounts,
    /// The root of the supervision tree.
    pub root: ActorRef<supervisor::Message>,
}

/// What others count and the edge shows.
pub struct Counted {
    /// Figures of actors and stores.
    pub registry: prometheus::Registry,
    /// Connections of the listeners.
    pub connections: Arc<Stats>,
}

/// How the edge is bounded and addressed.
pub struct Options {
    /// What each listener answers for, in the order in which they were bound.
    pub scopes: Vec<Scope>,
    /// Requests in work at once, beyond those that memory answers. Beyond: `overloaded`.
    pub inflight_max: usize,
    /// Largest body of a route that states no limit of its own.
    pub body_bytes_max: u64,
    /// Longest that a request may take.
    pub request_max: Duration,
    /// What the admin listener asks for as a bearer token; `None` where it is on loopback.
    pub admin_token: Option<String>,
    /// Prefix of the platform's own addresses.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<address::Network>,
}

type Behind = BoxedFilter<(warp::reply::Response,)>;

/// The edge of a node.
pub struct Edge {
    /// The door to the owners.
    pub client: Client,
    /// Accounts and sessions.
    pub accounts: Accounts,
    /// What is counted.
    pub metrics: HttpMetrics,
    /// What health bodies say.
    pub health: Health,
    /// The root of the supervision tree.
    pub root: ActorRef<supervisor::Message>,
    /// Configuration.
    pub options: Options,
    routes: Vec<Route>,
    filters: Vec<Behind>,
    admission: Arc<Semaphore>,
    stage: AtomicU8,
}

/// The edge as a [`Served`] service.
#[derive(Clone)]
pub struct Dispatcher(pub Arc<Edge>);

impl Edge {
    /// Puts the edge together.
    ///
    /// # Errors
    /// When the figures of `counted` are shown already.
    pub fn new(platform: Platform, options: Options, counted: Counted) -> prometheus::Result<Arc<Self>> {
        let Platform { client, accounts, root } = platform;
        let routes = route::table();
        // Behind the table's rows, one for each service: what is no route of a service.
        let own = route::Service::ALL.map(|service| (service.name(), OWN_ROUTE, "GET"));
        let labels: Vec<_> = routes.iter().map(|r| (r.service.name(), r.path, r.method.as_str())).chain(own).collect();
        let readings = Arc::new(Readings::new());
        let metrics = HttpMetrics::new(&route::Service::ALL.map(route::Service::name), &labels, readings.clone());
        metrics.include(counted.registry);
        metrics.include_connections(counted.connections)?;
        let filters = routes.iter().map(|r| behind(r.input, r.handler.clone())).collect();
        let admission = Arc::new(Semaphore::new(options.inflight_max));
        let stage = AtomicU8::new(Stage::Starting as u8);
        Ok(Arc::new(Self { client, accounts, metrics, health: Health::new(readings), root, options, routes, filters, admission, stage }))
    }

    /// A row of the route table.
    #[must_use]
    pub fn route(&self, index: usize) -> &Route {
        &self.routes[index]
    }

    /// Moves the node on in its life: readiness follows.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
    }

    /// Where the node is in its life.
    #[must_use]
    pub fn stage(&self) -> Stage {
        let stages = [Stage::Starting, Stage::Serving, Stage::Draining, Stage::VotedOut];
        stages.into_iter().find(|stage| *stage as u8 == self.stage.load(Ordering::Acquire)).unwrap_or(Stage::Starting)
    }

    /// Counts a request that was no route of a service.
    fn observe_own(&self, service: route::Service, response: &Response<ResponseBody>, began: Instant) {
        let own = route::Service::ALL.iter().position(|s| *s == service).unwrap_or_default();
        self.metrics.route(self.routes.len() + own).observe(response.status(), began.elapsed());
    }

    /// Permits of admission that are free.
    #[must_use]
    pub fn admission_free(&self) -> usize {
        self.admission.available_permits()
    }
}

/// A route that a path has: its place, the ids in the path, and the path on the service's own port.
struct Found<'p> {
    index: usize,
    ids: [Uuid; 2],
    ids_len: usize,
    path: &'p str,
}

enum Lost {
    Unknown,
    BadId,
    Method(HeaderValue),
}

impl Edge {
    /// Finds the route of a path. Linear over one service's rows: some twenty comparisons of lengths and words, 0.1 µs.
    fn find<'p>(&self, service: route::Service, method: &Method, path: &'p str) -> Result<Found<'p>, Lost> {
        let wanted = if method == Method::HEAD { &Method::GET } else { method };
        let mut words = [""; 8];
        let mut count = 0;
        for word in path.split('/').skip(1) {
            *words.get_mut(count).ok_or(Lost::Unknown)? = word;
            count += 1;
        }
        let words = &words[..count];
        let (mut others, mut bad_id) = (Vec::new(), false);
        for (index, route) in self.routes.iter().enumerate() {
            if route.service != service || route.segments.len() != count || !matches(&route.segments, words) {
                continue;
            }
            if route.method != *wanted {
                others.push(index);
                continue;
            }
            match ids(&route.segments, words) {
                Some((ids, ids_len)) => return Ok(Found { index, ids, ids_len, path }),
                None => bad_id = true,
            }
        }
        match (bad_id, others.is_empty()) {
            (true, _) => Err(Lost::BadId),
            (_, true) => Err(Lost::Unknown),
            _ => Err(Lost::Method(self.allow(&others))),
        }
    }

    fn allow(&self, routes: &[usize]) -> HeaderValue {
        let mut methods: Vec<_> = routes.iter().map(|index| self.routes[*index].method.as_str()).collect();
        if methods.contains(&"GET") {
            methods.push("HEAD");
        }
        HeaderValue::try_from(methods.join(", ")).unwrap_or(HeaderValue::from_static("GET"))
    }
}

fn matches(segments: &[Segment], words: &[&str]) -> bool {
    segments.iter().zip(words).all(|(segment, word)| match segment {
        Segment::Text(text) => text == word,
        // A word of another route at this place (`/files/id`) is no id of this one; a wrong id is refused as such later.
        Segment::Id(_) => !word.is_empty(),
    })
}

fn ids(segments: &[Segment], words: &[&str]) -> Option<([Uuid; 2], usize)> {
    let (mut ids, mut len) = ([Uuid::nil(); 2], 0);
    for (segment, word) in segments.iter().zip(words) {
        if matches!(segment, Segment::Id(_)) {
            *ids.get_mut(len)? = Uuid::try_parse(word).ok()?;
            len += 1;
        }
    }
    Some((ids, len))
}

impl Served for Dispatcher {
    type Future = BoxFuture<'static, Response<ResponseBody>>;

    fn call(&self, request: Request<RequestBody>, peer: &Peer) -> Answer<Self::Future> {
        let began = Instant::now();
        let edge = &self.0;
        let path = request.uri().path();
        let (service, own) = match edge.options.scopes.get(peer.listener) {
            Some(Scope::Own(service)) => (*service, path),
            Some(Scope::Gateway) => match gateway(path) {
                Some(found) => found,
                None => return self.own(request, Scope::Gateway, began),
            },
            Some(Scope::Admin) | None => return self.own(request, Scope::Admin, began),
        };
        let found = match edge.find(service, request.method(), own) {
            Ok(found) => found,
            Err(lost) => {
                let own = own.to_owned();
                return self.lost(lost, service, &own, request);
            }
        };
        let route = &edge.routes[found.index];
        if let (Some(fast), &Method::GET) = (route.fast, request.method()) {
            let query = request.uri().query().unwrap_or_default();
            let glance = Glance { edge, headers: request.headers(), query, ids: &found.ids[..found.ids_len] };
            if let Some(response) = fast(&glance) {
                edge.metrics.route(found.index).observe(response.status(), began.elapsed());
                return Answer::Ready(response.map(ResponseBody::Full));
            }
        }
        let (index, ids, path) = (found.index, found.ids[..found.ids_len].to_vec(), found.path.to_owned());
        let (edge, peer) = (edge.clone(), peer.addr.ip());
        let future = Box::pin(async move {
            let response = admitted(edge.clone(), request, (index, ids, path), (peer, began)).await;
            edge.metrics.route(index).observe(response.status(), began.elapsed());
            response
        });
        Answer::Later { future, within: None }
    }

    fn fault(&self, fault: Fault) -> Response<ResponseBody> {
        let code = match fault {
            Fault::Overdue => ErrorCode::OutcomeUnknown,
            Fault::Panicked => ErrorCode::Internal,
        };
        refusal(&code.into(), &trace_id(&HeaderMap::new()))
    }
}

/// `/api/<prefix>/X` at the gateway is `/X` of the service.
fn gateway(path: &str) -> Option<(route::Service, &str)> {
    let rest = path.strip_prefix("/api/")?;
    let (prefix, _) = rest.split_once('/').unwrap_or((rest, ""));
    Some((route::Service::of_prefix(prefix)?, &rest[prefix.len()..]))
}

impl Dispatcher {
    /// What every listener answers itself: health, readiness, metrics; the admin listener some more.
    fn own(&self, request: Request<RequestBody>, scope: Scope, began: Instant) -> Answer<BoxFuture<'static, Response<ResponseBody>>> {
        let edge = self.0.clone();
        let service = scope.service();
        let future = Box::pin(async move {
            let response = handler::operate::answer(&edge, scope, &request).await.map(ResponseBody::Full);
            edge.observe_own(service, &response, began);
            response
        });
        Answer::Later { future, within: None }
    }

    fn lost(
        &self,
        lost: Lost,
        service: route::Service,
        path: &str,
        request: Request<RequestBody>,
    ) -> Answer<BoxFuture<'static, Response<ResponseBody>>> {
        if matches!(lost, Lost::Unknown) && handler::operate::known(path) {
            let mut request = request;
            if let Ok(uri) = http::Uri::try_from(path) {
                *request.uri_mut() = uri;
            }
            return self.own(request, Scope::Own(service), Instant::now());
        }
        let code = match lost {
            Lost::Unknown => ErrorCode::UnknownRoute,
            Lost::BadId => ErrorCode::InvalidId,
            Lost::Method(_) => ErrorCode::MethodNotAllowed,
        };
        let mut response = refusal(&code.into(), &trace_id(request.headers()));
        if let Lost::Method(allow) = lost {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        self.0.observe_own(service, &response, Instant::now());
        Answer::Ready(response)
    }
}

/// The slow path: a permit, a principal, then the route's filter.
async fn admitted(
    edge: Arc<Edge>,
    request: Request<RequestBody>,
    (index, ids, path): (usize, Vec<Uuid>, String),
    (peer, began): (IpAddr, Instant),
) -> Response<ResponseBody> {
    let trace = trace_id(request.headers());
    let Ok(_permit) = edge.admission.clone().try_acquire_owned() else {
        return refusal(&ErrorCode::Overloaded.into(), &trace);
    };
    let route = &edge.routes[index];
    let (principal, token) = match principal(&edge, route.auth, request.headers(), ids.first().copied()).await {
        Ok(known) => known,
        Err(why) => return refusal(&why, &trace),
    };
    let (mut parts, mut body) = request.into_parts();
    if let Err(why) = check_input(route.input, &parts.headers, &mut body, edge.options.body_bytes_max) {
        return refusal(&why, &trace);
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    if let Err(why) = Params::parse(&query, route.params) {
        return refusal(&why, &trace);
    }
    let (headers, ends_at) = (parts.headers.clone(), began + edge.options.request_max);
    let address = address::client(peer, &headers, &edge.options.trusted_proxies);
    let (route, work_began) = (index, OnceLock::new());
    let exchange =
        Arc::new(Exchange { edge: edge.clone(), route, principal, token, ids, path, query, headers, address, ends_at, work_began });
    parts.extensions.insert(exchange);
    parts.extensions.insert(TraceId(trace.into()));
    let mut service = warp::service(edge.filters[index].clone());
    match service.call(Request::from_parts(parts, body)).await {
        Ok(response) => response.map(ResponseBody::boxed),
        Err(never) => match never {},
    }
}

/// Finds the request in logs.
#[derive(Clone)]
struct TraceId(Arc<str>);

/// The route's warp filter: what was routed, the body within its limit, the handler, and its refusal as a problem.
fn behind(input: Input, handler: route::Handler) -> Behind {
    let body = match input {
        Input::None => warp::any().map(|| Ok(Bytes::new())).boxed(),
        Input::Json(_) => warp::body::stream().then(collect).boxed(),
    };
    warp::ext::get::<Arc<Exchange>>()
        .and(warp::ext::get::<TraceId>())
        .and(body)
        .then(move |exchange, trace: TraceId, body: Result<Bytes, Refusal>| {
            let handler = handler.clone();
            async move {
                let answer = match body {
                    Ok(body) => handler(exchange, body).await,
                    Err(refusal) => Err(refusal),
                };
                let response = answer.unwrap_or_else(|refusal| {
                    if refusal.code == ErrorCode::Internal {
                        tracing::error!(trace_id = &*trace.0, detail = &*refusal.detail, "internal fault");
                    }
                    problem::response(&refusal, &trace.0)
                });
                let response: warp::reply::Response = response.map(Into::into);
                response
            }
        })
        .boxed()
}

async fn collect(stream: impl Stream<Item = Result<impl Buf, warp::Error>>) -> Result<Bytes, Refusal> {
    let mut stream = pin!(stream);
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let mut chunk = chunk.map_err(|error| unread(&error))?;
        whole.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    Ok(whole.freeze())
}

/// The transport's reason is the innermost cause that it knows.
fn unread(error: &warp::Error) -> Refusal {
    use crate::server::BodyError;
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<BodyError>() {
            return match error {
                BodyError::TooLarge { bytes_max } => too_large(*bytes_max),
                BodyError::TooSlow | BodyError::Timeout { .. } => ErrorCode::BodyTooSlow.into(),
                BodyError::Broken(_) => Refusal::new(ErrorCode::MalformedBody, "the body broke off"),
            };
        }
        cause = inner.source();
    }
    Refusal::new(ErrorCode::MalformedBody, "the body broke off")
}

fn too_large(bytes_max: u64) -> Refusal {
    Refusal::new(ErrorCode::BodyTooLarge, format!("the body takes at most {bytes_max} bytes"))
}

fn check_input(input: Input, headers: &HeaderMap, body: &mut RequestBody, bytes_max: u64) -> Result<(), Refusal> {
    let Input::Json(own) = input else { return Ok(()) };
    let bytes_max = own.unwrap_or(bytes_max);
    if body.declared_bytes().is_some_and(|declared| declared > bytes_max) {
        return Err(too_large(bytes_max));
    }
    body.set_bytes_max(bytes_max);
    let declared = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    let essence = declared.map(|value| value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii());
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case(b"application/json") => Ok(()),
        _ => Err(ErrorCode::UnsupportedMediaType.into()),
    }
}

/// The bearer token of a request.
///
/// # Errors
/// `unauthenticated` when there is something in its place that is no token.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<Token>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value.as_bytes().split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer ")).map(|(_, token)| token);
    token.and_then(|text| Token::parse(text.trim_ascii())).map(Some).ok_or_else(|| ErrorCode::Unauthenticated.into())
}

/// Who asks, as far as the route needs to know.
async fn principal(edge: &Edge, auth: Auth, headers: &HeaderMap, subject: Option<Uuid>) -> Result<(Principal, Option<Token>), Refusal> {
    if auth == Auth::Open {
        return Ok((Principal::Anonymous, None));
    }
    let token = bearer(headers)?;
    let principal = match (&token, auth) {
        (None, Auth::Optional) => return Ok((Principal::Anonymous, None)),
        (None, _) => return Err(ErrorCode::Unauthenticated.into()),
        (Some(token), _) => edge.accounts.authenticate(token).await?.ok_or(ErrorCode::Unauthenticated)?,
    };
    if auth == Auth::Subject && principal.user().map(Uuid::from) != subject {
        return Err(ErrorCode::Forbidden.into());
    }
    Ok((principal, token))
}

fn refusal(refusal: &Refusal, trace_id: &str) -> Response<ResponseBody> {
    problem::response(refusal, trace_id).map(ResponseBody::Full)
}

/// The trace id of a request: the client's, if it sent a W3C `traceparent`, or a new one.
pub(crate) fn trace_id(headers: &HeaderMap) -> String {
    let sent = headers.get("traceparent").and_then(|value| value.to_str().ok()).and_then(|text| text.split('-').nth(1));
    let valid = |id: &&str| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0');
    sent.filter(valid).map_or_else(|| Uuid::new_v4().simple().to_string(), str::to_ascii_lowercase)
}
