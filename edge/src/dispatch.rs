//! From a request to its answer: route, fast path, admission, authentication, handler.
//!
//! A GET that memory can answer never leaves [`Service::call`](crate::server::Service::call): no future, no permit, no copy of the request. All
//! else becomes a future behind a warp filter, within the limits of admission.

use crate::{
    address,
    admission::{Behind, admitted, behind},
    attempt::{AttemptLimits, Attempts},
    cors::{self, Cors},
    handler,
    health::{Health, Stage},
    live::{self, Live},
    lookup::{Lost, gateway},
    media::{address::Addresses, intake},
    metrics::{HttpMetrics, Vitals},
    pace::Pace,
    problem::{self, trace_id},
    rate::{Caller, Class, Exceeded, Limiter},
    route::{self, Auth, Glance, Route},
    security,
    server::{Answer, Fault, Peer, RequestBody, ResponseBody, Service as Served, Stats},
    session, site, stale,
    system::Readings,
    trace::{Sampling, Traced},
};
use actors::{Client, account::Accounts, media::Media, supervisor, trace::WithCause};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use prometheus::{IntCounterVec, Opts};
use protocol::{ErrorCode, Refusal, UserId};
use ractor::ActorRef;
use std::{
    net::IpAddr,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::sync::{Semaphore, watch};

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
    /// How many requests one caller may make.
    pub limiter: Arc<Limiter>,
    /// Files.
    pub media: Arc<Media>,
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
    /// Refusals a second for each core, at once; further ones wait for their turn.
    pub refusals_per_core_s: u32,
    /// Largest body of a route that states no limit of its own.
    pub body_bytes_max: u64,
    /// Longest that a request may take.
    pub request_max: Duration,
    /// What the admin listener asks for as a bearer token; `None` where it is on loopback.
    pub admin_token: Option<String>,
    /// Where uploads lie until they are kept.
    pub spool_dir: PathBuf,
    /// Uploads that are received at once. Beyond: `overloaded`.
    pub uploads_max: usize,
    /// Prefix of the platform's own addresses.
    pub public_url: String,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<address::Network>,
    /// Origins of other web sites whose scripts may use the API, as browsers write them.
    pub cors_origins: Vec<String>,
    /// The platform's own origin, as [`session::origin_of`] writes it: its pages may change things by a cookie session, as those of `cors_origins`.
    pub origin: String,
    /// How often somebody may guess.
    pub attempts: AttemptLimits,
    /// Live streams.
    pub live: live::Limits,
    /// Which requests' traces are taken; `None` where nothing takes any.
    pub traces: Option<Sampling>,
    /// What operators may ask of the process.
    pub process: Arc<dyn Process>,
    /// Whether some routes work without a session, in the name of a demo account: on a developer's own machine.
    pub has_demo_account: bool,
}

/// The process, as an operator sees and changes it while it runs.
pub trait Process: Send + Sync {
    /// What is logged, as the library writes it.
    fn log_filter(&self) -> String;

    /// Logs by this filter from now on.
    ///
    /// # Errors
    /// What a filter is, if this is none.
    fn set_log_filter(&self, filter: &str) -> Result<(), String>;

