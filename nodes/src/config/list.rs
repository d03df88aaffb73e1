//! Settings that are lists: an array in a file, and text with commas elsewhere.

use edge::address::Network;
use toml::de::DeValue;

use super::value::{Raw, Refusal, Shown, Value};

/// The longest list. Each entry may be compared with every request.
const ENTRIES_MAX: usize = 64;

impl<T: Value<Limits = ()>> Value for Vec<T> {
    type Limits = ();
    const SECRET: bool = T::SECRET;

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let list: Vec<T> = match raw {
            Raw::Toml(DeValue::Array(entries)) => {
                entries.iter().map(|entry| T::read(Raw::Toml(entry.get_ref()), &())).collect::<Result<_, _>>()?
            }
            raw => {
                let entries = raw.text()?.split(',').map(str::trim).filter(|entry| !entry.is_empty());
                entries.map(|entry| T::read(Raw::Text(entry), &())).collect::<Result<_, _>>()?
            }
        };
        if list.len() > ENTRIES_MAX { Err(Refusal("has too many entries")) } else { Ok(list) }
    }

    fn accepted((): &()) -> String {
        format!("a list of up to {ENTRIES_MAX}, in an array or separated by commas: each {}", T::accepted(&()))
    }

    fn show(&self, (): &()) -> Shown {
        let entries: Option<Vec<_>> = self
            .iter()
            .map(|entry| match entry.show(&()) {
                Shown::Literal(entry) => Some(entry),
                Shown::Redacted => None,
            })
            .collect();
        entries.map_or(Shown::Redacted, |entries| Shown::Literal(format!("[{}]", entries.join(", "))))
    }
}

impl Value for Network {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        raw.text()?.parse().map_err(|_| Refusal("is not an IP address or network"))
    }

    fn accepted((): &()) -> String {
        "an IP address, or a network such as \"10.0.0.0/8\" with no bits set behind its prefix".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::text(&self.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Network>, Refusal> {
        Value::read(Raw::Text(text), &())
    }

    fn read_toml(text: &str) -> Result<Vec<Network>, Refusal> {
        let value = DeValue::parse(text).expect("TOML");
        Value::read(Raw::Toml(value.get_ref()), &())
    }

    #[test]
    fn a_list_reads_the_same_from_a_file_and_from_text() {
        let two = read("10.0.0.0/8, ::1").expect("two networks");
        assert_eq!(two.len(), 2);
        assert_eq!(read_toml(r#"["10.0.0.0/8", "::1"]"#), Ok(two.clone()));
        assert_eq!(read_toml(r#""10.0.0.0/8,::1""#), Ok(two.clone()));
        assert_eq!(two.show(&()), Shown::Literal(r#"["10.0.0.0/8", "::1"]"#.to_owned()));
        assert_eq!((read(""), read_toml("[]")), (Ok(vec![]), Ok(vec![])));
        for wrong in ["10.0.0.0/8;::1", "10.1.0.0/8", "proxy"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
        assert!(read_toml("[1]").is_err() && read_toml("1").is_err());
        assert!(read(&["::1"; ENTRIES_MAX + 1].join(",")).is_err());
    }
}
