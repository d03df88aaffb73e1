//! The owner of one key on one node: what is in memory, what is under way, who waits, and what is lent to other nodes. It keeps the write protocol of
//! docs/adr/0003 and the read leases of docs/adr/0014, lending whatever is read.

use crate::domain::{Landed, Row, Value};
use crate::sabotage::Sabotage;
use cluster::{Boot, Moment};
use protocol::Epoch;
use std::collections::{BTreeMap, VecDeque};

/// How long another node may answer from what it was given, from before it asked.
pub(crate) const LOAN_MS: u64 = 1_000;
/// A shorter one is not given.
const LOAN_MIN_MS: u64 = 100;
/// What two clocks may differ in over it, and rounding.
const MARGIN_MS: u64 = LOAN_MS / 50 + 2;

/// For so long after it was sent a commit may be under way while its owner answers what was there before; after that, readers wait for what becomes of it.
pub(crate) const DOUBT_AFTER_MS: u64 = 50;
/// In a tenure that is younger than this, readers wait for what becomes of each commit: others may not know yet whose the slot is, and read the store.
const YOUNG_MS: u64 = 4_000;
/// What was read from the store is answered only after this time: whatever commit it shows was sent before, so its owner shows nothing older any more.
pub(crate) const SETTLES_AFTER_MS: u64 = DOUBT_AFTER_MS + DOUBT_AFTER_MS / 50 + 3;

/// What a client asks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Op {
    pub id: u32,
    pub key: usize,
    pub ask: Ask,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Ask {
    Read,
    /// Another version with this value.
    Write {
        value: Value,
    },
}

/// An op, and the edge that waits for it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Request {
    pub op: Op,
    pub from: Boot,
}

/// What an owner answers.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reply {
    Acked(u32),
    /// From an owner's memory, or from what one lent.
    Value(Row),
    /// The same, and it may be answered to others for so long from before it was asked for.
    Lent(Row, u64),
    /// From the store.
    Stored(Row),
    /// Ask whoever owns it by a view newer than this.
    NotOwner,
    /// The lease has ended: the store knows.
    AskStore,
    /// Nobody knows whether it was done.
    Unknown,
}

/// What an owner wants of the store.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Query {
    /// The row of a key, and the version that a write made, if one is asked about.
    Load {
        key: usize,
        record: Option<Value>,
    },
    Commit {
        key: usize,
        epoch: Epoch,
        seen: u32,
        request: Request,
    },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Idle,
    Loading(u32),
    /// Waits until nothing is lent any more, to commit.
    Recalling(Request),
    /// Since that instant.
    Committing(u32, Moment),
    /// Waits for an epoch above this one; then finds out what became of the write, if its writer still waits.
    Fencing(Epoch, Option<Request>),
    Settling(u32, Request),
}

/// What follows from what an owner was told, in order.
pub(crate) enum Step {
    Reply(Request, Reply),
    Query(u32, Query),
    Raise(Epoch),
    Fenced(Epoch),
    /// A node is to answer from what it was lent no more.
    CallBack(Boot, u32),
    /// To be told [`Owner::look`] after so many milliseconds.
    Later(u64),
}

/// A load that must wait until what is lent was called back, since it publishes something newer.
type Deferred = (u32, Option<(Row, Option<u32>)>);

/// What an owner has at hand while it is told something.
pub(crate) struct Desk {
    pub me: Boot,
    pub now: Moment,
    /// Whether the node's lease holds, and until when.
    pub leased: bool,
    pub lease_until: Moment,
    /// The node leaves: it lends nothing.
    pub leaves: bool,
    pub sabotage: Option<Sabotage>,
    /// The last number of a query on this node.
    pub last: u32,
    pub steps: Vec<Step>,
}

impl Desk {
    fn number(&mut self) -> u32 {
        self.last += 1;
        self.last
    }
}

/// One key.
pub(crate) struct Owner {
    key: usize,
    memory: Option<Row>,
    phase: Phase,
    queue: VecDeque<Request>,
    /// The epoch at which the slot is served.
    served: Option<Epoch>,
    /// Since when the slot is.
    since: Moment,
    closing: bool,
    /// It is about to be handed off: nothing is lent any more.
    departs: bool,
    /// To whom it is lent, and until when. It outlives the actor, and the node's ownership.
    lent: BTreeMap<Boot, Moment>,
    /// Numbers recalls: what answers an earlier one says nothing of what was lent since.
    recall: u32,
    deferred: Vec<Deferred>,
    /// What the last owner sent ahead.
    sent: Option<Row>,
}

