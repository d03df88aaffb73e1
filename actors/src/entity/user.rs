//! People: profile and skills.

use super::{Asked, Decision, Entity, Plan, QueryError, family, heard, json, touch, touch_found};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, Outcome, Query, Refusal, Reply, Role, SkillId, UserId, View,
    audit::{Entry, action},
    found::FoundBy,
    moderation::Verdict,
    people::{Document, strength},
    user::{self, NewSkill, NewUser, Profile, SKILLS_MAX, SetActive, Skill},
};
use std::{net::IpAddr, sync::Arc};
use store::{Expect, StoreError, Touch, UsersWrite, Write};
use uuid::Uuid;

/// The owner of people.
pub struct User;

/// What the public view of a person leaves out: email address, phone number, date of birth.
type Secrets = (String, Option<String>, Option<String>);

impl Entity for User {
    const KIND: Kind = Kind::User;
    type State = user::User;
    type Command = user::Command;

    fn command(command: Command) -> Option<user::Command> {
        if let Command::User(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<user::User>, StoreError> {
        node.stores.users.user(UserId(id)).await
    }

    fn version(state: &user::User) -> u64 {
        state.version
    }

    fn view(state: &user::User) -> View {
        let audience = if state.is_active { Audience::Everyone } else { Audience::Gone };
        View { version: state.version, audience, body: json(&state.public()), fact: Fact::By(state.id) }
    }

    /// The public view is most of a person.
    fn pack(state: &user::User) -> Option<Box<[u8]>> {
        let secrets: Secrets = (state.email.clone(), state.profile.phone_number.clone(), state.profile.date_of_birth.clone());
        Some(postcard::to_stdvec(&secrets).expect("texts serialise").into())
    }

    fn unpack(body: &[u8], packed: &[u8]) -> Option<user::User> {
        let (email, phone_number, date_of_birth): Secrets = postcard::from_bytes(packed).ok()?;
        let public: user::User = serde_json::from_slice(body).ok()?;
        Some(user::User { email, profile: Profile { phone_number, date_of_birth, ..public.profile }, ..public })
    }

    async fn query(node: &Arc<Node>, _: Uuid, state: Arc<user::User>, query: Query) -> Result<View, QueryError> {
        let version = state.version;
        if !state.is_active && query != Query::Me {
            return Err(QueryError::Refused(ErrorCode::NotFound.into()));
        }
        Ok(match query {
            Query::Me => View { version, audience: Audience::Only(state.id), body: json(&*state), fact: Fact::None },
            Query::Skills => {
                let fact = Fact::Rows { next: None, total: Some(state.skills.len() as u64) };
                View { version, audience: Audience::Everyone, body: json(&state.skills), fact }
            }
            Query::Endorsements(skill, page) => {
                let known = state.skills.iter().find(|s| s.id == skill).ok_or_else(|| QueryError::Refused(ErrorCode::NotFound.into()))?;
                let total = Some(u64::from(known.endorsements));
                let found = node.stores.users.endorsers(skill, page).await?;
                let fact = Fact::Ids { ids: found.ids, next: found.next, total };
                View { version, audience: Audience::Everyone, body: bytes::Bytes::new(), fact }
            }
            _ => return Err(QueryError::unknown()),
        })
    }

    fn decide(state: Option<&user::User>, asked: &Asked, command: user::Command) -> Result<Decision<user::User>, Refusal> {
        // What is asked of people who are not there yet, or who may be banned.
        let command = match command {
            user::Command::Register(new) => return register(state, asked, *new),
            user::Command::SetRole { role, from } => return set_role(still_here(state)?, asked, role, from),
            user::Command::SetActive { change, from } => return set_active(still_here(state)?, asked, change, from),
            user::Command::Moderate(verdict) => return moderate(still_here(state)?, asked, verdict),
            other => other,
        };
        let state = state.filter(|s| s.is_active).ok_or(ErrorCode::NotFound)?;
        match command {
            user::Command::Leave { from } => leave(state, asked, from),
            user::Command::Register(_) | user::Command::SetRole { .. } | user::Command::SetActive { .. } | user::Command::Moderate(_) => {
                Err(ErrorCode::BadFrame.into())
            }
            user::Command::Update(update) => {
                asked.only(state.id)?;
                update.validate()?;
                let mut next = next(state, asked);
                update.apply(&mut next);
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: json(&next) };
                Ok(plan(UsersWrite::Save(Box::new(next.clone())), listed(state, &next), next, reply))
            }
            user::Command::AddSkill(new) => add_skill(state, asked, new),
            user::Command::RemoveSkill(id) => {
                asked.only(state.id)?;
                let mut next = next(state, asked);
                next.skills.retain(|s| s.id != id);
                if next.skills.len() == state.skills.len() {
                    return Err(ErrorCode::NotFound.into());
                }
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: bytes::Bytes::new() };
                Ok(plan(UsersWrite::RemoveSkill(Box::new(next.clone()), id), listed(state, &next), next, reply))
            }
            user::Command::Endorse(id) => endorse(state, asked, id, true),
            user::Command::Unendorse(id) => endorse(state, asked, id, false),
        }
    }
}

