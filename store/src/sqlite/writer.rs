//! The one thread that writes to a database, by group commit.
//!
//! It takes what waits in its queue as one batch and gives it one transaction, so one sync of the disk pays for all. Each job has a savepoint
//! of its own: one that is refused, or panics, leaves nothing behind and hinders no other. Nobody is answered before the batch's fate is known:
//! also a refusal may rest on what an earlier job of the batch wrote.

use super::fault::{Fault, certainly_not_written, store_error};
use super::queue::{Intake, Next};
use crate::{CommitError, StoreError};
use prometheus::Histogram;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

/// A piece of work for the writer.
pub(super) trait Job: Send {
    /// Does the work. `false` asks for it to be rolled back.
    fn run(&mut self, db: &Connection) -> bool;
    /// Tells whoever waits.
    fn answer(self: Box<Self>, fate: &Fate);
}

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Fate {
    /// What was kept of it is on the disk.
    Durable,
    /// Nothing of it is in the database, nor ever will be.
    NotWritten(StoreError),
    /// Nobody can tell.
    Unknown(StoreError),
}

/// A job made of two closures: one writes, one is told the outcome. The second is called exactly once, whatever happens.
pub(super) struct Task<T, W, A: FnOnce(Result<T, CommitError>)> {
    database: &'static str,
    work: Option<W>,
    outcome: Option<Result<T, CommitError>>,
    answer: Option<A>,
}

impl<T, W, A> Task<T, W, A>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, Fault> + Send,
    A: FnOnce(Result<T, CommitError>) + Send,
{
    pub(super) fn new(database: &'static str, work: W, answer: A) -> Self {
        Self { database, work: Some(work), outcome: None, answer: Some(answer) }
    }
}

impl<T, W, A> Job for Task<T, W, A>
where
    T: Send,
    W: FnOnce(&Connection) -> Result<T, Fault> + Send,
    A: FnOnce(Result<T, CommitError>) + Send,
{
    fn run(&mut self, db: &Connection) -> bool {
        let outcome = self.work.take().map(|work| work(db).map_err(|fault| fault.refusal(self.database)));
        self.outcome = outcome;
        matches!(self.outcome, Some(Ok(_)))
    }

    fn answer(mut self: Box<Self>, fate: &Fate) {
        let unavailable =
            |reason: &str| CommitError::Unavailable(StoreError::Unavailable { database: self.database, reason: reason.to_owned() });
        let outcome = match (fate, self.outcome.take()) {
            (Fate::Durable, Some(outcome)) => outcome,
            (Fate::Durable, None) => Err(unavailable("the write panicked and was rolled back")),
            (Fate::Unknown(error), Some(Ok(_))) => Err(CommitError::Unknown(error.clone())),
            (Fate::NotWritten(error) | Fate::Unknown(error), _) => Err(CommitError::Unavailable(error.clone())),
        };
        if let Some(answer) = self.answer.take() {
            answer(outcome);
        }
    }
}

impl<T, W, A: FnOnce(Result<T, CommitError>)> Drop for Task<T, W, A> {
    fn drop(&mut self) {
        if let Some(answer) = self.answer.take() {
            let error = StoreError::Unavailable { database: self.database, reason: "it was closed".to_owned() };
            // Work that was never begun has certainly written nothing.
            answer(Err(if self.work.is_some() { CommitError::Unavailable(error) } else { CommitError::Unknown(error) }));
        }
    }
}

/// What the writer's thread works with.
pub(super) struct Writer {
    pub(super) database: &'static str,
    pub(super) db: Connection,
    pub(super) intake: Intake<Box<dyn Job>>,
    pub(super) batch_max: usize,
    pub(super) batch_size: Histogram,
    /// They end before the writer closes the database: the last connection to close must be one that may write, or the log stays.
    pub(super) readers: Vec<JoinHandle<()>>,
}

