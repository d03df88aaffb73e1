//! Wishlists.

use super::{Answered, PAGE, first, for_sale};
use crate::{
    cursor::List,
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Route, Service::Shop},
};
use actors::read;
use bytes::Bytes;
use http::Method;
use protocol::{Command, Key, Kind, ProductId, Refusal, wishlist};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new((Shop, Method::GET, "/wishlist"), Auth::Token, "What one wishes for, newest first, as it is now.", list).params(PAGE),
        Route::new((Shop, Method::POST, "/wishlist"), Auth::Token, "Put a product on one's wishlist; again is no error.", add),
        Route::new((Shop, Method::DELETE, "/wishlist/:productId"), Auth::Token, "Take a product off one's wishlist.", remove),
    ]
}

fn own(exchange: &Exchange) -> Result<Key, Refusal> {
    Ok(Key::new(Kind::Wishlist, exchange.user()?))
}

async fn list(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let (viewer, page) = (exchange.viewer(), exchange.params()?.page(List::Wishlist)?);
    let wishes = read::complete(exchange.client(), &exchange.call(), |sight| read::shop::wishes(sight, viewer, page)).await?;
    Ok(respond::composed_rows(&exchange.headers, List::Wishlist, wishes, Caching::Private))
}

async fn add(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let (wish, call): (wishlist::Wish, _) = (read_json(&body)?, exchange.create(&body)?);
    for_sale(&exchange, wish.product_id.0).await?;
    let command = Command::Wishlist(wishlist::Command::Add(wish));
    Ok(respond::reply(exchange.client().write(&call, own(&exchange)?, command).await?))
}

async fn remove(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let command = Command::Wishlist(wishlist::Command::Remove(ProductId(first(&exchange))));
    Ok(respond::reply(exchange.client().write(&exchange.call(), own(&exchange)?, command).await?))
}
