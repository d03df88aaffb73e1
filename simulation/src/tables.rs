//! The cluster's database: the semantics of [`cluster::statement`], in their shortest form. A store of nodes is right if it answers as this one.

use crate::sabotage::Sabotage;
use cluster::{Answer, Boot, Change, Claim, Death, Member, Release, SlotRow, Statement, Status};
use protocol::{Epoch, Slot};
use std::collections::BTreeMap;

/// `node`, `slot` and `view`.
pub struct Tables {
    sabotage: Option<Sabotage>,
    version: u64,
    nodes: BTreeMap<Boot, Node>,
    slots: Vec<(SlotRow, Moved)>,
}

/// The version of the view that a row changed with.
type Moved = u64;

struct Node {
    member: Member,
    counter: u64,
    round: u64,
    moved: Moved,
}

impl Tables {
    /// As migrations make them, for `slots` slots.
    #[must_use]
    pub fn new(slots: u16, sabotage: Option<Sabotage>) -> Self {
        let row = |slot| (SlotRow { slot, owner: None, epoch: Epoch(0) }, 0);
        Self { sabotage, version: 0, nodes: BTreeMap::new(), slots: Slot::all().take(usize::from(slots)).map(row).collect() }
    }

    /// Carries a statement out. Not for [`Statement::RaiseEpochs`], which is the domain databases'.
    pub fn carry_out(&mut self, statement: Statement) -> Answer {
        match statement {
            Statement::Renew { boot, watched } => self.renew(boot, &watched),
            Statement::ReadView { since } => Answer::View {
                version: self.version,
                members: self.nodes.values().filter(|node| node.moved > since).map(|node| node.member.clone()).collect(),
                slots: self.slots.iter().filter(|(_, moved)| *moved > since).map(|(row, _)| *row).collect(),
            },
            Statement::Change(change) => self.change(change),
            Statement::RaiseEpochs(_) => Answer::Refused,
        }
    }

    /// The row of a node.
    #[must_use]
    pub fn member(&self, boot: Boot) -> Option<&Member> {
        self.nodes.get(&boot).map(|node| &node.member)
    }

    /// Who died, and how.
    pub fn deaths(&self) -> impl Iterator<Item = (Boot, Death)> {
        self.nodes.values().filter_map(|node| match node.member.status {
            Status::Dead(death) => Some((node.member.boot, death)),
            _ => None,
        })
    }

    fn renew(&mut self, boot: Boot, watched: &[Boot]) -> Answer {
        let Some(node) = self.nodes.get_mut(&boot).filter(|node| node.member.is_alive()) else { return Answer::Refused };
        node.counter += 1;
        let counter = |boot: &Boot| self.nodes.get(boot).map(|node| (*boot, node.counter));
        Answer::Renewed { view: self.version, counters: watched.iter().filter_map(counter).collect() }
    }

    fn change(&mut self, change: Change) -> Answer {
        self.version += 1;
        let asked: Vec<Slot> = match &change {
            Change::Claim { claims, .. } => claims.iter().map(|claim| claim.slot).collect(),
            Change::Release { releases, .. } => releases.iter().map(|release| release.slot).collect(),
            _ => Vec::new(),
        };
        let applied = self.apply(change);
        if !applied {
            self.version -= 1;
        }
        let slots = asked.into_iter().map(|slot| self.slots[slot.index()].0).collect();
        Answer::Changed { applied, view: self.version, slots }
    }

    fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Join { boot, roles, address } => {
                let member = Member { boot, born: self.version, roles, address, status: Status::Joining, accuses: Vec::new() };
                let node = Node { member, counter: 0, round: 0, moved: self.version };
                self.nodes.entry(boot).and_modify(|node| node.counter += 1).or_insert(node);
                true
            }
            Change::Rise { boot, reached } => {
                let mut up = self.nodes.values().filter(|node| node.member.status == Status::Up);
                up.all(|node| reached.contains(&node.member.boot)) && self.pass(boot, Status::Up, |status| status == Status::Joining)
            }
            Change::Depart { boot } => self.pass(boot, Status::Leaving, |status| matches!(status, Status::Joining | Status::Up)),
            Change::Leave { boot } => self.die(boot, Death::Left),
            Change::Expire { boot, counter } => {
                let stands = self.nodes.get(&boot).is_some_and(|node| node.counter == counter);
                let stands = stands || self.sabotage == Some(Sabotage::NoCounterCompare);
                let alive_or_voted_out = |status| !matches!(status, Status::Dead(Death::Expired | Death::Left));
                stands && self.pass(boot, Status::Dead(Death::Expired), alive_or_voted_out)
            }
            Change::Accuse { by, round, accused } => self.accuse(by, round, accused),
            Change::Settle { elder, younger } => {
                let accuses = |by: Boot, whom| self.active(by).is_some_and(|node| node.member.accuses.contains(&whom));
                let born = |boot: Boot| self.nodes.get(&boot).map(|node| node.member.born);
                accuses(elder, younger) && accuses(younger, elder) && born(elder) < born(younger) && self.vote_out(younger)
            }
            Change::Claim { by, claims } => {
                self.active(by).is_some() && claims.into_iter().filter(|claim| self.claim(by, *claim)).count() > 0
            }
            Change::Release { by, releases } => releases.into_iter().filter(|release| self.release(by, *release)).count() > 0,
            Change::Forget { boots } => {
                let owns = |boot: Boot| self.slots.iter().any(|(row, _)| row.owner == Some(boot));
                let gone: Vec<_> =
                    boots.into_iter().filter(|boot| self.member(*boot).is_some_and(|m| !m.is_alive()) && !owns(*boot)).collect();
                gone.iter().for_each(|boot| drop(self.nodes.remove(boot)));
                !gone.is_empty()
            }
        }
    }

    fn active(&self, boot: Boot) -> Option<&Node> {
        self.nodes.get(&boot).filter(|node| node.member.is_active())
    }

    fn pass(&mut self, boot: Boot, to: Status, from: impl Fn(Status) -> bool) -> bool {
        let Some(node) = self.nodes.get_mut(&boot).filter(|node| from(node.member.status)) else { return false };
        node.member.status = to;
        node.moved = self.version;
        true
    }

    fn die(&mut self, boot: Boot, death: Death) -> bool {
        self.pass(boot, Status::Dead(death), |status| !matches!(status, Status::Dead(_)))
    }

    fn vote_out(&mut self, boot: Boot) -> bool {
        let waits = self.sabotage != Some(Sabotage::ClaimWithoutWaiting);
        self.die(boot, if waits { Death::VotedOut } else { Death::Expired })
    }

    fn accuse(&mut self, by: Boot, round: u64, accused: Vec<Boot>) -> bool {
        let version = self.version;
        let Some(node) = self.nodes.get_mut(&by).filter(|node| node.member.is_active() && round > node.round) else { return false };
        node.round = round;
        node.member.accuses.clone_from(&accused);
        node.moved = version;
        for boot in accused {
            let active = self.nodes.values().filter(|node| node.member.is_active());
            let votes = active.clone().filter(|node| node.member.accuses.contains(&boot)).count();
            let needed = if active.count() <= 2 { 1 } else { 2 };
            if votes >= needed && self.active(boot).is_some() {
                self.vote_out(boot);
            }
        }
        true
    }

    fn claim(&mut self, by: Boot, Claim { slot, seen, above }: Claim) -> bool {
        let (row, moved) = &mut self.slots[slot.index()];
        let free = row.owner.is_none_or(|owner| owner == by || self.nodes.get(&owner).is_some_and(|node| !node.member.is_alive()));
        let free = free && (row.epoch == seen || self.sabotage == Some(Sabotage::ClaimIgnoresEpoch));
        if free {
            *row = SlotRow { slot, owner: Some(by), epoch: row.epoch.max(above).next() };
            *moved = self.version;
        }
        free
    }

    fn release(&mut self, by: Boot, Release { slot, epoch, heir }: Release) -> bool {
        let heir = heir.filter(|heir| self.member(*heir).is_some_and(|member| member.status == Status::Up));
        let (row, moved) = &mut self.slots[slot.index()];
        let mine = row.owner == Some(by) && (row.epoch == epoch || self.sabotage == Some(Sabotage::ReleaseIgnoresEpoch));
        if mine {
            row.owner = heir;
            row.epoch = heir.map_or(row.epoch, |_| row.epoch.next());
            *moved = self.version;
        }
        mine
    }
}
