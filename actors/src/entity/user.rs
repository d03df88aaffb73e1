//! People: profile and skills.

use super::{Asked, Decision, Entity, Plan, QueryError, json};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, Outcome, Query, Refusal, Reply, Role, SkillId, UserId, View,
    user::{self, NewSkill, NewUser, Profile, SKILLS_MAX, Skill},
};
use std::sync::Arc;
use store::{Expect, StoreError, UsersWrite, Write};
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
        View { version: state.version, audience, body: json(&state.public()), fact: Fact::None }
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
        if let user::Command::Register(new) = command {
            return register(state, asked, *new);
        }
        let state = state.filter(|s| s.is_active).ok_or(ErrorCode::NotFound)?;
        match command {
            user::Command::Register(_) => Err(ErrorCode::BadFrame.into()),
            user::Command::Update(update) => {
                asked.only(state.id)?;
                update.validate()?;
                let mut next = next(state, asked);
                update.apply(&mut next);
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: json(&next) };
                Ok(plan(UsersWrite::Save(Box::new(next.clone())), next, reply))
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
                Ok(plan(UsersWrite::RemoveSkill(Box::new(next.clone()), id), next, reply))
            }
            user::Command::Endorse(id) => endorse(state, asked, id, true),
            user::Command::Unendorse(id) => endorse(state, asked, id, false),
        }
    }
}

fn next(state: &user::User, asked: &Asked) -> user::User {
    user::User { version: state.version + 1, updated_at: asked.now, ..state.clone() }
}

fn plan(write: UsersWrite, next: user::User, reply: Reply) -> Decision<user::User> {
    Plan { write: Write::Users(write), expect: Expect::Row, touches: Vec::new(), next: Some(next), reply, unchanged: None }.into()
}

fn register(state: Option<&user::User>, asked: &Asked, new: NewUser) -> Result<Decision<user::User>, Refusal> {
    if state.is_some() {
        return Err(ErrorCode::Conflict.into());
    }
    let NewUser { username, email, first_name, last_name, password_hash, session } = new;
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
    Ok(plan(UsersWrite::Register { user: Box::new(user.clone()), password_hash, session }, user, reply))
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
    Ok(plan(UsersWrite::AddSkill(Box::new(next.clone()), skill), next, reply))
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
    let plan =
        Plan { write: Write::Users(write), expect: Expect::Row, touches: Vec::new(), next: Some(next), reply, unchanged: Some(unchanged) };
    Ok(plan.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::{Principal, Timestamp, account::Session};

    fn asked(id: Uuid, by: Option<UserId>) -> Asked {
        let principal = by.map_or(Principal::Anonymous, |id| Principal::User { id, role: Role::User });
        Asked { id, principal, now: Timestamp(1_700_000_000_000) }
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
    fn nobody_endorses_themselves() {
        let ada = person();
        let new = NewSkill { name: "analysis".into(), level: user::Level::Expert };
        let (ada, _) = committed(User::decide(Some(&ada), &asked(ada.id.0, Some(ada.id)), user::Command::AddSkill(new)));
        let skill = ada.skills[0].id;
        let endorse = |by| User::decide(Some(&ada), &asked(ada.id.0, Some(by)), user::Command::Endorse(skill));
        assert_eq!(refused(endorse(ada.id)), ErrorCode::Forbidden);
        assert_eq!(committed(endorse(UserId::new())).0.skills[0].endorsements, 1);
    }
}
