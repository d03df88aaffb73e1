//! Who guesses: failures to show a password or a token are counted, and beyond a bound each further try has to wait, twice as long each time.
//!
//! Three counts are kept, each forgotten when nothing failed for the length of the window:
//!
//! * of an account from one address: a few tries, for somebody who mistypes;
//! * of an address, whatever the account: for lists of leaked passwords. Loopback is exempt, or a proxy of one's own that nobody named in
//!   `http.trusted_proxies` would lock everybody out;
//! * of an account from anywhere: for guesses that come from many addresses. It holds only strangers up. An address near which the account has an
//!   open session passes, so nobody can lock a person out of where they are at home, and signed-in devices never ask here at all.
//!
//! A try is counted when it begins, and taken back when it succeeds: a thousand at once are not a thousand free ones. Each edge counts for itself, and
//! where they share Redis it counts there, too, and waits for that: a try has to be let through by both. So the bounds are exact at all edges together while
//! Redis answers, and those of each edge while it does not; and Redis, emptied, gives back no try that this edge knows of.

use crate::address::{self, Network};
use actors::count::{Counts, Pauses, Try};
use parking_lot::Mutex;
use protocol::{ErrorCode, Refusal};
use quick_cache::unsync::Cache;
use std::{
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

/// Counts that are kept, some 6 MB of them; beyond, the least used are forgotten.
const COUNTS_MAX: usize = 65_536;
/// The first wait; each further failure doubles it, up to the window.
const PAUSE: Duration = Duration::from_secs(30);
/// Mails for a forgotten password that one address may have sent to one account within the window. Only the newest works, so whoever has more sent
/// would keep the person from using theirs.
const MAILS_MAX: u32 = 3;

/// How many tries there are.
#[derive(Clone, Copy, Debug)]
pub struct AttemptLimits {
    /// Failures at one account from one address.
    pub account_failures_max: u32,
    /// Failures from one address, and failures at one account from strangers anywhere.
    pub address_failures_max: u32,
    /// After so long without a failure a count is forgotten. It is the longest wait, too.
    pub window: Duration,
}

/// What is tried.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Act {
    /// To sign in.
    Login,
    /// To register. Successes count, too.
    Register,
    /// To have a token mailed. Each one counts: there is no failure that could be seen.
    Forgot,
    /// To use such a token.
    Reset,
    /// To give the password again, within a session.
    Confirm,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Count {
    Pair(Act, u64, Network),
    Address(Network),
    Account(Act, u64),
}

struct Tally {
    failures: u32,
    last: Instant,
    until: Option<Instant>,
}

/// The counts of an edge.
pub struct Attempts {
    limits: AttemptLimits,
    counts: Mutex<Cache<Count, Tally>>,
    names: RandomState,
    shared: Option<Counts>,
}

/// A try that may go on. Dropped without a word, it has failed.
#[must_use]
pub struct Attempt<'a> {
    attempts: &'a Attempts,
    act: Act,
    counts: Vec<Count>,
    /// The same as edges share them, if it is counted there: in the order of `counts`, or empty.
    shared: Vec<Try>,
}

/// Too many tries failed.
#[derive(Debug, PartialEq, Eq)]
pub struct Wait {
    /// For how long.
    pub time: Duration,
    /// Whether it is only strangers to the account who have to wait.
    pub strangers_only: bool,
}

impl From<Wait> for Refusal {
    fn from(wait: Wait) -> Self {
        let seconds = wait.time.as_secs() + 1;
        Self::new(ErrorCode::TooManyRequests, format!("too many tries failed: wait {seconds} seconds")).after(seconds)
    }
}

impl Attempts {
    /// Begins to count; together with other edges where there is something that they share.
    #[must_use]
    pub fn new(limits: AttemptLimits, shared: Option<Counts>) -> Self {
        Self { limits, counts: Mutex::new(Cache::new(COUNTS_MAX)), names: RandomState::new(), shared }
    }

