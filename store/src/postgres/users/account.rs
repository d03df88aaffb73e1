//! Sessions, passwords, and errands.

use crate::postgres::column::{At, Columns, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Step, require};
use crate::{CommitError, Errand, SessionRow, Task};
use protocol::account::{Device, Reset, Session, TokenHash};
use protocol::{Timestamp, UserId};
use tokio_postgres::Row;

statements! {
    INSERT_SESSION = "INSERT INTO session (token_hash, person_id, created_at, expires_at, user_agent, network) VALUES ($1, $2, $3, $4, $5, $6)";
    DELETE_SESSIONS = "DELETE FROM session WHERE person_id = $1 AND token_hash = ANY($2)";
    /// Nobody closes a session that expired: they go when their account opens the next one.
    DELETE_EXPIRED = "DELETE FROM session WHERE person_id = $1 AND expires_at <= $2";
    /// Without one to keep, `keep` is NULL, and all hashes are distinct from that.
    DELETE_OTHERS = "DELETE FROM session WHERE person_id = $1 AND token_hash IS DISTINCT FROM $2";
    SESSIONS_SHOWN = "SELECT token_hash, created_at, expires_at, user_agent, network, seen_at FROM session
                      WHERE person_id = $1 AND expires_at > $2 ORDER BY created_at DESC, token_hash DESC LIMIT $3";
    SEEN = "UPDATE session SET seen_at = $2 WHERE token_hash = $1";
    SET_PASSWORD = require!("UPDATE credential SET password_hash = $2, updated_at = $3 WHERE person_id = $1 RETURNING 1");
    DELETE_RESET = "DELETE FROM password_reset WHERE person_id = $1";
    ALLOW_RESET = "INSERT INTO password_reset (person_id, token_hash, expires_at) VALUES ($1, $2, $3)
                   ON CONFLICT (person_id) DO UPDATE SET token_hash = excluded.token_hash, expires_at = excluded.expires_at";
    ASK = "INSERT INTO errand (person_id, task, asked_at, due_at) VALUES ($1, $2, $3, $3)
           ON CONFLICT (person_id, task) DO UPDATE SET asked_at = excluded.asked_at, due_at = excluded.due_at, failures = 0";
    DELETE_CREDENTIAL = "DELETE FROM credential WHERE person_id = $1";
    /// Endorsements of the skills go with them, by the foreign key.
    DELETE_SKILLS = "DELETE FROM skill WHERE person_id = $1";
    DELETE_ERRANDS = "DELETE FROM errand WHERE person_id = $1";
    ERRANDS = "SELECT person_id, task, asked_at, failures FROM errand WHERE due_at <= $1 ORDER BY due_at, person_id, task LIMIT $2";
    ERRAND_DONE = "DELETE FROM errand WHERE person_id = $1 AND task = $2 AND asked_at = $3";
    ERRAND_FAILED = "UPDATE errand SET failures = failures + 1, due_at = $4 WHERE person_id = $1 AND task = $2 AND asked_at = $3";
}

pub(super) fn insert_session<'w>(user: UserId, session: &'w Session, device: &'w Device) -> Step<'w> {
    let Device { user_agent, network } = device;
    let row = params![&session.token_hash[..], user.0, At(session.created_at), At(session.expires_at), user_agent, network];
    Step::new(INSERT_SESSION, row).orphan("user")
}

pub(super) fn open_session<'w>(
    user: UserId,
    (session, device): (&'w Session, &'w Device),
    ended: &'w [TokenHash],
    now: Timestamp,
) -> Vec<Step<'w>> {
    let expired = Step::new(DELETE_EXPIRED, params![user.0, At(now)]);
    vec![close_sessions(user, ended), expired, insert_session(user, session, device)]
}

pub(super) fn close_sessions(user: UserId, sessions: &[TokenHash]) -> Step<'_> {
    Step::new(DELETE_SESSIONS, params![user.0, sessions.iter().map(|hash| &hash[..]).collect::<Vec<_>>()])
}

/// Closes all sessions, or all but one.
pub(super) fn end_sessions(user: UserId, keep: Option<&TokenHash>) -> Step<'_> {
    Step::new(DELETE_OTHERS, params![user.0, keep.map(|hash| &hash[..])])
}

pub(super) fn set_password<'w>(user: UserId, password_hash: &'w str, keep: Option<&'w TokenHash>, now: Timestamp) -> Vec<Step<'w>> {
    vec![
        Step::or(SET_PASSWORD, params![user.0, password_hash, At(now)], CommitError::Missing("user")),
        end_sessions(user, keep),
        Step::new(DELETE_RESET, params![user.0]),
        ask(user, Task::MailPasswordChanged, now),
    ]
}

/// Removes what a person who leaves had in this database beside their row, and asks for the rest to be erased.
pub(super) fn depart<'w>(user: UserId, now: Timestamp) -> Vec<Step<'w>> {
    let gone = [DELETE_CREDENTIAL, DELETE_RESET, DELETE_SKILLS, DELETE_ERRANDS].map(|sql| Step::new(sql, params![user.0]));
    [end_sessions(user, None)].into_iter().chain(gone).chain([ask(user, Task::Erase, now)]).collect()
}

/// Lets a token set a new password. The one before it is gone.
pub(super) fn allow_reset(user: UserId, reset: &Reset) -> Step<'_> {
    Step::new(ALLOW_RESET, params![user.0, &reset.token_hash[..], At(reset.expires_at)]).orphan("user")
}

/// Asks for an errand, due now.
pub(super) fn ask<'w>(user: UserId, task: Task, now: Timestamp) -> Step<'w> {
    Step::new(ASK, params![user.0, task.name(), At(now)])
}

pub(super) fn session(row: &Row) -> Result<SessionRow, Fault> {
    let mut columns = Columns::of(row);
    let (token_hash, created_at, expires_at) = (columns.hash()?, columns.time()?, columns.time()?);
    let device = Device { user_agent: columns.take()?, network: columns.take()? };
    Ok(SessionRow { session: Session { token_hash, expires_at, created_at }, device, seen_at: columns.time_or_none()? })
}

pub(super) fn errand(row: &Row) -> Result<Errand, Fault> {
    let mut columns = Columns::of(row);
    Ok(Errand { user: UserId(columns.id()?), task: columns.word()?, asked_at: columns.time()?, failures: columns.small()? })
}
