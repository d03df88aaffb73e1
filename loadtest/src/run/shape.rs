//! How many requests are due when: a rate over time, as a sum of pieces in which it changes evenly.

use std::str::FromStr;
use std::time::Duration;

use serde::Serialize;

/// The greatest rate, of any shape, in arrivals per second.
pub const RATE_MAX: f64 = 1e6;
/// The most steps of a staircase.
const STEPS_MAX: usize = 100;

/// A rate over the measured time. During the warm-up it is what it is at the beginning.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Shape {
    /// The same all the time.
    #[serde(rename_all = "camelCase")]
    Constant {
        /// Arrivals per second.
        rate_per_s: f64,
    },
    /// From one rate to another, evenly.
    #[serde(rename_all = "camelCase")]
    Ramp {
        /// Arrivals per second at the beginning.
        from_per_s: f64,
        /// And at the end.
        to_per_s: f64,
    },
    /// One rate after another, each for the same time.
    #[serde(rename_all = "camelCase")]
    Steps {
        /// Arrivals per second, step by step.
        rates_per_s: Vec<f64>,
    },
}

/// A time in which the rate changes evenly from one value to another.
#[derive(Clone, Copy, Debug)]
struct Piece {
    from: f64,
    to: f64,
    seconds: f64,
    /// Of a staircase, which step it is.
    step: Option<usize>,
}

/// When each arrival is due: the n-th at the time at which the rate has summed up to n.
#[derive(Clone, Debug)]
pub struct Curve {
    pieces: Vec<Piece>,
    end: Duration,
}

/// A place on the curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Due {
    /// From the beginning of the run.
    pub after: Duration,
    /// Of a staircase, which step it belongs to; the warm-up is none.
    pub step: Option<usize>,
}

impl Shape {
    /// The mean rate, in arrivals per second.
    pub fn mean_per_s(&self) -> f64 {
        match self {
            Self::Constant { rate_per_s } => *rate_per_s,
            Self::Ramp { from_per_s, to_per_s } => f64::midpoint(*from_per_s, *to_per_s),
            Self::Steps { rates_per_s } => rates_per_s.iter().sum::<f64>() / rates_per_s.len() as f64,
        }
    }

    /// The rates of a staircase, else none.
    pub fn steps(&self) -> &[f64] {
        if let Self::Steps { rates_per_s } = self { rates_per_s } else { &[] }
    }

    /// The curve of a run.
    pub fn curve(&self, warmup: Duration, duration: Duration) -> Curve {
        let seconds = duration.as_secs_f64();
        let level = |rate: f64, seconds: f64, step| Piece { from: rate, to: rate, seconds, step };
        let (first, measured) = match self {
            Self::Constant { rate_per_s } => (*rate_per_s, vec![level(*rate_per_s, seconds, None)]),
            Self::Ramp { from_per_s, to_per_s } => (*from_per_s, vec![Piece { from: *from_per_s, to: *to_per_s, seconds, step: None }]),
            Self::Steps { rates_per_s } => {
                let each = seconds / rates_per_s.len() as f64;
                let steps = rates_per_s.iter().enumerate().map(|(step, rate)| level(*rate, each, Some(step)));
                (rates_per_s[0], steps.collect())
            }
        };
        let pieces = std::iter::once(level(first, warmup.as_secs_f64(), None)).chain(measured).collect();
        Curve { pieces, end: warmup + duration }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Constant { rate_per_s } => write!(f, "{rate_per_s}"),
            Self::Ramp { from_per_s, to_per_s } => write!(f, "{from_per_s} to {to_per_s}"),
            Self::Steps { rates_per_s } => {
                let rates: Vec<String> = rates_per_s.iter().map(f64::to_string).collect();
                f.write_str(&rates.join(", "))
            }
        }
    }
}

impl Piece {
    /// How many arrivals it has.
    fn arrivals(&self) -> f64 {
        f64::midpoint(self.from, self.to) * self.seconds
    }

    /// After how many seconds of it so many have come: where its integral, `from·t + (to − from)·t²/2s`, is `count`.
    fn seconds_until(&self, count: f64) -> f64 {
        if count <= 0.0 {
            return 0.0;
        }
        let change = (self.to - self.from) / (2.0 * self.seconds);
        let root = (self.from * self.from + 4.0 * change * count).max(0.0).sqrt();
        // The usual form of the solution divides by the change, which may be none.
        (2.0 * count / (self.from + root)).min(self.seconds)
    }
}

impl Curve {
    /// When the rate has summed up to `count`; `None` if it does not before the end.
    pub fn due(&self, count: f64) -> Option<Due> {
        let (mut left, mut began) = (count, 0.0);
        for piece in &self.pieces {
            let arrivals = piece.arrivals();
            // What rounding leaves of an arrival belongs to the next piece: times are kept in whole nanoseconds.
            if left < arrivals - 1e-6 {
                let after = Duration::try_from_secs_f64(began + piece.seconds_until(left)).ok()?;
                return (after < self.end).then_some(Due { after, step: piece.step });
            }
            left -= arrivals;
            began += piece.seconds;
        }
        None
    }
}

