//! Which slots this node claims, serves, moves and gives up.
//!
//! Nothing here is remembered as a plan. At each look, what is due follows from the slot's row as it is known, and from five facts that a [`Holding`]
//! keeps. So a statement that failed is simply due again, and one whose answer was lost is found in the row that it left.

use crate::placement::place;
use crate::statement::{Claim, Release};
use crate::timing::{CLAIM_WAIT_MS, HAND_OFF_MAX_MS, MOVING_SHARE, Moment, RAISED_AHEAD_MAX_MS, REMEMBERED_MS};
use crate::view::{Boot, Death, Member, SlotRow, Status, View};
use protocol::{Epoch, Slot};
use std::collections::BTreeMap;

/// What this node knows of its part in one slot, beside the slot's row.
#[derive(Clone, Default)]
struct Holding {
    /// The epoch at which it is served.
    served: Option<Epoch>,
    /// Every domain database is known to be at this epoch, or was.
    raised: Epoch,
    /// It must not be served at this epoch or below: a commit of unknown outcome or a dead owner actor was at it, or a database is.
    above: Epoch,
    /// A release of this epoch was decided on. It may land at any time, so the slot is never again served at it, whatever the row says: to have the
    /// slot back, it is claimed anew.
    renounced: Epoch,
    /// How far its hand-off is.
    hand_off: Option<HandOff>,
}

/// What is done for a slot before it is given up.
#[derive(Clone, Copy)]
enum HandOff {
    /// The shell is at it, since then.
    Begun(Moment),
    /// Since then the shell has no commit under way, and begins none. The slot is still read here while the databases are raised to the next epoch, for which
    /// its next owner need not wait then.
    Closed(Moment),
}

impl Holding {
    const fn is_closed(&self) -> bool {
        matches!(self.hand_off, Some(HandOff::Closed(_)))
    }
}

/// A slot that begins or ends to be served.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    Serve(Slot, Epoch),
    Stop(Slot),
}

/// This node's part in all slots.
pub(crate) struct Ownership {
    me: Boot,
    holdings: Vec<Holding>,
    wish: Vec<Option<Boot>>,
    /// When this node read of the deaths that it still remembers.
    deaths: BTreeMap<Boot, Moment>,
    /// Nothing is served any more, whatever the rows say.
    closed: bool,
}

impl Ownership {
    pub(crate) fn new(me: Boot, slots: u16) -> Self {
        let count = usize::from(slots);
        Self { me, holdings: vec![Holding::default(); count], wish: vec![None; count], deaths: BTreeMap::new(), closed: false }
    }

    /// The members changed.
    pub(crate) fn follow(&mut self, view: &View, now: Moment) {
        let candidates: Vec<_> = view.members().iter().filter(|member| member.takes_slots()).map(|member| member.boot).collect();
        let slots = u16::try_from(self.holdings.len()).expect("it was made of one");
        self.wish = place(slots, &candidates);
        for member in view.members().iter().filter(|member| !member.is_alive()) {
            self.deaths.entry(member.boot).or_insert(now);
        }
    }

    /// Dead nodes that everybody had time to look at, and that own nothing.
    pub(crate) fn forgettable(&self, view: &View, now: Moment) -> Vec<Boot> {
        let old = self.deaths.iter().filter(|(_, read)| now.since(**read) >= REMEMBERED_MS).map(|(boot, _)| *boot);
        old.filter(|boot| view.slots().iter().all(|row| row.owner != Some(*boot))).collect()
    }

    /// They are gone from the view.
    pub(crate) fn forget(&mut self, boots: &[Boot]) {
        self.deaths.retain(|boot, _| !boots.contains(boot));
    }

    /// The row is this node's, and no release of it is on its way.
    fn is_mine(&self, row: &SlotRow) -> bool {
        row.owner == Some(self.me) && row.epoch > self.holdings[row.slot.index()].renounced
    }

    /// Whether the row may be claimed now: nobody owns it, or somebody who serves nothing any more, by any clock.
    fn is_free(&self, row: &SlotRow, view: &View, now: Moment) -> bool {
        let Some(owner) = row.owner else { return true };
        match view.member(owner).map(|member| member.status) {
            Some(Status::Dead(Death::Expired | Death::Left)) => true,
            Some(Status::Dead(Death::VotedOut)) => self.deaths.get(&owner).is_some_and(|read| now.since(*read) >= CLAIM_WAIT_MS),
            // The row is newer than the view, or its owner lives.
            _ => false,
        }
    }

