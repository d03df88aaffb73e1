//! What happens in a run: how many nodes and clients there are, and which faults befall them when.

use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// A run, up to the seed. Two runs of one scenario are the same, step by step.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Scenario {
    /// Chooses delays, what clients ask, and clocks.
    pub seed: u64,
    /// Nodes at the start.
    pub nodes: u8,
    /// Slots, each with one key.
    pub slots: u16,
    /// Faults, each with the millisecond at which it begins.
    pub faults: Vec<(u32, Fault)>,
}

/// What goes wrong, or is done on purpose. Nodes are meant by their place among the living, modulo their number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Fault {
    /// A process is killed; another boot starts in its place.
    Crash {
        /// Which.
        node: u8,
        /// When the next one starts.
        restart_after_ms: u32,
    },
    /// A process is stopped, and goes on as if nothing had happened, with all its timers late (SIGSTOP, SIGCONT).
    Hang {
        /// Which.
        node: u8,
        /// For how long.
        for_ms: u32,
    },
    /// All databases are away.
    StoreDown {
        /// For how long.
        for_ms: u32,
        /// Connections are refused; else nothing is answered at all.
        refuses: bool,
    },
    /// A node does not reach the databases.
    StoreCut {
        /// Which.
        node: u8,
        /// For how long.
        for_ms: u32,
    },
    /// Statements take longer.
    StoreSlow {
        /// For how long.
        for_ms: u32,
        /// Each way, at most.
        up_to_ms: u32,
    },
    /// Some statements are carried out, but their answers get lost.
    LoseAnswers {
        /// For how long.
        for_ms: u32,
        /// How many.
        per_mille: u32,
    },
    /// Some statements are given up, and carried out up to twelve seconds after they were sent.
    LateStatements {
        /// For how long.
        for_ms: u32,
        /// How many.
        per_mille: u32,
    },
    /// Messages from one node to another are lost.
    Cut {
        /// From whom.
        from: u8,
        /// To whom.
        to: u8,
        /// And the other way.
        both: bool,
        /// For how long.
        for_ms: u32,
    },
    /// The nodes of the mask, by the lowest bits, and the others do not reach each other; all reach the databases.
    Split {
        /// Who is on one side.
        mask: u8,
        /// For how long.
        for_ms: u32,
    },
    /// Messages take up to 300 ms, one in twenty 600 ms longer, and one in fifty comes twice.
    Weather {
        /// For how long.
        for_ms: u32,
    },
    /// A process is told everything, and woken, up to 300 ms late.
    Busy {
        /// Which.
        node: u8,
        /// For how long.
        for_ms: u32,
    },
    /// Another node starts.
    Join,
    /// A node is told to leave.
    Drain {
        /// Which.
        node: u8,
    },
    /// The actor that owns a slot's key dies and starts again.
    RestartOwner {
        /// On which node, if it serves the slot.
        node: u8,
        /// Of which slot.
        slot: u16,
    },
    /// The domain databases were used without the cluster: their epochs are ahead.
    JumpAhead {
        /// Of which slot.
        slot: u16,
    },
}

impl Fault {
    /// How long it lasts.
    #[must_use]
    pub const fn for_ms(&self) -> u32 {
        match self {
            Self::Crash { restart_after_ms, .. } => *restart_after_ms,
            Self::Hang { for_ms, .. }
            | Self::StoreDown { for_ms, .. }
            | Self::StoreCut { for_ms, .. }
            | Self::StoreSlow { for_ms, .. }
            | Self::LoseAnswers { for_ms, .. }
            | Self::LateStatements { for_ms, .. }
            | Self::Cut { for_ms, .. }
            | Self::Split { for_ms, .. }
            | Self::Weather { for_ms }
            | Self::Busy { for_ms, .. } => *for_ms,
            Self::Join | Self::Drain { .. } | Self::RestartOwner { .. } | Self::JumpAhead { .. } => 0,
        }
    }

    /// For how long after its end what it left behind may still happen.
    pub(crate) const fn lingers_ms(&self) -> u32 {
        if matches!(self, Self::LateStatements { .. }) { LATE_MAX_MS } else { 0 }
    }
}

/// How late a statement may be carried out.
pub(crate) const LATE_MAX_MS: u32 = 12_000;

/// Faults begin between these milliseconds: after the first nodes came up, and for long enough that several overlap.
const FAULTS_FROM_MS: u32 = 3_000;
const FAULTS_TO_MS: u32 = 13_000;

/// How many sorts of faults there are.
const SORTS: u32 = 15;

