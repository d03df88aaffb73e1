//! Writes of the users database.

use super::{account, block, case, fold, search};
use crate::sqlite::column::{execute, int, json, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use crate::sqlite::transaction::{Rows, begin};
use crate::sqlite::verdict;
use crate::{CommitError, UsersWrite};
use protocol::user::{Skill, User};
use protocol::{Key, Kind, SkillId, Timestamp, UserId};
use rusqlite::{Connection, params};

statements! {
    INSERT_PERSON = "INSERT INTO person (id, username, username_folded, email, email_folded, first_name, last_name, bio, avatar, role, is_active,
                       phone_number, date_of_birth, location, website, company, job_title, interests, social_links, created_at, updated_at, version)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
    UPDATE_PERSON = "UPDATE person SET username = ?2, username_folded = ?3, email = ?4, email_folded = ?5, first_name = ?6, last_name = ?7, bio = ?8,
                       avatar = ?9, role = ?10, is_active = ?11, phone_number = ?12, date_of_birth = ?13, location = ?14, website = ?15,
                       company = ?16, job_title = ?17, interests = ?18, social_links = ?19, updated_at = ?20, version = ?21
                     WHERE id = ?1 AND version = ?21 - 1";
    INSERT_CREDENTIAL = "INSERT INTO credential (person_id, password_hash, updated_at) VALUES (?1, ?2, ?3)";
    INSERT_RELATION = "INSERT INTO relation (person_id) VALUES (?1)";
    INSERT_SKILL = "INSERT INTO skill (id, person_id, name, name_folded, level, endorsements, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)";
    DELETE_SKILL = "DELETE FROM skill WHERE id = ?1 AND person_id = ?2";
    COUNT_ENDORSEMENT = "UPDATE skill SET endorsements = endorsements + ?3 WHERE id = ?1 AND person_id = ?2";
    INSERT_ENDORSEMENT = "INSERT INTO endorsement (skill_id, endorser_id, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (skill_id, endorser_id) DO NOTHING";
    DELETE_ENDORSEMENT = "DELETE FROM endorsement WHERE skill_id = ?1 AND endorser_id = ?2";
    INSERT_FOLLOW = "INSERT INTO follow (follower, followee, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (follower, followee) DO NOTHING";
    DELETE_FOLLOW = "DELETE FROM follow WHERE follower = ?1 AND followee = ?2";
    COUNT_FOLLOWS = "UPDATE relation SET followers = followers + ?2, following = following + ?3 WHERE person_id = ?1";
    MARK_PULLED = "UPDATE relation SET pulled = 1 WHERE person_id = ?1";
}

