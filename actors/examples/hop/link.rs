//! A call through a link: mutual TLS, a frame encoded and decoded, bounds, a deadline, a task for each answer.

use crate::{
    ANSWER_BYTES, COOKIE,
    authority::Authority,
    process::{Pair, Process, input, obey},
};
use links::{Address, Config, Cookie, Event, Files, Incoming, Limits, Links, Member, Serve};
use protocol::{
    Epoch, Key, Kind, Principal, View,
    envelope::{Answer, Body, Envelope},
    view::{Audience, Fact},
};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use uuid::Uuid;

pub fn start(workers: usize) -> Pair {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().expect("a folder"));
    let names = ["node-a", "node-b"];
    let boots = names.map(|_| Uuid::now_v7());
    let mut processes = [0, 1].map(|at| {
        let place = folder.path().join(names[at]);
        authority.equip(&place, names[at]);
        Process::start(workers, &["link", place.to_str().expect("a path"), names[at], &boots[at].to_string()])
    });
    let members = [0, 1].map(|at| format!("{} {}@{}", boots[at], names[at], processes[at].line()));
    for (process, other) in processes.iter_mut().zip(members.iter().rev()) {
        process.tell(other);
    }
    for process in &mut processes {
        assert_eq!(process.line(), "ready");
    }
    let [asks, answers] = processes;
    Pair { asks, answers, _kept: Box::new(folder) }
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

/// How the links of a node are set up.
pub fn config(boot: Uuid, name: &str, folder: &str) -> Config {
    Config {
        boot,
        name: name.to_owned(),
        listen: ([127, 0, 0, 1], 0).into(),
        files: Files::within(Path::new(folder)),
        cookie: Cookie::parse(COOKIE).expect("a cookie"),
        limits: Limits::default(),
        wires: Config::WIRES,
    }
}

pub async fn run(folder: &str, name: &str, boot: &str) {
    let (links, mut events) = Links::start(config(boot.parse().expect("a boot"), name, folder), Profile, None).await.expect("links");
    println!("{}", links.listens_on());
    let line = input().await;
    let (boot, address) = line.split_once(' ').expect("a member");
    let other: Uuid = boot.parse().expect("a boot");
    links.members(&[Member { boot: other, address: address.parse::<Address>().expect("an address") }], &[]);
    while events.recv().await != Some(Event::Linked { boot: other }) {}
    obey(move || {
        let links = links.clone();
        async move {
            let key = Key::new(Kind::User, Uuid::from_u128(1));
            let (body, principal) = (Body::View { version_min: 0 }, Principal::Anonymous);
            let envelope =
                Envelope { wire: 0, view: 1, key, slot: key.slot(), epoch: Epoch(1), deadline_ms: 0, trace: None, principal, body };
            let answer = links.call(other, envelope, Instant::now() + Duration::from_secs(6)).await;
            matches!(answer, Ok(Answer::View(_)))
        }
    })
    .await;
}
