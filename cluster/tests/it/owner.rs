//! Claiming, raising, serving, losing.

use crate::node::{ME, Node, OTHER, changed, member, release, row, slot};
use cluster::timing::{CLAIM_WAIT_MS, MOVES_EVERY_MS, RAISED_AHEAD_MAX_MS};
use cluster::{Action, Change, Claim, Death, Event, Statement, Status};
use protocol::Epoch;

fn claim(number: u16, seen: u64, above: u64) -> Claim {
    Claim { slot: slot(number), seen: Epoch(seen), above: Epoch(above) }
}

/// A node that has both slots and leaves, and another one that is up: what is here is wished there.
fn leaving_beside_another() -> Node {
    let mut node = Node::up(Vec::new(), vec![row(0, Some(ME), 3), row(1, Some(ME), 3)]);
    node.answer_raise(Vec::new());
    node.tell(Event::Drain);
    node.answer_change(Some(changed(11, Vec::new())));
    node.pass(150);
    node.reads(12, vec![member(ME, 10, Status::Leaving), member(OTHER, 12, Status::Up)], Vec::new());
    node
}

#[test]
fn a_slot_is_served_only_after_every_database_is_at_its_epoch() {
    let mut node = Node::up(Vec::new(), Vec::new());
    assert_eq!(node.changes(), Some(&Change::Claim { by: ME, claims: vec![claim(0, 0, 0), claim(1, 0, 0)] }));
    node.answer_change(Some(changed(11, vec![row(0, Some(ME), 1), row(1, Some(ME), 1)])));
    assert_eq!(node.core.served(slot(0)), None);
    let raises = Statement::RaiseEpochs(vec![(slot(0), Epoch(1)), (slot(1), Epoch(1))]);
    assert_eq!(node.asks(|s| matches!(s, Statement::RaiseEpochs(_))), Some(&raises));
    node.answer_raise(vec![(slot(1), Epoch(40))]);
    assert!(node.done.contains(&Action::Serve { slot: slot(0), epoch: Epoch(1) }));
    assert_eq!(node.core.served(slot(1)), None, "a database is ahead of the row");
    assert_eq!(node.changes(), Some(&Change::Claim { by: ME, claims: vec![claim(1, 1, 40)] }));
    node.answer_change(Some(changed(12, vec![row(1, Some(ME), 41)])));
    node.answer_raise(Vec::new());
    assert!(node.did(&Action::Serve { slot: slot(1), epoch: Epoch(41) }));
}

#[test]
fn a_doubtful_epoch_is_passed_while_the_slot_goes_on_being_served() {
    let mut node = Node::up(Vec::new(), vec![row(0, Some(ME), 3), row(1, Some(ME), 3)]);
    node.answer_raise(Vec::new());
    node.done.clear();
    node.tell(Event::Raise { slot: slot(0), epoch: Epoch(3) });
    assert_eq!(node.changes(), Some(&Change::Claim { by: ME, claims: vec![claim(0, 3, 3)] }));
    node.answer_change(Some(changed(11, vec![row(0, Some(ME), 4)])));
    assert_eq!(node.core.served(slot(0)), Some(Epoch(3)));
    node.tell(Event::Fenced { slot: slot(0), epoch: Epoch(4) });
    node.answer_raise(Vec::new());
    assert!(node.did(&Action::Serve { slot: slot(0), epoch: Epoch(4) }), "its own epoch needs no other one");
}

#[test]
fn the_slots_of_the_dead_are_claimed_by_the_manner_of_death() {
    for (death, wait_ms) in [(Death::Expired, 0), (Death::Left, 0), (Death::VotedOut, CLAIM_WAIT_MS)] {
        let mut node = Node::up(vec![member(OTHER, 1, Status::Dead(death))], vec![row(0, Some(OTHER), 7), row(1, Some(OTHER), 7)]);
        let read = node.now;
        let claims = Change::Claim { by: ME, claims: vec![claim(0, 7, 0), claim(1, 7, 0)] };
        while node.changes() != Some(&claims) {
            assert!(node.now < read.after(10_000), "{death:?}");
            if node.asks(|s| matches!(s, Statement::Renew { .. })).is_some() {
                node.renewed(10);
            }
            node.pass(50);
        }
        assert!(node.now >= read.after(wait_ms) && node.now <= read.after(wait_ms + 100), "{death:?} {:?}", node.now);
    }
}

#[test]
fn a_slot_that_was_given_up_is_not_served_again_at_its_old_epoch() {
    let mut node = Node::up(Vec::new(), vec![row(0, Some(ME), 3), row(1, Some(ME), 3)]);
    node.answer_raise(Vec::new());
    node.tell(Event::Drain);
    node.answer_change(Some(changed(11, Vec::new())));
    node.pass(150);
    node.reads(11, vec![member(ME, 10, Status::Leaving)], Vec::new());
    node.tell(Event::HandedOff { slots: vec![(slot(0), Epoch(3))] });
    node.answer_raise(Vec::new());
    let release = Change::Release { by: ME, releases: vec![release(0, 3, None)] };
    assert_eq!(node.changes(), Some(&release));
    // Nobody knows whether it was released; the row that is read next is from before.
    node.done.clear();
    node.answer_change(None);
    node.tell(Event::Heard { view: 12 });
    node.pass(300);
    assert_eq!(node.core.served(slot(0)), None);
    assert_eq!(node.changes(), Some(&release));
}

