//! Hand-written histories that break one rule each, and a simulated register that breaks none until it is made to.

use super::*;
use crate::check::history::Write;
use proptest::prelude::*;
use proptest::sample::Index;

/// A history under construction, on key 7 unless said otherwise.
#[derive(Default)]
struct Script(History);

impl Script {
    fn wrote(&mut self, begun: Nanos, at: Nanos, version: u64) -> Value {
        let value = self.0.begin_write(7, begun);
        self.0.end_write(value, Outcome::Acknowledged { version, at });
        value
    }

    fn unknown(&mut self, begun: Nanos) -> Value {
        self.0.begin_write(7, begun)
    }

    fn saw(&mut self, session: Session, begun: Nanos, version: u64, value: Value) {
        let seen = Seen::Version { version, value: Some(value), labelled_stale: false };
        self.0.read(Read { session, key: 7, begun, seen });
    }

    fn broken(&self) -> Vec<Rule> {
        verify(&self.0).violations_by_rule.into_keys().collect()
    }
}

#[test]
fn a_good_history_has_no_violation() {
    let mut script = Script::default();
    let first = script.wrote(0, 10, 1);
    let second = script.wrote(20, 40, 2);
    script.saw(0, 15, 1, first);
    // While the second write is under way either version may show.
    script.saw(0, 25, 2, second);
    script.saw(1, 39, 1, first);
    script.saw(1, 41, 2, second);
    let verdict = verify(&script.0);
    assert_eq!(verdict.violations_total(), 0, "{:?}", verdict.violations);
    assert_eq!((verdict.writes_acknowledged, verdict.reads_checked, verdict.reads_fresh), (2, 4, 4));
}

#[test]
fn two_writes_share_a_version() {
    let mut script = Script::default();
    script.wrote(0, 30, 5);
    script.wrote(0, 30, 5);
    assert_eq!(script.broken(), [Rule::SharedVersion]);
}

#[test]
fn a_later_write_gets_an_older_version() {
    let mut script = Script::default();
    script.wrote(0, 10, 5);
    script.wrote(11, 20, 4);
    assert_eq!(script.broken(), [Rule::WriteWentBack]);
}

#[test]
fn a_read_misses_an_acknowledged_write() {
    let mut script = Script::default();
    let first = script.wrote(0, 10, 1);
    script.wrote(20, 40, 2);
    script.saw(0, 100, 1, first);
    let verdict = verify(&script.0);
    assert_eq!(verdict.violations_by_rule, BTreeMap::from([(Rule::StaleRead, 1)]));
    assert_eq!(verdict.staleness_ns_max, 60);
    assert_eq!(verdict.violations[0].particulars, "saw version 1, 60 ns after a newer one was acknowledged (newest: 2)");
}

#[test]
fn acknowledgements_out_of_order_leave_the_newest_standing() {
    let mut script = Script::default();
    script.wrote(0, 50, 3);
    let older = script.wrote(0, 60, 2);
    script.saw(0, 61, 2, older);
    assert_eq!(script.broken(), [Rule::StaleRead]);
}

#[test]
fn a_version_shows_another_writes_value() {
    let mut script = Script::default();
    let first = script.wrote(0, 10, 1);
    script.wrote(20, 40, 2);
    script.saw(0, 50, 2, first);
    assert_eq!(script.broken(), [Rule::WrongValue]);
}

#[test]
fn a_version_beyond_the_writes_shows_a_value_already_replaced() {
    let mut script = Script::default();
    let first = script.wrote(0, 10, 1);
    let second = script.wrote(20, 40, 2);
    // Somebody beside the run may raise the version; the newest value stays.
    script.saw(0, 50, 3, second);
    assert_eq!(script.broken(), []);
    script.saw(0, 60, 4, first);
    assert_eq!(script.broken(), [Rule::WrongValue]);
}

#[test]
fn a_value_shows_before_its_version() {
    let mut script = Script::default();
    script.wrote(0, 10, 1);
    let third = script.wrote(20, 40, 3);
    script.saw(0, 25, 2, third);
    assert_eq!(script.broken(), [Rule::WrongValue]);
}

#[test]
fn a_refused_value_shows() {
    let mut script = Script::default();
    let refused = script.unknown(0);
    script.0.end_write(refused, Outcome::Refused);
    script.saw(0, 5, 1, refused);
    assert_eq!(script.broken(), [Rule::WrongValue]);
}

