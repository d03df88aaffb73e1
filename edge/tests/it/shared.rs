//! Edges that share one Redis have one limit, and none of them depends on it.

mod attempt;
mod rate;

use actors::count::Counts;
use prometheus::Registry;
use std::time::{Duration, Instant};
use store::redis::{Redis, RedisOptions};
use testbed::redis::Server;
use uuid::Uuid;

/// Long, for a busy machine: what is tested of it is that it ends.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// What somebody may put in place of a count.
const RUBBISH: [&str; 9] = [
    "redis.call('RPUSH', KEYS[1], 'a', 'list')",
    "redis.call('SET', KEYS[1], '')",
    "redis.call('SET', KEYS[1], 'rubbish')",
    "redis.call('SET', KEYS[1], 'nan')",
    "redis.call('SET', KEYS[1], 'inf')",
    "redis.call('SET', KEYS[1], '-inf')",
    "redis.call('SET', KEYS[1], '99999999999999999999999999')",
    "redis.call('SET', KEYS[1], '5 99999999999999999999999999')",
    "redis.call('SET', KEYS[1], string.rep('9', 50000000))",
];

/// What one edge shares with the others, by a connection of its own.
async fn counts(server: &Server) -> Counts {
    let options = RedisOptions { url: server.url(), answer_max: ANSWER_MAX, instance: Uuid::from_u128(1) };
    let redis = Redis::open(&options, &Registry::new()).expect("a URL");
    assert!(redis.reached(Instant::now() + Duration::from_secs(30)).await, "it does not answer");
    redis.counts()
}

/// The names of what Redis holds: all of them with a time to go, none of them saying of whom they are.
fn names(server: &Server) -> Vec<String> {
    let names: Vec<_> = server.run(&["KEYS", "*"]).lines().map(str::to_owned).collect();
    let prefix = format!("limit:{}:", Uuid::from_u128(1).simple());
    for name in &names {
        assert!(name.strip_prefix(&prefix).is_some_and(|hash| hash.len() == 22), "{name}");
        let left: i64 = server.run(&["PTTL", name]).parse().expect("a time");
        assert!(left > 0, "{name} stays for ever");
    }
    names
}