impl Writer {
    /// Works until the queue is closed, then leaves a database without a log behind.
    pub(super) fn run(mut self) {
        let mut batch = Vec::with_capacity(self.batch_max);
        let mut open = true;
        while open && let Some(first) = self.intake.wait() {
            batch.push(first);
            while batch.len() < self.batch_max {
                match self.intake.look() {
                    Next::Job(job) => batch.push(job),
                    Next::Empty => break,
                    Next::Closed => {
                        open = false;
                        break;
                    }
                }
            }
            self.carry_out(&mut batch);
        }
        for reader in self.readers.drain(..) {
            // A reader that panicked outside a job was reported by the panic's hook; there is nothing left to do for it.
            let _ = reader.join();
        }
        if let Err(error) = self.db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())) {
            tracing::warn!(database = self.database, %error, "the log stays, and is read at the next start");
        }
    }

    /// Gives a batch its transaction, and answers all of it.
    fn carry_out(&self, batch: &mut Vec<Box<dyn Job>>) {
        self.batch_size.observe(batch.len() as f64);
        let fate = self.transaction(batch);
        if let Fate::NotWritten(error) | Fate::Unknown(error) = &fate {
            tracing::error!(database = self.database, writes = batch.len(), %error, ?fate, "a batch of writes failed");
        }
        for job in batch.drain(..) {
            job.answer(&fate);
        }
    }

    fn transaction(&self, batch: &mut [Box<dyn Job>]) -> Fate {
        if let Err(error) = self.execute("BEGIN IMMEDIATE") {
            return Fate::NotWritten(self.error(&error));
        }
        for job in batch {
            if let Err(error) = self.savepoint(job.as_mut()) {
                self.roll_back();
                return Fate::NotWritten(error);
            }
        }
        match self.execute("COMMIT") {
            Ok(()) => Fate::Durable,
            Err(error) => {
                self.roll_back();
                let reason = self.error(&error);
                if certainly_not_written(&error) { Fate::NotWritten(reason) } else { Fate::Unknown(reason) }
            }
        }
    }

    /// Does one job within the transaction. An error means that the transaction as a whole is lost.
    fn savepoint(&self, job: &mut dyn Job) -> Result<(), StoreError> {
        self.execute("SAVEPOINT job").map_err(|e| self.error(&e))?;
        let keep = catch_unwind(AssertUnwindSafe(|| job.run(&self.db))).unwrap_or_else(|_| {
            tracing::error!(database = self.database, "a write panicked");
            false
        });
        // A full disk or a failing one can make SQLite roll back everything, with all that the batch wrote before.
        if self.db.is_autocommit() {
            let reason = "SQLite rolled the transaction back".to_owned();
            return Err(StoreError::Unavailable { database: self.database, reason });
        }
        if !keep {
            self.execute("ROLLBACK TO job").map_err(|e| self.error(&e))?;
        }
        self.execute("RELEASE job").map_err(|e| self.error(&e))
    }

    fn roll_back(&self) {
        if !self.db.is_autocommit()
            && let Err(error) = self.execute("ROLLBACK")
        {
            tracing::error!(database = self.database, %error, "a transaction could not be rolled back");
        }
    }

    fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.db.prepare_cached(sql)?.execute([]).map(drop)
    }

    fn error(&self, error: &rusqlite::Error) -> StoreError {
        store_error(self.database, error)
    }
}

#[cfg(test)]
mod tests {
    use super::super::queue::{Queue, queue};
    use super::*;
    use prometheus::{HistogramOpts, IntGauge};
    use std::sync::mpsc;

    /// A writer that has not been started, so that a test decides what comes into one batch.
    struct Bench {
        queue: Queue<Box<dyn Job>>,
        writer: Writer,
        answers: mpsc::Receiver<(u32, Result<(), CommitError>)>,
        tell: mpsc::Sender<(u32, Result<(), CommitError>)>,
    }

    impl Bench {
        fn new(schema: &str) -> Self {
            let db = Connection::open_in_memory().expect("memory");
            db.execute_batch(schema).expect("a schema");
            let depth = IntGauge::new("depth", "d").expect("a gauge");
            let (queue, intake) = queue("test", 64, depth);
            let batch_size = Histogram::with_opts(HistogramOpts::new("size", "s")).expect("a histogram");
            let (tell, answers) = mpsc::channel();
            Self { queue, writer: Writer { database: "test", db, intake, batch_max: 64, batch_size, readers: Vec::new() }, answers, tell }
        }

        fn put(&self, name: u32, work: impl FnOnce(&Connection) -> Result<(), Fault> + Send + 'static) {
            let tell = self.tell.clone();
            let answer = move |outcome| tell.send((name, outcome)).expect("the test listens");
            self.queue.submit(Box::new(Task::new("test", work, answer))).expect("there is room");
        }

        fn batch(&self) -> Vec<(u32, Result<(), CommitError>)> {
            let mut batch = Vec::new();
            while let Next::Job(job) = self.writer.intake.look() {
                batch.push(job);
            }
            self.writer.carry_out(&mut batch);
            self.answers.try_iter().collect()
        }

