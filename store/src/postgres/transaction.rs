//! The write protocol's one transaction, in one round trip.
//!
//! BEGIN, the guard, the rows, the touches and COMMIT are sent at once, without waiting for an answer in between. A statement whose expectation does
//! not hold raises an error in the server, which then refuses everything behind it and turns the COMMIT into a rollback. So no lock is ever
//! held while the client thinks, is paused or has died, and a transaction that was begun ends without it.
//!
//! The order is that of [`crate::commit`] but for one thing: a key that is only raised, without an expectation, is raised with the touched ones, in
//! one statement at the end. It takes its locks in the order of the keys, so two people who follow each other at once wait and do not deadlock; and
//! what many commits touch, such as a list's generation, is locked for the shortest time.

use super::column::{At, Columns, Param, int, params, slot, statements};
use super::connection::Connection;
use super::fault::{Fault, REFUSED, certainly_not_written, is_transient};
use super::pipeline::{self, Lost};
use super::users;
use crate::commit::NewRecord;
use crate::trace;
use crate::{Commit, CommitError, Committed, Effect, Expect, Guard, Outboxed, Record, StoreError, Touch};
use protocol::{Epoch, Key, Outcome, Timestamp};
use std::borrow::Cow;
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Error, Row};
use uuid::Uuid;

/// A statement that refuses the whole write if it finds no row: an UPDATE, INSERT or DELETE (which RETURNs) or a SELECT.
macro_rules! require {
    ($sql:literal) => {
        concat!("WITH step AS (", $sql, ") SELECT CASE WHEN NOT EXISTS (SELECT 1 FROM step) THEN refuse('') END")
    };
}
pub(super) use require;

/// Requires that rows have the versions that they were read at, and holds them there until the transaction ends; see [`as_they_were`].
macro_rules! same {
    ($table:literal) => {
        concat!(
            "WITH same AS (SELECT t.id FROM ",
            $table,
            " AS t JOIN unnest($1::uuid[], $2::bigint[]) AS w (id, version) ON w.id = t.id AND w.version = t.version ORDER BY t.id FOR SHARE OF t)
             SELECT CASE WHEN (SELECT count(*) FROM same) <> cardinality($1) THEN refuse('') END"
        )
    };
}
pub(super) use same;

/// Refuses the write unless all of these rows have these versions. The statement is made by [`same!`].
pub(super) fn as_they_were<'w>(sql: &'static str, rows: impl Iterator<Item = (Uuid, u64)>) -> Step<'w> {
    let (ids, versions): (Vec<_>, Vec<_>) = rows.map(|(id, version)| (id, int(version))).unzip();
    Step::or(sql, params![ids, versions], CommitError::Conflict)
}

