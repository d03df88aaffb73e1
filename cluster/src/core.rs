//! The state machine of one node.

use crate::exchange::{Action, Event, Exit, Identity};
use crate::ownership::{Ownership, Turn, eldest};
use crate::probe::Probes;
use crate::statement::{Answer, Change, Statement, Ticket};
use crate::timing::{
    LEASE_MS, LEAVING_HAND_OFF_MAX_MS, LEAVING_MAX_MS, LOOK_EVERY_MS, MOVES_EVERY_MS, Moment, RENEWAL_EVERY_MS, RETRY_AFTER_MS,
    read_every_min_ms,
};
use crate::view::{Boot, Member, Status, View};
use crate::watch::Watch;
use protocol::{Epoch, Slot};
use std::sync::Arc;

/// A kind of statement of which one is under way at a time.
struct Lane<T> {
    under_way: Option<(Ticket, T)>,
    not_before: Moment,
}

impl<T> Lane<T> {
    const fn new() -> Self {
        Self { under_way: None, not_before: Moment(0) }
    }

    fn is_open(&self, now: Moment) -> bool {
        self.under_way.is_none() && now >= self.not_before
    }

    fn answered(&mut self, ticket: Ticket) -> Option<T> {
        self.under_way.take_if(|(under_way, _)| *under_way == ticket).map(|(_, what)| what)
    }
}

/// Decides everything that one node does as a member of the cluster. It does nothing itself: it is given what happened and when, and answers what is to be
/// done. See the crate's documentation for what runs it.
pub struct Core {
    identity: Identity,
    view: View,
    /// The highest version of the view that anybody told of.
    heard: u64,
    /// The version that this node's last change made.
    changed: u64,
    joined: bool,
    leaving_since: Option<Moment>,
    ended: bool,
    lease_until: Moment,
    next_ticket: u64,
    /// The renewal, and when it was sent.
    renewing: Lane<Moment>,
    /// The read, and what had been heard before.
    reading: Lane<u64>,
    raising: Lane<Vec<(Slot, Epoch)>>,
    changing: Lane<Change>,
    /// When slots may begin to move again.
    moving_from: Moment,
    watch: Watch,
    probes: Probes,
    /// Whom this node accuses in the table; `None` while nobody knows.
    told: Option<Vec<Boot>>,
    accusations: u64,
    ownership: Ownership,
    routes: Vec<Option<Boot>>,
    looked_at: Moment,
    actions: Vec<Action>,
}

impl Core {
    /// A node that has not begun to join. It begins with the first event.
    #[must_use]
    pub fn new(identity: Identity) -> Self {
        let Identity { boot, slots, .. } = identity;
        Self {
            view: View::empty(slots),
            heard: 0,
            changed: 0,
            joined: false,
            leaving_since: None,
            ended: false,
            lease_until: Moment(0),
            next_ticket: 0,
            renewing: Lane::new(),
            reading: Lane::new(),
            raising: Lane::new(),
            changing: Lane::new(),
            moving_from: Moment(0),
            watch: Watch::default(),
            probes: Probes::new(boot),
            told: Some(Vec::new()),
            accusations: 0,
            ownership: Ownership::new(boot, slots),
            routes: vec![None; usize::from(slots)],
            looked_at: Moment(0),
            actions: Vec::new(),
            identity,
        }
    }

    /// Takes in what happened, and answers what is to be done about it. `now` never goes back. After [`Action::Exit`] nothing is answered any more.
    pub fn handle(&mut self, now: Moment, event: Event) -> Vec<Action> {
        if self.ended {
            return Vec::new();
        }
        let look = match event {
            Event::Woken => true,
            Event::Answered { ticket, answer } => {
                self.answered(now, ticket, answer);
                true
            }
            Event::ProbeAnswered { boot, round } => {
                self.probes.answered(boot, round);
                self.status() == Some(Status::Joining)
            }
            Event::Linked { boot } => {
                self.probe_now(boot);
                false
            }
            Event::Heard { view } => self.hear(view),
            Event::HandedOff { slots } => {
                slots.into_iter().for_each(|(slot, epoch)| self.ownership.handed_off(slot, epoch, now));
                true
            }
            Event::Raise { slot, epoch } => {
                self.ownership.overcome(slot, epoch);
                true
            }
            Event::Fenced { slot, epoch } => {
                self.ownership.fenced(slot, epoch, &self.view);
                true
            }
            Event::Drain => {
                self.leaving_since.get_or_insert(now);
                true
            }
        };
        if look && !self.ended {
            self.look(now);
        }
        std::mem::take(&mut self.actions)
    }

