//! The other nodes of a cluster, as this one's requests see them: where a slot's owner is, and how it is asked.
//!
//! * [`Remote`]: the way there. `door`: what answers the others. `everybody`: what every node must hear. `peers`: what the membership wants of the links.
//!
//! Whom a slot belongs to is what this node last heard; the one that is asked knows better, and says so. Reads need no owner: what was acknowledged is in the
//! store. So one whose owner does not answer is answered from there, and only writes wait for a takeover.

mod door;
mod everybody;
mod peers;
mod status;

pub use door::Door;
pub(crate) use everybody::{heed, tell_everybody};
pub use peers::{LinkPeers, follow};
pub use status::{ClusterStatus, LinkStatus, MemberStatus, SlotsStatus, Whereabouts, whereabouts};

use crate::{
    client::Call,
    membership::{Outlook, Seat},
    near::{Grants, Holdings, is_lent},
    owner::WriteOp,
    trace,
};
use cluster::Boot;
use links::{LinkError, Links};
use parking_lot::Mutex;
use protocol::{
    Epoch, ErrorCode, Key, Kind, Query, Refusal, Reply, Slot, View,
    envelope::{Answer, Body, Change, Envelope, Kept, VIEWS_MAX, Viewed, WIRE_LIVE, WIRE_VERSION, WIRE_VERSION_MIN, WIRE_WARM, Watched},
};
use quick_cache::sync::Cache;
use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};
use store::postgres::Membership;
use tracing::Instrument;
use uuid::Uuid;

/// How long an owner may take to answer a read; after that the store is asked. Loads of a working store take a few milliseconds.
const READ_ANSWER_MAX: Duration = Duration::from_millis(500);
/// A node that let so much time go by is not asked again for a while: reads go to the store, writes wait.
const SUSPECT_AFTER: Duration = Duration::from_secs(1);
const SUSPECT_FOR: Duration = Duration::from_secs(1);
/// Versions that were read from the store while an owner did not answer, and below which the owner's answers are not taken.
const FLOORS_MAX: usize = 65_536;

/// Where a slot's owner is, as far as this node knows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Place {
    /// On this node.
    Here,
    /// On another one.
    There(Boot),
    /// Nobody is known.
    Nowhere,
}

/// What is asked of an entity's owner.
pub(crate) enum Asked {
    /// All that everybody may read of it.
    Whole {
        /// How often this node answered from what it was lent since it last asked.
        answered: u32,
    },
    /// The same, and not to be kept.
    Once,
    /// A part or page.
    Part(Query),
}

/// What another node's owner gave.
pub(crate) struct Given {
    pub(crate) view: View,
    /// For how long it may be answered to others, from before it was asked for; `None`: not at all.
    pub(crate) lease_ms: Option<u16>,
}

/// Why another node did not answer.
pub(crate) enum Unanswered {
    /// It did: with a refusal.
    Refused(Refusal),
    /// It says that somebody else is to be asked; of a write also: nothing was sent.
    Elsewhere,
    /// It was asked for what can be asked of the store as well, and that did not reach it, or its answer does not come.
    Unreached,
    /// Nobody knows whether it was done.
    Unknown,
}

/// What this node knows of the others, and its way to them.
pub struct Remote {
    links: Links,
    seat: Seat,
    membership: Arc<Membership>,
    suspects: Mutex<HashMap<Boot, Instant>>,
    /// How many of them: most of the time nobody, and then nobody looks.
    suspected: AtomicUsize,
    floors: Cache<Key, u64>,
    grants: Grants,
    holdings: Holdings,
}

impl Remote {
    /// The way to the others, once this node has a seat among them.
    #[must_use]
    pub fn new(links: Links, seat: Seat, membership: Arc<Membership>) -> Self {
        Self {
            links,
            seat,
            membership,
            suspects: Mutex::default(),
            suspected: AtomicUsize::new(0),
            floors: Cache::new(FLOORS_MAX),
            grants: Grants::new(),
            holdings: Holdings::new(),
        }
    }