/// Raises keys and puts effects into the outbox, in the order that they are given in. A touch without an effect is the commit's own key; one without
/// a key is an effect alone. A key that is given several times has a version each time. Keys of the kinds given here have rows of their own, which
/// were written before, and the query says their versions.
macro_rules! touching {
    ($kinds:literal, $rows:literal) => {
        concat!(
            "WITH touch AS (
               SELECT * FROM unnest($1::smallint[], $2::uuid[], $3::bytea[]) WITH ORDINALITY AS t (kind, id, effect, place)
             ), written AS (",
            $rows,
            "), raised AS (
               INSERT INTO key_version AS k (kind, id, version)
               SELECT kind, id, count(*) FROM touch WHERE kind IS NOT NULL AND kind <> ALL (ARRAY[",
            $kinds,
            "]::smallint[]) GROUP BY kind, id ORDER BY kind, id
               ON CONFLICT (kind, id) DO UPDATE SET version = k.version + excluded.version
               RETURNING kind, id, version
             ), numbered AS (
               SELECT t.place, t.effect, coalesce(w.version,
                 r.version - count(*) OVER (PARTITION BY t.kind, t.id) + row_number() OVER (PARTITION BY t.kind, t.id ORDER BY t.place)) AS version
               FROM touch AS t LEFT JOIN raised AS r ON r.kind = t.kind AND r.id = t.id LEFT JOIN written AS w ON w.kind = t.kind AND w.id = t.id
             ), put AS (
               INSERT INTO outbox (write_id, slot, at, effect, version)
               SELECT $4, $5, $6, effect, version FROM numbered WHERE effect IS NOT NULL ORDER BY place
               RETURNING id, version
             )
             SELECT 0::bigint, version FROM numbered WHERE effect IS NULL
             UNION ALL SELECT id, version FROM put ORDER BY 1"
        )
    };
}
pub(super) use touching;

statements! {
    /// The lock in share mode makes who raises the epoch wait for this transaction, and this one for who is raising it.
    GUARD = "WITH guard AS (SELECT epoch FROM slot_epoch WHERE slot = $1 FOR SHARE)
             SELECT CASE WHEN (SELECT epoch FROM guard) IS DISTINCT FROM $2 THEN refuse(coalesce((SELECT epoch FROM guard), 0)::text) END";
    INSERT_RECORD = "INSERT INTO idempotency (subject, route, key, fingerprint, outcome, version, body, write_id, at)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    FIRST_VERSION = require!("INSERT INTO key_version (kind, id, version) VALUES ($1, $2, 1) ON CONFLICT (kind, id) DO NOTHING RETURNING 1");
    NEXT_VERSION = require!("UPDATE key_version SET version = version + 1 WHERE kind = $1 AND id = $2 AND version = $3 RETURNING 1");
    BEGIN_VERSION = "INSERT INTO key_version (kind, id, version) VALUES ($1, $2, 1) ON CONFLICT (kind, id) DO NOTHING";
    REFUSE = "SELECT refuse('')";
    RECORD = "SELECT fingerprint, outcome, version, body, write_id FROM idempotency WHERE subject = $1 AND route = $2 AND key = $3";
}

/// What it means that a statement failed.
#[derive(Clone, Default)]
struct Meaning {
    /// Its expectation does not hold.
    refused: Option<CommitError>,
    /// A unique constraint (its name, and the name of what is taken).
    taken: &'static [(&'static str, &'static str)],
    /// A row that it refers to is not there.
    orphan: Option<&'static str>,
    /// Its expectation is that what was seen is still so.
    is_as_seen: bool,
}

/// A statement of a write.
pub(super) struct Step<'w> {
    sql: Cow<'static, str>,
    params: Vec<Param<'w>>,
    meaning: Meaning,
}

impl<'w> Step<'w> {
    /// A statement that is expected to succeed, whatever number of rows it finds.
    pub(super) fn new(sql: &'static str, params: Vec<Param<'w>>) -> Self {
        Self { sql: sql.into(), params, meaning: Meaning::default() }
    }

    /// A statement made by [`require!`], and what the write is told if it finds no row.
    pub(super) fn or(sql: &'static str, params: Vec<Param<'w>>, refused: CommitError) -> Self {
        Self { meaning: Meaning { refused: Some(refused), ..Meaning::default() }, ..Self::new(sql, params) }
    }

    /// A statement that refuses if what the question saw is not so any more: then the write is planned again.
    pub(super) fn as_seen(sql: &'static str, params: Vec<Param<'w>>) -> Self {
        Self { meaning: Meaning { is_as_seen: true, ..Meaning::default() }, ..Self::new(sql, params) }
    }

    /// Refuses the write in its turn, behind the guard, the idempotency record and the versions.
    pub(super) fn refuse(refused: CommitError) -> Self {
        Self::or(REFUSE, Vec::new(), refused)
    }

    /// Names the unique constraints that mean that a value is taken. Of any other, the row exists already, which is a conflict of versions.
    pub(super) fn taken(mut self, taken: &'static [(&'static str, &'static str)]) -> Self {
        self.meaning.taken = taken;
        self
    }

    /// Names what is missing if a row that this one refers to is not there.
    pub(super) fn orphan(mut self, missing: &'static str) -> Self {
        self.meaning.orphan = Some(missing);
        self
    }
}

