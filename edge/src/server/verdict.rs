//! Judges a connection by two looks at its counters: pure, so that every deadline is tested without a socket.

use std::time::{Duration, Instant};

use super::limits::{Credit, Limits};
use super::vitals::{Order, Sample, Stage};

/// How long a connection that has sent nothing yet may still do so once the server drains: its first request may be on its way, as
/// the client knows nothing of the drain.
const FRESH_MAX: Duration = Duration::from_millis(250);

/// Why a connection was ended by the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// The TLS handshake took too long.
    Handshake,
    /// A request's head took too long.
    Head,
    /// No request came.
    Idle,
    /// The client took its response too slowly.
    SlowReader,
    /// The client went on sending after a response that ended the connection.
    Linger,
    /// The server's drain deadline passed.
    Drain,
}

impl Reason {
    /// All reasons, in the order of their discriminants.
    pub const ALL: [Self; 6] = [Self::Handshake, Self::Head, Self::Idle, Self::SlowReader, Self::Linger, Self::Drain];

    /// Gives the reason as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Handshake => "handshake",
            Self::Head => "head",
            Self::Idle => "idle",
            Self::SlowReader => "slow_reader",
            Self::Linger => "linger",
            Self::Drain => "drain",
        }
    }
}

/// What to do with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) order: Order,
    pub(super) reason: Reason,
}

impl Verdict {
    fn close(reason: Reason) -> Option<Self> {
        Some(Self { order: Order::Close, reason })
    }
}

/// What a connection is waiting for, or whether it is being waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Handshake,
    Head,
    Idle,
    Busy,
    Lingering,
}

/// What is remembered of a connection between two looks.
#[derive(Debug)]
pub(super) struct Track {
    phase: Phase,
    since: Instant,
    looked_at: Instant,
    requests: u64,
    written_bytes: u64,
    send_credit: Credit,
}

impl Track {
    pub(super) fn new(stage: Stage, now: Instant, limits: &Limits) -> Self {
        Self {
            phase: match stage {
                Stage::Handshake => Phase::Handshake,
                _ => Phase::Head,
            },
            since: now,
            looked_at: now,
            requests: 0,
            written_bytes: 0,
            send_credit: Credit::new(limits.send),
        }
    }

    /// Looks at a connection once more.
    pub(super) fn judge(&mut self, sample: Sample, now: Instant, limits: &Limits, drain_began: Option<Instant>) -> Option<Verdict> {
        let elapsed = now.saturating_duration_since(self.looked_at);
        self.looked_at = now;
        let phase = phase_of(sample);
        if phase != self.phase || sample.requests != self.requests {
            self.phase = phase;
            self.requests = sample.requests;
            self.since = now;
        }
        if self.takes_too_slowly(sample, elapsed) {
            return Verdict::close(Reason::SlowReader);
        }
        let quiet = now.saturating_duration_since(self.since);
        if sample.requests == 0
            && !sample.is_head_begun
            && drain_began.is_some_and(|began| now.saturating_duration_since(began.max(self.since)) >= FRESH_MAX)
        {
            return Verdict::close(Reason::Drain);
        }
        match phase {
            Phase::Busy => None,
            Phase::Handshake if quiet >= limits.handshake_max => Verdict::close(Reason::Handshake),
            Phase::Head if quiet >= limits.head_max => Verdict::close(Reason::Head),
            Phase::Lingering if quiet >= limits.linger_max => Verdict::close(Reason::Linger),
            Phase::Idle if quiet >= limits.idle_max && sample.order == Order::Stay => {
                Some(Verdict { order: Order::Leave, reason: Reason::Idle })
            }
            Phase::Handshake | Phase::Head | Phase::Lingering | Phase::Idle => None,
        }
    }

    /// Whether output has waited for the client for longer than the rate allows.
    ///
    /// Over HTTP/2 the last of a response may wait inside the protocol's own queue, where we do not see it; what we see is a
    /// connection that was told to leave and does not.
    fn takes_too_slowly(&mut self, sample: Sample, elapsed: Duration) -> bool {
        let is_owed_output = sample.is_write_blocked || (sample.stage == Stage::Http2 && sample.order == Order::Leave && !sample.is_active);
        self.send_credit.earn(sample.written_bytes.saturating_sub(self.written_bytes));
        self.written_bytes = sample.written_bytes;
        if is_owed_output {
            self.send_credit.spend(elapsed);
        }
        is_owed_output && self.send_credit.is_spent()
    }
}

