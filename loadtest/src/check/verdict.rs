//! The checker: from a history to its violations. Pure; it knows neither HTTP nor time.
//!
//! 1. No two acknowledged writes of a key share a version, and a write begun after another's acknowledgement gets a
//!    newer one.
//! 2. A read begun after an acknowledgement sees that version or a newer one; for the version that it sees, it sees the
//!    value that the write of that version carried.
//! 3. A session never goes back.
//!
//! A write of unknown outcome may explain a value, never demands one. An answer that the server labelled as stale is
//! held to the agreement of version and value only.

use std::collections::{BTreeMap, HashMap};

use super::history::{History, Key, Nanos, Outcome, Read, Seen, Session, Value};

/// How many violations are kept with their particulars; all are counted.
pub const VIOLATIONS_KEPT_MAX: usize = 1000;

/// A read this soon after an acknowledgement is one that a late publication would fool.
const FRESH_NS: Nanos = 1_000_000;

/// The kind of a violation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Two acknowledged writes of a key share a version.
    SharedVersion,
    /// A write begun after an acknowledgement was given an older version.
    WriteWentBack,
    /// A read begun after an acknowledgement saw an older version.
    StaleRead,
    /// A read saw a value that does not belong to its version.
    WrongValue,
    /// A session saw an older version after a newer one.
    SessionWentBack,
    /// A key with an acknowledged write was answered as missing.
    Missing,
}

impl Rule {
    /// Every rule.
    pub const ALL: [Self; 6] =
        [Self::SharedVersion, Self::WriteWentBack, Self::StaleRead, Self::WrongValue, Self::SessionWentBack, Self::Missing];

    /// What the rule demands, for reports.
    pub fn demand(self) -> &'static str {
        match self {
            Self::SharedVersion => "no two acknowledged writes of a key share a version",
            Self::WriteWentBack => "a write begun after an acknowledgement gets a newer version",
            Self::StaleRead => "a read begun after an acknowledgement sees it or a newer one",
            Self::WrongValue => "a version shows the value that its write carried",
            Self::SessionWentBack => "a session never goes back",
            Self::Missing => "what was acknowledged is not missing",
        }
    }
}

/// One violation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Which rule.
    pub rule: Rule,
    /// On which key.
    pub key: Key,
    /// When the offending operation began.
    pub begun: Nanos,
    /// What was seen, and what should have been.
    pub particulars: String,
}

/// The result of a check.
#[derive(Clone, Debug, Default)]
pub struct Verdict {
    /// How many violations of each rule; rules that held are absent.
    pub violations_by_rule: BTreeMap<Rule, u64>,
    /// The first [`VIOLATIONS_KEPT_MAX`] of them.
    pub violations: Vec<Violation>,
    /// Acknowledged writes.
    pub writes_acknowledged: u64,
    /// Writes that the server refused.
    pub writes_refused: u64,
    /// Writes of unknown outcome.
    pub writes_unknown: u64,
    /// Reads that were answered and held to every rule.
    pub reads_checked: u64,
    /// Reads that the server labelled as stale.
    pub reads_labelled_stale: u64,
    /// Reads begun within 1 ms of an acknowledgement of their key: the check's power against late publication.
    pub reads_fresh: u64,
    /// The longest time between an acknowledgement and the beginning of a read that missed it.
    pub staleness_ns_max: Nanos,
}

impl Verdict {
    /// How many violations there are in all.
    pub fn violations_total(&self) -> u64 {
        self.violations_by_rule.values().sum()
    }

    fn blame(&mut self, rule: Rule, key: Key, begun: Nanos, particulars: impl FnOnce() -> String) {
        *self.violations_by_rule.entry(rule).or_default() += 1;
        if self.violations.len() < VIOLATIONS_KEPT_MAX {
            self.violations.push(Violation { rule, key, begun, particulars: particulars() });
        }
    }
}

/// Checks a history. Takes time in the order of its length, and memory in the order of its writes.
pub fn verify(history: &History) -> Verdict {
    let mut verdict = Verdict::default();
    let keys = acknowledged_by_key(history, &mut verdict);
    check_writes(history, &keys, &mut verdict);
    let nothing = Acknowledged::default();
    let mut sessions = HashMap::new();
    let mut unclaimed = HashMap::new();
    for read in history.reads() {
        let acknowledged = keys.get(&read.key).unwrap_or(&nothing);
        check_read(read, acknowledged, &mut sessions, &mut verdict);
        check_value(read, acknowledged, history, &mut unclaimed, &mut verdict);
    }
    verdict
}

/// The acknowledged writes of one key.
#[derive(Default)]
struct Acknowledged {
    /// By version; of several writes of one version, any.
    values: BTreeMap<u64, Value>,
    /// (when, version), sorted; turned by [`Acknowledged::settle`] into the newest version at that time.
    floor: Vec<(Nanos, u64)>,
}

impl Acknowledged {
    fn settle(&mut self) {
        self.floor.sort_unstable();
        let mut newest = 0;
        for (_, version) in &mut self.floor {
            newest = newest.max(*version);
            *version = newest;
        }
    }

    /// The newest version acknowledged before `begun`, and when its floor was last raised or confirmed.
    fn floor_at(&self, begun: Nanos) -> Option<(Nanos, u64)> {
        let before = self.floor.partition_point(|(at, _)| *at < begun);
        before.checked_sub(1).map(|last| self.floor[last])
    }

