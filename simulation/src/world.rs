//! The simulator: one queue of what is to happen, in the order of true time, and everything that it happens to.

mod fault;

use crate::domain::{DATABASES, Domain};
use crate::history::History;
use crate::judge::{Judge, Recovery};
use crate::owner::{Query, Reply};
use crate::process::{Input, Message, Output, Process};
use crate::sabotage::Sabotage;
use crate::scenario::{Fault, Scenario};
use crate::tables::Tables;
use crate::weather::{Arrival, Micros, Weather};
use cluster::timing::{RENEWAL_ANSWER_MAX_MS, STATEMENT_ANSWER_MAX_MS};
use cluster::{Answer, Boot, Event, Exit, Identity, Moment, Roles, Statement, Ticket};
use protocol::{Epoch, Slot};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use uuid::Uuid;

const CLIENTS: usize = 3;
/// A client gives an op up, and asks something else.
const CLIENT_PATIENCE: Micros = 7_000_000;
const SECOND: Micros = 1_000_000;

/// Something that is to happen.
enum Happening {
    /// To a process.
    Told(usize, Input),
    Wake(usize),
    /// A hang ends.
    Continue(usize),
    /// A statement reaches the cluster's database, or an epoch raise the database of this number.
    Statement {
        from: usize,
        ticket: Ticket,
        statement: Statement,
        answer_by: Option<Micros>,
    },
    Raise {
        from: usize,
        ticket: Ticket,
        epochs: Vec<(Slot, Epoch)>,
        higher: Vec<(Slot, Epoch)>,
        database: usize,
        answer_by: Option<Micros>,
    },
    /// A query reaches a domain database.
    Query {
        from: usize,
        id: u32,
        query: Query,
        answer_by: Option<Micros>,
    },
    Client {
        client: usize,
        op: u32,
    },
    Fault(Fault),
    Start,
    /// A process that left ends.
    End(usize),
}

struct Entry {
    at: Micros,
    number: u64,
    what: Happening,
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A process with its machine's clock.
pub(crate) struct Host {
    pub(crate) process: Process,
    /// `None` once it ended.
    pub(crate) ended: Option<Micros>,
    clock_offset: Micros,
    clock_ppm: u64,
    hung_until: Micros,
    backlog: Vec<Input>,
    wakes_at: Micros,
    /// Something was done to it that others may take for death.
    pub(crate) excused: bool,
    pub(crate) leaving: bool,
    /// Its core has ended; the process may still have something in hand.
    pub(crate) exited: bool,
    /// It ended because it was dead to the others.
    pub(crate) died: bool,
    missed: Missed,
}

/// How many renewals of a node in a row were not carried out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Missed {
    None,
    /// One, when so many of all nodes had been carried out.
    Since(u64),
    /// More, and another node's was carried out between them: this one's counter stood still while time counted.
    WhileOthersWereHeard,
}

impl Host {
    /// A renewal of it was carried out or was not; of all nodes, so many were until then.
    fn renewal(&mut self, carried_out: bool, of_all: u64) {
        self.missed = match self.missed {
            _ if carried_out => Missed::None,
            Missed::None => Missed::Since(of_all),
            Missed::Since(before) if of_all > before => Missed::WhileOthersWereHeard,
            missed => missed,
        };
    }

    /// Outages swallowed its renewal and the repetition, and spared another node's between them. That is one more than the spans of the protocol allow for.
    pub(crate) fn missed_two_renewals(&self) -> bool {
        self.missed == Missed::WhileOthersWereHeard
    }

    pub(crate) fn clock(&self, now: Micros) -> Moment {
        Moment((self.clock_offset + now * self.clock_ppm / 1_000_000) / 1_000)
    }

    /// When its clock will be at `moment`, and not before.
    fn true_time(&self, moment: Moment) -> Micros {
        ((moment.0 * 1_000).saturating_sub(self.clock_offset) * 1_000_000).div_ceil(self.clock_ppm)
    }

