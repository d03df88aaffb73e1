//! A node process: the core with what a shell does around it, an edge and its owners. It is told what happened, and answers what it wants done.

use crate::domain::{Landed, Row};
use crate::owner::{Ask, Desk, Op, Owner, Query, Reply, Request, SETTLES_AFTER_MS, Step};
use crate::sabotage::Sabotage;
use cluster::timing::LEASE_MS;
use cluster::{Action, Boot, Core, Event, Exit, Identity, Moment, Statement, Ticket};
use protocol::{Epoch, Slot};
use std::collections::{BTreeMap, VecDeque};

/// What a process is told.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    Event(Event),
    Message(Boot, Message),
    Loaded {
        key: usize,
        id: u32,
        answer: Option<(Row, Option<u32>)>,
    },
    Landed {
        key: usize,
        id: u32,
        epoch: Epoch,
        request: Request,
        answer: Option<Landed>,
    },
    /// A client asks.
    Op(Op),
    /// An op that has not been answered is looked at again.
    Retry(u32),
    /// An owner actor dies.
    RestartOwner(usize),
    /// What is warm of a slot that is handed off has gone ahead.
    Close(usize),
    /// Loans of a key may have ended.
    Look(usize),
    /// What was read from the store for an op may be answered.
    Settled(u32, Row),
}

/// What processes send each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Message {
    Probe(u64),
    ProbeAnswer(u64),
    Announce(u64),
    Request(Op),
    Reply(u32, Reply, u64),
    /// What is warm of a key whose slot is about to be the receiver's.
    Warm(usize, Row),
    CallBack(usize, u32),
    Returned(usize, u32),
}

/// What a process wants done.
pub(crate) enum Output {
    Ask(Ticket, Statement),
    Send(Boot, Message),
    SendAll(Message),
    Query(u32, Query),
    /// To the client.
    Answer(u32, Reply),
    /// To itself, after so many milliseconds.
    Later(u64, Input),
    Exit(Exit),
}

/// A read goes to the store when its owner did not answer for this long.
const READ_PATIENCE_MS: u64 = 600;
/// How soon an op is tried again when nobody seemed to own its slot.
const RETRY_MS: u64 = 80;
/// For how long what is warm goes ahead of a slot.
const AHEAD_MS: u64 = 40;

/// What another node's owner lent.
#[derive(Clone, Copy)]
struct Loan {
    row: Row,
    until: Moment,
}

/// Whether what is read from the store may be answered at once.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Settles {
    /// The slot is on its way, or was given up: nobody commits, or somebody who knows that others do not know yet.
    AtOnce,
    /// Whoever owns it may commit.
    InTime,
}

/// An op that a client waits for at this edge.
struct Pending {
    op: Op,
    began: Moment,
    /// It was sent to an owner, who may still answer.
    sent: bool,
    /// When it was sent last, and how often the key had been called back by then.
    asked: (Moment, u32),
}

/// One process.
pub(crate) struct Process {
    pub core: Core,
    sabotage: Option<Sabotage>,
    lease_until: Moment,
    owners: Vec<Owner>,
    routes: Vec<Option<Boot>>,
    pending: BTreeMap<u32, Pending>,
    /// Reads at this edge that were sent to the store.
    fallbacks: BTreeMap<u32, (u32, Settles)>,
    /// By key, what was lent to this node, and how often it was called back.
    loans: Vec<(Option<Loan>, u32)>,
    leaves: bool,
    next: u32,
    events: VecDeque<Event>,
    outputs: Vec<Output>,
}

impl Process {
    pub(crate) fn new(identity: Identity, sabotage: Option<Sabotage>) -> Self {
        let slots = usize::from(identity.slots);
        Self {
            core: Core::new(identity),
            sabotage,
            lease_until: Moment(0),
            owners: (0..slots).map(Owner::new).collect(),
            routes: vec![None; slots],
            pending: BTreeMap::new(),
            fallbacks: BTreeMap::new(),
            loans: vec![(None, 0); slots],
            leaves: false,
            next: 0,
            events: VecDeque::new(),
            outputs: Vec::new(),
        }
    }

    pub(crate) fn boot(&self) -> Boot {
        self.core.identity().boot
    }

    fn leased(&self, now: Moment) -> bool {
        now < self.lease_until || self.sabotage == Some(Sabotage::NoLeaseCheck)
    }

    /// Whether it answers for a slot from memory now.
    pub(crate) fn serves(&self, slot: usize, now: Moment) -> bool {
        self.leased(now) && self.owners[slot].served().is_some()
    }

    /// What it answers for a key from memory now, where that must be what is stored.
    pub(crate) fn remembers(&self, key: usize, now: Moment) -> Option<Row> {
        self.owners[key].in_memory().filter(|_| self.leased(now) && self.owners[key].is_at_rest())
    }

