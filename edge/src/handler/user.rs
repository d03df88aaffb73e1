//! The user service: profiles, skills, follows.

use super::{Answered, PAGE, first, people, person};
use crate::{
    cursor::List,
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Glance, Route, Service::User},
};
use bytes::Bytes;
use http::{Method, Response};
use protocol::{Audience, Command, ErrorCode, Fact, Key, Kind, Query, SkillId, UserId, follow, user};
use std::sync::Arc;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new((User, Method::GET, "/profile/:userId"), Auth::Open, "A person, as everyone sees them.", profile)
            .params(&["via"])
            .fast(profile_now),
        Route::new((User, Method::PUT, "/profile/:userId"), Auth::Subject, "Change the fields present.", update),
        Route::new((User, Method::GET, "/users/:userId/skills"), Auth::Open, "A person's skills.", skills),
        Route::new((User, Method::POST, "/users/:userId/skills"), Auth::Subject, "Add a skill.", add_skill),
        Route::new((User, Method::DELETE, "/skills/:id"), Auth::Token, "Remove a skill.", remove_skill),
        Route::new((User, Method::POST, "/skills/:id/endorse"), Auth::Token, "Vouch for a skill.", |x, _| endorse(x, true)).bodiless(),
        Route::new((User, Method::DELETE, "/skills/:id/endorse"), Auth::Token, "Take that back.", |x, _| endorse(x, false)),
        Route::new((User, Method::GET, "/skills/:id/endorsements"), Auth::Token, "Who vouches for a skill.", endorsements).params(PAGE),
        Route::new((User, Method::GET, "/users/:userId/follow"), Auth::Token, "Whether one follows a person.", |x, _| follows(x)),
        Route::new((User, Method::PUT, "/users/:userId/follow"), Auth::Token, "Follow a person.", |x, _| follow(x, true)).bodiless(),
        Route::new((User, Method::DELETE, "/users/:userId/follow"), Auth::Token, "Stop following.", |x, _| follow(x, false)),
        Route::new((User, Method::GET, "/users/:userId/followers"), Auth::Token, "Who follows a person.", |x, _| related(x, true))
            .params(PAGE),
        Route::new((User, Method::GET, "/users/:userId/following"), Auth::Token, "Whom a person follows.", |x, _| related(x, false))
            .params(PAGE),
    ]
}

fn profile_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let person = glance.client.peek(&Key::new(Kind::User, *glance.ids.first()?))?;
    let seen = person.view.audience == Audience::Everyone && glance.query.is_empty();
    seen.then(|| respond::view(glance.headers, &person, Caching::Shared))
}

async fn profile(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let key = Key::new(Kind::User, first(&exchange));
    let person = match exchange.params()?.text("via") {
        None => exchange.client().view(&exchange.call(), key).await?,
        // For probes and comparisons: through the owner's mailbox, though the snapshot says the same.
        Some("owner") => exchange.client().view_by_owner(&exchange.call(), key).await?,
        Some(_) => return Err(crate::cursor::refused("via takes owner".to_owned())),
    };
    if person.view.audience != Audience::Everyone {
        return Err(ErrorCode::NotFound.into());
    }
    Ok(respond::view(&exchange.headers, &person, Caching::Shared))
}

async fn update(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let update: user::Update = read_json(&body)?;
    let key = Key::new(Kind::User, first(&exchange));
    let command = Command::User(user::Command::Update(Box::new(update)));
    Ok(respond::reply(exchange.client().write(&exchange.change()?, key, command).await?))
}

async fn skills(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let skills = exchange.client().query(&exchange.call(), Key::new(Kind::User, first(&exchange)), Query::Skills).await?;
    Ok(respond::array(&exchange.headers, None, &skills, Caching::Shared))
}

async fn add_skill(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let key = Key::new(Kind::User, first(&exchange));
    let command = Command::User(user::Command::AddSkill(read_json(&body)?));
    Ok(respond::reply(exchange.client().write(&exchange.create(&body)?, key, command).await?))
}

/// The person whose skill the path names.
async fn skilled(exchange: &Exchange) -> Result<(SkillId, Key), protocol::Refusal> {
    let (id, node) = (SkillId(first(exchange)), exchange.client().node());
    let owner = node.directory.skill(&node.stores, id).await.map_err(|error| actors::refusal_of(&error))?;
    Ok((id, Key::new(Kind::User, owner.ok_or(ErrorCode::NotFound)?)))
}

async fn remove_skill(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let (id, key) = skilled(&exchange).await?;
    Ok(respond::reply(exchange.client().write(&exchange.change()?, key, Command::User(user::Command::RemoveSkill(id))).await?))
}

async fn endorse(exchange: Arc<Exchange>, add: bool) -> Answered {
    let (id, key) = skilled(&exchange).await?;
    // Taking back is always open: also where there is a block by now.
    if add {
        person(&exchange, UserId(key.id)).await?;
    }
    let command = if add { user::Command::Endorse(id) } else { user::Command::Unendorse(id) };
    Ok(respond::reply(exchange.client().write(&exchange.call(), key, Command::User(command)).await?))
}

async fn endorsements(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let page = exchange.params()?.page(List::Endorsements)?;
    let (id, key) = skilled(&exchange).await?;
    person(&exchange, UserId(key.id)).await?;
    people(&exchange, exchange.viewer(), List::Endorsements, key, Query::Endorsements(id, page)).await
}

async fn follow(exchange: Arc<Exchange>, add: bool) -> Answered {
    let followee = UserId(first(&exchange));
    if add {
        person(&exchange, followee).await?;
    }
    let command = if add { follow::Command::Follow(followee) } else { follow::Command::Unfollow(followee) };
    let key = Key::new(Kind::Follows, exchange.user()?);
    Ok(respond::reply(exchange.client().write(&exchange.call(), key, Command::Follows(command)).await?))
}

/// Of the caller's own relations, as their owner last published them: whoever just followed somebody is told so.
async fn follows(exchange: Arc<Exchange>) -> Answered {
    let user_id = person(&exchange, UserId(first(&exchange))).await?;
    let own = exchange.client().view(&exchange.call(), Key::new(Kind::Follows, exchange.user()?)).await?;
    let following = matches!(&own.view.fact, Fact::Follows(relations) if relations.follows(user_id));
    let standing = serde_json::to_vec(&follow::Standing { user_id, following }).map_err(|_| ErrorCode::Internal)?;
    Ok(respond::composed(&exchange.headers, standing.into(), Caching::Private))
}

async fn related(exchange: Arc<Exchange>, followers: bool) -> Answered {
    let list = if followers { List::Followers } else { List::Following };
    let page = exchange.params()?.page(list)?;
    let query = if followers { Query::Followers(page) } else { Query::Following(page) };
    // Somebody unknown has no relations, but is not told apart by an empty list.
    let of = person(&exchange, UserId(first(&exchange))).await?;
    people(&exchange, exchange.viewer(), list, Key::new(Kind::Follows, of), query).await
}