/// A domain's writes.
pub(super) trait Rows: Send + Sync + 'static {
    /// The key that has the row which this write replaces or makes, and the row's next version; `None` where no such row is the commit's own.
    fn row(&self) -> Option<(Key, u64)>;

    /// The statement that carries out the touches, made by [`touching!`].
    const TOUCH: &str = touching!("", "SELECT NULL::smallint AS kind, NULL::uuid AS id, NULL::bigint AS version WHERE false");

    /// The kind of which many rows are compared with what is kept of them elsewhere, and the query for their versions.
    const VERSIONS: (protocol::Kind, &str);

    /// A query whose rows [`Rows::steps`] needs, asked just before the transaction. For what cannot change without the version that the write
    /// expects, or is looked at again by a step made by [`Step::as_seen`]: whatever is committed rests on what is still so.
    fn question(&self) -> Option<Question<'_>> {
        None
    }

    /// The statements that write the rows, in order. A row with a version is replaced only if it had the one before. `seen` are the question's rows.
    fn steps(&self, now: Timestamp, seen: &[Row]) -> Result<Vec<Step<'_>>, Fault>;

    /// Keys of others whose rows the write changes by what it has seen: they are touched like those that the decision named.
    fn ripple(&self, _seen: &[Row]) -> Result<Vec<Key>, Fault> {
        Ok(Vec::new())
    }
}

/// A query with its values.
pub(super) struct Question<'w> {
    pub(super) sql: &'static str,
    pub(super) values: Vec<Param<'w>>,
    /// Then it is asked only once a step made by [`Step::as_seen`] has found that there are rows: a write without any keeps its one round trip.
    pub(super) is_mostly_empty: bool,
}

/// How an attempt at a commit failed.
pub(super) enum Failure {
    /// For good.
    Refused(CommitError),
    /// The idempotency key was used: by which request, is to be read.
    Replayed,
    /// Nothing was written, for a reason that may be gone at once.
    Transient(Error),
    /// Nothing was written, because what was seen before is not so any more.
    Stale,
}

/// Sends a commit, and says what became of it. `is_first` where it was not tried before.
pub(super) async fn carry_out<W: Rows>(
    database: &'static str,
    connection: &Connection,
    commit: &Commit<W>,
    is_first: bool,
) -> Result<Committed, Failure> {
    // Until COMMIT is sent, nothing was written.
    let not_begun = |fault: Fault| match fault {
        Fault::Sql(error) => not_written(database, error),
        fault => Failure::Refused(CommitError::Unavailable(fault.store_error(database))),
    };
    let seen = match commit.write.question() {
        Some(Question { sql, values, is_mostly_empty }) if !(is_first && is_mostly_empty) => {
            connection.query(sql.into(), &borrowed(&values)).await.map_err(not_begun)?
        }
        _ => Vec::new(),
    };
    let plan = Plan::of(database, commit, &seen)?;
    let steps = &plan.steps;
    trace::sql(steps.iter().map(|step| &*step.sql));
    let statements: Vec<_> = steps.iter().map(|step| step.sql.clone()).collect();
    let statements = connection.prepare_all(&statements).await.map_err(not_begun)?;
    let unknown = |fault: Fault| Failure::Refused(CommitError::Unknown(fault.store_error(database)));

    let values: Vec<_> = steps.iter().map(|step| borrowed(&step.params)).collect();
    let answers = match pipeline::transact(connection, "BEGIN", statements.iter().zip(&values)).await {
        Ok(answers) => answers,
        Err(Lost::NotSent(error)) => return Err(not_written(database, error)),
        Err(Lost::Silent) => return Err(unknown(Fault::Silent)),
    };

    let commit_place = answers.len() - 1;
    let mut touched = Vec::new();
    for (place, answer) in answers.into_iter().enumerate() {
        match answer {
            // The touches come last, so their rows are what is left.
            Ok(rows) if place < commit_place => touched = rows,
            Ok(_) => {}
            Err(error) => {
                return Err(match error.as_db_error() {
                    // Whatever failed before COMMIT stopped it.
                    Some(fault) if place < commit_place => {
                        let meaning = place.checked_sub(1).map(|step| &plan.steps[step].meaning);
                        plan.failure(database, place.checked_sub(1), meaning, fault).unwrap_or_else(|| not_written(database, error))
                    }
                    Some(fault) if certainly_not_written(fault.code()) => not_written(database, error),
                    _ => unknown(error.into()),
                });
            }
        }
    }
    plan.committed(commit, &touched).map_err(unknown)
}

