//! What operators ask: health, readiness and metrics on every listener; the tree, the slots and the log on the admin listener.

use crate::{
    dispatch::{Edge, Scope},
    health::Check,
    metrics, openapi,
    problem::{self, trace_id},
    respond::json,
    server::RequestBody,
};
use actors::{remote::whereabouts, supervisor};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, header};
use protocol::{ErrorCode, Key, Kind, Refusal, Slot};
use sha2::{Digest, Sha256};
use std::{sync::Arc, time::Duration};
use subtle::ConstantTimeEq;

/// Hands over what the node owns, and ends it.
const DRAIN: &str = "/cluster/drain";

/// What is logged; put there as `?filter=`, it changes.
const LOG: &str = "/log";

/// Where the process spends its time, as folded stacks. It is looked at for so many seconds.
const PROFILE: &str = "/profile/cpu";
const PROFILE_S: u64 = 10;
/// Less than the 30 s that a request may take.
const PROFILE_MAX_S: u64 = 25;

/// Where an entity's owner is: behind it the kind and the id.
const INSPECT: &str = "/inspect/";

fn key(path: &str) -> Option<Key> {
    let (kind, id) = path.split_once('/')?;
    let kind = Kind::ALL.iter().copied().find(|known| known.name() == kind)?;
    Some(Key::new(kind, id.parse::<uuid::Uuid>().ok()?))
}

/// Whether every listener answers this path itself.
#[must_use]
pub fn known(path: &str) -> bool {
    matches!(path, "/health" | "/health/ready" | "/metrics") || is_about_the_api(path)
}

/// Whether a path is the API's description, or the page that shows it.
fn is_about_the_api(path: &str) -> bool {
    matches!(path, "/openapi.json" | "/docs")
}

/// Answers a request that is no route of a service.
pub async fn answer(edge: &Arc<Edge>, scope: Scope, request: &Request<RequestBody>) -> Response<Bytes> {
    let path = request.uri().path();
    let refused = |code: ErrorCode| problem::response(&code.into(), &trace_id(request.headers()));
    let known = (known(path) && !(scope == Scope::Admin && is_about_the_api(path)))
        || (scope == Scope::Admin && matches!(path, "/tree" | "/slots" | "/cluster" | LOG | PROFILE))
        || (scope == Scope::Admin && (path.starts_with(INSPECT) || path == DRAIN));
    if !known {
        return refused(ErrorCode::UnknownRoute);
    }
    let allowed = match path {
        DRAIN => "POST",
        LOG => "GET, HEAD, PUT",
        _ => "GET, HEAD",
    };
    if !allowed.split(", ").any(|method| method == request.method().as_str()) {
        let mut response = refused(ErrorCode::MethodNotAllowed);
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(allowed));
        return response;
    }
    if let (Scope::Admin, Some(token)) = (scope, &edge.options.admin_token)
        && path != "/health"
        && path != "/health/ready"
        && !is_operator(request.headers(), token)
    {
        return refused(ErrorCode::Unauthenticated);
    }
    match path {
        "/health" => live(edge, scope).await,
        "/health/ready" => ready(edge, scope).await,
        "/metrics" => scrape(edge, scope),
        "/openapi.json" => openapi::response(scope, request.headers()),
        "/docs" => openapi::page::response(),
        "/tree" => body(StatusCode::OK, &supervisor::report(&edge.root, "node").await),
        "/slots" => body(StatusCode::OK, &slots(edge)),
        "/cluster" => match edge.client.node().remote() {
            Some(remote) => body(StatusCode::OK, &remote.status(edge.client.node())),
            None => refused(ErrorCode::NotFound),
        },
        DRAIN => drain(edge, request).unwrap_or_else(|refusal| problem::response(&refusal, &trace_id(request.headers()))),
        PROFILE => profile(edge, request).await.unwrap_or_else(|refusal| problem::response(&refusal, &trace_id(request.headers()))),
        LOG => log(edge, request).unwrap_or_else(|refusal| problem::response(&refusal, &trace_id(request.headers()))),
        path if path.starts_with(INSPECT) => match key(&path[INSPECT.len()..]) {
            Some(key) => body(StatusCode::OK, &whereabouts(edge.client.node(), &key)),
            None => refused(ErrorCode::NotFound),
        },
        _ => refused(ErrorCode::UnknownRoute),
    }
}

/// A page that an operator looks at must not be able to change anything: browsers say where such a request comes from, and operators' tools do not.
fn by_a_tool(request: &Request<RequestBody>) -> Result<(), Refusal> {
    if request.headers().contains_key(header::ORIGIN) { Err(ErrorCode::Forbidden.into()) } else { Ok(()) }
}

