//! Live updates: the two ways to a stream.

use crate::{
    exchange::Exchange,
    live::{Mark, SUBJECTS_MAX, Signed, Stream, Subject, socket, sse},
    route::{Auth, Route, Service::Gateway},
    server::ResponseBody,
    session,
};
use http::{Method, Response};
use hyper::upgrade::OnUpgrade;
use protocol::{ErrorCode, MediaId, OrderId, PostId, ProductId, Refusal};
use std::sync::Arc;
use uuid::Uuid;

/// The gateway's own routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::opening(
            (Gateway, Method::GET, "/live"),
            Auth::Optional,
            "Live updates over a WebSocket: what is new in the feed, and what changes of things that are asked for. Whoever cannot send a session with it sends `{\"token\": \"…\"}` first, within 5 s.",
            |exchange, upgrade| Box::pin(socket(exchange, upgrade)),
        )
        .params(&["cursor"]),
        Route::opening(
            (Gateway, Method::GET, "/live/events"),
            Auth::Token,
            "The same as server-sent events. `Last-Event-ID`, or `cursor`, takes a stream up again.",
            |exchange, _| Box::pin(events(exchange)),
        )
        .params(&["cursor", "post", "product", "order", "file"]),
    ]
}

/// Who asks, if the request says it.
fn signed(exchange: &Exchange) -> Option<Signed> {
    Some(Signed { viewer: exchange.principal.user()?, token: exchange.token? })
}

async fn socket(exchange: Arc<Exchange>, upgrade: Option<OnUpgrade>) -> Result<Response<ResponseBody>, Refusal> {
    session::may_open_socket(&exchange.headers, &exchange.edge.options)?;
    let mark = exchange.params()?.text("cursor").map(Mark::parse);
    let response = socket::accept(&exchange.method, &exchange.headers)?;
    let upgrade =
        upgrade.ok_or_else(|| Refusal::new(ErrorCode::InvalidHeader, "this connection cannot become a WebSocket: use HTTP/1.1"))?;
    let signed = signed(&exchange);
    let place = exchange.edge.live.enter(signed.map(|signed| signed.viewer))?;
    tokio::spawn(socket::serve(exchange.edge.clone(), upgrade, place, (signed, mark)));
    Ok(response)
}

async fn events(exchange: Arc<Exchange>) -> Result<Response<ResponseBody>, Refusal> {
    let signed = signed(&exchange).ok_or(ErrorCode::Unauthenticated)?;
    let subjects = subjects(&exchange)?;
    let params = exchange.params()?;
    let last = exchange.headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let mark = last.or_else(|| params.text("cursor")).map(Mark::parse);
    let place = exchange.edge.live.enter(Some(signed.viewer))?;
    if exchange.method == Method::HEAD {
        return Ok(sse::head());
    }
    let mut stream = Stream::open(exchange.edge.clone(), signed, mark).await?;
    for subject in subjects {
        stream.count()?;
        stream.subscribe(subject).await.map_err(|_| ErrorCode::Unauthenticated)?;
    }
    Ok(sse::answer(stream, place))
}

/// What the query names, beside the feed.
fn subjects(exchange: &Exchange) -> Result<Vec<Subject>, Refusal> {
    let params = exchange.params()?;
    type Make = fn(Uuid) -> Subject;
    let make: [(&str, Make); 4] = [
        ("post", |id| Subject::Post(PostId(id))),
        ("product", |id| Subject::Product(ProductId(id))),
        ("order", |id| Subject::Order(OrderId(id))),
        ("file", |id| Subject::File(MediaId(id))),
    ];
    let mut subjects = Vec::new();
    for (name, subject) in make {
        for id in params.text(name).into_iter().flat_map(|ids| ids.split(',')) {
            let refused = |_| Refusal::new(ErrorCode::InvalidQuery, format!("{name} takes ids, with commas between them"));
            subjects.push(subject(Uuid::try_parse(id.trim()).map_err(refused)?));
        }
    }
    if subjects.len() > SUBJECTS_MAX {
        return Err(Refusal::new(ErrorCode::InvalidQuery, format!("a stream tells of {SUBJECTS_MAX} things at most")));
    }
    Ok(subjects)
}
