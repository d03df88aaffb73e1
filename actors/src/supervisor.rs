//! Who restarts what, how often, and what happens beyond that: one-for-one supervision with a restart intensity, as in Erlang/OTP.
//!
//! A child that ends is started again at once. A supervisor whose children ended more often than its intensity allows ends itself, which is a
//! child's end to its own supervisor; the root's end fails liveness.

use futures_util::future::BoxFuture;
use protocol::{ErrorCode, Refusal};
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use serde::Serialize;
use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::{Duration, Instant},
};

/// How often children may end before their supervisor does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intensity {
    /// Restarts that are allowed …
    pub restarts_max: usize,
    /// … within this time.
    pub within: Duration,
}

/// When a child is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// With its supervisor, in the table's order.
    AtOnce,
    /// When first asked for.
    Asked,
}

/// What a child's end means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnEnd {
    /// It is started again, within the supervisor's intensity.
    Restart,
    /// The supervisor ends, too: the child was a supervisor that gave up, and there is nothing left to try here.
    Escalate,
}

/// How a child is started.
pub type StartFn = Arc<dyn Fn(ActorCell, bool) -> BoxFuture<'static, Result<ActorCell, ActorProcessingErr>> + Send + Sync>;

/// A row of the supervision tree.
#[derive(Clone)]
pub struct Child {
    /// What it is called in the tree.
    pub name: String,
    /// When it is started.
    pub when: When,
    /// What its end means.
    pub on_end: OnEnd,
    /// Whether it supervises others itself.
    pub supervises: bool,
    /// Starts it under the given supervisor; the flag says whether an earlier one died.
    pub start: StartFn,
}

/// A supervisor with the children in its care.
#[derive(Clone)]
pub struct Spec {
    /// What it is called in the tree.
    pub name: String,
    /// Its patience.
    pub intensity: Intensity,
    /// Its children, in start order.
    pub children: Vec<Child>,
}

/// Messages of a supervisor.
pub enum Message {
    /// Starts the child with this number if it does not live.
    Ensure(usize, RpcReplyPort<bool>),
    /// Asks for the tree below.
    Report(RpcReplyPort<Report>),
}

impl ractor::Message for Message {}

/// The living tree, as the operator sees it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The supervisor or child.
    pub name: String,
    /// How often its children were restarted, or 0.
    pub restarts: u64,
    /// Whether it lives.
    pub alive: bool,
    /// What it supervises; children that were never asked for are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Report>,
}

impl Report {
    /// Whether everything in the tree lives.
    #[must_use]
    pub fn healthy(&self) -> bool {
        self.alive && self.children.iter().all(Self::healthy)
    }

    /// How often anything in the tree was started again.
    #[must_use]
    pub fn restarts_in_all(&self) -> u64 {
        self.restarts + self.children.iter().map(Self::restarts_in_all).sum::<u64>()
    }
}

/// A report is taken within this time, or the tree counts as dead.
const REPORT_WITHIN: Duration = Duration::from_secs(1);

/// The actor.
pub struct Supervisor;

/// What a supervisor knows of its children.
pub struct State {
    spec: Spec,
    cells: Vec<Option<ActorCell>>,
    numbers: HashMap<ActorId, usize>,
    ends: VecDeque<Instant>,
    restarts: u64,
}

impl State {
    async fn start(&mut self, supervisor: ActorCell, number: usize, restart: bool) -> Result<(), ActorProcessingErr> {
        // In a task of its own: whoever asked for a child does not wait within its life, which the span of an actor is.
        let cell = tokio::spawn((self.spec.children[number].start)(supervisor, restart)).await??;
        self.numbers.insert(cell.get_id(), number);
        self.cells[number] = Some(cell);
        Ok(())
    }

