//! Reads of the users database: the statements, and what their rows are.

use crate::postgres::column::{Columns, cut, statements};
use crate::postgres::fault::Fault;
use crate::{AccountRow, Ids};
use protocol::account::{Credentials, Reset, Session};
use protocol::follow::Relations;
use protocol::user::{Profile, Skill, User};
use protocol::{Page, Position, SkillId, UserId};
use tokio_postgres::Row;

statements! {
    /// A row for each skill, or one without.
    PERSON = "SELECT p.id, p.username, p.email, p.first_name, p.last_name, p.bio, p.avatar, p.role, p.is_active, p.phone_number, p.date_of_birth,
                p.location, p.website, p.company, p.job_title, p.interests, p.social_links, p.created_at, p.updated_at, p.version,
                s.id, s.name, s.level, s.endorsements, s.created_at
              FROM person AS p LEFT JOIN skill AS s ON s.person_id = p.id WHERE p.id = $1 ORDER BY s.created_at, s.id";
    /// A row for each session, or one without.
    ACCOUNT = "SELECT p.role, c.password_hash, coalesce((SELECT version FROM key_version WHERE kind = $4 AND id = $1), 0),
                 r.token_hash, r.expires_at, s.token_hash, s.expires_at, s.created_at
               FROM person AS p JOIN credential AS c ON c.person_id = p.id LEFT JOIN password_reset AS r ON r.person_id = p.id
                 LEFT JOIN LATERAL (
                   SELECT token_hash, expires_at, created_at FROM session WHERE person_id = $1 AND expires_at > $2
                   ORDER BY created_at DESC, token_hash DESC LIMIT $3
                 ) AS s ON true
               WHERE p.id = $1 AND p.is_active ORDER BY s.created_at DESC, s.token_hash DESC";
    CREDENTIALS = "SELECT p.id, c.password_hash FROM person AS p JOIN credential AS c ON c.person_id = p.id WHERE p.email_folded = $1";
    NAMED = "SELECT id FROM person WHERE username_folded = $1 OR email_folded = $1";
    /// Who follows back is looked up among one person's followers, which lie together.
    RELATIONS = "SELECT r.followers, r.pulled, coalesce((SELECT version FROM key_version WHERE kind = $2 AND id = $1), 0),
                   ARRAY (SELECT followee FROM follow WHERE follower = $1 ORDER BY followee),
                   ARRAY (SELECT a.followee FROM follow AS a JOIN follow AS b ON b.follower = a.followee AND b.followee = $1
                          WHERE a.follower = $1 ORDER BY a.followee),
                   ARRAY (SELECT blocked FROM block WHERE blocker = $1 UNION SELECT blocker FROM block WHERE blocked = $1 ORDER BY 1), r.blocks
                 FROM relation AS r WHERE r.person_id = $1";
    /// A row for each follow, or one without.
    FOLLOWING_PAGE = "SELECT r.following, f.created_at, f.followee FROM relation AS r LEFT JOIN LATERAL (
                        SELECT created_at, followee FROM follow WHERE follower = $1 AND (created_at, followee) < ($2, $3)
                        ORDER BY created_at DESC, followee DESC LIMIT $4
                      ) AS f ON true WHERE r.person_id = $1 ORDER BY f.created_at DESC, f.followee DESC";
    FOLLOWERS_PAGE = "SELECT r.followers, f.created_at, f.follower FROM relation AS r LEFT JOIN LATERAL (
                        SELECT created_at, follower FROM follow WHERE followee = $1 AND (created_at, follower) < ($2, $3)
                        ORDER BY created_at DESC, follower DESC LIMIT $4
                      ) AS f ON true WHERE r.person_id = $1 ORDER BY f.created_at DESC, f.follower DESC";
    FOLLOWERS = "SELECT follower FROM follow WHERE followee = $1 AND follower > $2 ORDER BY follower LIMIT $3";
    PULLED = "SELECT person_id FROM relation WHERE pulled ORDER BY person_id";
    SKILL_OWNER = "SELECT person_id FROM skill WHERE id = $1";
    ENDORSERS_PAGE = "SELECT created_at, endorser_id FROM endorsement WHERE skill_id = $1 AND (created_at, endorser_id) < ($2, $3)
                      ORDER BY created_at DESC, endorser_id DESC LIMIT $4";
    INACTIVE = "SELECT id FROM person WHERE NOT is_active ORDER BY id";
    IS_ACTIVE = "SELECT is_active FROM person WHERE id = $1";
    ENDORSED = "SELECT EXISTS (SELECT 1 FROM endorsement WHERE skill_id = $1 AND endorser_id = $2)";
}