impl Owner {
    pub(crate) fn new(key: usize) -> Self {
        Self {
            key,
            memory: None,
            phase: Phase::Idle,
            queue: VecDeque::new(),
            served: None,
            since: Moment(0),
            closing: false,
            departs: false,
            lent: BTreeMap::new(),
            recall: 0,
            deferred: Vec::new(),
            sent: None,
        }
    }

    pub(crate) fn served(&self) -> Option<Epoch> {
        self.served
    }

    /// What it answers from memory, provided that the lease holds.
    pub(crate) fn in_memory(&self) -> Option<Row> {
        self.memory.filter(|_| self.served.is_some())
    }

    /// Whether what is in memory must be what is stored: no commit is under way.
    pub(crate) fn is_at_rest(&self) -> bool {
        !matches!(self.phase, Phase::Committing(..))
    }

    /// Whether something newer may be stored than what is in memory, for so long that others may have been answered it.
    fn is_in_doubt(&self, desk: &Desk) -> bool {
        let is_young = desk.now.since(self.since) < YOUNG_MS && desk.sabotage != Some(Sabotage::TrustsYoungTenures);
        let is_late = |sent: Moment| desk.now.since(sent) >= DOUBT_AFTER_MS && desk.sabotage != Some(Sabotage::NeverInDoubt);
        matches!(self.phase, Phase::Committing(_, sent) if is_young || is_late(sent))
    }

    /// Whether a slot that is being handed off has no commit under way, and nothing is lent of it.
    pub(crate) fn handed_off(&self, sabotage: Option<Sabotage>) -> Option<Epoch> {
        let is_returned = self.lent.is_empty() || sabotage == Some(Sabotage::LoansOutliveTenure);
        self.served.filter(|_| self.closing && is_returned && matches!(self.phase, Phase::Idle | Phase::Loading(_)))
    }

    // ---- what is lent ----

    /// What is answered to a reader, to whose node it is lent if it may be.
    fn answer(&mut self, request: Request, row: Row, desk: &mut Desk) {
        let publishes = !self.deferred.is_empty() || matches!(self.phase, Phase::Recalling(_) | Phase::Committing(..));
        let is_closed = (publishes && desk.sabotage != Some(Sabotage::LendsWhilePublishing))
            || ((self.departs || desk.leaves) && desk.sabotage != Some(Sabotage::LoansOutliveTenure));
        let own = desk.lease_until.since(desk.now).saturating_sub(MARGIN_MS);
        let loan = if desk.sabotage == Some(Sabotage::LendsBeyondLease) { 4 * LOAN_MS } else { own.min(LOAN_MS) };
        let reply = if request.from == desk.me || is_closed || loan < LOAN_MIN_MS {
            Reply::Value(row)
        } else {
            self.lent.insert(request.from, desk.now.after(loan + MARGIN_MS));
            Reply::Lent(row, loan)
        };
        desk.steps.push(Step::Reply(request, reply));
    }

    /// Calls back what is lent; `false` if nothing is.
    fn call_back(&mut self, desk: &mut Desk) -> bool {
        self.lent.retain(|_, until| *until > desk.now);
        if desk.sabotage == Some(Sabotage::NoRecall) {
            return false;
        }
        self.recall += 1;
        for (boot, until) in &self.lent {
            desk.steps.push(Step::CallBack(*boot, self.recall));
            desk.steps.push(Step::Later(until.since(desk.now)));
        }
        !self.lent.is_empty()
    }

    /// A node answers from what it was lent no more.
    pub(crate) fn returned(&mut self, boot: Boot, recall: u32, desk: &mut Desk) {
        if self.waits_for_loans() && recall == self.recall {
            self.lent.remove(&boot);
        }
        self.look(desk);
    }