    /// What is to be claimed: what is free and wished here, if this node takes slots; and its own where the epoch must rise.
    pub(crate) fn claims(&self, view: &View, now: Moment, takes_slots: bool) -> Vec<Claim> {
        if self.closed {
            return Vec::new();
        }
        let due = |row: &&SlotRow| {
            if row.owner == Some(self.me) {
                let holding = &self.holdings[row.slot.index()];
                self.is_mine(row) && row.epoch <= holding.above && !holding.is_closed()
            } else {
                takes_slots && self.wish[row.slot.index()] == Some(self.me) && self.is_free(row, view, now)
            }
        };
        let claim = |row: &SlotRow| Claim { slot: row.slot, seen: row.epoch, above: self.holdings[row.slot.index()].above };
        view.slots().iter().filter(due).map(claim).collect()
    }

    /// What is to be released, and who is wished to have it next. What is wished here after all is claimed anew.
    pub(crate) fn releases(&self, view: &View) -> Vec<Release> {
        let given_up = |row: &&SlotRow| row.owner == Some(self.me) && !self.is_mine(row);
        let heir = |row: &SlotRow| self.wish[row.slot.index()].filter(|heir| *heir != self.me);
        let release = |row: &SlotRow| Release { slot: row.slot, epoch: row.epoch, heir: heir(row) };
        view.slots().iter().filter(given_up).map(release).collect()
    }

    /// What the domain databases must be raised to before a slot can be served, or given up.
    pub(crate) fn raises(&self, view: &View) -> Vec<(Slot, Epoch)> {
        let due = |row: &SlotRow| {
            let holding = &self.holdings[row.slot.index()];
            let is_to_be_served = row.epoch > holding.above && row.epoch != holding.raised;
            let next = if holding.is_closed() { Some(row.epoch.next()) } else { is_to_be_served.then_some(row.epoch) };
            next.filter(|_| self.is_mine(row)).map(|epoch| (row.slot, epoch))
        };
        view.slots().iter().filter_map(due).collect()
    }

    /// The databases are at these epochs, or above them where they say so.
    pub(crate) fn raised(&mut self, epochs: Vec<(Slot, Epoch)>, higher: Vec<(Slot, Epoch)>, view: &View) {
        for (slot, epoch) in epochs {
            let (row, holding) = (view.slot(slot), &mut self.holdings[slot.index()]);
            if holding.is_closed() && row.epoch.next() == epoch {
                self.renounce(row);
            } else {
                holding.raised = epoch;
            }
        }
        for (slot, epoch) in higher {
            self.overcome(slot, epoch);
        }
    }

    /// The slot is to be served only at an epoch above this one.
    pub(crate) fn overcome(&mut self, slot: Slot, epoch: Epoch) {
        let holding = &mut self.holdings[slot.index()];
        holding.above = holding.above.max(epoch);
    }

    /// A commit was fenced at this epoch. If it is the row's, it is this node's own and will be served once it is everywhere.
    pub(crate) fn fenced(&mut self, slot: Slot, epoch: Epoch, view: &View) {
        let row = view.slot(slot);
        if !self.is_mine(&row) || epoch > row.epoch {
            self.overcome(slot, epoch);
        }
    }

    /// What begins and what ends to be served, by the rows as they are known. A slot whose epoch rises under this node goes on being served at the old one
    /// until the databases are at the new one.
    pub(crate) fn turns(&mut self, view: &View) -> Vec<Turn> {
        let mut turns = Vec::new();
        for row in view.slots() {
            let mine = self.is_mine(row) && !self.closed;
            let holding = &mut self.holdings[row.slot.index()];
            if !mine {
                if holding.served.take().is_some() {
                    turns.push(Turn::Stop(row.slot));
                }
                holding.hand_off = None;
            } else if holding.raised == row.epoch && row.epoch > holding.above && holding.served != Some(row.epoch) {
                holding.served = Some(row.epoch);
                turns.push(Turn::Serve(row.slot, row.epoch));
            }
        }
        turns
    }

