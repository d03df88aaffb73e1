//! How many requests one caller may make: a rate and a burst for each class of routes.
//!
//! A request counts against one caller: the person whose session it carries, on routes that look at sessions; the client's address otherwise, that
//! is also where a session is not known to be open. The decision is [`Limiter::check`] alone, so that a cluster may one day share its counts.
//!
//! The counts are those of the generic cell rate algorithm (GCRA), one number per caller and class, in a sharded map of bounded size. A caller
//! who is dropped from it for want of room has a full burst again: what an attacker with very many addresses gains by that is no more than what
//! each new address has anyhow.

use crate::address::Network;
use governor::{
    NotUntil, Quota, RateLimiter,
    clock::{Clock, MonotonicClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use http::{HeaderMap, HeaderValue, header};
use protocol::UserId;
use quick_cache::sync::Cache;
use std::{convert::Infallible, net::IpAddr, num::NonZeroU32, sync::Arc, time::Duration};

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
    /// Callers and classes that are remembered at once, about 120 bytes each.
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
pub struct Limiter<C: Clock = MonotonicClock> {
    /// In the order of [`Class::ALL`], which is that of their discriminants.
    classes: [Option<Counting<C>>; Class::ALL.len()],
    states: Arc<States>,
    clock: C,
}

type States = Cache<(Class, Caller), Arc<InMemoryState>>;

struct Counting<C: Clock> {
    pace: Pace,
    limiter: RateLimiter<Caller, Counts, C, NoOpMiddleware<C::Instant>>,
}

impl Limiter {
    /// Makes a limiter that remembers nobody yet.
    #[must_use]
    pub fn new(limits: &Limits) -> Self {
        Self::with_clock(limits, MonotonicClock)
    }
}

impl<C: Clock + Clone> Limiter<C> {
    fn with_clock(limits: &Limits, clock: C) -> Self {
        let states = Arc::new(Cache::new(limits.tracked_max));
        let counting = |class: Class| {
            // A rate beyond what a period can express is no limit.
            let pace = limits.of(class)?;
            let quota = Quota::with_period(pace.every)?.allow_burst(pace.burst);
            let counts = Counts { class, states: Arc::clone(&states) };
            Some(Counting { pace, limiter: RateLimiter::new(quota, counts, clock.clone()) })
        };
        Self { classes: Class::ALL.map(counting), states, clock }
    }

    /// Callers and classes that are remembered now.
    #[must_use]
    pub fn tracked(&self) -> usize {
        self.states.len()
    }

    /// Counts one request of `caller`.
    ///
    /// # Errors
    /// [`Exceeded`]: it is over the limit, and is not counted.
    pub fn check(&self, class: Class, caller: Caller) -> Result<(), Exceeded> {
        let Some(Counting { pace, limiter }) = &self.classes[class as usize] else { return Ok(()) };
        let exceeded = |until: NotUntil<C::Instant>| Exceeded { class, pace: *pace, wait: until.wait_time_from(self.clock.now()) };
        limiter.check_key(&caller).map_err(exceeded)
    }
}

/// The counts of one class, in a map that all classes share.
struct Counts {
    class: Class,
    states: Arc<States>,
}

impl StateStore for Counts {
    type Key = Caller;

    fn measure_and_replace<T, F, E>(&self, caller: &Caller, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let made = self.states.get_or_insert_with(&(self.class, *caller), || Ok::<_, Infallible>(Arc::default()));
        match made {
            Ok(state) => state.measure_and_replace(&NotKeyed::NonKey, measure),
            Err(never) => match never {},
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use governor::clock::FakeRelativeClock;

    const EVE: Caller = Caller::Person(UserId(uuid::Uuid::from_u128(1)));

    fn pace(per_second: u32, burst: u32) -> Option<Pace> {
        Some(Pace { every: Duration::from_secs(1) / per_second, burst: NonZeroU32::new(burst).expect("some") })
    }

    fn limiter(tracked_max: usize) -> (Limiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let limits = Limits { read: pace(100, 300), write: pace(10, 20), search: None, sign_in: pace(1, 5), tracked_max };
        (Limiter::with_clock(&limits, clock.clone()), clock)
    }

    fn let_through(limiter: &Limiter<FakeRelativeClock>, class: Class, caller: Caller) -> usize {
        (0..10_000).take_while(|_| limiter.check(class, caller).is_ok()).count()
    }

    #[test]
    fn a_burst_is_let_through_and_then_the_rate() {
        let (limiter, clock) = limiter(100);
        assert_eq!(let_through(&limiter, Class::Read, EVE), 300);
        clock.advance(Duration::from_millis(500));
        assert_eq!(let_through(&limiter, Class::Read, EVE), 50);
        clock.advance(Duration::from_secs(3600));
        assert_eq!(let_through(&limiter, Class::Read, EVE), 300, "no more than the burst is saved up");
    }

    #[test]
    fn callers_and_classes_are_counted_apart() {
        let (limiter, _) = limiter(100);
        let at = |text: &str| Caller::at(text.parse().expect("an address")).expect("counted");
        assert_eq!(let_through(&limiter, Class::Write, EVE), 20);
        assert_eq!(let_through(&limiter, Class::SignIn, EVE), 5);
        assert_eq!(let_through(&limiter, Class::Write, at("203.0.113.9")), 20);
        assert_eq!(let_through(&limiter, Class::Write, at("203.0.113.10")), 20);
        // One customer of a provider has a whole /64.
        assert_eq!(let_through(&limiter, Class::Write, at("2001:db8:1:2::1")), 20);
        assert_eq!(let_through(&limiter, Class::Write, at("2001:db8:1:2:3::1")), 0);
        assert_eq!(let_through(&limiter, Class::Search, EVE), 10_000, "no limit");
    }

    #[test]
    fn the_machine_itself_is_no_caller() {
        for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] {
            assert_eq!(Caller::at(address.parse().expect("an address")), None, "{address}");
        }
    }

    #[test]
    fn who_waits_as_told_is_let_through() {
        let (limiter, clock) = limiter(100);
        assert_eq!(let_through(&limiter, Class::SignIn, EVE), 5);
        let exceeded = limiter.check(Class::SignIn, EVE).expect_err("over the limit");
        let mut headers = HeaderMap::new();
        exceeded.announce(&mut headers);
        assert_eq!(headers["retry-after"], "1");
        assert_eq!(headers["ratelimit-policy"], "\"sign-in\";q=5;w=5");
        assert_eq!(headers["ratelimit"], "\"sign-in\";r=0;t=1");
        clock.advance(Duration::from_secs(exceeded.retry_after_s()));
        assert_eq!(limiter.check(Class::SignIn, EVE), Ok(()));
    }

    #[test]
    fn a_million_addresses_take_no_more_memory_than_the_bound() {
        let (limiter, _) = limiter(1000);
        for number in 0..1_000_000_u32 {
            let address = IpAddr::from(number.wrapping_mul(2_654_435_761).to_be_bytes());
            if let Some(caller) = Caller::at(address) {
                let _ = limiter.check(Class::Read, caller);
            }
        }
        assert!((500..=1000).contains(&limiter.tracked()), "{}", limiter.tracked());
    }
}
