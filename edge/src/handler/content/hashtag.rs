//! Public posts by hashtag, and which hashtags are used much these days.

use super::{ANYONE, Answered};
use crate::{
    cursor::{List, refused},
    exchange::Exchange,
    handler::PAGE,
    respond::{self, Caching},
    route::{Auth, Route, Service::Content},
};
use actors::{entity::family, read};
use bytes::Bytes;
use http::Method;
use protocol::{
    Key, Kind, Page, Query, Timestamp,
    hashtag::{Hashtag, day_of},
};
use std::sync::Arc;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new((Content, Method::GET, "/hashtags/trending"), Auth::Open, "The hashtags that are used most these days.", trending)
            .params(&["limit"]),
        Route::new((Content, Method::GET, "/hashtags/:tag/posts"), Auth::Optional, "Public posts with a hashtag, newest first.", tagged)
            .params(PAGE),
    ]
}

async fn trending(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let takes = format!("1 to {}", Page::LIMIT_MAX);
    let limit = exchange.params()?.read("limit", &takes)?.unwrap_or(Page::LIMIT_DEFAULT);
    if !(1..=Page::LIMIT_MAX).contains(&limit) {
        return Err(refused(format!("limit takes {takes}")));
    }
    let query = Query::Trending { today: day_of(Timestamp::now()), limit };
    let found = exchange.client().query(&exchange.call(), Key::new(Kind::PostList, family::TRENDING), query).await?;
    Ok(respond::array(&exchange.headers, None, &found, Caching::Shared))
}

async fn tagged(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let tag = Hashtag::parse(&exchange.name()?)?;
    let page = exchange.params()?.page(List::Tagged)?;
    let (viewer, key) = (exchange.viewer(), Key::new(Kind::Hashtag, actors::hashtag::id(&tag)));
    let query = |page| Query::Tagged(tag.clone(), page);
    let rows = read::complete(exchange.client(), &exchange.call(), |sight| read::posts(sight, viewer, key, &query, page)).await?;
    let caching = if viewer.user == ANYONE.user { Caching::Shared } else { Caching::Private };
    Ok(respond::rows(&exchange.headers, List::Tagged, &rows, caching))
}