fn rate(text: &str) -> Result<f64, String> {
    let rate: f64 = text.trim().parse().map_err(|_| format!("{text:?} is no rate: write arrivals per second, such as 500"))?;
    (0.0..=RATE_MAX).contains(&rate).then_some(rate).ok_or_else(|| format!("a rate is between 0 and {RATE_MAX}, not {rate}"))
}

/// Reads `100..2000`.
///
/// # Errors
/// If it is nothing like that, or nothing would ever be due.
pub fn parse_ramp(text: &str) -> Result<Shape, String> {
    let (from, to) = text.split_once("..").ok_or_else(|| format!("{text:?} is no ramp: write FROM..TO, such as 100..2000"))?;
    let (from_per_s, to_per_s) = (rate(from)?, rate(to)?);
    if from_per_s + to_per_s <= 0.0 {
        return Err("a ramp from 0 to 0 sends nothing".to_owned());
    }
    Ok(Shape::Ramp { from_per_s, to_per_s })
}

/// Reads `100,200,400`.
///
/// # Errors
/// If it is nothing like that, has a step without any arrival, or too many steps.
pub fn parse_steps(text: &str) -> Result<Shape, String> {
    let rates_per_s: Vec<f64> = text.split(',').map(rate).collect::<Result<_, _>>()?;
    if rates_per_s.len() > STEPS_MAX || rates_per_s.iter().any(|rate| *rate <= 0.0) {
        return Err(format!("steps are at most {STEPS_MAX} rates above 0"));
    }
    Ok(Shape::Steps { rates_per_s })
}

/// How arrivals keep to the rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Spacing {
    /// One after another at even distances.
    #[default]
    Even,
    /// Independently of each other, as those of many people do: a Poisson process with that rate.
    Poisson,
}

impl FromStr for Spacing {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "even" => Ok(Self::Even),
            "poisson" => Ok(Self::Poisson),
            _ => Err(format!("{text:?} is no spacing: even or poisson")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    #[test]
    fn a_ramp_and_a_staircase_are_what_their_names_say() {
        let ramp = parse_ramp("0..100").unwrap().curve(Duration::ZERO, seconds(10.0));
        // The integral of 10·t is 5·t²: 125 after five seconds, 500 at the end.
        assert_eq!(ramp.due(125.0), Some(Due { after: seconds(5.0), step: None }));
        assert!(ramp.due(499.0).is_some() && ramp.due(500.0).is_none());

        let stairs = parse_steps("10,30").unwrap().curve(seconds(1.0), seconds(4.0));
        let due = |count: f64| stairs.due(count).unwrap();
        assert_eq!(due(5.0), Due { after: seconds(0.5), step: None });
        assert_eq!(due(10.0), Due { after: seconds(1.0), step: Some(0) });
        assert_eq!(due(25.0), Due { after: seconds(2.5), step: Some(0) });
        assert_eq!(due(30.0), Due { after: seconds(3.0), step: Some(1) });
        assert!(stairs.due(89.0).is_some() && stairs.due(90.0).is_none());
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["", "5", "1..", "..", "a..b", "0..0", "-1..5", "1..2000000", "NaN..5", "1..inf"] {
            assert!(parse_ramp(bad).is_err(), "{bad}");
        }
        for bad in ["", "5,", "0", "5,0", "5,-1", "x", &["1"; 101].join(",")] {
            assert!(parse_steps(bad).is_err(), "{bad}");
        }
        assert_eq!("poisson".parse(), Ok(Spacing::Poisson));
        assert!("random".parse::<Spacing>().is_err());
    }

    proptest! {
        /// As many are due in any time as the integral of the rate over it says, within one.
        #[test]
        fn arrivals_are_the_integral_of_the_rate(from in 0.0..500.0_f64, to in 1.0..500.0_f64, warmup in 0.0..3.0_f64, until in 0.0..1.0_f64) {
            let duration = 8.0;
            let shape = Shape::Ramp { from_per_s: from, to_per_s: to };
            let curve = shape.curve(seconds(warmup), seconds(duration));
            let all: Vec<Duration> = (0..).map_while(|number| curve.due(f64::from(number))).map(|due| due.after).collect();
            prop_assert!(all.is_sorted());
            let time = until * duration;
            let integral = from * warmup + from * time + (to - from) * time * time / (2.0 * duration);
            let counted = all.iter().filter(|after| **after < seconds(warmup + time)).count() as f64;
            prop_assert!((counted - integral).abs() <= 1.001, "{counted} of {integral}");
        }
    }
}
