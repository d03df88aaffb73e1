//! `loadtest herd`: a thousand readers ask for one cold key at the same moment. How often is the store asked?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use clap::Args;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use rustix::process::{Pid, Signal, kill_process};
use serde::Serialize;
use tokio::time::timeout;

use crate::api::{self, Api, path};
use crate::http::{Connection, Edge, Request};
use crate::platform::{self, Platform, Start};
use crate::prometheus::Selector;
use crate::report::{self, Stamp};
use crate::run::population::register;
use crate::text;

/// A store that was asked nothing for this long is at rest.
const SETTLE_PAUSE: Duration = Duration::from_millis(300);
/// How often that is looked at.
const SETTLE_LOOKS_MAX: usize = 50;

/// The queries that no reader waits for: by which the platform looks, by the clock, for work that is due, for what others wrote, and whether the store
/// is well; and the note that a session is in use, which is written behind the answer, sooner or later than one looks.
pub(crate) const UNAWAITED: [&str; 8] =
    ["errands", "foreign_writes", "ping", "outbox", "checkouts_due", "pending_files", "condemned", "session_seen"];

/// Options of `loadtest herd`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The platform's binary: start it, and let a herd loose on a cold profile, product, product list and feed page
    #[arg(long, value_name = "LETS-CONNECT", required_unless_present = "path")]
    pub platform: Option<PathBuf>,
    /// Without --platform: the path to ask a running server for; see to it that its key is cold
    #[arg(long, value_name = "PATH", conflicts_with = "platform")]
    pub path: Option<String>,
    /// Base URL of the running server
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8000")]
    pub base: Edge,
    /// Base URL of its admin listener
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8010")]
    pub admin: Edge,
    /// Session token to send along
    #[arg(long)]
    pub token: Option<String>,
    /// How many ask, each on a connection of its own
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    pub readers: u16,
    /// The metric that counts store queries, with labels if need be
    #[arg(long, default_value = "store_queries_total")]
    pub metric: Selector,
    /// The most store queries that the herd may cost; by default 1, and with --platform as many as one reader alone costs
    #[arg(long, value_name = "N")]
    pub queries_max: Option<u64>,
    /// Deadline of the whole herd
    #[arg(long, default_value = "30s", value_parser = report::parse_duration)]
    pub deadline: Duration,
    /// Core of the platform that is started
    #[arg(long)]
    pub server_core: Option<usize>,
    /// With --platform: a further setting for it, `section.name=value`
    #[arg(long = "set", value_name = "SETTING")]
    pub settings: Vec<String>,
    /// Write the result as JSON
    #[arg(long, value_name = "FILE")]
    pub json: Option<PathBuf>,
}

/// What one herd met.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// What was asked for.
    pub name: String,
    /// How many asked.
    pub readers: usize,
    /// How many were answered each status; 0 stands for no answer.
    pub statuses: BTreeMap<u16, usize>,
    /// How many different bodies they saw.
    pub bodies: usize,
    /// Milliseconds from the release to the last answer.
    pub elapsed_ms: f64,
    /// Store queries, by series.
    pub queries: BTreeMap<String, u64>,
    /// All of them.
    pub queries_total: u64,
    /// How many were allowed.
    pub queries_max: u64,
    /// All answered 200 with one body, within the allowed queries.
    pub passed: bool,
}

#[derive(Serialize)]
struct Summary {
    stamp: Stamp,
    passed: bool,
    herds: Vec<Outcome>,
}

/// Lets the herds loose and prints what they met; true if all passed.
///
/// # Errors
/// If a server does not start or its metrics cannot be read.
pub async fn run(options: &Options) -> anyhow::Result<bool> {
    let stamp = Stamp::now();
    crate::process::allow_open_files(u64::from(options.readers) * 2 + 256)?;
    let herds = match (&options.platform, &options.path) {
        (Some(binary), _) => on_own_platform(binary, options).await?,
        (None, Some(path)) => {
            let ground = Ground { base: &options.base, admin: &options.admin, pid: None };
            let mut herd = ground.measure(options, path, options.token.as_deref(), usize::from(options.readers)).await?;
            herd.judge(options.queries_max.unwrap_or(1));
            vec![herd]
        }
        (None, None) => bail!("give either --platform or --path"),
    };
    let summary = Summary { stamp, passed: herds.iter().all(|herd| herd.passed), herds };
    print!("{}", show(&summary));
    if let Some(file) = &options.json {
        report::write_json(file, &summary)?;
    }
    Ok(summary.passed)
}

