//! How a flood's requests ended, and after what time each.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

use crate::report::{self, Stamp};

/// Times up to a minute are kept with three digits; longer ones count as a minute.
const TIME_US_MAX: u64 = 60_000_000;

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Answered 2xx or 3xx.
    Answered,
    /// Answered 429 or 503, and told when to come again.
    Refused,
    /// Answered 429 or 503 without a word of when to come again.
    RefusedWithoutWord,
    /// Answered otherwise.
    Failed,
    /// The connection broke or the deadline passed.
    Unanswered,
    /// No connection was free: the driver's own limit.
    NotSent,
}

impl Ending {
    /// By the answer's status, and whether it has a `Retry-After`.
    pub fn of(status: u16, says_when: impl FnOnce() -> bool) -> Self {
        match status {
            200..=399 => Self::Answered,
            429 | 503 => {
                if says_when() {
                    Self::Refused
                } else {
                    Self::RefusedWithoutWord
                }
            }
            _ => Self::Failed,
        }
    }
}

/// What was counted.
#[derive(Clone, Debug)]
pub struct Tally {
    counts: [u64; 6],
    /// Answered while requests were still sent: what goodput is reckoned from.
    answered_in_time: Option<u64>,
    answered_us: Histogram<u64>,
    refused_us: Histogram<u64>,
    own_delay_us: Histogram<u64>,
    /// How often all were sent at once.
    pub waves: u64,
}

impl Default for Tally {
    fn default() -> Self {
        let histogram = || Histogram::new_with_bounds(1, TIME_US_MAX, 3).expect("the bounds are sound");
        let (answered_us, refused_us, own_delay_us) = (histogram(), histogram(), histogram());
        Self { counts: [0; 6], answered_in_time: None, answered_us, refused_us, own_delay_us, waves: 0 }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Tally {
    /// Records the end of a request, and the time since it was sent.
    pub fn record(&mut self, ending: Ending, time: Duration) {
        self.counts[ending as usize] += 1;
        match ending {
            Ending::Answered => self.answered_us.saturating_record(micros(time)),
            Ending::Refused | Ending::RefusedWithoutWord => self.refused_us.saturating_record(micros(time)),
            Ending::Failed | Ending::Unanswered | Ending::NotSent => {}
        }
    }

    /// Records how late the driver itself was.
    pub fn own_delay(&mut self, late: Duration) {
        self.own_delay_us.saturating_record(micros(late));
    }

    /// Nothing more is sent: what is answered from now on is no goodput of the time that was measured.
    pub fn close_interval(&mut self) {
        self.answered_in_time = Some(self.of(Ending::Answered));
    }

    fn of(&self, ending: Ending) -> u64 {
        self.counts[ending as usize]
    }
}

/// Percentiles in µs.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Times {
    pub p50_us: u64,
    pub p99_us: u64,
    pub max_us: u64,
}

impl Times {
    fn of(histogram: &Histogram<u64>) -> Self {
        let at = |percentile| histogram.value_at_percentile(percentile);
        Self { p50_us: at(50.0), p99_us: at(99.0), max_us: histogram.max() }
    }
}

/// The result of a flood.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Where and when.
    pub stamp: Stamp,
    /// Requests that were sent.
    pub sent: u64,
    /// Those that were due while no connection was free.
    pub not_sent: u64,
    /// Answered 2xx or 3xx.
    pub answered: u64,
    /// Answered 429 or 503.
    pub refused: u64,
    /// Of these, those without `Retry-After`.
    pub refused_without_word: u64,
    /// Answered otherwise.
    pub failed: u64,
    /// Not answered.
    pub unanswered: u64,
    /// Sent per second.
    pub sent_per_s: f64,
    /// Answered 2xx or 3xx per second, while requests were sent.
    pub goodput_per_s: f64,
    /// From sent to the answer's end.
    pub answered_times: Times,
    /// From sent to the refusal's end.
    pub refused_times: Times,
    /// How late the driver's own timer was: what of those times may be its own.
    pub own_delay: Times,
    /// The share of a processor that the driver took.
    pub busy_share: f64,
    /// How often all were sent at once; 0 at a rate.
    pub waves: u64,
}

impl Summary {
    /// Sums up a tally of so long a time of sending.
    pub fn new(stamp: Stamp, tally: &Tally, took: Duration, busy_share: f64) -> Self {
        let refused_without_word = tally.of(Ending::RefusedWithoutWord);
        let (answered, refused) = (tally.of(Ending::Answered), tally.of(Ending::Refused) + refused_without_word);
        let sent = tally.counts.iter().sum::<u64>() - tally.of(Ending::NotSent);
        Self {
            stamp,
            sent,
            not_sent: tally.of(Ending::NotSent),
            answered,
            refused,
            refused_without_word,
            failed: tally.of(Ending::Failed),
            unanswered: tally.of(Ending::Unanswered),
            sent_per_s: sent as f64 / took.as_secs_f64(),
            goodput_per_s: tally.answered_in_time.unwrap_or(answered) as f64 / took.as_secs_f64(),
            answered_times: Times::of(&tally.answered_us),
            refused_times: Times::of(&tally.refused_us),
            own_delay: Times::of(&tally.own_delay_us),
            busy_share,
            waves: tally.waves,
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |us: u64| report::show_us(us as f64);
        let row = |name: &str, count: u64, times: Times| {
            vec![name.to_owned(), count.to_string(), shown(times.p50_us), shown(times.p99_us), shown(times.max_us)]
        };
        let rows = [row("answered", self.answered, self.answered_times), row("refused", self.refused, self.refused_times)];
        writeln!(f, "{:.0} requests/s sent, {:.0}/s answered while they were", self.sent_per_s, self.goodput_per_s)?;
        write!(f, "{}", report::table(&["from when it was sent", "requests", "p50", "p99", "max"], &rows))?;
        writeln!(
            f,
            "{} refused without Retry-After, {} failed, {} unanswered, {} not sent for want of a connection",
            self.refused_without_word, self.failed, self.unanswered, self.not_sent
        )?;
        writeln!(f, "the driver: {:.0} % of a processor, late by {} (p99)", self.busy_share * 100.0, shown(self.own_delay.p99_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endings_are_told_apart() {
        assert_eq!(Ending::of(204, || false), Ending::Answered);
        assert_eq!(Ending::of(503, || true), Ending::Refused);
        assert_eq!(Ending::of(429, || false), Ending::RefusedWithoutWord);
        assert_eq!(Ending::of(500, || true), Ending::Failed);
    }

    #[test]
    fn what_is_answered_late_is_no_goodput() {
        let mut tally = Tally::default();
        let ms = Duration::from_millis;
        tally.record(Ending::Answered, ms(10));
        tally.record(Ending::Refused, ms(2));
        tally.record(Ending::RefusedWithoutWord, ms(4));
        tally.record(Ending::NotSent, Duration::ZERO);
        tally.close_interval();
        tally.record(Ending::Answered, ms(900));
        let summary = Summary::new(Stamp::now(), &tally, Duration::from_secs(2), 0.5);
        assert_eq!((summary.sent, summary.not_sent, summary.answered, summary.refused), (4, 1, 2, 2));
        assert_eq!((summary.sent_per_s, summary.goodput_per_s, summary.refused_without_word), (2.0, 0.5, 1));
        // A refusal's time is not mixed with those of answers.
        assert!((3_990..4_010).contains(&summary.refused_times.max_us), "{summary}");
    }
}