#[test]
fn a_foreign_or_lost_value_shows() {
    let mut script = Script::default();
    let elsewhere = script.0.begin_write(8, 0);
    script.saw(0, 5, 1, elsewhere);
    assert_eq!(script.broken(), [Rule::WrongValue]);

    let mut script = Script::default();
    script.wrote(0, 10, 1);
    let seen = Seen::Version { version: 2, value: None, labelled_stale: false };
    script.0.read(Read { session: 0, key: 7, begun: 20, seen });
    assert_eq!(script.broken(), [Rule::WrongValue]);
}

#[test]
fn one_version_of_an_unknown_write_shows_two_values() {
    let mut script = Script::default();
    let (one, other) = (script.unknown(0), script.unknown(0));
    script.saw(0, 5, 1, one);
    script.saw(1, 5, 1, one);
    assert_eq!(script.broken(), []);
    script.saw(2, 5, 1, other);
    assert_eq!(script.broken(), [Rule::WrongValue]);
}

#[test]
fn a_session_goes_back() {
    let mut script = Script::default();
    let (one, other) = (script.unknown(0), script.unknown(0));
    script.saw(0, 5, 2, other);
    script.saw(1, 6, 1, one);
    assert_eq!(script.broken(), []);
    script.saw(0, 7, 1, one);
    assert_eq!(script.broken(), [Rule::SessionWentBack]);
}

#[test]
fn an_acknowledged_thing_is_missing() {
    let mut script = Script::default();
    script.0.read(Read { session: 0, key: 7, begun: 0, seen: Seen::Missing });
    script.wrote(0, 10, 1);
    assert_eq!(script.broken(), []);
    script.0.read(Read { session: 0, key: 7, begun: 11, seen: Seen::Missing });
    assert_eq!(script.broken(), [Rule::Missing]);
}

#[test]
fn a_labelled_answer_may_be_behind_but_not_wrong() {
    let mut script = Script::default();
    let first = script.wrote(0, 10, 1);
    let second = script.wrote(20, 40, 2);
    let mut labelled = |value| {
        let seen = Seen::Version { version: 1, value: Some(value), labelled_stale: true };
        script.0.read(Read { session: 0, key: 7, begun: 50, seen });
        verify(&script.0)
    };
    let behind = labelled(first);
    assert_eq!((behind.violations_total(), behind.reads_labelled_stale, behind.reads_checked), (0, 1, 0));
    assert_eq!(labelled(second).violations_by_rule, BTreeMap::from([(Rule::WrongValue, 1)]));
}

#[test]
fn many_violations_are_all_counted_and_some_kept() {
    let mut script = Script::default();
    let first = script.wrote(0, 10, 1);
    script.wrote(20, 40, 2);
    for _ in 0..VIOLATIONS_KEPT_MAX + 5 {
        script.saw(0, 100, 1, first);
    }
    let verdict = verify(&script.0);
    assert_eq!((verdict.violations_total(), verdict.violations.len()), (1005, VIOLATIONS_KEPT_MAX));
}

/// One operation of the simulation, with its three moments in order: begun, took effect, answered.
#[derive(Clone, Debug)]
struct Op {
    session: Session,
    key: Key,
    /// `None` reads; `Some(answered)` writes, and the answer comes or is lost.
    write: Option<bool>,
    pause: Nanos,
    until_effect: Nanos,
    until_answer: Nanos,
}

fn op() -> impl Strategy<Value = Op> {
    let write = prop_oneof![3 => Just(None), 2 => Just(Some(true)), 1 => Just(Some(false))];
    (0..4_u16, 0..3_u32, write, 0..20_u64, 1..30_u64, 1..30_u64).prop_map(|(session, key, write, pause, until_effect, until_answer)| Op {
        session,
        key,
        write,
        pause,
        until_effect,
        until_answer,
    })
}

