//! Who can be reached: probes over the links, and the accusations that come of missing answers.

use crate::timing::{MISSED_BY_ELDER, MISSED_BY_YOUNGER, Moment, PROBE_EVERY_MS, SETTLE_AFTER_MS};
use crate::view::{Boot, Member, View};
use std::collections::BTreeMap;

/// The probes of every active member.
pub(crate) struct Probes {
    me: Boot,
    peers: BTreeMap<Boot, Peer>,
    round: u64,
    last_at: Option<Moment>,
}

/// What is known of the link to one other node.
#[derive(Default)]
struct Peer {
    /// The round of the last probe that it answered; 0 for none yet.
    answered: u64,
    /// Rounds since then that were given a whole period.
    missed: u32,
    /// Since when it and this node accuse each other, as far as the view says.
    mutual_since: Option<Moment>,
}

impl Probes {
    pub(crate) fn new(me: Boot) -> Self {
        Self { me, peers: BTreeMap::new(), round: 0, last_at: None }
    }

    /// The members changed: those that are active are probed from now on, those that are not no longer. Answers who is new.
    pub(crate) fn follow(&mut self, view: &View, now: Moment) -> Vec<Boot> {
        let mut before = std::mem::take(&mut self.peers);
        let active: Vec<_> = view.members().iter().filter(|member| member.is_active() && member.boot != self.me).map(|m| m.boot).collect();
        let new = active.iter().copied().filter(|boot| !before.contains_key(boot)).collect();
        self.peers = active.into_iter().map(|boot| (boot, before.remove(&boot).unwrap_or_default())).collect();
        let mine: &[Boot] = view.member(self.me).map_or(&[], |member| &member.accuses);
        for (boot, peer) in &mut self.peers {
            let mutual = mine.contains(boot) && view.member(*boot).is_some_and(|member| member.accuses.contains(&self.me));
            peer.mutual_since = mutual.then(|| peer.mutual_since.unwrap_or(now));
        }
        new
    }

    /// When the next round is due.
    pub(crate) fn due(&self) -> Moment {
        self.last_at.map_or(Moment(0), |last| last.after(PROBE_EVERY_MS))
    }

    /// Begins a round: whom to probe, with which number.
    ///
    /// A node that comes late to its own round was busy or paused: the answers may be waiting behind it, so nobody missed anything.
    pub(crate) fn begin(&mut self, now: Moment) -> (u64, Vec<Boot>) {
        let on_time = self.last_at.is_some_and(|last| now.since(last) < 2 * PROBE_EVERY_MS);
        for peer in self.peers.values_mut().filter(|peer| peer.answered < self.round) {
            peer.missed = if on_time { peer.missed.saturating_add(1) } else { 0 };
        }
        self.last_at = Some(now);
        self.round += 1;
        (self.round, self.peers.keys().copied().collect())
    }

    /// The round in which a node that is new, or newly linked, is probed without waiting for the next one. `None` if it is not to be probed.
    pub(crate) fn now(&self, boot: Boot) -> Option<u64> {
        (self.round > 0 && self.peers.contains_key(&boot)).then_some(self.round)
    }

    /// A probe was answered. One that is older than what it takes to be accused says nothing of now.
    pub(crate) fn answered(&mut self, boot: Boot, round: u64) {
        if let Some(peer) = self.peers.get_mut(&boot)
            && round <= self.round
            && round + u64::from(MISSED_BY_ELDER) > self.round
        {
            peer.answered = peer.answered.max(round);
            peer.missed = 0;
        }
    }

    /// Those that answered, and did not fail to since.
    pub(crate) fn reached(&self) -> Vec<Boot> {
        self.peers.iter().filter(|(_, peer)| peer.answered > 0 && peer.missed == 0).map(|(boot, _)| *boot).collect()
    }

    /// Those that missed so many that they cannot be reached.
    pub(crate) fn accused(&self, view: &View) -> Vec<Boot> {
        let born = |boot: Boot| view.member(boot).map(|member| member.born);
        let limit = |boot: Boot| if born(self.me) < born(boot) { MISSED_BY_ELDER } else { MISSED_BY_YOUNGER };
        self.peers.iter().filter(|(boot, peer)| peer.missed >= limit(**boot)).map(|(boot, _)| *boot).collect()
    }

