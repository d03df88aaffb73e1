//! Statements that are carried out after they were given up, and answers that never come.

use super::*;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};
use testbed::postgres::Server;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A way to the server on which what is sent may be held up: it arrives all the same, later, even if whoever sent it is gone.
struct Way {
    port: u16,
    passes: Arc<AtomicU8>,
}

/// What passes.
const ALL: u8 = 0;
const NOTHING: u8 = 1;
/// Of a change its BEGIN and the statement that locks, which ends in a message Sync ('S'), and nothing behind.
const LOCK: u8 = 2;

impl Way {
    async fn to(server: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let (port, passes) = (listener.local_addr().expect("an address").port(), Arc::new(AtomicU8::new(ALL)));
        let way = Self { port, passes: passes.clone() };
        tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.expect("a connection");
                let far = TcpStream::connect(("127.0.0.1", server)).await.expect("a connection");
                tokio::spawn(Self::carry(near, far, passes.clone()));
            }
        });
        way
    }

    async fn carry(near: TcpStream, far: TcpStream, passes: Arc<AtomicU8>) {
        let ((mut near_in, mut near_out), (mut far_in, mut far_out)) = (near.into_split(), far.into_split());
        tokio::spawn(async move { tokio::io::copy(&mut far_in, &mut near_out).await });
        let (mut bytes, mut kept, mut is_locked) = (vec![0; 1 << 16], Vec::new(), false);
        while let Ok(read @ 1..) = near_in.read(&mut bytes).await {
            kept.extend_from_slice(&bytes[..read]);
            while passes.load(Ordering::Acquire) == LOCK
                && !is_locked
                && let Some(end) = end_of_message(&kept)
            {
                is_locked = kept[0] == b'S';
                far_out.write_all(&kept[..end]).await.expect("the server reads");
                kept.drain(..end);
            }
            if passes.load(Ordering::Acquire) == LOCK && !is_locked {
                continue;
            }
            until_all_passes(&passes).await;
            if far_out.write_all(&kept).await.is_err() {
                return;
            }
            kept.clear();
        }
        // The end of the connection is held up no less.
        until_all_passes(&passes).await;
    }

    fn let_pass(&self, what: u8) {
        self.passes.store(what, Ordering::Release);
    }
}

async fn until_all_passes(passes: &AtomicU8) {
    while passes.load(Ordering::Acquire) != ALL {
        // paced: between two looks at whether it may pass.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Where the first message ends, if it is there as a whole: its type, and its length without that.
fn end_of_message(sent: &[u8]) -> Option<usize> {
    let length = u32::from_be_bytes(sent.get(1..5)?.try_into().ok()?) as usize;
    (sent.len() > length).then_some(1 + length)
}

/// Two nodes that are up: the first one behind such a way, and with all of its statements prepared.
async fn behind_a_way() -> (Databases, Way, Arc<Membership>, Arc<Membership>) {
    let (databases, [other]) = memberships().await;
    up(&other, &[boot(1), boot(2)]).await;
    let way = Way::to(Server::shared().port()).await;
    let own = Some(format!("postgres://postgres@127.0.0.1:{}/{}?sslmode=disable", way.port, databases.name("users")));
    let node = membership(&Urls { users: own, ..urls(databases.url()) }).await;
    assert!(!change(&node, Change::Claim { by: boot(1), claims: claims(0..1, 99) }).await.0);
    assert!(!change(&node, Change::Expire { boot: boot(2), counter: 99 }).await.0);
    (databases, way, node, other)
}

async fn is_at(membership: &Membership, view: u64) -> bool {
    whole(membership).await.0 == view
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_claim_that_lands_late_takes_nothing_that_was_taken_since() {
    let (databases, way, node, other) = behind_a_way().await;
    way.let_pass(NOTHING);
    let claim = |by, slots| Statement::Change(Change::Claim { by, claims: claims(slots, 0) });
    assert_eq!(node.ask(claim(boot(1), 0..3)).await, None);
    let (applied, view, _) = change(&other, Change::Claim { by: boot(2), claims: claims(1..3, 0) }).await;
    assert!(applied);
    way.let_pass(ALL);
    eventually("it is carried out after all", async || is_at(&other, view + 1).await).await;
    let (_, _, mut slots) = whole(&other).await;
    slots.sort_by_key(|row| row.slot);
    let row = |number, by| SlotRow { slot: slot(number), owner: Some(boot(by)), epoch: Epoch(1) };
    assert_eq!(slots, [row(0, 1), row(1, 2), row(2, 2)], "what was free is its own, and it reads that; what was not is not");
    // The connection was replaced, and says what came of it.
    let (applied, _, slots) = change(&node, Change::Claim { by: boot(1), claims: claims(0..1, 0) }).await;
    assert_eq!((applied, slots), (false, vec![row(0, 1)]));
    drop(databases);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expiry_that_lands_late_kills_nobody_who_renewed_since() {
    let (_databases, way, node, other) = behind_a_way().await;
    way.let_pass(NOTHING);
    assert_eq!(node.ask(Statement::Change(Change::Expire { boot: boot(2), counter: 0 })).await, None);
    let renewal = Statement::Renew { boot: boot(2), watched: Vec::new() };
    let renewed = other.ask(renewal.clone()).await;
    assert!(matches!(renewed, Some(Answer::Renewed { .. })), "{renewed:?}");
    way.let_pass(ALL);
    // Before that or behind what the node asks next: it finds another counter.
    assert!(!change(&node, Change::Expire { boot: boot(2), counter: 0 }).await.0);
    assert_eq!(other.ask(renewal).await, renewed, "it lives, and the view did not move");
}

/// Of a change only the beginning arrives: its lock, and then nothing for as long as the network takes to say that it is broken.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_is_cut_off_on_its_way_holds_nobody_up_for_long() {
    let (databases, way, node, other) = behind_a_way().await;
    way.let_pass(LOCK);
    let asked = Instant::now();
    let cut_off = tokio::spawn(async move { node.ask(Statement::Change(Change::Claim { by: boot(1), claims: claims(0..1, 0) })).await });
    let looking = client(&format!("{}_users", databases.url())).await;
    let holds = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state = 'idle in transaction'";
    eventually("it holds the lock", async || looking.query_one(holds, &[]).await.expect("a count").get::<_, i64>(0) == 1).await;
    let claim = Statement::Change(Change::Claim { by: boot(2), claims: claims(0..1, 0) });
    eventually("others change the tables again", async || other.ask(claim.clone()).await.is_some()).await;
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    assert_eq!(cut_off.await.expect("no panic"), None);
    way.let_pass(ALL);
    let (_, _, slots) = whole(&other).await;
    assert_eq!(slots, [SlotRow { slot: slot(0), owner: Some(boot(2)), epoch: Epoch(1) }], "half of a change is none");
}