    pub(crate) fn lives(&self) -> bool {
        self.ended.is_none()
    }
}

/// Everything.
pub(crate) struct World {
    pub(crate) now: Micros,
    pub(crate) hosts: Vec<Host>,
    pub(crate) domain: Domain,
    pub(crate) tables: Tables,
    pub(crate) history: History,
    sabotage: Option<Sabotage>,
    scenario: Scenario,
    rng: ChaCha8Rng,
    queue: BinaryHeap<Reverse<Entry>>,
    number: u64,
    weather: Weather,
    judge: Judge,
    /// Renewals that were carried out, of all nodes.
    renewals: u64,
    pub(crate) steps: u64,
    /// What happened, if it is asked for.
    pub(crate) trace: Option<Vec<String>>,
}

macro_rules! note {
    ($world:expr, $($text:tt)*) => {
        if let Some(trace) = &mut $world.trace {
            trace.push(format!("{:>10.3} ms  {}", $world.now as f64 / 1_000.0, format_args!($($text)*)));
        }
    };
}

impl World {
    pub(crate) fn new(scenario: &Scenario, sabotage: Option<Sabotage>, traced: bool) -> Self {
        let mut world = Self {
            now: 0,
            hosts: Vec::new(),
            domain: Domain::new(scenario.slots, sabotage),
            tables: Tables::new(scenario.slots, sabotage),
            history: History::new(CLIENTS, usize::from(scenario.slots)),
            sabotage,
            scenario: scenario.clone(),
            rng: ChaCha8Rng::seed_from_u64(scenario.seed ^ 0x5eed),
            queue: BinaryHeap::new(),
            number: 0,
            weather: Weather::default(),
            judge: Judge::new(scenario),
            renewals: 0,
            steps: 0,
            trace: traced.then(Vec::new),
        };
        for _ in 0..scenario.nodes {
            let at = world.rng.random_range(0..500_000);
            world.at(at, Happening::Start);
        }
        for (at, fault) in &scenario.faults {
            world.at(Micros::from(*at) * 1_000, Happening::Fault(fault.clone()));
        }
        for client in 0..CLIENTS {
            world.at(SECOND, Happening::Client { client, op: 0 });
        }
        world
    }

    /// Lets everything happen until the end, or until something happens that must not.
    pub(crate) fn run(&mut self) -> Result<(), String> {
        while let Some(Reverse(Entry { at, what, .. })) = self.queue.pop() {
            if at > self.judge.end() {
                return Ok(());
            }
            self.now = at;
            self.steps += 1;
            self.happen(what)?;
        }
        Ok(())
    }

    pub(crate) fn recovery(&self) -> Recovery {
        self.judge.recovery()
    }

    pub(crate) fn unlucky(&self) -> u64 {
        self.judge.unlucky()
    }

    fn at(&mut self, at: Micros, what: Happening) {
        self.number += 1;
        self.queue.push(Reverse(Entry { at, number: self.number, what }));
    }

    fn happen(&mut self, what: Happening) -> Result<(), String> {
        match what {
            Happening::Told(host, input) => self.tell(host, input),
            Happening::Wake(host) => self.wake(host),
            Happening::Continue(host) => self.go_on(host),
            Happening::Statement { from, ticket, statement, answer_by } => self.carry_out(from, ticket, statement, answer_by),
            Happening::Raise { .. } => {
                self.raise(what);
                Ok(())
            }
            Happening::Query { from, id, query, answer_by } => self.query(from, id, query, answer_by),
            Happening::Client { client, op } => {
                self.client(client, op);
                Ok(())
            }
            Happening::Fault(fault) => {
                note!(self, "fault: {fault:?}");
                self.befall(&fault);
                Ok(())
            }
            Happening::Start => {
                self.start();
                Ok(())
            }
            Happening::End(host) => {
                self.hosts[host].ended = Some(self.now);
                Ok(())
            }
        }
    }