    /// Where the process spends its time, seen for so long: folded stacks.
    ///
    /// # Errors
    /// Why not. A repetition is safe.
    fn cpu_profile(&self, time: Duration) -> BoxFuture<'static, Result<String, String>>;
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
    /// Who guesses.
    pub attempts: Attempts,
    /// Configuration.
    pub options: Options,
    pub(crate) routes: Vec<Route>,
    pub(crate) filters: Vec<Behind>,
    pub(crate) admission: Arc<Semaphore>,
    /// Of who finds no room, or is over a limit.
    refusals: Pace,
    /// Files.
    pub media: Arc<Media>,
    /// Where their bytes are.
    pub addresses: Addresses,
    pub(crate) uploads: Semaphore,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) live: Arc<Live>,
    limited: IntCounterVec,
    /// Who came with which session of another node.
    pub(crate) recognised: session::Recognised,
    headers: security::Headers,
    cors: Cors,
    stage: Arc<AtomicU8>,
    /// An operator asked the node to stop.
    asked_to_stop: watch::Sender<bool>,
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
        let Platform { client, accounts, root, limiter, media } = platform;
        let counts = client.counts();
        let routes = route::table();
        // Behind the table's rows, one for each service: what is no route of a service.
        let own = route::Service::ALL.map(|service| (service.name(), OWN_ROUTE, "GET"));
        let labels: Vec<_> = routes.iter().map(|r| (r.service.name(), r.path, r.method.as_str())).chain(own).collect();
        let readings = Arc::new(Readings::new());
        let metrics = HttpMetrics::new(&route::Service::ALL.map(route::Service::name), &labels, readings.clone());
        let limited = limited_requests(&counted.registry)?;
        let live = Live::new(options.live, &counted.registry)?;
        metrics.include(counted.registry);
        metrics.include_connections(counted.connections)?;
        let filters = routes.iter().map(|r| behind(r.input, r.handler.clone())).collect();
        let admission = Arc::new(Semaphore::new(options.inflight_max));
        let stage = Arc::new(AtomicU8::new(Stage::Starting as u8));
        metrics.include_vitals(Vitals {
            admission: admission.clone(),
            inflight_max: options.inflight_max,
            stage: stage.clone(),
            readings: readings.clone(),
        })?;
        Ok(Arc::new(Self {
            client,
            accounts,
            metrics,
            health: Health::new(readings),
            root,
            routes,
            filters,
            admission,
            refusals: Pace::new(options.refusals_per_core_s, Instant::now()),
            addresses: Addresses::new(&options.public_url, media.signing_key()),
            uploads: Semaphore::new(options.uploads_max),
            media,
            limiter,
            live,
            limited,
            attempts: Attempts::new(options.attempts, counts),
            recognised: session::Recognised::new(session::RECOGNISED_MAX),
            headers: security::Headers::new(&options.public_url),
            cors: Cors::new(&options.cors_origins),
            stage,
            asked_to_stop: watch::Sender::new(false),
            options,
        }))
    }

    /// A row of the route table.
    #[must_use]
    pub fn route(&self, index: usize) -> &Route {
        &self.routes[index]
    }

    /// Asks the node to stop in good order, as a signal does.
    pub(crate) fn ask_to_stop(&self) {
        self.asked_to_stop.send_replace(true);
    }

    /// Resolves when an operator asked the node to stop.
    pub async fn asked_to_stop(&self) {
        // Its sender is this one.
        let _ = self.asked_to_stop.subscribe().wait_for(|asked| *asked).await;
    }

    /// Moves the node on in its life: readiness follows.
    pub fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Release);
        if matches!(stage, Stage::Draining | Stage::VotedOut) {
            self.live.end();
        }
    }

    /// Where the node is in its life.
    #[must_use]
    pub fn stage(&self) -> Stage {
        Stage::of(self.stage.load(Ordering::Acquire))
    }

    /// Counts a request to a route, and tells of it whoever wants to hear of each: `edge::access=debug`.
    fn observe(&self, index: usize, status: StatusCode, began: Instant) {
        let took = began.elapsed();
        self.metrics.route(index).observe(status, took);
        let Route { service, method, path, .. } = &self.routes[index];
        tracing::debug!(
            target: "edge::access",
            {
                http.request.method = method.as_str(),
                http.route = %format_args!("{}{path}", service.prefix()),
                http.response.status_code = status.as_u16(),
                event.duration = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX),
            },
            "answered"
        );
    }

    /// Counts a request that was no route of a service.
    fn observe_own(&self, service: route::Service, status: StatusCode, began: Instant) {
        let own = route::Service::ALL.iter().position(|s| *s == service).unwrap_or_default();
        self.metrics.route(self.routes.len() + own).observe(status, began.elapsed());
    }

    /// How long the body of a request may be: with JSON, and with a file.
    pub(crate) fn body_limits(&self) -> (u64, u64) {
        (self.options.body_bytes_max, self.media.limits().image.bytes_max + intake::FORM_BYTES_MAX)
    }

    /// Permits of admission that are free.
    #[must_use]
    pub fn admission_free(&self) -> usize {
        self.admission.available_permits()
    }
}

/// Counts requests over their limit, each class from 0 on.
fn limited_requests(registry: &prometheus::Registry) -> prometheus::Result<IntCounterVec> {
    let counter = IntCounterVec::new(
        Opts::new("http_requests_limited_total", "Requests refused with 429 because their caller is over a limit."),
        &["class"],
    )?;
    for class in Class::ALL {
        counter.with_label_values(&[class.name()]);
    }
    registry.register(Box::new(counter.clone()))?;
    Ok(counter)
}

/// What is known of a request before its path is looked at.
struct Arrival {
    began: Instant,
    /// The other end of the connection.
    peer: IpAddr,
    /// The client's address, behind trusted proxies.
    client: IpAddr,
    /// The web site whose script asks, if it is listed.
    origin: Option<HeaderValue>,
}

type Answered = Answer<BoxFuture<'static, Response<ResponseBody>>>;

impl Served for Dispatcher {
    type Future = BoxFuture<'static, Response<ResponseBody>>;

