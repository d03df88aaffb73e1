//! Reading counters from a Prometheus text exposition.

use std::collections::BTreeMap;
use std::str::FromStr;

/// A series selector: `name`, or `name{label="value",…}` with every named label equal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selector {
    name: String,
    labels: Vec<(String, String)>,
}

impl Selector {
    /// The sum of the selected series; `None` if the exposition has none of them.
    pub fn sum(&self, exposition: &str) -> Option<f64> {
        self.selected(exposition).map(|(_, value)| value).reduce(|sum, value| sum + value)
    }

    /// Each selected series, called by the values of its labels, and its value.
    pub fn series(&self, exposition: &str) -> BTreeMap<String, f64> {
        let name = |labels: Labels| labels.into_iter().map(|(_, value)| value).collect::<Vec<_>>().join("/");
        self.selected(exposition).map(|(labels, value)| (name(labels), value)).collect()
    }

    fn selected<'a>(&'a self, exposition: &'a str) -> impl Iterator<Item = (Labels, f64)> + 'a {
        let samples = exposition.lines().filter_map(parse_sample);
        let selected = samples.filter(|(name, labels, _)| *name == self.name && self.labels.iter().all(|wanted| labels.contains(wanted)));
        selected.map(|(_, labels, value)| (labels, value))
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        for (index, (label, value)) in self.labels.iter().enumerate() {
            write!(f, "{}{label}={value:?}", if index == 0 { "{" } else { "," })?;
        }
        f.write_str(if self.labels.is_empty() { "" } else { "}" })
    }
}

impl FromStr for Selector {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = parse_series(text.trim()).filter(|(name, _, rest)| !name.is_empty() && rest.trim().is_empty());
        let (name, labels, _) = parsed.ok_or("expected name or name{label=\"value\",…}")?;
        Ok(Self { name: name.to_owned(), labels })
    }
}

type Labels = Vec<(String, String)>;

fn parse_sample(line: &str) -> Option<(&str, Labels, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (name, labels, rest) = parse_series(line)?;
    let value = rest.split_ascii_whitespace().next()?.parse().ok()?;
    Some((name, labels, value))
}

/// Splits `name{labels}rest`.
fn parse_series(text: &str) -> Option<(&str, Labels, &str)> {
    let end = text.find(['{', ' ', '\t']).unwrap_or(text.len());
    let (name, mut rest) = text.split_at(end);
    let mut labels = Vec::new();
    let Some(inside) = rest.strip_prefix('{') else { return Some((name, labels, rest)) };
    rest = inside.trim_start();
    while !rest.starts_with('}') {
        let (label, after) = rest.split_once("=\"")?;
        let (value, after) = quoted(after)?;
        labels.push((label.trim().to_owned(), value));
        rest = after.trim_start().trim_start_matches(',').trim_start();
    }
    Some((name, labels, &rest[1..]))
}

/// Reads to the closing quote, undoing the three escapes of the format.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const EXPOSITION: &str = "# HELP q store queries\n# TYPE q counter\nq{kind=\"user\",op=\"a\\\"},b\"} 3\nq{kind=\"post\"} 4 1700000000\nq_total 9\nplain 2.5\n";

    #[test]
    fn sums_what_it_selects() {
        let sum = |selector: &str| selector.parse::<Selector>().unwrap().sum(EXPOSITION);
        assert_eq!(sum("q"), Some(7.0));
        assert_eq!(sum("q{kind=\"user\"}"), Some(3.0));
        assert_eq!(sum("q{op=\"a\\\"},b\"}"), Some(3.0));
        assert_eq!(sum("q{kind=\"none\"}"), None);
        assert_eq!(sum("plain"), Some(2.5));
        let series = "q{kind=\"post\"}".parse::<Selector>().unwrap().series(EXPOSITION);
        assert_eq!(series, BTreeMap::from([("post".to_owned(), 4.0)]));
        assert_eq!("q{kind=\"user\"}".parse::<Selector>().unwrap().to_string(), "q{kind=\"user\"}");
        for bad in ["", "{a=\"b\"}", "q{a", "q{a=\"b\"} 3"] {
            assert!(bad.parse::<Selector>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[a-z{}\"=, \\\\\n0-9]{0,80}") {
            let _ = text.parse::<Selector>();
            "q".parse::<Selector>().unwrap().sum(&text);
        }
    }
}