    pub(crate) fn handle(&mut self, now: Moment, input: Input) -> Vec<Output> {
        match input {
            Input::Event(event) => {
                self.leaves |= event == Event::Drain;
                self.events.push_back(event);
            }
            Input::Message(from, message) => self.receive(now, from, message),
            Input::Op(op) => {
                self.pending.insert(op.id, Pending { op, began: now, sent: false, asked: (now, 0) });
                self.try_op(now, op.id);
            }
            Input::Retry(op) => self.try_op(now, op),
            Input::Loaded { id, answer, .. } if self.fallbacks.contains_key(&id) => {
                if let Some((op, settles)) = self.fallbacks.remove(&id) {
                    match answer {
                        Some((row, _)) if settles == Settles::AtOnce || self.sabotage == Some(Sabotage::StoredAtOnce) => {
                            self.reply_here(now, op, Reply::Stored(row))
                        }
                        Some((row, _)) => self.outputs.push(Output::Later(SETTLES_AFTER_MS, Input::Settled(op, row))),
                        None => self.reply_here(now, op, Reply::Unknown),
                    }
                }
            }
            Input::Loaded { key, id, answer } => self.own(now, key, |owner, desk| owner.loaded(id, answer, desk)),
            Input::Landed { key, id, epoch, request, answer } => {
                self.own(now, key, |owner, desk| owner.landed(id, (epoch, request), answer, desk));
            }
            Input::RestartOwner(key) => self.own(now, key, |owner, desk| owner.restart(desk)),
            Input::Close(key) => self.own(now, key, |owner, desk| owner.hand_off(desk)),
            Input::Settled(op, row) => self.reply_here(now, op, Reply::Stored(row)),
            Input::Look(key) => self.own(now, key, |owner, desk| owner.look(desk)),
        }
        while let Some(event) = self.events.pop_front() {
            for action in self.core.handle(now, event) {
                self.act(now, action);
            }
        }
        std::mem::take(&mut self.outputs)
    }

    fn act(&mut self, now: Moment, action: Action) {
        match action {
            Action::Ask { ticket, statement } => self.outputs.push(Output::Ask(ticket, statement)),
            Action::Probe { boot, round } => self.outputs.push(Output::Send(boot, Message::Probe(round))),
            Action::Announce { view } => self.outputs.push(Output::SendAll(Message::Announce(view))),
            Action::Members(_) => {}
            Action::Route(routes) => routes.into_iter().for_each(|(slot, owner)| self.routes[slot.index()] = owner),
            Action::Lease { until } => {
                let longer = self.sabotage == Some(Sabotage::LeaseFromAnswer) && until > Moment(0);
                self.lease_until = if longer { now.after(LEASE_MS) } else { until };
            }
            Action::Serve { slot, epoch } => self.own(now, slot.index(), |owner, desk| owner.serve(epoch, desk)),
            Action::Stop { slot } => self.own(now, slot.index(), |owner, desk| owner.stop(desk)),
            Action::HandOff { slot, to } => {
                let warm = self.owners[slot.index()].depart();
                if let (Some(row), Some(to)) = (warm, to) {
                    self.outputs.push(Output::Send(to, Message::Warm(slot.index(), row)));
                }
                self.outputs.push(Output::Later(AHEAD_MS, Input::Close(slot.index())));
            }
            Action::Exit(exit) => self.outputs.push(Output::Exit(exit)),
        }
    }

    fn receive(&mut self, now: Moment, from: Boot, message: Message) {
        match message {
            Message::Probe(round) => self.outputs.push(Output::Send(from, Message::ProbeAnswer(round))),
            Message::ProbeAnswer(round) => self.events.push_back(Event::ProbeAnswered { boot: from, round }),
            Message::Announce(view) => self.events.push_back(Event::Heard { view }),
            Message::Request(op) => {
                let request = Request { op, from };
                self.own(now, op.key, |owner, desk| owner.receive(request, desk));
            }
            Message::Reply(op, reply, view) => {
                self.events.push_back(Event::Heard { view });
                self.reply_here(now, op, reply);
            }
            Message::Warm(key, row) => self.owners[key].expect(row),
            Message::CallBack(key, recall) => {
                let (loan, recalls) = &mut self.loans[key];
                *loan = None;
                *recalls += 1;
                self.outputs.push(Output::Send(from, Message::Returned(key, recall)));
            }
            Message::Returned(key, recall) => self.own(now, key, |owner, desk| owner.returned(from, recall, desk)),
        }
    }

    // ---- the edge ----