    /// Begins to move slots to where they are wished, as many as may move at a time. A node that leaves gives up also those that are wished nowhere.
    pub(crate) fn begin_hand_offs(&mut self, view: &View, now: Moment, leaving: bool) -> Vec<(Slot, Option<Boot>)> {
        let room = view.slots().len().div_ceil(MOVING_SHARE);
        let moving = view.slots().iter().filter(|row| self.is_moving(row)).count();
        let mut begun = Vec::new();
        for row in view.slots() {
            let wish = self.wish[row.slot.index()];
            let holding = &self.holdings[row.slot.index()];
            let settled = self.is_mine(row) && holding.served == Some(row.epoch) && row.epoch > holding.above;
            let elsewhere = wish != Some(self.me) && (wish.is_some() || leaving);
            if moving + begun.len() >= room {
                break;
            }
            if settled && elsewhere && holding.hand_off.is_none() {
                self.holdings[row.slot.index()].hand_off = Some(HandOff::Begun(now));
                begun.push((row.slot, wish));
            }
        }
        begun
    }

    /// From the beginning of its hand-off until its next owner is known; where there will be none, until it is given up.
    fn is_moving(&self, row: &SlotRow) -> bool {
        let is_awaited = self.wish[row.slot.index()].is_some();
        let holding = &self.holdings[row.slot.index()];
        holding.hand_off.is_some()
            || row.owner == Some(self.me) && !self.is_mine(row)
            || row.owner.is_none() && is_awaited && row.epoch == holding.renounced && row.epoch.0 > 0
    }

    /// The shell has handed a slot off; an epoch other than the served one is of a hand-off before.
    pub(crate) fn handed_off(&mut self, slot: Slot, epoch: Epoch, now: Moment) {
        let holding = &mut self.holdings[slot.index()];
        if matches!(holding.hand_off, Some(HandOff::Begun(_))) && holding.served == Some(epoch) {
            holding.hand_off = Some(HandOff::Closed(now));
        }
    }

    /// Gives up what the shell did not hand off in time, and what takes no writes while a database is not raised.
    pub(crate) fn end_late_hand_offs(&mut self, view: &View, now: Moment) {
        for row in view.slots() {
            let is_late = match self.holdings[row.slot.index()].hand_off {
                None => false,
                Some(HandOff::Begun(since)) => now.since(since) >= HAND_OFF_MAX_MS,
                Some(HandOff::Closed(since)) => now.since(since) >= RAISED_AHEAD_MAX_MS,
            };
            if is_late {
                self.renounce(*row);
            }
        }
    }

    /// Gives up whatever is left.
    pub(crate) fn renounce_all(&mut self, view: &View) {
        let me = self.me;
        for row in view.slots().iter().filter(|row| row.owner == Some(me)) {
            self.renounce(*row);
        }
    }

    fn renounce(&mut self, row: SlotRow) {
        let holding = &mut self.holdings[row.slot.index()];
        holding.renounced = holding.renounced.max(row.epoch);
        holding.hand_off = None;
    }

    /// Serves nothing ever again.
    pub(crate) fn close(&mut self) {
        self.closed = true;
    }

    /// Whether no row is this node's.
    pub(crate) fn owns_nothing(&self, view: &View) -> bool {
        view.slots().iter().all(|row| row.owner != Some(self.me))
    }

    /// The epoch at which a slot is served.
    pub(crate) fn served(&self, slot: Slot) -> Option<Epoch> {
        self.holdings[slot.index()].served
    }

    /// Whether everything stands as it is wished.
    pub(crate) fn is_settled(&self, view: &View) -> bool {
        view.slots().iter().all(|row| row.owner == self.wish[row.slot.index()])
            && view.slots().iter().filter(|row| row.owner == Some(self.me)).all(|row| self.served(row.slot) == Some(row.epoch))
    }
}

/// The node that clears up: the eldest that is up.
pub(crate) fn eldest(view: &View) -> Option<Boot> {
    view.members().iter().filter(|member| member.status == Status::Up).min_by_key(|member| member.born).map(|member: &Member| member.boot)
}
