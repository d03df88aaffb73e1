//! The user service: what is done by rank, and the log of it.

use super::{Answered, first};
use crate::{
    cursor::List,
    exchange::{Exchange, read_json},
    respond,
    route::{Auth, Route, Service::User},
};
use bytes::Bytes;
use http::Method;
use protocol::{Command, ErrorCode, Key, Kind, Role, audit::Filter, user};
use std::sync::Arc;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(
            (User, Method::PUT, "/users/:userId/role"),
            Auth::Rank(Role::Admin),
            "Set the role of a person below one's own rank.",
            set_role,
        ),
        Route::new(
            (User, Method::PUT, "/users/:userId/active"),
            Auth::Rank(Role::Moderator),
            "Ban a person below one's own rank, or end a ban.",
            set_active,
        ),
        Route::new((User, Method::GET, "/audit"), Auth::Rank(Role::Admin), "What was done by rank, newest first.", audit).params(AUDIT),
    ]
}

const AUDIT: &[&str] = &["actor", "target", "limit", "cursor"];

async fn set_role(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let user::SetRole { role } = read_json(&body)?;
    write(&exchange, user::Command::SetRole { role, from: Some(exchange.address) }).await
}

async fn set_active(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let change: user::SetActive = read_json(&body)?;
    write(&exchange, user::Command::SetActive { change, from: Some(exchange.address) }).await
}

async fn write(exchange: &Exchange, command: user::Command) -> Answered {
    let key = Key::new(Kind::User, first(exchange));
    Ok(respond::reply(exchange.client().write(&exchange.change()?, key, Command::User(command)).await?))
}

/// The log is read from the store each time: it is read by few, and never too late.
async fn audit(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let params = exchange.params()?;
    let page = params.page(List::Audit)?;
    let filter = Filter { actor: params.read("actor", "a person's id")?, target: params.read("target", "an id")? };
    let read = exchange.client().node().stores.users.audit(filter, page);
    let deadline = exchange.call().deadline;
    let found = tokio::time::timeout_at(deadline.into(), read).await.map_err(|_| ErrorCode::Expired)?;
    let (entries, next) = found.map_err(|error| actors::refusal_of(&error))?;
    Ok(respond::unkept(List::Audit, &entries, next))
}
