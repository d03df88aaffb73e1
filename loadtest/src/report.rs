//! What every report shares: durations in text, tables, JSON files, and the stamp of where and when.

use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::Context as _;
use serde::Serialize;
use time::format_description::well_known::Rfc3339;

/// Where, when and how a result was made.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamp {
    /// RFC 3339, UTC.
    pub started_at: String,
    /// Processor, cores, kernel.
    pub machine: String,
    /// The command line, as typed.
    pub command: String,
}

impl Stamp {
    /// The stamp of a run that begins now.
    pub fn now() -> Self {
        let now = time::OffsetDateTime::from(SystemTime::now()).replace_nanosecond(0).expect("0 is a nanosecond");
        Self {
            started_at: now.format(&Rfc3339).expect("the present has an RFC 3339 form"),
            machine: crate::process::machine(),
            command: std::env::args().collect::<Vec<_>>().join(" "),
        }
    }
}

/// Writes a result as JSON, indented.
pub fn write_json(path: &Path, result: &impl Serialize) -> anyhow::Result<()> {
    let mut text = serde_json::to_string_pretty(result).context("a result has a JSON form")?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}

/// Reads `250ms`, `1.5s`, `10m` or `2h`; a bare number is refused because its unit would be a guess.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let digits = text.find(|char: char| !char.is_ascii_digit() && char != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| format!("{text:?} is no duration: write 250ms, 1.5s, 10m or 2h"))?;
    let seconds = match unit {
        "us" | "µs" => 1e-6,
        "ms" => 1e-3,
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(format!("{text:?} lacks its unit: us, ms, s, m or h")),
    };
    Duration::try_from_secs_f64(number * seconds).map_err(|fault| format!("{text:?}: {fault}"))
}

/// A duration with three significant digits in the unit that suits it.
pub fn show_us(us: f64) -> String {
    let (value, unit) = match us {
        us if us < 1e3 => (us, "µs"),
        us if us < 1e6 => (us / 1e3, "ms"),
        us => (us / 1e6, "s"),
    };
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {unit}")
}

/// Lays rows out as a Markdown table whose columns line up: readable in a terminal, and pasted as it is.
pub fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row.get(column).map_or(0, |cell| cell.chars().count()));
        cells.chain([heads[column].chars().count()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..heads.len()).map(width).collect();
    let line = |cells: &[&str]| {
        let padded = cells.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            // Names read from the left, figures from the right.
            if column == 0 { format!(" {cell:<width$} ") } else { format!(" {cell:>width$} ") }
        });
        format!("|{}|\n", padded.collect::<Vec<_>>().join("|"))
    };
    let mut text = line(heads);
    let rules = widths
        .iter()
        .enumerate()
        .map(|(column, width)| if column == 0 { format!("{}--", "-".repeat(*width)) } else { format!("{}-:", "-".repeat(*width)) });
    text.push_str(&format!("|{}|\n", rules.collect::<Vec<_>>().join("|")));
    for row in rows {
        text.push_str(&line(&row.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(parse_duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(parse_duration("2m"), Ok(Duration::from_secs(120)));
        for bad in ["", "5", "s", "-1s", "1e9h", "1.2.3s", "99999999999999999999999999h"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn figures_have_three_digits() {
        let shown: Vec<String> = [0.5, 12.34, 999.0, 1500.0, 45_600.0, 2_000_000.0].into_iter().map(show_us).collect();
        assert_eq!(shown, ["0.50 µs", "12.3 µs", "999 µs", "1.50 ms", "45.6 ms", "2.00 s"]);
    }

    #[test]
    fn tables_line_up() {
        let text = table(&["op", "n"], &[vec!["feed".into(), "10".into()], vec!["naïve".into(), "7".into()]]);
        assert_eq!(text, "| op    |  n |\n|-------|---:|\n| feed  | 10 |\n| naïve |  7 |\n");
    }
}
