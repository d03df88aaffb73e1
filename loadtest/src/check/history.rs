//! What happened: every write and every read of a run, compactly, on one monotonic clock.

use std::num::NonZeroU32;

/// Nanoseconds since the run began.
pub type Nanos = u64;

/// The number of a key.
pub type Key = u32;

/// The number of a session: one reader or writer, whose operations follow one another.
pub type Session = u16;

/// A value that exactly one write of the run carried: the number of that write, counted from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Value(NonZeroU32);

/// What the writer knows of its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The server answered that the write is version `version`; the answer was whole at `at`.
    Acknowledged {
        /// The version that the server gave.
        version: u64,
        /// When.
        at: Nanos,
    },
    /// The server answered that it did not write.
    Refused,
    /// No answer, or one that leaves it open: the write may have happened, may happen yet, or never.
    Unknown,
}

/// One write. Its value is its place in the history.
#[derive(Clone, Copy, Debug)]
pub struct Write {
    /// What was written.
    pub key: Key,
    /// When the request was about to be sent.
    pub begun: Nanos,
    /// How it ended.
    pub outcome: Outcome,
}

/// What a read was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Seen {
    /// A version with its value; `None` is a value that no write of the run carried.
    Version {
        /// The version that the answer named.
        version: u64,
        /// The value that it showed.
        value: Option<Value>,
        /// The server said that the answer may be behind.
        labelled_stale: bool,
    },
    /// That there is no such thing (404 or 410).
    Missing,
}

/// One read that was answered. Reads of one session stand in the order in which they were made.
#[derive(Clone, Copy, Debug)]
pub struct Read {
    /// Who read.
    pub session: Session,
    /// What was read.
    pub key: Key,
    /// When the request was about to be sent.
    pub begun: Nanos,
    /// The answer.
    pub seen: Seen,
}

/// All of a run.
#[derive(Clone, Debug, Default)]
pub struct History {
    pub(super) writes: Vec<Write>,
    pub(super) reads: Vec<Read>,
}

impl Value {
    const MARKER_PREFIX: &'static str = "lcv-";

    /// The value of the write at `index`.
    fn of_index(index: usize) -> Self {
        let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
        Self(number.expect("a run has fewer than 2^32 writes"))
    }

    /// Where its write stands in [`History::writes`].
    pub fn index(self) -> usize {
        self.0.get() as usize - 1
    }

    /// The text that carries this value through the server.
    pub fn marker(self) -> String {
        format!("{}{:08x}", Self::MARKER_PREFIX, self.0)
    }

    /// The first value that a text carries.
    pub fn find(text: &[u8], finder: &memchr::memmem::Finder<'_>) -> Option<Self> {
        let digits = text.get(finder.find(text)? + Self::MARKER_PREFIX.len()..)?.get(..8)?;
        let number = u32::from_str_radix(str::from_utf8(digits).ok()?, 16).ok()?;
        NonZeroU32::new(number).map(Self)
    }

    /// What [`Value::find`] searches with; build it once.
    pub fn finder() -> memchr::memmem::Finder<'static> {
        memchr::memmem::Finder::new(Self::MARKER_PREFIX)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.marker())
    }
}

impl History {
    /// Records that a write is about to be sent and returns the value that it must carry.
    pub fn begin_write(&mut self, key: Key, begun: Nanos) -> Value {
        self.writes.push(Write { key, begun, outcome: Outcome::Unknown });
        Value::of_index(self.writes.len() - 1)
    }

    /// Records how a write ended. Without this its outcome stays unknown.
    pub fn end_write(&mut self, value: Value, outcome: Outcome) {
        self.writes[value.index()].outcome = outcome;
    }

    /// Records a read that was answered.
    pub fn read(&mut self, read: Read) {
        self.reads.push(read);
    }

    /// All writes; the value of each is its index plus one.
    pub fn writes(&self) -> &[Write] {
        &self.writes
    }

    /// All writes with their values.
    pub fn valued_writes(&self) -> impl Iterator<Item = (Value, &Write)> {
        self.writes.iter().enumerate().map(|(index, write)| (Value::of_index(index), write))
    }

    /// All reads.
    pub fn reads(&self) -> &[Read] {
        &self.reads
    }

    /// The write that carried a value, if the run had that many.
    pub fn write_of(&self, value: Value) -> Option<&Write> {
        self.writes.get(value.index())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_read_is_small() {
        // A run keeps a hundred million of them at most: `--reads` says so, and what each takes.
        assert_eq!(size_of::<Read>(), 32);
    }

    #[test]
    fn a_value_survives_its_journey() {
        let mut history = History::default();
        let first = history.begin_write(0, 0);
        let second = history.begin_write(0, 1);
        assert_ne!(first, second);
        let body = format!(r#"{{"bio":"{} and so on"}}"#, second.marker());
        assert_eq!(Value::find(body.as_bytes(), &Value::finder()), Some(second));
        assert_eq!(Value::find(b"lcv-0000000", &Value::finder()), None);
        assert_eq!(Value::find(b"lcv-00000000", &Value::finder()), None);
        assert_eq!(Value::find(b"lcv-0000zz00", &Value::finder()), None);
    }

    proptest! {
        #[test]
        fn finding_never_panics(text in "(lcv-)?[0-9a-f\u{0}é]{0,20}") {
            Value::find(text.as_bytes(), &Value::finder());
        }
    }
}