/// One thing that is asked for on a platform of our own.
struct Target {
    name: &'static str,
    path: String,
    token: Option<String>,
}

/// Restarts the platform before every measurement: nothing is colder than a process that just began.
async fn on_own_platform(binary: &Path, options: &Options) -> anyhow::Result<Vec<Outcome>> {
    let data = tempfile::tempdir().context("making a data directory")?;
    let start = Start { name: "platform", binary, data_dir: data.path(), core: options.server_core, settings: &options.settings };
    let platform = Platform::start(&start).await?;
    let targets = prepare(&platform.gateway).await.context("preparing the platform")?;
    platform.stop().await?;
    let mut herds = Vec::new();
    for target in targets {
        let measure = async |readers| {
            let platform = Platform::start(&start).await?;
            let ground = Ground { base: &platform.gateway, admin: &platform.admin, pid: Some(platform.pid()) };
            let herd = ground.measure(options, &target.path, target.token.as_deref(), readers).await?;
            platform.stop().await?;
            anyhow::Ok(herd)
        };
        let alone = measure(1).await?;
        let mut herd = measure(usize::from(options.readers)).await?;
        target.name.clone_into(&mut herd.name);
        herd.judge(options.queries_max.unwrap_or(alone.queries_total));
        herds.push(herd);
    }
    Ok(herds)
}

async fn prepare(edge: &Edge) -> anyhow::Result<Vec<Target>> {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let people = register(edge, 21).await?;
    let (viewer, authors) = people.split_first().context("registered")?;
    let mut api = Api::new(edge, Duration::from_secs(60));
    let mut product = String::new();
    for author in authors {
        api.follow(viewer, &author.id).await?;
        api.create_post(author, &text::prose(&mut rng, 220)).await?;
        let body = api::new_product("Bicycle bell", &text::prose(&mut rng, 220), 100);
        product = api.create_product(author, &body).await?.id;
    }
    let open = |name, path| Target { name, path, token: None };
    Ok(vec![
        open("profile", path::profile(&authors[0].id)),
        open("product", path::product(&product)),
        open("product list", path::public_products(20)),
        Target { name: "feed page", path: path::feed(&viewer.id, 20), token: Some(viewer.token.clone()) },
    ])
}

/// A server that a herd is let loose on.
struct Ground<'a> {
    base: &'a Edge,
    admin: &'a Edge,
    /// Its process, if it is ours to stop for a moment.
    pid: Option<u32>,
}