/// Values as the library takes them.
pub(super) fn borrowed<'a>(values: &'a [Param<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    values.iter().map(|value| &**value as &(dyn ToSql + Sync)).collect()
}

fn not_written(database: &'static str, error: Error) -> Failure {
    // A connection that ended before anything was written is one that another replaces.
    if error.is_closed() || error.code().is_some_and(is_transient) {
        Failure::Transient(error)
    } else {
        Failure::Refused(CommitError::Unavailable(Fault::from(error).store_error(database)))
    }
}

/// A commit as statements.
struct Plan<'w> {
    steps: Vec<Step<'w>>,
    /// Where the idempotency record is made.
    record: Option<usize>,
    /// The own key's version after the commit, if it is known before.
    version: Option<u64>,
    /// What goes into the outbox; the versions of changed keys are open still.
    effects: Vec<Effect>,
}

impl<'w> Plan<'w> {
    fn of<W: Rows>(database: &'static str, commit: &'w Commit<W>, seen: &[Row]) -> Result<Self, Failure> {
        let unavailable = |error| Failure::Refused(CommitError::Unavailable(error));
        let write = Uuid::now_v7();
        let mut steps = vec![guard(commit.guard)];
        let record = commit.record.as_ref().map(|new| {
            steps.push(insert_record(new, write, commit.now));
            steps.len() - 1
        });
        let version = match (commit.expect, commit.write.row()) {
            (Expect::Row, Some((key, version))) if key == commit.key => Some(version),
            (Expect::Row, _) => {
                let reason = "incoherent commit: the key has no row in this write".to_owned();
                return Err(unavailable(StoreError::Unavailable { database, reason }));
            }
            (Expect::Version(before), _) => {
                steps.push(raise_from(commit.key, before));
                Some(before + 1)
            }
            (Expect::Any, _) => None,
        };
        steps.extend(commit.write.steps(commit.now, seen).map_err(|fault| unavailable(fault.store_error(database)))?);
        let mut effects = Vec::with_capacity(commit.touches.len());
        for touch in &commit.touches {
            match touch {
                Touch::Audit(entry) if database == users::DATABASE => steps.push(users::audit::note(entry)),
                touch => effects.push(effect(commit.key, touch)),
            }
        }
        let rippled = commit.write.ripple(seen).map_err(|fault| unavailable(fault.store_error(database)))?;
        effects.extend(rippled.into_iter().map(|key| Effect::Changed { key, version: 0 }));
        if version.is_none() || !effects.is_empty() {
            steps.push(touch_all(commit, version.is_none(), &effects, write));
        }
        Ok(Self { steps, record, version, effects })
    }

    /// What it means that a step failed; `None` if it means nothing in particular.
    fn failure(&self, database: &'static str, step: Option<usize>, meaning: Option<&Meaning>, fault: &DbError) -> Option<Failure> {
        let (step, meaning) = step.zip(meaning)?;
        let refused = |error| Some(Failure::Refused(error));
        match fault.code() {
            code if code.code() == REFUSED && step == 0 => {
                let epoch = fault.detail().and_then(|detail| detail.parse().ok()).unwrap_or_default();
                refused(CommitError::Fenced(Epoch(epoch)))
            }
            code if code.code() == REFUSED && meaning.is_as_seen => Some(Failure::Stale),
            code if code.code() == REFUSED => match &meaning.refused {
                Some(error) => refused(error.clone()),
                None => {
                    let reason = "a statement refused what it did not require".to_owned();
                    refused(CommitError::Unavailable(StoreError::Unavailable { database, reason }))
                }
            },
            code if *code == SqlState::UNIQUE_VIOLATION && self.record == Some(step) => Some(Failure::Replayed),
            code if *code == SqlState::UNIQUE_VIOLATION => {
                let taken = meaning.taken.iter().find(|(constraint, _)| fault.constraint() == Some(constraint));
                refused(taken.map_or(CommitError::Conflict, |(_, name)| CommitError::Taken(name)))
            }
            code if *code == SqlState::FOREIGN_KEY_VIOLATION => meaning.orphan.map(|name| Failure::Refused(CommitError::Missing(name))),
            _ => None,
        }
    }

