//! How many requests one caller may make: a rate and a burst for each class of routes.
//!
//! A request counts against one caller: the person whose session it carries, on routes that look at sessions; the client's address otherwise, that
//! is also where a session is not known to be open. [`Limiter::check`] decides at once by what this edge knows; what others of a cluster let through it
//! learns behind that: see [`exchange`].
//!
//! The counts are those of the generic cell rate algorithm (GCRA), one number per caller and class, in a sharded map of bounded size. A caller
//! who is dropped from it for want of room has a full burst again: what an attacker with very many addresses gains by that is no more than what
//! each new address has anyhow.

pub mod exchange;

use crate::address::Network;
use actors::count::Counts;
use exchange::Exchange;
use http::{HeaderMap, HeaderValue, header};
use protocol::UserId;
use quick_cache::sync::Cache;
use std::{
    convert::Infallible,
    fmt,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc,
        atomic::{AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// What limits a route's requests. It belongs to the route's row.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Class {
    /// Reads.
    Read,
    /// Whatever changes something.
    Write,
    /// Searches: reads that cost more.
    Search,
    /// What a guesser of passwords or a maker of accounts would repeat.
    SignIn,
}

impl Class {
    /// Every class.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Search, Self::SignIn];

    /// The name in headers and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Search => "search",
            Self::SignIn => "sign-in",
        }
    }
}

/// Who makes requests.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Caller {
    /// Whoever has this person's session.
    Person(UserId),
    /// Whoever is at this address.
    Address(Network),
}

impl Caller {
    /// The caller at an address. On the machine itself there are the platform's own tools and proxies, not callers: none is counted.
    #[must_use]
    pub fn at(address: IpAddr) -> Option<Self> {
        (!address.to_canonical().is_loopback()).then(|| Self::Address(crate::address::counted(address)))
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Person(user) => write!(f, "person {user}"),
            Self::Address(network) => write!(f, "address {network}"),
        }
    }
}

/// The limit of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Pace {
    /// Time that gives one request back.
    pub every: Duration,
    /// Requests that may come at once.
    pub burst: NonZeroU32,
}

/// The limits of every class.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    /// Of [`Class::Read`]; `None` is no limit, as below.
    pub read: Option<Pace>,
    /// Of [`Class::Write`].
    pub write: Option<Pace>,
    /// Of [`Class::Search`].
    pub search: Option<Pace>,
    /// Of [`Class::SignIn`].
    pub sign_in: Option<Pace>,
    /// Callers and classes that are remembered at once, about 140 bytes each.
    pub tracked_max: usize,
}

impl Limits {
    fn of(&self, class: Class) -> Option<Pace> {
        match class {
            Class::Read => self.read,
            Class::Write => self.write,
            Class::Search => self.search,
            Class::SignIn => self.sign_in,
        }
    }
}

/// A request beyond its limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Exceeded {
    class: Class,
    pace: Pace,
    wait: Duration,
}

impl Exceeded {
    /// The class whose limit it is.
    #[must_use]
    pub const fn class(&self) -> Class {
        self.class
    }

    /// When one more request would be let through, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after_s(&self) -> u64 {
        whole_seconds(self.wait)
    }

    /// Says it to the client: `Retry-After`, and the limit as the IETF's draft has it (draft-ietf-httpapi-ratelimit-headers-10): `q` requests
    /// in `w` seconds, of which `r` are left, and one is given back after `t` seconds.
    pub fn announce(&self, headers: &mut HeaderMap) {
        let (name, burst) = (self.class.name(), self.pace.burst);
        let window_s = whole_seconds(self.pace.every.saturating_mul(burst.get()));
        let said = [
            (header::RETRY_AFTER, self.retry_after_s().to_string()),
            (header::HeaderName::from_static("ratelimit-policy"), format!("\"{name}\";q={burst};w={window_s}")),
            (header::HeaderName::from_static("ratelimit"), format!("\"{name}\";r=0;t={}", self.retry_after_s())),
        ];
        for (header, text) in said {
            if let Ok(value) = HeaderValue::try_from(text) {
                headers.insert(header, value);
            }
        }
    }
}

/// Rounded up, so that whoever waits for so long does not come too early.
fn whole_seconds(duration: Duration) -> u64 {
    duration.as_millis().div_ceil(1000).max(1) as u64
}

/// Counts callers' requests. Checking one costs about 0.1 µs.
pub struct Limiter {
    /// In the order of [`Class::ALL`], which is that of their discriminants.
    buckets: [Option<Bucket>; Class::ALL.len()],
    spendings: Cache<(Class, Caller), Arc<Spending>>,
    /// The beginning of its own time, which it counts in nanoseconds.
    started: Instant,
    /// Where there is something that edges share.
    exchange: Option<Exchange>,
}

/// The limit of a class, in nanoseconds.
#[derive(Clone, Copy)]
struct Bucket {
    pace: Pace,
    /// What one request spends: the time that gives it back.
    cost: u64,
    /// What may be spent and not given back.
    room: u64,
}

/// What one caller spent in one class.
#[derive(Default)]
struct Spending {
    /// When everything is given back that is known of: what this edge let through, and what it learned of others.
    paid: AtomicU64,
    /// The same of what others need not be told of.
    share_paid: AtomicU64,
    /// Requests that others have to be told of.
    untold: AtomicU32,
}

