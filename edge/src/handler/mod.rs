//! Handlers: one file a service. A handler translates and asks; it decides nothing that an owner decides.

pub mod content;
pub mod operate;
pub mod shop;
pub mod user;

use crate::exchange::Exchange;
use bytes::Bytes;
use http::Response;
use protocol::Refusal;

/// What every handler comes to.
type Answered = Result<Response<Bytes>, Refusal>;

/// Where a page's parameters stand.
const PAGE: &[&str] = &["limit", "cursor"];

/// The first id in the path; routes without one do not ask.
fn first(exchange: &Exchange) -> uuid::Uuid {
    exchange.ids.first().copied().unwrap_or_default()
}
