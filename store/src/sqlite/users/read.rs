//! Reads of the users database.

use crate::sqlite::column::{BOTTOM, Columns, TOP, cut, fetch, list, optional, statements};
use crate::sqlite::transaction::key_version;
use crate::{AccountRow, Ids};
use protocol::account::{Credentials, Reset, SESSIONS_MAX, Session};
use protocol::follow::Relations;
use protocol::user::{Profile, Skill, User};
use protocol::{Key, Kind, Page, Position, SkillId, Timestamp, UserId};
use rusqlite::{Connection, Result, Row};

statements! {
    PERSON = "SELECT id, username, email, first_name, last_name, bio, avatar, role, is_active,
                phone_number, date_of_birth, location, website, company, job_title, interests, social_links, created_at, updated_at, version
              FROM person WHERE id = ?1";
    SKILLS = "SELECT id, name, level, endorsements, created_at FROM skill WHERE person_id = ?1 ORDER BY created_at, id";
    ACCOUNT = "SELECT p.role, c.password_hash FROM person AS p JOIN credential AS c ON c.person_id = p.id WHERE p.id = ?1 AND p.is_active = 1";
    SESSIONS = "SELECT token_hash, expires_at, created_at FROM session WHERE person_id = ?1 AND expires_at > ?2
                ORDER BY created_at DESC, token_hash DESC LIMIT ?3";
    RESET = "SELECT token_hash, expires_at FROM password_reset WHERE person_id = ?1";
    CREDENTIALS = "SELECT p.id, c.password_hash FROM person AS p JOIN credential AS c ON c.person_id = p.id WHERE p.email_folded = ?1";
    NAMED = "SELECT id FROM person WHERE username_folded = ?1 OR email_folded = ?1";
    RELATION = "SELECT followers, following, pulled FROM relation WHERE person_id = ?1";
    /// Who follows back is looked up among one person's followers, which lie together, and not among the follows of up to thousands of people:
    /// by its own choice SQLite would take the primary key and be two to three times as slow.
    FOLLOWING = "SELECT a.followee, EXISTS (SELECT 1 FROM follow AS b INDEXED BY follow_fan_out WHERE b.follower = a.followee AND b.followee = ?1)
                 FROM follow AS a WHERE a.follower = ?1 ORDER BY a.followee";
    FOLLOWING_PAGE = "SELECT created_at, followee FROM follow WHERE follower = ?1 AND (created_at, followee) < (?2, ?3)
                      ORDER BY created_at DESC, followee DESC LIMIT ?4";
    FOLLOWERS_PAGE = "SELECT created_at, follower FROM follow WHERE followee = ?1 AND (created_at, follower) < (?2, ?3)
                      ORDER BY created_at DESC, follower DESC LIMIT ?4";
    FOLLOWERS = "SELECT follower FROM follow WHERE followee = ?1 AND follower > ?2 ORDER BY follower LIMIT ?3";
    PULLED = "SELECT person_id FROM relation WHERE pulled = 1 ORDER BY person_id";
    SKILL_OWNER = "SELECT person_id FROM skill WHERE id = ?1";
    ENDORSERS_PAGE = "SELECT created_at, endorser_id FROM endorsement WHERE skill_id = ?1 AND (created_at, endorser_id) < (?2, ?3)
                      ORDER BY created_at DESC, endorser_id DESC LIMIT ?4";
    INACTIVE = "SELECT id FROM person WHERE is_active = 0 ORDER BY id";
    IS_ACTIVE = "SELECT 1 FROM person WHERE id = ?1 AND is_active = 1";
    ENDORSED = "SELECT 1 FROM endorsement WHERE skill_id = ?1 AND endorser_id = ?2";
}

pub(super) fn user(db: &Connection, id: UserId) -> Result<Option<User>> {
    let Some(mut user) = optional(db, PERSON, [id.0.as_bytes()], person)? else { return Ok(None) };
    user.skills = list(db, SKILLS, [id.0.as_bytes()], skill)?;
    Ok(Some(user))
}

/// A person without skills.
fn person(row: &Row<'_>) -> Result<User> {
    let mut columns = Columns::of(row);
    Ok(User {
        id: UserId(columns.id()?),
        username: columns.take()?,
        email: columns.take()?,
        first_name: columns.take()?,
        last_name: columns.take()?,
        bio: columns.take()?,
        avatar: columns.take()?,
        role: columns.word()?,
        is_active: columns.take()?,
        profile: Profile {
            phone_number: columns.take()?,
            date_of_birth: columns.take()?,
            location: columns.take()?,
            website: columns.take()?,
            company: columns.take()?,
            job_title: columns.take()?,
            interests: columns.json()?,
            social_links: columns.json()?,
        },
        skills: Vec::new(),
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
    })
}

fn skill(row: &Row<'_>) -> Result<Skill> {
    let mut columns = Columns::of(row);
    Ok(Skill {
        id: SkillId(columns.id()?),
        name: columns.take()?,
        level: columns.word()?,
        endorsements: columns.take()?,
        created_at: columns.time()?,
    })
}

