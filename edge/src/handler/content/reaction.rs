//! Reactions to a post.

use super::{Answered, seen};
use crate::{
    exchange::{Exchange, read_json},
    handler::first,
    respond::{self, Caching},
    route::{Auth, Route, Service::Content},
};
use actors::Snapshot;
use bytes::Bytes;
use http::Method;
use protocol::{Audience, Command, ErrorCode, Key, Kind, Query, Refusal, post, reaction::NewReaction, reaction::ReactionType};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            (Content, Method::PUT, "/posts/:id/reaction"),
            Auth::Token,
            "React to a post that the caller may see; another reaction replaces the one before.",
            set,
        ),
        Route::new((Content, Method::DELETE, "/posts/:id/reaction"), Auth::Token, "Take one's reaction back.", take_back),
        Route::new(
            (Content, Method::GET, "/posts/:id/reactions"),
            Auth::Optional,
            "How many reacted to a post and how, and how the caller did.",
            read,
        ),
    ]
}

/// A post's reactions at its current version, as the caller sees them.
async fn summary(exchange: &Exchange, key: Key) -> Result<Arc<Snapshot>, Refusal> {
    exchange.client().query(&exchange.call(), key, Query::Reactions(exchange.principal.user())).await
}

async fn read(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let post = seen(&exchange, first(&exchange)).await?;
    let found = summary(&exchange, post.key).await?;
    // The post's version, and whose body it is: a browser may ask first as a stranger, then as a member.
    let (tag, caching) = match (exchange.principal.user(), post.view.audience) {
        (Some(user), _) => (format!("\"{}-{}\"", found.view.version, user.0.simple()).into(), Caching::Private),
        (None, Audience::Everyone) => (found.etag(), Caching::Shared),
        (None, _) => return Err(ErrorCode::NotFound.into()),
    };
    Ok(respond::tagged(&exchange.headers, tag, caching, || found.view.body.clone()))
}

async fn set(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let new: NewReaction = read_json(&body)?;
    if new.user_id.is_some_and(|named| !exchange.principal.is(named)) {
        return Err(ErrorCode::Forbidden.into());
    }
    let post = seen(&exchange, first(&exchange)).await?;
    react(&exchange, post.key, Some(new.reaction)).await
}

async fn take_back(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let key = Key::new(Kind::Post, first(&exchange));
    // What one did oneself one may take back, also where one is not let in any more; others learn nothing of a hidden post.
    if let Err(refusal) = seen(&exchange, key.id).await {
        let user = exchange.user()?;
        let node = exchange.client().node();
        let own = node.stores.content.reaction(protocol::PostId(key.id), user).await.map_err(|error| actors::refusal_of(&error))?;
        own.ok_or(refusal)?;
    }
    react(&exchange, key, None).await
}

/// Carries a reaction out, and answers how things stand after it.
async fn react(exchange: &Exchange, key: Key, reaction: Option<ReactionType>) -> Answered {
    exchange.client().write(&exchange.call(), key, Command::Post(post::Command::React(reaction))).await?;
    let found = summary(exchange, key).await?;
    Ok(respond::json(http::StatusCode::OK, found.view.body.clone()))
}
