//! Writes of the users database.

use super::{account, block, case, fold, search};
use crate::postgres::column::{At, Param, int, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Rows, Step, as_they_were, begin, require, same};
use crate::postgres::verdict;
use crate::{CommitError, UsersWrite};
use protocol::user::{Skill, User};
use protocol::{Key, Kind, SkillId, Timestamp, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

statements! {
    INSERT_PERSON = "INSERT INTO person (id, username, username_folded, email, email_folded, first_name, last_name, bio, avatar, role, is_active,
                       phone_number, date_of_birth, location, website, company, job_title, interests, social_links, updated_at, version, created_at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
    UPDATE_PERSON = require!("UPDATE person SET username = $2, username_folded = $3, email = $4, email_folded = $5, first_name = $6, last_name = $7,
                       bio = $8, avatar = $9, role = $10, is_active = $11, phone_number = $12, date_of_birth = $13, location = $14, website = $15,
                       company = $16, job_title = $17, interests = $18, social_links = $19, updated_at = $20, version = $21
                     WHERE id = $1 AND version + 1 = $21 RETURNING 1");
    INSERT_CREDENTIAL = "INSERT INTO credential (person_id, password_hash, updated_at) VALUES ($1, $2, $3)";
    INSERT_RELATION = "INSERT INTO relation (person_id) VALUES ($1)";
    INSERT_SKILL = "INSERT INTO skill (id, person_id, name, name_folded, level, endorsements, created_at) VALUES ($1, $2, $3, $4, $5, 0, $6)";
    /// Its endorsements go with it, by the foreign key.
    DELETE_SKILL = require!("DELETE FROM skill WHERE id = $1 AND person_id = $2 RETURNING 1");
    COUNT_ENDORSEMENT = require!("UPDATE skill SET endorsements = endorsements + $3 WHERE id = $1 AND person_id = $2 RETURNING 1");
    INSERT_ENDORSEMENT = require!("INSERT INTO endorsement (skill_id, endorser_id, created_at) VALUES ($1, $2, $3)
                           ON CONFLICT (skill_id, endorser_id) DO NOTHING RETURNING 1");
    DELETE_ENDORSEMENT = require!("DELETE FROM endorsement WHERE skill_id = $1 AND endorser_id = $2 RETURNING 1");
    SAME_PEOPLE = same!("person");
    MARK_PULLED = require!("UPDATE relation SET pulled = true WHERE person_id = $1 RETURNING 1");
}

impl Rows for UsersWrite {
    const VERSIONS: (Kind, &str) = (Kind::User, "SELECT id, version FROM person WHERE id = ANY($1)");

    fn row(&self) -> Option<(Key, u64)> {
        match self {
            Self::Register { user, .. }
            | Self::Save(user)
            | Self::Suspend(user)
            | Self::Depart(user)
            | Self::Moderate(user, _)
            | Self::AddSkill(user, _)
            | Self::RemoveSkill(user, _)
            | Self::Endorse { user, .. } => Some((Key::new(Kind::User, user.id), user.version)),
            Self::Flag { case, .. } | Self::Decide(case) | Self::SaveCase(case) => {
                Some((Key::new(Kind::Case, case.target.id()), case.version))
            }
            Self::OpenSession { .. }
            | Self::CloseSession { .. }
            | Self::Follow { .. }
            | Self::MarkPulled(_)
            | Self::Block { .. }
            | Self::EndSessions { .. }
            | Self::SetPassword { .. }
            | Self::AllowReset { .. }
            | Self::Ask { .. }
            | Self::Reindex(_) => None,
        }
    }

    fn steps(&self, now: Timestamp, _: &[Row]) -> Result<Vec<Step<'_>>, Fault> {
        Ok(match self {
            Self::Register { user, password_hash, session, device } => {
                let mut steps = insert_person(user, password_hash);
                steps.push(account::insert_session(user.id, session, device));
                steps
            }
            Self::Save(user) => vec![save(user), search::index(user)],
            Self::Suspend(user) => vec![save(user), search::index(user), account::end_sessions(user.id, None)],
            Self::Depart(user) => [save(user), search::index(user)].into_iter().chain(account::depart(user.id, now)).collect(),
            Self::AddSkill(user, skill) => vec![save(user), insert_skill(user.id, skill), search::index(user)],
            Self::RemoveSkill(user, skill) => {
                let removed = Step::or(DELETE_SKILL, params![skill.0, user.id.0], CommitError::Missing("skill"));
                vec![save(user), removed, search::index(user)]
            }
            Self::Endorse { user, skill, by, add, at } => {
                let [row, count] = endorse((user.id, *skill), *by, add.then_some(*at));
                vec![save(user), row, count, search::index(user)]
            }
            Self::OpenSession { user, session, device, ended } => account::open_session(*user, (session, device), ended, now),
            Self::CloseSession { user, token_hash } => vec![account::close_sessions(*user, std::slice::from_ref(token_hash))],
            Self::Follow { follower, followee, add, at } => block::follow(*follower, *followee, add.then_some(*at)),
            Self::Block { blocker, blocked, add, at } => block::block(*blocker, *blocked, add.then_some(*at)),
            Self::EndSessions { user, keep } => vec![account::end_sessions(*user, keep.as_ref())],
            Self::SetPassword { user, password_hash, keep } => account::set_password(*user, password_hash, keep.as_ref(), now),
            Self::AllowReset { user, reset } => vec![account::allow_reset(*user, reset)],
            Self::Ask { user, task } => vec![account::ask(*user, *task, now)],
            Self::Flag { case, flag } => [case::save(case)].into_iter().chain(case::add_flag(case.target.id(), flag)).collect(),
            Self::Decide(case) => vec![case::save(case), case::close_flags(case.target.id())],
            Self::SaveCase(case) => vec![case::save(case)],
            Self::Moderate(user, verdict) => {
                let ended = (!user.is_active).then(|| account::end_sessions(user.id, None));
                [verdict::hear(user.id.0, *verdict), save(user), search::index(user)].into_iter().chain(ended).collect()
            }
            Self::Reindex(people) => {
                let same = as_they_were(SAME_PEOPLE, people.iter().map(|person| (person.id.0, person.version)));
                [same].into_iter().chain(people.iter().map(search::index)).collect()
            }
            Self::MarkPulled(user) => vec![Step::or(MARK_PULLED, params![user.0], CommitError::Missing("user"))],
        })
    }
}

/// A new person with skills, credentials and relations; the account key is at version 1 afterwards.
fn insert_person<'w>(user: &'w User, password_hash: &'w str) -> Vec<Step<'w>> {
    let mut row = person(user);
    row.push(Box::new(At(user.created_at)));
    let mut steps = vec![
        unique_person(Step::new(INSERT_PERSON, row)),
        Step::new(INSERT_CREDENTIAL, params![user.id.0, password_hash, At(user.created_at)]),
        Step::new(INSERT_RELATION, params![user.id.0]),
    ];
    steps.extend(user.skills.iter().map(|skill| insert_skill(user.id, skill)));
    steps.push(search::index(user));
    steps.push(begin(Key::new(Kind::Account, user.id)));
    steps
}

/// Replaces a person's row, if it has the version before.
fn save(user: &User) -> Step<'_> {
    unique_person(Step::or(UPDATE_PERSON, person(user), CommitError::Conflict))
}

fn unique_person(step: Step<'_>) -> Step<'_> {
    step.taken(&[("person_username_taken", "username"), ("person_email_taken", "email")])
}

/// What an update sets, which is all but the instant of creation.
fn person(user: &User) -> Vec<Param<'_>> {
    let profile = &user.profile;
    params![
        user.id.0,
        &*user.username,
        fold(&user.username),
        &*user.email,
        fold(&user.email),
        &user.first_name,
        &user.last_name,
        &user.bio,
        &user.avatar,
        user.role.name(),
        user.is_active,
        &profile.phone_number,
        &profile.date_of_birth,
        &profile.location,
        &profile.website,
        &profile.company,
        &profile.job_title,
        Json(&profile.interests),
        Json(&profile.social_links),
        At(user.updated_at),
        int(user.version)
    ]
}

fn insert_skill(user: UserId, skill: &Skill) -> Step<'_> {
    let row = params![skill.id.0, user.0, &*skill.name, skill.name.to_lowercase(), skill.level.name(), At(skill.created_at)];
    Step::new(INSERT_SKILL, row).taken(&[("skill_taken", "skill")])
}

/// Adds an endorsement at an instant, or takes it back. The row first: one of another's skill is refused by the counter behind it.
fn endorse<'w>((user, skill): (UserId, SkillId), by: UserId, add_at: Option<Timestamp>) -> [Step<'w>; 2] {
    let (row, by_one) = match add_at {
        Some(at) => (Step::or(INSERT_ENDORSEMENT, params![skill.0, by.0, At(at)], CommitError::Unchanged).orphan("skill"), 1_i64),
        None => (Step::or(DELETE_ENDORSEMENT, params![skill.0, by.0], CommitError::Unchanged), -1),
    };
    [row, Step::or(COUNT_ENDORSEMENT, params![skill.0, user.0, by_one], CommitError::Missing("skill"))]
}
