//! The thread that runs the core: it takes what happened, and has carried out what is to be done about it.

use super::{Events, Outlook, Peers, Shared};
use cluster::timing::LEASE_MS;
use cluster::{Action, Answer, Boot, Change, Core, Death, Event, Exit, Identity, Member, Moment, Statement, Status, Ticket};
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt};
use protocol::{Epoch, Slot};
use std::sync::Arc;
use std::time::Duration;
use store::lease::now_ms;
use store::postgres::Membership;
use tokio::time::sleep;

/// What the thread is given.
pub(super) struct Driver {
    pub(super) identity: Identity,
    pub(super) events: Events,
    pub(super) shared: Arc<Shared>,
    pub(super) store: Arc<Membership>,
    pub(super) peers: Arc<dyn Peers>,
}

impl Driver {
    pub(super) fn start(self) -> std::io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        std::thread::Builder::new().name("membership".to_owned()).spawn(move || {
            // However this thread ends, nothing is served any more, and whoever waits for the end is told.
            let _ending = Ending(self.shared.clone());
            runtime.block_on(Running::new(self).run());
        })?;
        Ok(())
    }
}

struct Ending(Arc<Shared>);

impl Drop for Ending {
    fn drop(&mut self) {
        if std::thread::panicking() {
            tracing::error!("the thread of the cluster's membership panicked: this node serves nothing any more");
        }
        self.0.end(Exit::Dead);
    }
}

/// The core at work.
struct Running {
    driver: Driver,
    core: Core,
    /// Statements under way: at most one of each variant.
    asked: FuturesUnordered<BoxFuture<'static, (Ticket, Option<Answer>)>>,
    /// It asked to be dead as one that left: it owns nothing any more.
    has_left: bool,
    ended: bool,
}

impl Running {
    fn new(driver: Driver) -> Self {
        Self { core: Core::new(driver.identity.clone()), driver, asked: FuturesUnordered::new(), has_left: false, ended: false }
    }

    async fn run(mut self) {
        while !self.ended {
            let wait = self.core.wake_at().since(Moment(now_ms()));
            tokio::select! {
                Some((ticket, answer)) = self.asked.next() => self.handle(Event::Answered { ticket, answer }),
                () = self.driver.events.told() => match self.driver.events.take() {
                    Some(events) => events.into_iter().for_each(|event| self.handle(event)),
                    None => return,
                },
                () = sleep(Duration::from_millis(wait)) => self.handle(Event::Woken),
            }
        }
    }

    /// The time is read before, since a statement counts as sent by then.
    fn handle(&mut self, event: Event) {
        let now = Moment(now_ms());
        let actions = self.core.handle(now, event);
        let moves = |action: &Action| {
            matches!(action, Action::Serve { .. } | Action::Stop { .. } | Action::HandOff { .. } | Action::Route(_) | Action::Members(_))
        };
        let is_moved = actions.iter().any(moves);
        actions.into_iter().for_each(|action| self.carry_out(action));
        // A view may be newer for something that moves nothing.
        if self.driver.shared.outlook.borrow().view != self.core.view().version() {
            self.look_out(|_| {});
        }
        if is_moved {
            self.driver.shared.ownership.tell_moved();
        }
    }

    fn carry_out(&mut self, action: Action) {
        let Driver { shared, peers, .. } = &self.driver;
        match action {
            Action::Ask { ticket, statement } => self.ask(ticket, statement),
            Action::Probe { boot, round } => peers.probe(boot, round),
            Action::Announce { view } => peers.announce(view),
            Action::Members(members) => self.members(members),
            Action::Route(moved) => self.route(&moved),
            Action::Lease { until: Moment(0) } => shared.ownership.lease().end(),
            Action::Lease { until } => {
                shared.ownership.lease().renew(until.0.saturating_sub(LEASE_MS), Duration::from_millis(LEASE_MS));
            }
            Action::Serve { slot, epoch } => shared.ownership.serve(slot, epoch),
            Action::HandOff { slot, to } => shared.ownership.depart(slot, to),
            Action::Stop { slot } => shared.ownership.stop(slot),
            Action::Exit(exit) => {
                // Of its own leaving it may learn by a renewal that is refused, before that is answered.
                let exit = if self.has_left { Exit::Left } else { exit };
                tracing::info!(boot = %self.driver.identity.boot, ?exit, "this node's part in the cluster is over");
                shared.end(exit);
                self.ended = true;
            }
        }
    }

    fn ask(&mut self, ticket: Ticket, statement: Statement) {
        self.has_left |= matches!(statement, Statement::Change(Change::Leave { .. }));
        let store = self.driver.store.clone();
        self.asked.push(Box::pin(async move { (ticket, store.ask(statement).await) }));
    }

    fn members(&self, members: Vec<Member>) {
        tracing::info!(view = self.core.view().version(), members = members.len(), "the cluster's members changed");
        let members: Arc<[Member]> = members.into();
        let has_left = |member: &&Member| member.status == Status::Dead(Death::Left);
        let left: Arc<[Boot]> = self.core.view().members().iter().filter(has_left).map(|member| member.boot).collect();
        self.look_out(|outlook| (outlook.members, outlook.left) = (Arc::clone(&members), Arc::clone(&left)));
        self.driver.peers.members(&members, &left);
    }

    fn route(&self, moved: &[(Slot, Option<Boot>)]) {
        self.look_out(|outlook| {
            for (slot, owner) in moved {
                outlook.owners[slot.index()] = *owner;
                let row = self.core.view().slot(*slot);
                outlook.given_up[slot.index()] = row.owner.map_or(row.epoch > Epoch(0), |owner| owner == self.driver.identity.boot);
            }
        });
    }

    fn look_out(&self, change: impl FnOnce(&mut Outlook)) {
        let view = self.core.view().version();
        self.driver.shared.outlook.send_modify(|outlook| {
            let outlook = Arc::make_mut(outlook);
            outlook.view = view;
            change(outlook);
        });
    }
}
