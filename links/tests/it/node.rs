//! The process that a test starts: a node that does what its standard input says, and tells what came of it.

use links::{Address, Config, Cookie, Event, Files, Incoming, Limits, Links, Member, Serve};
use protocol::{
    Key, Kind, Principal, Query,
    envelope::{Answer, Body, Envelope},
    page::Page,
    slot::Epoch,
    view::{Audience, Fact, View},
};
use std::{
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::mpsc;
use uuid::Uuid;

/// What a node is started with: folder of its certificates, name, boot, cookie, and the oldest and the newest version of the frame that it speaks.
pub const ARGUMENTS: &str = "LINKS_TEST_NODE";
/// What its lines begin with, among those of the test harness.
pub const MARK: &str = "> ";

/// Runs as a node when another test started this process for that.
#[test]
fn node() {
    let Ok(arguments) = std::env::var(ARGUMENTS) else { return };
    let arguments: Vec<_> = arguments.split('\n').collect();
    let [folder, name, boot, cookie, oldest, newest] = arguments[..] else { panic!("six arguments") };
    let config = Config {
        boot: boot.parse().expect("a boot"),
        name: name.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        files: Files::within(Path::new(folder)),
        cookie: Cookie::parse(cookie).expect("a cookie"),
        limits: Limits { reload_every: Duration::from_millis(50), ..Limits::default() },
        wires: oldest.parse().expect("a version")..=newest.parse().expect("a version"),
    };
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime").block_on(run(config));
}

/// Prints in one piece.
fn say(line: &str) {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    out.write_all(format!("\n{MARK}{line}\n").as_bytes()).and_then(|()| out.flush()).expect("somebody listens");
}

async fn run(config: Config) {
    let (links, mut events) = Links::start(config, Echo, None).await.expect("the links start");
    say(&format!("listens {}", links.listens_on()));
    let (printer, mut lines) = mpsc::unbounded_channel::<String>();
    // One after another, and never from a task that a call waits behind.
    std::thread::spawn(move || {
        while let Some(line) = lines.blocking_recv() {
            say(&line)
        }
    });
    let told = printer.clone();
    tokio::spawn(async move {
        while let Some(event) = events.recv().await {
            let line = match event {
                Event::Linked { boot } => format!("linked {boot}"),
                Event::Unlinked { boot } => format!("unlinked {boot}"),
                Event::ProbeAnswered { boot, round } => format!("probed {boot} {round}"),
                Event::Heard { view } => format!("heard {view}"),
            };
            let _ = told.send(line);
        }
    });
    let (reader, mut input) = mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || std::io::stdin().lines().map_while(Result::ok).try_for_each(|line| reader.send(line)));
    while let Some(line) = input.recv().await {
        let (links, printer) = (links.clone(), printer.clone());
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        tokio::spawn(async move {
            if let Some(answer) = obey(&links, &words).await {
                let _ = printer.send(format!("{} {answer}", words[1]));
            }
        });
    }
    links.stop().await;
}

/// Does what a line says. Its second word is the number under which the answer is printed.
async fn obey(links: &Links, words: &[String]) -> Option<String> {
    let word = |at: usize| words[at].as_str();
    let number = |at: usize| words[at].parse::<u64>().expect("a number");
    let boot = |at: usize| words[at].parse::<Uuid>().expect("a boot");
    match word(0) {
        "members" => {
            // Of those who left, only the boot is said.
            let (left, members): (Vec<_>, Vec<_>) = words[2..].iter().partition(|word| !word.contains('='));
            let left: Vec<Uuid> = left.into_iter().map(|boot| boot.parse().expect("a boot")).collect();
            let member = |text: &String| {
                let (boot, address) = text.split_once('=').expect("a member");
                Member { boot: boot.parse().expect("a boot"), address: address.parse::<Address>().expect("an address") }
            };
            let members: Vec<_> = members.into_iter().map(member).collect();
            elsewhere(links, move |links| links.members(&members, &left));
            Some("done".to_owned())
        }
        "part" => {
            links.part(&[boot(2)]).await;
            Some("done".to_owned())
        }
        "probe" => {
            let (boot, round) = (boot(2), number(3));
            elsewhere(links, move |links| links.probe(boot, round));
            None
        }
        "announce" => {
            links.announce(number(2));
            None
        }
        "call" => Some(call(links, boot(2), Question { request: number(3), answer: number(4), pause_ms: number(5) }, number(6)).await),
        "flood" => {
            Some(flood(links, boot(2), Question { request: number(3), answer: number(4), pause_ms: number(5) }, number(6), number(7)).await)
        }
        "traffic" => Some(traffic(links, boot(2), Duration::from_millis(number(3))).await),
        "status" => Some(format!("{:?}", links.status())),
        other => panic!("{other}"),
    }
}

