//! Joining, renewing, judging, leaving.

use crate::node::{ME, Node, OTHER, changed, member, release, row, slot};
use cluster::timing::{LEASE_MS, STANDSTILL_MS};
use cluster::{Action, Answer, Change, Event, Exit, Moment, Statement, Status};
use protocol::Epoch;

#[test]
fn a_node_is_up_once_it_reached_everybody_who_is() {
    let mut node = Node::new();
    assert!(matches!(node.changes(), Some(Change::Join { .. })));
    node.answer_change(None);
    assert_eq!(node.changes(), None, "not at once again");
    node.pass(300);
    node.answer_change(Some(changed(10, Vec::new())));
    node.renewed(10);
    node.reads(10, vec![member(OTHER, 1, Status::Up), member(ME, 10, Status::Joining)], Vec::new());
    node.pass(600);
    assert_eq!(node.changes(), None, "the other one has not answered");
    node.answer_probes();
    assert_eq!(node.changes(), Some(&Change::Rise { boot: ME, reached: vec![OTHER] }));
}

#[test]
fn a_lease_counts_from_before_its_renewal_was_sent() {
    let mut node = Node::up(Vec::new(), Vec::new());
    node.pass(1_000);
    let sent = node.now;
    node.pass(900);
    node.renewed(10);
    assert!(node.did(&Action::Lease { until: sent.after(LEASE_MS) }));
    assert_eq!(node.core.lease_until(), sent.after(LEASE_MS));
}

#[test]
fn an_answer_to_a_renewal_that_was_given_up_renews_nothing() {
    let mut node = Node::up(Vec::new(), Vec::new());
    node.pass(1_000);
    let until = node.core.lease_until();
    let ticket = node.give_up(|s| matches!(s, Statement::Renew { .. }));
    node.pass(300);
    assert!(node.asks(|s| matches!(s, Statement::Renew { .. })).is_some(), "it tries again");
    node.tell(Event::Answered { ticket, answer: Some(Answer::Renewed { view: 10, counters: Vec::new() }) });
    assert_eq!(node.core.lease_until(), until);
}

#[test]
fn a_node_that_is_refused_ends_and_serves_nothing() {
    let mut node = Node::up(Vec::new(), vec![row(0, Some(ME), 3)]);
    node.answer_raise(Vec::new());
    node.pass(1_000);
    node.done.clear();
    node.answer(|s| matches!(s, Statement::Renew { .. }), Some(Answer::Refused));
    let stopped = node.done.iter().position(|action| matches!(action, Action::Stop { .. })).expect("it stops");
    assert_eq!(node.done.iter().position(|action| *action == Action::Exit(Exit::Dead)), Some(stopped + 1));
    assert_eq!(node.core.lease_until(), Moment(0));
    assert_eq!(node.core.wake_at(), Moment(u64::MAX));
}

#[test]
fn who_stands_still_is_expired_by_the_counter_that_was_seen() {
    let others = vec![member(OTHER, 1, Status::Up)];
    let mut node = Node::up(others, vec![row(0, Some(OTHER), 1), row(1, Some(OTHER), 1)]);
    let since = node.now;
    // Its counter is first seen with the renewal of the next second.
    while node.now < since.after(1_000 + STANDSTILL_MS) {
        assert_eq!(node.changes(), None);
        node.pass(100);
        node.answer_probes();
        if node.asks(|s| matches!(s, Statement::Renew { .. })).is_some() {
            node.answer(|s| matches!(s, Statement::Renew { .. }), Some(Answer::Renewed { view: 10, counters: vec![(OTHER, 7)] }));
        }
    }
    assert_eq!(node.changes(), Some(&Change::Expire { boot: OTHER, counter: 7 }));
}

#[test]
fn a_node_that_leaves_says_so_after_it_gave_everything_up() {
    let mut node = Node::up(Vec::new(), vec![row(0, Some(ME), 3)]);
    node.answer_raise(Vec::new());
    while matches!(node.changes(), Some(Change::Claim { .. })) {
        node.answer_change(None);
    }
    node.tell(Event::Drain);
    node.pass(300);
    assert_eq!(node.changes(), Some(&Change::Depart { boot: ME }));
    node.answer_change(Some(changed(11, Vec::new())));
    node.pass(100);
    node.done.clear();
    node.reads(11, vec![member(ME, 10, Status::Leaving)], Vec::new());
    assert!(node.did(&Action::HandOff { slot: slot(0), to: None }));
    node.tell(Event::HandedOff { slots: vec![(slot(0), Epoch(3))] });
    node.answer_raise(Vec::new());
    assert!(node.did(&Action::Stop { slot: slot(0) }));
    assert_eq!(node.changes(), Some(&Change::Release { by: ME, releases: vec![release(0, 3, None)] }));
    node.answer_change(Some(changed(12, vec![row(0, None, 3)])));
    node.pass(200);
    node.reads(12, Vec::new(), Vec::new());
    assert_eq!(node.changes(), Some(&Change::Leave { boot: ME }));
    node.answer_change(Some(changed(13, Vec::new())));
    assert!(node.did(&Action::Exit(Exit::Left)));
}