pub(super) fn account(db: &Connection, id: UserId, now: Timestamp) -> Result<Option<AccountRow>> {
    let found = optional(db, ACCOUNT, [id.0.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok((columns.word()?, columns.take()?))
    })?;
    let Some((role, password_hash)) = found else { return Ok(None) };
    let sessions = list(db, SESSIONS, (id.0.as_bytes(), now.0, SESSIONS_MAX as i64), |row| {
        let mut columns = Columns::of(row);
        Ok(Session { token_hash: columns.take()?, expires_at: columns.time()?, created_at: columns.time()? })
    })?;
    let reset = optional(db, RESET, [id.0.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok(Reset { token_hash: columns.take()?, expires_at: columns.time()? })
    })?;
    let version = key_version(db, Key::new(Kind::Account, id))?;
    Ok(Some(AccountRow { role, password_hash, sessions, reset, version }))
}

pub(super) fn credentials(db: &Connection, email_folded: &str) -> Result<Option<Credentials>> {
    optional(db, CREDENTIALS, [email_folded], |row| {
        let mut columns = Columns::of(row);
        Ok(Credentials { user: UserId(columns.id()?), password_hash: columns.take()? })
    })
}

pub(super) fn named(db: &Connection, folded: &str) -> Result<Option<UserId>> {
    optional(db, NAMED, [folded], user_id)
}

/// The counters of a person: followers, following, and whether their posts are pulled.
fn relation(db: &Connection, id: UserId) -> Result<Option<(u64, u64, bool)>> {
    optional(db, RELATION, [id.0.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok((columns.count()?, columns.count()?, columns.take()?))
    })
}

pub(super) fn relations(db: &Connection, id: UserId) -> Result<Relations> {
    let Some((followers, following_count, pulled)) = relation(db, id)? else { return Ok(Relations::default()) };
    let mut following = Vec::with_capacity(usize::try_from(following_count).unwrap_or(0));
    let mut friends = Vec::new();
    let mut statement = db.prepare_cached(FOLLOWING)?;
    let mut rows = statement.query([id.0.as_bytes()])?;
    while let Some(row) = rows.next()? {
        let mut columns = Columns::of(row);
        let followee = UserId(columns.id()?);
        following.push(followee);
        if columns.take()? {
            friends.push(followee);
        }
    }
    let (hidden, blocks) = super::block::hidden(db, id)?;
    let version = key_version(db, Key::new(Kind::Follows, id))?;
    Ok(Relations { following, friends, followers, pulled, version, hidden, blocks })
}

pub(super) fn follow_page(db: &Connection, id: UserId, followers: bool, page: Page) -> Result<(Ids, u64)> {
    let (follower_count, following_count, _) = relation(db, id)?.unwrap_or_default();
    let (sql, total) = if followers { (FOLLOWERS_PAGE, follower_count) } else { (FOLLOWING_PAGE, following_count) };
    Ok((newest(db, sql, id.0, page)?, total))
}

pub(super) fn endorsers(db: &Connection, id: SkillId, page: Page) -> Result<Ids> {
    newest(db, ENDORSERS_PAGE, id.0, page)
}

/// A page of (instant, id) that descends.
pub(super) fn newest(db: &Connection, sql: &str, of: uuid::Uuid, page: Page) -> Result<Ids> {
    let after = page.after.unwrap_or(TOP);
    let rows = list(db, sql, (of.as_bytes(), after.sort, after.id.as_bytes(), fetch(page)), |row| {
        let mut columns = Columns::of(row);
        Ok(Position { sort: columns.take()?, id: columns.id()? })
    })?;
    let (rows, next) = cut(rows, page, |position| *position);
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

pub(super) fn followers(db: &Connection, id: UserId, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>> {
    let after = after.map_or(BOTTOM.id, |id| id.0);
    list(db, FOLLOWERS, (id.0.as_bytes(), after.as_bytes(), limit), user_id)
}

pub(super) fn pulled(db: &Connection) -> Result<Vec<UserId>> {
    list(db, PULLED, [], user_id)
}

pub(super) fn skill_owner(db: &Connection, id: SkillId) -> Result<Option<UserId>> {
    optional(db, SKILL_OWNER, [id.0.as_bytes()], user_id)
}

pub(super) fn endorsed(db: &Connection, id: SkillId, by: UserId) -> Result<bool> {
    Ok(optional(db, ENDORSED, (id.0.as_bytes(), by.0.as_bytes()), |_| Ok(()))?.is_some())
}

pub(super) fn inactive(db: &Connection) -> Result<Vec<UserId>> {
    list(db, INACTIVE, [], user_id)
}

pub(super) fn is_active(db: &Connection, id: UserId) -> Result<bool> {
    Ok(optional(db, IS_ACTIVE, [id.0.as_bytes()], |_| Ok(()))?.is_some())
}

pub(super) fn user_id(row: &Row<'_>) -> Result<UserId> {
    Columns::of(row).id().map(UserId)
}