/// A parameter of the query.
fn parameter(request: &Request<RequestBody>, name: &str) -> Option<String> {
    let query = request.uri().query().unwrap_or_default().as_bytes();
    form_urlencoded::parse(query).find_map(|(found, value)| (found == name).then(|| value.into_owned()))
}

/// Where the process spends its time, looked at for as long as it is asked to.
async fn profile(edge: &Edge, request: &Request<RequestBody>) -> Result<Response<Bytes>, Refusal> {
    by_a_tool(request)?;
    let seconds =
        parameter(request, "seconds").map_or(Some(PROFILE_S), |text| text.parse().ok().filter(|s| (1..=PROFILE_MAX_S).contains(s)));
    let wrong = || Refusal::new(ErrorCode::InvalidQuery, format!("seconds takes 1 to {PROFILE_MAX_S}"));
    let profile = edge.options.process.cpu_profile(Duration::from_secs(seconds.ok_or_else(wrong)?)).await;
    let folded = profile.map_err(|why| Refusal::new(ErrorCode::Unavailable, why))?;
    let mut response = json(StatusCode::OK, folded.into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    Ok(response)
}

/// What is logged, after it was changed if the request asks for that. It is forgotten when the process ends.
fn log(edge: &Edge, request: &Request<RequestBody>) -> Result<Response<Bytes>, Refusal> {
    let process = &edge.options.process;
    if request.method() == Method::PUT {
        by_a_tool(request)?;
        let filter = parameter(request, "filter")
            .ok_or_else(|| Refusal::new(ErrorCode::InvalidQuery, "say what to log, as ?filter=info,edge=debug"))?;
        process.set_log_filter(&filter).map_err(|expected| Refusal::new(ErrorCode::InvalidQuery, format!("filter takes {expected}")))?;
        tracing::warn!(filter = process.log_filter(), "an operator changed what is logged");
    }
    Ok(body(StatusCode::OK, &serde_json::json!({ "filter": process.log_filter() })))
}

/// Has the node stop as SIGTERM does, and answers what it has to hand over.
fn drain(edge: &Edge, request: &Request<RequestBody>) -> Result<Response<Bytes>, Refusal> {
    let remote = edge.client.node().remote().ok_or(ErrorCode::NotFound)?;
    by_a_tool(request)?;
    tracing::info!("an operator asks this node to leave the cluster");
    let status = remote.status(edge.client.node());
    edge.ask_to_stop();
    Ok(body(StatusCode::ACCEPTED, &status))
}

/// Compares hashes, so that neither the token's content nor its length shows in the time.
fn is_operator(headers: &HeaderMap, token: &str) -> bool {
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.as_bytes().strip_prefix(b"Bearer "));
    sent.is_some_and(|sent| bool::from(Sha256::digest(sent).ct_eq(&Sha256::digest(token))))
}

fn body(status: StatusCode, value: &impl serde::Serialize) -> Response<Bytes> {
    json(status, serde_json::to_vec(value).map(Bytes::from).unwrap_or_default())
}

/// Liveness: the supervision tree answers and everything in it lives, and an owner actor answers out of its mailbox. A database that is away never fails
/// it. Where all threads of the runtime are blocked nothing answers at all, which whoever probes takes for the same.
async fn live(edge: &Edge, scope: Scope) -> Response<Bytes> {
    let alive = supervisor::report(&edge.root, "node").await.healthy() && edge.client.node().region.lives().await;
    let liveness = edge.health.liveness(scope.service().name(), alive);
    body(liveness.status.code(), &liveness)
}

/// Readiness: 503 only while the node starts or drains. A dependency that is away makes it degraded, since memory still answers.
async fn ready(edge: &Edge, scope: Scope) -> Response<Bytes> {
    let conditions = edge.client.node().dependencies.conditions();
    let checks = conditions.iter().map(|(name, condition)| (name.clone(), Check::of(condition)));
    let readiness = edge.health.readiness(scope.service().name(), edge.stage(), checks.collect());
    body(readiness.status.code(), &readiness)
}

fn scrape(edge: &Edge, scope: Scope) -> Response<Bytes> {
    let service = if scope == Scope::Admin { None } else { Some(scope.service().name()) };
    let mut response = json(StatusCode::OK, edge.metrics.render(service).into());
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(metrics::CONTENT_TYPE));
    response
}

fn slots(edge: &Edge) -> serde_json::Value {
    let ownership = &edge.client.node().ownership;
    let owned: Vec<_> = Slot::all().filter_map(|slot| Some((slot.number(), ownership.epoch(slot)?.0))).collect();
    let (lowest, highest) = (owned.iter().map(|o| o.1).min(), owned.iter().map(|o| o.1).max());
    serde_json::json!({ "owned": owned.len(), "of": protocol::SLOTS, "epochs": { "lowest": lowest, "highest": highest } })
}
