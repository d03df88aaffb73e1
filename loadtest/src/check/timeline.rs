//! For how long those who asked were not served, and what they were answered, by edge and by second. Pure: times come in with what happened.
//!
//! A wait belongs to a key at an edge. It begins with the first attempt there that finds nobody waiting, and ends with the next one that succeeds: whoever
//! is refused asks again, and their wait goes on. An edge that is gone (no connection, or one that broke) is not waited for, because its clients
//! go elsewhere; that is counted apart.

use std::collections::{BTreeMap, HashMap};

use super::history::{Key, Nanos};

const SECOND_NS: Nanos = 1_000_000_000;
/// Errors are shared out over as many seconds.
const WINDOW_SECONDS: usize = 10;

/// What was attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// A read of a key.
    Read,
    /// A write of a key.
    Write,
}

/// One exchange that was begun.
#[derive(Clone, Copy, Debug)]
pub struct Attempt {
    /// What.
    pub access: Access,
    /// Of which key.
    pub key: Key,
    /// At the edge of this number.
    pub edge: usize,
    /// When.
    pub begun: Nanos,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As it should.
    Served,
    /// With this status, which says that it was not done, or may not have been.
    Refused(u16),
    /// The deadline passed.
    TimedOut,
    /// The connection broke.
    Broken,
    /// There was no connection, so nothing was asked.
    NotConnected,
}

/// The longest wait of a kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wait {
    /// How long.
    pub ns: Nanos,
    /// When it ended, or the run did.
    pub ended: Nanos,
    /// For which key.
    pub key: Key,
}

/// What happened at one edge.
#[derive(Clone, Debug, Default)]
pub struct AtEdge {
    /// Attempts that were served.
    pub served: u64,
    /// Attempts that were not, by status; 0 stands for no answer.
    pub errors: BTreeMap<u16, u64>,
    /// Attempts that found nobody there.
    pub not_connected: u64,
    /// The longest wait for a read.
    pub read: Wait,
    /// The longest wait for a write.
    pub write: Wait,
}

/// What ended in one second.
#[derive(Clone, Debug, Default)]
pub struct Second {
    /// Reads that were served.
    pub reads: u64,
    /// Writes that were served.
    pub writes: u64,
    /// What was not served, by status; 0 stands for no answer.
    pub errors: BTreeMap<u16, u64>,
    /// Attempts that found nobody there.
    pub not_connected: u64,
    /// The longest wait for a read that ended in it.
    pub read_wait_ns: Nanos,
    /// The longest wait for a write that ended in it.
    pub write_wait_ns: Nanos,
}

/// All waits and answers of a run.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    waiting_since: HashMap<(Access, usize, Key), Nanos>,
    edges: Vec<AtEdge>,
    seconds: Vec<Second>,
}

impl Timeline {
    /// Begins with nobody waiting at so many edges.
    pub fn new(edges: usize) -> Self {
        Self { edges: vec![AtEdge::default(); edges], ..Self::default() }
    }

    /// Records that an attempt begins.
    pub fn begin(&mut self, attempt: &Attempt) {
        self.waiting_since.entry(attempt.place()).or_insert(attempt.begun);
    }

    /// Records how an attempt ended.
    pub fn end(&mut self, attempt: &Attempt, ending: Ending, at: Nanos) {
        let edge = &mut self.edges[attempt.edge];
        let second = second_at(&mut self.seconds, at);
        match ending {
            Ending::Served => {
                edge.served += 1;
                match attempt.access {
                    Access::Read => second.reads += 1,
                    Access::Write => second.writes += 1,
                }
                // Somebody else's success may have ended the wait of all; this one's own was as long as it took.
                let since = self.waiting_since.remove(&attempt.place()).unwrap_or(attempt.begun).min(attempt.begun);
                self.waited(attempt.access, attempt.edge, Wait { ns: at.saturating_sub(since), ended: at, key: attempt.key });
            }
            Ending::NotConnected => {
                edge.not_connected += 1;
                second.not_connected += 1;
                self.waiting_since.remove(&attempt.place());
            }
            Ending::Refused(_) | Ending::TimedOut | Ending::Broken => {
                let status = if let Ending::Refused(status) = ending { status } else { 0 };
                *edge.errors.entry(status).or_default() += 1;
                *second.errors.entry(status).or_default() += 1;
                if ending == Ending::Broken {
                    self.waiting_since.remove(&attempt.place());
                }
            }
        }
    }

    /// Ends all waits that nothing ended: the run is over.
    pub fn close(&mut self, at: Nanos) {
        for ((access, edge, key), since) in std::mem::take(&mut self.waiting_since) {
            self.waited(access, edge, Wait { ns: at.saturating_sub(since), ended: at, key });
        }
    }

    fn waited(&mut self, access: Access, edge: usize, wait: Wait) {
        let second = second_at(&mut self.seconds, wait.ended);
        let (longest, in_second) = match access {
            Access::Read => (&mut self.edges[edge].read, &mut second.read_wait_ns),
            Access::Write => (&mut self.edges[edge].write, &mut second.write_wait_ns),
        };
        if wait.ns > longest.ns {
            *longest = wait;
        }
        *in_second = wait.ns.max(*in_second);
    }

    /// What happened at each edge, in their order.
    pub fn edges(&self) -> &[AtEdge] {
        &self.edges
    }

