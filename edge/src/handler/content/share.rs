//! Shares: posts that show another one to those who may see it.

use super::{Answered, seen};
use crate::{
    exchange::{Exchange, read_json},
    handler::first,
    respond,
    route::{Auth, Route, Service::Content},
};
use actors::Snapshot;
use bytes::Bytes;
use http::Method;
use protocol::{
    Command, ErrorCode, Fact, Key, Kind, PostId, Refusal, UserId,
    post::{NewPost, NewShare, Visibility, may_share},
};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![Route::new(
        (Content, Method::POST, "/posts/:id/share"),
        Auth::Token,
        "Share a post that the caller may see, with words of their own or without, for no more people than may see it.",
        share,
    )]
}

async fn share(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let new: NewShare = read_json(&body)?;
    let original = original(&exchange, PostId(first(&exchange))).await?;
    create(&exchange, new.of(PostId(original.key.id)), &original, &body).await
}

/// The post that a share of this one shows: a share without words of its own only points at another one, and so it is that one which is shared.
pub(super) async fn original(exchange: &Exchange, post: PostId) -> Result<Arc<Snapshot>, Refusal> {
    let found = seen(exchange, post.0).await?;
    match found.view.fact {
        Fact::Share { parent, bare: true, .. } => seen(exchange, parent.0).await,
        _ => Ok(found),
    }
}

/// Writes a share of `original` into the caller's timeline.
pub(super) async fn create(exchange: &Exchange, new: NewPost, original: &Snapshot, body: &Bytes) -> Answered {
    let sharer = exchange.user()?;
    check(original, sharer, new.visibility)?;
    let reply = exchange.client().write(&exchange.create(body)?, Key::new(Kind::Timeline, sharer), Command::Timeline(new)).await?;
    let shown = respond::with_parent(&reply.body, Some(original));
    Ok(respond::reply(protocol::Reply { body: shown, ..reply }))
}

/// Refuses a share for more people than may see what it shares.
pub(super) fn check(original: &Snapshot, sharer: UserId, visibility: Visibility) -> Result<(), Refusal> {
    if may_share(original.view.audience, sharer, visibility) { Ok(()) } else { Err(ErrorCode::ShareTooWide.into()) }
}
