//! The domain databases: a row for each key, and the epochs that guard them.

use crate::owner::{Ask, Query};
use crate::sabotage::Sabotage;
use protocol::{Epoch, Slot};

/// What a client writes: unique, so it says which write is seen, and is its idempotency key.
pub(crate) type Value = u32;

/// A row as it is stored and cached. Version 0 is the row that was there before the first write.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Row {
    /// Raised by each commit.
    pub version: u32,
    /// Of the last write.
    pub value: Value,
}

/// What became of a commit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Landed {
    /// The row is at this version by this very write, now or since before.
    Committed(u32),
    /// The guard refused it: the slot is at this epoch.
    Fenced(Epoch),
    /// The row is at another version.
    Conflict,
}

/// What a query was answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DomainAnswer {
    Loaded(Row, Option<u32>),
    Landed(Landed),
}

impl DomainAnswer {
    pub(crate) fn loaded(self) -> Option<(Row, Option<u32>)> {
        if let Self::Loaded(row, record) = self { Some((row, record)) } else { None }
    }

    pub(crate) fn landed(self) -> Option<Landed> {
        if let Self::Landed(landed) = self { Some(landed) } else { None }
    }
}

/// How many databases there are. Each holds every second key, and an epoch of every slot.
pub(crate) const DATABASES: usize = 2;

/// All of them. Key k is in slot k.
pub(crate) struct Domain {
    sabotage: Option<Sabotage>,
    epochs: [Vec<Epoch>; DATABASES],
    /// Every value that a key ever had, by version: the audit table.
    audit: Vec<Vec<Value>>,
}

impl Domain {
    pub(crate) fn new(slots: u16, sabotage: Option<Sabotage>) -> Self {
        let count = usize::from(slots);
        Self { sabotage, epochs: std::array::from_fn(|_| vec![Epoch(0); count]), audit: vec![vec![0]; count] }
    }

    /// The row of a key.
    pub(crate) fn row(&self, key: usize) -> Row {
        let versions = &self.audit[key];
        Row { version: u32::try_from(versions.len() - 1).expect("runs are short"), value: versions[versions.len() - 1] }
    }

    /// What a key was at a version, if it ever was.
    pub(crate) fn at(&self, key: usize, version: u32) -> Option<Value> {
        self.audit[key].get(version as usize).copied()
    }

    /// The version that a write made, by its idempotency record.
    pub(crate) fn record(&self, key: usize, value: Value) -> Option<u32> {
        self.audit[key].iter().rposition(|written| *written == value).map(|at| u32::try_from(at).expect("runs are short"))
    }

    /// Carries a query out.
    pub(crate) fn answer(&mut self, query: &Query) -> DomainAnswer {
        match *query {
            Query::Load { key, record } => DomainAnswer::Loaded(self.row(key), record.and_then(|value| self.record(key, value))),
            Query::Commit { key, epoch, seen, request } => {
                let value = if let Ask::Write { value } = request.op.ask { value } else { 0 };
                DomainAnswer::Landed(self.commit(key, epoch, seen, value))
            }
        }
    }

    /// One transaction: guard, idempotency record, compare-and-set, row.
    pub(crate) fn commit(&mut self, key: usize, epoch: Epoch, seen: u32, value: Value) -> Landed {
        let at = self.epochs[key % DATABASES][key];
        let unguarded = matches!(self.sabotage, Some(Sabotage::NoEpochGuard | Sabotage::EpochsNotRaised));
        if epoch != at && !unguarded {
            return Landed::Fenced(at);
        }
        if let Some(version) = self.record(key, value) {
            return Landed::Committed(version);
        }
        if self.row(key).version != seen {
            return Landed::Conflict;
        }
        self.audit[key].push(value);
        Landed::Committed(seen + 1)
    }

    /// Raises one database, and answers what it has that is higher.
    pub(crate) fn raise(&mut self, database: usize, epochs: &[(Slot, Epoch)]) -> Vec<(Slot, Epoch)> {
        let mut higher = Vec::new();
        for (slot, epoch) in epochs {
            let at = &mut self.epochs[database][slot.index()];
            if *at > *epoch {
                higher.push((*slot, *at));
            }
            *at = (*at).max(*epoch);
        }
        higher
    }

    /// What is higher than these epochs in any database.
    pub(crate) fn higher(&self, epochs: &[(Slot, Epoch)]) -> Vec<(Slot, Epoch)> {
        let highest = |slot: &Slot| self.epochs.iter().map(|database| database[slot.index()]).max().unwrap_or_default();
        epochs
            .iter()
            .map(|(slot, epoch)| (*slot, *epoch, highest(slot)))
            .filter(|(_, epoch, at)| at > epoch)
            .map(|(slot, _, at)| (slot, at))
            .collect()
    }

    /// Somebody restores a backup of the cluster's database, or none: this database is ahead of what it says.
    pub(crate) fn jump_ahead(&mut self, slot: Slot, by: u64) {
        for database in &mut self.epochs {
            database[slot.index()].0 += by;
        }
    }
}