    /// Puts together what was committed. `touched` are the rows of the last statement.
    fn committed<W>(self, commit: &Commit<W>, touched: &[Row]) -> Result<Committed, Fault> {
        let mut rows = touched.iter();
        let version = match self.version {
            Some(version) => version,
            None => {
                let row = rows.next().ok_or_else(|| Fault::Corrupt("the own key was not raised".to_owned()))?;
                Columns::from(row, 1).count()?
            }
        };
        let mut effects = Vec::with_capacity(self.effects.len());
        // Without effects, the rows are another statement's.
        for (effect, row) in self.effects.into_iter().zip(rows) {
            let mut columns = Columns::of(row);
            let (id, raised) = (columns.take()?, columns.take()?);
            effects.push(Outboxed { id, slot: commit.guard.slot, at: commit.now, effect: with_version(effect, raised) });
        }
        Ok(Committed { version, effects })
    }
}

fn guard(guard: Guard) -> Step<'static> {
    Step::new(GUARD, params![slot(guard.slot), int(guard.epoch.0)])
}

fn kind(key: Key) -> i16 {
    i16::from(u8::from(key.kind))
}

fn raise_from<'w>(key: Key, before: u64) -> Step<'w> {
    match before {
        0 => Step::or(FIRST_VERSION, params![kind(key), key.id], CommitError::Conflict),
        before => Step::or(NEXT_VERSION, params![kind(key), key.id, int(before)], CommitError::Conflict),
    }
}

/// Gives a key its first version, if it has none.
pub(super) fn begin<'w>(key: Key) -> Step<'w> {
    Step::new(BEGIN_VERSION, params![kind(key), key.id])
}

/// The effect of a touch, its version still open.
fn effect(own: Key, touch: &Touch) -> Effect {
    match touch {
        Touch::Key(key) | Touch::Found(key, _) => Effect::Changed { key: *key, version: 0 },
        Touch::FanOut { author, post } => Effect::FanOut { author: *author, post: *post },
        Touch::Standing(person) => Effect::Standing(*person),
        Touch::Verdict(case) => Effect::Verdict(*case),
        Touch::Audit(entry) => Effect::Audit { origin: own.kind, entry: entry.clone() },
    }
}

fn with_version(effect: Effect, raised: Option<i64>) -> Effect {
    match (effect, raised.and_then(|version| u64::try_from(version).ok())) {
        (Effect::Changed { key, .. }, Some(version)) => Effect::Changed { key, version },
        (effect, _) => effect,
    }
}

fn touch_all<'w, W: Rows>(commit: &Commit<W>, raise_own: bool, effects: &[Effect], write: Uuid) -> Step<'w> {
    let (mut kinds, mut ids, mut encoded) = (Vec::new(), Vec::new(), Vec::new());
    let mut push = |key: Option<Key>, effect: Option<Vec<u8>>| {
        kinds.push(key.map(kind));
        ids.push(key.map(|key| key.id));
        encoded.push(effect);
    };
    if raise_own {
        push(Some(commit.key), None);
    }
    for effect in effects {
        let key = if let Effect::Changed { key, .. } = effect { Some(*key) } else { None };
        push(key, Some(postcard::to_stdvec(effect).expect("an effect is ids and texts, which can always be encoded")));
    }
    Step::new(W::TOUCH, params![kinds, ids, encoded, write, slot(commit.guard.slot), At(commit.now)])
}

