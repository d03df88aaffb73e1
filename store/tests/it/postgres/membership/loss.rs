//! Connections that end, a server that restarts, others that keep the database busy.

use super::history::{EMPTY, Model, statements};
use super::*;
use cluster::{Death, Status};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, TestRunner};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use testbed::postgres::{Held, Server};
use tokio_postgres::Client;
use uuid::Uuid;

/// All that the tables hold but what only later accusations show.
#[derive(PartialEq, Debug)]
struct Tables {
    version: u64,
    /// With their counters.
    members: Vec<(Boot, u64, String, Vec<Boot>, u64)>,
    slots: Vec<SlotRow>,
}

impl Tables {
    /// What they come to by a history.
    fn after(history: &[Statement]) -> Self {
        let mut model = Model::new();
        for statement in history {
            model.answer(statement);
        }
        let Answer::View { version, members, slots } = model.answer(&Statement::ReadView { since: 0 }) else { panic!("no view") };
        // Another node joins, and is told of everybody's counter.
        let looking = boot(99);
        model.answer(&Statement::Change(joining(looking)));
        let watched = members.iter().map(|member| member.boot).collect();
        let Answer::Renewed { counters, .. } = model.answer(&Statement::Renew { boot: looking, watched }) else { panic!("refused") };
        let member = |(member, (_, counter)): (cluster::Member, (Boot, u64))| {
            (member.boot, member.born, word(member.status).to_owned(), member.accuses, counter)
        };
        Self { version, members: members.into_iter().zip(counters).map(member).collect(), slots }
    }

    /// What they are.
    async fn read(client: &Client) -> Self {
        let rows = async |sql| client.query(sql, &[]).await.expect("rows");
        let number = |number: i64| u64::try_from(number).expect("a count");
        let member = |row: &tokio_postgres::Row| {
            let accuses: Vec<Uuid> = row.get(3);
            (Boot(row.get(0)), number(row.get(1)), row.get(2), accuses.into_iter().map(Boot).collect(), number(row.get(4)))
        };
        let row = |row: &tokio_postgres::Row| {
            let at: i16 = row.get(0);
            SlotRow { slot: slot(at.unsigned_abs()), owner: row.get::<_, Option<Uuid>>(1).map(Boot), epoch: Epoch(number(row.get(2))) }
        };
        Self {
            version: number(rows("SELECT version FROM cluster_view").await[0].get(0)),
            members: rows("SELECT boot, born, status, accuses, counter FROM cluster_node ORDER BY boot").await.iter().map(member).collect(),
            slots: rows("SELECT slot, owner, epoch FROM cluster_slot WHERE moved > 0 ORDER BY slot").await.iter().map(row).collect(),
        }
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Joining => "joining",
        Status::Up => "up",
        Status::Leaving => "leaving",
        Status::Dead(Death::VotedOut) => "voted_out",
        Status::Dead(Death::Expired) => "expired",
        Status::Dead(Death::Left) => "left",
    }
}

