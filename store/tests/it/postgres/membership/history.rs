//! Histories of statements as they might come, and the store that simulated clusters have, which says what each is to be answered.

use super::*;
use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use simulation::tables::Tables;

/// Nodes and slots: few enough for statements to be about the same ones.
const BOOTS: u128 = 5;
const SLOTS: u16 = 4;

fn some() -> impl Strategy<Value = Boot> {
    (1..=BOOTS).prop_map(boot)
}

fn several() -> impl Strategy<Value = Vec<Boot>> {
    btree_set(some(), 0..4).prop_map(Vec::from_iter)
}

/// Mostly everybody, so that nodes come up.
fn reached() -> impl Strategy<Value = Vec<Boot>> {
    prop_oneof![4 => Just((1..=BOOTS).map(boot).collect()), 1 => several()]
}

fn roles() -> impl Strategy<Value = Roles> {
    any::<[bool; 3]>().prop_map(|[edge, entity, media]| Roles { edge, entity, media })
}

fn epoch() -> impl Strategy<Value = Epoch> {
    (0..4u64).prop_map(Epoch)
}

fn a_slot() -> impl Strategy<Value = Slot> {
    (0..SLOTS).prop_map(slot)
}

fn claiming() -> impl Strategy<Value = Vec<Claim>> {
    let claims = btree_map(a_slot(), (epoch(), epoch()), 0..=usize::from(SLOTS));
    claims.prop_map(|claims| claims.into_iter().map(|(slot, (seen, above))| Claim { slot, seen, above }).collect())
}

fn releasing() -> impl Strategy<Value = Vec<Release>> {
    let releases = btree_map(a_slot(), (epoch(), option::of(some())), 0..=usize::from(SLOTS));
    releases.prop_map(|releases| releases.into_iter().map(|(slot, (epoch, heir))| Release { slot, epoch, heir }).collect())
}

fn changes() -> impl Strategy<Value = Change> {
    // The accused come in any order, and the accuser may be among them.
    let accused = vec(some(), 0..4);
    prop_oneof![
        4 => (some(), roles(), "[a-z]{0,3}").prop_map(|(boot, roles, address)| Change::Join { boot, roles, address: address.into() }),
        5 => (some(), reached()).prop_map(|(boot, reached)| Change::Rise { boot, reached }),
        1 => some().prop_map(|boot| Change::Depart { boot }),
        1 => some().prop_map(|boot| Change::Leave { boot }),
        2 => (some(), 0..3u64).prop_map(|(boot, counter)| Change::Expire { boot, counter }),
        5 => (some(), 0..12u64, accused).prop_map(|(by, round, accused)| Change::Accuse { by, round, accused }),
        4 => (some(), some()).prop_map(|(elder, younger)| Change::Settle { elder, younger }),
        8 => (some(), claiming()).prop_map(|(by, claims)| Change::Claim { by, claims }),
        3 => (some(), releasing()).prop_map(|(by, releases)| Change::Release { by, releases }),
        2 => several().prop_map(|boots| Change::Forget { boots }),
    ]
}

/// Any statement on the cluster's tables.
pub fn statements() -> impl Strategy<Value = Statement> {
    prop_oneof![
        3 => (some(), several()).prop_map(|(boot, watched)| Statement::Renew { boot, watched }),
        4 => (0..24u64).prop_map(|since| Statement::ReadView { since }),
        20 => changes().prop_map(Statement::Change),
    ]
}

/// Everybody joins and comes up, but for those who did before.
fn everybody() -> Vec<Statement> {
    let boots: Vec<_> = (1..=BOOTS).map(boot).collect();
    let rise = |boot: &Boot| Change::Rise { boot: *boot, reached: boots.clone() };
    boots.iter().flat_map(|boot| [joining(*boot), rise(boot)]).map(Statement::Change).collect()
}

/// Two accuse each other, or only one of them does; something may happen to one of them, and it is settled.
fn quarrel([one, other]: [Boot; 2], round: u64, who: [bool; 2], between: Option<Change>) -> Vec<Statement> {
    let accuse = |by, whom| Change::Accuse { by, round, accused: vec![whom] };
    let accusations = [accuse(one, other), accuse(other, one)].into_iter().zip(who).filter_map(|(accuse, does)| does.then_some(accuse));
    let settle = Change::Settle { elder: one, younger: other };
    accusations.chain(between).chain([settle]).map(Statement::Change).collect()
}

/// Whoever is judged first had accused whom the last one accuses, too.
fn conspiracy(boots: &[Boot], round: u64) -> Vec<Statement> {
    let accuse = |by: usize, whom: &[usize]| {
        let accused = whom.iter().map(|place| boots[*place]).collect();
        Statement::Change(Change::Accuse { by: boots[by], round, accused })
    };
    vec![accuse(0, &[1]), accuse(2, &[0]), accuse(3, &[0, 1])]
}