    /// Counts an end; false beyond the intensity.
    fn may_restart(&mut self, now: Instant) -> bool {
        let Intensity { restarts_max, within } = self.spec.intensity;
        self.ends.push_back(now);
        while self.ends.front().is_some_and(|end| now.duration_since(*end) > within) {
            self.ends.pop_front();
        }
        self.ends.len() <= restarts_max
    }
}

impl Actor for Supervisor {
    type Msg = Message;
    type State = State;
    type Arguments = Spec;

    async fn pre_start(&self, myself: ActorRef<Message>, spec: Spec) -> Result<State, ActorProcessingErr> {
        let mut state = State { cells: vec![None; spec.children.len()], numbers: HashMap::new(), ends: VecDeque::new(), restarts: 0, spec };
        for number in 0..state.spec.children.len() {
            if state.spec.children[number].when == When::AtOnce {
                state.start(myself.get_cell(), number, false).await?;
            }
        }
        Ok(state)
    }

    async fn handle(&self, myself: ActorRef<Message>, message: Message, state: &mut State) -> Result<(), ActorProcessingErr> {
        match message {
            Message::Ensure(number, reply) => {
                let known = number < state.cells.len();
                if known && state.cells[number].is_none() {
                    state.start(myself.get_cell(), number, false).await?;
                }
                let _ = reply.send(known);
            }
            Message::Report(reply) => {
                let mut children = Vec::new();
                for (child, cell) in state.spec.children.iter().zip(&state.cells) {
                    let Some(cell) = cell else { continue };
                    children.push(match child.supervises {
                        true => report(&cell.clone().into(), &child.name).await,
                        false => leaf(&child.name, cell.get_status() < ractor::ActorStatus::Stopping),
                    });
                }
                let _ = reply.send(Report { name: state.spec.name.clone(), restarts: state.restarts, alive: true, children });
            }
        }
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Message>,
        event: SupervisionEvent,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let (cell, why) = match event {
            SupervisionEvent::ActorFailed(cell, error) => (cell, error.to_string()),
            SupervisionEvent::ActorTerminated(cell, _, reason) => (cell, reason.unwrap_or_else(|| "it stopped".to_owned())),
            SupervisionEvent::ActorStarted(_) | SupervisionEvent::ProcessGroupChanged(_) | SupervisionEvent::PidLifecycleEvent(_) => {
                return Ok(());
            }
        };
        let Some(number) = state.numbers.remove(&cell.get_id()) else { return Ok(()) };
        let name = state.spec.children[number].name.clone();
        state.restarts += 1;
        if state.spec.children[number].on_end == OnEnd::Escalate || !state.may_restart(Instant::now()) {
            tracing::error!(supervisor = state.spec.name, child = name, why, "children ended too often; the supervisor gives up");
            return Err(format!("{} ended too often: {why}", name).into());
        }
        tracing::error!(supervisor = state.spec.name, child = name, why, "child ended; starting it again");
        state.start(myself.get_cell(), number, true).await
    }
}

fn leaf(name: &str, alive: bool) -> Report {
    Report { name: name.to_owned(), restarts: 0, alive, children: Vec::new() }
}

/// Has `supervisor` start its child `number`, if it does not live.
///
/// # Errors
/// `unavailable` when the supervisor is gone.
pub async fn ensure(supervisor: &ActorRef<Message>, number: usize) -> Result<(), Refusal> {
    match supervisor.call(|reply| Message::Ensure(number, reply), Some(REPORT_WITHIN)).await {
        Ok(ractor::rpc::CallResult::Success(true)) => Ok(()),
        _ => Err(ErrorCode::Unavailable.into()),
    }
}

/// Asks a supervisor for its living tree; one that does not answer within a second is reported dead.
pub fn report<'a>(supervisor: &'a ActorRef<Message>, name: &'a str) -> BoxFuture<'a, Report> {
    Box::pin(async move {
        match supervisor.call(Message::Report, Some(REPORT_WITHIN)).await {
            Ok(ractor::rpc::CallResult::Success(report)) => report,
            _ => leaf(name, false),
        }
    })
}
