//! How a value is read from text or TOML, judged, and shown again.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use toml::de::DeValue;

use super::fault::clip;

/// A value as it was written, before it has a type.
#[derive(Clone, Copy)]
pub(super) enum Raw<'a> {
    /// From the environment or the command line, where everything is text.
    Text(&'a str),
    /// From a file, where text and numbers differ.
    Toml(&'a DeValue<'a>),
}

impl<'a> Raw<'a> {
    pub(super) fn text(self) -> Result<&'a str, Refusal> {
        match self {
            Raw::Text(text) => Ok(text),
            Raw::Toml(value) => value.as_str().ok_or(Refusal("is not text in quotes")),
        }
    }

    /// Returns the whole number that was written. Numbers in a file carry their radix; elsewhere they are decimal,
    /// and may be grouped by `_` as in a file.
    fn integer(self) -> Result<u64, Refusal> {
        let not_a_number = Refusal("is not a whole number");
        let (digits, radix) = match self {
            Raw::Text(text) => (text.replace('_', ""), 10),
            Raw::Toml(value) => {
                let integer = value.as_integer().ok_or(not_a_number)?;
                (integer.as_str().to_owned(), integer.radix())
            }
        };
        let magnitude = digits.strip_prefix(['-', '+']).unwrap_or(&digits);
        if magnitude.is_empty() || !magnitude.chars().all(|c| c.is_digit(radix)) {
            return Err(not_a_number);
        }
        u64::from_str_radix(&digits, radix).map_err(|_| OUT_OF_RANGE)
    }

    /// Describes what was written, for a fault.
    pub(super) fn quote(self) -> String {
        match self {
            Raw::Text(text) => format!("\"{}\"", clip(text)),
            Raw::Toml(DeValue::String(text)) => format!("\"{}\"", clip(text)),
            Raw::Toml(DeValue::Integer(number)) => clip(&number.to_string()),
            Raw::Toml(DeValue::Float(number)) => clip(&number.to_string()),
            Raw::Toml(DeValue::Boolean(flag)) => flag.to_string(),
            Raw::Toml(DeValue::Datetime(time)) => time.to_string(),
            Raw::Toml(DeValue::Array(_)) => "a list".to_owned(),
            Raw::Toml(DeValue::Table(_)) => "a table".to_owned(),
        }
    }
}

/// Why a value is refused: the end of a sentence that starts with the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Refusal(pub(super) &'static str);

const OUT_OF_RANGE: Refusal = Refusal("is out of range");

/// How a value is printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shown {
    /// The value as TOML.
    Literal(String),
    /// There is a value, and it is secret.
    Redacted,
}

impl Shown {
    pub(super) fn text(text: &str) -> Shown {
        Shown::Literal(toml::Value::from(text).to_string())
    }
}

/// A type that a setting can have.
pub(super) trait Value: Sized {
    /// What bounds the values of one setting, stated in the table of settings.
    type Limits;

    /// Whether values must not be shown, nor repeated in a fault.
    const SECRET: bool = false;

    /// Reads a value, or says why it is refused.
    fn read(raw: Raw<'_>, limits: &Self::Limits) -> Result<Self, Refusal>;

    /// Describes the values that are accepted.
    fn accepted(limits: &Self::Limits) -> String;

    /// Shows the value.
    fn show(&self, limits: &Self::Limits) -> Shown;
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Whatever the setting is called after.
    Count,
    /// Bytes: text such as `"256 MiB"` is accepted and preferred.
    Bytes,
    BytesPerSecond,
    KibiBytes,
    Milliseconds,
    Seconds,
    Days,
}

/// The least and the greatest value of a number, both accepted.
pub(super) struct Range {
    min: u64,
    max: u64,
    unit: Unit,
}

/// Returns the range from `min` to `max`.
pub(super) const fn range(min: u64, max: u64, unit: Unit) -> Range {
    assert!(min < max, "an empty range");
    Range { min, max, unit }
}

impl Range {
    fn read(&self, raw: Raw<'_>) -> Result<u64, Refusal> {
        let number = match raw.text() {
            Ok(text) if self.unit == Unit::Bytes => bytes(text)?,
            _ => raw.integer()?,
        };
        if (self.min..=self.max).contains(&number) { Ok(number) } else { Err(OUT_OF_RANGE) }
    }