/// A slot is claimed, its owner may die, another one claims it, and the first may be forgotten: before, or afterwards.
fn inheritance([owner, heir]: [Boot; 2], slot: Slot, death: Option<Change>) -> Vec<Statement> {
    let claim = |by, seen| {
        let claims = vec![Claim { slot, seen: Epoch(seen), above: Epoch(0) }];
        Change::Claim { by, claims }
    };
    let claims = (0..4).map(|seen| claim(owner, seen)).collect::<Vec<_>>();
    let inherits = (1..5).map(|seen| claim(heir, seen));
    let forget = || [Change::Forget { boots: vec![owner] }];
    claims.into_iter().chain(death).chain(forget()).chain(inherits).chain(forget()).map(Statement::Change).collect()
}

/// A slot is claimed, and given up to an heir to whom something may have happened.
fn bequest([owner, heir]: [Boot; 2], slot: Slot, end: Option<Change>) -> Vec<Statement> {
    let claim = |seen| Change::Claim { by: owner, claims: vec![Claim { slot, seen: Epoch(seen), above: Epoch(0) }] };
    let release = |epoch| Change::Release { by: owner, releases: vec![Release { slot, epoch: Epoch(epoch), heir: Some(heir) }] };
    (0..4).map(claim).chain(end).chain((0..5).map(release)).map(Statement::Change).collect()
}

fn end(boot: Boot) -> impl Strategy<Value = Option<Change>> {
    prop_oneof![
        Just(None),
        Just(Some(Change::Depart { boot })),
        Just(Some(Change::Leave { boot })),
        (0..2u64).prop_map(move |counter| Some(Change::Expire { boot, counter })),
    ]
}

/// Single statements, and a few that only matter together.
fn episodes() -> impl Strategy<Value = Vec<Statement>> {
    let two = || (some(), some()).prop_map(|(one, other)| [one, other]);
    let quarrels = (two(), 12..40u64, any::<[bool; 2]>(), any::<bool>()).prop_flat_map(|(pair, round, who, of_first)| {
        end(pair[usize::from(of_first)]).prop_map(move |between| quarrel(pair, round, who, between))
    });
    let inheritances = (two(), a_slot()).prop_flat_map(|(pair, slot)| end(pair[0]).prop_map(move |death| inheritance(pair, slot, death)));
    let bequests = (two(), a_slot()).prop_flat_map(|(pair, slot)| end(pair[1]).prop_map(move |end| bequest(pair, slot, end)));
    let shuffled = Just((1..=BOOTS).map(boot).collect::<Vec<_>>()).prop_shuffle();
    prop_oneof![
        30 => statements().prop_map(|statement| vec![statement]),
        2 => Just(everybody()),
        2 => quarrels,
        2 => (shuffled, 12..40u64).prop_map(|(boots, round)| conspiracy(&boots, round)),
        2 => inheritances,
        2 => bequests,
    ]
}

/// Rows come in any order.
pub fn sorted(mut answer: Answer) -> Answer {
    match &mut answer {
        Answer::Renewed { counters, .. } => counters.sort(),
        Answer::View { members, slots, .. } => {
            members.sort_by_key(|member| member.boot);
            slots.sort_by_key(|row| row.slot);
        }
        Answer::Changed { slots, .. } => slots.sort_by_key(|row| row.slot),
        _ => {}
    }
    answer
}

/// What the tables of a simulated cluster are and were asked, and what they answered last.
pub struct Model(Tables);

impl Model {
    pub fn new() -> Self {
        Self(Tables::new(SLOTS, None))
    }

    pub fn answer(&mut self, statement: &Statement) -> Answer {
        sorted(self.0.carry_out(statement.clone()))
    }
}

/// The tables as they were made.
pub const EMPTY: &str = "UPDATE cluster_slot SET owner = NULL, epoch = 0, moved = 0 WHERE moved > 0;
                         DELETE FROM cluster_node; UPDATE cluster_view SET version = 0";

#[test]
fn any_history_is_answered_as_in_simulations() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let (databases, [membership]) = runtime.block_on(memberships());
    let other = runtime.block_on(client(&format!("{}_users", databases.url())));
    let check = async |episodes: Vec<Vec<Statement>>| {
        let history: Vec<_> = episodes.into_iter().flatten().collect();
        other.batch_execute(EMPTY).await.expect("emptied");
        let mut model = Model::new();
        for (place, statement) in history.iter().enumerate() {
            let answer = membership.ask(statement.clone()).await.map(sorted);
            let expected = model.answer(statement);
            prop_assert_eq!(answer.as_ref(), Some(&expected), "statement {} of {:#?}", place, history);
            if let Answer::Changed { applied: true, view, .. } = expected {
                let moved = Statement::ReadView { since: view - 1 };
                let answer = membership.ask(moved.clone()).await.map(sorted);
                prop_assert_eq!(answer, Some(model.answer(&moved)), "what moved with statement {} of {:#?}", place, history);
            }
        }
        let all = Statement::ReadView { since: 0 };
        prop_assert_eq!(membership.ask(all.clone()).await.map(sorted), Some(model.answer(&all)));
        Ok::<_, TestCaseError>(())
    };
    let config = Config { cases: 96, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&vec(episodes(), 1..60), |episodes| runtime.block_on(check(episodes)));
    drop(databases);
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
