//! Clusters of simulated nodes under simulated faults, and what must hold in them.
//!
//! * [`scenario`]: what happens in a run; made of a seed, or written by hand. [`run`]: lets it happen.
//! * `world`: the simulator, with one queue of what is to happen. `weather`: what lasts for a while.
//! * [`tables`]: the cluster's database: the semantics that stores of nodes must keep to, in their shortest form.
//! * `domain`: the domain databases. `process`, `owner`: a node around the real [`cluster::Core`], with an edge, and owners that keep the write protocol.
//! * `history`: what clients saw, and whether they may have. `judge`: what must hold at every step.
//! * [`sabotage`]: safeguards that are taken away, one at a time, to see that their absence is found.
//!
//! A run is a pure function of its scenario. `cargo run --release -p lets-connect-simulation -- --help` runs very many.

mod domain;
mod history;
mod judge;
mod owner;
mod process;
pub mod sabotage;
pub mod scenario;
mod search;
pub mod tables;
mod weather;
mod world;

pub use judge::{Recovery, SERVED_WITHIN_MS, SETTLED_WITHIN_MS};
pub use sabotage::Sabotage;
pub use scenario::{Fault, Scenario};
pub use search::{Found, Searched, search};

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// What happened that must not.
    pub violation: Option<String>,
    /// Things that happened.
    pub steps: u64,
    /// Reads and writes that were answered, and those of which nobody knows.
    pub ops: [u32; 3],
    /// The nodes, by the order in which they started, that ended because they were dead to the others.
    pub died: Vec<usize>,
    /// How many of those died only because outages swallowed two of their renewals in a row, and spared others'.
    pub unlucky: u64,
    /// How long it took after the last fault.
    pub recovery: Recovery,
    /// Everything that happened, if it was asked for.
    pub trace: Vec<String>,
}

/// Lets a scenario happen.
#[must_use]
pub fn run(scenario: &Scenario, sabotage: Option<Sabotage>, traced: bool) -> Outcome {
    let mut world = world::World::new(scenario, sabotage, traced);
    let violation = world.run().err();
    Outcome {
        violation,
        steps: world.steps,
        ops: [world.history.reads, world.history.writes, world.history.indeterminate],
        died: (0..world.hosts.len()).filter(|at| world.hosts[*at].died).collect(),
        unlucky: world.unlucky(),
        recovery: world.recovery(),
        trace: world.trace.take().unwrap_or_default(),
    }
}
