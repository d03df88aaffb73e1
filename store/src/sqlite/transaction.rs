//! The write protocol's one transaction, in the order that [`crate::commit`] states. It runs on the writer's thread, within a savepoint: whatever
//! is refused here is rolled back there.

use super::column::{Columns, execute, int, optional, statements};
use super::fault::Fault;
use super::users::{self, audit};
use crate::commit::NewRecord;
use crate::{Commit, CommitError, Committed, Effect, Expect, Guard, Outboxed, Record, Touch};
use protocol::{Epoch, Key, Outcome, Timestamp, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result, Row};
use uuid::Uuid;

statements! {
    EPOCH = "SELECT epoch FROM slot_epoch WHERE slot = ?1";
    RECORD = "SELECT fingerprint, outcome, version, body, write_id FROM idempotency WHERE subject = ?1 AND route = ?2 AND key = ?3";
    INSERT_RECORD = "INSERT INTO idempotency (subject, route, key, fingerprint, outcome, version, body, write_id, at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    KEY_VERSION = "SELECT version FROM key_version WHERE kind = ?1 AND id = ?2";
    FIRST_VERSION = "INSERT INTO key_version (kind, id, version) VALUES (?1, ?2, 1) ON CONFLICT (kind, id) DO NOTHING";
    NEXT_VERSION = "UPDATE key_version SET version = version + 1 WHERE kind = ?1 AND id = ?2 AND version = ?3";
    RAISE = "INSERT INTO key_version (kind, id, version) VALUES (?1, ?2, ?3)
             ON CONFLICT (kind, id) DO UPDATE SET version = key_version.version + excluded.version RETURNING version";
    INSERT_OUTBOX = "INSERT INTO outbox (write_id, slot, at, effect) VALUES (?1, ?2, ?3, ?4) RETURNING id";
}

/// A domain's writes.
pub(super) trait Rows: Send + 'static {
    /// The key that has the row which this write replaces or makes, and the row's next version; `None` where no such row is the commit's own.
    fn row(&self) -> Option<(Key, u64)>;

    /// Writes the rows. A row with a version is replaced only if it had the one before.
    fn apply(&self, db: &Connection, now: Timestamp) -> std::result::Result<(), Fault>;

    /// The version that a touched key has after the rows were written. That of a key without a row of its own is raised here; a row that was
    /// touched has its version from [`Rows::apply`].
    fn touch(&self, db: &Connection, key: Key) -> Result<u64> {
        raise(db, key, 1)
    }

    /// Writes what follows in rows of other keys, and names these keys: they are touched like those that the decision named. It is for what only
    /// the rows tell, and for sums that commute with whatever the keys' owners do.
    fn ripple(&self, _db: &Connection) -> std::result::Result<Vec<Key>, Fault> {
        Ok(Vec::new())
    }
}

/// Carries a commit out, or refuses it.
pub(super) fn carry_out<W: Rows>(database: &'static str, db: &Connection, commit: &Commit<W>) -> std::result::Result<Committed, Fault> {
    check_guard(db, commit.guard)?;
    if let Some(new) = &commit.record
        && let Some(record) = record(db, new.subject, &new.idempotency.route, &new.idempotency.key)?
    {
        return Err(CommitError::Replay(Box::new(record)).into());
    }
    let version = match (commit.expect, commit.write.row()) {
        (Expect::Row, Some((key, version))) if key == commit.key => version,
        (Expect::Row, _) => return Err(Fault::incoherent(database, "the key has no row in this write")),
        (Expect::Version(before), _) => raise_from(db, commit.key, before)?,
        (Expect::Any, _) => raise(db, commit.key, 1)?,
    };
    commit.write.apply(db, commit.now)?;
    let rippled = commit.write.ripple(db)?;
    let write = Uuid::now_v7();
    let touches = commit.touches.iter().cloned().chain(rippled.into_iter().map(Touch::Key));
    let effects = touches.filter_map(|touch| touched(database, db, commit, write, &touch).transpose()).collect::<Result<_>>()?;
    if let Some(new) = &commit.record {
        insert_record(db, new, write, commit.now)?;
    }
    Ok(Committed { version, effects })
}

fn check_guard(db: &Connection, guard: Guard) -> std::result::Result<(), Fault> {
    let epoch = optional(db, EPOCH, [guard.slot.number()], |row| Columns::of(row).count())?;
    let epoch = Epoch(epoch.unwrap_or(0));
    if epoch == guard.epoch { Ok(()) } else { Err(CommitError::Fenced(epoch).into()) }
}