impl Scenario {
    /// The scenario of a seed: one to five nodes, and one to eight faults of a few sorts. Few sorts each time, and others each time, find what a
    /// mixture of all of them rarely comes upon (swarm testing: Groce and others 2012).
    #[must_use]
    pub fn random(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let nodes = *[1, 2, 2, 3, 3, 3, 3, 4, 5].choose(&mut rng).expect("not empty");
        let slots = 6;
        let sorts: Vec<u32> = (0..rng.random_range(1..=5)).map(|_| rng.random_range(0..SORTS)).collect();
        let fault = |rng: &mut ChaCha8Rng| {
            let sort = *sorts.choose(rng).expect("one at least");
            (rng.random_range(FAULTS_FROM_MS..FAULTS_TO_MS), Self::fault(sort, slots, rng))
        };
        let mut faults: Vec<_> = (0..rng.random_range(1..=8)).map(|_| fault(&mut rng)).collect();
        faults.sort_by_key(|(at, _)| *at);
        Self { seed, nodes, slots, faults }
    }

    /// Statements are late all the time, while nodes come, go and lose each other: what was decided long ago lands in a cluster that is another one.
    #[must_use]
    pub fn late(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut faults = vec![(2_000, Fault::LateStatements { for_ms: 14_000, per_mille: rng.random_range(100..500) })];
        for _ in 0..rng.random_range(4..=10) {
            let node: u8 = rng.random_range(0..8);
            let for_ms = rng.random_range(3_000..8_000);
            let fault = match rng.random_range(0..5) {
                0 => Fault::Cut { from: node, to: node + 1, both: true, for_ms },
                1 => Fault::Split { mask: rng.random(), for_ms },
                2 | 3 => Fault::Join,
                _ => Fault::Drain { node },
            };
            faults.push((rng.random_range(2_000..FAULTS_TO_MS), fault));
        }
        faults.sort_by_key(|(at, _)| *at);
        Self { seed, nodes: rng.random_range(2..=3), slots: 6, faults }
    }

    /// Nodes come and go one after the other, and nothing else is wrong, but that the databases are slow in half of them: slots are on their way most of the time,
    /// of few keys that everybody reads.
    #[must_use]
    pub fn moving(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let turn = |number: u32, rng: &mut ChaCha8Rng| {
            let at = FAULTS_FROM_MS + number * 700 + rng.random_range(0..400);
            (at, if number.is_multiple_of(2) { Fault::Join } else { Fault::Drain { node: rng.random_range(0..8) } })
        };
        let mut faults: Vec<_> = (0..14).map(|number| turn(number, &mut rng)).collect();
        if seed % 2 == 1 {
            faults.insert(0, (FAULTS_FROM_MS, Fault::StoreSlow { for_ms: FAULTS_TO_MS, up_to_ms: rng.random_range(20..50) }));
        }
        Self { seed, nodes: 3, slots: 2, faults }
    }

    /// Nodes lose each other for too short a time to be taken for dead, and not the databases, which are slow: the one key that everybody writes is read from the
    /// store again and again, while its owner goes on.
    #[must_use]
    pub fn apart(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let slow = Fault::StoreSlow { for_ms: FAULTS_TO_MS, up_to_ms: rng.random_range(20..50) };
        let cut = |number: u32, rng: &mut ChaCha8Rng| {
            let (node, for_ms) = (rng.random_range(0..3), rng.random_range(1_200..2_200));
            (FAULTS_FROM_MS + number * 1_000, Fault::Cut { from: node, to: node + rng.random_range(1..3), both: true, for_ms })
        };
        let faults = (0..10).map(|number| cut(number, &mut rng));
        Self { seed, nodes: 3, slots: 1, faults: [(FAULTS_FROM_MS, slow)].into_iter().chain(faults).collect() }
    }

    fn fault(sort: u32, slots: u16, rng: &mut ChaCha8Rng) -> Fault {
        let node: u8 = rng.random_range(0..8);
        let for_ms = *[300, 900, 2_000, 4_000, 6_000, 9_000].choose(rng).expect("not empty");
        let for_ms = for_ms + rng.random_range(0..for_ms / 2);
        match sort {
            0 => Fault::Crash { node, restart_after_ms: rng.random_range(100..8_000) },
            1 => Fault::Hang { node, for_ms },
            2 => Fault::StoreDown { for_ms, refuses: rng.random() },
            3 => Fault::StoreCut { node, for_ms },
            4 => Fault::StoreSlow { for_ms, up_to_ms: rng.random_range(50..500) },
            5 => Fault::LoseAnswers { for_ms, per_mille: rng.random_range(50..400) },
            6 => Fault::LateStatements { for_ms, per_mille: rng.random_range(50..400) },
            7 => Fault::Cut { from: node, to: node + rng.random_range(1..4), both: rng.random(), for_ms },
            8 => Fault::Split { mask: rng.random(), for_ms },
            9 => Fault::Weather { for_ms },
            10 => Fault::Busy { node, for_ms },
            11 => Fault::Join,
            12 => Fault::Drain { node },
            13 => Fault::JumpAhead { slot: rng.random_range(0..slots) },
            _ => Fault::RestartOwner { node, slot: rng.random_range(0..slots) },
        }
    }
}