    fn accepted(&self) -> String {
        let unit = match self.unit {
            Unit::Bytes => {
                let (min, max) = (in_binary_units(self.min), in_binary_units(self.max));
                return format!("bytes, from {min} to {max}, as a number or as text such as \"64 KiB\"");
            }
            Unit::Count => "",
            Unit::BytesPerSecond => " of bytes per second",
            Unit::KibiBytes => " of KiB",
            Unit::Milliseconds => " of milliseconds",
            Unit::Seconds => " of seconds",
            Unit::Days => " of days",
        };
        format!("a whole number{unit} from {} to {}", self.min, self.max)
    }

    fn show(&self, number: u64) -> Shown {
        match self.unit {
            Unit::Bytes => Shown::text(&in_binary_units(number)),
            _ => Shown::Literal(number.to_string()),
        }
    }
}

const BINARY_UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// Writes a number of bytes in the largest unit that divides it, so that nothing is lost.
fn in_binary_units(bytes: u64) -> String {
    let largest = BINARY_UNITS.into_iter().find(|(_, size)| bytes >= *size && bytes.is_multiple_of(*size));
    let (unit, size) = largest.unwrap_or(("B", 1));
    format!("{} {unit}", bytes / size)
}

/// Reads a number of bytes: plain, or in one of the binary units.
fn bytes(text: &str) -> Result<u64, Refusal> {
    let (digits, size) =
        BINARY_UNITS.into_iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?.trim_end_matches(' '), size))).unwrap_or((text, 1));
    let number = Raw::Text(digits).integer().map_err(|refusal| match refusal {
        OUT_OF_RANGE => OUT_OF_RANGE,
        _ => Refusal("is not a number of bytes"),
    })?;
    number.checked_mul(size).ok_or(OUT_OF_RANGE)
}

macro_rules! number {
    ($($Type:ty),+) => { $(
        impl Value for $Type {
            type Limits = Range;

            fn read(raw: Raw<'_>, range: &Range) -> Result<Self, Refusal> {
                <$Type>::try_from(range.read(raw)?).map_err(|_| OUT_OF_RANGE)
            }

            fn accepted(range: &Range) -> String {
                range.accepted()
            }

            fn show(&self, range: &Range) -> Shown {
                // No supported target has a usize wider than 64 bits.
                range.show(*self as u64)
            }
        }
    )+ };
}

number!(u32, u64, usize);

impl Value for bool {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let refusal = Refusal("is neither true nor false");
        match raw {
            Raw::Text(text) => text.parse().map_err(|_| refusal),
            Raw::Toml(value) => value.as_bool().ok_or(refusal),
        }
    }

    fn accepted((): &()) -> String {
        "true or false".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::Literal(self.to_string())
    }
}

impl Value for SocketAddr {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        raw.text()?.parse().map_err(|_| Refusal("is not an IP address with a port"))
    }

    fn accepted((): &()) -> String {
        "an IP address and port such as \"127.0.0.1:8000\" or \"[::1]:8000\"; port 0 lets the system choose".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::text(&self.to_string())
    }
}

impl Value for PathBuf {
    type Limits = ();

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        let text = raw.text()?;
        if text.is_empty() || text.contains('\0') {
            return Err(Refusal("is not a path"));
        }
        Ok(Path::new(text).to_owned())
    }

    fn accepted((): &()) -> String {
        "a path, relative ones from the working directory".to_owned()
    }

    fn show(&self, (): &()) -> Shown {
        Shown::text(&self.to_string_lossy())
    }
}

/// The text that stands for "none" in an optional setting.
const OFF: &str = "off";

impl<T: Value<Limits = ()>> Value for Option<T> {
    type Limits = ();
    const SECRET: bool = T::SECRET;

    fn read(raw: Raw<'_>, (): &()) -> Result<Self, Refusal> {
        if raw.text()? == OFF { Ok(None) } else { T::read(raw, &()).map(Some) }
    }

    fn accepted((): &()) -> String {
        format!("\"{OFF}\", or {}", T::accepted(&()))
    }

    fn show(&self, (): &()) -> Shown {
        match self {
            Some(value) => value.show(&()),
            None => Shown::text(OFF),
        }
    }
}