    /// Lets a try begin, or not. `account` is the name by which it is tried, whether there is one or not; an empty one is not counted. Somebody
    /// `at_home` is no stranger to it.
    ///
    /// # Errors
    /// How long to wait, as far as is known here.
    pub async fn begin(&self, act: Act, account: &str, (address, at_home): (IpAddr, bool)) -> Result<Attempt<'_>, Wait> {
        // Whoever this edge holds up does not get as far as Redis.
        let mut attempt = self.begin_at(Instant::now(), act, account, (address, at_home))?;
        let Some(shared) = self.shared.as_ref().filter(|_| !attempt.counts.is_empty()) else { return Ok(attempt) };
        let named = |count: &Count| Try { name: shared_name(count, &comparable(account)), failures_max: self.failures_max(count) };
        let tries: Vec<_> = attempt.counts.iter().map(named).collect();
        match shared.begin(&tries, Pauses { first: PAUSE, window: self.limits.window }).await {
            None => {}
            Some(Ok(())) => attempt.shared = tries,
            Some(Err(held)) => {
                self.take_back(&attempt.counts);
                return Err(Wait { time: held.time, strangers_only: matches!(attempt.counts.get(held.by), Some(Count::Account(..))) });
            }
        }
        Ok(attempt)
    }

    fn begin_at(&self, now: Instant, act: Act, account: &str, (address, at_home): (IpAddr, bool)) -> Result<Attempt<'_>, Wait> {
        let counts = self.counts_of(act, account, (address, at_home));
        let mut kept = self.counts.lock();
        // Those that hold everybody up come first.
        for count in &counts {
            let until = kept.get(count).filter(|tally| !self.is_over(tally, now)).and_then(|tally| tally.until);
            if let Some(time) = until.and_then(|until| until.checked_duration_since(now)).filter(|time| !time.is_zero()) {
                return Err(Wait { time, strangers_only: matches!(count, Count::Account(..)) });
            }
        }
        for count in &counts {
            let failures = kept.get(count).filter(|tally| !self.is_over(tally, now)).map_or(0, |tally| tally.failures).saturating_add(1);
            kept.insert(*count, Tally { failures, last: now, until: self.pause(count, failures).map(|pause| now + pause) });
        }
        Ok(Attempt { attempts: self, act, counts, shared: Vec::new() })
    }

    fn counts_of(&self, act: Act, account: &str, (address, at_home): (IpAddr, bool)) -> Vec<Count> {
        let network = address::counted(address);
        let mut counts = Vec::with_capacity(3);
        if !account.is_empty() {
            // The name itself is not kept: it is a person's, or a guess at one.
            let name = self.names.hash_one(comparable(account));
            counts.push(Count::Pair(act, name, network));
            if !at_home && act != Act::Forgot {
                counts.push(Count::Account(act, name));
            }
        }
        if !address.to_canonical().is_loopback() {
            counts.insert(counts.len().min(1), Count::Address(network));
        }
        counts
    }

    fn is_over(&self, tally: &Tally, now: Instant) -> bool {
        now.saturating_duration_since(tally.last) > self.limits.window
    }

    /// How long whoever comes next waits after so many failures.
    fn pause(&self, count: &Count, failures: u32) -> Option<Duration> {
        let beyond = failures.checked_sub(self.failures_max(count))?;
        Some(PAUSE.saturating_mul(1_u32.checked_shl(beyond).unwrap_or(u32::MAX)).min(self.limits.window))
    }

    fn failures_max(&self, count: &Count) -> u32 {
        match count {
            Count::Pair(Act::Forgot, ..) => MAILS_MAX,
            Count::Pair(..) => self.limits.account_failures_max,
            Count::Address(_) | Count::Account(..) => self.limits.address_failures_max,
        }
    }

    fn take_back(&self, counts: &[Count]) {
        let mut kept = self.counts.lock();
        for count in counts {
            if let Some(mut tally) = kept.get_mut(count) {
                tally.failures = tally.failures.saturating_sub(1);
                if self.pause(count, tally.failures).is_none() {
                    tally.until = None;
                }
            }
        }
    }
}

impl Attempt<'_> {
    /// It succeeded: nothing of the account is held against this address any more, and this try against nobody.
    pub async fn succeeded(self) {
        match self.act {
            // What succeeds costs the platform as much as what fails.
            Act::Register | Act::Forgot => {}
            Act::Login | Act::Reset | Act::Confirm => {
                let is_pair = |count: &Count| matches!(count, Count::Pair(..));
                self.attempts.take_back(&self.counts);
                {
                    let mut kept = self.attempts.counts.lock();
                    for pair in self.counts.iter().filter(|count| is_pair(count)) {
                        kept.remove(pair);
                    }
                }
                let pairs: Vec<_> =
                    self.counts.iter().zip(&self.shared).filter(|(count, _)| is_pair(count)).map(|(_, pair)| pair.clone()).collect();
                self.take_back_shared(&pairs).await;
            }
        }
    }

    /// It came to nothing for a reason that says nothing about whoever tried.
    pub async fn withdrawn(self) {
        self.attempts.take_back(&self.counts);
        self.take_back_shared(&[]).await;
    }

    /// Judges the try by its answer: only a wrong password or token is a failure.
    pub async fn judged<T>(self, answer: Result<T, Refusal>) -> Result<T, Refusal> {
        match &answer {
            Ok(_) => self.succeeded().await,
            Err(refusal) if is_guess(refusal.code) => {}
            Err(_) => self.withdrawn().await,
        }
        answer
    }

    async fn take_back_shared(&self, forgiven: &[Try]) {
        if let Some(shared) = self.attempts.shared.as_ref().filter(|_| !self.shared.is_empty()) {
            shared.take_back(&self.shared, forgiven).await;
        }
    }
}

/// A name as the store compares addresses.
fn comparable(account: &str) -> String {
    account.trim().to_ascii_lowercase()
}

/// What edges call a count among themselves. What somebody typed comes last, so that it is never taken for anything else.
fn shared_name(count: &Count, account: &str) -> String {
    match count {
        Count::Pair(act, _, network) => format!("try {act:?} {network} {account}"),
        Count::Address(network) => format!("tries {network}"),
        Count::Account(act, _) => format!("tries {act:?} {account}"),
    }
}

