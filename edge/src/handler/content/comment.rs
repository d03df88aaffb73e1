//! Comments of a post, in threads.

use super::{Answered, caching, seen};
use crate::{
    cursor::List,
    exchange::{Exchange, read_json},
    handler::first,
    respond,
    route::{Auth, Route, Service::Content},
};
use actors::read;
use bytes::Bytes;
use http::Method;
use protocol::{Command, CommentId, ErrorCode, Key, Kind, PostId, Query, UserId, post};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            (Content, Method::GET, "/posts/:id/comments"),
            Auth::Optional,
            "A post's comments, oldest first; with `parent`, the answers to that comment.",
            comments,
        )
        .params(&["parent", "limit", "cursor"]),
        Route::new(
            (Content, Method::POST, "/posts/:id/comments"),
            Auth::Token,
            "Comment on a post that the caller may see, or answer a comment on it.",
            add,
        ),
        Route::new(
            (Content, Method::DELETE, "/comments/:id"),
            Auth::Token,
            "Delete a comment. Its author, the post's author or a moderator.",
            delete,
        ),
    ]
}

/// Which post a comment is on, and who wrote it.
async fn place(exchange: &Exchange, id: CommentId) -> Result<(PostId, UserId), protocol::Refusal> {
    let node = exchange.client().node();
    let place = node.directory.comment(&node.stores, id).await.map_err(|error| actors::refusal_of(&error))?;
    place.ok_or_else(|| ErrorCode::NotFound.into())
}

async fn comments(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let params = exchange.params()?;
    let parent: Option<CommentId> = params.read("parent", "a comment's id")?;
    let list = if parent.is_some() { List::Replies } else { List::Comments };
    let page = params.page(list)?;
    let post = seen(&exchange, first(&exchange)).await?;
    let query = match parent {
        None => Query::Comments(page),
        Some(parent) if place(&exchange, parent).await?.0.0 == post.key.id => Query::Replies(parent, page),
        Some(_) => return Err(ErrorCode::NotFound.into()),
    };
    let (client, call, viewer) = (exchange.client(), exchange.call(), exchange.viewer());
    let part = client.query(&call, post.key, query).await?;
    let beholder = read::complete(client, &call, |sight| read::beholder(sight, viewer)).await?;
    let shown = |author| beholder.onlooker().knows_of(author);
    Ok(respond::authored(&exchange.headers, list, &part, shown, caching(&post)))
}

async fn add(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let new = read_json(&body)?;
    let post = seen(&exchange, first(&exchange)).await?;
    let reply = exchange.client().write(&exchange.create(&body)?, post.key, Command::Post(post::Command::Comment(new))).await?;
    Ok(respond::reply(reply))
}

async fn delete(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let id = CommentId(first(&exchange));
    let (on, author) = place(&exchange, id).await?;
    // What one wrote oneself one may take back, also where one is not let in any more; others learn nothing of what is below a hidden post.
    if !exchange.principal.is(author) && !actors::visibility::moderates(&exchange.principal) {
        seen(&exchange, on.into()).await?;
    }
    let command = Command::Post(post::Command::DeleteComment { id, author });
    Ok(respond::reply(exchange.client().write(&exchange.call(), Key::new(Kind::Post, on), command).await?))
}