#[test]
fn a_slot_goes_to_its_heir_in_one_statement() {
    let mut node = leaving_beside_another();
    assert!(node.did(&Action::HandOff { slot: slot(0), to: Some(OTHER) }));
    node.tell(Event::HandedOff { slots: vec![(slot(0), Epoch(3))] });
    assert_eq!(node.core.served(slot(0)), Some(Epoch(3)), "it is read until its next owner need not wait for a database");
    assert_eq!(node.asks(|s| matches!(s, Statement::RaiseEpochs(_))), Some(&Statement::RaiseEpochs(vec![(slot(0), Epoch(4))])));
    node.answer_raise(Vec::new());
    assert_eq!(node.core.served(slot(0)), None, "it may be the other one's from the moment it is asked for");
    assert_eq!(node.changes(), Some(&Change::Release { by: ME, releases: vec![release(0, 3, Some(OTHER))] }));
    node.done.clear();
    node.answer_change(Some(changed(13, vec![row(0, Some(OTHER), 4)])));
    assert!(node.done.contains(&Action::Route(vec![(slot(0), Some(OTHER))])), "{:?}", node.done);
}

#[test]
fn a_slot_does_not_wait_for_a_database_to_be_given_up() {
    let mut node = leaving_beside_another();
    let since = node.now;
    node.tell(Event::HandedOff { slots: vec![(slot(0), Epoch(3))] });
    // The raise is under way all the while.
    while node.changes().is_none() {
        assert_eq!(node.core.served(slot(0)), Some(Epoch(3)));
        assert!(node.now <= since.after(RAISED_AHEAD_MAX_MS + 200), "nobody may write for so long");
        node.pass(50);
    }
    assert_eq!(node.changes(), Some(&Change::Release { by: ME, releases: vec![release(0, 3, Some(OTHER))] }));
    assert!(node.now >= since.after(RAISED_AHEAD_MAX_MS));
}

#[test]
fn what_is_wished_here_after_all_is_given_up_to_nobody_and_claimed_anew() {
    let mut node = Node::up(vec![member(OTHER, 1, Status::Up)], vec![row(0, Some(ME), 3), row(1, Some(ME), 3)]);
    node.answer_raise(Vec::new());
    let begun = node.done.iter().find_map(|action| if let Action::HandOff { slot, .. } = action { Some(*slot) } else { None });
    let moving = begun.expect("one of the two is wished at the other node");
    node.tell(Event::Heard { view: 11 });
    node.pass(150);
    node.reads(11, vec![member(OTHER, 1, Status::Dead(Death::Left))], Vec::new());
    node.tell(Event::HandedOff { slots: vec![(moving, Epoch(3))] });
    node.answer_raise(Vec::new());
    assert_eq!(node.changes(), Some(&Change::Release { by: ME, releases: vec![release(moving.number(), 3, None)] }));
    node.answer_change(Some(changed(12, vec![row(moving.number(), None, 3)])));
    assert_eq!(node.changes(), Some(&Change::Claim { by: ME, claims: vec![claim(moving.number(), 3, 0)] }));
}

#[test]
fn slots_move_in_lots_with_a_pause_between() {
    let mut node = leaving_beside_another();
    let (since, hand_offs) = (node.now, |node: &Node| node.done.iter().filter(|action| matches!(action, Action::HandOff { .. })).count());
    assert_eq!(hand_offs(&node), 1);
    node.tell(Event::HandedOff { slots: vec![(slot(0), Epoch(3))] });
    node.answer_raise(Vec::new());
    node.answer_change(Some(changed(13, vec![row(0, Some(OTHER), 4)])));
    assert_eq!(hand_offs(&node), 1, "the first is through, and there is room");
    assert_eq!(node.core.wake_at(), since.after(MOVES_EVERY_MS), "and nobody else wakes it");
    node.pass(MOVES_EVERY_MS);
    assert_eq!(hand_offs(&node), 2);
}

#[test]
fn an_heir_serves_without_a_claim_once_every_database_is_at_its_epoch() {
    let mut node = Node::up(vec![member(OTHER, 1, Status::Leaving)], vec![row(0, Some(OTHER), 3), row(1, Some(OTHER), 3)]);
    node.tell(Event::Heard { view: 11 });
    node.pass(150);
    node.reads(11, Vec::new(), vec![row(0, Some(ME), 4)]);
    assert_eq!(node.changes(), None);
    assert_eq!(node.core.served(slot(0)), None);
    assert_eq!(node.asks(|s| matches!(s, Statement::RaiseEpochs(_))), Some(&Statement::RaiseEpochs(vec![(slot(0), Epoch(4))])));
    node.answer_raise(Vec::new());
    assert!(node.did(&Action::Serve { slot: slot(0), epoch: Epoch(4) }));
}

#[test]
fn a_slot_that_somebody_else_has_is_stopped() {
    let mut node = Node::up(vec![member(OTHER, 1, Status::Up)], vec![row(0, Some(ME), 3), row(1, Some(OTHER), 5)]);
    node.answer_raise(Vec::new());
    assert_eq!(node.core.served(slot(0)), Some(Epoch(3)));
    node.tell(Event::Heard { view: 12 });
    node.pass(150);
    node.done.clear();
    node.reads(12, Vec::new(), vec![row(0, Some(OTHER), 4)]);
    assert!(node.done.contains(&Action::Stop { slot: slot(0) }));
    assert!(node.did(&Action::Route(vec![(slot(0), Some(OTHER))])));
}
