//! `loadtest race`: a thousand buyers race for ten items. Exactly ten orders, and everybody's next read shows it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Args;
use http::Method;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;

use crate::api::{self, Account, Answer, Api, path};
use crate::http::{Edge, Error, Request};
use crate::json::top_level_u64;
use crate::report::{self, Stamp};
use crate::run::population::register;

/// How many faults are shown one by one.
const SHOWN_MAX: usize = 20;
/// Between two attempts of a buyer who persists.
const PAUSE_BETWEEN_ATTEMPTS: Duration = Duration::from_millis(100);
/// What is said when all buyers are there and the race begins: scripts wait for it.
const BEGINS: &str = "the race begins";

/// Options of `loadtest race`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Base URL of an edge; repeat it, and buyers are shared out among them
    #[arg(long = "base", value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub bases: Vec<Edge>,
    /// Buyers, each with an account and a connection of its own
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub buyers: u16,
    /// Items in stock
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub stock: u32,
    /// Deadline of each request
    #[arg(long, default_value = "30s", value_parser = report::parse_duration)]
    pub deadline: Duration,
    /// Ask again, through the next edge and with the same idempotency key, what was not answered or answered 429 or 503, until the deadline
    #[arg(long)]
    pub persist: bool,
    /// Turn the verdict round: exit 0 only if faults were found (for builds sabotaged on purpose)
    #[arg(long)]
    pub expect_faults: bool,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// The result of a race.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where and when.
    pub stamp: Stamp,
    /// Exactly as many orders as items or buyers, the rest 409, and no fault; or the opposite, where faults are expected.
    pub passed: bool,
    /// Buyers.
    pub buyers: usize,
    /// Items.
    pub stock: u64,
    /// How many were answered each status; 0 stands for no answer.
    pub statuses: BTreeMap<u16, usize>,
    /// Milliseconds from the start to the last answer.
    pub elapsed_ms: f64,
    /// How many reads did not show what was acknowledged before.
    pub faults: usize,
    /// The first of them.
    pub examples: Vec<String>,
}

#[derive(Deserialize)]
struct Orders {
    items: Vec<Order>,
}

#[derive(Deserialize)]
struct Order {
    id: String,
}

/// What the buyers share.
struct Race {
    product: String,
    stock: u64,
    start: Semaphore,
    bought: AtomicU64,
    statuses: Mutex<BTreeMap<u16, usize>>,
    orders: Mutex<Vec<String>>,
    faults: Mutex<Vec<String>>,
}

/// Runs the race and prints its result; true if it passed.
///
/// # Errors
/// If the buyers or the product cannot be made.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    crate::process::allow_open_files(u64::from(options.buyers) + 128)?;
    let summary = race(options).await?;
    print!("{summary}");
    if let Some(file) = &options.json {
        report::write_json(file, &summary)?;
    }
    Ok(summary.passed)
}

/// Runs the race and returns its result without printing it.
///
/// # Errors
/// If the buyers or the product cannot be made.
pub async fn race(options: &Options) -> anyhow::Result<Summary> {
    let stamp = Stamp::now();
    let edge = &options.bases[0];
    eprintln!("registering {} buyers", options.buyers);
    let mut people = register(edge, usize::from(options.buyers) + 1).await?;
    let seller = people.pop().context("registered")?;
    let mut seller_api = Api::new(edge, options.deadline);
    let body = api::new_product("Concert ticket", "Ten only.", options.stock);
    let product = seller_api.create_product(&seller, &body).await?.id;
    let race = Arc::new(Race {
        product,
        stock: u64::from(options.stock),
        start: Semaphore::new(0),
        bought: AtomicU64::new(0),
        statuses: Mutex::default(),
        orders: Mutex::default(),
        faults: Mutex::default(),
    });
    let mut buyers = tokio::task::JoinSet::new();
    for (number, account) in people.into_iter().enumerate() {
        let mut buyer = Buyer::new(options, number, account);
        // Everybody has seen the product and their own empty list, on the connection that the order will take: what was
        // never read cannot be shown out of date.
        buyer.read(&path::product(&race.product)).await?;
        buyer.read(&path::orders_of_buyer(&buyer.account.id)).await?;
        buyers.spawn(buy(Arc::clone(&race), buyer));
    }
    eprintln!("{BEGINS}");
    let began = Instant::now();
    race.start.add_permits(buyers.len());
    while let Some(ended) = buyers.join_next().await {
        ended?;
    }
    let elapsed_ms = began.elapsed().as_secs_f64() * 1e3;
    race.look_back(&mut Buyer::new(options, 0, seller)).await?;
    Ok(race.summary(stamp, options, elapsed_ms))
}

/// Somebody who buys: an account, and a connection to the edge that it is at, opened when needed.
struct Buyer {
    account: Account,
    edges: Vec<Api>,
    at: usize,
    persists_for: Option<Duration>,
}

impl Buyer {
    fn new(options: &Options, number: usize, account: Account) -> Self {
        let edges: Vec<Api> = options.bases.iter().map(|edge| Api::new(edge, options.deadline)).collect();
        let at = number % edges.len();
        Self { account, edges, at, persists_for: options.persist.then_some(options.deadline) }
    }

