//! What is done by the clock: a child of the supervision tree that does its work, waits, and does it again.

use crate::supervisor::{Child, OnEnd, StartFn, When};
use futures_util::future::BoxFuture;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use std::{future::Future, sync::Arc, time::Duration};

/// One turn of the work, given how many there were since its actor started; it answers how long to wait until the next one. Turns never overlap.
type Turn = Arc<dyn Fn(u64) -> BoxFuture<'static, Duration> + Send + Sync>;

struct Clock;

struct Tick;

impl ractor::Message for Tick {}

struct State {
    turn: Turn,
    turns: u64,
}

impl Actor for Clock {
    type Msg = Tick;
    type State = State;
    type Arguments = (Duration, Turn);

    async fn pre_start(&self, myself: ActorRef<Tick>, (first, turn): Self::Arguments) -> Result<State, ActorProcessingErr> {
        myself.send_after(first, || Tick);
        Ok(State { turn, turns: 0 })
    }

    async fn handle(&self, myself: ActorRef<Tick>, _: Tick, state: &mut State) -> Result<(), ActorProcessingErr> {
        let pause = (state.turn)(state.turns).await;
        state.turns += 1;
        // Counted from the end of this turn, so that turns never pile up behind something slow.
        myself.send_after(pause, || Tick);
        Ok(())
    }
}

/// The row of the supervision tree of work that begins `first` after its start. What a turn that panicked left undone the next one does: the work
/// keeps nothing that is not in the store.
#[must_use]
pub fn by_the_clock<F>(name: &str, first: Duration, turn: impl Fn(u64) -> F + Send + Sync + 'static) -> Child
where
    F: Future<Output = Duration> + Send + 'static,
{
    let turn: Turn = Arc::new(move |turns| Box::pin(turn(turns)));
    let start: StartFn = Arc::new(move |parent, _| {
        let arguments = (first, turn.clone());
        Box::pin(async move { Ok(Actor::spawn_linked(None, Clock, arguments, parent).await?.0.get_cell()) })
    });
    Child { name: name.to_owned(), when: When::AtOnce, on_end: OnEnd::Restart, supervises: false, start }
}