impl Rows for UsersWrite {
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
            Self::Flag { case, .. } | Self::Decide(case) | Self::SaveCase(case) => {
                Some((Key::new(Kind::Case, case.target.id()), case.version))
            }
        }
    }

    fn apply(&self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        match self {
            Self::Register { user, password_hash, session, device } => {
                insert_person(db, user, password_hash)?;
                account::insert_session(db, user.id, session, device)
            }
            Self::Save(user) => replace(db, user),
            // Nobody else writes here: what things are found by is always up to them.
            Self::Reindex(_) => Ok(()),
            Self::Suspend(user) => suspend(db, user),
            Self::Depart(user) => {
                replace(db, user)?;
                account::depart(db, user.id, now)
            }
            Self::AddSkill(user, skill) => {
                save(db, user)?;
                insert_skill(db, user.id, skill)?;
                search::index(db, user)
            }
            Self::RemoveSkill(user, skill) => {
                save(db, user)?;
                remove_skill(db, user.id, *skill)?;
                search::index(db, user)
            }
            Self::Endorse { user, skill, by, add, at } => {
                save(db, user)?;
                endorse(db, (user.id, *skill), *by, add.then_some(*at))?;
                search::index(db, user)
            }
            Self::OpenSession { user, session, device, ended } => account::open_session(db, *user, (session, device), ended, now),
            Self::CloseSession { user, token_hash } => account::close_session(db, *user, token_hash),
            Self::Follow { follower, followee, add: true, at } => follow(db, *follower, *followee, *at),
            Self::Follow { follower, followee, add: false, .. } => unfollow(db, *follower, *followee),
            Self::MarkPulled(user) => changed(execute(db, MARK_PULLED, [user.0.as_bytes()])?, "user"),
            Self::Block { blocker, blocked, add: true, at } => block::begin(db, *blocker, *blocked, *at),
            Self::Block { blocker, blocked, add: false, .. } => block::end(db, *blocker, *blocked),
            Self::EndSessions { user, keep } => account::end_sessions(db, *user, keep.as_ref()),
            Self::SetPassword { user, password_hash, keep } => account::set_password(db, *user, password_hash, keep.as_ref(), now),
            Self::AllowReset { user, reset } => account::allow_reset(db, *user, reset),
            Self::Ask { user, task } => account::ask(db, *user, *task, now),
            Self::Flag { case, flag } => {
                case::save(db, case)?;
                case::flag(db, case.target.id(), flag)
            }
            Self::Decide(case) => {
                case::save(db, case)?;
                Ok(case::close_flags(db, case.target.id())?)
            }
            Self::SaveCase(case) => case::save(db, case),
            Self::Moderate(user, verdict) => {
                verdict::hear(db, user.id.0, *verdict)?;
                if user.is_active { replace(db, user) } else { suspend(db, user) }
            }
        }
    }
}

/// A write to a row that has to be there.
pub(super) fn changed(rows: usize, what: &'static str) -> Result<(), Fault> {
    if rows == 0 { Err(CommitError::Missing(what).into()) } else { Ok(()) }
}

/// A new person with skills, credentials and relations; the account key is at version 1 afterwards.
pub(in crate::sqlite) fn insert_person(db: &Connection, user: &User, password_hash: &str) -> Result<(), Fault> {
    let (profile, id) = (&user.profile, user.id.0.as_bytes());
    let row = params![
        id,
        user.username,
        fold(&user.username),
        user.email,
        fold(&user.email),
        user.first_name,
        user.last_name,
        user.bio,
        user.avatar,
        user.role.name(),
        user.is_active,
        profile.phone_number,
        profile.date_of_birth,
        profile.location,
        profile.website,
        profile.company,
        profile.job_title,
        json(&profile.interests),
        json(&profile.social_links),
        user.created_at.0,
        user.updated_at.0,
        int(user.version)
    ];
    execute(db, INSERT_PERSON, row).map_err(person_refused)?;
    execute(db, INSERT_CREDENTIAL, (id, password_hash, user.created_at.0))?;
    execute(db, INSERT_RELATION, [id])?;
    for skill in &user.skills {
        insert_skill(db, user.id, skill)?;
    }
    search::index(db, user)?;
    Ok(begin(db, Key::new(Kind::Account, user.id))?)
}

/// Replaces a person's row, if it has the version before.
fn save(db: &Connection, user: &User) -> Result<(), Fault> {
    let profile = &user.profile;
    let row = params![
        user.id.0.as_bytes(),
        user.username,
        fold(&user.username),
        user.email,
        fold(&user.email),
        user.first_name,
        user.last_name,
        user.bio,
        user.avatar,
        user.role.name(),
        user.is_active,
        profile.phone_number,
        profile.date_of_birth,
        profile.location,
        profile.website,
        profile.company,
        profile.job_title,
        json(&profile.interests),
        json(&profile.social_links),
        user.updated_at.0,
        int(user.version)
    ];
    let saved = execute(db, UPDATE_PERSON, row).map_err(person_refused)?;
    if saved == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}

/// Replaces a person's row, if it has the version before, and what they are found by.
fn replace(db: &Connection, user: &User) -> Result<(), Fault> {
    save(db, user)?;
    search::index(db, user)
}

