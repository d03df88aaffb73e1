//! The gateway: how the platform runs, for admins in the front-end.

use super::Answered;
use crate::{
    exchange::Exchange,
    overview::Overview,
    respond,
    route::{Auth, Route, Service::Gateway},
};
use bytes::Bytes;
use http::{Method, StatusCode};
use protocol::{ErrorCode, Role};
use std::sync::Arc;

/// The gateway's own routes, beside live updates.
pub fn routes() -> Vec<Route> {
    vec![Route::new(
        (Gateway, Method::GET, "/overview"),
        Auth::Rank(Role::Admin),
        "How the platform runs, as the node that answers knows it: the cluster, slots, what memory answers.",
        overview,
    )]
}

async fn overview(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let overview = Overview::of(&exchange.edge).await;
    let body = serde_json::to_vec(&overview).map_err(|_| ErrorCode::Internal)?;
    // As it is now, and for this admin: no cache keeps it.
    Ok(respond::json(StatusCode::OK, body.into()))
}