    fn try_op(&mut self, now: Moment, id: u32) {
        let me = self.boot();
        if let Some(row) = self.pending.get(&id).and_then(|pending| self.lent(now, pending.op)) {
            self.pending.remove(&id);
            return self.outputs.push(Output::Answer(id, Reply::Value(row)));
        }
        let Some(pending) = self.pending.get_mut(&id) else { return };
        let (op, waited) = (pending.op, now.since(pending.began));
        let read = op.ask == Ask::Read;
        if !pending.sent {
            pending.asked = (now, self.loans[op.key].1);
        }
        if pending.sent {
            if read && waited >= READ_PATIENCE_MS {
                self.fall_back(op, Settles::InTime);
            }
            return;
        }
        match self.routes[op.key] {
            Some(owner) if owner == me => {
                pending.sent = true;
                self.own(now, op.key, |owner, desk| owner.receive(Request { op, from: me }, desk));
            }
            Some(owner) => {
                pending.sent = true;
                self.outputs.push(Output::Send(owner, Message::Request(op)));
                if read {
                    self.outputs.push(Output::Later(READ_PATIENCE_MS, Input::Retry(id)));
                }
            }
            None if read => {
                // A node that was voted out may still have a commit under way, and who has just joined knows of no owner.
                let row = self.core.view().slot(slot_of(op.key));
                let was_given_up = row.owner.is_none() && row.epoch > Epoch(0);
                self.fall_back(op, if was_given_up { Settles::AtOnce } else { Settles::InTime });
            }
            None => self.outputs.push(Output::Later(RETRY_MS, Input::Retry(id))),
        }
    }

    /// What may be answered of what other nodes' owners lent.
    fn lent(&self, now: Moment, op: Op) -> Option<Row> {
        let is_elsewhere = self.leased(now) && self.owners[op.key].served().is_none();
        let loan = self.loans[op.key].0.filter(|loan| op.ask == Ask::Read && is_elsewhere && now < loan.until)?;
        Some(loan.row)
    }

    /// Keeps what was lent, unless it was called back since it was asked for.
    fn keep(&mut self, now: Moment, op: Op, (asked_at, recalls): (Moment, u32), row: Row, loan_ms: u64) {
        let (loan, recalled) = &mut self.loans[op.key];
        if *recalled != recalls && self.sabotage != Some(Sabotage::KeepsWhatWasRecalled) {
            return;
        }
        let from = if self.sabotage == Some(Sabotage::LoanFromAnswer) { now } else { asked_at };
        *loan = Some(Loan { row, until: from.after(loan_ms) });
    }

    fn fall_back(&mut self, op: Op, settles: Settles) {
        self.next += 1;
        self.fallbacks.insert(self.next, (op.id, settles));
        self.outputs.push(Output::Query(self.next, Query::Load { key: op.key, record: None }));
    }

    fn reply_here(&mut self, now: Moment, id: u32, reply: Reply) {
        let Some(pending) = self.pending.get_mut(&id) else { return };
        match reply {
            Reply::NotOwner => {
                pending.sent = false;
                let op = pending.op;
                if op.ask == Ask::Read {
                    self.fall_back(op, Settles::AtOnce);
                } else {
                    self.outputs.push(Output::Later(RETRY_MS, Input::Retry(id)));
                }
            }
            Reply::AskStore => {
                let op = pending.op;
                self.fall_back(op, Settles::InTime);
            }
            Reply::Lent(row, loan_ms) => {
                let Pending { op, asked, .. } = *pending;
                self.pending.remove(&id);
                self.keep(now, op, asked, row, loan_ms);
                self.outputs.push(Output::Answer(id, Reply::Value(row)));
            }
            reply => {
                self.pending.remove(&id);
                self.outputs.push(Output::Answer(id, reply));
            }
        }
    }

    // ---- the owners ----

    fn own(&mut self, now: Moment, key: usize, tell: impl FnOnce(&mut Owner, &mut Desk)) {
        let (me, leased, lease_until) = (self.boot(), self.leased(now), self.lease_until);
        let (leaves, sabotage) = (self.leaves, self.sabotage);
        let mut desk = Desk { me, now, leased, lease_until, leaves, sabotage, last: self.next, steps: Vec::new() };
        tell(&mut self.owners[key], &mut desk);
        self.next = desk.last;
        let slot = slot_of(key);
        for step in desk.steps {
            match step {
                Step::Reply(request, reply) if request.from == self.boot() => self.reply_here(now, request.op.id, reply),
                Step::Reply(request, reply) => {
                    self.outputs.push(Output::Send(request.from, Message::Reply(request.op.id, reply, self.core.view().version())));
                }
                Step::Query(id, query) => self.outputs.push(Output::Query(id, query)),
                Step::Raise(epoch) => self.events.push_back(Event::Raise { slot, epoch }),
                Step::Fenced(epoch) => self.events.push_back(Event::Fenced { slot, epoch }),
                Step::CallBack(boot, recall) => self.outputs.push(Output::Send(boot, Message::CallBack(key, recall))),
                Step::Later(ms) => self.outputs.push(Output::Later(ms, Input::Look(key))),
            }
        }
        if let Some(epoch) = self.owners[key].handed_off(self.sabotage) {
            self.events.push_back(Event::HandedOff { slots: vec![(slot, epoch)] });
        }
    }
}

fn slot_of(key: usize) -> Slot {
    Slot::new(u16::try_from(key).unwrap_or_default()).expect("a key is the number of a slot")
}