/// Whether a refusal tells the one who is refused something that they may have guessed for.
const fn is_guess(code: ErrorCode) -> bool {
    matches!(code, ErrorCode::BadCredentials | ErrorCode::BadToken | ErrorCode::UsernameTaken | ErrorCode::EmailTaken)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AttemptLimits = AttemptLimits { account_failures_max: 10, address_failures_max: 100, window: Duration::from_secs(900) };

    /// Tries that fail until one has to wait, and how long that is.
    fn fails(attempts: &Attempts, now: Instant, account: &str, place: (IpAddr, bool)) -> (usize, Wait) {
        for count in 0.. {
            match attempts.begin_at(now, Act::Login, account, place) {
                Ok(_failed) => assert!(count < 1000, "no bound"),
                Err(wait) => return (count, wait),
            }
        }
        unreachable!()
    }

    fn from(n: u32) -> (IpAddr, bool) {
        (IpAddr::from([203, 0, (n / 256) as u8, (n % 256) as u8]), false)
    }

    fn wait(seconds: u64, strangers_only: bool) -> Wait {
        Wait { time: Duration::from_secs(seconds), strangers_only }
    }

    #[test]
    fn who_goes_on_failing_waits_twice_as_long_each_time() {
        let (attempts, mut now) = (Attempts::new(LIMITS, None), Instant::now());
        let mut expected = [30, 60, 120, 240, 480, 900, 900].into_iter();
        let (count, first) = fails(&attempts, now, "ada", from(1));
        assert_eq!((count, first), (10, wait(expected.next().expect("one"), false)));
        now += Duration::from_secs(30);
        for seconds in expected {
            assert_eq!(fails(&attempts, now, " ADA", from(1)), (1, wait(seconds, false)));
            now += Duration::from_secs(seconds);
        }
        assert_eq!(fails(&attempts, now + LIMITS.window, "ada", from(1)).0, 10, "it is all forgotten");
    }

    #[tokio::test]
    async fn a_success_is_not_held_against_anybody() {
        let (attempts, now) = (Attempts::new(LIMITS, None), Instant::now());
        for _ in 0..500 {
            for _ in 0..9 {
                drop(attempts.begin_at(now, Act::Login, "ada", (IpAddr::from([127, 0, 0, 1]), true)));
            }
            attempts.begin_at(now, Act::Login, "ada", (IpAddr::from([127, 0, 0, 1]), true)).expect("the tenth").succeeded().await;
        }
        for _ in 0..500 {
            attempts.begin_at(now, Act::Login, "bob", from(2)).expect("nothing is counted").withdrawn().await;
            attempts.begin_at(now, Act::Login, "bob", from(2)).expect("nothing is counted").succeeded().await;
        }
    }

    #[test]
    fn many_at_once_are_not_free() {
        let (attempts, now) = (Attempts::new(LIMITS, None), Instant::now());
        let begun: Vec<_> = (0..1000).filter_map(|_| attempts.begin_at(now, Act::Login, "ada", from(1)).ok()).collect();
        assert_eq!(begun.len(), 10);
    }

    #[test]
    fn an_address_that_tries_many_accounts_waits_and_others_do_not() {
        let (attempts, now) = (Attempts::new(LIMITS, None), Instant::now());
        let tried = (0..1000).take_while(|n| attempts.begin_at(now, Act::Login, &format!("person {n}"), from(1)).is_ok()).count();
        assert_eq!(tried, 100);
        assert!(attempts.begin_at(now, Act::Login, "person 1", from(2)).is_ok());
        let loopback = (IpAddr::from([127, 0, 0, 1]), false);
        assert!((0..1000).all(|n| attempts.begin_at(now, Act::Login, &format!("person {n}"), loopback).is_ok()), "loopback is exempt");
    }

    #[test]
    fn an_account_under_attack_from_everywhere_is_open_to_its_own() {
        let (attempts, now) = (Attempts::new(LIMITS, None), Instant::now());
        for n in 0..100 {
            drop(attempts.begin_at(now, Act::Login, "ada", from(n)).expect("each stranger's first"));
        }
        let (stranger, home) = (from(5000), (from(5000).0, true));
        assert_eq!(attempts.begin_at(now, Act::Login, "ada", stranger).err(), Some(wait(30, true)));
        let (count, waits) = fails(&attempts, now, "ada", home);
        assert_eq!((count, waits.strangers_only), (10, false), "at home there are a few tries still, and not more");
        assert!(attempts.begin_at(now, Act::Login, "bob", stranger).is_ok());
        assert!(attempts.begin_at(now, Act::Forgot, "ada", stranger).is_ok(), "a new password can be had all the same");
    }

    #[test]
    fn counts_are_bounded() {
        let (attempts, now) = (Attempts::new(LIMITS, None), Instant::now());
        for n in 0..2 * COUNTS_MAX as u32 {
            drop(attempts.begin_at(now, Act::Login, &format!("{n}"), (IpAddr::from(n.to_be_bytes()), false)));
        }
        assert!(attempts.counts.lock().len() <= COUNTS_MAX);
    }
}
