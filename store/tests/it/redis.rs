//! Redis keeps what it is given, and whatever becomes of it nobody is told anything else.

use crate::make::eventually;
use prometheus::Registry;
use protocol::{Audience, Fact, Key, Kind, Page, Query, Slot, UserId, View};
use std::time::{Duration, Instant};
use store::redis::{Frozen, Redis, RedisOptions, WARM_PER_SLOT_MAX, strategy, strategy::Strategy};
use testbed::redis::Server;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use uuid::Uuid;

/// Long, for a busy machine: what is tested of it is that it ends.
const ANSWER_MAX: Duration = Duration::from_millis(500);

struct Opened {
    redis: Redis,
    registry: Registry,
}

fn open(url: String) -> Opened {
    let (registry, instance) = (Registry::new(), Uuid::from_u128(1));
    let redis = Redis::open(&RedisOptions { url, answer_max: ANSWER_MAX, instance }, &registry).expect("a URL");
    Opened { redis, registry }
}

async fn reached(server: &Server) -> Opened {
    let opened = open(server.url());
    assert!(opened.redis.reached(Instant::now() + Duration::from_secs(30)).await, "it does not answer");
    opened
}

impl Opened {
    /// How often reads of a strategy came to this.
    fn reads(&self, strategy: Strategy, outcome: &str) -> u64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).expect("text");
        let series = format!("redis_reads_total{{outcome=\"{outcome}\",strategy=\"{}\"}} ", strategy.namespace());
        text.lines().find_map(|line| line.strip_prefix(&series)).expect("a series").parse().expect("a number")
    }
}

fn page() -> (Strategy, Key, Query) {
    let key = Key::new(Kind::Timeline, UserId::new());
    (Strategy::Timeline, key, Query::Posts(Page::first(20)))
}

fn view(version: u64, body: &str) -> View {
    View { version, audience: Audience::Everyone, body: body.to_owned().into(), fact: Fact::None }
}

async fn shown(redis: &Redis, (strategy, key, query): &(Strategy, Key, Query), version: u64) -> Option<String> {
    let found = redis.page(*strategy, *key, query, |at| at == version).await;
    found.map(|view| String::from_utf8(view.body.to_vec()).expect("text"))
}

