//! What a node knows of the cluster: its members, and who owns which slot.

use protocol::{Epoch, Slot};
use std::fmt;
use std::sync::Arc;
use uuid::Uuid;

/// One life of a node process. A node that starts again is another one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Boot(pub Uuid);

impl fmt::Debug for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Boot({})", self.0)
    }
}

impl fmt::Display for Boot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a node does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Roles {
    /// It takes requests from outside.
    pub edge: bool,
    /// It owns slots.
    pub entity: bool,
    /// It works on images.
    pub media: bool,
}

impl Roles {
    /// All of them: the default.
    pub const ALL: Self = Self { edge: true, entity: true, media: true };
}

/// How a node stands. It only ever goes down this list, and down that of deaths.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Its row is there, and it is reaching for the others.
    Joining,
    /// It reached every node that was up, and may own slots.
    Up,
    /// It hands its slots over.
    Leaving,
    /// It ended or must end. Its row refuses renewals for ever.
    Dead(Death),
}

/// How a node died, which says when its slots may be claimed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Death {
    /// Others could not reach it. It may have renewed just before: after [`crate::timing::CLAIM_WAIT_MS`].
    VotedOut,
    /// Its counter stood still for longer than its lease: at once.
    Expired,
    /// It said so itself, serving nothing any more: at once.
    Left,
}

/// A node's row.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Member {
    /// Which life of it.
    pub boot: Boot,
    /// The view version that its joining made. Unique, and lower for the elder of two.
    pub born: u64,
    /// What it does.
    pub roles: Roles,
    /// Where and as whom to reach it. The core hands it on, and does not look into it.
    pub address: Arc<str>,
    /// How it stands.
    pub status: Status,
    /// Whom it cannot reach.
    pub accuses: Vec<Boot>,
}

impl Member {
    /// Whether its row still takes renewals.
    #[must_use]
    pub const fn is_alive(&self) -> bool {
        !matches!(self.status, Status::Dead(_))
    }

    /// Whether it may own slots or did a moment ago: it is probed, and its vote counts.
    #[must_use]
    pub const fn is_active(&self) -> bool {
        matches!(self.status, Status::Up | Status::Leaving)
    }

    /// Whether slots should be placed on it.
    #[must_use]
    pub const fn takes_slots(&self) -> bool {
        matches!(self.status, Status::Up) && self.roles.entity
    }
}

/// A slot's row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SlotRow {
    /// Which slot.
    pub slot: Slot,
    /// Who owns it; `None` if it was released to nobody, or never owned.
    pub owner: Option<Boot>,
    /// The epoch of its last owner. Every claim raises it, and every release to an heir.
    pub epoch: Epoch,
}

impl SlotRow {
    /// Whether this is a later state of the row than `other`. Epochs rise with each owner; of two states with one epoch, the released one is later.
    const fn is_later_than(&self, other: &Self) -> bool {
        self.epoch.0 > other.epoch.0 || self.epoch.0 == other.epoch.0 && self.owner.is_none() && other.owner.is_some()
    }
}

/// What a node knows of the cluster. It may be old: nothing here gives a right, it only says what to ask for and whom.
#[derive(Clone, Debug)]
pub struct View {
    version: u64,
    members: Vec<Member>,
    slots: Vec<SlotRow>,
}

impl View {
    /// Knows nothing yet of `slots` slots, numbered from 0.
    pub(crate) fn empty(slots: u16) -> Self {
        let unowned = |slot| SlotRow { slot, owner: None, epoch: Epoch(0) };
        Self { version: 0, members: Vec::new(), slots: Slot::all().take(usize::from(slots)).map(unowned).collect() }
    }

    /// The version up to which it was read. Rows of slots may be newer.
    #[must_use]
    pub const fn version(&self) -> u64 {
        self.version
    }

    /// The rows of nodes, by boot.
    #[must_use]
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The row of a node.
    #[must_use]
    pub fn member(&self, boot: Boot) -> Option<&Member> {
        self.members.binary_search_by_key(&boot, |member| member.boot).ok().map(|at| &self.members[at])
    }

