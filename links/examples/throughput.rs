//! What a call through a link costs, beside a bare call of ractor_cluster: without TLS, bounds, deadlines or a frame of ours.
//!
//! ```sh
//! cargo run --release -p lets-connect-links --example throughput
//! ```
//!
//! Each measurement is two processes of this program on one machine; both kinds take turns, and the medians of the rounds are printed. The load is
//! closed: so many callers, each asking again when it is answered. Processor time is that of both processes.

#[path = "../tests/it/authority.rs"]
mod authority;

use hdrhistogram::Histogram;
use links::{Address, Config, Cookie, Event, Files, Incoming, Limits, Links, Member, Serve};
use protocol::{
    Key, Kind, Principal,
    envelope::{Answer, Body, Envelope},
    slot::Epoch,
    view::{Audience, Fact, View},
};
use ractor::{
    Actor, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort,
    message::{BoxedDowncastErr, SerializedMessage},
};
use ractor_cluster::{NodeServer, client_connect};
use std::{
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, ChildStdin, Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// As large as a small profile.
const ANSWER_BYTES: usize = 500;
const CALLERS: [usize; 3] = [1, 16, 256];
const SPAN: Duration = Duration::from_secs(2);
const ROUNDS: usize = 5;
const COOKIE: &str = "a cookie of the benchmark, long enough";

fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let words: Vec<_> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    match words[..] {
        [] => measure(),
        ["links", folder, name, boot] => runtime.block_on(with_links(folder, name, boot)),
        ["bare", name, port] => runtime.block_on(bare(name, port)),
        _ => eprintln!("it takes no arguments"),
    }
}

// ---- the parent ----

/// Calls a second; p50 and p99 in µs; processor time of a call in µs.
type Figures = [f64; 4];

fn measure() {
    let mut all: Vec<Vec<Vec<Figures>>> = vec![vec![Vec::new(); CALLERS.len()]; 2];
    for _ in 0..ROUNDS {
        for (kind, start) in [start_bare as fn() -> [Process; 2], start_links].into_iter().enumerate() {
            let [mut caller, mut other] = start();
            for (at, callers) in CALLERS.into_iter().enumerate() {
                let before = other.ask("cpu");
                let told = caller.ask(&format!("run {callers}"));
                let spent = other.ask("cpu")[0] - before[0];
                all[kind][at].push([told[0], told[1], told[2], (told[3] + spent) / told[4]]);
            }
        }
    }
    println!("callers  kind   calls/s   p50 µs   p99 µs   CPU µs/call (both ends)");
    for (at, callers) in CALLERS.into_iter().enumerate() {
        for (kind, name) in ["bare", "links"].into_iter().enumerate() {
            let median = |figure: usize| {
                let mut figures: Vec<_> = all[kind][at].iter().map(|figures| figures[figure]).collect();
                figures.sort_by(f64::total_cmp);
                figures[figures.len() / 2]
            };
            println!("{callers:>7}  {name:<5} {:>8.0} {:>8.0} {:>8.0} {:>8.1}", median(0), median(1), median(2), median(3));
        }
    }
}

struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<std::process::ChildStdout>,
}

