//! The content service: posts and feeds; what belongs to a post has a file of its own.

mod bookmark;
mod comment;
mod hashtag;
mod reaction;
mod search;
mod share;

use super::{ANYONE, Answered, PAGE, first, person};
use crate::{
    cursor::{List, Params},
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Glance, Route, Service::Content},
    session,
};
use actors::{Snapshot, entity::family, read};
use bytes::Bytes;
use http::{Method, Response};
use protocol::{
    Audience, Command, ErrorCode, Fact, Key, Kind, Page, PostId, Query, Refusal, UserId,
    post::{self, NewPost},
};
use std::sync::Arc;
use uuid::Uuid;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    let mut routes = posts();
    routes.extend(comment::routes());
    routes.extend(reaction::routes());
    routes.extend(share::routes());
    routes.extend(hashtag::routes());
    routes.extend(search::routes());
    routes.extend(bookmark::routes());
    routes
}

fn posts() -> Vec<Route> {
    vec![
        Route::new((Content, Method::POST, "/posts"), Auth::Token, "Write a post.", create),
        Route::new((Content, Method::GET, "/posts/:id"), Auth::Optional, "A post, if the caller may see it.", read_post)
            .fast(read_post_now),
        Route::new((Content, Method::PUT, "/posts/:id"), Auth::Token, "Change the fields present. The author only.", update),
        Route::new((Content, Method::DELETE, "/posts/:id"), Auth::Token, "Delete a post. The author or a moderator.", delete),
        Route::new((Content, Method::GET, "/feed/:userId"), Auth::Subject, "One's home feed, newest first.", feed)
            .params(FEED_PARAMS)
            .fast(feed_now),
        Route::new((Content, Method::GET, "/public/posts"), Auth::Open, "Public posts, newest first.", public)
            .params(PAGE)
            .fast(public_now),
        Route::new(
            (Content, Method::GET, "/users/:userId/posts"),
            Auth::Optional,
            "A person's posts, as far as the caller may see them.",
            by_user,
        )
        .params(PAGE),
    ]
}

/// `page` is the old clients': pages counted from 1.
const FEED_PARAMS: &[&str] = &["limit", "cursor", "page"];
/// The old `page=N` reads what it skips; beyond this the cursor must be used.
const OLD_PAGE_MAX: u16 = 50;

async fn create(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let mut new: NewPost = read_json(&body)?;
    if let Some(parent) = new.parent_id {
        let original = share::original(&exchange, parent).await?;
        new.parent_id = Some(PostId(original.key.id));
        return share::create(&exchange, new, &original, &body).await;
    }
    let key = Key::new(Kind::Timeline, exchange.user()?);
    let reply = exchange.client().write(&exchange.create(&body)?, key, Command::Timeline(new)).await?;
    Ok(respond::reply(reply))
}

/// A post, if the caller may see it.
async fn seen(exchange: &Exchange, post: Uuid) -> Result<Arc<Snapshot>, Refusal> {
    let (viewer, key) = (exchange.viewer(), Key::new(Kind::Post, post));
    let found = read::complete(exchange.client(), &exchange.call(), |sight| read::one(sight, viewer, key)).await?;
    found.ok_or_else(|| ErrorCode::NotFound.into())
}

fn caching(post: &Snapshot) -> Caching {
    if post.view.audience == Audience::Everyone { Caching::Shared } else { Caching::Private }
}

fn read_post_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    // Public posts are one body for all viewers; a token that was sent is the handler's to check.
    if session::is_shown(glance.headers, &glance.edge.options) || !glance.query.is_empty() {
        return None;
    }
    let post = read::open_now(glance.client, &Key::new(Kind::Post, *glance.ids.first()?))?;
    // What a share shows beside itself is looked up by the handler.
    (!post.view.fact.shares()).then(|| respond::view(glance.headers, &post, Caching::Shared))
}

async fn read_post(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let post = seen(&exchange, first(&exchange)).await?;
    let viewer = exchange.viewer();
    let shared = read::complete(exchange.client(), &exchange.call(), |sight| read::shared_by(sight, viewer, &post)).await?;
    // What a share shows beside itself is for this viewer.
    let caching = if post.view.fact.shares() && viewer.user.is_some() { Caching::Private } else { caching(&post) };
    Ok(respond::post(&exchange.headers, &post, &shared, caching))
}

