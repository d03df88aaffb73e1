//! A core with somebody who answers its statements.

use cluster::{Action, Answer, Boot, Change, Core, Event, Identity, Member, Moment, Release, Roles, SlotRow, Statement, Status, Ticket};
use protocol::{Epoch, Slot};
use uuid::Uuid;

pub const ME: Boot = Boot(Uuid::from_u128(5));
pub const OTHER: Boot = Boot(Uuid::from_u128(9));

pub fn slot(number: u16) -> Slot {
    Slot::new(number).expect("a slot")
}

pub fn row(number: u16, owner: Option<Boot>, epoch: u64) -> SlotRow {
    SlotRow { slot: slot(number), owner, epoch: Epoch(epoch) }
}

pub fn release(number: u16, epoch: u64, heir: Option<Boot>) -> Release {
    Release { slot: slot(number), epoch: Epoch(epoch), heir }
}

pub fn member(boot: Boot, born: u64, status: Status) -> Member {
    Member { boot, born, roles: Roles::ALL, address: "somewhere".into(), status, accuses: Vec::new() }
}

pub fn changed(view: u64, slots: Vec<SlotRow>) -> Answer {
    Answer::Changed { applied: true, view, slots }
}

pub struct Node {
    pub core: Core,
    pub now: Moment,
    asked: Vec<(Ticket, Statement)>,
    /// What it did beside asking the store, since it was last looked at.
    pub done: Vec<Action>,
}

impl Node {
    /// A node among two slots, at a second of its own clock.
    pub fn new() -> Self {
        let identity = Identity { boot: ME, roles: Roles::ALL, address: "here".into(), slots: 2 };
        let mut node = Self { core: Core::new(identity), now: Moment(1_000_000), asked: Vec::new(), done: Vec::new() };
        node.tell(Event::Woken);
        node
    }

    /// A node that is up, alone or beside others, whose rows are these. Its lease has just been renewed.
    pub fn up(others: Vec<Member>, slots: Vec<SlotRow>) -> Self {
        let mut node = Self::new();
        node.answer(|s| matches!(s, Statement::Change(Change::Join { .. })), Some(changed(10, Vec::new())));
        node.renewed(10);
        node.reads(10, [others, vec![member(ME, 10, Status::Up)]].concat(), slots);
        node
    }

    pub fn tell(&mut self, event: Event) {
        let actions = self.core.handle(self.now, event);
        let asks = |action: &Action| matches!(action, Action::Ask { statement: Statement::Change(Change::Release { .. }), .. });
        let release = actions.iter().position(asks).unwrap_or(actions.len());
        assert!(
            !actions[release..].iter().any(|action| matches!(action, Action::Stop { .. })),
            "what is asked to be given up is stopped before"
        );
        for action in actions {
            match action {
                Action::Ask { ticket, statement } => self.asked.push((ticket, statement)),
                action => self.done.push(action),
            }
        }
    }

    /// Lets time pass, waking it whenever it wants to be.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now.after(ms);
        while self.now < end {
            self.now = self.core.wake_at().min(end).max(self.now.after(1));
            self.tell(Event::Woken);
        }
    }

    /// The statement under way of that sort.
    pub fn asks(&self, sort: impl Fn(&Statement) -> bool) -> Option<&Statement> {
        self.asked.iter().map(|(_, statement)| statement).find(|statement| sort(statement))
    }

    /// The change under way.
    pub fn changes(&self) -> Option<&Change> {
        self.asked.iter().find_map(|(_, statement)| if let Statement::Change(change) = statement { Some(change) } else { None })
    }

    pub fn answer(&mut self, sort: impl Fn(&Statement) -> bool, answer: Option<Answer>) {
        let at = self.asked.iter().position(|(_, statement)| sort(statement)).expect("it asks for that");
        let (ticket, _) = self.asked.remove(at);
        self.tell(Event::Answered { ticket, answer });
    }

    /// No answer comes in time.
    pub fn give_up(&mut self, sort: impl Fn(&Statement) -> bool) -> Ticket {
        let ticket = self.asked.iter().find(|(_, statement)| sort(statement)).expect("it asks for that").0;
        self.answer(sort, None);
        ticket
    }

    /// Everybody answers the probes that were sent since somebody looked.
    pub fn answer_probes(&mut self) {
        for action in std::mem::take(&mut self.done) {
            if let Action::Probe { boot, round } = action {
                self.tell(Event::ProbeAnswered { boot, round });
            }
        }
    }

    pub fn answer_change(&mut self, answer: Option<Answer>) {
        self.answer(|statement| matches!(statement, Statement::Change(_)), answer);
    }

    pub fn answer_raise(&mut self, higher: Vec<(Slot, Epoch)>) {
        self.answer(|statement| matches!(statement, Statement::RaiseEpochs(_)), Some(Answer::Raised { higher }));
    }

    pub fn renewed(&mut self, view: u64) {
        self.answer(|statement| matches!(statement, Statement::Renew { .. }), Some(Answer::Renewed { view, counters: Vec::new() }));
    }

    pub fn reads(&mut self, version: u64, members: Vec<Member>, slots: Vec<SlotRow>) {
        self.answer(|statement| matches!(statement, Statement::ReadView { .. }), Some(Answer::View { version, members, slots }));
    }

    pub fn did(&mut self, what: &Action) -> bool {
        let did = self.done.contains(what);
        self.done.clear();
        did
    }
}
