//! From a request to its answer: route, fast path, admission, authentication, handler.
//!
//! A GET that memory can answer never leaves [`Service::call`](crate::server::Service::call): no future, no permit, no copy of the request. All
//! else becomes a future behind a warp filter, within the limits of admission.

use crate::{
    address,
    admission::{Behind, admitted, behind},
    handler,
    health::{Health, Stage},
    lookup::{Lost, gateway},
    metrics::HttpMetrics,
    problem::{self, trace_id},
    route::{self, Glance, Route},
    server::{Answer, Fault, Peer, RequestBody, ResponseBody, Service as Served, Stats},
    system::Readings,
};
use actors::{Client, account::Accounts, supervisor};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, Request, Response, header};
use protocol::ErrorCode;
use ractor::ActorRef;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::Semaphore;

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
    pub(crate) routes: Vec<Route>,
    pub(crate) filters: Vec<Behind>,
    pub(crate) admission: Arc<Semaphore>,
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
            let glance = Glance { edge, headers: request.headers(), query, ids: found.ids() };
            if let Some(response) = fast(&glance) {
                edge.metrics.route(found.index).observe(response.status(), began.elapsed());
                return Answer::Ready(response.map(ResponseBody::Full));
            }
        }
        let (index, ids, path) = (found.index, found.ids().to_vec(), found.path.to_owned());
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
            Fault::Garbled => ErrorCode::MalformedRequest,
            Fault::TargetTooLong => ErrorCode::TargetTooLong,
            Fault::HeadTooLarge => ErrorCode::HeadTooLarge,
            Fault::HeadTooSlow => ErrorCode::HeadTooSlow,
            Fault::Crowded => ErrorCode::Overloaded,
        };
        problem::refuse(&code.into(), &trace_id(&HeaderMap::new()))
    }
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
        let mut response = problem::refuse(&code.into(), &trace_id(request.headers()));
        if let Lost::Method(allow) = lost {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        self.0.observe_own(service, &response, Instant::now());
        Answer::Ready(response)
    }
}
