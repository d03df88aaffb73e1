//! A read of what another node owns, at the `Client` of a real node: whose the slot is, a link, the other node's door and memory, the lease.

use crate::{
    ANSWER_BYTES,
    authority::Authority,
    link,
    process::{Pair, Process, obey},
};
use actors::{
    Client, Limits, Node,
    entity::user::User,
    membership::{Events, Seat},
    ownership::Ownership,
    region,
    remote::{Door, LinkPeers, Remote, follow},
    supervisor::{Intensity, Spec, Supervisor},
};
use cluster::{Boot, Identity, Roles, Status};
use futures_util::{StreamExt, stream};
use links::Links;
use prometheus::Registry;
use protocol::{Key, Kind, Principal, SLOTS, Slot};
use ractor::Actor;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};
use store::postgres::{Postgres, PostgresOptions, Urls};
use testbed::postgres::Databases;
use uuid::Uuid;

/// The one that asks owns nothing.
const ASKS: &str = "node-a";
const ANSWERS: &str = "node-b";

/// People that are asked for in turns: too many for one of them to be hot, and lent.
const PEOPLE: u64 = 16_384;
/// What the owner has in memory of each; the store has another one.
const OWNERS_VERSION: u64 = 1;
/// Of whom so many are loaded at once.
const LOADS: usize = 64;
/// What a profile has beside its bio.
const PROFILE_BYTES: usize = 363;

pub fn start(workers: usize) -> Pair {
    let (authority, folder, databases) = (Authority::new(), tempfile::tempdir().expect("a folder"), Databases::none());
    let start = |name: &str| {
        let place = folder.path().join(name);
        authority.equip(&place, name);
        Process::start(workers, &["client", place.to_str().expect("a path"), name, databases.url()])
    };
    let mut answers = start(ANSWERS);
    assert_eq!(answers.line(), "ready");
    let people = format!(
        "INSERT INTO person (id, username, username_folded, email, email_folded, bio, role, is_active, interests, social_links, created_at, updated_at, version)
         SELECT lpad(to_hex(n), 32, '0')::uuid, 'person' || n, 'person' || n, n || '@example.org', n || '@example.org', repeat('x', {}), 'user', true, '[]', '{{}}', now(), now(), {OWNERS_VERSION}
         FROM generate_series(0, {}) n",
        ANSWER_BYTES - PROFILE_BYTES,
        PEOPLE - 1,
    );
    databases.sql("users", &[&people]);
    let mut asks = start(ASKS);
    assert_eq!(asks.line(), "ready");
    // From here on the store has another version than the owner, who is not told: so whoever sees the first one was answered out of its memory,
    // and not, because that took too long, from the store.
    databases.sql("users", &["UPDATE person SET bio = 'not from the store'"]);
    Pair { asks, answers, _kept: Box::new((folder, databases)) }
}

pub async fn run(folder: &str, name: &str, url: &str) {
    let urls = Urls { all: Some(format!("{url}?sslmode=disable")), ..Urls::default() };
    let options = PostgresOptions { connections_max: 2, ..PostgresOptions::default() };
    let postgres = Postgres::open(&urls, &options, &Registry::new()).await.expect("databases");
    let events = Events::new();
    let node = Node::new(postgres.stores(), Ownership::shared(events.clone()), Limits::default());
    let intensity = Intensity { restarts_max: 3, within: Duration::from_secs(60) };
    let spec = Spec { name: "node".to_owned(), intensity, children: vec![region::owners::<User>(&node, intensity)] };
    Actor::spawn(None, Supervisor, spec).await.expect("the tree starts");

    let boot = Uuid::now_v7();
    let (links, told) = Links::start(link::config(boot, name, folder), Door(Arc::clone(&node)), None).await.expect("links");
    tokio::spawn(follow(told, events.clone()));
    let roles = Roles { edge: name == ASKS, entity: name == ANSWERS, media: false };
    let identity = Identity { boot: Boot(boot), roles, address: format!("{name}@{}", links.listens_on()).into(), slots: SLOTS };
    let (membership, peers) = (Arc::new(postgres.membership()), Arc::new(LinkPeers(links.clone())));
    let seat = Seat::take(identity, events, Arc::clone(&node.ownership), Arc::clone(&membership), peers).expect("a thread");
    let mut outlooks = seat.outlooks();
    let is_up = |boot, outlook: &actors::membership::Outlook| outlook.member(boot).is_some_and(|member| member.status == Status::Up);
    outlooks.wait_for(|outlook| is_up(seat.boot(), outlook)).await.expect("the seat tells");
    node.join(Remote::new(links, seat, membership));
    node.learn().await.expect("the store answers");

    let client = Client::new(Arc::clone(&node));
    if name == ASKS {
        outlooks.wait_for(|outlook| Slot::all().all(|slot| outlook.owner(slot).is_some())).await.expect("the seat tells");
        warm(&client).await;
    } else {
        while node.ownership.count() < usize::from(SLOTS) {
            let mut moves = node.ownership.moves();
            let _ = tokio::time::timeout(Duration::from_millis(50), moves.changed()).await;
        }
    }
    let next = Arc::new(AtomicU64::new(0));
    obey(move || {
        let (client, number) = (client.clone(), next.fetch_add(1, Ordering::Relaxed));
        async move {
            let answer = client.view(&client.call(Principal::Anonymous), person(number % PEOPLE)).await;
            answer.is_ok_and(|found| found.view.version == OWNERS_VERSION)
        }
    })
    .await;
}

fn person(number: u64) -> Key {
    Key::new(Kind::User, Uuid::from_u128(number.into()))
}

/// Asks for everybody once, when there is a link.
async fn warm(client: &Client) {
    let links = client.node().remote().expect("a cluster").links();
    while links.status().iter().all(|other| other.link.is_none()) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let ask =
        |number| async move { client.view(&client.call(Principal::Anonymous), person(number)).await.expect("a person").view.body.len() };
    let bytes = stream::iter(0..PEOPLE).map(ask).buffer_unordered(LOADS).fold(0, |all, bytes| async move { all + bytes }).await;
    let each = bytes / PEOPLE as usize;
    assert!((ANSWER_BYTES - 20..ANSWER_BYTES + 20).contains(&each), "{each} bytes");
}
