//! Several nodes in one process, on one PostgreSQL: their seats, with links that can be cut and owners that have nothing to do.

use actors::membership::{Events, Outlook, Peers, Seat};
use actors::ownership::Ownership;
use cluster::placement::place;
use cluster::timing::{LEASE_MS, LEAVING_HAND_OFF_MAX_MS, STANDSTILL_MS};
use cluster::{Boot, Exit, Identity, Member, Roles};
use parking_lot::Mutex;
use prometheus::Registry;
use protocol::{Epoch, SLOTS, Slot};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::postgres::{Postgres, PostgresOptions, Urls};
use testbed::postgres::{Databases, Server};
use uuid::Uuid;

/// How long anything may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < PATIENCE, "not within {PATIENCE:?}: {what}");
        // paced: between two looks at the condition.
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The links between the nodes of a test.
#[derive(Default)]
struct Network(Mutex<Wires>);

#[derive(Default)]
struct Wires {
    nodes: BTreeMap<Boot, Events>,
    /// Nodes that nobody reaches, and that reach nobody.
    cut_off: BTreeSet<Boot>,
}

impl Wires {
    fn reaches(&self, from: Boot, to: Boot) -> Option<&Events> {
        let is_cut = self.cut_off.contains(&from) || self.cut_off.contains(&to);
        self.nodes.get(&to).filter(|_| !is_cut)
    }
}

/// One node's links.
struct Links {
    network: Arc<Network>,
    boot: Boot,
    events: Events,
    known: Mutex<BTreeSet<Boot>>,
}

impl Peers for Links {
    fn members(&self, members: &[Member], _: &[Boot]) {
        let others: BTreeSet<_> = members.iter().map(|member| member.boot).filter(|boot| *boot != self.boot).collect();
        let before = std::mem::replace(&mut *self.known.lock(), others.clone());
        let wires = self.network.0.lock();
        for boot in others.difference(&before).filter(|boot| wires.reaches(self.boot, **boot).is_some()) {
            self.events.linked(*boot);
        }
    }

    fn probe(&self, boot: Boot, round: u64) {
        if self.network.0.lock().reaches(self.boot, boot).is_some() {
            self.events.probe_answered(boot, round);
        }
    }

    fn announce(&self, view: u64) {
        let (known, wires) = (self.known.lock(), self.network.0.lock());
        known.iter().filter_map(|boot| wires.reaches(self.boot, *boot)).for_each(|events| events.heard(view));
    }
}

/// A seat, and what it says that its node may serve.
struct Place {
    seat: Seat,
    ownership: Arc<Ownership>,
}

impl Place {
    fn boot(&self) -> Boot {
        self.seat.boot()
    }

    fn events(&self) -> &Events {
        self.seat.events()
    }

    fn outlook(&self) -> Arc<Outlook> {
        self.seat.outlook()
    }

    async fn ended(&self) -> Exit {
        self.seat.ended().await
    }

    fn served(&self, slot: Slot) -> Option<Epoch> {
        self.ownership.epoch(slot)
    }

    fn serves(&self, slot: Slot) -> bool {
        self.ownership.serves(slot)
    }
}

/// A cluster whose nodes come and go, watched all the time.
struct Cluster {
    urls: Urls,
    network: Arc<Network>,
    watched: Arc<Mutex<Vec<Arc<Place>>>>,
    is_over: Arc<AtomicBool>,
    watcher: Option<std::thread::JoinHandle<u64>>,
}

