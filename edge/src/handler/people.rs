//! The user service: finding people, and who is hidden from whom.

use super::{ANYONE, Answered, PAGE, first, people};
use crate::{
    cursor::{List, Params},
    exchange::Exchange,
    rate::Class,
    respond::{self, Caching},
    route::{Auth, Glance, Route, Service::User},
    session,
};
use actors::{entity::family, read};
use bytes::Bytes;
use http::{Method, Response};
use protocol::{Command, Key, Kind, Query, Refusal, UserId, follow, people::Search};
use std::sync::Arc;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new((User, Method::PUT, "/users/:userId/block"), Auth::Token, "Block a person: neither sees the other.", |x, _| {
            block(x, true)
        })
        .bodiless(),
        Route::new((User, Method::DELETE, "/users/:userId/block"), Auth::Token, "End a block.", |x, _| block(x, false)),
        Route::new(
            (User, Method::GET, "/search"),
            Auth::Optional,
            "People by name, skills, work and what they say of themselves, best first.",
            search,
        )
        .params(SEARCH)
        .class(Class::Search)
        .fast(search_now),
        Route::new((User, Method::GET, "/blocks"), Auth::Token, "Whom one blocks, newest first.", blocks).params(PAGE),
    ]
}

const SEARCH: &[&str] = &["q", "skill", "location", "limit", "cursor"];

/// The list that the query string asks for; `None` if nobody can fit.
fn asked(params: &Params<'_>) -> Result<Option<(Key, Query)>, Refusal> {
    let page = params.page(List::People)?;
    let search = Search::new(params.text("q"), params.text("skill"), params.text("location"), page);
    Ok(search.map(|search| (Key::new(Kind::PeopleList, family::PEOPLE), Query::People(search))))
}

fn search_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    // Whoever says who they are may see less: that is the handler's.
    if session::is_shown(glance.headers, &glance.edge.options) {
        return None;
    }
    let of = asked(&Params::parse(glance.query, SEARCH).ok()?).ok()??;
    let rows = read::now(glance.client, |sight| read::list(sight, ANYONE, of.clone(), Kind::User))?;
    Some(respond::rows(glance.headers, List::People, &rows, Caching::Shared))
}

async fn search(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let viewer = exchange.viewer();
    let caching = if viewer.user.is_some() { Caching::Private } else { Caching::Shared };
    let found = match asked(&exchange.params()?)? {
        Some(of) => read::complete(exchange.client(), &exchange.call(), |sight| read::list(sight, viewer, of.clone(), Kind::User)).await?,
        None => read::Rows::default(),
    };
    Ok(respond::rows(&exchange.headers, List::People, &found, caching))
}

async fn block(exchange: Arc<Exchange>, add: bool) -> Answered {
    let other = UserId(first(&exchange));
    let command = if add { follow::Command::Block(other) } else { follow::Command::Unblock(other) };
    let key = Key::new(Kind::Follows, exchange.user()?);
    Ok(respond::reply(exchange.client().write(&exchange.call(), key, Command::Follows(command)).await?))
}

async fn blocks(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let query = Query::Blocked(exchange.params()?.page(List::Blocks)?);
    // As anyone sees them: to the viewer these people are hidden everywhere else.
    people(&exchange, ANYONE, List::Blocks, Key::new(Kind::Follows, exchange.user()?), query).await
}