    /// This node's seat.
    #[must_use]
    pub const fn seat(&self) -> &Seat {
        &self.seat
    }

    /// The links to the others.
    #[must_use]
    pub const fn links(&self) -> &Links {
        &self.links
    }

    /// What this node's owners lent to others.
    pub(crate) const fn grants(&self) -> &Grants {
        &self.grants
    }

    /// What others' owners lent to this node.
    pub(crate) const fn holdings(&self) -> &Holdings {
        &self.holdings
    }

    /// What this node last heard of the cluster.
    #[must_use]
    pub fn outlook(&self) -> Arc<Outlook> {
        self.seat.outlook()
    }

    /// The owner of a slot that is not served here.
    pub(crate) fn place(&self, slot: Slot) -> Place {
        match self.outlook().owner(slot) {
            Some(boot) if boot != self.seat.boot() => Place::There(boot),
            _ => Place::Nowhere,
        }
    }

    // ---- whom not to ask ----

    pub(crate) fn is_suspect(&self, boot: Boot) -> bool {
        if self.suspected.load(Ordering::Relaxed) == 0 {
            return false;
        }
        let mut suspects = self.suspects.lock();
        suspects.retain(|_, until| *until > Instant::now());
        self.suspected.store(suspects.len(), Ordering::Relaxed);
        suspects.contains_key(&boot)
    }

    fn suspect(&self, boot: Boot) {
        let mut suspects = self.suspects.lock();
        if suspects.insert(boot, Instant::now() + SUSPECT_FOR).is_none() {
            tracing::warn!(%boot, "another node does not answer: its entities are read from the store until it does");
        }
        self.suspected.store(suspects.len(), Ordering::Relaxed);
    }

    // ---- asking ----

    async fn call(&self, boot: Boot, key: Key, body: Body, call: &Call) -> Result<Answer, LinkError> {
        let (view, span) = (self.outlook().view, trace::call(body.name(), &key, boot));
        let trace = span.in_scope(trace::current).or(call.trace);
        let &Call { principal, deadline, .. } = call;
        let envelope =
            Envelope { wire: WIRE_VERSION, view, key, slot: key.slot(), epoch: Epoch(0), deadline_ms: 0, trace, principal, body };
        let answer = self.links.call(boot.0, envelope, deadline).instrument(span).await?;
        if let Answer::NotOwner { view } = answer {
            self.seat.events().heard(view);
        }
        Ok(answer)
    }

    /// Asks for what can be asked of the store as well: whoever does not answer soon is not waited for.
    async fn read(&self, boot: Boot, call: &Call, key: Key, body: Body) -> Result<Answer, Unanswered> {
        if self.is_suspect(boot) {
            return Err(Unanswered::Unreached);
        }
        let patience = Instant::now() + READ_ANSWER_MAX;
        match self.call(boot, key, body, &Call { deadline: call.deadline.min(patience), ..call.clone() }).await {
            Ok(Answer::Refused(refusal)) => Err(Unanswered::Refused(refusal)),
            Ok(Answer::NotOwner { .. }) => Err(Unanswered::Elsewhere),
            Ok(answer) => Ok(answer),
            Err(LinkError::TimedOut) => {
                // A request that had less time says nothing about the node.
                if patience <= call.deadline {
                    self.suspect(boot);
                }
                Err(Unanswered::Unreached)
            }
            Err(LinkError::Overloaded) => Err(Unanswered::Refused(ErrorCode::Overloaded.into())),
            Err(_) => Err(Unanswered::Unreached),
        }
    }