    /// Loans may have ended.
    pub(crate) fn look(&mut self, desk: &mut Desk) {
        self.lent.retain(|_, until| *until > desk.now);
        // A clock that goes slowly is not there yet.
        if let Some(until) = self.lent.values().max().filter(|_| self.waits_for_loans()) {
            desk.steps.push(Step::Later(until.since(desk.now) + 1));
        }
        if self.lent.is_empty() {
            for (id, answer) in std::mem::take(&mut self.deferred) {
                self.take_loaded(id, answer, desk);
            }
            if let (Phase::Recalling(request), Some(epoch), Some(row)) = (self.phase, self.served, self.memory) {
                self.commit(request, epoch, row, desk);
            }
        }
    }

    fn waits_for_loans(&self) -> bool {
        self.closing || !self.deferred.is_empty() || matches!(self.phase, Phase::Recalling(_))
    }

    /// What is in memory, for the next owner. From now on nothing is lent.
    pub(crate) fn depart(&mut self) -> Option<Row> {
        self.departs = true;
        self.in_memory()
    }

    /// What the last owner had in memory some time before it gave the slot up.
    pub(crate) fn expect(&mut self, row: Row) {
        self.sent = Some(row);
    }

    pub(crate) fn serve(&mut self, epoch: Epoch, desk: &mut Desk) {
        if self.served.is_none() {
            self.departs = false;
            self.since = desk.now;
            if let Some(sent) = self.sent.take() {
                if desk.sabotage == Some(Sabotage::BelievesWhatWasSent) {
                    self.memory = Some(sent);
                } else if matches!(self.phase, Phase::Idle) {
                    // It is held against the store, which here is the same as a load.
                    let id = desk.number();
                    self.phase = Phase::Loading(id);
                    desk.steps.push(Step::Query(id, Query::Load { key: self.key, record: None }));
                }
            }
        }
        self.served = Some(epoch);
        if let Phase::Fencing(fenced, waiting) = self.phase
            && fenced < epoch
        {
            self.phase = Phase::Idle;
            if let Some(request) = waiting {
                let Ask::Write { value } = request.op.ask else { return };
                let id = desk.number();
                self.phase = Phase::Settling(id, request);
                desk.steps.push(Step::Query(id, Query::Load { key: self.key, record: Some(value) }));
            }
        }
        self.go_on(desk);
    }

    pub(crate) fn stop(&mut self, desk: &mut Desk) {
        self.served = None;
        self.closing = false;
        self.memory = None;
        match self.phase {
            Phase::Fencing(_, Some(request)) | Phase::Settling(_, request) => desk.steps.push(Step::Reply(request, Reply::Unknown)),
            Phase::Recalling(request) => desk.steps.push(Step::Reply(request, Reply::NotOwner)),
            _ => {}
        }
        self.phase = Phase::Idle;
        desk.steps.extend(self.queue.drain(..).map(|request| Step::Reply(request, Reply::NotOwner)));
    }

    pub(crate) fn hand_off(&mut self, desk: &mut Desk) {
        if desk.sabotage != Some(Sabotage::LoansOutliveTenure) {
            self.call_back(desk);
        }
        self.closing = true;
        let (writes, reads): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(|request| matches!(request.op.ask, Ask::Write { .. }));
        self.queue = reads.into();
        desk.steps.extend(writes.into_iter().map(|request| Step::Reply(request, Reply::NotOwner)));
    }

    /// The actor dies, and another one starts in its place: it knows nothing, and a commit may be under way.
    pub(crate) fn restart(&mut self, desk: &mut Desk) {
        let Some(epoch) = self.served else { return };
        self.memory = None;
        if let Phase::Fencing(_, Some(request)) | Phase::Settling(_, request) | Phase::Recalling(request) = self.phase {
            desk.steps.push(Step::Reply(request, Reply::Unknown));
        }
        self.phase = Phase::Fencing(epoch, None);
        self.deferred.clear();
        desk.steps.extend(self.queue.drain(..).map(|request| Step::Reply(request, Reply::Unknown)));
        desk.steps.push(Step::Raise(epoch));
    }

    pub(crate) fn receive(&mut self, request: Request, desk: &mut Desk) {
        match (self.served, request.op.ask) {
            (None, _) => desk.steps.push(Step::Reply(request, Reply::NotOwner)),
            (_, Ask::Write { .. }) if self.closing => desk.steps.push(Step::Reply(request, Reply::NotOwner)),
            (_, Ask::Read) if !desk.leased => desk.steps.push(Step::Reply(request, Reply::AskStore)),
            (_, ask) => match self.memory.filter(|_| ask == Ask::Read && !self.is_in_doubt(desk)) {
                Some(row) => self.answer(request, row, desk),
                None => {
                    self.queue.push_back(request);
                    self.go_on(desk);
                }
            },
        }
    }

