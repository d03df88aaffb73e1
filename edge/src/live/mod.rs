//! Live updates: streams of small events, over a WebSocket or as server-sent events, so that clients need not ask again and again.
//!
//! * [`stream`]: one person's stream. It hears that something moved (`actors::live`), reads it as that person would, and says what is newer than it said
//!   before. [`event`]: what is said, as JSON. [`drive`]: the loop around the two, whatever the client is connected by.
//! * [`socket`], [`sse`]: the two ways of being connected. [`metric`]: what is counted.
//!
//! An event says that something is newer, and never what it says: the client reads it, and is shown what it may see. So there is no queue of events. What
//! moves while a client is slow is read once, when the client takes more; and a stream that is taken up again with a cursor reads what came since. docs/live.md is
//! for those who write clients, [ADR 0016](../../../docs/adr/0016-live-updates.md) for those who change this.

mod drive;
mod event;
mod metric;
pub(crate) mod socket;
pub(crate) mod sse;
mod stream;

pub(crate) use event::Subject;
pub(crate) use stream::{Mark, SUBJECTS_MAX, Signed, Stream};

use metric::Metrics;
use parking_lot::Mutex;
use prometheus::Registry;
use protocol::{ErrorCode, Refusal, UserId};
use std::{collections::HashMap, sync::Arc, time::Duration};
use tokio::sync::watch;

/// Sockets that were opened without a session and have not signed in yet, at most. Each has [`socket::SIGN_IN_MAX`].
const UNSIGNED_MAX: usize = 256;

/// The bounds of streams.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Streams that are open at once. Beyond: `overloaded`.
    pub streams_max: usize,
    /// Of these, one person's. Beyond: `limit_reached`.
    pub streams_per_person_max: usize,
    /// Between two signs of life. A client that gave none between two of ours is gone.
    pub ping_every: Duration,
}

#[derive(Default)]
struct Open {
    streams: usize,
    unsigned: usize,
    by_person: HashMap<UserId, usize>,
}

/// The streams of an edge.
pub(crate) struct Live {
    limits: Limits,
    open: Mutex<Open>,
    /// The node goes: so do its streams, and no more begin.
    goes: watch::Sender<bool>,
    metrics: Metrics,
}

impl Live {
    /// Makes the streams of an edge: none yet.
    ///
    /// # Errors
    /// When its figures are shown already.
    pub(crate) fn new(limits: Limits, registry: &Registry) -> prometheus::Result<Arc<Self>> {
        let metrics = Metrics::register(registry)?;
        Ok(Arc::new(Self { limits, open: Mutex::default(), goes: watch::Sender::new(false), metrics }))
    }

    /// How many streams are open, and how many people have one.
    pub(crate) fn open(&self) -> (usize, usize) {
        let open = self.open.lock();
        (open.streams, open.by_person.len())
    }

    /// Ends all streams, which tells their clients to come back elsewhere, and lets no more begin.
    pub(crate) fn end(&self) {
        self.goes.send_replace(true);
    }

    /// A place for one more stream of this person, or of somebody who is about to say who they are.
    ///
    /// # Errors
    /// `overloaded`, `limit_reached`; `unavailable` while the node goes.
    pub(crate) fn enter(self: &Arc<Self>, person: Option<UserId>) -> Result<Place, Refusal> {
        if *self.goes.borrow() {
            return Err(Refusal::new(ErrorCode::Unavailable, "this node is about to stop: connect again, and another one answers").after(1));
        }
        let mut open = self.open.lock();
        if open.streams >= self.limits.streams_max || (person.is_none() && open.unsigned >= UNSIGNED_MAX) {
            return Err(Refusal::new(ErrorCode::Overloaded, "this node has as many live streams as it may have").after(5));
        }
        match person {
            Some(person) => open.admit(person, self.limits.streams_per_person_max)?,
            None => open.unsigned += 1,
        }
        open.streams += 1;
        Ok(Place { live: Arc::clone(self), person })
    }
}

impl Open {
    fn admit(&mut self, person: UserId, streams_max: usize) -> Result<(), Refusal> {
        let streams = self.by_person.entry(person).or_default();
        if *streams >= streams_max {
            let detail = format!("a person may have {streams_max} live streams at one node, and you have as many: close one");
            return Err(Refusal::new(ErrorCode::LimitReached, detail));
        }
        *streams += 1;
        Ok(())
    }
}

/// A stream's place among those that may be open. It is free again when this is dropped.
pub(crate) struct Place {
    live: Arc<Live>,
    person: Option<UserId>,
}

impl Place {
    /// Whoever has it said who they are.
    ///
    /// # Errors
    /// `limit_reached`.
    fn sign_in(&mut self, person: UserId) -> Result<(), Refusal> {
        let mut open = self.live.open.lock();
        open.admit(person, self.live.limits.streams_per_person_max)?;
        if self.person.replace(person).is_none() {
            open.unsigned -= 1;
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.live.open.lock();
        open.streams -= 1;
        let Some(person) = self.person else {
            open.unsigned -= 1;
            return;
        };
        if let Some(streams) = open.by_person.get_mut(&person) {
            *streams -= 1;
            if *streams == 0 {
                open.by_person.remove(&person);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn live() -> Arc<Live> {
        let limits = Limits { streams_max: 4, streams_per_person_max: 2, ping_every: Duration::from_secs(25) };
        Live::new(limits, &Registry::new()).expect("a new registry")
    }

    fn refused(place: Result<Place, Refusal>) -> Option<ErrorCode> {
        place.err().map(|refusal| refusal.code)
    }

    #[test]
    fn streams_are_bounded_by_node_and_person_and_places_are_free_again() {
        let (live, ada, bob) = (live(), UserId::new(), UserId::new());
        let mut places: Vec<_> = [ada, ada, bob].iter().map(|person| live.enter(Some(*person)).expect("a place")).collect();
        assert_eq!(refused(live.enter(Some(ada))), Some(ErrorCode::LimitReached));
        let mut late = live.enter(None).expect("the last place");
        assert_eq!(refused(live.enter(Some(bob))), Some(ErrorCode::Overloaded));
        assert_eq!(late.sign_in(ada).expect_err("she has two").code, ErrorCode::LimitReached);
        drop(places.remove(0));
        late.sign_in(ada).expect("there is room again");
        assert_eq!(refused(live.enter(Some(ada))), Some(ErrorCode::LimitReached));
        drop((late, places));
        let open = live.open.lock();
        assert_eq!((open.streams, open.unsigned, open.by_person.len()), (0, 0, 0));
    }

    #[test]
    fn no_stream_begins_on_a_node_that_goes() {
        let live = live();
        live.end();
        assert_eq!(refused(live.enter(Some(UserId::new()))), Some(ErrorCode::Unavailable));
    }
}
