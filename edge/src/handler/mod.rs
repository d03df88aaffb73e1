//! Handlers: one file a service. A handler translates and asks; it decides nothing that an owner decides.

pub mod account;
pub mod content;
pub mod live;
pub mod media;
pub mod moderation;
pub mod operate;
pub mod overview;
pub mod people;
pub mod rank;
pub mod shop;
pub mod user;

use crate::{
    cursor::List,
    exchange::Exchange,
    respond::{self, Caching},
};
use actors::read::{self, Viewer};
use bytes::Bytes;
use http::Response;
use protocol::{ErrorCode, Key, Kind, Query, Refusal, UserId};

/// What every handler comes to.
type Answered = Result<Response<Bytes>, Refusal>;

/// Where a page's parameters stand.
const PAGE: &[&str] = &["limit", "cursor"];

/// The first id in the path; routes without one do not ask.
fn first(exchange: &Exchange) -> uuid::Uuid {
    exchange.ids.first().copied().unwrap_or_default()
}

/// Everybody, signed in or not.
const ANYONE: Viewer = Viewer { user: None };

/// A person whom the caller may know of; 404 for somebody unknown, banned, or with a block between the two.
async fn person(exchange: &Exchange, id: UserId) -> Result<UserId, Refusal> {
    let (viewer, key) = (exchange.viewer(), Key::new(Kind::User, id));
    let found = read::complete(exchange.client(), &exchange.call(), |sight| read::one(sight, viewer, key)).await?;
    found.map(|_| id).ok_or_else(|| ErrorCode::NotFound.into())
}

/// A page of people, without those whom the viewer may not know of.
async fn people(exchange: &Exchange, viewer: Viewer, list: List, key: Key, query: Query) -> Answered {
    let of = (key, query);
    let found = read::complete(exchange.client(), &exchange.call(), |sight| read::list(sight, viewer, of.clone(), Kind::User)).await?;
    Ok(respond::rows(&exchange.headers, list, &found, Caching::Private))
}