impl Ground<'_> {
    async fn measure(&self, options: &Options, path: &str, token: Option<&str>, readers: usize) -> anyhow::Result<Outcome> {
        let request = Request::get(path);
        let request = token.map_or(request.clone(), |token| request.bearer(token)).encode(self.base);
        let mut connections = Vec::with_capacity(readers);
        for _ in 0..readers {
            connections.push(self.accepted_connection().await?);
        }
        let before = self.settled(options).await?;
        let (released, answers) =
            timeout(options.deadline, self.release(connections, &request)).await.context("the herd was not answered in time")??;
        let elapsed_ms = released.elapsed().as_secs_f64() * 1e3;
        let after = self.queries(options).await?;
        if after.is_empty() {
            bail!("{} has no metric {}", self.admin, options.metric);
        }
        let grown = |(series, value): (String, f64)| {
            let queries = (value - before.get(&series).copied().unwrap_or(0.0)) as u64;
            (queries > 0).then_some((series, queries))
        };
        let queries: BTreeMap<String, u64> = after.into_iter().filter_map(grown).collect();
        let mut statuses = BTreeMap::new();
        answers.iter().for_each(|(status, _)| *statuses.entry(*status).or_default() += 1);
        let mut bodies: Vec<&Vec<u8>> = answers.iter().filter(|(status, _)| *status == 200).map(|(_, body)| body).collect();
        bodies.sort_unstable();
        bodies.dedup();
        Ok(Outcome {
            name: path.to_owned(),
            readers,
            statuses,
            bodies: bodies.len(),
            elapsed_ms,
            queries_total: queries.values().sum(),
            queries,
            queries_max: 0,
            passed: false,
        })
    }

    /// The queries so far, but for those that nobody waits for.
    async fn queries(&self, options: &Options) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut queries = options.metric.series(&platform::metrics(self.admin).await?);
        queries.retain(|series, _| !series.split('/').any(|label| UNAWAITED.contains(&label)));
        Ok(queries)
    }

    /// The queries so far, once none is added any more: a platform that just began has work of its own.
    async fn settled(&self, options: &Options) -> anyhow::Result<BTreeMap<String, f64>> {
        let mut last = self.queries(options).await?;
        for _ in 0..SETTLE_LOOKS_MAX {
            tokio::time::sleep(SETTLE_PAUSE).await;
            let now = self.queries(options).await?;
            if now == last {
                return Ok(now);
            }
            last = now;
        }
        bail!("the store is asked all the time, even without readers")
    }

    /// A connection that the server has taken up: it answered something unrelated on it.
    async fn accepted_connection(&self) -> anyhow::Result<Connection> {
        let mut connection = Connection::open(self.base).await.with_context(|| format!("connecting to {}", self.base))?;
        connection.exchange(&Request::get("/health").encode(self.base)).await.context("asking for /health")?;
        Ok(connection)
    }

    /// Sends all requests, then reads all answers; 0 stands for no answer.
    ///
    /// A process of our own is stopped while they are sent. So it finds all of them waiting when it continues, and no
    /// reader is late because the tool writes one request after another.
    async fn release(&self, mut connections: Vec<Connection>, request: &[u8]) -> anyhow::Result<(Instant, Vec<(u16, Vec<u8>)>)> {
        let pid = self.pid.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let signal = |signal| pid.map_or(Ok(()), |pid| kill_process(pid, signal));
        signal(Signal::STOP).context("stopping the server")?;
        let mut sent = Ok(());
        for connection in &mut connections {
            sent = sent.and(connection.send(request).await);
        }
        signal(Signal::CONT).context("continuing the server")?;
        sent.context("sending")?;
        let released = Instant::now();
        let mut answers = Vec::with_capacity(connections.len());
        for connection in &mut connections {
            answers.push(match connection.receive().await {
                Ok(()) => (connection.response().status(), connection.response().body().to_vec()),
                Err(_) => (0, Vec::new()),
            });
        }
        Ok((released, answers))
    }
}

impl Outcome {
    fn judge(&mut self, queries_max: u64) {
        self.queries_max = queries_max;
        let all_answered = self.statuses.get(&200) == Some(&self.readers);
        self.passed = all_answered && self.bodies == 1 && self.queries_total <= queries_max;
    }
}

fn show(summary: &Summary) -> String {
    let list = |counts: &mut dyn Iterator<Item = String>| counts.collect::<Vec<_>>().join(", ");
    let rows: Vec<Vec<String>> = summary
        .herds
        .iter()
        .map(|herd| {
            vec![
                herd.name.clone(),
                herd.readers.to_string(),
                list(&mut herd.statuses.iter().map(|(status, count)| format!("{count} × {status}"))),
                herd.bodies.to_string(),
                format!("{:.1} ms", herd.elapsed_ms),
                format!("{} (at most {})", herd.queries_total, herd.queries_max),
                if herd.passed { "PASS" } else { "FAIL" }.to_owned(),
            ]
        })
        .collect();
    let mut text = report::table(&["cold key", "readers", "answers", "bodies", "last answer", "store queries", ""], &rows);
    for herd in &summary.herds {
        let queries = list(&mut herd.queries.iter().map(|(series, count)| format!("{series} {count}")));
        text.push_str(&format!("{}: {queries}\n", herd.name));
    }
    text
}
