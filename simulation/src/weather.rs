//! What lasts for a while: cuts, outages, delays.

use crate::scenario::LATE_MAX_MS;
use rand::Rng;
use rand_chacha::ChaCha8Rng;

/// Microseconds since the run began, by true time.
pub(crate) type Micros = u64;

/// A fault that lasts until an instant.
#[derive(Clone, Copy, Default)]
struct Spell {
    until: Micros,
    /// How strong it is, in the unit of what it is about.
    strength: u32,
}

impl Spell {
    fn strength(&self, now: Micros) -> u32 {
        if now < self.until { self.strength } else { 0 }
    }

    /// Of two that overlap, the later one stays.
    fn begin(&mut self, until: Micros, strength: u32) {
        *self = Self { until: until.max(self.until), strength };
    }
}

/// The weather between processes, and between them and the databases. Processes are meant by their number.
#[derive(Default)]
pub(crate) struct Weather {
    cuts: Vec<(Micros, usize, usize)>,
    store_cuts: Vec<(Micros, usize)>,
    busy: Vec<(Micros, usize)>,
    store_down: Spell,
    store_slow_ms: Spell,
    lose_answers: Spell,
    late_statements: Spell,
    network: Spell,
}

/// What becomes of a statement that arrives.
pub(crate) enum Arrival {
    CarriedOut,
    Refused,
    Swallowed,
}

impl Weather {
    pub(crate) fn cut(&mut self, from: usize, to: usize, until: Micros) {
        self.cuts.push((until, from, to));
    }

    pub(crate) fn store_cut(&mut self, process: usize, until: Micros) {
        self.store_cuts.push((until, process));
    }

    pub(crate) fn busy(&mut self, process: usize, until: Micros) {
        self.busy.push((until, process));
    }

    pub(crate) fn store_down(&mut self, until: Micros, refuses: bool) {
        self.store_down.begin(until, if refuses { 2 } else { 1 });
    }

    pub(crate) fn store_slow(&mut self, until: Micros, up_to_ms: u32) {
        self.store_slow_ms.begin(until, up_to_ms);
    }

    pub(crate) fn lose_answers(&mut self, until: Micros, per_mille: u32) {
        self.lose_answers.begin(until, per_mille);
    }

    pub(crate) fn late_statements(&mut self, until: Micros, per_mille: u32) {
        self.late_statements.begin(until, per_mille);
    }

    pub(crate) fn network(&mut self, until: Micros) {
        self.network.begin(until, 1);
    }

    /// After how long each copy of a message arrives.
    pub(crate) fn message(&self, now: Micros, from: usize, to: usize, rng: &mut ChaCha8Rng) -> [Option<Micros>; 2] {
        if self.cuts.iter().any(|(until, a, b)| now < *until && (*a, *b) == (from, to)) {
            return [None, None];
        }
        if self.network.strength(now) == 0 {
            return [Some(rng.random_range(100..2_000)), None];
        }
        // What is lost is sent again by the transport.
        let mut delay = || rng.random_range(1_000..300_000) + if rng.random_ratio(1, 20) { 600_000 } else { 0 };
        let first = delay();
        [Some(first), delay().is_multiple_of(50).then(|| first * 2)]
    }

    /// How long a process takes to notice something.
    pub(crate) fn notice(&self, now: Micros, process: usize, rng: &mut ChaCha8Rng) -> Micros {
        if self.busy.iter().any(|(until, busy)| now < *until && *busy == process) { rng.random_range(0..300_000) } else { 0 }
    }

    /// How long a statement, or its answer, is on its way.
    pub(crate) fn to_store(&self, now: Micros, rng: &mut ChaCha8Rng) -> Micros {
        let slow = u64::from(self.store_slow_ms.strength(now)) * 1_000;
        rng.random_range(200..2_000) + if slow > 0 { rng.random_range(0..slow) } else { 0 }
    }

    /// If a statement is late: after how long it arrives.
    pub(crate) fn late(&self, now: Micros, rng: &mut ChaCha8Rng) -> Option<Micros> {
        let late = self.late_statements.strength(now);
        (late > 0 && rng.random_ratio(late, 1_000)).then(|| rng.random_range(2_000_000..u64::from(LATE_MAX_MS) * 1_000))
    }

    pub(crate) fn loses_answer(&self, now: Micros, rng: &mut ChaCha8Rng) -> bool {
        let lost = self.lose_answers.strength(now);
        lost > 0 && rng.random_ratio(lost, 1_000)
    }

    pub(crate) fn arrival(&self, now: Micros, process: usize) -> Arrival {
        match self.store_down.strength(now) {
            2 => Arrival::Refused,
            1 => Arrival::Swallowed,
            _ if self.store_cuts.iter().any(|(until, cut)| now < *until && *cut == process) => Arrival::Swallowed,
            _ => Arrival::CarriedOut,
        }
    }
}
