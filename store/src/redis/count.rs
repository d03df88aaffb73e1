//! What the edges of a cluster count together: what callers spend of their limits, and tries that may be guesses.
//!
//! As all that is in Redis it may be lost at any time, and then every edge goes by its own counts. A name is `limit:<instance>:` and half of a SHA-256 over
//! the instance and whom it is of, so that no address and no person's name is read in passing, in a listing or in Redis' log of slow commands.
//! It is no secret: whoever has the instance's name can try all IPv4 addresses in minutes, and has profiles to read beside it (docs/adr/0012). Every name goes
//! by itself: a caller's once what it spent is given back, a try's when the window is over.

use super::{Redis, metric::Shared};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use redis::FromRedisValue;
use sha2::{Digest, Sha256};
use std::time::Duration;

const SPEND: &str = include_str!("spend.lua");
const BEGIN: &str = include_str!("begin.lua");
const TAKE_BACK: &str = include_str!("take_back.lua");

/// Callers whose spending is told at once: Redis serves nobody else for some 2 ms then.
pub const SPENT_MAX: usize = 512;

/// What edges count together. Cheap to clone.
#[derive(Clone)]
pub struct Counts(Redis);

/// What a caller spent of a limit, as the time in which the limit gives that back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spent {
    /// Who, and of which limit.
    pub caller: String,
    /// How much.
    pub spent: Duration,
    /// How long ago the first of it was.
    pub age: Duration,
    /// How much may be spent and not given back; more is not remembered.
    pub most: Duration,
}

/// One of the things under which a try is counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Try {
    /// Its name.
    pub name: String,
    /// After so many failures the next try has to wait.
    pub failures_max: u32,
}

/// How long a try waits that comes after too many failures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pauses {
    /// The first time; each further failure doubles it.
    pub first: Duration,
    /// At most. So long without a failure, and they are forgotten.
    pub window: Duration,
}

/// A try that has to wait. It was not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Which of the things holds it up, by its place.
    pub by: usize,
    /// For how long.
    pub time: Duration,
}

impl Redis {
    /// What edges count together in it.
    #[must_use]
    pub fn counts(&self) -> Counts {
        Counts(self.clone())
    }
}

impl Counts {
    /// Adds what callers spent, at most [`SPENT_MAX`] of them, and answers how much each has spent altogether, at all edges, that is not given back yet.
    /// `None`: nobody knows, and of what was added nobody knows whether it was.
    pub async fn spend(&self, spent: &[Spent]) -> Option<Vec<Duration>> {
        let spent = &spent[..spent.len().min(SPENT_MAX)];
        let names = spent.iter().map(|spent| self.name(&spent.caller)).collect();
        // Rounded so that nobody is ever thought to have spent more than they did.
        let aged = |spent: &Spent| spent.age.saturating_add(Duration::from_micros(1));
        let numbers = spent.iter().flat_map(|spent| [spent.spent, aged(spent), spent.most].map(micros)).collect();
        let answer: Option<Vec<i64>> = self.run(SPEND, names, numbers).await;
        // Who answers may not be Redis.
        let answer = answer.filter(|ahead| ahead.len() == spent.len());
        self.0.link.metrics.counted(Shared::Requests, answer.is_some(), spent.len());
        let bounded = |(ahead, spent): (i64, &Spent)| Duration::from_micros(u64::try_from(ahead).unwrap_or_default()).min(spent.most);
        answer.map(|ahead| ahead.into_iter().zip(spent).map(bounded).collect())
    }

    /// Counts a try, unless one of the things under which it is counted has to wait. `None`: nobody knows.
    pub async fn begin(&self, tries: &[Try], pauses: Pauses) -> Option<Result<(), Held>> {
        let names = tries.iter().map(|attempt| self.name(&attempt.name)).collect();
        let numbers = [pauses.first, pauses.window].map(millis).into_iter().chain(tries.iter().map(|attempt| attempt.failures_max.into()));
        let answer: Option<(usize, i64)> = self.run(BEGIN, names, numbers.collect()).await;
        self.0.link.metrics.counted(Shared::Tries, answer.is_some(), 1);
        let held = |by, ms| Held { by, time: Duration::from_millis(u64::try_from(ms).unwrap_or_default()).min(pauses.window) };
        answer.map(|(by, ms)| by.checked_sub(1).map_or(Ok(()), |by| Err(held(by, ms))))
    }

    /// Takes a try back that was counted; of what is `forgiven` all tries.
    pub async fn take_back(&self, tries: &[Try], forgiven: &[Try]) {
        let mut commands = redis::pipe();
        let names = tries.iter().map(|attempt| self.name(&attempt.name)).collect();
        eval(&mut commands, TAKE_BACK, names, tries.iter().map(|attempt| attempt.failures_max.into()).collect());
        for attempt in forgiven {
            commands.cmd("DEL").arg(self.name(&attempt.name));
        }
        // What is not taken back is forgotten when the window is over.
        let _ = self.0.link.ask::<redis::Value>(&commands).await;
    }

    async fn run<T: FromRedisValue>(&self, script: &str, names: Vec<String>, numbers: Vec<u64>) -> Option<T> {
        let mut commands = redis::pipe();
        eval(&mut commands, script, names, numbers);
        self.0.link.ask::<(T,)>(&commands).await.ok().map(|(answer,)| answer)
    }

    fn name(&self, of: &str) -> String {
        let digest = Sha256::new().chain_update(self.0.instance).chain_update(of).finalize();
        format!("limit:{}:{}", self.0.instance.simple(), URL_SAFE_NO_PAD.encode(&digest[..16]))
    }
}

/// Adds a script, whole: a server that was restarted does not know it any more, and this is cheaper than to find that out.
fn eval(commands: &mut redis::Pipeline, script: &str, names: Vec<String>, numbers: Vec<u64>) {
    commands.cmd("EVAL").arg(script).arg(names.len()).arg(names).arg(numbers);
}

/// At most what is exact in Lua's numbers beside the time since 1970: a century.
fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX).min(100 * 365 * 86_400 * 1_000_000)
}

fn millis(time: Duration) -> u64 {
    micros(time) / 1000
}