/// Replaces the row of a person who is not active any more, and ends their sessions.
fn suspend(db: &Connection, user: &User) -> Result<(), Fault> {
    replace(db, user)?;
    account::end_sessions(db, user.id, None)
}

fn person_refused(error: rusqlite::Error) -> Fault {
    insert_refused(error, &[("username_folded", "username"), ("email_folded", "email")])
}

fn insert_skill(db: &Connection, user: UserId, skill: &Skill) -> Result<(), Fault> {
    let row =
        params![skill.id.0.as_bytes(), user.0.as_bytes(), skill.name, skill.name.to_lowercase(), skill.level.name(), skill.created_at.0];
    execute(db, INSERT_SKILL, row).map(drop).map_err(|error| insert_refused(error, &[("name_folded", "skill")]))
}

/// Removes a skill. Its endorsements go with it, by the foreign key.
fn remove_skill(db: &Connection, user: UserId, skill: SkillId) -> Result<(), Fault> {
    changed(execute(db, DELETE_SKILL, (skill.0.as_bytes(), user.0.as_bytes()))?, "skill")
}

/// Adds an endorsement at an instant, or takes it back.
fn endorse(db: &Connection, (user, skill): (UserId, SkillId), by: UserId, add_at: Option<Timestamp>) -> Result<(), Fault> {
    let (skill_id, by) = (skill.0.as_bytes(), by.0.as_bytes());
    let step = if add_at.is_some() { 1 } else { -1 };
    // The row first: the counter is never below the number of rows, and a row of another's skill is refused here.
    let rows = match add_at {
        Some(at) => execute(db, INSERT_ENDORSEMENT, (skill_id, by, at.0)).map_err(skill_missing)?,
        None => execute(db, DELETE_ENDORSEMENT, (skill_id, by))?,
    };
    if rows == 0 {
        return Err(CommitError::Unchanged.into());
    }
    changed(execute(db, COUNT_ENDORSEMENT, (skill_id, user.0.as_bytes(), step))?, "skill")
}

fn skill_missing(error: rusqlite::Error) -> Fault {
    if is_orphan(&error) { CommitError::Missing("skill").into() } else { error.into() }
}

fn follow(db: &Connection, follower: UserId, followee: UserId, at: Timestamp) -> Result<(), Fault> {
    // Whoever decided may not have heard of a block that was committed at the same time.
    if block::between(db, follower, followee)? {
        return Err(CommitError::Missing("user").into());
    }
    if !insert_follow(db, follower, followee, at)? {
        return Err(CommitError::Unchanged.into());
    }
    count_follows(db, followee, 1, 0)?;
    count_follows(db, follower, 0, 1)
}

/// Writes that somebody follows somebody; `false` if they do already. Whoever calls counts it.
pub(in crate::sqlite) fn insert_follow(db: &Connection, follower: UserId, followee: UserId, at: Timestamp) -> rusqlite::Result<bool> {
    Ok(execute(db, INSERT_FOLLOW, (follower.0.as_bytes(), followee.0.as_bytes(), at.0))? == 1)
}

/// Counts follows that began or ended; refused if there is no such person.
pub(in crate::sqlite) fn count_follows(db: &Connection, person: UserId, followers: i64, following: i64) -> Result<(), Fault> {
    changed(execute(db, COUNT_FOLLOWS, (person.0.as_bytes(), followers, following))?, "user")
}

fn unfollow(db: &Connection, follower: UserId, followee: UserId) -> Result<(), Fault> {
    if end_follow(db, follower, followee)? { Ok(()) } else { Err(CommitError::Unchanged.into()) }
}

/// Ends a follow and counts it; `false` if there is none.
pub(super) fn end_follow(db: &Connection, follower: UserId, followee: UserId) -> Result<bool, Fault> {
    if execute(db, DELETE_FOLLOW, (follower.0.as_bytes(), followee.0.as_bytes()))? == 0 {
        return Ok(false);
    }
    count_follows(db, followee, -1, 0)?;
    count_follows(db, follower, 0, -1)?;
    Ok(true)
}