    /// When `version` or a newer one was first acknowledged.
    fn reached_at(&self, version: u64) -> Nanos {
        let older = self.floor.partition_point(|(_, newest)| *newest < version);
        self.floor.get(older).map_or(0, |(at, _)| *at)
    }
}

fn check_writes(history: &History, keys: &BTreeMap<Key, Acknowledged>, verdict: &mut Verdict) {
    let mut claims: HashMap<(Key, u64), Value> = HashMap::new();
    for (value, write) in history.valued_writes() {
        let Outcome::Acknowledged { version, .. } = write.outcome else { continue };
        if let Some(other) = claims.insert((write.key, version), value) {
            verdict.blame(Rule::SharedVersion, write.key, write.begun, || {
                format!("{other} and {value} were both acknowledged as version {version}")
            });
        }
        let floor = keys.get(&write.key).and_then(|acknowledged| acknowledged.floor_at(write.begun));
        if let Some((_, newest)) = floor.filter(|(_, newest)| *newest > version) {
            verdict.blame(Rule::WriteWentBack, write.key, write.begun, || {
                format!("{value} was acknowledged as version {version}; {newest} was acknowledged before it began")
            });
        }
    }
}

fn acknowledged_by_key(history: &History, verdict: &mut Verdict) -> BTreeMap<Key, Acknowledged> {
    let mut keys: BTreeMap<Key, Acknowledged> = BTreeMap::new();
    for (value, write) in history.valued_writes() {
        match write.outcome {
            Outcome::Acknowledged { version, at } => {
                verdict.writes_acknowledged += 1;
                let key = keys.entry(write.key).or_default();
                key.values.insert(version, value);
                key.floor.push((at, version));
            }
            Outcome::Refused => verdict.writes_refused += 1,
            Outcome::Unknown => verdict.writes_unknown += 1,
        }
    }
    keys.values_mut().for_each(Acknowledged::settle);
    keys
}

fn check_read(read: &Read, acknowledged: &Acknowledged, sessions: &mut HashMap<(Session, Key), u64>, verdict: &mut Verdict) {
    let floor = acknowledged.floor_at(read.begun);
    let (version, labelled_stale) = match read.seen {
        Seen::Version { version, labelled_stale, .. } => (version, labelled_stale),
        Seen::Missing => {
            verdict.reads_checked += 1;
            if let Some((_, newest)) = floor {
                verdict.blame(Rule::Missing, read.key, read.begun, || format!("version {newest} was acknowledged before the read"));
            }
            return;
        }
    };
    if labelled_stale {
        verdict.reads_labelled_stale += 1;
        return;
    }
    verdict.reads_checked += 1;
    if let Some((at, newest)) = floor {
        verdict.reads_fresh += u64::from(read.begun - at <= FRESH_NS);
        if version < newest {
            let late = read.begun - acknowledged.reached_at(version + 1);
            verdict.staleness_ns_max = verdict.staleness_ns_max.max(late);
            verdict.blame(Rule::StaleRead, read.key, read.begun, || {
                format!("saw version {version}, {late} ns after a newer one was acknowledged (newest: {newest})")
            });
        }
    }
    let last = sessions.entry((read.session, read.key)).or_default();
    if version < *last {
        let before = *last;
        verdict.blame(Rule::SessionWentBack, read.key, read.begun, || {
            format!("session {} saw version {version} after {before}", read.session)
        });
    }
    *last = version.max(*last);
}

/// Holds a read to the one value of its version. A version that no acknowledged write claims belongs to a write of
/// unknown outcome, or to somebody beside the run who left our value as it was.
fn check_value(
    read: &Read,
    acknowledged: &Acknowledged,
    history: &History,
    unclaimed: &mut HashMap<(Key, u64), Value>,
    verdict: &mut Verdict,
) {
    let Seen::Version { version, value, .. } = read.seen else { return };
    let mut blame = |why: &str| {
        let shown = value.map_or("no value of this run".to_owned(), |value| value.to_string());
        verdict.blame(Rule::WrongValue, read.key, read.begun, || format!("version {version} showed {shown}: {why}"));
    };
    let newest_upto = acknowledged.values.range(..=version).next_back();
    if let Some((_, expected)) = newest_upto.filter(|(claimed, _)| **claimed == version) {
        if value != Some(*expected) {
            blame(&format!("its write carried {expected}"));
        }
        return;
    }
    let Some(value) = value else {
        // Before the run's first write a key may show anything.
        if newest_upto.is_some() {
            blame("a value of this run was acknowledged before");
        }
        return;
    };
    match history.write_of(value).filter(|write| write.key == read.key).map(|write| write.outcome) {
        None => return blame("no write of this key carried it"),
        Some(Outcome::Refused) => return blame("its write was refused"),
        Some(Outcome::Acknowledged { version: written, .. }) if newest_upto.is_none_or(|(newest, _)| *newest != written) => {
            return blame(&format!("its write was acknowledged as version {written}"));
        }
        Some(Outcome::Acknowledged { .. } | Outcome::Unknown) => {}
    }
    if *unclaimed.entry((read.key, version)).or_insert(value) != value {
        blame("another read of this version showed another value");
    }
}

#[cfg(test)]
mod tests;
