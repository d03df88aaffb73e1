//! The deadlines and bounds of a server, in one place.

use std::time::Duration;

/// Bounds one server: every deadline, size and count that a stranger can run into.
///
/// Deadlines on a connection (`handshake_max`, `head_max`, `idle_max`, `send`, `linger_max`) are noticed by a sweep, so they end a
/// connection at the limit or up to [`Limits::sweep_every`] later, twice that at worst.
#[derive(Clone, Debug)]
pub struct Limits {
    /// From accept until the TLS handshake is done; beyond it the connection is closed.
    pub handshake_max: Duration,
    /// From accept, or from a request's first byte, until its head is complete; beyond it the connection is closed.
    pub head_max: Duration,
    /// Size of a request's head in bytes; a larger one is answered 431 and the connection is closed.
    pub head_bytes_max: usize,
    /// Between two requests of one connection; beyond it the connection is closed, over HTTP/2 with GOAWAY.
    pub idle_max: Duration,
    /// From a request's head until its response's head, unless the service grants that request another limit
    /// ([`Answer::Later`](super::Answer::Later)); beyond it the client gets [`Fault::Overdue`](super::Fault::Overdue)'s response.
    pub request_max: Duration,
    /// How slowly a client may take a response; a slower one is disconnected. A response that waits for its source (server-sent
    /// events) is not slow.
    pub send: Rate,
    /// The bounds of request bodies for which the service sets no others.
    pub body: BodyLimits,
    /// How long input is discarded after a response that was sent before the request's body had ended.
    pub linger_max: Duration,
    /// How many bytes of input are discarded then.
    pub linger_bytes_max: u64,
    /// For how many clients at once; one more is cut off without waiting, and may see a reset instead of its response.
    pub lingering_max: usize,
    /// For so long after the shutdown signal all goes on but that each HTTP/1 answer says `connection: close`: load balancers learn to go elsewhere, and
    /// clients go between two requests.
    pub farewell: Duration,
    /// From then on until the connections that still work are aborted.
    pub drain_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake_max: Duration::from_secs(5),
            head_max: Duration::from_secs(5),
            head_bytes_max: 16 * 1024,
            // Longer than the 60 s for which common load balancers keep their side open, so that they close first: a request sent
            // into a connection that we just closed is an error for its client.
            idle_max: Duration::from_secs(75),
            request_max: Duration::from_secs(30),
            // Who reads at all takes the next piece within this; a stall of five seconds is a client that does not read.
            send: Rate { bytes_per_second_min: 1024, grace: Duration::from_secs(5) },
            body: BodyLimits::default(),
            linger_max: Duration::from_secs(5),
            linger_bytes_max: 64 * 1024 * 1024,
            lingering_max: 256,
            farewell: Duration::ZERO,
            drain_max: Duration::from_secs(10),
        }
    }
}

impl Limits {
    /// Says how often connections are looked at: an eighth of the shortest deadline, within 5 to 250 ms.
    pub fn sweep_every(&self) -> Duration {
        let shortest = [self.handshake_max, self.head_max, self.idle_max, self.send.grace, self.linger_max]
            .into_iter()
            .fold(Duration::MAX, Duration::min);
        (shortest / 8).clamp(Duration::from_millis(5), Duration::from_millis(250))
    }
}

/// Bounds one request's body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLimits {
    /// Bytes of the body without its framing; a body that declares more is refused before it is read.
    pub bytes_max: u64,
    /// How slowly the body may arrive, counted only while the service waits for it.
    pub rate: Rate,
    /// From the first byte that the service waits for until the body's end.
    pub total_max: Duration,
}

impl Default for BodyLimits {
    fn default() -> Self {
        Self {
            bytes_max: 1024 * 1024,
            rate: Rate { bytes_per_second_min: 1024, grace: Duration::from_secs(5) },
            total_max: Duration::from_secs(30),
        }
    }
}

/// A slowest tolerated rate: who is waited for longer than `grace` in all, each received byte buying time back at the rate, is
/// too slow. So a peer that stalls is cut off after `grace`, and one that trickles below the rate soon after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// Bytes per second; 0 counts as 1.
    pub bytes_per_second_min: u32,
    /// Time that may be lost before the rate counts.
    pub grace: Duration,
}

/// The time that a peer may still make us wait under a [`Rate`].
#[derive(Debug)]
pub(super) struct Credit {
    rate: Rate,
    left: Duration,
}

impl Credit {
    pub(super) fn new(rate: Rate) -> Self {
        Self { rate, left: rate.grace }
    }

    pub(super) fn left(&self) -> Duration {
        self.left
    }

    pub(super) fn is_spent(&self) -> bool {
        self.left.is_zero()
    }

    pub(super) fn spend(&mut self, waited: Duration) {
        self.left = self.left.saturating_sub(waited);
    }

    pub(super) fn earn(&mut self, bytes: u64) {
        let nanos = bytes.saturating_mul(1_000_000_000) / u64::from(self.rate.bytes_per_second_min.max(1));
        self.left = self.left.saturating_add(Duration::from_nanos(nanos)).min(self.rate.grace);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: Rate = Rate { bytes_per_second_min: 1000, grace: Duration::from_secs(2) };

    /// Feeds `bytes` each `every` until the credit is spent, for at most 1000 rounds.
    fn survives_rounds(bytes: u64, every: Duration) -> usize {
        let mut credit = Credit::new(RATE);
        (0..1000)
            .take_while(|_| {
                credit.spend(every);
                let alive = !credit.is_spent();
                credit.earn(bytes);
                alive
            })
            .count()
    }

    #[test]
    fn a_stall_ends_after_the_grace() {
        assert_eq!(survives_rounds(0, Duration::from_millis(100)), 19);
    }

    #[test]
    fn a_peer_at_the_rate_survives_and_one_below_does_not() {
        assert_eq!(survives_rounds(100, Duration::from_millis(100)), 1000);
        assert!(survives_rounds(90, Duration::from_millis(100)) < 250);
    }

    #[test]
    fn a_burst_buys_no_more_than_the_grace() {
        let mut credit = Credit::new(RATE);
        credit.earn(u64::MAX);
        assert_eq!(credit.left(), RATE.grace);
    }

    #[test]
    fn the_sweep_keeps_up_with_the_shortest_deadline() {
        let mut limits = Limits::default();
        assert_eq!(limits.sweep_every(), Duration::from_millis(250));
        limits.head_max = Duration::from_millis(80);
        assert_eq!(limits.sweep_every(), Duration::from_millis(10));
        limits.idle_max = Duration::ZERO;
        assert_eq!(limits.sweep_every(), Duration::from_millis(5));
    }
}