/// Ends the connections of the platform, but not those of a test, again and again until it is told to stop; gives how many there were.
async fn cut_until(is_over: Arc<AtomicBool>, client: Client) -> i64 {
    let cut = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
               WHERE datname = current_database() AND application_name = 'lets-connect'";
    let mut count = 0;
    while !is_over.load(Ordering::Acquire) {
        count += client.query_one(cut, &[]).await.expect("a count").get::<_, i64>(0);
        // paced: so that some statements are through before the next cut, and some are not.
        tokio::time::sleep(Duration::from_millis(7)).await;
    }
    count
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_cuts_connections_a_statement_is_carried_out_as_a_whole_or_not_at_all() {
    let (databases, [node]) = memberships().await;
    let url = format!("{}_users", databases.url());
    let (looking, is_over) = (client(&url).await, Arc::new(AtomicBool::new(false)));
    let cutting = tokio::spawn(cut_until(is_over.clone(), client(&url).await));
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let (mut unknown, mut known) = (0, 0);
    for _ in 0..20 {
        looking.batch_execute(EMPTY).await.expect("emptied");
        let mut history = Vec::new();
        for _ in 0..25 {
            let before = Tables::after(&history);
            history.push(statements().new_tree(&mut runner).expect("a statement").current());
            match node.ask(history[history.len() - 1].clone()).await {
                Some(_) => known += 1,
                // Its connection has ended, so it is carried out by now or never.
                None => {
                    unknown += 1;
                    if Tables::read(&looking).await == before {
                        history.pop();
                    }
                }
            }
            assert_eq!(Tables::read(&looking).await, Tables::after(&history), "{history:#?}");
        }
    }
    is_over.store(true, Ordering::Release);
    let cut = cutting.await.expect("no panic");
    println!("{cut} connections were cut, {unknown} answers lost, {known} came");
    assert!(cut > 0 && unknown > 0 && known > 0);
    eventually("afterwards it is answered", async || node.ask(Statement::ReadView { since: 0 }).await.is_some()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_restarts_is_asked_again_as_soon_as_it_answers() {
    let mut server = Server::own();
    let node = membership(&urls(&format!("{}/app", server.url()))).await;
    up(&node, &[boot(1)]).await;
    assert!(change(&node, Change::Claim { by: boot(1), claims: claims(0..4096, 0) }).await.0);
    let before = whole(&node).await;
    let renewal = Statement::Renew { boot: boot(1), watched: vec![boot(1)] };
    let mut renewed = 0;
    for kill in [false, true] {
        if kill {
            server.kill()
        } else {
            server.stop()
        }
        let began = Instant::now();
        assert_eq!(node.ask(renewal.clone()).await, None);
        assert_eq!(node.ask(Statement::ReadView { since: 0 }).await, None);
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
        server.start();
        let Some(Answer::Renewed { counters, .. }) = node.ask(renewal.clone()).await else { panic!("it answers by now") };
        renewed += 1;
        assert_eq!(counters, [(boot(1), renewed)], "what was not answered was not carried out");
        assert_eq!(whole(&node).await, before);
    }
}

/// A renewal waits for none of what keeps the rest from being answered: a full pool, a change that waits for another one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_renewal_waits_for_nothing_but_its_own_row() {
    let (databases, [setting]) = memberships().await;
    up(&setting, &[boot(1)]).await;
    let opened = Postgres::open(&urls(databases.url()), &PostgresOptions { connections_max: 1, ..options() }, &Registry::new()).await;
    let opened = opened.expect("opened");
    let (node, users) = (Arc::new(opened.membership()), opened.stores().users);
    let held: [Held; 2] =
        [databases.hold("users", "SELECT 1 FROM cluster_view FOR UPDATE"), databases.hold("users", "SELECT 1 FROM slot_epoch FOR UPDATE")];
    let raising = tokio::spawn(async move { users.fence(vec![(slot(0), Epoch(7))]).await });
    let change = tokio::spawn({
        let node = node.clone();
        async move { node.ask(Statement::Change(Change::Claim { by: boot(1), claims: claims(0..1, 0) })).await }
    });
    let looking = client(&format!("{}_users", databases.url())).await;
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    eventually("both wait", async || looking.query_one(waits, &[]).await.expect("a count").get::<_, i64>(0) == 2).await;
    let renewed = node.ask(Statement::Renew { boot: boot(1), watched: Vec::new() }).await;
    assert!(matches!(renewed, Some(Answer::Renewed { .. })), "{renewed:?}");
    assert!(!change.is_finished() && !raising.is_finished());
    drop(held);
    raising.await.expect("no panic").expect("raised");
    // It was given up, or came through: that depends on how long the rest took.
    change.await.expect("no panic");
}

/// Epochs that were raised before are told of; a raise that was given up lands all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn epochs_are_raised_in_every_database_and_those_that_are_higher_are_told() {
    let (databases, [node]) = memberships().await;
    databases.sql("shop", &["UPDATE slot_epoch SET epoch = 9 WHERE slot = 2"]);
    databases.sql("content", &["UPDATE slot_epoch SET epoch = 7 WHERE slot IN (2, 3)"]);
    let wanted = [(1, 5), (2, 5), (3, 7)].map(|(number, epoch)| (slot(number), Epoch(epoch))).to_vec();
    let raised = Some(Answer::Raised { higher: vec![(slot(2), Epoch(9))] });
    assert_eq!(node.ask(Statement::RaiseEpochs(wanted.clone())).await, raised);
    let epochs = |database| databases.sql(database, &["SELECT string_agg(epoch::text, ' ' ORDER BY slot) FROM slot_epoch WHERE slot < 5"]);
    assert_eq!(
        ["users", "content", "shop", "media"].map(|database| epochs(database).trim().to_owned()),
        ["0 5 5 7 0", "0 5 7 7 0", "0 5 9 7 0", "0 5 5 7 0"]
    );

    // A commit that passed the guard of slot 4 is under way.
    let held = databases.hold("content", "SELECT 1 FROM slot_epoch WHERE slot = 4 FOR SHARE");
    let wanted = vec![(slot(4), Epoch(1))];
    assert_eq!(node.ask(Statement::RaiseEpochs(wanted.clone())).await, None, "it is not raised before that has ended");
    assert_eq!(epochs("content").trim(), "0 5 7 7 0");
    drop(held);
    eventually("it is raised after all", async || epochs("content").trim() == "0 5 7 7 1").await;
    assert_eq!(node.ask(Statement::RaiseEpochs(wanted)).await, Some(Answer::Raised { higher: Vec::new() }));
}

/// What `migrate --grant` gives is enough for a node.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_may_only_write_rows_runs_a_node() {
    let databases = databases().await;
    let role = format!("{}_app", databases.name("users"));
    Server::shared().sql("postgres", &[&format!("CREATE ROLE \"{role}\" LOGIN")]);
    store::postgres::grant(&urls(databases.url()), PATIENCE, &role).await.expect("granted");
    let node = membership(&urls(&databases.url().replace("postgres@", &format!("{role}@")))).await;
    up(&node, &[boot(1)]).await;
    let renewed = node.ask(Statement::Renew { boot: boot(1), watched: Vec::new() }).await;
    assert!(matches!(renewed, Some(Answer::Renewed { .. })), "{renewed:?}");
    assert!(change(&node, Change::Claim { by: boot(1), claims: claims(0..2, 0) }).await.0);
    let epochs: Vec<_> = (0..2).map(|number| (slot(number), Epoch(1))).collect();
    assert_eq!(node.ask(Statement::RaiseEpochs(epochs.clone())).await, Some(Answer::Raised { higher: Vec::new() }));
    assert!(!change(&node, Change::Accuse { by: boot(2), round: 1, accused: vec![boot(1)] }).await.0);
    assert!(change(&node, Change::Release { by: boot(1), releases: released(whole(&node).await.2, None) }).await.0);
    assert!(change(&node, Change::Leave { boot: boot(1) }).await.0);
    assert!(change(&node, Change::Forget { boots: vec![boot(1)] }).await.0);
    drop(databases);
}
