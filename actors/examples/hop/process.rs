//! The processes: what the parent asks them, and what they do.

use hdrhistogram::Histogram;
use rustix::time::{ClockId, clock_gettime};
use std::{
    fmt, fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tokio::{task::JoinSet, time::MissedTickBehavior};

/// How long a load is offered.
const SPAN: Duration = Duration::from_secs(2);

/// How calls come.
#[derive(Clone, Copy)]
pub enum Load {
    /// So many callers, each asking again when it is answered.
    Callers(usize),
    /// By the clock, whatever became of those before.
    PerSecond(u32),
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Callers(1) => write!(f, "1 caller"),
            Self::Callers(count) => write!(f, "{count} callers"),
            Self::PerSecond(rate) => write!(f, "{rate}/s"),
        }
    }
}

/// What was seen in one round; times are of one call.
#[derive(Clone, Copy)]
pub struct Figures {
    pub calls_per_s: f64,
    pub p50_us: f64,
    pub p99_us: f64,
    pub cpu_us: f64,
    /// How often a thread waited for something to do.
    pub parked: f64,
    /// How many were not answered by whom they are about.
    pub strayed: f64,
}

/// What a process used since it started: µs of processor time, and how often a thread of it waited.
type Spent = [f64; 2];

// ---- the parent ----

/// The process that asks, and the one that answers.
pub struct Pair {
    pub asks: Process,
    pub answers: Process,
    /// What has to be there for as long as they are.
    pub _kept: Box<dyn std::any::Any>,
}

impl Pair {
    /// Offers a load, and what is as this load but for the calls.
    pub fn measure(&mut self, load: Load) -> Figures {
        let (without, with) = match load {
            Load::Callers(count) => ("rest".to_owned(), format!("callers {count}")),
            Load::PerSecond(rate) => (format!("tick {rate}"), format!("ask {rate}")),
        };
        let (_, idle) = self.run(&without);
        let (told, used) = self.run(&with);
        let [calls, p50_us, p99_us, strayed] = told[..] else { panic!("four figures, not {told:?}") };
        let [cpu_us, parked] = [0, 1].map(|at| (used[at] - idle[at]) / calls);
        Figures { calls_per_s: calls / SPAN.as_secs_f64(), p50_us, p99_us, cpu_us, parked, strayed }
    }

    fn run(&mut self, what: &str) -> (Vec<f64>, Spent) {
        let before = self.spent();
        let told = self.asks.ask(what);
        let after = self.spent();
        (told, [0, 1].map(|at| after[at] - before[at]))
    }

    fn spent(&mut self) -> Spent {
        let [asks, answers] = [&mut self.asks, &mut self.answers].map(|process| process.ask("spent"));
        [0, 1].map(|at| asks[at] + answers[at])
    }
}

/// Another process of this program.
pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(workers: usize, arguments: &[&str]) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["child", &workers.to_string()]).args(arguments);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a process");
        let (input, output) = (child.stdin.take().expect("piped"), BufReader::new(child.stdout.take().expect("piped")));
        Self { child, input, output }
    }

    /// The next that it says.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a line");
        line.trim().to_owned()
    }

    pub fn tell(&mut self, line: &str) {
        writeln!(self.input, "{line}").expect("it listens");
    }

    fn ask(&mut self, line: &str) -> Vec<f64> {
        self.tell(line);
        self.line().split_whitespace().map(|number| number.parse().expect("a number")).collect()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// ---- the children ----

/// What the parent says next; the process ends with it.
pub async fn input() -> String {
    let read = || {
        let mut line = String::new();
        match std::io::stdin().read_line(&mut line) {
            Ok(1..) => line.trim().to_owned(),
            Ok(0) | Err(_) => std::process::exit(0),
        }
    };
    tokio::task::spawn_blocking(read).await.expect("input")
}

/// Does what the parent says, with `call` as the call, which tells whether it was answered by whom it is about.
pub async fn obey<F: Future<Output = bool> + Send + 'static>(call: impl Fn() -> F + Clone + Send + Sync + 'static) {
    println!("ready");
    loop {
        let line = input().await;
        let (what, number) = line.split_once(' ').unwrap_or((&line, "0"));
        let number: u32 = number.parse().expect("a number");
        match what {
            "spent" => {
                let [cpu_us, parked] = spent();
                println!("{cpu_us} {parked}");
            }
            "rest" => {
                tokio::time::sleep(SPAN).await;
                println!();
            }
            "tick" => {
                by_the_clock(number, || async { true }).await;
                println!();
            }
            "ask" => tell(&by_the_clock(number, call.clone()).await),
            "callers" => tell(&by_callers(number, call.clone()).await),
            _ => panic!("what is {what}?"),
        }
    }
}