    // ---- processes ----

    fn start(&mut self) {
        let boot = Boot(Uuid::from_u128(self.rng.random()));
        let identity = Identity { boot, roles: Roles::ALL, address: "".into(), slots: self.scenario.slots };
        let host = Host {
            process: Process::new(identity, self.sabotage),
            ended: None,
            clock_offset: self.rng.random_range(0..1_000_000 * SECOND),
            clock_ppm: self.rng.random_range(990_000..=1_010_000),
            hung_until: 0,
            backlog: Vec::new(),
            wakes_at: 0,
            excused: false,
            leaving: false,
            exited: false,
            died: false,
            missed: Missed::None,
        };
        self.hosts.push(host);
        note!(self, "node {} starts as {boot}", self.hosts.len() - 1);
        self.at(self.now, Happening::Wake(self.hosts.len() - 1));
        self.hosts.last_mut().expect("it was just pushed").wakes_at = self.now;
    }

    fn wake(&mut self, at: usize) -> Result<(), String> {
        let host = &mut self.hosts[at];
        if host.wakes_at != self.now {
            return Ok(());
        }
        host.wakes_at = Micros::MAX;
        if host.clock(self.now) < host.process.core.wake_at() {
            self.set_alarm(at);
            return Ok(());
        }
        self.tell(at, Input::Event(Event::Woken))
    }

    fn set_alarm(&mut self, at: usize) {
        let late = self.weather.notice(self.now, at, &mut self.rng);
        let host = &mut self.hosts[at];
        if host.exited {
            return;
        }
        let due = host.true_time(host.process.core.wake_at()).max(self.now + 1) + late;
        if due < host.wakes_at {
            host.wakes_at = due;
            self.at(due, Happening::Wake(at));
        }
    }

    fn tell(&mut self, at: usize, input: Input) -> Result<(), String> {
        let host = &mut self.hosts[at];
        if !host.lives() {
            return Ok(());
        }
        if self.now < host.hung_until {
            host.backlog.push(input);
            return Ok(());
        }
        note!(self, "node {at} <- {input:?}");
        let host = &mut self.hosts[at];
        let moment = host.clock(self.now);
        let outputs = host.process.handle(moment, input);
        for output in outputs {
            self.put_out(at, output)?;
        }
        self.set_alarm(at);
        self.judge.look(self.now, at, &self.hosts, &self.domain)
    }

    fn go_on(&mut self, at: usize) -> Result<(), String> {
        if self.now < self.hosts[at].hung_until {
            return Ok(());
        }
        for input in std::mem::take(&mut self.hosts[at].backlog) {
            self.tell(at, input)?;
        }
        Ok(())
    }

    fn put_out(&mut self, from: usize, output: Output) -> Result<(), String> {
        match output {
            Output::Ask(ticket, statement) => self.ask(from, ticket, statement),
            Output::Send(to, message) => self.send(from, to, message),
            Output::SendAll(message) => {
                let others: Vec<_> = self.hosts.iter().filter(|host| host.lives()).map(|host| host.process.boot()).collect();
                others.into_iter().for_each(|to| self.send(from, to, message));
            }
            Output::Query(id, query) => {
                let (arrives, answer_by) = self.dispatch(STATEMENT_ANSWER_MAX_MS);
                if answer_by.is_none() {
                    self.answer_query(from, id, &query, self.now + STATEMENT_ANSWER_MAX_MS * 1_000, None);
                }
                self.at(arrives, Happening::Query { from, id, query, answer_by });
            }
            Output::Answer(op, reply) => return self.answer_client(op, reply),
            Output::Later(ms, input) => self.at(self.now + ms * 1_000, Happening::Told(from, input)),
            Output::Exit(exit) => {
                note!(self, "node {from} ends: {exit:?}");
                self.hosts[from].exited = true;
                if exit == Exit::Left {
                    self.at(self.now + SECOND, Happening::End(from));
                    return Ok(());
                }
                self.hosts[from].ended = Some(self.now);
                self.hosts[from].died = true;
                // Kubernetes starts it again.
                if !self.hosts[from].leaving {
                    self.at(self.now + SECOND, Happening::Start);
                }
            }
        }
        Ok(())
    }

