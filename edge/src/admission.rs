//! Into work: a permit, a principal, a sound body, then the route's filter.

use crate::{
    address,
    cursor::Params,
    dispatch::Edge,
    exchange::Exchange,
    intake, problem,
    route::{self, Input},
    server::{RequestBody, ResponseBody},
    session,
};
use bytes::Bytes;
use http::{Request, Response};
use hyper::upgrade::OnUpgrade;
use parking_lot::Mutex;
use protocol::{ErrorCode, Refusal, Trace};
use std::{
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};
use tokio::sync::OwnedSemaphorePermit;
use tower_service::Service as _;
use uuid::Uuid;
use warp::{Filter, filters::BoxedFilter};

/// What answers the requests of a route.
pub(crate) type Behind = BoxedFilter<(warp::reply::Response,)>;

/// The slow path: a permit, if there is none yet, a principal, then the route's filter.
pub(crate) async fn admitted(
    edge: Arc<Edge>,
    permit: Option<OwnedSemaphorePermit>,
    request: Request<RequestBody>,
    (index, ids, path): (usize, Vec<Uuid>, String),
    (peer, began, part_of): (IpAddr, Instant, Trace),
) -> Response<ResponseBody> {
    let trace = part_of.id();
    let Ok(_permit) = permit.map_or_else(|| edge.admission.clone().try_acquire_owned(), Ok) else {
        return problem::refuse(&ErrorCode::Overloaded.into(), &trace);
    };
    let route = &edge.routes[index];
    let (principal, token) = match session::principal(&edge, (route, request.method()), request.headers(), ids.first().copied()).await {
        Ok(known) => known,
        Err(why) => return problem::refuse(&why, &trace),
    };
    let (mut parts, mut body) = request.into_parts();
    if let Err(why) = intake::check(route.input, &parts.headers, &mut body, edge.body_limits()) {
        return problem::refuse(&why, &trace);
    }
    let query = parts.uri.query().unwrap_or_default().to_owned();
    if let Err(why) = Params::parse(&query, route.params) {
        return problem::refuse(&why, &trace);
    }
    let (headers, ends_at) = (parts.headers.clone(), began + edge.options.request_max);
    let address = address::client(peer, &headers, &edge.options.trusted_proxies);
    let (route, work_began) = (index, OnceLock::new());
    let (method, incoming) = (parts.method.clone(), Mutex::default());
    let exchange = Arc::new(Exchange {
        edge: edge.clone(),
        route,
        method,
        principal,
        token,
        ids,
        path,
        query,
        headers,
        address,
        trace: part_of,
        ends_at,
        work_began,
        incoming,
    });
    if let Some(opens) = edge.routes[index].opens {
        // What goes on behind the answer has no permit any more.
        let opened = opens(exchange, parts.extensions.remove::<OnUpgrade>()).await;
        return opened.unwrap_or_else(|refusal| problem::refuse(&refusal, &trace));
    }
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
pub(crate) fn behind(input: Input, handler: route::Handler) -> Behind {
    let body = match input {
        Input::None => warp::any().map(|| Ok(Bytes::new())).boxed(),
        Input::Json(_) => warp::body::stream().then(intake::collect).boxed(),
        Input::Multipart => warp::ext::get::<Arc<Exchange>>()
            .and(warp::body::stream())
            .map(|exchange: Arc<Exchange>, body| {
                *exchange.incoming.lock() = Some(intake::stream(body));
                Ok(Bytes::new())
            })
            .boxed(),
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
                        tracing::error!(detail = &*refusal.detail, "internal fault");
                    }
                    problem::response(&refusal, &trace.0)
                });
                let response: warp::reply::Response = response.map(Into::into);
                response
            }
        })
        .boxed()
}