    pub(crate) async fn view(&self, boot: Boot, call: &Call, key: Key, asked: Asked) -> Result<Given, Unanswered> {
        let version_min = self.floor(&key);
        let body = match asked {
            Asked::Part(query) => Body::Query(query),
            Asked::Whole { answered } if is_lent(key.kind) && self.speaks_of_warmth(boot) => Body::Leased { version_min, answered },
            Asked::Whole { .. } | Asked::Once => Body::View { version_min },
        };
        match self.read(boot, call, key, body).await? {
            Answer::View(view) => Ok(Given { view, lease_ms: None }),
            Answer::Leased(view, lease) => Ok(Given { view, lease_ms: Some(lease) }),
            // It does not fit into a frame, or is not what was asked for.
            _ => Err(Unanswered::Unreached),
        }
    }

    /// What a node has in memory though its lease ended.
    pub(crate) async fn lapsed(&self, boot: Boot, key: Key, query: Option<Query>, deadline: Instant) -> Option<View> {
        let deadline = deadline.min(Instant::now() + READ_ANSWER_MAX);
        match self.call(boot, key, Body::Lapsed(query), &Call::of_the_platform(deadline)).await {
            Ok(Answer::View(view)) => Some(view),
            _ => None,
        }
    }

    /// At most [`VIEWS_MAX`] at once. `None` for those that are to be asked for elsewhere, or by themselves.
    pub(crate) async fn views(&self, boot: Boot, call: &Call, keys: &[Key], borrows: bool) -> Vec<Option<Result<Given, Refusal>>> {
        debug_assert!(keys.len() <= VIEWS_MAX);
        let [first, ..] = keys else { return Vec::new() };
        let body = if borrows && self.speaks_of_warmth(boot) { Body::ViewsLeased(keys.to_vec()) } else { Body::Views(keys.to_vec()) };
        let answers = match self.read(boot, call, *first, body).await {
            Ok(Answer::Views(answers)) if answers.len() == keys.len() => answers,
            Err(Unanswered::Refused(refusal)) => vec![Viewed::Refused(refusal); keys.len()],
            _ => vec![Viewed::Left; keys.len()],
        };
        let answer = |(key, answer)| match answer {
            Viewed::View(View { version, .. }) | Viewed::Leased(View { version, .. }, _) if version < self.floor(key) => None,
            Viewed::View(view) => Some(Ok(Given { view, lease_ms: None })),
            Viewed::Leased(view, lease) => Some(Ok(Given { view, lease_ms: Some(lease) })),
            Viewed::Refused(refusal) => Some(Err(refusal)),
            Viewed::NotOwner | Viewed::Left => None,
        };
        keys.iter().zip(answers).map(answer).collect()
    }

    /// Has a write carried out. `moved` ends the wait when the node that was asked is none any more.
    pub(crate) async fn write(&self, boot: Boot, call: &Call, key: Key, write: WriteOp) -> Result<Reply, Unanswered> {
        let WriteOp { command, if_match, idempotency, .. } = write;
        let mut outlooks = self.seat.outlooks();
        let asked = self.call(boot, key, Body::Write { command, if_match, idempotency }, call);
        tokio::pin!(asked);
        let impatience = tokio::time::sleep(SUSPECT_AFTER);
        tokio::pin!(impatience);
        let mut is_patient = true;
        let answer = loop {
            tokio::select! {
                // What was never sent is known not to have happened, whatever else is.
                biased;
                answer = &mut asked => break answer,
                () = &mut impatience, if is_patient => {
                    is_patient = false;
                    self.suspect(boot);
                }
                // Whoever has died answers nobody; what it committed stands, and nothing it did not commit ever will.
                Ok(_) = outlooks.wait_for(|outlook| outlook.is_lost(boot)) => return Err(Unanswered::Unknown),
            }
        };
        match answer {
            Ok(Answer::Reply(reply)) => Ok(reply),
            Ok(Answer::NotOwner { .. }) => Err(Unanswered::Elsewhere),
            Ok(Answer::Refused(refusal)) if refusal.code == ErrorCode::OutcomeUnknown => Err(Unanswered::Unknown),
            Ok(Answer::Refused(refusal)) => Err(Unanswered::Refused(refusal)),
            Ok(_) => Err(Unanswered::Unknown),
            Err(LinkError::Overloaded) => Err(Unanswered::Refused(ErrorCode::Overloaded.into())),
            Err(LinkError::Frame(error)) => {
                tracing::warn!(%error, %key, "a write does not fit into a frame");
                Err(Unanswered::Refused(Refusal::new(ErrorCode::Internal, "it is too large to be sent to its owner")))
            }
            Err(error) if error.is_outcome_unknown() => Err(Unanswered::Unknown),
            Err(_) => Err(Unanswered::Elsewhere),
        }
    }