async fn keep(redis: &Redis, (strategy, key, query): &(Strategy, Key, Query), view: &View) {
    redis.keep_page(*strategy, *key, query, view);
    redis.flush().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_had_at_its_version_and_at_no_other() {
    let server = Server::own();
    let opened = reached(&server).await;
    let (redis, page) = (&opened.redis, page());
    assert_eq!(shown(redis, &page, 2).await, None);
    keep(redis, &page, &view(2, "two")).await;
    assert_eq!(shown(redis, &page, 2).await.as_deref(), Some("two"));
    assert_eq!((shown(redis, &page, 1).await, shown(redis, &page, 3).await), (None, None));
    // Whoever comes late with what is old does not take away what is new.
    keep(redis, &page, &view(1, "one")).await;
    assert_eq!(shown(redis, &page, 2).await.as_deref(), Some("two"));
    keep(redis, &page, &view(3, "three")).await;
    assert_eq!((shown(redis, &page, 2).await, shown(redis, &page, 3).await.as_deref()), (None, Some("three")));
    let other = (page.0, page.1, Query::Posts(Page::first(21)));
    assert_eq!(shown(redis, &other, 3).await, None, "another page");
    let reads = ["hit", "miss", "stale"].map(|outcome| opened.reads(page.0, outcome));
    assert_eq!(reads, [3, 2, 3]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_kept_goes_when_its_time_is_up() {
    let server = Server::own();
    let opened = reached(&server).await;
    let (strategy, key, query) = page();
    opened.redis.keep_page(strategy, key, &query, &view(1, "one"));
    let product = Key::new(Kind::Product, Uuid::now_v7());
    assert!(opened.redis.keep(product, &Frozen { view: view(1, "a product"), rest: Box::default() }));
    opened.redis.flush().await;
    let names = server.run(&["KEYS", "*"]);
    assert_eq!(names.lines().count(), 3, "a page, an entity, and the list of what is warm: {names}");
    for name in names.lines() {
        let left: u64 = server.run(&["TTL", name]).parse().expect("a time");
        // The list of what is warm stays for as long as anything that it can name.
        let expected = if name.contains(":post:user:timeline:") { 300 } else { 900 };
        assert!((expected - 60..=expected).contains(&left), "{name} has {left} s");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_warm_is_known_by_slot_and_had_as_it_was() {
    let server = Server::own();
    let opened = reached(&server).await;
    let people: Vec<Key> = (0..300).map(|_| Key::new(Kind::User, Uuid::now_v7())).collect();
    let frozen = |key: &Key| Frozen { view: view(7, &key.id.to_string()), rest: vec![1, 2].into() };
    for key in &people {
        assert!(opened.redis.keep(*key, &frozen(key)));
    }
    opened.redis.flush().await;
    let all: Vec<Slot> = Slot::all().collect();
    let mut warm = opened.redis.warm(&all).await;
    warm.sort();
    let mut expected = people.clone();
    expected.sort();
    assert_eq!(warm, expected);
    // Several of 300 may share one of 4096 slots.
    let slot = people[0].slot();
    let mut of_slot = opened.redis.warm(&[slot]).await;
    of_slot.sort();
    expected.retain(|key| key.slot() == slot);
    assert_eq!(of_slot, expected);
    // A next process, which asks for more than there is, and for some twice.
    let next = reached(&server).await;
    let asked = [people[1].id, Uuid::now_v7(), people[0].id, people[1].id];
    let found = next.redis.frozen(Kind::User, &asked).await;
    assert_eq!(found, [Some(frozen(&people[1])), None, Some(frozen(&people[0])), Some(frozen(&people[1]))]);
    assert_eq!(next.redis.frozen(Kind::Account, &[people[0].id]).await, [None], "no account is ever kept");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_slot_has_more_than_its_share_of_what_was_warm() {
    let server = Server::own();
    let opened = reached(&server).await;
    let slot = Slot::new(77).expect("a slot");
    let of_slot = || std::iter::repeat_with(Uuid::now_v7).find(|id| Slot::of(*id) == slot).expect("an id");
    let share = usize::try_from(WARM_PER_SLOT_MAX).expect("a number");
    for _ in 0..share + 6 {
        let key = Key::new(Kind::Post, of_slot());
        assert!(opened.redis.keep(key, &Frozen { view: view(1, "a post"), rest: Box::default() }));
    }
    opened.redis.flush().await;
    assert_eq!(opened.redis.warm(&[slot]).await.len(), share);
    let list = format!("cache:{}:warm:{}", Uuid::from_u128(1).simple(), slot.number());
    assert_eq!(server.run(&["ZCARD", &list]), share.to_string(), "nor are more kept");
}

/// Nobody waits for Redis to take something, and no memory grows while it does not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_there_is_no_room_for_is_not_kept() {
    let server = Server::own();
    let opened = reached(&server).await;
    server.hang();
    let long = "x".repeat(200_000);
    let given = (0..1000)
        .take_while(|_| opened.redis.keep(Key::new(Kind::Post, Uuid::now_v7()), &Frozen { view: view(1, &long), rest: Box::default() }));
    // 32 MiB wait; what is given up meanwhile makes some room.
    assert!((150..1000).contains(&given.count()));
    server.go_on();
    opened.redis.flush().await;
    assert!(
        opened.redis.keep(Key::new(Kind::Post, Uuid::now_v7()), &Frozen { view: view(1, &long), rest: Box::default() }),
        "there is room again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hostile_values_are_no_values_and_are_replaced() {
    let server = Server::own();
    let opened = reached(&server).await;
    let (redis, page) = (&opened.redis, page());
    keep(redis, &page, &view(5, "right")).await;
    let name = server.run(&["KEYS", "*"]);
    let spoilers = [
        (
            "a bit",
            "local v = redis.call('GET', KEYS[1]) redis.call('SETRANGE', KEYS[1], #v - 1, string.char((string.byte(v, #v) + 1) % 256))",
        ),
        ("the rest", "local v = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], string.sub(v, 1, #v - 3))"),
        ("more", "redis.call('APPEND', KEYS[1], 'more')"),
        ("another release", "redis.call('SETRANGE', KEYS[1], 0, string.char(255, 255))"),
        ("a newer version", "redis.call('SETRANGE', KEYS[1], 2, string.char(0, 0, 0, 0, 0, 0, 0, 4))"),
        ("nothing", "redis.call('SET', KEYS[1], '')"),
        ("another type", "redis.call('DEL', KEYS[1]) redis.call('RPUSH', KEYS[1], 'a', 'list')"),
        ("a giant", "redis.call('SET', KEYS[1], string.rep('x', 50000000))"),
    ];
    for (what, spoil) in spoilers {
        server.script(spoil, &name, &[]);
        assert_eq!(shown(redis, &page, 5).await, None, "{what}");
        assert_eq!(shown(redis, &page, 4).await, None, "{what}");
        keep(redis, &page, &view(5, "right")).await;
        assert_eq!(shown(redis, &page, 5).await.as_deref(), Some("right"), "after {what}");
    }
    // A value in another's place.
    let other = self::page();
    keep(redis, &other, &view(5, "other")).await;
    let names = server.run(&["KEYS", "*"]);
    let other_name = names.lines().find(|known| *known != name).expect("two");
    server.run(&["COPY", other_name, &name, "REPLACE"]);
    assert_eq!(shown(redis, &page, 5).await, None);
    assert!(opened.reads(page.0, "unreadable") >= 14);
    // And lists of other things.
    let key = Key::new(Kind::User, Uuid::now_v7());
    redis.keep(key, &Frozen { view: view(1, "a person"), rest: Box::default() });
    redis.flush().await;
    let warm = format!("cache:{}:warm:{}", Uuid::from_u128(1).simple(), key.slot().number());
    server.run(&["ZADD", &warm, "9999999999", "rubbish", "9999999999", "", "9999999999", "\u{1}0123456789012345"]);
    assert_eq!(redis.warm(&[key.slot()]).await, [key]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_costs_nothing_and_is_found_again() {
    let mut server = Server::own();
    let opened = reached(&server).await;
    let (redis, page) = (&opened.redis, page());
    keep(redis, &page, &view(1, "one")).await;
    server.kill();
    eventually("it is left alone", async || {
        assert_eq!(shown(redis, &page, 1).await, None);
        redis.condition().is_err()
    })
    .await;
    // Nobody waits for it now: a thousand reads are none of its business.
    let began = Instant::now();
    for _ in 0..1000 {
        assert_eq!(shown(redis, &page, 1).await, None);
    }
    assert!(began.elapsed() < ANSWER_MAX, "{:?}", began.elapsed());
    assert!(opened.reads(page.0, "away") > 1000);
    server.start();
    eventually("it is found again", async || redis.condition().is_ok()).await;
    assert_eq!(shown(redis, &page, 1).await, None, "what it held is lost");
    keep(redis, &page, &view(1, "one")).await;
    assert_eq!(shown(redis, &page, 1).await.as_deref(), Some("one"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_says_nothing_is_waited_for_five_times() {
    let server = Server::own();
    let opened = reached(&server).await;
    let (redis, page) = (&opened.redis, page());
    server.hang();
    for read in 0..5 {
        assert!(redis.condition().is_ok(), "read {read}");
        assert_eq!(shown(redis, &page, 1).await, None);
    }
    let reason = redis.condition().expect_err("left alone");
    assert_eq!(reason, "it did not answer within 500 ms, 5 times");
    server.go_on();
    eventually("it is found again", async || redis.condition().is_ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_talks_rubbish_is_left_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let rubbish = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.expect("a connection");
            // What it is asked it does not read to the end.
            let _ = stream.read(&mut [0; 16]).await;
            let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n*99999999999\r\n$-7\r\n\xff\xfe").await;
        }
    });
    let opened = open(format!("redis://{address}"));
    let page = page();
    let until = Instant::now() + Duration::from_secs(2);
    assert!(!opened.redis.reached(until).await);
    assert_eq!(shown(&opened.redis, &page, 1).await, None);
    assert!(opened.redis.condition().is_err());
    rubbish.abort();
}

#[tokio::test]
async fn a_url_that_is_none_is_refused_without_showing_it() {
    let options = RedisOptions { url: "redis://:secret@".to_owned(), answer_max: ANSWER_MAX, instance: Uuid::nil() };
    let refused = Redis::open(&options, &Registry::new()).err().expect("refused").to_string();
    assert!(refused.starts_with("redis.url cannot be used") && !refused.contains("secret"), "{refused}");
}

#[test]
fn accounts_and_what_is_one_persons_alone_are_not_kept() {
    for kind in Kind::ALL {
        let kept = strategy::of_entity(*kind).is_some();
        assert_eq!(kept, matches!(kind, Kind::User | Kind::Post | Kind::Product), "{}", kind.name());
    }
    for kind in [Kind::Account, Kind::Follows, Kind::Feed, Kind::Cart, Kind::Wishlist, Kind::Bookmarks] {
        for query in [Query::Me, Query::Posts(Page::first(1)), Query::Bookmarks(Page::first(1)), Query::Orders(Page::first(1))] {
            assert_eq!(strategy::of_page(kind, &query), None, "{}", kind.name());
        }
    }
}
