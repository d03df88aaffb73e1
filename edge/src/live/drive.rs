//! The loop of a stream, whatever its client is connected by: what moves is looked at, what comes of it is given to the client, and what the client says is
//! done. One thing at a time: a client that takes nothing has nothing looked at for it.

use super::{
    Place,
    event::{Event, Said},
    stream::{SignedOut, Stream},
};
use protocol::ErrorCode;
use std::{
    future::Future,
    time::{Duration, Instant},
};
use tokio::time::{MissedTickBehavior, interval_at, sleep_until};

/// From one look to the next: what moves in between is looked at together.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a client may leave what it is given.
pub(super) const TAKE_MAX: Duration = Duration::from_secs(10);

/// Why a stream ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    /// The client closed it, or is gone.
    Left,
    /// It took nothing for [`TAKE_MAX`], or gave no sign of life.
    Slow,
    /// What it sent is no message of this protocol at all.
    Garbage,
    /// It did not say in time who it is, or nobody is that.
    Unauthenticated,
    /// It may not have a stream now, or said too much.
    Refused(ErrorCode),
    /// Its session ended.
    SessionEnded,
    /// The node stops: the client should connect again, to another one.
    Restart,
}

impl Reason {
    /// Each of them, with any code.
    pub(super) const ALL: [Self; 7] = [
        Self::Left,
        Self::Slow,
        Self::Garbage,
        Self::Unauthenticated,
        Self::Refused(ErrorCode::Overloaded),
        Self::SessionEnded,
        Self::Restart,
    ];

    /// The name in metrics.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Left => "left",
            Self::Slow => "slow",
            Self::Garbage => "garbage",
            Self::Unauthenticated => "unauthenticated",
            Self::Refused(_) => "refused",
            Self::SessionEnded => "session_ended",
            Self::Restart => "restart",
        }
    }

    /// The word for the client: the code of a refusal, where it is one.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Refused(code) => code.name(),
            _ => self.name(),
        }
    }
}

/// What comes from a client.
pub(super) enum Heard {
    /// It said this.
    Said(Said),
    /// It said something else, for this reason.
    Nonsense(String),
    /// It is over.
    Over(Reason),
}

/// The way to a client.
pub(super) trait Outlet: Send {
    /// The name in metrics.
    const TRANSPORT: &'static str;

    /// Gives events to the client: they are out of this process's hands, but for what the system keeps, when it is done.
    fn give(&mut self, events: &[Event], cursor: &str) -> impl Future<Output = Result<(), Reason>> + Send;

    /// Waits for what the client says. It may be given up at any time: nothing is lost by that.
    fn hear(&mut self) -> impl Future<Output = Heard> + Send;

    /// Asks the client for a sign of life; an error if it gave none since it was last asked.
    fn probe(&mut self) -> impl Future<Output = Result<(), Reason>> + Send;

    /// Says that it is over, and why, as far as the client still listens.
    fn close(self, reason: Reason) -> impl Future<Output = ()> + Send;
}

/// Serves a stream until it is over.
pub(super) async fn drive<O: Outlet>(mut stream: Stream, mut outlet: O, place: Place) {
    let live = place.live.clone();
    let mut goes = live.goes.subscribe();
    live.metrics.begun(O::TRANSPORT);
    let reason = tokio::select! {
        biased;
        // Its sender lives as long as this.
        _ = goes.wait_for(|goes| *goes) => Reason::Restart,
        reason = serve(&mut stream, &mut outlet, &place) => reason,
    };
    live.metrics.ended(O::TRANSPORT, reason);
    // Nothing is heard for this client any more, and its place is free, however long it takes to say so.
    drop((stream, place));
    let _ = tokio::time::timeout(TAKE_MAX, outlet.close(reason)).await;
}

async fn serve<O: Outlet>(stream: &mut Stream, outlet: &mut O, place: &Place) -> Reason {
    let every = place.live.limits.ping_every;
    let mut ticks = interval_at((Instant::now() + every).into(), every);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut next_look = Instant::now();
    loop {
        if let Err(reason) = flush(stream, outlet, place).await {
            return reason;
        }
        let moved = async {
            sleep_until(next_look.into()).await;
            stream.moved().await
        };
        let looked = tokio::select! {
            heard = outlet.hear() => match heard {
                Heard::Said(said) => match obey(stream, said).await {
                    Ok(()) => continue,
                    Err(reason) => return reason,
                },
                Heard::Nonsense(why) => {
                    if let Err(refusal) = stream.count() {
                        return Reason::Refused(refusal.code);
                    }
                    stream.say(Event::error(ErrorCode::MalformedBody, why, None));
                    continue;
                }
                Heard::Over(reason) => return reason,
            },
            moved = moved => stream.look(moved).await,
            _ = ticks.tick() => {
                if let Err(reason) = outlet.probe().await {
                    return reason;
                }
                // Whatever was not heard of, for whatever reason, is found now.
                let looked = stream.look_at_all().await;
                stream.say(Event::Ping);
                looked
            }
        };
        next_look = Instant::now() + LOOK_EVERY;
        place.live.metrics.looked();
        if let Err(SignedOut) = looked {
            return Reason::SessionEnded;
        }
    }
}

/// Gives the client what there is to say.
async fn flush<O: Outlet>(stream: &mut Stream, outlet: &mut O, place: &Place) -> Result<(), Reason> {
    let (events, cursor) = stream.take();
    if events.is_empty() {
        return Ok(());
    }
    match tokio::time::timeout(TAKE_MAX, outlet.give(&events, &cursor)).await {
        Ok(given) => given?,
        Err(_) => return Err(Reason::Slow),
    }
    place.live.metrics.sent(&events);
    Ok(())
}

/// Does what a client says, which counts as a read for each thing that is looked at for it.
async fn obey(stream: &mut Stream, said: Said) -> Result<(), Reason> {
    match said {
        Said::Token(_) => {
            stream.say(Event::error(ErrorCode::MalformedBody, "the stream knows already whose it is", None));
            stream.count().map_err(|refusal| Reason::Refused(refusal.code))
        }
        Said::Subscribe(subjects) => {
            for subject in subjects {
                match stream.count() {
                    Ok(()) => stream.subscribe(subject).await.map_err(|SignedOut| Reason::SessionEnded)?,
                    Err(refusal) => return Err(Reason::Refused(refusal.code)),
                }
            }
            Ok(())
        }
        Said::Unsubscribe(subjects) => {
            subjects.into_iter().for_each(|subject| stream.unsubscribe(subject));
            stream.count().map_err(|refusal| Reason::Refused(refusal.code))
        }
    }
}