impl Cluster {
    fn on(url: &str) -> Self {
        let (watched, is_over) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicBool::new(false)));
        let watcher = std::thread::spawn({
            let (watched, is_over) = (watched.clone(), is_over.clone());
            move || watch(&watched, &is_over)
        });
        let urls = Urls { all: Some(url.to_owned()), ..Urls::default() };
        Self { urls, network: Arc::default(), watched, is_over, watcher: Some(watcher) }
    }

    /// Starts a node. `number` orders the boots.
    async fn start(&self, number: u128) -> Arc<Place> {
        let options = PostgresOptions { connections_max: 4, ..PostgresOptions::default() };
        let postgres = Postgres::open(&self.urls, &options, &Registry::new()).await.expect("opened");
        let (boot, events) = (Boot(Uuid::from_u128(number)), Events::new());
        self.network.0.lock().nodes.insert(boot, events.clone());
        let links = Links { network: self.network.clone(), boot, events: events.clone(), known: Mutex::default() };
        let ownership = Ownership::shared(events.clone());
        let identity = Identity { boot, roles: Roles::ALL, address: format!("{number}:0").into(), slots: SLOTS };
        let seat = Seat::take(identity, events, ownership.clone(), Arc::new(postgres.membership()), Arc::new(links)).expect("a thread");
        let seat = Arc::new(Place { seat, ownership: ownership.clone() });
        // Nothing is warm that could go ahead.
        tokio::spawn(async move {
            let mut moves = ownership.moves();
            loop {
                let departing = ownership.departing();
                ownership.hand_off(departing.into_iter().map(|(slot, _)| slot));
                if moves.changed().await.is_err() {
                    return;
                }
            }
        });
        self.watched.lock().push(seat.clone());
        seat
    }

    async fn of<const N: usize>(url: &str) -> (Self, [Arc<Place>; N]) {
        let cluster = Self::on(url);
        let mut seats = Vec::new();
        for number in 1..=N {
            seats.push(cluster.start(number as u128).await);
        }
        let seats: [_; N] = seats.try_into().unwrap_or_else(|_| unreachable!("as many"));
        settled(&seats).await;
        (cluster, seats)
    }

    /// Ends a node without a word, as SIGKILL would.
    fn kill(&self, seat: Arc<Place>) {
        self.network.0.lock().nodes.remove(&seat.boot());
        self.watched.lock().retain(|watched| watched.boot() != seat.boot());
        // A look of the watcher may still hold it.
        let mut seat = seat;
        loop {
            match Arc::try_unwrap(seat) {
                Ok(seat) => return drop(seat),
                Err(held) => seat = held,
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Release);
        let watcher = self.watcher.take().expect("it runs").join();
        self.watched.lock().clear();
        if !std::thread::panicking() {
            let looks = watcher.expect("no two nodes ever answer for one slot");
            assert!(looks > 10, "{looks} looks");
        }
    }
}

/// Sees whether two nodes answer for one slot. Looks cannot be at one instant; so the first one is looked at again: if it answered at the same epoch before and after, it
/// did so all the while.
fn watch(watched: &Mutex<Vec<Arc<Place>>>, is_over: &AtomicBool) -> u64 {
    let serving = |seat: &Place, slot| seat.served(slot).filter(|_| seat.serves(slot));
    let mut looks = 0;
    while !is_over.load(Ordering::Acquire) {
        let seats = watched.lock().clone();
        for slot in Slot::all() {
            for (place, first) in seats.iter().enumerate() {
                let Some(epoch) = serving(first, slot) else { continue };
                let second = seats[place + 1..].iter().find(|second| serving(second, slot).is_some());
                if let Some(second) = second {
                    assert_ne!(serving(first, slot), Some(epoch), "{} and {} both answer for {slot:?}", first.boot(), second.boot());
                }
            }
        }
        looks += 1;
        // paced: a look at everything takes most of a core else.
        std::thread::sleep(Duration::from_millis(10));
    }
    looks
}

/// Whether each slot is answered by the one of these at whom placement wishes it, and all know that.
fn is_settled(seats: &[Arc<Place>]) -> bool {
    let outlooks: Vec<_> = seats.iter().map(|seat| seat.outlook()).collect();
    let wished = place(SLOTS, &seats.iter().map(|seat| seat.boot()).collect::<Vec<_>>());
    outlooks.iter().all(|outlook| outlook.members.len() == seats.len())
        && Slot::all().all(|slot| {
            let wish = wished[slot.index()];
            seats.iter().all(|seat| seat.serves(slot) == (wish == Some(seat.boot())))
                && outlooks.iter().all(|outlook| outlook.owner(slot) == wish)
        })
}

async fn settled(seats: &[Arc<Place>]) {
    eventually("every slot is where it is wished, and everybody knows", || is_settled(seats)).await;
}

/// Whether each slot is answered by one of these.
fn all_served(seats: &[Arc<Place>]) -> bool {
    Slot::all().all(|slot| seats.iter().any(|seat| seat.serves(slot)))
}

