//! The user service: flags, moderators' queue, decisions and appeals.

use super::{Answered, PAGE, first};
use crate::{
    Edge,
    cursor::{List, refused},
    exchange::{Exchange, read_json},
    respond,
    route::{Auth, Route, Service::User},
};
use actors::{
    Snapshot,
    entity::family,
    read::{self, case::CaseRow},
    visibility::moderates,
};
use bytes::{BufMut, Bytes, BytesMut};
use http::{Method, StatusCode};
use protocol::{
    Command, CommentId, ErrorCode, Fact, Key, Kind, MediaId, PostId, ProductId, Query, Refusal, ReviewId, Role, Timestamp, UserId, View,
    audit::{Entry, action},
    moderation::{self, NewAppeal, NewDecision, NewFlag, Status, Target, TargetType},
    user::may_set_active,
};
use std::sync::Arc;
use uuid::Uuid;

/// The service's routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new((User, Method::POST, "/moderation/flags"), Auth::Token, "Flag something that the caller may see.", flag),
        Route::new(
            (User, Method::GET, "/moderation/queue"),
            Auth::Rank(Role::Moderator),
            "Cases with what they are about: open ones first, by flags and age.",
            queue,
        )
        .params(&["status", "limit", "cursor"]),
        Route::new((User, Method::GET, "/moderation/mine"), Auth::Token, "Cases about what is one's own, newest first.", mine).params(PAGE),
        Route::new(
            (User, Method::GET, "/moderation/cases/:id"),
            Auth::Token,
            "A case: for moderators, and for whom it is about.",
            read_case,
        ),
        Route::new(
            (User, Method::POST, "/moderation/cases/:id/decision"),
            Auth::Rank(Role::Moderator),
            "Hide, restore or dismiss. A rank above the author's only.",
            decide,
        ),
        Route::new(
            (User, Method::POST, "/moderation/cases/:id/appeal"),
            Auth::Token,
            "Say why what is hidden should be shown. Its author only, once a hiding.",
            appeal,
        ),
    ]
}

async fn flag(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let new: NewFlag = read_json(&body)?;
    new.validate()?;
    let (target, author) = seen(&exchange, new.target_type, new.target_id).await?;
    let command = moderation::Command::Flag { target, author, reason: new.reason, note: new.note };
    let reply = exchange.client().write(&exchange.create(&body)?, Key::new(Kind::Case, target.id()), Command::Case(command)).await?;
    Ok(respond::reply(reply))
}

/// What the caller flags, if they may see it, and who is behind it.
async fn seen(exchange: &Exchange, target_type: TargetType, id: Uuid) -> Result<(Target, UserId), Refusal> {
    let target = match target_type {
        TargetType::Post => Target::Post(PostId(id)),
        TargetType::Product => Target::Product(ProductId(id)),
        TargetType::User => Target::User(UserId(id)),
        TargetType::Review => Target::Review(ReviewId(id)),
        TargetType::File => Target::File(MediaId(id)),
        TargetType::Comment => {
            let node = exchange.client().node();
            let place = node.directory.comment(&node.stores, CommentId(id)).await.map_err(|error| actors::refusal_of(&error))?;
            Target::Comment(CommentId(id), place.ok_or(ErrorCode::NotFound)?.0)
        }
    };
    let (viewer, call) = (exchange.viewer(), exchange.call());
    let found = read::complete(exchange.client(), &call, |sight| match (target, target.part()) {
        (Target::Comment(_, post), Some(part)) => read::case::comment(sight, viewer, post, part),
        _ => read::one(sight, viewer, target.key()),
    });
    let author = found.await?.and_then(|seen| seen.view.fact.by()).ok_or(ErrorCode::NotFound)?;
    Ok((target, author))
}

async fn queue(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let status = match exchange.params()?.text("status") {
        None => None,
        Some(word) => Some(word.parse().map_err(|_| refused("status takes open, hidden, restored or dismissed".to_owned()))?),
    };
    // Each has its own cursors: a place among the open cases says nothing of one among the hidden.
    let list = match status {
        None => List::Cases,
        Some(Status::Open) => List::OpenCases,
        Some(Status::Hidden) => List::HiddenCases,
        Some(Status::Restored) => List::RestoredCases,
        Some(Status::Dismissed) => List::DismissedCases,
    };
    cases(&exchange, list, family::CASES, status).await
}

async fn mine(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let user = exchange.user()?;
    cases(&exchange, List::OwnCases, user.0, None).await
}

/// A page of cases; they are not to be kept by anybody.
async fn cases(exchange: &Exchange, list: List, of: Uuid, status: Option<Status>) -> Answered {
    let query = Query::Cases(status, exchange.params()?.page(list)?);
    let of = (Key::new(Kind::CaseList, of), query);
    let found = read::complete(exchange.client(), &exchange.call(), |sight| read::case::cases(sight, of.clone())).await?;
    let rows: Vec<_> = found.rows.iter().map(|row| rendered(&exchange.edge, row, (None, false))).collect();
    Ok(respond::objects(list, &rows, found.next))
}