    /// When [`Event::Woken`] is due at the latest; after [`Action::Exit`] never.
    #[must_use]
    pub fn wake_at(&self) -> Moment {
        if self.ended {
            return Moment(u64::MAX);
        }
        let later = self.looked_at.after(LOOK_EVERY_MS);
        let renewal = self.renewing.under_way.is_none().then_some(self.renewing.not_before);
        [renewal, Some(self.probes.due()), self.watch.due(), Some(self.moving_from)]
            .into_iter()
            .flatten()
            .filter(|due| *due > self.looked_at)
            .fold(later, Moment::min)
    }

    /// Who this node is.
    #[must_use]
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// What it knows of the cluster.
    #[must_use]
    pub const fn view(&self) -> &View {
        &self.view
    }

    /// How it stands, as far as it knows.
    #[must_use]
    pub fn status(&self) -> Option<Status> {
        self.view.member(self.identity.boot).map(|member| member.status)
    }

    /// Until when it may answer from memory.
    #[must_use]
    pub const fn lease_until(&self) -> Moment {
        self.lease_until
    }

    /// The epoch at which it serves a slot, provided that its lease holds.
    #[must_use]
    pub fn served(&self, slot: Slot) -> Option<Epoch> {
        self.ownership.served(slot)
    }

    /// Whether every slot is owned as it is wished, as far as this node knows, and its own are served.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.ownership.is_settled(&self.view)
    }

    // ---- what happened ----

    fn answered(&mut self, now: Moment, ticket: Ticket, answer: Option<Answer>) {
        if let Some(sent) = self.renewing.answered(ticket) {
            self.renewed(now, sent, answer);
        } else if let Some(heard) = self.reading.answered(ticket) {
            self.read(now, heard, answer);
        } else if let Some(epochs) = self.raising.answered(ticket) {
            match answer {
                Some(Answer::Raised { higher }) => self.ownership.raised(epochs, higher, &self.view),
                _ => self.raising.not_before = now.after(RETRY_AFTER_MS),
            }
        } else if let Some(change) = self.changing.answered(ticket) {
            self.changed(now, change, answer);
        }
    }

    fn renewed(&mut self, now: Moment, sent: Moment, answer: Option<Answer>) {
        self.renewing.not_before = sent.after(RENEWAL_EVERY_MS).max(now);
        match answer {
            Some(Answer::Renewed { view, counters }) => {
                self.lease_until = self.lease_until.max(sent.after(LEASE_MS));
                self.actions.push(Action::Lease { until: self.lease_until });
                self.watch.renewed(now, counters);
                self.hear(view);
            }
            Some(Answer::Refused) => self.end(Exit::Dead),
            _ => self.renewing.not_before = now.after(RETRY_AFTER_MS),
        }
    }

    fn read(&mut self, now: Moment, heard_before: u64, answer: Option<Answer>) {
        let Some(Answer::View { version, members, slots }) = answer else {
            self.reading.not_before = now.after(RETRY_AFTER_MS);
            return;
        };
        self.reading.not_before = now.after(read_every_min_ms(self.view.members().len()));
        if self.heard == heard_before {
            // What was heard and does not exist is not read for again.
            self.heard = version;
        }
        let moved = self.view.learn(slots);
        let joined_or_died = self.view.read(version, members);
        if self.status().is_none_or(|status| matches!(status, Status::Dead(_))) {
            return self.end(Exit::Dead);
        }
        if joined_or_died {
            self.ownership.follow(&self.view, now);
            for boot in self.probes.follow(&self.view, now) {
                self.probe_now(boot);
            }
            self.actions.push(Action::Members(self.view.members().iter().filter(|member| member.is_alive()).cloned().collect()));
        }
        if moved || joined_or_died {
            self.route();
        }
    }

    fn changed(&mut self, now: Moment, change: Change, answer: Option<Answer>) {
        let Some(Answer::Changed { applied, view, slots }) = answer else {
            if matches!(change, Change::Accuse { .. }) {
                self.told = None;
            }
            self.changing.not_before = now.after(RETRY_AFTER_MS);
            return;
        };
        self.hear(view);
        if self.view.learn(slots) {
            self.route();
        }
        if applied {
            self.changed = view;
            self.actions.push(Action::Announce { view });
        } else {
            self.changing.not_before = now.after(RETRY_AFTER_MS);
        }
        match change {
            Change::Join { .. } => {
                self.joined = true;
                // Something to read for, even if the row was there before.
                self.heard = self.heard.max(1);
            }
            Change::Expire { boot, .. } => self.watch.moved(boot),
            Change::Accuse { accused, .. } => self.told = applied.then_some(accused),
            Change::Settle { younger, .. } if !applied => self.probes.not_settled(younger),
            Change::Leave { .. } => self.end(Exit::Left),
            Change::Forget { boots } => self.forget(&boots),
            _ => {}
        }
    }

    fn hear(&mut self, view: u64) -> bool {
        let newer = view > self.heard;
        self.heard = self.heard.max(view);
        newer
    }

    fn end(&mut self, exit: Exit) {
        self.ended = true;
        self.ownership.close();
        self.lease_until = Moment(0);
        self.actions.push(Action::Lease { until: self.lease_until });
        self.turn();
        self.actions.push(Action::Exit(exit));
    }

    // ---- what is due ----

    fn look(&mut self, now: Moment) {
        self.looked_at = now;
        if let Some(since) = self.leaving_since {
            if now.since(since) >= LEAVING_MAX_MS || !self.joined && self.changing.under_way.is_none() {
                return self.end(Exit::Left);
            }
            if now.since(since) >= LEAVING_HAND_OFF_MAX_MS {
                self.ownership.renounce_all(&self.view);
            }
        }
        self.ownership.end_late_hand_offs(&self.view, now);
        self.turn();
        if self.joined {
            self.renew(now);
            self.read_view(now);
            self.probe(now);
            self.hand_off(now);
            self.raise_epochs(now);
        }
        if self.changing.is_open(now)
            && let Some(change) = self.next_change(now)
        {
            let ticket = self.ask(Statement::Change(change.clone()));
            self.changing.under_way = Some((ticket, change));
        }
    }

    fn ask(&mut self, statement: Statement) -> Ticket {
        let ticket = Ticket(self.next_ticket);
        self.next_ticket += 1;
        self.actions.push(Action::Ask { ticket, statement });
        ticket
    }

    fn turn(&mut self) {
        self.actions.extend(self.ownership.turns(&self.view).into_iter().map(|turn| match turn {
            Turn::Serve(slot, epoch) => Action::Serve { slot, epoch },
            Turn::Stop(slot) => Action::Stop { slot },
        }));
    }

    fn renew(&mut self, now: Moment) {
        if self.renewing.is_open(now) {
            let (boot, watched) = (self.identity.boot, Watch::watched(&self.view, self.identity.boot));
            let ticket = self.ask(Statement::Renew { boot, watched });
            self.renewing.under_way = Some((ticket, now));
        }
    }

    fn read_view(&mut self, now: Moment) {
        if self.heard > self.view.version() && self.reading.is_open(now) {
            let ticket = self.ask(Statement::ReadView { since: self.view.version() });
            self.reading.under_way = Some((ticket, self.heard));
        }
    }

    fn probe(&mut self, now: Moment) {
        if now >= self.probes.due() {
            let (round, boots) = self.probes.begin(now);
            self.actions.extend(boots.into_iter().map(|boot| Action::Probe { boot, round }));
        }
    }

    fn probe_now(&mut self, boot: Boot) {
        if let Some(round) = self.probes.now(boot) {
            self.actions.push(Action::Probe { boot, round });
        }
    }

    fn hand_off(&mut self, now: Moment) {
        // Without a lease nothing moves: nobody knows how the cluster stands.
        if now >= self.moving_from && now < self.lease_until && self.view.member(self.identity.boot).is_some_and(Member::is_active) {
            let leaving = self.status() == Some(Status::Leaving);
            let begun = self.ownership.begin_hand_offs(&self.view, now, leaving);
            if !begun.is_empty() {
                self.moving_from = now.after(MOVES_EVERY_MS);
            }
            self.actions.extend(begun.into_iter().map(|(slot, to)| Action::HandOff { slot, to }));
        }
    }

    fn raise_epochs(&mut self, now: Moment) {
        if self.raising.is_open(now) {
            let epochs = self.ownership.raises(&self.view);
            if !epochs.is_empty() {
                let ticket = self.ask(Statement::RaiseEpochs(epochs.clone()));
                self.raising.under_way = Some((ticket, epochs));
            }
        }
    }

    fn route(&mut self) {
        let owners = self.view.slots().iter().map(|row| (row.slot, self.view.owner(row.slot)));
        let moved: Vec<_> = owners.filter(|(slot, owner)| self.routes[slot.index()] != *owner).collect();
        for (slot, owner) in &moved {
            self.routes[slot.index()] = *owner;
        }
        if !moved.is_empty() {
            self.actions.push(Action::Route(moved));
        }
    }

    /// The most urgent change that is due, if any. All of them are decided anew each time, from what is known.
    fn next_change(&mut self, now: Moment) -> Option<Change> {
        let Identity { boot, roles, .. } = self.identity;
        if !self.joined {
            return Some(Change::Join { boot, roles, address: Arc::clone(&self.identity.address) });
        }
        let me = self.view.member(boot)?;
        let (status, active, takes_slots) = (me.status, me.is_active(), me.takes_slots());
        // Who does not reach the database itself does not judge others, and takes nothing.
        let leased = now < self.lease_until;
        // What this node itself changed last is in its view: else it would do it again.
        let fresh = self.view.version() >= self.changed;
        let leaving = self.leaving_since.is_some();

        if leased && fresh {
            if let Some((boot, counter)) = self.watch.expired(now)
                && self.view.member(boot).is_some_and(|member| self.view.is_watched(member))
            {
                return Some(Change::Expire { boot, counter });
            }
            if leaving && matches!(status, Status::Joining | Status::Up) {
                return Some(Change::Depart { boot });
            }
        }
        if leased
            && active
            && let Some(judgement) = self.judgement(now, fresh)
        {
            return Some(judgement);
        }
        let releases = self.ownership.releases(&self.view);
        if !releases.is_empty() {
            return Some(Change::Release { by: boot, releases });
        }
        if leased && active {
            let claims = self.ownership.claims(&self.view, now, takes_slots && !leaving);
            if !claims.is_empty() {
                return Some(Change::Claim { by: boot, claims });
            }
        }
        if !fresh {
            return None;
        }
        match status {
            Status::Joining if leased && !leaving => self.rise(),
            Status::Leaving if leaving && self.ownership.owns_nothing(&self.view) => {
                // It may be carried out at any time from now on, and others claim at once then.
                self.ownership.close();
                Some(Change::Leave { boot })
            }
            Status::Up if leased => self.clear_up(now),
            _ => None,
        }
    }

    /// Accuses whom this node cannot reach, and settles with whom it has long been accusing each other.
    fn judgement(&mut self, now: Moment, fresh: bool) -> Option<Change> {
        let by = self.identity.boot;
        let accused = self.probes.accused(&self.view);
        if self.told.as_ref() != Some(&accused) {
            self.accusations += 1;
            return Some(Change::Accuse { by, round: self.accusations, accused });
        }
        let younger = self.probes.unsettled(&self.view, now).filter(|_| fresh)?;
        Some(Change::Settle { elder: by, younger })
    }

    /// Up, once every node that is up was reached.
    fn rise(&self) -> Option<Change> {
        let reached = self.probes.reached();
        let mut up = self.view.members().iter().filter(|member| member.status == Status::Up);
        up.all(|member| reached.contains(&member.boot)).then_some(Change::Rise { boot: self.identity.boot, reached })
    }

    /// Forgets old deaths. The eldest node removes their rows first.
    fn clear_up(&mut self, now: Moment) -> Option<Change> {
        let boots = self.ownership.forgettable(&self.view, now);
        if !boots.is_empty() && eldest(&self.view) == Some(self.identity.boot) {
            return Some(Change::Forget { boots });
        }
        self.forget(&boots);
        None
    }

    fn forget(&mut self, boots: &[Boot]) {
        self.view.forget(boots);
        self.ownership.forget(boots);
    }
}