    fn send(&mut self, from: usize, to: Boot, message: Message) {
        let Some(to) = self.hosts.iter().position(|host| host.process.boot() == to) else { return };
        if to == from || !self.hosts[to].lives() {
            return;
        }
        let sender = self.hosts[from].process.boot();
        for delay in self.weather.message(self.now, from, to, &mut self.rng).into_iter().flatten() {
            let delay = delay + self.weather.notice(self.now, to, &mut self.rng);
            self.at(self.now + delay, Happening::Told(to, Input::Message(sender, message)));
        }
    }

    // ---- databases ----

    /// When a statement arrives, and until when its sender waits for the answer; `None` if it will have given up.
    fn dispatch(&mut self, limit_ms: u64) -> (Micros, Option<Micros>) {
        match self.weather.late(self.now, &mut self.rng) {
            Some(late) => (self.now + late, None),
            None => (self.now + self.weather.to_store(self.now, &mut self.rng), Some(self.now + limit_ms * 1_000)),
        }
    }

    fn ask(&mut self, from: usize, ticket: Ticket, statement: Statement) {
        note!(self, "node {from} asks {statement:?}");
        let renewal = matches!(statement, Statement::Renew { .. });
        let limit = if renewal { RENEWAL_ANSWER_MAX_MS } else { STATEMENT_ANSWER_MAX_MS };
        let (arrives, mut answer_by) = self.dispatch(limit);
        if answer_by.is_none() {
            self.answer(from, ticket, self.now + limit * 1_000, None);
        }
        let what = match statement {
            Statement::RaiseEpochs(epochs) => {
                if self.sabotage == Some(Sabotage::LoadBeforeRaise) && answer_by.take().is_some() {
                    let higher = self.domain.higher(&epochs);
                    self.answer(from, ticket, self.now, Some(Answer::Raised { higher }));
                }
                Happening::Raise { from, ticket, epochs, higher: Vec::new(), database: 0, answer_by }
            }
            statement => Happening::Statement { from, ticket, statement, answer_by },
        };
        self.at(arrives, what);
    }

    fn answer(&mut self, to: usize, ticket: Ticket, at: Micros, answer: Option<Answer>) {
        let at = at + self.weather.notice(self.now, to, &mut self.rng);
        self.at(at, Happening::Told(to, Input::Event(Event::Answered { ticket, answer })));
    }

    /// Whether a statement is carried out that has arrived, and when its answer comes; `None` for the answer if it is lost.
    fn fate(&mut self, from: usize, answer_by: Option<Micros>) -> (bool, Option<(Micros, bool)>) {
        let back = self.now + self.weather.to_store(self.now, &mut self.rng);
        match self.weather.arrival(self.now, from) {
            Arrival::Refused => (false, answer_by.map(|_| (back, false))),
            Arrival::Swallowed => (false, answer_by.map(|by| (by, false))),
            Arrival::CarriedOut => {
                let lost = self.weather.loses_answer(self.now, &mut self.rng);
                (true, answer_by.map(|by| if lost || back > by { (by, false) } else { (back, true) }))
            }
        }
    }

    fn carry_out(&mut self, from: usize, ticket: Ticket, statement: Statement, answer_by: Option<Micros>) -> Result<(), String> {
        let (carried_out, answered) = self.fate(from, answer_by);
        if matches!(statement, Statement::Renew { .. }) {
            self.hosts[from].renewal(carried_out, self.renewals);
            self.renewals += u64::from(carried_out);
        }
        let answer = carried_out.then(|| self.tables.carry_out(statement));
        if carried_out {
            note!(self, "the store answers node {from}, {ticket:?}: {answer:?}");
            self.judge.deaths(&self.hosts, &self.tables)?;
        }
        if let Some((at, arrives)) = answered {
            self.answer(from, ticket, at, answer.filter(|_| arrives));
        }
        Ok(())
    }