    fn call(&self, request: Request<RequestBody>, peer: &Peer) -> Answered {
        let edge = &self.0;
        let arrival = edge.arrival(request.headers(), peer.addr.ip());
        let path = request.uri().path();
        let (service, own) = match edge.options.scopes.get(peer.listener) {
            Some(Scope::Own(service)) => (*service, path),
            Some(Scope::Gateway) => match gateway(path) {
                Some(found) => found,
                None => return self.outside(request, arrival),
            },
            Some(Scope::Admin) | None => return self.own(request, Scope::Admin, arrival),
        };
        let found = match edge.find(service, request.method(), own) {
            Ok(found) => found,
            Err(lost) => {
                let own = own.to_owned();
                return self.lost(lost, service, &own, request, arrival);
            }
        };
        let route = &edge.routes[found.index];
        let principal = if route.auth == Auth::Open { None } else { session::known(edge, request.headers()) };
        let person = principal.and_then(|principal| principal.user()).or_else(|| session::recognised(edge, request.headers()));
        if let Err(exceeded) = edge.count(route.class, person, &arrival) {
            let response = edge.limited(&exceeded, request.headers());
            return edge.in_turn(response, found.index, arrival);
        }
        let traced = edge.taken(request.headers(), route, arrival.peer);
        if let (Some(fast), &Method::GET) = (route.fast, request.method()) {
            let query = request.uri().query().unwrap_or_default();
            let glance = Glance { edge, client: &edge.client, headers: request.headers(), query, ids: found.ids(), principal };
            let _working = traced.as_ref().map(|traced| traced.cause.enter());
            if let Some(mut response) = fast(&glance).or_else(|| stale::answer(&glance, fast)) {
                if let Some(traced) = &traced {
                    traced.answered(&mut response);
                }
                edge.observe(found.index, response.status(), arrival.began);
                return edge.now(response.map(ResponseBody::Full), arrival.origin);
            }
        }
        // Before anything is made for it: whoever is refused for want of room must not cost what others wait for. What may still be shown without
        // the store needs no room, or nobody would see it while many wait.
        let permit = if route.fast.is_some() && edge.client.node().ownership.lapsed().is_some() {
            None
        } else if let Ok(permit) = edge.admission.clone().try_acquire_owned() {
            Some(permit)
        } else {
            let trace = traced.as_ref().map_or_else(|| problem::trace(request.headers()), |traced| traced.trace);
            let mut response = problem::refuse(&ErrorCode::Overloaded.into(), &trace.id());
            if let Some(traced) = &traced {
                traced.answered(&mut response);
            }
            return edge.in_turn(response, found.index, arrival);
        };
        let (index, ids, path) = (found.index, found.ids().to_vec(), found.path.to_owned());
        let Arrival { began, peer, origin, .. } = arrival;
        let edge = edge.clone();
        let fast = route.fast.filter(|_| request.method() == Method::GET);
        let traced = traced.unwrap_or_else(|| Traced::noted(request.headers()));
        let cause = traced.cause.clone();
        let work = async move {
            if let Some(fast) = fast
                && let Some(response) = edge.stale(&request, &ids, fast).await
            {
                edge.observe(index, response.status(), began);
                return response.map(ResponseBody::Full);
            }
            // In a place of its own: what is put around it is moved several times, and all that a request may come to wait for is tens of kilobytes.
            let mut response = Box::pin(admitted(edge.clone(), permit, request, (index, ids, path), (peer, began, traced.trace))).await;
            edge.observe(index, response.status(), began);
            traced.answered(&mut response);
            response
        };
        self.0.later(work.caused_by(cause), origin)
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
        let mut response = problem::refuse(&code.into(), &trace_id(&HeaderMap::new()));
        self.0.dress(&mut response, None);
        response
    }
}

impl Dispatcher {
    /// What the gateway has beside the services: the front-end, out of memory, and what every listener answers.
    fn outside(&self, request: Request<RequestBody>, arrival: Arrival) -> Answered {
        let Some(response) = site::answer(request.method(), request.uri().path(), request.headers()) else {
            return self.own(request, Scope::Gateway, arrival);
        };
        self.0.observe_own(Scope::Gateway.service(), response.status(), arrival.began);
        self.0.now(response.map(ResponseBody::Full), arrival.origin)
    }

    /// What every listener answers itself: health, readiness, metrics; the admin listener some more. Not limited: probes and scrapers must get
    /// through when nobody else does.
    fn own(&self, request: Request<RequestBody>, scope: Scope, arrival: Arrival) -> Answered {
        let edge = self.0.clone();
        let service = scope.service();
        let work = async move {
            let response = handler::operate::answer(&edge, scope, &request).await.map(ResponseBody::Full);
            edge.observe_own(service, response.status(), arrival.began);
            response
        };
        self.0.later(work, arrival.origin)
    }

