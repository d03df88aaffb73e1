//! Handlers: one file a service. A handler translates and asks; it decides nothing that an owner decides.

pub mod content;
pub mod operate;
pub mod shop;
pub mod user;

use crate::{exchange::Exchange, route::Glance};
use actors::account::Token;
use bytes::Bytes;
use http::Response;
use protocol::{Principal, Refusal};

/// What every handler comes to.
type Answered = Result<Response<Bytes>, Refusal>;

/// Where a page's parameters stand.
const PAGE: &[&str] = &["limit", "cursor"];

/// Who asks, if their account is warm: for fast paths of routes that need a session. A wrong token is the handler's to refuse.
fn known(glance: &Glance<'_>) -> Option<Principal> {
    let token: Token = crate::session::bearer(glance.headers).ok()??;
    let account = glance.edge.client.peek(&token.key())?;
    token.principal(&account)
}

/// The first id in the path; routes without one do not ask.
fn first(exchange: &Exchange) -> uuid::Uuid {
    exchange.ids.first().copied().unwrap_or_default()
}