    /// Raises one database after the other.
    fn raise(&mut self, what: Happening) {
        let Happening::Raise { from, ticket, epochs, mut higher, database, answer_by } = what else { return };
        let (carried_out, answered) = self.fate(from, answer_by);
        if carried_out && self.sabotage != Some(Sabotage::EpochsNotRaised) {
            higher.extend(self.domain.raise(database, &epochs));
            note!(self, "database {database} is raised for node {from}: {epochs:?}");
        }
        if carried_out && database + 1 < DATABASES {
            let next = self.now + self.weather.to_store(self.now, &mut self.rng);
            self.at(next, Happening::Raise { from, ticket, epochs, higher, database: database + 1, answer_by });
        } else if let Some((at, arrives)) = answered {
            self.answer(from, ticket, at, (carried_out && arrives).then_some(Answer::Raised { higher }));
        }
    }

    fn query(&mut self, from: usize, id: u32, query: Query, answer_by: Option<Micros>) -> Result<(), String> {
        let (carried_out, answered) = self.fate(from, answer_by);
        let answer = carried_out.then(|| self.domain.answer(&query));
        if let Query::Commit { key, .. } = query {
            note!(self, "{query:?} of node {from}: {answer:?}");
            if carried_out {
                self.judge.stored(self.now, key, &self.hosts, &self.domain)?;
            }
        }
        if let Some((at, arrives)) = answered {
            self.answer_query(from, id, &query, at, answer.filter(|_| arrives));
        }
        Ok(())
    }

    fn answer_query(&mut self, to: usize, id: u32, query: &Query, at: Micros, answer: Option<crate::domain::DomainAnswer>) {
        let at = at + self.weather.notice(self.now, to, &mut self.rng);
        let input = match *query {
            Query::Load { key, .. } => Input::Loaded { key, id, answer: answer.and_then(|answer| answer.loaded()) },
            Query::Commit { key, epoch, request, .. } => {
                Input::Landed { key, id, epoch, request, answer: answer.and_then(|answer| answer.landed()) }
            }
        };
        self.at(at, Happening::Told(to, input));
    }

    // ---- clients ----

    /// A client's turn. `op` is the one that it has waited for too long, 0 if it is just its turn.
    fn client(&mut self, client: usize, op: u32) {
        if op != 0 && !self.history.waits_for(client, op) {
            return;
        }
        // Load balancers know who leaves.
        let edges: Vec<_> = (0..self.hosts.len()).filter(|at| self.hosts[*at].lives() && !self.hosts[*at].leaving).collect();
        if edges.is_empty() {
            return self.at(self.now + SECOND, Happening::Client { client, op: 0 });
        }
        let edge = edges[self.rng.random_range(0..edges.len())];
        let key = self.rng.random_range(0..usize::from(self.scenario.slots));
        let write = self.rng.random_ratio(2, 5);
        let op = self.history.ask(client, key, write);
        note!(self, "client {client} asks node {edge}: {op:?}");
        self.at(self.now + 1, Happening::Told(edge, Input::Op(op)));
        self.at(self.now + CLIENT_PATIENCE, Happening::Client { client, op: op.id });
    }

    fn answer_client(&mut self, op: u32, reply: Reply) -> Result<(), String> {
        note!(self, "op {op} is answered {reply:?}");
        if let Some(client) = self.history.answer(op, reply, &self.domain)? {
            let pause = self.rng.random_range(1_000..150_000);
            self.at(self.now + pause, Happening::Client { client, op: 0 });
        }
        Ok(())
    }
}