        fn rows(&self) -> Vec<u32> {
            let mut statement = self.writer.db.prepare("SELECT n FROM t ORDER BY n").expect("a table");
            statement.query_map([], |r| r.get(0)).expect("rows").collect::<Result<_, _>>().expect("numbers")
        }
    }

    fn insert(n: u32) -> impl FnOnce(&Connection) -> Result<(), Fault> + Send {
        move |db| Ok(db.execute("INSERT INTO t (n) VALUES (?1)", [n]).map(drop)?)
    }

    #[test]
    fn a_refused_and_a_panicking_job_hinder_no_other() {
        let bench = Bench::new("CREATE TABLE t (n INTEGER)");
        bench.put(1, insert(1));
        bench.put(2, |db| {
            insert(2)(db)?;
            Err(CommitError::Conflict.into())
        });
        bench.put(3, |db| {
            insert(3)(db)?;
            panic!("on purpose")
        });
        bench.put(4, insert(4));
        let answers = bench.batch();
        assert!(
            matches!(answers[..], [(1, Ok(())), (2, Err(CommitError::Conflict)), (3, Err(CommitError::Unavailable(_))), (4, Ok(()))]),
            "{answers:?}"
        );
        assert_eq!(bench.rows(), [1, 4]);
    }

    #[test]
    fn a_failed_commit_is_nobodys_success_and_the_next_batch_is_carried_out() {
        let bench = Bench::new(
            "PRAGMA foreign_keys = ON; CREATE TABLE t (n INTEGER); CREATE TABLE p (id INTEGER PRIMARY KEY);
            CREATE TABLE c (p INTEGER REFERENCES p (id) DEFERRABLE INITIALLY DEFERRED)",
        );
        bench.put(1, insert(1));
        bench.put(2, |db| Ok(db.execute("INSERT INTO c (p) VALUES (7)", []).map(drop)?));
        bench.put(3, |_| Err(CommitError::Conflict.into()));
        let answers = bench.batch();
        assert!(answers.iter().all(|(_, a)| matches!(a, Err(CommitError::Unavailable(_)))), "{answers:?}");
        bench.put(4, insert(4));
        assert!(matches!(bench.batch()[..], [(4, Ok(()))]));
        assert_eq!(bench.rows(), [4]);
    }

    #[test]
    fn a_full_disk_refuses_what_does_not_fit_and_passes() {
        let bench = Bench::new("CREATE TABLE t (n INTEGER); CREATE TABLE b (x BLOB); PRAGMA max_page_count = 20");
        bench.put(1, insert(1));
        bench.put(2, |db| Ok(db.execute("INSERT INTO b (x) VALUES (zeroblob(1000000))", []).map(drop)?));
        let answers = bench.batch();
        assert!(matches!(answers[1], (2, Err(CommitError::Unavailable(_)))), "{answers:?}");
        bench.put(3, |db| {
            db.query_row("PRAGMA max_page_count = 1000", [], |_| Ok(()))?;
            Ok(db.execute("INSERT INTO b (x) VALUES (zeroblob(1000000))", []).map(drop)?)
        });
        assert!(matches!(bench.batch()[..], [(3, Ok(()))]));
        // Whoever was told that it is written finds it written, and nobody else does.
        assert_eq!(bench.rows().len(), usize::from(answers[0].1.is_ok()));
    }

    #[test]
    fn an_unknown_fate_is_unknown_only_to_what_would_have_been_kept() {
        let error = || StoreError::Unavailable { database: "test", reason: "sync".to_owned() };
        let answer_to = |outcome: Result<(), CommitError>| {
            let (tell, answers) = mpsc::channel();
            let work = |_: &Connection| Ok::<_, Fault>(());
            let task = Task {
                database: "test",
                work: None.or(Some(work)),
                outcome: Some(outcome),
                answer: Some(move |o| tell.send(o).expect("open")),
            };
            Box::new(task).answer(&Fate::Unknown(error()));
            answers.recv().expect("an answer")
        };
        assert!(matches!(answer_to(Ok(())), Err(CommitError::Unknown(_))));
        assert!(matches!(answer_to(Err(CommitError::Unchanged)), Err(CommitError::Unavailable(_))));
    }

    #[test]
    fn a_job_that_is_never_begun_is_answered() {
        let bench = Bench::new("CREATE TABLE t (n INTEGER)");
        bench.put(1, insert(1));
        let Bench { queue, writer, answers, tell } = bench;
        drop((queue, writer, tell));
        assert!(matches!(answers.recv(), Ok((1, Err(CommitError::Unavailable(_))))));
    }
}