    /// Begins what can be begun.
    fn go_on(&mut self, desk: &mut Desk) {
        while let (Phase::Idle, Some(epoch), Some(request)) = (self.phase, self.served, self.queue.front().copied()) {
            let Some(row) = self.memory else {
                let id = desk.number();
                self.phase = Phase::Loading(id);
                desk.steps.push(Step::Query(id, Query::Load { key: self.key, record: None }));
                return;
            };
            self.queue.pop_front();
            match request.op.ask {
                Ask::Read if desk.leased => self.answer(request, row, desk),
                Ask::Read => desk.steps.push(Step::Reply(request, Reply::AskStore)),
                Ask::Write { .. } if self.call_back(desk) => {
                    self.phase = Phase::Recalling(request);
                }
                Ask::Write { .. } => self.commit(request, epoch, row, desk),
            }
        }
    }

    fn commit(&mut self, request: Request, epoch: Epoch, row: Row, desk: &mut Desk) {
        let id = desk.number();
        self.phase = Phase::Committing(id, desk.now);
        desk.steps.push(Step::Query(id, Query::Commit { key: self.key, epoch, seen: row.version, request }));
    }

    pub(crate) fn loaded(&mut self, id: u32, answer: Option<(Row, Option<u32>)>, desk: &mut Desk) {
        match answer {
            Some(_) if self.call_back(desk) => self.deferred.push((id, answer)),
            _ => self.take_loaded(id, answer, desk),
        }
    }

    fn take_loaded(&mut self, id: u32, answer: Option<(Row, Option<u32>)>, desk: &mut Desk) {
        match self.phase {
            Phase::Loading(loading) if loading == id => {
                self.phase = Phase::Idle;
                match answer {
                    Some((row, _)) => self.memory = Some(row),
                    None => desk.steps.extend(self.queue.drain(..).map(|request| Step::Reply(request, Reply::Unknown))),
                }
            }
            Phase::Settling(settling, request) if settling == id => {
                self.phase = Phase::Idle;
                if let Some((row, _)) = answer {
                    self.memory = Some(row);
                }
                let version = answer.and_then(|(_, record)| record);
                desk.steps.push(Step::Reply(request, version.map_or(Reply::Unknown, Reply::Acked)));
            }
            _ => return,
        }
        self.go_on(desk);
    }

    /// A commit's answer.
    pub(crate) fn landed(&mut self, id: u32, (epoch, request): (Epoch, Request), answer: Option<Landed>, desk: &mut Desk) {
        if !matches!(self.phase, Phase::Committing(under_way, _) if under_way == id) {
            // The slot was lost or the actor died meanwhile. What is known is known all the same: the next owner has loaded it.
            let version = answer.and_then(|landed| if let Landed::Committed(version) = landed { Some(version) } else { None });
            return desk.steps.push(Step::Reply(request, version.map_or(Reply::Unknown, Reply::Acked)));
        }
        self.phase = Phase::Idle;
        match answer {
            Some(Landed::Committed(version)) => {
                let Ask::Write { value } = request.op.ask else { return };
                if self.memory.is_some_and(|row| row.version < version) {
                    self.memory = Some(Row { version, value });
                }
                desk.steps.push(Step::Reply(request, Reply::Acked(version)));
            }
            Some(Landed::Fenced(_)) if self.served.is_some_and(|served| served > epoch) => self.queue.push_front(request),
            Some(Landed::Fenced(found)) => {
                // Raised by this node, but not through everywhere; or the slot is lost; or a database is ahead.
                self.memory = None;
                self.phase = Phase::Fencing(epoch, Some(request));
                desk.steps.push(Step::Fenced(found));
            }
            Some(Landed::Conflict) => {
                self.memory = None;
                self.queue.push_front(request);
            }
            None => {
                self.memory = None;
                self.phase = Phase::Fencing(epoch, Some(request));
                desk.steps.push(Step::Raise(epoch));
            }
        }
        self.go_on(desk);
    }
}