async fn update(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let update: post::Update = read_json(&body)?;
    if let Some(visibility) = update.visibility {
        recheck(&exchange, visibility).await?;
    }
    write(&exchange, post::Command::Update(update)).await
}

/// Refuses to let more people see a share than may see what it shares. What the sharer cannot see any more holds nothing back: it is shown to
/// nobody through the share.
async fn recheck(exchange: &Exchange, visibility: post::Visibility) -> Result<(), Refusal> {
    let share = seen(exchange, first(exchange)).await?;
    let Fact::Share { author, parent, .. } = share.view.fact else { return Ok(()) };
    match seen(exchange, parent.0).await {
        Ok(original) if exchange.principal.is(author) => share::check(&original, author, visibility),
        Ok(_) => Ok(()),
        Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(()),
        Err(refusal) => Err(refusal),
    }
}

async fn delete(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    write(&exchange, post::Command::Delete).await
}

/// Changes a post. Whoever may not see it learns nothing but that: 404 before 403.
async fn write(exchange: &Exchange, command: post::Command) -> Answered {
    if !actors::visibility::moderates(&exchange.principal) {
        seen(exchange, first(exchange)).await?;
    }
    let key = Key::new(Kind::Post, first(exchange));
    Ok(respond::reply(exchange.client().write(&exchange.change()?, key, Command::Post(command)).await?))
}

fn feed_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let viewer = glance.principal?.user()?;
    if glance.ids.first() != Some(&viewer.0) {
        return None;
    }
    let page = if glance.query.is_empty() { Page::default() } else { Params::parse(glance.query, PAGE).ok()?.page(List::Feed).ok()? };
    let rows = read::now(glance.client, |sight| read::feed(sight, viewer, page))?;
    Some(respond::rows(glance.headers, List::Feed, &rows, Caching::Private))
}

async fn feed(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let (viewer, params) = (exchange.user()?, exchange.params()?);
    let mut page = params.page(List::Feed)?;
    let number: u16 = params.read("page", "a page number from 1")?.unwrap_or(1);
    if !(1..=OLD_PAGE_MAX).contains(&number) || (number > 1 && page.after.is_some()) {
        return Err(crate::cursor::refused(format!("page takes 1 to {OLD_PAGE_MAX}, without a cursor; use the cursor to go further")));
    }
    let call = exchange.call();
    for _ in 1..number {
        let skipped = read::complete(exchange.client(), &call, |sight| read::feed(sight, viewer, page)).await?;
        match skipped.next {
            Some(next) => page.after = Some(next),
            None => return Ok(respond::rows(&exchange.headers, List::Feed, &read::Rows::default(), Caching::Private)),
        }
    }
    let rows = read::complete(exchange.client(), &call, |sight| read::feed(sight, viewer, page)).await?;
    Ok(respond::rows(&exchange.headers, List::Feed, &rows, Caching::Private))
}

fn public_key() -> Key {
    Key::new(Kind::PostList, family::POSTS)
}

fn public_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let page = Params::parse(glance.query, PAGE).ok()?.page(List::PublicPosts).ok()?;
    let rows = read::now(glance.client, |sight| read::posts(sight, ANYONE, public_key(), &Query::Posts, page))?;
    Some(respond::rows(glance.headers, List::PublicPosts, &rows, Caching::Shared))
}

async fn public(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let page = exchange.params()?.page(List::PublicPosts)?;
    let posts = |sight: &mut read::Sight<'_>| read::posts(sight, ANYONE, public_key(), &Query::Posts, page);
    let rows = read::complete(exchange.client(), &exchange.call(), posts).await?;
    Ok(respond::rows(&exchange.headers, List::PublicPosts, &rows, Caching::Shared))
}

async fn by_user(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let page = exchange.params()?.page(List::UserPosts)?;
    let (viewer, call) = (exchange.viewer(), exchange.call());
    let author = person(&exchange, UserId(first(&exchange))).await?;
    let rows = read::complete(exchange.client(), &call, |sight| read::timeline(sight, viewer, author, page)).await?;
    let caching = if viewer.user.is_some() { Caching::Private } else { Caching::Shared };
    Ok(respond::rows(&exchange.headers, List::UserPosts, &rows, caching))
}