    /// A younger member with which this node has been in mutual accusation for so long that others had their time to judge.
    pub(crate) fn unsettled(&self, view: &View, now: Moment) -> Option<Boot> {
        let mine = view.member(self.me)?;
        let younger = |member: &Member| mine.born < member.born;
        let stands = |peer: &Peer| peer.mutual_since.is_some_and(|since| now.since(since) >= SETTLE_AFTER_MS);
        self.peers.iter().find(|(boot, peer)| stands(peer) && view.member(**boot).is_some_and(younger)).map(|(boot, _)| *boot)
    }

    /// The store would not settle it as the view stood.
    pub(crate) fn not_settled(&mut self, boot: Boot) {
        if let Some(peer) = self.peers.get_mut(&boot) {
            peer.mutual_since = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::{Roles, Status};
    use uuid::Uuid;

    const ELDER: Boot = Boot(Uuid::from_u128(9));
    const YOUNGER: Boot = Boot(Uuid::from_u128(3));

    fn view(version: u64, accusing: bool) -> View {
        let member = |boot: Boot, born, other| Member {
            boot,
            born,
            roles: Roles::ALL,
            address: "".into(),
            status: Status::Up,
            accuses: if accusing { vec![other] } else { Vec::new() },
        };
        let mut view = View::empty(1);
        view.read(version, vec![member(ELDER, 1, YOUNGER), member(YOUNGER, 2, ELDER)]);
        view
    }

    fn rounds(probes: &mut Probes, from: u64, count: u64) {
        for n in 0..count {
            probes.begin(Moment(from + n * PROBE_EVERY_MS));
        }
    }

    #[test]
    fn the_elder_accuses_first() {
        let view = view(1, false);
        let (mut elder, mut younger) = (Probes::new(ELDER), Probes::new(YOUNGER));
        for probes in [&mut elder, &mut younger] {
            probes.follow(&view, Moment(0));
            rounds(probes, 0, 6);
        }
        assert_eq!(elder.accused(&view), [YOUNGER]);
        assert!(younger.accused(&view).is_empty());
        rounds(&mut younger, 3_000, 2);
        assert_eq!(younger.accused(&view), [ELDER]);
        younger.answered(ELDER, 7);
        assert!(younger.accused(&view).is_empty());
        assert_eq!(younger.reached(), [ELDER]);
    }

    #[test]
    fn who_was_paused_accuses_nobody() {
        let view = view(1, false);
        let mut probes = Probes::new(ELDER);
        probes.follow(&view, Moment(0));
        rounds(&mut probes, 0, 5);
        probes.begin(Moment(30_000));
        assert!(probes.accused(&view).is_empty());
        assert!(probes.reached().is_empty(), "nor is somebody reached who never answered");
    }

    #[test]
    fn an_answer_from_long_ago_does_not_count() {
        let mut probes = Probes::new(ELDER);
        probes.follow(&view(1, false), Moment(0));
        rounds(&mut probes, 0, 8);
        probes.answered(YOUNGER, 3);
        assert!(probes.reached().is_empty());
        probes.answered(YOUNGER, 4);
        assert_eq!(probes.reached(), [YOUNGER]);
    }

    #[test]
    fn a_mutual_accusation_is_for_the_elder_to_settle_after_a_while() {
        let (mut elder, mut younger) = (Probes::new(ELDER), Probes::new(YOUNGER));
        let view = view(1, true);
        for probes in [&mut elder, &mut younger] {
            probes.follow(&view, Moment(100));
        }
        assert_eq!(elder.unsettled(&view, Moment(100 + SETTLE_AFTER_MS - 1)), None);
        assert_eq!(elder.unsettled(&view, Moment(100 + SETTLE_AFTER_MS)), Some(YOUNGER));
        assert_eq!(younger.unsettled(&view, Moment(100 + SETTLE_AFTER_MS)), None);
        elder.not_settled(YOUNGER);
        assert_eq!(elder.unsettled(&view, Moment(9_999)), None);
    }
}