    /// The rows of slots, by slot.
    #[must_use]
    pub fn slots(&self) -> &[SlotRow] {
        &self.slots
    }

    /// The row of a slot.
    ///
    /// # Panics
    /// If the slot is not one of the cluster's.
    #[must_use]
    pub fn slot(&self, slot: Slot) -> SlotRow {
        self.slots[slot.index()]
    }

    /// Whether its counter is worth watching: it is alive, or it was voted out while it owned slots. In that case, and if it has really died, its counter says
    /// that its lease ended sooner than those who only know of the vote can tell.
    pub(crate) fn is_watched(&self, member: &Member) -> bool {
        let voted_out = member.status == Status::Dead(Death::VotedOut);
        member.is_alive() || voted_out && self.slots.iter().any(|row| row.owner == Some(member.boot))
    }

    /// The living owner of a slot, as far as is known.
    #[must_use]
    pub fn owner(&self, slot: Slot) -> Option<Boot> {
        self.slots[slot.index()].owner.filter(|owner| self.member(*owner).is_some_and(Member::is_alive))
    }

    /// Takes over the rows of nodes that changed up to a version, and answers whether there are any. Reads come one after another: one that is older
    /// than this view is left out.
    pub(crate) fn read(&mut self, version: u64, members: Vec<Member>) -> bool {
        if version < self.version {
            return false;
        }
        self.version = version;
        let changed = !members.is_empty();
        for member in members {
            match self.members.binary_search_by_key(&member.boot, |known| known.boot) {
                Ok(at) => self.members[at] = member,
                Err(at) => self.members.insert(at, member),
            }
        }
        changed
    }

    /// Drops nodes that are dead and own no slot.
    pub(crate) fn forget(&mut self, boots: &[Boot]) {
        self.members.retain(|member| !boots.contains(&member.boot));
    }

    /// Takes over rows of slots. They may come from any statement and in any order: the later state of each stays.
    pub(crate) fn learn(&mut self, rows: Vec<SlotRow>) -> bool {
        let mut changed = false;
        for row in rows {
            let known = &mut self.slots[row.slot.index()];
            if row.is_later_than(known) {
                *known = row;
                changed = true;
            }
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn slot() -> Slot {
        Slot::new(0).expect("a slot")
    }

    proptest! {
        /// Answers of a claim, of a release and of a read of the view overtake each other.
        #[test]
        fn rows_end_up_the_same_in_any_order(order in Just((0..8usize).collect::<Vec<_>>()).prop_shuffle()) {
            let history: Vec<_> = (0..8).map(|n: u64| SlotRow {
                slot: slot(),
                owner: n.is_multiple_of(2).then(|| Boot(Uuid::from_u128(u128::from(n) + 1))),
                epoch: Epoch(n / 2 + 1),
            }).collect();
            let mut view = View::empty(1);
            for at in order {
                view.learn(vec![history[at]]);
            }
            prop_assert_eq!(view.slot(slot()), history[7]);
        }
    }

    #[test]
    fn an_older_view_does_not_replace_a_newer_one() {
        let member =
            |status| Member { boot: Boot(Uuid::nil()), born: 1, roles: Roles::ALL, address: "a".into(), status, accuses: Vec::new() };
        let mut view = View::empty(1);
        assert!(view.read(3, vec![member(Status::Up)]));
        assert!(!view.read(2, vec![member(Status::Joining)]));
        assert_eq!(view.member(Boot(Uuid::nil())).map(|m| m.status), Some(Status::Up));
    }

    #[test]
    fn a_dead_owner_is_nobody_to_ask() {
        let boot = Boot(Uuid::nil());
        let member = |status| Member { boot, born: 1, roles: Roles::ALL, address: "a".into(), status, accuses: Vec::new() };
        let mut view = View::empty(1);
        view.learn(vec![SlotRow { slot: slot(), owner: Some(boot), epoch: Epoch(1) }]);
        assert_eq!(view.owner(slot()), None);
        view.read(1, vec![member(Status::Up)]);
        assert_eq!(view.owner(slot()), Some(boot));
        view.read(2, vec![member(Status::Dead(Death::Expired))]);
        assert_eq!(view.owner(slot()), None);
    }
}