    /// Asks once, or until there is an answer that says something.
    async fn ask(&mut self, request: &Request) -> Result<Answer, Error> {
        let began = Instant::now();
        loop {
            let answer = self.edges[self.at].call(request).await;
            let says_nothing = answer.as_ref().map_or(true, |answer| matches!(answer.status, 429 | 503));
            if !says_nothing || self.persists_for.is_none_or(|most| began.elapsed() > most) {
                return answer;
            }
            self.at = (self.at + 1) % self.edges.len();
            tokio::time::sleep(PAUSE_BETWEEN_ATTEMPTS).await;
        }
    }

    /// Reads as the one who buys, and insists on 200.
    async fn read(&mut self, path: &str) -> anyhow::Result<Answer> {
        let request = Request::get(path).bearer(&self.account.token);
        self.ask(&request).await.with_context(|| format!("GET {path}"))?.expect_status(&[200], path)
    }
}

async fn buy(race: Arc<Race>, mut buyer: Buyer) {
    race.start.acquire().await.expect("the semaphore is never closed").forget();
    let order = Request::new(Method::POST, path::ORDERS)
        .bearer(&buyer.account.token)
        .header("idempotency-key", uuid::Uuid::now_v7().to_string())
        .json(&api::new_order(&race.product));
    let answer = buyer.ask(&order).await;
    let status = answer.as_ref().map_or(0, |answer| answer.status);
    *race.statuses.lock().entry(status).or_default() += 1;
    let own = match answer.ok().filter(|answer| answer.status == 201).as_ref().map(order_id) {
        Some(Some(id)) => {
            race.bought.fetch_add(1, Ordering::SeqCst);
            race.orders.lock().push(id.clone());
            Some(id)
        }
        Some(None) => return race.fault("an order was answered without an id".to_owned()),
        None => None,
    };
    if own.is_some() {
        race.check_stock(&mut buyer).await;
    }
    race.check_orders(&mut buyer, own.as_deref()).await;
}

fn order_id(answer: &Answer) -> Option<String> {
    serde_json::from_slice::<Order>(&answer.body).ok().map(|order| order.id)
}

impl Race {
    fn fault(&self, fault: String) {
        self.faults.lock().push(fault);
    }

    /// The product read now shows at most what the orders acknowledged before have left.
    async fn check_stock(&self, buyer: &mut Buyer) {
        let left = self.stock.saturating_sub(self.bought.load(Ordering::SeqCst));
        let answer = buyer.read(&path::product(&self.product)).await;
        let shown = answer.ok().and_then(|answer| top_level_u64(&answer.body, "stock"));
        match shown {
            Some(shown) if shown <= left => {}
            Some(shown) => self.fault(format!("the product showed {shown} in stock after orders had left {left}")),
            None => self.fault("the product was not readable after an order".to_owned()),
        }
    }

    /// The buyer's orders list exactly the one that was acknowledged.
    async fn check_orders(&self, buyer: &mut Buyer, own: Option<&str>) {
        let path = path::orders_of_buyer(&buyer.account.id);
        let listed = match buyer.read(&path).await.map(|answer| serde_json::from_slice::<Orders>(&answer.body)) {
            Ok(Ok(orders)) => orders.items,
            Ok(Err(fault)) => return self.fault(format!("a buyer's orders are not readable: {fault}")),
            Err(fault) => return self.fault(format!("{fault:#}")),
        };
        let listed: Vec<&str> = listed.iter().map(|order| order.id.as_str()).collect();
        if listed != own.as_slice() {
            self.fault(format!("a buyer with the order {own:?} was listed {listed:?}"));
        }
    }

    /// After the race the product shows what is left, exactly.
    async fn look_back(&self, seller: &mut Buyer) -> anyhow::Result<()> {
        let answer = seller.read(&path::product(&self.product)).await?;
        let shown = top_level_u64(&answer.body, "stock");
        let left = self.stock.checked_sub(self.bought.load(Ordering::SeqCst));
        if shown != left {
            self.fault(format!("after the race the product shows {shown:?} in stock, {left:?} are left"));
        }
        let mut orders = std::mem::take(&mut *self.orders.lock());
        let acknowledged = orders.len();
        orders.sort_unstable();
        orders.dedup();
        if orders.len() != acknowledged {
            self.fault("two buyers were given one order".to_owned());
        }
        Ok(())
    }

    fn summary(&self, stamp: Stamp, options: &Options, elapsed_ms: f64) -> Summary {
        let statuses = self.statuses.lock().clone();
        let buyers = usize::from(options.buyers);
        let orders_due = buyers.min(options.stock as usize);
        let faults = self.faults.lock();
        let answered = |status: u16| statuses.get(&status).copied().unwrap_or(0);
        let clean = answered(201) == orders_due && answered(409) == buyers - orders_due && faults.is_empty();
        Summary {
            stamp,
            passed: clean != options.expect_faults,
            buyers,
            stock: self.stock,
            statuses,
            elapsed_ms,
            faults: faults.len(),
            examples: faults.iter().take(SHOWN_MAX).cloned().collect(),
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{} buyers, {} in stock, {:.0} ms to the last answer", self.buyers, self.stock, self.elapsed_ms)?;
        for (status, count) in &self.statuses {
            writeln!(f, "  {count:>6} answered {status}")?;
        }
        writeln!(f, "  {:>6} reads at odds with an acknowledged order", self.faults)?;
        for example in &self.examples {
            writeln!(f, "  {example}")?;
        }
        writeln!(f, "{}", if self.passed { "PASS" } else { "FAIL" })
    }
}