/// On a thread that knows no runtime, as the membership's may.
fn elsewhere(links: &Links, tell: impl FnOnce(&Links) + Send + 'static) {
    let links = links.clone();
    std::thread::spawn(move || tell(&links)).join().expect("it takes what it is told");
}

/// How large a question and its answer are, and how long the answer takes.
#[derive(Clone, Copy)]
struct Question {
    request: u64,
    answer: u64,
    pause_ms: u64,
}

/// A pause after which the answering task panics instead.
pub const PANIC: u64 = u64::MAX;

async fn call(links: &Links, boot: Uuid, question: Question, deadline_ms: u64) -> String {
    let key = Key::new(Kind::PostList, Uuid::nil());
    let words = "x".repeat(usize::try_from(question.request).expect("a size"));
    let body = Body::Query(Query::PostSearch { words, of: None, page: Page::default() });
    let envelope = Envelope {
        wire: 0,
        view: question.answer,
        key,
        slot: key.slot(),
        epoch: Epoch(question.pause_ms),
        deadline_ms: 0,
        trace: None,
        principal: Principal::Anonymous,
        body,
    };
    match links.call(boot, envelope, Instant::now() + Duration::from_millis(deadline_ms)).await {
        Ok(Answer::View(view)) => format!("ok {} {}", view.version, view.body.len()),
        Ok(Answer::Refused(refusal)) => format!("refused {}", refusal.code.name()),
        Ok(other) => format!("{other:?}"),
        Err(error) => format!("{} {error:?}", if error.is_outcome_unknown() { "unknown" } else { "not-done" }),
    }
}

/// Makes many calls at once, and tells how many came to what.
async fn flood(links: &Links, boot: Uuid, question: Question, deadline_ms: u64, count: u64) -> String {
    let links = Arc::new(links.clone());
    let calls: Vec<_> = (0..count)
        .map(|_| {
            let links = Arc::clone(&links);
            tokio::spawn(async move { call(&links, boot, question, deadline_ms).await })
        })
        .collect();
    let mut outcomes = std::collections::BTreeMap::<String, usize>::new();
    for call in calls {
        *outcomes.entry(call.await.expect("a call")).or_default() += 1;
    }
    outcomes.into_iter().map(|(outcome, count)| format!("{count}×{outcome}")).collect::<Vec<_>>().join(", ")
}

/// Calls one after another for a time, and tells how many were answered, how many not, and how long the longest took in ms.
async fn traffic(links: &Links, boot: Uuid, span: Duration) -> String {
    let (begun, mut answered, mut failed, mut longest) = (Instant::now(), 0, 0, Duration::ZERO);
    while begun.elapsed() < span {
        let asked = Instant::now();
        let outcome = call(links, boot, Question { request: 100, answer: 1000, pause_ms: 0 }, 2000).await;
        longest = longest.max(asked.elapsed());
        if outcome.starts_with("ok ") { answered += 1 } else { failed += 1 }
    }
    format!("{answered} {failed} {}", longest.as_millis())
}

/// Answers with as many bytes as the frame's view says, after as many milliseconds as its epoch says. The version is the time that was left.
struct Echo;

impl Serve for Echo {
    async fn call(&self, call: Incoming) -> Answer {
        let pause_ms = call.envelope.epoch.0;
        assert_ne!(pause_ms, PANIC, "as it was asked to");
        if pause_ms > 0 {
            // paced: the owner is slow.
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
        }
        let body = vec![b'x'; usize::try_from(call.envelope.view).expect("a size")].into();
        Answer::View(View { version: call.envelope.deadline_ms.into(), audience: Audience::Platform, body, fact: Fact::None })
    }

    async fn probe(&self) -> bool {
        true
    }
}
