//! Carts and their checkout.

use super::{Answered, first, for_sale, seller};
use crate::{
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Route, Service::Shop},
};
use actors::{checkout, read};
use bytes::Bytes;
use http::Method;
use protocol::{
    CartItemId, Command, ErrorCode, Fact, Key, Kind, ProductId, Refusal,
    cart::{self, NewItem, Quantity, Seen},
};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new((Shop, Method::GET, "/cart"), Auth::Token, "One's cart, with its products as they are now.", read_cart),
        Route::new((Shop, Method::POST, "/cart"), Auth::Token, "Put some of a product into one's cart.", add),
        Route::new((Shop, Method::DELETE, "/cart"), Auth::Token, "Empty one's cart.", clear),
        Route::new((Shop, Method::PUT, "/cart/:itemId"), Auth::Token, "Set a line's quantity, and accept its product's price.", set),
        Route::new((Shop, Method::DELETE, "/cart/:itemId"), Auth::Token, "Take a line out of one's cart.", remove),
        Route::new((Shop, Method::POST, "/cart/checkout"), Auth::Token, "Order all of one's cart, or nothing of it.", check_out),
    ]
}

fn own(exchange: &Exchange) -> Result<Key, Refusal> {
    Ok(Key::new(Kind::Cart, exchange.user()?))
}

async fn read_cart(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let user = exchange.user()?;
    let body = read::complete(exchange.client(), &exchange.call(), |sight| read::shop::cart(sight, user)).await?;
    Ok(respond::composed(&exchange.headers, body, Caching::Private))
}

async fn add(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let item: NewItem = read_json(&body)?;
    let call = exchange.create(&body)?;
    let product = for_sale(&exchange, item.product_id.0).await?;
    if seller(&product)? == exchange.user()? {
        return Err(Refusal::new(ErrorCode::NotForSale, "nobody buys from themselves"));
    }
    let seen = read::shop::price(&product).ok_or(ErrorCode::NotFound)?;
    let command = Command::Cart(cart::Command::Add { item, seen });
    Ok(respond::reply(exchange.client().write(&call, own(&exchange)?, command).await?))
}

async fn set(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let (Quantity { quantity }, item) = (read_json(&body)?, CartItemId(first(&exchange)));
    let cart = exchange.client().view(&exchange.call(), own(&exchange)?).await?;
    let Fact::Cart(items) = &cart.view.fact else { return Err(ErrorCode::Internal.into()) };
    let line = items.iter().find(|line| line.id == item).ok_or(ErrorCode::NotFound)?;
    let seen = price(&exchange, line.product_id).await?;
    write(&exchange, cart::Command::Set { item, quantity, seen }).await
}

/// A product's price, unless it is not for sale any more.
async fn price(exchange: &Exchange, product: ProductId) -> Result<Option<Seen>, Refusal> {
    match for_sale(exchange, product.0).await {
        Ok(product) => Ok(read::shop::price(&product)),
        Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

async fn remove(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    write(&exchange, cart::Command::Remove(CartItemId(first(&exchange)))).await
}

async fn clear(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    write(&exchange, cart::Command::Clear).await
}

async fn write(exchange: &Exchange, command: cart::Command) -> Answered {
    Ok(respond::reply(exchange.client().write(&exchange.call(), own(exchange)?, Command::Cart(command)).await?))
}

async fn check_out(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let reply = checkout::check_out(exchange.client(), &exchange.create(&body)?, read_json(&body)?).await?;
    Ok(respond::reply(reply))
}