/// Runs operations against a register per key that takes each effect at one moment: linearizable by construction.
fn simulate(ops: &[Op]) -> History {
    let mut clocks: HashMap<Session, Nanos> = HashMap::new();
    let mut timed: Vec<(Nanos, Nanos, Nanos, &Op)> = Vec::new();
    for op in ops {
        let clock = clocks.entry(op.session).or_default();
        let begun = *clock + op.pause;
        let effect = begun + op.until_effect;
        let answered = effect + op.until_answer;
        // An unanswered write is given up early; its effect may come long after.
        *clock = if op.write == Some(false) { begun + 1 } else { answered };
        timed.push((effect, begun, answered, op));
    }
    timed.sort_by_key(|(effect, ..)| *effect);
    let mut history = History::default();
    let mut registers: HashMap<Key, (u64, Value)> = HashMap::new();
    for (_, begun, answered, op) in timed {
        match op.write {
            Some(is_answered) => {
                let value = history.begin_write(op.key, begun);
                let version = registers.get(&op.key).map_or(1, |(version, _)| version + 1);
                registers.insert(op.key, (version, value));
                if is_answered {
                    history.end_write(value, Outcome::Acknowledged { version, at: answered });
                }
            }
            None => {
                let seen = registers.get(&op.key).map_or(Seen::Missing, |(version, value)| Seen::Version {
                    version: *version,
                    value: Some(*value),
                    labelled_stale: false,
                });
                history.read(Read { session: op.session, key: op.key, begun, seen });
            }
        }
    }
    history
}

/// Reads that saw an acknowledged version while an older acknowledged one exists, and was replaced before they began.
fn lies_possible(history: &History) -> Vec<(usize, u64, Value)> {
    let acknowledged = |write: &Write| match write.outcome {
        Outcome::Acknowledged { version, at } => Some((version, at)),
        _ => None,
    };
    let mut lies = Vec::new();
    for (index, read) in history.reads().iter().enumerate() {
        let of_key = || history.valued_writes().filter(|(_, write)| write.key == read.key);
        let floor = of_key().filter_map(|(_, write)| acknowledged(write)).filter(|(_, at)| *at < read.begun).max();
        let Some((floor, _)) = floor else { continue };
        for (value, write) in of_key() {
            if let Some((version, _)) = acknowledged(write).filter(|(version, _)| *version < floor) {
                lies.push((index, version, value));
            }
        }
    }
    lies
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_linearizable_register_is_never_blamed(ops in proptest::collection::vec(op(), 0..120)) {
        let verdict = verify(&simulate(&ops));
        prop_assert_eq!(verdict.violations_total(), 0, "{:?}", verdict.violations);
    }

    #[test]
    fn a_read_of_a_replaced_version_is_always_caught(ops in proptest::collection::vec(op(), 40..120), pick: Index) {
        let mut history = simulate(&ops);
        let lies = lies_possible(&history);
        prop_assume!(!lies.is_empty());
        let (index, version, value) = lies[pick.index(lies.len())];
        history.reads[index].seen = Seen::Version { version, value: Some(value), labelled_stale: false };
        prop_assert!(verify(&history).violations_by_rule.contains_key(&Rule::StaleRead));
    }

    #[test]
    fn a_swapped_value_is_always_caught(ops in proptest::collection::vec(op(), 40..120), pick: Index) {
        let mut history = simulate(&ops);
        let claimed: Vec<usize> = (0..history.reads().len()).filter(|index| {
            let Seen::Version { value: Some(value), .. } = history.reads()[*index].seen else { return false };
            matches!(history.write_of(value), Some(Write { outcome: Outcome::Acknowledged { .. }, .. }))
        }).collect();
        prop_assume!(!claimed.is_empty());
        let index = claimed[pick.index(claimed.len())];
        let other = history.begin_write(history.reads()[index].key, 0);
        if let Seen::Version { value, .. } = &mut history.reads[index].seen {
            *value = Some(other);
        }
        prop_assert!(verify(&history).violations_by_rule.contains_key(&Rule::WrongValue));
    }

    #[test]
    fn a_version_given_twice_is_always_caught(ops in proptest::collection::vec(op(), 40..120), pick: Index) {
        let mut history = simulate(&ops);
        let acknowledged: Vec<(Key, u64, Nanos)> = history.writes().iter().filter_map(|write| match write.outcome {
            Outcome::Acknowledged { version, at } => Some((write.key, version, at)),
            _ => None,
        }).collect();
        prop_assume!(!acknowledged.is_empty());
        let (key, version, at) = acknowledged[pick.index(acknowledged.len())];
        let twin = history.begin_write(key, 0);
        history.end_write(twin, Outcome::Acknowledged { version, at });
        prop_assert!(verify(&history).violations_by_rule.contains_key(&Rule::SharedVersion));
    }
}