fn insert_record(new: &NewRecord, write: Uuid, now: Timestamp) -> Step<'_> {
    let outcome = match new.outcome {
        Outcome::Created => "created",
        Outcome::Done => "done",
    };
    let request = &new.idempotency;
    Step::new(
        INSERT_RECORD,
        params![
            new.subject.0,
            &*request.route,
            &*request.key,
            &request.fingerprint[..],
            outcome,
            int(new.version),
            &new.body[..],
            write,
            At(now)
        ],
    )
}

/// Reads an idempotency record.
pub(super) fn record(row: &Row) -> Result<Record, Fault> {
    let mut columns = Columns::of(row);
    Ok(Record {
        fingerprint: columns.hash()?,
        outcome: if columns.take::<&str>()? == "created" { Outcome::Created } else { Outcome::Done },
        version: columns.count()?,
        body: columns.take::<Vec<u8>>()?.into(),
        write: columns.id()?,
    })
}

/// Reads a row of the outbox.
pub(super) fn outboxed(row: &Row) -> Result<Outboxed, Fault> {
    let mut columns = Columns::of(row);
    let (id, slot, at) = (columns.take()?, columns.slot()?, columns.time()?);
    let effect = postcard::from_bytes(columns.take()?).map_err(|error| Fault::Corrupt(format!("column effect: {error}")))?;
    Ok(Outboxed { id, slot, at, effect: with_version(effect, columns.take()?) })
}

/// An effect as one whole, as it is where no column says its version.
pub(super) fn versioned(effect: &[u8], version: i64) -> Option<Vec<u8>> {
    let effect = with_version(postcard::from_bytes(effect).ok()?, Some(version));
    postcard::to_stdvec(&effect).ok()
}

/// The statement that finds an idempotency record.
pub(super) const FIND_RECORD: &str = RECORD;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::connection::Manager;
    use crate::postgres::{Urls, migrate};
    use bb8::ManageConnection;
    use protocol::{Kind, Slot, UserId};
    use std::time::Duration;

    /// A write of which the second statement is given a text for a number.
    struct Mistaken;

    impl Rows for Mistaken {
        const VERSIONS: (protocol::Kind, &str) = (protocol::Kind::User, "");

        fn row(&self) -> Option<(Key, u64)> {
            None
        }

        fn steps(&self, now: Timestamp, _: &[Row]) -> Result<Vec<Step<'_>>, Fault> {
            let insert = "INSERT INTO outbox (write_id, slot, at, effect) VALUES ($1, 1, $2, '')";
            Ok(vec![Step::new(insert, params![Uuid::nil(), At(now)]), Step::new("SELECT $1::bigint", params!["no number"])])
        }
    }

    /// What is behind it must not be sent: without the mistaken statement, the COMMIT would be carried out.
    #[tokio::test]
    async fn a_value_that_does_not_fit_stops_the_commit_before_it_is_sent() {
        let databases = testbed::postgres::Databases::none();
        let urls = Urls { all: Some(databases.url().to_owned()), ..Urls::default() };
        migrate(&urls, Duration::from_secs(60), false).await.expect("migrated");
        let [_, target, ..] = urls.targets().expect("URLs");
        let manager = Manager::new(target, Duration::from_secs(60), Default::default());
        let connection = manager.connect().await.expect("a connection");
        let key = Key::new(Kind::Timeline, UserId::new());
        let guard = Guard { slot: Slot::of(key.id), epoch: Epoch(0) };
        let commit = Commit { guard, key, expect: Expect::Any, record: None, touches: Vec::new(), write: Mistaken, now: Timestamp(0) };
        let outcome = carry_out("content", &connection, &commit, true).await;
        assert!(matches!(outcome, Err(Failure::Refused(CommitError::Unavailable(_)))));
        assert!(connection.is_broken());
        drop(connection);
        assert_eq!(databases.sql("content", &["SELECT count(*) FROM outbox"]).trim(), "0");
    }
}