/// Spends `cost`, unless less than that is left of `room`: then it answers after what time it would not be.
fn spend(paid: &AtomicU64, now: u64, cost: u64, room: u64) -> Result<(), u64> {
    let mut known = paid.load(Ordering::Relaxed);
    loop {
        let next = known.max(now).saturating_add(cost);
        let due = next.saturating_sub(room);
        if due > now {
            return Err(due - now);
        }
        match paid.compare_exchange_weak(known, next, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(other) => known = other,
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

impl Limiter {
    /// Makes a limiter that remembers nobody yet. Where there are `counts`, it shares with other edges: see [`exchange`].
    #[must_use]
    pub fn new(limits: &Limits, counts: Option<Counts>) -> Self {
        let bucket = |class: Class| {
            let pace = limits.of(class)?;
            let bucket = Bucket { pace, cost: nanos(pace.every), room: nanos(pace.every.saturating_mul(pace.burst.get())) };
            // A rate beyond what a period can express is no limit.
            (bucket.cost > 0).then_some(bucket)
        };
        Self {
            buckets: Class::ALL.map(bucket),
            spendings: Cache::new(limits.tracked_max),
            started: Instant::now(),
            exchange: counts.map(Exchange::new),
        }
    }

    /// Callers and classes that are remembered now.
    #[must_use]
    pub fn tracked(&self) -> usize {
        self.spendings.len()
    }

    /// Counts one request of `caller`, which came at `now`.
    ///
    /// # Errors
    /// [`Exceeded`]: it is over the limit, and is not counted.
    pub fn check(&self, now: Instant, class: Class, caller: Caller) -> Result<(), Exceeded> {
        let Some(bucket) = self.buckets[class as usize] else { return Ok(()) };
        let now = self.time(now);
        let made = self.spendings.get_or_insert_with(&(class, caller), || Ok::<_, Infallible>(Arc::default()));
        let spending = match made {
            Ok(spending) => spending,
            Err(never) => match never {},
        };
        spend(&spending.paid, now, bucket.cost, bucket.room).map_err(|wait| Exceeded {
            class,
            pace: bucket.pace,
            wait: Duration::from_nanos(wait),
        })?;
        if let Some(exchange) = &self.exchange {
            exchange.note(now, bucket, (class, caller), &spending);
        }
        Ok(())
    }

    /// The limiter's own time, in nanoseconds.
    fn time(&self, at: Instant) -> u64 {
        nanos(at.saturating_duration_since(self.started))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVE: Caller = Caller::Person(UserId(uuid::Uuid::from_u128(1)));

    fn pace(per_second: u32, burst: u32) -> Option<Pace> {
        Some(Pace { every: Duration::from_secs(1) / per_second, burst: NonZeroU32::new(burst).expect("some") })
    }

    fn limiter(tracked_max: usize) -> (Limiter, Instant) {
        let limits = Limits { read: pace(100, 300), write: pace(10, 20), search: None, sign_in: pace(1, 5), tracked_max };
        let limiter = Limiter::new(&limits, None);
        let now = limiter.started;
        (limiter, now)
    }

    fn let_through(limiter: &Limiter, now: Instant, class: Class, caller: Caller) -> usize {
        (0..10_000).take_while(|_| limiter.check(now, class, caller).is_ok()).count()
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let (limiter, mut now) = limiter(100);
        assert_eq!(let_through(&limiter, now, Class::Read, EVE), 300);
        now += Duration::from_millis(500);
        assert_eq!(let_through(&limiter, now, Class::Read, EVE), 50);
        now += Duration::from_secs(3600);
        assert_eq!(let_through(&limiter, now, Class::Read, EVE), 300, "no more than the burst is saved up");
    }

    #[test]
    fn callers_and_classes_are_counted_apart() {
        let (limiter, now) = limiter(100);
        let at = |text: &str| Caller::at(text.parse().expect("an address")).expect("counted");
        assert_eq!(let_through(&limiter, now, Class::Write, EVE), 20);
        assert_eq!(let_through(&limiter, now, Class::SignIn, EVE), 5);
        assert_eq!(let_through(&limiter, now, Class::Write, at("203.0.113.9")), 20);
        assert_eq!(let_through(&limiter, now, Class::Write, at("203.0.113.10")), 20);
        // One customer of a provider has a whole /64.
        assert_eq!(let_through(&limiter, now, Class::Write, at("2001:db8:1:2::1")), 20);
        assert_eq!(let_through(&limiter, now, Class::Write, at("2001:db8:1:2:3::1")), 0);
        assert_eq!(let_through(&limiter, now, Class::Search, EVE), 10_000, "no limit");
    }

    #[test]
    fn the_machine_itself_is_no_caller() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(Caller::at(address.parse().expect("an address")), None, "{address}");
        }
    }

    #[test]
    fn who_waits_as_told_is_let_through() {
        let (limiter, mut now) = limiter(100);
        assert_eq!(let_through(&limiter, now, Class::SignIn, EVE), 5);
        let exceeded = limiter.check(now, Class::SignIn, EVE).expect_err("over the limit");
        let mut headers = HeaderMap::new();
        exceeded.announce(&mut headers);
        assert_eq!(headers["retry-after"], "1");
        assert_eq!(headers["ratelimit-policy"], "\"sign-in\";q=5;w=5");
        assert_eq!(headers["ratelimit"], "\"sign-in\";r=0;t=1");
        now += Duration::from_secs(exceeded.retry_after_s());
        assert_eq!(limiter.check(now, Class::SignIn, EVE), Ok(()));
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_than_the_bound() {
        let (limiter, now) = limiter(1000);
        for number in 0..1_000_000_u32 {
            let address = IpAddr::from(number.wrapping_mul(2_654_435_761).to_be_bytes());
            if let Some(caller) = Caller::at(address) {
                let _ = limiter.check(now, Class::Read, caller);
            }
        }
        assert!((500..=1000).contains(&limiter.tracked()), "{}", limiter.tracked());
    }
}
