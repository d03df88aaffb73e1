//! A read that begins after a write was acknowledged sees that write or a newer one, whoever reads and however.

use crate::harness::{Platform, Setup, as_user, json, make::*, within};
use protocol::{Key, Kind, UserId};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

const KEYS: usize = 50;
const WRITERS: usize = 4;
const READERS: usize = 16;
const READS: usize = 1250;

/// One key's history: the highest version that was acknowledged, and the value of each version that somebody learned of.
#[derive(Default)]
struct History {
    acknowledged: AtomicU64,
    values: Mutex<HashMap<u64, String>>,
}

impl History {
    /// Notes the value of a version. Nobody may have learned of another one.
    fn learn(&self, version: u64, value: &str) -> Result<(), String> {
        let mut values = self.values.lock().expect("no panic");
        let known = values.entry(version).or_insert_with(|| value.to_owned());
        if known == value { Ok(()) } else { Err(format!("version {version} is both {known} and {value}")) }
    }
}

/// Has writers and readers work on the same keys at once; answers what was seen that must not be.
async fn race(platform: &Platform) -> Vec<String> {
    let mut people = Vec::new();
    for _ in 0..KEYS {
        people.push((platform.person().await, History::default()));
    }
    let people: Arc<Vec<(UserId, History)>> = Arc::new(people);
    let done = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> =
        (0..WRITERS).map(|number| tokio::spawn(writer(platform.client.clone(), people.clone(), done.clone(), number))).collect();
    let readers: Vec<_> = (0..READERS).map(|number| tokio::spawn(reader(platform.client.clone(), people.clone(), number))).collect();
    let mut violations = Vec::new();
    for reader in readers {
        violations.extend(within("a reader", reader).await.expect("no reader fails"));
    }
    done.store(true, Ordering::Release);
    for writer in writers {
        violations.extend(within("a writer", writer).await.expect("no writer fails"));
    }
    violations
}

async fn writer(client: actors::Client, people: Arc<Vec<(UserId, History)>>, done: Arc<AtomicBool>, writer: usize) -> Vec<String> {
    let mut violations = Vec::new();
    for number in 0.. {
        if done.load(Ordering::Acquire) {
            break;
        }
        let (id, history) = &people[(number * 7 + writer) % KEYS];
        let value = format!("{writer}/{number}");
        let reply = client.write(&client.call(as_user(*id)), Key::new(Kind::User, *id), bio(&value)).await.expect("written");
        violations.extend(history.learn(reply.version, &value).err());
        history.acknowledged.fetch_max(reply.version, Ordering::AcqRel);
    }
    violations
}

async fn reader(client: actors::Client, people: Arc<Vec<(UserId, History)>>, reader: usize) -> Vec<String> {
    let (mut seen, mut violations) = (HashMap::new(), Vec::new());
    for number in 0..READS {
        let (id, history) = &people[(number * 11 + reader * 3) % KEYS];
        let (key, call) = (Key::new(Kind::User, *id), client.call(as_user(*id)));
        let floor = history.acknowledged.load(Ordering::Acquire);
        let found = match number % 8 {
            0 => client.view_by_owner(&call, key).await,
            _ => client.view(&call, key).await,
        };
        let found = found.expect("a profile");
        let (version, body) = (found.view.version, json(&found));
        if version < floor {
            violations.push(format!("{id}: version {version} was read after {floor} was acknowledged"));
        }
        let last = seen.insert(*id, version).unwrap_or(0);
        if version < last {
            violations.push(format!("{id}: a reader who saw version {last} was given {version}"));
        }
        if body["version"] != version {
            violations.push(format!("{id}: version {version} has the body of {}", body["version"]));
        }
        if let Some(value) = body["bio"].as_str() {
            violations.extend(history.learn(version, value).err());
        }
        // Warm reads never wait: let others in, also on a machine with one core.
        tokio::task::yield_now().await;
    }
    violations
}

fn check(violations: &[String]) {
    assert!(violations.is_empty(), "{} stale or wrong reads, for example: {}", violations.len(), violations[0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_is_stale() {
    let platform = Platform::start().await;
    check(&race(&platform).await);
}

/// Memory for a handful of profiles: most reads load.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_read_is_stale_while_memory_is_short() {
    let mut setup = Setup::default();
    setup.limits.cache_bytes_max = 20 << 10;
    let platform = setup.start().await;
    check(&race(&platform).await);
    assert!(platform.faults.calls("user") > READS, "most reads found nothing warm");
}

/// The checks of this suite find what they look for: each defect makes the test fail that must notice it. A defect is chosen by the environment
/// of a process, so the test runs itself in another one.
#[cfg(feature = "sabotage")]
#[test]
fn every_defect_is_found() {
    for (defect, test, complaint) in [
        ("publish-after-reply", "staleness::no_read_is_stale", "stale or wrong reads"),
        ("incarnation-ignored", "panic::snapshots_of_a_dead_owner_are_not_served", "of the dead owner"),
        ("changed-ignored", "stock::a_thousand_buyers_of_ten_pieces_place_ten_orders", "the buyer's next read lists the order"),
    ] {
        let this = std::env::current_exe().expect("a test runs from a file");
        let output = std::process::Command::new(this).args(["--exact", test, "--nocapture"]).env("LETS_CONNECT_SABOTAGE", defect).output();
        let output = output.expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains(complaint), "{test} did not find {defect}: {said}");
    }
}
