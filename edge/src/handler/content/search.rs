//! Search in the posts that the caller may see.

use super::Answered;
use crate::{
    cursor::List,
    exchange::Exchange,
    rate::Class,
    respond::{self, Caching},
    route::{Auth, Route, Service::Content},
};
use actors::read;
use bytes::Bytes;
use http::Method;
use protocol::post::search_words;
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new(
            (Content, Method::GET, "/posts/search"),
            Auth::Optional,
            "Posts that the caller may see and that hold every word of `q`, newest first.",
            search,
        )
        .params(&["q", "limit", "cursor"])
        .class(Class::Search),
    ]
}

async fn search(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let params = exchange.params()?;
    let (page, words) = (params.page(List::PostSearch)?, search_words(params.text("q").unwrap_or_default()));
    let caching = if exchange.principal.user().is_some() { Caching::Private } else { Caching::Shared };
    if words.is_empty() {
        return Ok(respond::rows(&exchange.headers, List::PostSearch, &read::Rows::default(), caching));
    }
    let viewer = exchange.viewer();
    let rows = read::complete(exchange.client(), &exchange.call(), |sight| read::search(sight, viewer, &words, page)).await?;
    Ok(respond::rows(&exchange.headers, List::PostSearch, &rows, caching))
}