    /// Whether a node understands what is said of warmth and loans.
    pub(crate) fn speaks_of_warmth(&self, boot: Boot) -> bool {
        self.links.wire(boot.0).is_some_and(|wire| wire >= WIRE_WARM)
    }

    /// Tells a node that what it was lent of a key is over. `false` if it did not confirm it within `patience`.
    pub(crate) async fn recall(&self, boot: Boot, key: Key, patience: Duration) -> bool {
        let answer = self.call(boot, key, Body::Recall, &Call::of_the_platform(Instant::now() + patience)).await;
        matches!(answer, Ok(Answer::Confirmed))
    }

    /// Asks a node to say when any of these keys moves; what it says of each, or `None` if it cannot be asked. At most
    /// [`WATCHED_MAX`](protocol::envelope::WATCHED_MAX).
    pub(crate) async fn watch(&self, boot: Boot, keys: &[Key]) -> Option<Vec<Watched>> {
        let first = keys.first()?;
        if self.is_suspect(boot) || !self.speaks_of_moves(boot) {
            return None;
        }
        let deadline = Instant::now() + READ_ANSWER_MAX;
        match self.call(boot, *first, Body::Watch(keys.to_vec()), &Call::of_the_platform(deadline)).await {
            Ok(Answer::Watched(watched)) if watched.len() == keys.len() => Some(watched),
            _ => None,
        }
    }

    fn speaks_of_moves(&self, boot: Boot) -> bool {
        self.links.wire(boot.0).is_some_and(|wire| wire >= WIRE_LIVE)
    }

    /// Tells a node that keys which it watches moved. `false` if it did not confirm it.
    pub(crate) async fn moved(&self, boot: Boot, keys: Vec<Key>, deadline: Instant) -> bool {
        let Some(first) = keys.first().copied() else { return true };
        matches!(self.call(boot, first, Body::Moved(keys), &Call::of_the_platform(deadline)).await, Ok(Answer::Confirmed))
    }

    /// Gives a node what is warm of slots that are to become its own. `false` if it did not take it.
    pub(crate) async fn warm(&self, boot: Boot, lot: Vec<Kept>, deadline: Instant) -> bool {
        let Some(first) = lot.first() else { return true };
        let answer = self.call(boot, first.key, Body::Warm(lot), &Call::of_the_platform(deadline)).await;
        matches!(answer, Ok(Answer::Confirmed))
    }

    /// Tells a node that keys of its changed; answers those of which it did not confirm it.
    pub(crate) async fn changed(&self, boot: Boot, kind: Kind, ids: &[Uuid], change: &Change, deadline: Instant) -> Vec<Uuid> {
        let [first, ..] = ids else { return Vec::new() };
        let wire = self.links.wire(boot.0).unwrap_or(WIRE_VERSION_MIN);
        let body = Body::ChangedMany(ids.to_vec(), change.on(wire));
        match self.call(boot, Key::new(kind, *first), body, &Call::of_the_platform(deadline)).await {
            Ok(Answer::ConfirmedBut(left)) => left,
            _ => ids.to_vec(),
        }
    }

    // ---- what a session saw ----

    /// This version was read from the store, and may be ahead of what its owner has published yet.
    pub(crate) fn saw(&self, key: Key, version: u64) {
        self.floors.insert(key, version);
    }

    pub(crate) fn floor(&self, key: &Key) -> u64 {
        if self.floors.is_empty() { 0 } else { self.floors.get(key).unwrap_or(0) }
    }
}