fn phase_of(sample: Sample) -> Phase {
    match sample.stage {
        Stage::Handshake => Phase::Handshake,
        Stage::Lingering => Phase::Lingering,
        Stage::Detached => Phase::Busy,
        Stage::Http1 | Stage::Http2 if sample.is_active || sample.is_write_blocked => Phase::Busy,
        Stage::Http1 if sample.is_head_begun || sample.requests == 0 => Phase::Head,
        Stage::Http1 | Stage::Http2 => Phase::Idle,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::limits::Rate;

    fn limits() -> Limits {
        Limits {
            handshake_max: Duration::from_secs(3),
            head_max: Duration::from_secs(5),
            idle_max: Duration::from_secs(60),
            linger_max: Duration::from_secs(4),
            send: Rate { bytes_per_second_min: 1000, grace: Duration::from_secs(10) },
            ..Limits::default()
        }
    }

    const QUIET: Sample = Sample {
        stage: Stage::Http1,
        order: Order::Stay,
        requests: 0,
        is_active: false,
        is_head_begun: false,
        written_bytes: 0,
        is_write_blocked: false,
    };

    /// Looks at a connection once a second, second by second as `sample_at` has it, and tells when it was judged and how.
    fn judged(stage: Stage, sample_at: impl Fn(u64) -> Sample) -> Option<(u64, Order, Reason)> {
        judged_while_draining(stage, None, sample_at)
    }

    fn judged_while_draining(stage: Stage, drain_second: Option<u64>, sample_at: impl Fn(u64) -> Sample) -> Option<(u64, Order, Reason)> {
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let limits = limits();
        let mut track = Track::new(stage, start, &limits);
        (1..1000).find_map(|second| {
            let drain_began = drain_second.filter(|began| *began <= second).map(at);
            let verdict = track.judge(sample_at(second), at(second), &limits, drain_began)?;
            Some((second, verdict.order, verdict.reason))
        })
    }

    #[test]
    fn silence_and_half_a_head_end_at_the_head_limit_counted_from_accept() {
        let closed = Some((5, Order::Close, Reason::Head));
        assert_eq!(judged(Stage::Http1, |_| QUIET), closed);
        let dribbling = |second| Sample { is_head_begun: second >= 3, ..QUIET };
        assert_eq!(judged(Stage::Http1, dribbling), closed);
    }

    #[test]
    fn a_handshake_has_its_own_limit_and_the_head_counts_from_its_end() {
        let stuck = Sample { stage: Stage::Handshake, ..QUIET };
        assert_eq!(judged(Stage::Handshake, |_| stuck), Some((3, Order::Close, Reason::Handshake)));
        let done_at_2 = |second| if second < 2 { stuck } else { QUIET };
        assert_eq!(judged(Stage::Handshake, done_at_2), Some((7, Order::Close, Reason::Head)));
    }

    #[test]
    fn an_idle_connection_is_asked_to_leave_and_each_request_starts_the_count_anew() {
        let served = |second| Sample { requests: if second < 20 { 1 } else { 2 }, ..QUIET };
        assert_eq!(judged(Stage::Http1, served), Some((80, Order::Leave, Reason::Idle)));
    }

    #[test]
    fn a_later_head_that_stays_half_ends_at_the_head_limit() {
        let half = |second| Sample { requests: 1, is_head_begun: second >= 30, ..QUIET };
        assert_eq!(judged(Stage::Http1, half), Some((35, Order::Close, Reason::Head)));
    }

    #[test]
    fn work_in_progress_is_never_idle() {
        let working = Sample { requests: 1, is_active: true, is_head_begun: true, ..QUIET };
        assert_eq!(judged(Stage::Http1, |_| working), None);
        let upgraded = Sample { stage: Stage::Detached, requests: 1, ..QUIET };
        assert_eq!(judged(Stage::Http1, |_| upgraded), None);
    }

    #[test]
    fn pings_on_a_quiet_http2_connection_are_not_a_head() {
        let pinging = Sample { stage: Stage::Http2, is_head_begun: true, ..QUIET };
        // Its first look finds HTTP/2 where a head was expected, so the count begins then.
        assert_eq!(judged(Stage::Http1, |_| pinging), Some((61, Order::Leave, Reason::Idle)));
    }

    #[test]
    fn a_reader_below_the_rate_is_cut_off_and_one_above_is_not() {
        let reading = |bytes_per_second| {
            move |second| Sample { requests: 1, is_active: true, is_write_blocked: true, written_bytes: second * bytes_per_second, ..QUIET }
        };
        assert_eq!(judged(Stage::Http1, reading(0)), Some((10, Order::Close, Reason::SlowReader)));
        assert_eq!(judged(Stage::Http1, reading(500)).map(|(at, ..)| at), Some(19));
        assert_eq!(judged(Stage::Http1, reading(1100)), None);
    }

    #[test]
    fn an_http2_client_that_neither_takes_its_response_nor_leaves_is_cut_off() {
        let leaving =
            |second| Sample { stage: Stage::Http2, order: if second < 5 { Order::Stay } else { Order::Leave }, requests: 1, ..QUIET };
        assert_eq!(judged(Stage::Http2, leaving), Some((14, Order::Close, Reason::SlowReader)));
    }

    #[test]
    fn lingering_ends() {
        let lingering = Sample { stage: Stage::Lingering, requests: 1, is_head_begun: true, ..QUIET };
        assert_eq!(judged(Stage::Http1, |_| lingering), Some((5, Order::Close, Reason::Linger)));
    }

    #[test]
    fn draining_closes_only_what_has_not_begun_to_ask() {
        let fresh = judged_while_draining(Stage::Http1, Some(2), |_| QUIET);
        assert_eq!(fresh, Some((3, Order::Close, Reason::Drain)));
        let asking = Sample { is_head_begun: true, ..QUIET };
        let asking = judged_while_draining(Stage::Http1, Some(2), |_| asking);
        assert_eq!(asking, Some((5, Order::Close, Reason::Head)));
    }
}
