//! What is wrong with a configuration, where, and what to do about it.

use std::{fmt, path::PathBuf};

/// Faults beyond this number are counted, not listed: a screen is read, a scroll is not.
const LISTED_MAX: usize = 50;

/// The most characters of a stranger's text that a fault repeats.
const QUOTED_CHARS_MAX: usize = 60;

/// Where a value was written. The order is the order of precedence: the greatest place wins.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Nowhere: the default holds.
    Default,
    /// A place in the configuration file; line and column count from 1.
    File {
        /// The file as it was named.
        path: PathBuf,
        /// The line.
        line: usize,
        /// The column, in characters.
        column: usize,
    },
    /// An environment variable, by name.
    Env(String),
    /// An option of the command line, as a user would type it, without its value.
    Flag(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Default => f.write_str("default"),
            Place::File { path, line, column } => {
                write!(f, "{}:{line}:{column}", path.display().to_string().escape_debug())
            }
            Place::Env(name) | Place::Flag(name) => f.write_str(name),
        }
    }
}

/// One fault of a configuration.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Where the faulty text stands.
    pub place: Place,
    /// The setting concerned, as `section.name`, or what stands in its stead; empty when the fault is the file's.
    pub setting: String,
    /// What is wrong. Never contains the value of a secret.
    pub problem: String,
    /// What to do about it, in the imperative.
    pub remedy: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place)?;
        if !self.setting.is_empty() {
            write!(f, "{}: ", self.setting)?;
        }
        write!(f, "{}; {}", self.problem, self.remedy)
    }
}

/// Every fault of a configuration, in order of place. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Returns the faults in order of place, or nothing if there are none.
    pub(super) fn collect(mut faults: Vec<Fault>) -> Option<Faults> {
        faults.sort();
        faults.dedup();
        (!faults.is_empty()).then_some(Faults(faults))
    }

    /// Returns the faults, in order of place.
    pub fn as_slice(&self) -> &[Fault] {
        &self.0
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => write!(f, "the configuration has a fault:")?,
            count => write!(f, "the configuration has {count} faults:")?,
        }
        for fault in self.0.iter().take(LISTED_MAX) {
            write!(f, "\n  {fault}")?;
        }
        if let Some(more @ 1..) = self.0.len().checked_sub(LISTED_MAX) {
            write!(f, "\n  and {more} more")?;
        }
        Ok(())
    }
}

impl std::error::Error for Faults {}

/// Returns text from outside so that a message can repeat it: control characters escaped, the length bounded.
pub(super) fn clip(text: &str) -> String {
    let shown: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    let ellipsis = if shown.len() < text.len() { "…" } else { "" };
    format!("{}{ellipsis}", shown.escape_debug())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(place: Place) -> Fault {
        Fault { place, setting: "log.format".into(), problem: "\"x\" is unknown".into(), remedy: "write auto".into() }
    }

    #[test]
    fn faults_are_listed_in_order_of_place_and_beyond_the_limit_counted() {
        let at = |line| Place::File { path: "a.toml".into(), line, column: 1 };
        let mut faults: Vec<Fault> = (1..=LISTED_MAX + 2).rev().map(|line| fault(at(line))).collect();
        faults.push(fault(at(1)));
        let text = Faults::collect(faults).expect("some faults").to_string();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "the configuration has 52 faults:");
        assert_eq!(lines[1], "  a.toml:1:1: log.format: \"x\" is unknown; write auto");
        assert_eq!(lines.last(), Some(&"  and 2 more"));
    }

    #[test]
    fn text_from_outside_is_escaped_and_bounded() {
        assert_eq!(clip("a\n\u{1b}[31m"), "a\\n\\u{1b}[31m");
        assert_eq!(clip(&"é".repeat(100)), format!("{}…", "é".repeat(QUOTED_CHARS_MAX)));
    }
}