    /// Answers what matches no route of `service`; `path` is the one on its own port.
    fn lost(&self, lost: Lost, service: route::Service, path: &str, mut request: Request<RequestBody>, arrival: Arrival) -> Answered {
        let edge = &self.0;
        if matches!(lost, Lost::Unknown) && handler::operate::known(path) {
            if let Ok(uri) = http::Uri::try_from(path) {
                *request.uri_mut() = uri;
            }
            return self.own(request, Scope::Own(service), arrival);
        }
        let response = match (edge.count(Class::Read, None, &arrival), lost) {
            (Err(exceeded), _) => edge.limited(&exceeded, request.headers()),
            (_, Lost::Method(methods)) if arrival.origin.is_some() && cors::is_preflight(request.method(), request.headers()) => {
                cors::preflight(methods)
            }
            (_, Lost::Method(allow)) => {
                let mut response = problem::refuse(&ErrorCode::MethodNotAllowed.into(), &trace_id(request.headers()));
                response.headers_mut().insert(header::ALLOW, allow);
                response
            }
            (_, Lost::Unknown) => problem::refuse(&ErrorCode::UnknownRoute.into(), &trace_id(request.headers())),
            (_, Lost::BadId) => problem::refuse(&ErrorCode::InvalidId.into(), &trace_id(request.headers())),
        };
        edge.observe_own(service, response.status(), arrival.began);
        edge.now(response, arrival.origin)
    }
}

impl Edge {
    fn arrival(&self, headers: &HeaderMap, peer: IpAddr) -> Arrival {
        Arrival {
            began: Instant::now(),
            peer,
            client: address::client(peer, headers, &self.options.trusted_proxies),
            origin: if self.cors.is_on() { self.cors.allowed(headers) } else { None },
        }
    }

    /// The trace of a request to a route, if it is taken.
    fn taken(&self, headers: &HeaderMap, route: &Route, peer: IpAddr) -> Option<Traced> {
        Traced::taken(self.options.traces?, headers, route, (peer, &self.options.trusted_proxies))
    }

    /// Counts a request against its caller: the person, if one is known, or else the address.
    fn count(&self, class: Class, person: Option<UserId>, arrival: &Arrival) -> Result<(), Exceeded> {
        person
            .map(Caller::Person)
            .or_else(|| Caller::at(arrival.client))
            .map_or(Ok(()), |caller| self.limiter.check(arrival.began, class, caller))
    }

    /// While no lease holds: what other nodes of a cluster have in memory. Most of the time nobody is asked.
    async fn stale(&self, request: &Request<RequestBody>, ids: &[uuid::Uuid], fast: route::Fast) -> Option<Response<bytes::Bytes>> {
        self.client.node().remote()?;
        self.client.node().ownership.lapsed()?;
        let query = request.uri().query().unwrap_or_default();
        let glance = Glance { edge: self, client: &self.client, headers: request.headers(), query, ids, principal: None };
        Box::pin(stale::answer_of_all(&glance, fast, Instant::now() + self.client.node().limits.request_deadline)).await
    }

    /// Refuses what is over its limit.
    fn limited(&self, exceeded: &Exceeded, request: &HeaderMap) -> Response<ResponseBody> {
        self.limited.with_label_values(&[exceeded.class().name()]).inc();
        let refusal = Refusal::from(ErrorCode::TooManyRequests).after(exceeded.retry_after_s());
        let mut response = problem::refuse(&refusal, &trace_id(request));
        exceeded.announce(response.headers_mut());
        response
    }

    /// Adds what every answer carries.
    fn dress(&self, response: &mut Response<ResponseBody>, origin: Option<HeaderValue>) {
        self.headers.put_on(response);
        self.cors.put_on(response, origin);
    }

    /// An answer at hand, dressed.
    fn now(&self, mut response: Response<ResponseBody>, origin: Option<HeaderValue>) -> Answered {
        self.dress(&mut response, origin);
        Answer::Ready(response)
    }

    /// A refusal, when it is its turn.
    fn in_turn(self: &Arc<Self>, refused: Response<ResponseBody>, index: usize, arrival: Arrival) -> Answered {
        let Arrival { began, origin, .. } = arrival;
        let wait = self.refusals.turn(began);
        if wait.is_zero() {
            self.observe(index, refused.status(), began);
            return self.now(refused, origin);
        }
        let edge = self.clone();
        let turn = async move {
            tokio::time::sleep(wait).await;
            edge.observe(index, refused.status(), began);
            refused
        };
        self.later(turn, origin)
    }

    /// An answer to be worked for, dressed when it is there.
    fn later(
        self: &Arc<Self>,
        work: impl Future<Output = Response<ResponseBody>> + Send + 'static,
        origin: Option<HeaderValue>,
    ) -> Answered {
        let edge = self.clone();
        let future = Box::pin(async move {
            let mut response = work.await;
            edge.dress(&mut response, origin);
            response
        });
        Answer::Later { future, within: None }
    }
}
