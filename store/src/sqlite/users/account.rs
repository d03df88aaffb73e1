//! Sessions, passwords, and errands.

use super::write::changed;
use crate::sqlite::column::{Columns, execute, list, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use crate::{CommitError, Errand, SessionRow, Task};
use protocol::account::{Device, Reset, SESSIONS_MAX, Session, TokenHash};
use protocol::{Timestamp, UserId};
use rusqlite::{Connection, Result, params};

statements! {
    INSERT_SESSION = "INSERT INTO session (token_hash, person_id, created_at, expires_at, user_agent, network) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    DELETE_SESSION = "DELETE FROM session WHERE token_hash = ?1 AND person_id = ?2";
    DELETE_EXPIRED = "DELETE FROM session WHERE person_id = ?1 AND expires_at <= ?2";
    /// Without one to keep, `keep` is NULL, and all hashes are distinct from that.
    DELETE_OTHERS = "DELETE FROM session WHERE person_id = ?1 AND token_hash IS DISTINCT FROM ?2";
    SESSIONS_SHOWN = "SELECT token_hash, created_at, expires_at, user_agent, network, seen_at FROM session
                      WHERE person_id = ?1 AND expires_at > ?2 ORDER BY created_at DESC, token_hash DESC LIMIT ?3";
    SEEN = "UPDATE session SET seen_at = ?2 WHERE token_hash = ?1";
    SET_PASSWORD = "UPDATE credential SET password_hash = ?2, updated_at = ?3 WHERE person_id = ?1";
    DELETE_RESET = "DELETE FROM password_reset WHERE person_id = ?1";
    ALLOW_RESET = "INSERT INTO password_reset (person_id, token_hash, expires_at) VALUES (?1, ?2, ?3)
                   ON CONFLICT (person_id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at";
    ASK = "INSERT INTO errand (person_id, task, asked_at, due_at) VALUES (?1, ?2, ?3, ?3)
           ON CONFLICT (person_id, task) DO UPDATE SET asked_at = excluded.asked_at, due_at = excluded.due_at, failures = 0";
    DELETE_CREDENTIAL = "DELETE FROM credential WHERE person_id = ?1";
    DELETE_SKILLS = "DELETE FROM skill WHERE person_id = ?1";
    DELETE_ERRANDS = "DELETE FROM errand WHERE person_id = ?1";
    ERRANDS = "SELECT person_id, task, asked_at, failures FROM errand WHERE due_at <= ?1 ORDER BY due_at, person_id, task LIMIT ?2";
    ERRAND_DONE = "DELETE FROM errand WHERE person_id = ?1 AND task = ?2 AND asked_at = ?3";
    ERRAND_FAILED = "UPDATE errand SET failures = failures + 1, due_at = ?4 WHERE person_id = ?1 AND task = ?2 AND asked_at = ?3";
}

pub(super) fn insert_session(db: &Connection, user: UserId, session: &Session, device: &Device) -> Result<(), Fault> {
    let row = params![session.token_hash, user.0.as_bytes(), session.created_at.0, session.expires_at.0, device.user_agent, device.network];
    let refused = |error| if is_orphan(&error) { CommitError::Missing("user").into() } else { insert_refused(error, &[]) };
    execute(db, INSERT_SESSION, row).map(drop).map_err(refused)
}

pub(super) fn open_session(
    db: &Connection,
    user: UserId,
    (session, device): (&Session, &Device),
    ended: &[TokenHash],
    now: Timestamp,
) -> Result<(), Fault> {
    for token_hash in ended {
        close_session(db, user, token_hash)?;
    }
    // Nobody closes a session that expired: they go when their account opens the next one.
    execute(db, DELETE_EXPIRED, (user.0.as_bytes(), now.0))?;
    insert_session(db, user, session, device)
}

pub(super) fn close_session(db: &Connection, user: UserId, token_hash: &TokenHash) -> Result<(), Fault> {
    Ok(execute(db, DELETE_SESSION, (token_hash, user.0.as_bytes())).map(drop)?)
}

/// Closes all sessions, or all but one.
pub(super) fn end_sessions(db: &Connection, user: UserId, keep: Option<&TokenHash>) -> Result<(), Fault> {
    Ok(execute(db, DELETE_OTHERS, (user.0.as_bytes(), keep)).map(drop)?)
}

pub(super) fn set_password(
    db: &Connection,
    user: UserId,
    password_hash: &str,
    keep: Option<&TokenHash>,
    now: Timestamp,
) -> Result<(), Fault> {
    let id = user.0.as_bytes();
    changed(execute(db, SET_PASSWORD, (id, password_hash, now.0))?, "user")?;
    end_sessions(db, user, keep)?;
    execute(db, DELETE_RESET, [id])?;
    ask(db, user, Task::MailPasswordChanged, now)
}

/// Removes what a person who leaves had in this database beside their row, and asks for the rest to be erased.
pub(super) fn depart(db: &Connection, user: UserId, now: Timestamp) -> Result<(), Fault> {
    end_sessions(db, user, None)?;
    // Endorsements of the skills go with them, by the foreign key.
    for statement in [DELETE_CREDENTIAL, DELETE_RESET, DELETE_SKILLS, DELETE_ERRANDS] {
        execute(db, statement, [user.0.as_bytes()])?;
    }
    ask(db, user, Task::Erase, now)
}

/// Lets a token set a new password. The one before it is gone.
pub(super) fn allow_reset(db: &Connection, user: UserId, reset: &Reset) -> Result<(), Fault> {
    let refused = |error| if is_orphan(&error) { CommitError::Missing("user").into() } else { Fault::from(error) };
    execute(db, ALLOW_RESET, (user.0.as_bytes(), reset.token_hash, reset.expires_at.0)).map(drop).map_err(refused)
}

pub(super) fn sessions(db: &Connection, id: UserId, now: Timestamp) -> Result<Vec<SessionRow>> {
    list(db, SESSIONS_SHOWN, (id.0.as_bytes(), now.0, SESSIONS_MAX as i64), |row| {
        let mut columns = Columns::of(row);
        let (token_hash, created_at, expires_at) = (columns.take()?, columns.time()?, columns.time()?);
        let device = Device { user_agent: columns.take()?, network: columns.take()? };
        let seen_at = columns.take::<Option<i64>>()?.map(Timestamp);
        Ok(SessionRow { session: Session { token_hash, expires_at, created_at }, device, seen_at })
    })
}

pub(super) fn session_seen(db: &Connection, token_hash: &TokenHash, at: Timestamp) -> Result<()> {
    execute(db, SEEN, (token_hash, at.0)).map(drop)
}

/// Asks for an errand, due now.
pub(super) fn ask(db: &Connection, user: UserId, task: Task, now: Timestamp) -> Result<(), Fault> {
    Ok(execute(db, ASK, (user.0.as_bytes(), task.name(), now.0)).map(drop)?)
}

pub(super) fn errands(db: &Connection, now: Timestamp, limit: u32) -> Result<Vec<Errand>> {
    list(db, ERRANDS, (now.0, limit), |row| {
        let mut columns = Columns::of(row);
        Ok(Errand { user: UserId(columns.id()?), task: columns.word()?, asked_at: columns.time()?, failures: columns.take()? })
    })
}

pub(super) fn errand_done(db: &Connection, errand: &Errand) -> Result<()> {
    execute(db, ERRAND_DONE, (errand.user.0.as_bytes(), errand.task.name(), errand.asked_at.0)).map(drop)
}

pub(super) fn errand_failed(db: &Connection, errand: &Errand, due_at: Timestamp) -> Result<()> {
    execute(db, ERRAND_FAILED, (errand.user.0.as_bytes(), errand.task.name(), errand.asked_at.0, due_at.0)).map(drop)
}