impl Process {
    fn start(arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        let mut child = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let (input, output) = (child.stdin.take().expect("piped"), BufReader::new(child.stdout.take().expect("piped")));
        Self { child, input, output }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    fn ask(&mut self, line: &str) -> Vec<f64> {
        writeln!(self.input, "{line}").expect("it listens");
        self.line().split(' ').map(|number| number.parse().expect("a number")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn start_links() -> [Process; 2] {
    let (authority, folder) = (authority::Authority::new(), tempfile::tempdir().expect("a folder"));
    let boots = [Uuid::now_v7(), Uuid::now_v7()];
    let mut processes = ["node-a", "node-b"].map(|name| {
        let place = folder.path().join(name);
        authority.equip(&place, name);
        Process::start(&["links", place.to_str().expect("a path"), name, &boots[usize::from(name == "node-b")].to_string()])
    });
    let members: Vec<_> =
        processes.iter_mut().zip(boots).zip(["node-a", "node-b"]).map(|((p, boot), name)| format!("{boot} {name}@{}", p.line())).collect();
    for (process, other) in processes.iter_mut().zip(members.iter().rev()) {
        writeln!(process.input, "{other}").expect("it listens");
    }
    for process in &mut processes {
        assert_eq!(process.line(), "ready");
    }
    processes
}

fn start_bare() -> [Process; 2] {
    let ports =
        [0, 0].map(|_: u8| std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port());
    let mut processes = [("a", ports[0]), ("b", ports[1])].map(|(name, port)| Process::start(&["bare", name, &port.to_string()]));
    for process in &mut processes {
        assert_eq!(process.line(), "listens");
    }
    writeln!(processes[0].input, "127.0.0.1:{}", ports[1]).expect("it listens");
    writeln!(processes[1].input, "none").expect("it listens");
    for process in &mut processes {
        assert_eq!(process.line(), "ready");
    }
    processes
}

// ---- the children ----

fn input() -> String {
    let mut line = String::new();
    match std::io::stdin().read_line(&mut line) {
        Ok(1..) => line.trim().to_owned(),
        Ok(0) | Err(_) => std::process::exit(0),
    }
}

/// Processor time of this process, in µs.
fn cpu_us() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields: Vec<_> = stat.rsplit(") ").next().expect("fields").split(' ').collect();
    let ticks: f64 = fields[11].parse::<f64>().expect("a number") + fields[12].parse::<f64>().expect("a number");
    ticks * 10_000.0
}

/// Does what the parent says, with `ask` as the call.
async fn obey<F: Future<Output = ()> + Send>(ask: impl Fn() -> F + Send + Sync + 'static) {
    let ask = Arc::new(ask);
    println!("ready");
    loop {
        let line = tokio::task::spawn_blocking(input).await.expect("input");
        let Some(callers) = line.strip_prefix("run ") else {
            println!("{}", cpu_us());
            continue;
        };
        let (begun, spent) = (Instant::now(), cpu_us());
        let tasks: Vec<_> = (0..callers.parse::<usize>().expect("a number"))
            .map(|_| {
                let ask = Arc::clone(&ask);
                tokio::spawn(async move {
                    let mut times = histogram();
                    while begun.elapsed() < SPAN {
                        let asked = Instant::now();
                        ask().await;
                        times.saturating_record(u64::try_from(asked.elapsed().as_nanos()).unwrap_or(u64::MAX));
                    }
                    times
                })
            })
            .collect();
        let mut times = histogram();
        for task in tasks {
            times.add(task.await.expect("a task")).expect("of one kind");
        }
        let (span, count) = (begun.elapsed().as_secs_f64(), times.len() as f64);
        let quantile = |q| times.value_at_quantile(q) as f64 / 1000.0;
        println!("{} {} {} {} {count}", count / span, quantile(0.5), quantile(0.99), cpu_us() - spent);
    }
}

/// Of nanoseconds, up to a minute.
fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds of a histogram")
}

struct Profile;

impl Serve for Profile {
    async fn call(&self, _: Incoming) -> Answer {
        let body = bytes::Bytes::from_static(&[b'x'; ANSWER_BYTES]);
        Answer::View(View { version: 1, audience: Audience::Everyone, body, fact: Fact::None })
    }

    async fn probe(&self) -> bool {
        true
    }
}

async fn with_links(folder: &str, name: &str, boot: &str) {
    let config = Config {
        boot: boot.parse().expect("a boot"),
        name: name.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        files: Files::within(Path::new(folder)),
        cookie: Cookie::parse(COOKIE).expect("a cookie"),
        limits: Limits::default(),
        wires: Config::WIRES,
    };
    let (links, mut events) = Links::start(config, Profile, None).await.expect("links");
    println!("{}", links.listens_on());
    let line = tokio::task::spawn_blocking(input).await.expect("input");
    let (boot, address) = line.split_once(' ').expect("a member");
    let other: Uuid = boot.parse().expect("a boot");
    links.members(&[Member { boot: other, address: address.parse::<Address>().expect("an address") }]);
    while events.recv().await != Some(Event::Linked { boot: other }) {}
    obey(move || {
        let links = links.clone();
        async move {
            let key = Key::new(Kind::User, Uuid::from_u128(1));
            let (body, principal) = (Body::View { version_min: 0 }, Principal::Anonymous);
            let envelope =
                Envelope { wire: 0, view: 1, key, slot: key.slot(), epoch: Epoch(1), deadline_ms: 0, trace: None, principal, body };
            let answer = links.call(other, envelope, Instant::now() + Duration::from_secs(6)).await;
            assert!(matches!(answer, Ok(Answer::View(_))), "{answer:?}");
        }
    })
    .await;
}

/// As plain as a message of ractor_cluster can be.
struct Plain(Vec<u8>, RpcReplyPort<Vec<u8>>);

impl ractor::Message for Plain {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        Ok(SerializedMessage::Call { variant: "call".to_owned(), args: self.0, reply: self.1, metadata: None })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        match message {
            SerializedMessage::Call { args, reply, .. } => Ok(Self(args, reply)),
            _ => Err(BoxedDowncastErr),
        }
    }
}

struct PlainPort;

impl Actor for PlainPort {
    type Msg = Plain;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Plain>, (): ()) -> Result<(), ActorProcessingErr> {
        ractor::pg::join("plain".to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Plain>, Plain(_, reply): Plain, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let _ = reply.send(vec![b'x'; ANSWER_BYTES]);
        Ok(())
    }
}

async fn bare(name: &str, port: &str) {
    let server = NodeServer::new(port.parse().expect("a port"), COOKIE.to_owned(), name.to_owned(), name.to_owned(), None, None);
    let (server, _) = Actor::spawn(None, server.with_listen_addr([127, 0, 0, 1].into()), ()).await.expect("a server");
    Actor::spawn(None, PlainPort, ()).await.expect("a port");
    println!("listens");
    let other = tokio::task::spawn_blocking(input).await.expect("input");
    if other != "none" {
        client_connect(&server, other).await.expect("a connection");
    }
    let remote = loop {
        let members = ractor::pg::get_members(&"plain".to_owned());
        if let Some(cell) = members.into_iter().find(|cell| matches!(cell.get_id(), ActorId::Remote { .. })) {
            break ActorRef::<Plain>::from(cell);
        }
        tokio::task::yield_now().await;
    };
    obey(move || {
        let remote = remote.clone();
        async move {
            let answer = remote.call(|reply| Plain(vec![1; 60], reply), Some(Duration::from_secs(6))).await;
            assert!(answer.is_ok_and(|answer| answer.is_success()));
        }
    })
    .await;
}