/// How long calls took, and how many were not answered by whom they are about.
#[derive(Clone)]
struct Times {
    /// In nanoseconds, up to a minute.
    answered: Histogram<u64>,
    strayed: u64,
}

impl Times {
    fn new() -> Self {
        Self { answered: Histogram::new_with_bounds(1, 60_000_000_000, 3).expect("bounds of a histogram"), strayed: 0 }
    }

    async fn measure(call: impl Future<Output = bool>) -> (Duration, bool) {
        let asked = Instant::now();
        let is_answered = call.await;
        (asked.elapsed(), is_answered)
    }

    fn note(&mut self, (took, is_answered): (Duration, bool)) {
        self.strayed += u64::from(!is_answered);
        self.answered.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
    }

    fn add(mut self, other: &Self) -> Self {
        self.answered.add(&other.answered).expect("of one kind");
        self.strayed += other.strayed;
        self
    }
}

fn tell(Times { answered: times, strayed }: &Times) {
    let quantile = |q| times.value_at_quantile(q) as f64 / 1000.0;
    println!("{} {} {} {strayed}", times.len(), quantile(0.5), quantile(0.99));
}

async fn by_callers<F: Future<Output = bool> + Send>(count: u32, call: impl Fn() -> F + Clone + Send + 'static) -> Times {
    let begun = Instant::now();
    let mut callers = JoinSet::new();
    for _ in 0..count {
        let call = call.clone();
        callers.spawn(async move {
            let mut times = Times::new();
            while begun.elapsed() < SPAN {
                times.note(Times::measure(call()).await);
            }
            times
        });
    }
    callers.join_all().await.iter().fold(Times::new(), Times::add)
}

async fn by_the_clock<F: Future<Output = bool> + Send + 'static>(rate: u32, call: impl Fn() -> F + Clone + Send + Sync + 'static) -> Times {
    let (times, mut under_way) = (Arc::new(Mutex::new(Times::new())), JoinSet::new());
    let mut clock = tokio::time::interval(Duration::from_secs(1) / rate);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for _ in 0..rate * u32::try_from(SPAN.as_secs()).expect("seconds") {
        clock.tick().await;
        while under_way.try_join_next().is_some() {}
        let (call, times) = (call.clone(), Arc::clone(&times));
        under_way.spawn(async move {
            let seen = Times::measure(call()).await;
            times.lock().expect("not poisoned").note(seen);
        });
    }
    under_way.join_all().await;
    times.lock().expect("not poisoned").clone()
}

fn spent() -> Spent {
    let cpu = clock_gettime(ClockId::ProcessCPUTime);
    let waits = |task: &fs::DirEntry| {
        let status = fs::read_to_string(task.path().join("status")).ok()?;
        status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")?.trim().parse::<f64>().ok())
    };
    let tasks = fs::read_dir("/proc/self/task").expect("Linux").flatten();
    [cpu.tv_sec as f64 * 1e6 + cpu.tv_nsec as f64 / 1e3, tasks.filter_map(|task| waits(&task)).sum()]
}