fn next(state: &user::User, asked: &Asked) -> user::User {
    user::User { version: state.version + 1, updated_at: asked.now, ..state.clone() }
}

fn plan(write: UsersWrite, touches: Vec<Touch>, next: user::User, reply: Reply) -> Decision<user::User> {
    Plan { write: Write::Users(write), expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into()
}

/// Lists of people move when somebody is found by other words, or at another place.
fn listed(before: &user::User, after: &user::User) -> Vec<Touch> {
    let documents = [before, after].map(Document::of);
    let is_same = strength(before) == strength(after) && documents[0] == documents[1];
    if is_same { Vec::new() } else { vec![by_documents(&documents)] }
}

fn found(before: Option<&user::User>, after: &user::User) -> Touch {
    by_documents(&[before.and_then(Document::of), Document::of(after)])
}

fn by_documents(documents: &[Option<Document>]) -> Touch {
    touch_found(Kind::PeopleList, family::PEOPLE, FoundBy::of_people(documents.iter().flatten()))
}

fn register(state: Option<&user::User>, asked: &Asked, new: NewUser) -> Result<Decision<user::User>, Refusal> {
    if state.is_some() {
        return Err(ErrorCode::Conflict.into());
    }
    let NewUser { username, email, first_name, last_name, password_hash, session, device } = new;
    let user = user::User {
        id: UserId(asked.id),
        username,
        email,
        first_name,
        last_name,
        bio: None,
        avatar: None,
        role: Role::User,
        is_active: true,
        profile: Profile::default(),
        skills: Vec::new(),
        created_at: asked.now,
        updated_at: asked.now,
        version: 1,
    };
    let reply = Reply { outcome: Outcome::Created, version: 1, body: json(&user) };
    let touches = vec![found(None, &user)];
    Ok(plan(UsersWrite::Register { user: Box::new(user.clone()), password_hash, session, device }, touches, user, reply))
}

fn add_skill(state: &user::User, asked: &Asked, new: NewSkill) -> Result<Decision<user::User>, Refusal> {
    asked.only(state.id)?;
    new.validate()?;
    if state.skills.len() >= SKILLS_MAX {
        return Err(Refusal::new(ErrorCode::LimitReached, format!("a person lists at most {SKILLS_MAX} skills")));
    }
    if state.skills.iter().any(|s| s.name.to_lowercase() == new.name.to_lowercase()) {
        return Err(Refusal::new(ErrorCode::Conflict, "this skill is listed already"));
    }
    let skill = Skill { id: SkillId::new(), name: new.name, level: new.level, endorsements: 0, created_at: asked.now };
    let mut next = next(state, asked);
    next.skills.push(skill.clone());
    let reply = Reply { outcome: Outcome::Created, version: next.version, body: json(&skill) };
    Ok(plan(UsersWrite::AddSkill(Box::new(next.clone()), skill), listed(state, &next), next, reply))
}

/// Whether the endorsement is there already only the store knows: it refuses what changes nothing.
fn endorse(state: &user::User, asked: &Asked, id: SkillId, add: bool) -> Result<Decision<user::User>, Refusal> {
    let by = asked.user()?;
    if by == state.id {
        return Err(Refusal::new(ErrorCode::Forbidden, "nobody endorses their own skill"));
    }
    let mut next = next(state, asked);
    let skill = next.skills.iter_mut().find(|s| s.id == id).ok_or(ErrorCode::NotFound)?;
    let unchanged = Reply { outcome: Outcome::Done, version: state.version, body: json(skill) };
    skill.endorsements = if add { skill.endorsements + 1 } else { skill.endorsements.saturating_sub(1) };
    let reply = Reply { outcome: if add { Outcome::Created } else { Outcome::Done }, version: next.version, body: json(skill) };
    let write = UsersWrite::Endorse { user: Box::new(next.clone()), skill: id, by, add, at: asked.now };
    let touches = listed(state, &next);
    Ok(Plan { write: Write::Users(write), expect: Expect::Row, touches, next: Some(next), reply, unchanged: Some(unchanged) }.into())
}

/// A deed of somebody else's: it is logged, and its doer sees of the person what everyone does. It is carried out also where nothing changes: an
/// earlier one may not have reached everybody yet.
fn deed(write: fn(Box<user::User>) -> UsersWrite, next: user::User, touches: Vec<Touch>) -> Decision<user::User> {
    let reply = Reply { outcome: Outcome::Done, version: next.version, body: json(&next.public()) };
    let write = Write::Users(write(Box::new(next.clone())));
    Plan { write, expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into()
}

/// Somebody who may be banned, but did not leave.
fn still_here(state: Option<&user::User>) -> Result<&user::User, Refusal> {
    state.filter(|state| !state.is_departed()).ok_or_else(|| ErrorCode::NotFound.into())
}

/// All that is theirs in this database goes in one transaction; the rest follows by an errand, and is seen by nobody meanwhile.
fn leave(state: &user::User, asked: &Asked, from: Option<IpAddr>) -> Result<Decision<user::User>, Refusal> {
    asked.only(state.id)?;
    let next = state.departed(asked.now);
    let entry = Entry::new(Some(state.id), action::LEAVE, ("user", state.id.0), asked.now).from(from);
    let list = found(Some(state), &next);
    let touches = vec![touch(Kind::Account, state.id), list, Touch::Standing(state.id), Touch::Audit(Box::new(entry))];
    let reply = Reply { outcome: Outcome::Done, version: next.version, body: bytes::Bytes::new() };
    let write = Write::Users(UsersWrite::Depart(Box::new(next.clone())));
    Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into())
}

fn set_role(state: &user::User, asked: &Asked, role: Role, from: Option<IpAddr>) -> Result<Decision<user::User>, Refusal> {
    user::may_set_role(&asked.principal, state.id, state.role, role)?;
    let entry = Entry::new(asked.principal.user(), action::SET_ROLE, ("user", state.id.0), asked.now)
        .with("from", state.role.name())
        .with("to", role.name())
        .from(from);
    // The account's owner tells edges the role of each session.
    let touches = vec![touch(Kind::Account, state.id), Touch::Audit(Box::new(entry))];
    Ok(deed(UsersWrite::Save, user::User { role, ..next(state, asked) }, touches))
}

fn set_active(state: &user::User, asked: &Asked, change: SetActive, from: Option<IpAddr>) -> Result<Decision<user::User>, Refusal> {
    user::may_set_active(&asked.principal, state.id, state.role)?;
    change.validate()?;
    let SetActive { is_active, reason } = change;
    let action = if is_active { action::UNBAN } else { action::BAN };
    let entry = Entry::new(asked.principal.user(), action, ("user", state.id.0), asked.now).from(from);
    let entry = reason.into_iter().fold(entry, |entry, reason| entry.with("reason", reason));
    let next = user::User { is_active, ..next(state, asked) };
    let list = found(Some(state), &next);
    let touches = vec![touch(Kind::Account, state.id), list, Touch::Standing(state.id), Touch::Audit(Box::new(entry))];
    let write = if is_active { UsersWrite::Save } else { UsersWrite::Suspend };
    Ok(deed(write, next, touches))
}

/// A ban, or its end, by a case. That logged it.
fn moderate(state: &user::User, asked: &Asked, verdict: Verdict) -> Result<Decision<user::User>, Refusal> {
    asked.only_platform()?;
    let next = user::User { is_active: !verdict.hidden, ..next(state, asked) };
    let touches = vec![touch(Kind::Account, state.id), found(Some(state), &next), Touch::Standing(state.id)];
    let write = Write::Users(UsersWrite::Moderate(Box::new(next.clone()), verdict));
    Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply: heard(), unchanged: Some(heard()) }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::{Principal, Timestamp, account::Session};

    fn asked(id: Uuid, by: Option<UserId>) -> Asked {
        let principal = by.map_or(Principal::Anonymous, |id| Principal::User { id, role: Role::User });
        Asked { id, principal, now: Timestamp(1_700_000_000_000), quota: protocol::file::Quota::NONE }
    }

    fn person() -> user::User {
        let id = Uuid::now_v7();
        let session = Session { token_hash: [0; 32], expires_at: Timestamp(0), created_at: Timestamp(0) };
        let new = NewUser {
            username: "ada".into(),
            email: "ada@example.org".into(),
            first_name: None,
            last_name: None,
            password_hash: "hash".into(),
            session,
            device: Default::default(),
        };
        committed(User::decide(None, &asked(id, None), user::Command::Register(Box::new(new)))).0
    }

    fn committed(decision: Result<Decision<user::User>, Refusal>) -> (user::User, Reply) {
        match decision.expect("accepted") {
            Decision::Commit(plan) => (plan.next.expect("a next state"), plan.reply),
            Decision::Answer(_) => panic!("a write was expected"),
        }
    }

    fn refused(decision: Result<Decision<user::User>, Refusal>) -> ErrorCode {
        decision.err().expect("a refusal").code
    }

    #[test]
    fn a_profile_is_changed_by_its_person_only() {
        let ada = person();
        let update = |by| User::decide(Some(&ada), &asked(ada.id.0, by), user::Command::Update(Box::default()));
        assert_eq!(refused(update(None)), ErrorCode::Unauthenticated);
        assert_eq!(refused(update(Some(UserId::new()))), ErrorCode::Forbidden);
        assert_eq!(committed(update(Some(ada.id))).0.version, 2);
    }

    proptest! {
        #[test]
        fn a_packed_person_is_the_same_person(
            texts in prop::collection::vec(prop::option::of(".{0,40}"), 12),
            (active, version, at) in (any::<bool>(), 1..u64::MAX, 0..4_000_000_000_000i64),
            skills in prop::collection::vec((".{1,20}", any::<u32>()), 0..4),
            links in prop::collection::btree_map(".{1,9}", ".{0,20}", 0..3),
        ) {
            let text = |n: usize| texts[n].clone();
            let skill = |(name, endorsements)| Skill { id: SkillId::new(), name, level: user::Level::Expert, endorsements, created_at: Timestamp(at) };
            let profile = Profile {
                phone_number: text(0),
                date_of_birth: text(1),
                location: text(2),
                website: text(3),
                company: text(4),
                job_title: text(5),
                interests: texts.iter().flatten().cloned().collect(),
                social_links: links,
            };
            let ada = user::User {
                username: text(6).unwrap_or_default(),
                email: text(7).unwrap_or_default(),
                first_name: text(8),
                last_name: text(9),
                bio: text(10),
                avatar: text(11),
                is_active: active,
                profile,
                skills: skills.into_iter().map(skill).collect(),
                updated_at: Timestamp(at),
                version,
                ..person()
            };
            let packed = User::pack(&ada).expect("people are packed");
            prop_assert_eq!(User::unpack(&User::view(&ada).body, &packed), Some(ada));
        }
    }

    #[test]
    fn the_published_view_never_holds_what_only_the_person_may_see() {
        let mut ada = person();
        ada.profile.phone_number = Some("+44 20".into());
        ada.profile.date_of_birth = Some("1815-12-10".into());
        let body = String::from_utf8(User::view(&ada).body.to_vec()).expect("text");
        for secret in ["ada@example.org", "+44 20", "1815-12-10", "email", "phoneNumber", "dateOfBirth"] {
            assert!(!body.contains(secret), "{secret} in {body}");
        }
    }

    #[test]
    fn skills_are_unique_without_regard_to_case_and_limited() {
        let ada = person();
        let add = |state: &user::User, name: &str| {
            let new = NewSkill { name: name.into(), level: user::Level::Expert };
            User::decide(Some(state), &asked(ada.id.0, Some(ada.id)), user::Command::AddSkill(new))
        };
        let (mut with, _) = committed(add(&ada, "Rust"));
        assert_eq!(refused(add(&with, "rUST")), ErrorCode::Conflict);
        while with.skills.len() < SKILLS_MAX {
            with = committed(add(&with, &format!("skill {}", with.skills.len()))).0;
        }
        assert_eq!(refused(add(&with, "one more")), ErrorCode::LimitReached);
    }

    #[test]
    fn ranks_are_given_and_taken_from_above_only() {
        let target = person();
        let roles = [Role::User, Role::Moderator, Role::Admin];
        for (by, of, to) in roles.into_iter().flat_map(|by| roles.into_iter().flat_map(move |of| roles.map(move |to| (by, of, to)))) {
            let state = user::User { role: of, ..target.clone() };
            let asked = |id| Asked { principal: Principal::User { id, role: by }, ..asked(target.id.0, None) };
            let set_role = |id| User::decide(Some(&state), &asked(id), user::Command::SetRole { role: to, from: None });
            let ban = |id| {
                let change = SetActive { is_active: false, reason: None };
                User::decide(Some(&state), &asked(id), user::Command::SetActive { change, from: None })
            };
            let may_set_role = by == Role::Admin && of < Role::Admin && to < Role::Admin;
            assert_eq!(set_role(UserId::new()).is_ok(), may_set_role, "{by:?} makes a {of:?} a {to:?}");
            assert_eq!(ban(UserId::new()).is_ok(), by > of, "{by:?} bans a {of:?}");
            assert_eq!(refused(set_role(target.id)), ErrorCode::Forbidden);
            assert_eq!(refused(ban(target.id)), ErrorCode::Forbidden);
        }
        let platform = Asked { principal: Principal::Platform, ..asked(target.id.0, None) };
        let (admin, reply) = committed(User::decide(Some(&target), &platform, user::Command::SetRole { role: Role::Admin, from: None }));
        assert_eq!(admin.role, Role::Admin);
        assert!(!String::from_utf8_lossy(&reply.body).contains("@example.org"), "whoever did it sees what everyone does");
    }

    #[test]
    fn somebody_banned_is_nobody_to_ask_anything_of() {
        let banned = user::User { is_active: false, ..person() };
        let update = User::decide(Some(&banned), &asked(banned.id.0, Some(banned.id)), user::Command::Update(Box::default()));
        assert_eq!(refused(update), ErrorCode::NotFound);
        assert_eq!(User::view(&banned).audience, Audience::Gone);
    }

    #[test]
    fn nobody_endorses_themselves() {
        let ada = person();
        let new = NewSkill { name: "analysis".into(), level: user::Level::Expert };
        let (ada, _) = committed(User::decide(Some(&ada), &asked(ada.id.0, Some(ada.id)), user::Command::AddSkill(new)));
        let skill = ada.skills[0].id;
        let endorse = |by| User::decide(Some(&ada), &asked(ada.id.0, Some(by)), user::Command::Endorse(skill));
        assert_eq!(refused(endorse(ada.id)), ErrorCode::Forbidden);
        assert_eq!(committed(endorse(UserId::new())).0.skills[0].endorsements, 1);
    }

    #[test]
    fn who_left_is_nobody_and_does_not_come_back() {
        let mut ada = person();
        ada.profile.phone_number = Some("+44 20".into());
        let leave = |by| User::decide(Some(&ada), &asked(ada.id.0, by), user::Command::Leave { from: None });
        assert_eq!(refused(leave(Some(UserId::new()))), ErrorCode::Forbidden);
        let (gone, _) = committed(leave(Some(ada.id)));
        // Their id stays, and may have the letters of their name by chance.
        let left = serde_json::to_string(&gone).expect("JSON").replace(&ada.id.to_string(), "").replace(&ada.id.0.simple().to_string(), "");
        assert!(!left.contains("ada") && !left.contains("+44") && gone.is_departed() && !gone.is_active, "{left}");
        let platform = Asked { principal: Principal::Platform, ..asked(ada.id.0, None) };
        let back = user::Command::SetActive { change: SetActive { is_active: true, reason: None }, from: None };
        assert_eq!(refused(User::decide(Some(&gone), &platform, back)), ErrorCode::NotFound);
    }
}