    /// What ended in each second since the run began.
    pub fn seconds(&self) -> &[Second] {
        &self.seconds
    }

    /// The greatest share of errors, 0 to 1, in any ten seconds in a row; in all of a run that is shorter.
    pub fn error_share_max(&self) -> f64 {
        let share = |window: &[Second]| {
            let errors: u64 = window.iter().map(|second| second.errors.values().sum::<u64>()).sum();
            let served: u64 = window.iter().map(|second| second.reads + second.writes).sum();
            if errors == 0 { 0.0 } else { errors as f64 / (errors + served) as f64 }
        };
        let width = WINDOW_SECONDS.min(self.seconds.len()).max(1);
        self.seconds.windows(width).map(share).fold(0.0, f64::max)
    }
}

impl Attempt {
    fn place(&self) -> (Access, usize, Key) {
        (self.access, self.edge, self.key)
    }
}

fn second_at(seconds: &mut Vec<Second>, at: Nanos) -> &mut Second {
    let index = usize::try_from(at / SECOND_NS).expect("a run has fewer than 2^32 seconds");
    if seconds.len() <= index {
        seconds.resize_with(index + 1, Second::default);
    }
    &mut seconds[index]
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Nanos = 1_000_000;

    fn attempt(access: Access, edge: usize, begun_ms: Nanos) -> Attempt {
        Attempt { access, key: 7, edge, begun: begun_ms * MS }
    }

    /// Attempts as (what, edge, begun, ending, ended), in the order of their beginnings, and all begun before the first ends.
    fn timeline(attempts: &[(Access, usize, Nanos, Ending, Nanos)]) -> Timeline {
        let mut timeline = Timeline::new(2);
        let mut events: Vec<(Nanos, bool, Attempt, Ending)> = Vec::new();
        for &(access, edge, begun, ending, ended) in attempts {
            events.push((begun, false, attempt(access, edge, begun), ending));
            events.push((ended, true, attempt(access, edge, begun), ending));
        }
        events.sort_by_key(|(at, ..)| *at);
        for (at, is_end, attempt, ending) in events {
            if is_end { timeline.end(&attempt, ending, at * MS) } else { timeline.begin(&attempt) }
        }
        timeline
    }

    #[test]
    fn who_is_refused_and_asks_again_waits_on() {
        use Access::Write;
        let timeline = timeline(&[
            (Write, 0, 0, Ending::Served, 10),
            (Write, 0, 100, Ending::Refused(503), 200),
            (Write, 0, 220, Ending::TimedOut, 2_220),
            (Write, 0, 2_240, Ending::Served, 4_100),
            (Write, 0, 5_000, Ending::Served, 5_001),
        ]);
        let edge = &timeline.edges()[0];
        assert_eq!(edge.write, Wait { ns: 4_000 * MS, ended: 4_100 * MS, key: 7 });
        assert_eq!((edge.served, &edge.errors), (3, &BTreeMap::from([(503, 1), (0, 1)])));
        assert_eq!((edge.read, timeline.edges()[1].write), (Wait::default(), Wait::default()));
        assert_eq!((timeline.seconds()[4].write_wait_ns, timeline.seconds()[5].write_wait_ns), (4_000 * MS, MS));
    }

    #[test]
    fn an_edge_that_is_gone_is_not_waited_for() {
        use Access::Read;
        let timeline = timeline(&[
            (Read, 0, 0, Ending::Broken, 50),
            (Read, 1, 0, Ending::Broken, 55),
            (Read, 0, 60, Ending::NotConnected, 61),
            (Read, 1, 70, Ending::Served, 72),
            (Read, 0, 9_000, Ending::Served, 9_003),
        ]);
        assert_eq!(timeline.edges()[0].read.ns, 3 * MS);
        assert_eq!(timeline.edges()[1].read.ns, 2 * MS);
        assert_eq!((timeline.edges()[0].not_connected, timeline.edges()[0].errors[&0]), (1, 1));
    }

    #[test]
    fn a_slow_answer_counts_though_others_were_quicker() {
        use Access::Read;
        // The last one is under way, and waits, when the first is answered.
        let attempts = [(0, 3_000), (100, 110), (2_900, 3_100)];
        let timeline = timeline(&attempts.map(|(begun, ended)| (Read, 0, begun, Ending::Served, ended)));
        assert_eq!(timeline.edges()[0].read.ns, 3_000 * MS);
    }

    #[test]
    fn who_waits_at_the_end_has_waited_until_then() {
        let mut timeline = timeline(&[(Access::Write, 1, 500, Ending::Refused(503), 600)]);
        timeline.close(6_500 * MS);
        assert_eq!(timeline.edges()[1].write.ns, 6_000 * MS);
    }

    #[test]
    fn errors_are_shared_out_over_ten_seconds() {
        let mut timeline = Timeline::new(1);
        for second in 0..30 {
            for number in 0..10 {
                let begun = attempt(Access::Read, 0, second * 1000 + number);
                // Five of a hundred in the seconds 12 to 21, and none elsewhere.
                let ending = if second == 15 && number < 5 { Ending::Refused(503) } else { Ending::Served };
                timeline.begin(&begun);
                timeline.end(&begun, ending, begun.begun);
            }
        }
        assert!((timeline.error_share_max() - 0.05).abs() < 1e-9, "{}", timeline.error_share_max());
        assert!(Timeline::new(1).error_share_max().abs() < 1e-9);
    }
}