pub(super) fn user(rows: &[Row]) -> Result<Option<User>, Fault> {
    let Some(first) = rows.first() else { return Ok(None) };
    let mut user = person(first)?;
    for row in rows {
        user.skills.extend(skill(row)?);
    }
    Ok(Some(user))
}

/// A person without skills.
fn person(row: &Row) -> Result<User, Fault> {
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

/// The skill behind a person's columns, if there is one.
fn skill(row: &Row) -> Result<Option<Skill>, Fault> {
    const PERSON_COLUMNS: usize = 20;
    let mut columns = Columns::from(row, PERSON_COLUMNS);
    let Some(id) = columns.id_or_none()? else { return Ok(None) };
    Ok(Some(Skill {
        id: SkillId(id),
        name: columns.take()?,
        level: columns.word()?,
        endorsements: columns.small()?,
        created_at: columns.time()?,
    }))
}

pub(super) fn account(rows: &[Row]) -> Result<Option<AccountRow>, Fault> {
    let mut account = None;
    for row in rows {
        let mut columns = Columns::of(row);
        let (role, password_hash, version) = (columns.word()?, columns.take()?, columns.count()?);
        let reset = columns.hash_or_none()?.zip(columns.time_or_none()?).map(|(token_hash, expires_at)| Reset { token_hash, expires_at });
        let account = account.get_or_insert_with(|| AccountRow { role, password_hash, sessions: Vec::new(), reset, version });
        if let Some(token_hash) = columns.hash_or_none()? {
            account.sessions.push(Session { token_hash, expires_at: columns.time()?, created_at: columns.time()? });
        }
    }
    Ok(account)
}

pub(super) fn credentials(row: &Row) -> Result<Credentials, Fault> {
    let mut columns = Columns::of(row);
    Ok(Credentials { user: UserId(columns.id()?), password_hash: columns.take()? })
}

pub(super) fn relations(row: &Row) -> Result<Relations, Fault> {
    let mut columns = Columns::of(row);
    Ok(Relations {
        followers: columns.count()?,
        pulled: columns.take()?,
        version: columns.count()?,
        following: columns.ids()?.into_iter().map(UserId).collect(),
        friends: columns.ids()?.into_iter().map(UserId).collect(),
        hidden: columns.ids()?.into_iter().map(UserId).collect(),
        blocks: columns.count()?,
    })
}

/// A page, and how many there are in all.
pub(super) fn follow_page(rows: &[Row], page: Page) -> Result<(Ids, u64), Fault> {
    let (mut positions, mut total) = (Vec::with_capacity(rows.len()), 0);
    for row in rows {
        let mut columns = Columns::of(row);
        total = columns.count()?;
        if let Some(at) = columns.time_or_none()? {
            positions.push(Position { sort: at.0, id: columns.id()? });
        }
    }
    Ok((ids(positions, page), total))
}

/// A page of (instant, id) that descends.
pub(super) fn newest(rows: &[Row], page: Page) -> Result<Ids, Fault> {
    let position = |row| {
        let mut columns = Columns::of(row);
        Ok(Position { sort: columns.time()?.0, id: columns.id()? })
    };
    Ok(ids(rows.iter().map(position).collect::<Result<_, Fault>>()?, page))
}

fn ids(positions: Vec<Position>, page: Page) -> Ids {
    let (positions, next) = cut(positions, page, |position| *position);
    Ids { ids: positions.into_iter().map(|position| position.id).collect(), next }
}

pub(super) fn user_id(row: &Row) -> Result<UserId, Fault> {
    Columns::of(row).id().map(UserId)
}