fn epochs(seat: &Place) -> Vec<Option<Epoch>> {
    Slot::all().map(|slot| seat.served(slot)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_join_share_the_slots_and_one_that_is_killed_is_succeeded() {
    let databases = Databases::none();
    let (cluster, [one, two, three]) = Cluster::of(databases.url()).await;
    let began = Instant::now();
    cluster.kill(three);
    let rest = [one, two];
    eventually("its slots are served", || all_served(&rest)).await;
    let served = began.elapsed();
    println!("served {served:?} after a kill");
    assert!(served > Duration::from_millis(LEASE_MS - 1_000), "nobody answers for it while it may still do so: {served:?}");
    settled(&rest).await;
    let four = cluster.start(4).await;
    let [one, two] = rest;
    settled(&[one, two, four]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_drains_hands_over_everything_and_leaves() {
    let databases = Databases::none();
    let (cluster, [one, two, three]) = Cluster::of(databases.url()).await;
    let began = Instant::now();
    one.events().drain();
    assert_eq!(tokio::time::timeout(PATIENCE, one.ended()).await.expect("in time"), Exit::Left);
    println!("left after {:?}", began.elapsed());
    assert!(Slot::all().all(|slot| !one.serves(slot)));
    let rest = [two, three];
    eventually("its slots are served", || all_served(&rest)).await;
    println!("served after {:?}", began.elapsed());
    settled(&rest).await;
    // The last one leaves, too: nobody is there to take over.
    let [two, three] = rest;
    for last in [two, three] {
        let began = Instant::now();
        last.events().drain();
        assert_eq!(tokio::time::timeout(PATIENCE, last.ended()).await.expect("in time"), Exit::Left);
        println!("another one left after {:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_millis(LEAVING_HAND_OFF_MAX_MS), "nobody is waited for who is not there");
    }
    drop(cluster);
}

/// Nothing is answered from memory that could be out of date, nobody is taken for dead, and what was warm stays warm.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_database_is_away_nobody_dies_and_afterwards_all_is_as_before() {
    let mut server = Server::own();
    let (cluster, seats) = Cluster::of::<3>(&format!("{}/app", server.url())).await;
    let before: Vec<_> = seats.iter().map(|seat| epochs(seat)).collect();
    let away = Instant::now();
    server.stop();
    eventually("leases end", || seats.iter().all(|seat| !seat.ownership.is_leased())).await;
    assert!(away.elapsed() < Duration::from_millis(LEASE_MS) + Duration::from_secs(2), "{:?}", away.elapsed());
    eventually("it is away for longer than anybody may stand still", || {
        away.elapsed() > 2 * Duration::from_millis(STANDSTILL_MS) + Duration::from_secs(2)
    })
    .await;
    assert!(seats.iter().all(|seat| !seat.ownership.is_leased()));
    server.start();
    let back = Instant::now();
    settled(&seats).await;
    println!("as before {:?} after it answered", back.elapsed());
    assert_eq!(seats.iter().map(|seat| epochs(seat)).collect::<Vec<_>>(), before, "nothing moved");
    drop(cluster);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_nobody_reaches_ends_and_is_succeeded() {
    let databases = Databases::none();
    let (cluster, [one, two, three]) = Cluster::of(databases.url()).await;
    let began = Instant::now();
    cluster.network.0.lock().cut_off.insert(one.boot());
    assert_eq!(tokio::time::timeout(PATIENCE, one.ended()).await.expect("in time"), Exit::Dead);
    assert!(Slot::all().all(|slot| !one.serves(slot)));
    settled(&[two, three]).await;
    println!("as it is wished {:?} after it was cut off", began.elapsed());
}

/// An owner actor that starts anew has its slot at a higher epoch, as has one whose database is ahead.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_is_served_above_what_has_to_be_fenced() {
    let databases = Databases::none();
    let (_cluster, [one]) = Cluster::of(databases.url()).await;
    let [slot, other] = [7, 8].map(|number| Slot::new(number).expect("a slot"));
    let epoch = one.served(slot).expect("served");
    one.events().raise(slot, epoch);
    eventually("its epoch rises", || one.served(slot) > Some(epoch)).await;
    databases.sql("shop", &["UPDATE slot_epoch SET epoch = 40 WHERE slot = 8"]);
    one.events().fenced(other, Epoch(40));
    eventually("it passes the database's", || one.served(other) > Some(Epoch(40))).await;
    for (slot, database) in [(7, "users"), (8, "content")] {
        let stored = databases.sql(database, &[&format!("SELECT epoch FROM slot_epoch WHERE slot = {slot}")]);
        assert_eq!(stored.trim(), one.served(Slot::new(slot).expect("a slot")).expect("served").0.to_string());
    }
}
