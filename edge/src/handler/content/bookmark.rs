//! Bookmarks: posts that a person keeps for themselves.

use super::{Answered, seen};
use crate::{
    cursor::List,
    exchange::{Exchange, read_json},
    handler::{PAGE, first},
    respond,
    route::{Auth, Route, Service::Content},
};
use actors::read;
use bytes::Bytes;
use http::{Method, StatusCode};
use protocol::{
    BookmarkId, Command, ErrorCode, Key, Kind, Outcome, PostId, Query,
    bookmark::{self, NewBookmark},
};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new((Content, Method::GET, "/bookmarks"), Auth::Token, "One's bookmarks whose posts one may still see, newest first.", list)
            .params(PAGE),
        Route::new((Content, Method::POST, "/bookmarks"), Auth::Token, "Keep a post that the caller may see.", add),
        Route::new((Content, Method::DELETE, "/bookmarks/:id"), Auth::Token, "Give a bookmark up.", remove),
    ]
}

fn key(exchange: &Exchange) -> Result<Key, protocol::Refusal> {
    Ok(Key::new(Kind::Bookmarks, exchange.user()?))
}

async fn list(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let (user, page) = (exchange.user()?, exchange.params()?.page(List::Bookmarks)?);
    let found = read::complete(exchange.client(), &exchange.call(), |sight| read::bookmarks(sight, user, page)).await?;
    Ok(respond::bookmarks(&exchange.headers, List::Bookmarks, &found))
}

async fn add(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let new: NewBookmark = read_json(&body)?;
    seen(&exchange, new.post_id.0).await?;
    let (key, command) = (key(&exchange)?, Command::Bookmarks(bookmark::Command::Add(new)));
    match exchange.client().write(&exchange.create(&body)?, key, command).await {
        Ok(reply) if reply.outcome == Outcome::Created => Ok(respond::reply(reply)),
        Ok(_) => kept(&exchange, key, new.post_id).await,
        // Who keeps as many as one may keeps this one already, perhaps.
        Err(full) if full.code == ErrorCode::LimitReached => kept(&exchange, key, new.post_id).await.map_err(|_| full),
        Err(refusal) => Err(refusal),
    }
}

/// The bookmark that the caller has of a post.
async fn kept(exchange: &Exchange, key: Key, post: PostId) -> Answered {
    let found = exchange.client().query(&exchange.call(), key, Query::Bookmark(post)).await?;
    Ok(respond::json(StatusCode::OK, found.view.body.clone()))
}

async fn remove(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let command = Command::Bookmarks(bookmark::Command::Remove(BookmarkId(first(&exchange))));
    Ok(respond::reply(exchange.client().write(&exchange.call(), key(&exchange)?, command).await?))
}
