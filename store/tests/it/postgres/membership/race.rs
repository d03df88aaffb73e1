//! Statements of several nodes at the same time.

use super::*;
use cluster::timing::STATEMENT_ANSWER_MAX_MS;
use std::time::{Duration, Instant};

/// Times that two meet. Without the locks, they pass each other within a few.
const ROUNDS: u64 = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_that_claim_the_same_slots_each_slot_has_one() {
    let (_databases, [one, other]) = memberships().await;
    up(&one, &[boot(1), boot(2)]).await;
    for round in 0..ROUNDS {
        let claim = |by, slots| Change::Claim { by, claims: claims(slots, round) };
        let (ours, theirs) = tokio::join!(change(&one, claim(boot(1), 0..3000)), change(&other, claim(boot(2), 1000..4096)));
        let owned = |(_, _, rows): &(bool, u64, Vec<SlotRow>), by| {
            rows.iter().filter(|row| row.owner == Some(by)).map(|row| row.slot).collect::<Vec<_>>()
        };
        let mut all = [owned(&ours, boot(1)), owned(&theirs, boot(2))].concat();
        all.sort();
        assert_eq!(all, Slot::all().collect::<Vec<_>>(), "round {round}: each is somebody's who was told so, and nobody else's");
        let (_, _, rows) = whole(&one).await;
        assert!(rows.iter().all(|row| row.epoch == Epoch(round + 1)), "round {round}");
        for (node, by, rows) in [(&one, boot(1), &ours), (&other, boot(2), &theirs)] {
            let releases = released(rows.2.iter().filter(|row| row.owner == Some(by)).copied(), None);
            assert!(change(node, Change::Release { by, releases }).await.0);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_renews_or_expires_but_never_both() {
    let (_databases, [one, other]) = memberships().await;
    let (mut renewals, mut expiries) = (0, 0);
    for round in 1..=ROUNDS {
        let boot = boot(round.into());
        assert!(change(&one, joining(boot)).await.0);
        // Who renews is behind or in front, by turns: both orders are to be seen.
        for _ in 0..round % 4 {
            tokio::task::yield_now().await;
        }
        let renewal = Statement::Renew { boot, watched: vec![boot] };
        let (renewed, (expired, _, _)) = tokio::join!(one.ask(renewal.clone()), change(&other, Change::Expire { boot, counter: 0 }));
        match renewed {
            Some(Answer::Renewed { counters, .. }) => {
                assert!(!expired, "round {round}: it renewed, and counts as dead");
                assert_eq!(counters, [(boot, 1)]);
                renewals += 1;
            }
            Some(Answer::Refused) => {
                assert!(expired, "round {round}: it is alive, and was refused");
                expiries += 1;
            }
            answer => panic!("{answer:?}"),
        }
        assert_eq!(other.ask(renewal).await == Some(Answer::Refused), expired);
    }
    println!("{renewals} renewals were first, {expiries} expiries");
}

/// A renewal sees the whole of the change that it waited for: at one instant, all of it had happened.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_that_waited_for_a_change_sees_it() {
    let (databases, [node]) = memberships().await;
    up(&node, &[boot(1)]).await;
    let (version, ..) = whole(&node).await;
    let url = format!("{}_users", databases.url());
    let (other, looking) = (client(&url).await, client(&url).await);
    let depart = "BEGIN; SELECT 1 FROM cluster_view FOR UPDATE; UPDATE cluster_node SET status = 'leaving'; UPDATE cluster_view SET version = version + 1";
    other.batch_execute(depart).await.expect("held");
    let renewal = tokio::spawn({
        let node = node.clone();
        async move { node.ask(Statement::Renew { boot: boot(1), watched: Vec::new() }).await }
    });
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("it waits", async || looking.query_one(waits, &[]).await.expect("a count").get::<_, i64>(0) == 1).await;
    other.batch_execute("COMMIT").await.expect("let go");
    let answer = renewal.await.expect("no panic");
    assert_eq!(answer, Some(Answer::Renewed { view: version + 1, counters: Vec::new() }));
}

/// Whoever is accused goes on renewing, as do their judges.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_vote_counts_while_everybody_renews() {
    let (_databases, [one, other]) = memberships().await;
    for round in 0..ROUNDS {
        let boots = [1, 2, 3].map(|n| boot(u128::from(round) * 3 + n));
        up(&one, &boots).await;
        let [ada, bob, accused] = boots;
        let accuse = |by| Change::Accuse { by, round: 1, accused: vec![accused] };
        let renewals = async {
            for _ in 0..6 {
                for boot in boots {
                    let renewed = other.ask(Statement::Renew { boot, watched: boots.to_vec() }).await;
                    assert!(boot == accused || matches!(renewed, Some(Answer::Renewed { .. })), "{renewed:?}");
                }
            }
        };
        let votes = async {
            assert!(change(&one, accuse(ada)).await.0);
            assert!(change(&one, accuse(bob)).await.0);
        };
        tokio::join!(renewals, votes);
        let (_, members, _) = whole(&one).await;
        let status = |boot| members.iter().find(|member| member.boot == boot).map(|member| member.status);
        assert_eq!(status(accused), Some(cluster::Status::Dead(cluster::Death::VotedOut)), "round {round}");
        for boot in boots {
            change(&one, Change::Leave { boot }).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_slots_are_claimed_released_and_read_well_within_the_time_of_a_statement() {
    let (databases, [node]) = memberships().await;
    up(&node, &[boot(1)]).await;
    let mut took = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
    for round in 0..5 {
        let mut timed = async |place: usize, statement| {
            let began = Instant::now();
            let answer = node.ask(statement).await.expect("an answer");
            took[place].push(began.elapsed());
            answer
        };
        let Answer::Changed { applied: true, slots, .. } =
            timed(0, Statement::Change(Change::Claim { by: boot(1), claims: claims(0..4096, round) })).await
        else {
            panic!("it was refused")
        };
        let epochs: Vec<_> = slots.iter().map(|row| (row.slot, row.epoch)).collect();
        assert_eq!(epochs.len(), 4096);
        assert_eq!(timed(1, Statement::RaiseEpochs(epochs.clone())).await, Answer::Raised { higher: Vec::new() });
        let Answer::View { slots, .. } = timed(2, Statement::ReadView { since: 0 }).await else { panic!("no view") };
        assert_eq!(slots.len(), 4096);
        timed(3, Statement::Change(Change::Release { by: boot(1), releases: released(slots, None) })).await;
    }
    for (what, times) in ["claim", "raise", "read", "release"].iter().zip(&mut took) {
        times.sort();
        println!("4096 slots, {what}: median {:?}, most {:?}", times[2], times[4]);
        assert!(times[4] < Duration::from_millis(STATEMENT_ANSWER_MAX_MS), "{what}");
    }
    let epochs = ["SELECT count(*) FROM slot_epoch WHERE epoch = 5"];
    assert_eq!(["users", "content", "shop", "media"].map(|database| databases.sql(database, &epochs).trim().to_owned()), ["4096"; 4]);
}

/// All slots change their owner with each version: a read that is not of one instant has rows of two, or another version than theirs.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_view_is_read_as_it_was_at_one_instant() {
    let (_databases, [one, other]) = memberships().await;
    up(&one, &[boot(1)]).await;
    let (begun, ..) = whole(&one).await;
    let changes = async {
        for round in 0..ROUNDS / 4 {
            let (_, _, rows) = change(&one, Change::Claim { by: boot(1), claims: claims(0..4096, round) }).await;
            change(&one, Change::Release { by: boot(1), releases: released(rows, None) }).await;
        }
    };
    let mut changes = std::pin::pin!(changes);
    let mut reads = 0;
    loop {
        tokio::select! {
            () = &mut changes => break,
            (version, _, slots) = whole(&other) => {
                let owned = slots.iter().filter(|row| row.owner.is_some()).count();
                let expected = if (version - begun) % 2 == 1 { 4096 } else { 0 };
                assert_eq!(owned, expected, "at version {version}");
                reads += 1;
            }
        }
    }
    assert!(reads > 10, "{reads} reads");
}
