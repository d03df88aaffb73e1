//! Reviews of products.

use super::{Answered, PAGE, first, for_sale, seller};
use crate::{
    cursor::List,
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Route, Service::Shop},
};
use actors::{read, visibility::moderates};
use bytes::Bytes;
use http::Method;
use protocol::{Command, ErrorCode, Key, Kind, ProductId, Query, Refusal, Reply, ReviewId, review};
use serde::Deserialize;
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new((Shop, Method::GET, "/products/:id/reviews"), Auth::Optional, "What people think of a product, newest first.", list)
            .params(PAGE),
        Route::new((Shop, Method::POST, "/products/:id/reviews"), Auth::Token, "Review a product, once.", create),
        Route::new((Shop, Method::PUT, "/reviews/:id"), Auth::Token, "Change the fields present. The author only.", update),
        Route::new((Shop, Method::DELETE, "/reviews/:id"), Auth::Token, "Take a review back. The author or a moderator.", delete),
        Route::new((Shop, Method::POST, "/reviews/:id/helpful"), Auth::Token, "Find somebody's review helpful.", |x, _| vote(x, true))
            .bodiless(),
        Route::new((Shop, Method::DELETE, "/reviews/:id/helpful"), Auth::Token, "Not any more.", |x, _| vote(x, false)),
    ]
}

async fn list(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let page = exchange.params()?.page(List::Reviews)?;
    for_sale(&exchange, first(&exchange)).await?;
    let (viewer, of) = (exchange.viewer(), (Key::new(Kind::Reviews, first(&exchange)), Query::Reviews(page)));
    let rows = read::complete(exchange.client(), &exchange.call(), |sight| read::list(sight, viewer, of.clone(), Kind::Review)).await?;
    // What a viewer is shown depends on whom they blocked.
    let caching = if viewer.user.is_some() { Caching::Private } else { Caching::Shared };
    Ok(respond::rows(&exchange.headers, List::Reviews, &rows, caching))
}

/// The id of what a write made.
#[derive(Deserialize)]
struct Made {
    id: ReviewId,
}

async fn create(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let (new, call) = (read_json(&body)?, exchange.create(&body)?);
    let product = for_sale(&exchange, first(&exchange)).await?;
    let command = review::Command::Create { product: ProductId(first(&exchange)), seller: seller(&product)?, new };
    let reply = exchange.client().write(&call, Key::new(Kind::Review, ReviewId::new()), Command::Review(command)).await?;
    // The store said whether it is a buyer's: the answer is the review as it is. One that is gone again is answered as it was written.
    let Ok(Made { id }) = serde_json::from_slice(&reply.body) else { return Err(ErrorCode::Internal.into()) };
    let reply = match exchange.client().view(&exchange.call(), Key::new(Kind::Review, id)).await {
        Ok(found) => Reply { version: found.view.version, body: found.view.body.clone(), ..reply },
        Err(refusal) if refusal.code == ErrorCode::NotFound => reply,
        Err(_) => return Err(ErrorCode::OutcomeUnknown.into()),
    };
    Ok(respond::reply(reply))
}

async fn update(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    write(&exchange, review::Command::Update(read_json(&body)?)).await
}

async fn delete(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    write(&exchange, review::Command::Delete).await
}

/// Whoever may not see a review learns nothing but that.
async fn write(exchange: &Exchange, command: review::Command) -> Answered {
    let key = Key::new(Kind::Review, first(exchange));
    if !moderates(&exchange.principal) {
        seen(exchange, key).await?;
    }
    Ok(respond::reply(exchange.client().write(&exchange.change()?, key, Command::Review(command)).await?))
}

async fn seen(exchange: &Exchange, key: Key) -> Result<(), Refusal> {
    let viewer = exchange.viewer();
    let found = read::complete(exchange.client(), &exchange.call(), |sight| read::one(sight, viewer, key)).await?;
    found.map(drop).ok_or_else(|| ErrorCode::NotFound.into())
}

async fn vote(exchange: Arc<Exchange>, add: bool) -> Answered {
    let key = Key::new(Kind::Review, first(&exchange));
    seen(&exchange, key).await?;
    let command = Command::Review(review::Command::Helpful(add));
    Ok(respond::reply(exchange.client().write(&exchange.call(), key, command).await?))
}