/// The version of a key without a row of its own.
pub(super) fn key_version(db: &Connection, key: Key) -> Result<u64> {
    let version = optional(db, KEY_VERSION, (u8::from(key.kind), key.id.as_bytes()), |row| Columns::of(row).count())?;
    Ok(version.unwrap_or(0))
}

/// Raises a key's version if it is `before`.
fn raise_from(db: &Connection, key: Key, before: u64) -> std::result::Result<u64, Fault> {
    let (kind, id) = (u8::from(key.kind), key.id.as_bytes());
    let raised = if before == 0 { execute(db, FIRST_VERSION, (kind, id))? } else { execute(db, NEXT_VERSION, (kind, id, int(before)))? };
    if raised == 0 { Err(CommitError::Conflict.into()) } else { Ok(before + 1) }
}

/// Raises a key's version by so much, and answers it.
pub(super) fn raise(db: &Connection, key: Key, by: u64) -> Result<u64> {
    db.prepare_cached(RAISE)?.query_row((u8::from(key.kind), key.id.as_bytes(), int(by)), |row| Columns::of(row).count())
}

/// Gives a key its first version, if it has none.
pub(super) fn begin(db: &Connection, key: Key) -> Result<()> {
    execute(db, FIRST_VERSION, (u8::from(key.kind), key.id.as_bytes())).map(drop)
}

/// Carries out what is a matter of this database, and puts the rest into its outbox.
fn touched<W: Rows>(database: &'static str, db: &Connection, commit: &Commit<W>, write: Uuid, touch: &Touch) -> Result<Option<Outboxed>> {
    let effect = match touch {
        Touch::Key(key) | Touch::Found(key, _) => Effect::Changed { key: *key, version: commit.write.touch(db, *key)? },
        Touch::FanOut { author, post } => Effect::FanOut { author: *author, post: *post },
        Touch::Standing(person) => Effect::Standing(*person),
        Touch::Audit(entry) if database == users::DATABASE => return audit::note(db, entry).map(|()| None),
        Touch::Verdict(case) => Effect::Verdict(*case),
        Touch::Audit(entry) => Effect::Audit { origin: commit.key.kind, entry: entry.clone() },
    };
    let bytes = postcard::to_stdvec(&effect).expect("an effect is ids and texts, which can always be encoded");
    let (slot, at) = (commit.guard.slot, commit.now);
    let id = db.prepare_cached(INSERT_OUTBOX)?.query_row((write.as_bytes(), slot.number(), at.0, bytes), |row| row.get(0))?;
    Ok(Some(Outboxed { id, slot, at, effect }))
}

/// Reads a row of the outbox.
pub(super) fn outboxed(row: &Row<'_>) -> Result<Outboxed> {
    let mut columns = Columns::of(row);
    let (id, slot, at) = (columns.take()?, columns.slot()?, columns.time()?);
    let effect =
        postcard::from_bytes(row.get_ref(3)?.as_blob()?).map_err(|e| Error::FromSqlConversionFailure(3, Type::Blob, Box::new(e)))?;
    Ok(Outboxed { id, slot, at, effect })
}

/// What a finished request under this idempotency key answered.
pub(super) fn record(db: &Connection, subject: UserId, route: &str, key: &str) -> Result<Option<Record>> {
    optional(db, RECORD, (subject.0.as_bytes(), route, key), |row| {
        let mut columns = Columns::of(row);
        Ok(Record {
            fingerprint: columns.take()?,
            outcome: if columns.take::<String>()? == "created" { Outcome::Created } else { Outcome::Done },
            version: columns.count()?,
            body: columns.take::<Vec<u8>>()?.into(),
            write: columns.id()?,
        })
    })
}

fn insert_record(db: &Connection, new: &NewRecord, write: Uuid, now: Timestamp) -> Result<()> {
    let outcome = match new.outcome {
        Outcome::Created => "created",
        Outcome::Done => "done",
    };
    let request = &new.idempotency;
    let params = rusqlite::params![
        new.subject.0.as_bytes(),
        request.route,
        request.key,
        request.fingerprint,
        outcome,
        int(new.version),
        &new.body[..],
        write.as_bytes(),
        now.0
    ];
    execute(db, INSERT_RECORD, params).map(drop)
}
