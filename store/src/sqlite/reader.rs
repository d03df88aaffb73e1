//! The threads that read a database, each over a connection of its own that cannot write.

use super::queue::Intake;
use rusqlite::Connection;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A piece of work for a reader. It answers whoever waits by itself; if it panics, they see the answer's channel closed.
pub(super) type Read = Box<dyn FnOnce(&Connection) + Send>;

/// Reads until the queue is closed.
pub(super) fn run(database: &'static str, db: &Connection, intake: &Intake<Read>) {
    while let Some(read) = intake.wait() {
        if catch_unwind(AssertUnwindSafe(|| read(db))).is_err() {
            tracing::error!(database, "a read panicked");
        }
    }
}