async fn read_case(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let (key, call) = (Key::new(Kind::Case, first(&exchange)), exchange.call());
    let found = read::complete(exchange.client(), &call, |sight| read::case::case(sight, key)).await?;
    let row = known(&exchange, found)?;
    // Who flagged what is one's own one does not learn, not even as a moderator.
    let (record, looks) = match is_about(&row.0, exchange.user()?) {
        true => (None, true),
        false => (Some(exchange.client().query(&call, key, Query::CaseRecord).await?), looks(&exchange, &row).await?),
    };
    Ok(respond::json(StatusCode::OK, rendered(&exchange.edge, &row, (record.as_deref(), looks))))
}

/// Whether the caller, who is a moderator, is shown where the bytes of a file are that is not for everybody: if they may decide on it, and there is something
/// to decide. It is in the audit log before they are.
async fn looks(exchange: &Exchange, (case, target): &CaseRow) -> Result<bool, Refusal> {
    #[derive(serde::Deserialize)]
    struct Standing {
        status: Status,
    }
    let is_closed = |file: &Arc<Snapshot>| matches!(&file.view.fact, Fact::File(place) if !place.is_open);
    let Fact::Case { target: Target::File(file), author } = case.view.fact else { return Ok(false) };
    let Standing { status } = serde_json::from_slice(&case.view.body).map_err(|_| ErrorCode::Internal)?;
    if !target.as_ref().is_some_and(is_closed) || !matches!(status, Status::Open | Status::Hidden) {
        return Ok(false);
    }
    if may_set_active(&exchange.principal, author, rank(exchange, author).await?).is_err() {
        return Ok(false);
    }
    let target = (TargetType::File.name(), file.0);
    let entry = Entry::new(Some(exchange.user()?), action::LOOK_AT_FILE, target, Timestamp::now()).from(Some(exchange.address));
    let noted = tokio::time::timeout_at(exchange.call().deadline.into(), exchange.client().node().stores.users.note(entry));
    noted.await.map_err(|_| ErrorCode::Unavailable)?.map_err(|error| actors::refusal_of(&error))?;
    Ok(true)
}

/// A case that the caller may know of: as a moderator, or because it is about what is theirs.
fn known(exchange: &Exchange, case: Option<CaseRow>) -> Result<CaseRow, Refusal> {
    let user = exchange.user()?;
    case.filter(|(case, _)| moderates(&exchange.principal) || is_about(case, user)).ok_or_else(|| ErrorCode::NotFound.into())
}

fn is_about(case: &Snapshot, user: UserId) -> bool {
    matches!(case.view.fact, Fact::Case { author, .. } if author == user)
}

/// A case with what it is about as `target`, and with its record for those who may see that. `looks` says that they also see where a file is that is not for
/// everybody.
fn rendered(edge: &Edge, (case, target): &CaseRow, (record, looks): (Option<&Snapshot>, bool)) -> Bytes {
    let target = match target.as_ref().map(|target| &target.view) {
        Some(View { fact: Fact::File(place), body, .. }) if place.is_open || looks => {
            edge.addresses.complete(body, place, Timestamp::now())
        }
        Some(view) => view.body.clone(),
        None => Bytes::from_static(b"null"),
    };
    let (case, record) = (&case.view.body, record.map_or(&b"{}"[..], |record| &record.view.body));
    let mut body = BytesMut::with_capacity(case.len() + record.len() + target.len() + 16);
    // Both are objects that the platform wrote: a case has fields, and so has a record.
    body.put_slice(&case[..case.len() - 1]);
    if record.len() > 2 {
        body.put_u8(b',');
        body.put_slice(&record[1..record.len() - 1]);
    }
    body.put_slice(b",\"target\":");
    body.put_slice(&target);
    body.put_u8(b'}');
    body.freeze()
}

async fn decide(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let decision: NewDecision = read_json(&body)?;
    decision.validate()?;
    let (key, call) = (Key::new(Kind::Case, first(&exchange)), exchange.change()?);
    let case = exchange.client().view(&call, key).await?;
    let Fact::Case { author, .. } = case.view.fact else { return Err(ErrorCode::NotFound.into()) };
    let author_rank = rank(&exchange, author).await?;
    let command = moderation::Command::Decide { decision, author_rank, from: Some(exchange.address) };
    Ok(respond::reply(exchange.client().write(&call, key, Command::Case(command)).await?))
}

/// A person's rank, as of now, also if they are banned; whoever is not there any more has none.
async fn rank(exchange: &Exchange, person: UserId) -> Result<Role, Refusal> {
    #[derive(serde::Deserialize)]
    struct Ranked {
        role: Role,
    }
    match exchange.client().view(&exchange.call(), Key::new(Kind::User, person)).await {
        Ok(person) => serde_json::from_slice(&person.view.body).map(|ranked: Ranked| ranked.role).map_err(|_| ErrorCode::Internal.into()),
        Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(Role::User),
        Err(refusal) => Err(refusal),
    }
}

async fn appeal(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let new: NewAppeal = read_json(&body)?;
    new.validate()?;
    let (key, call) = (Key::new(Kind::Case, first(&exchange)), exchange.create(&body)?);
    // Whoever may not know of the case learns nothing but that: 404 before 403.
    let case = exchange.client().view(&call, key).await?;
    known(&exchange, Some((case, None)))?;
    Ok(respond::reply(exchange.client().write(&call, key, Command::Case(moderation::Command::Appeal(new))).await?))
}
