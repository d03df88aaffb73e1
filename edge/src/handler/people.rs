//! The user service: who is hidden from whom.

use super::{ANYONE, Answered, PAGE, first, people};
use crate::{
    cursor::List,
    exchange::Exchange,
    respond,
    route::{Auth, Route, Service::User},
};
use bytes::Bytes;
use http::Method;
use protocol::{Command, Key, Kind, Query, UserId, follow};
use std::sync::Arc;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new((User, Method::PUT, "/users/:userId/block"), Auth::Token, "Block a person: neither sees the other.", |x, _| {
            block(x, true)
        })
        .bodiless(),
        Route::new((User, Method::DELETE, "/users/:userId/block"), Auth::Token, "End a block.", |x, _| block(x, false)),
        Route::new((User, Method::GET, "/blocks"), Auth::Token, "Whom one blocks, newest first.", blocks).params(PAGE),
    ]
}

async fn block(exchange: Arc<Exchange>, add: bool) -> Answered {
    let other = UserId(first(&exchange));
    let command = if add { follow::Command::Block(other) } else { follow::Command::Unblock(other) };
    let key = Key::new(Kind::Follows, exchange.user()?);
    Ok(respond::reply(exchange.client().write(&exchange.call(), key, Command::Follows(command)).await?))
}

async fn blocks(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let query = Query::Blocked(exchange.params()?.page(List::Blocks)?);
    // As anyone sees them: to the viewer these people are hidden everywhere else.
    people(&exchange, ANYONE, List::Blocks, Key::new(Kind::Follows, exchange.user()?), query).await
}
