//! Amounts of money: decimal(10,2), never a float.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Hundredths of a currency unit, `0..=9_999_999_999` (decimal(10,2)). `"12.50"` in JSON; a JSON number is accepted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Money(i64);

/// Why an amount was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum MoneyError {
    /// Not `digits[.digit[digit]]`.
    #[error("an amount is digits with at most two decimals, such as \"12.50\"")]
    Malformed,
    /// Beyond decimal(10,2).
    #[error("an amount is at most 99999999.99")]
    TooLarge,
}

impl Money {
    /// The largest amount, 99999999.99.
    pub const MAX: Self = Self(9_999_999_999);

    /// Takes an amount in hundredths; refuses what is negative or above [`Money::MAX`].
    pub fn from_cents(cents: i64) -> Result<Self, MoneyError> {
        match cents {
            ..0 => Err(MoneyError::Malformed),
            0..=9_999_999_999 => Ok(Self(cents)),
            _ => Err(MoneyError::TooLarge),
        }
    }

    /// The amount in hundredths.
    #[must_use]
    pub const fn cents(self) -> i64 {
        self.0
    }

    /// The price of `quantity` pieces; refuses a total above [`Money::MAX`].
    pub fn times(self, quantity: u32) -> Result<Self, MoneyError> {
        self.0.checked_mul(i64::from(quantity)).ok_or(MoneyError::TooLarge).and_then(Self::from_cents)
    }
}

/// Writes a sum of amounts, in hundredths, which may be above [`Money::MAX`], as an amount is written.
pub(crate) fn sum<S: Serializer>(cents: &i64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{}.{:02}", cents / 100, cents % 100))
}

impl std::fmt::Display for Money {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl std::str::FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (units, decimals) = text.split_once('.').unwrap_or((text, "00"));
        let digits = |t: &str| !t.is_empty() && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(units) || !digits(decimals) || decimals.len() > 2 {
            return Err(MoneyError::Malformed);
        }
        let units: i64 = units.parse().map_err(|_| MoneyError::TooLarge)?;
        let decimals: i64 = format!("{decimals:0<2}").parse().map_err(|_| MoneyError::Malformed)?;
        units.checked_mul(100).and_then(|c| c.checked_add(decimals)).ok_or(MoneyError::TooLarge).and_then(Self::from_cents)
    }
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { serializer.serialize_i64(self.0) }
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if !deserializer.is_human_readable() {
            return Self::from_cents(i64::deserialize(deserializer)?).map_err(de::Error::custom);
        }
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Money;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an amount such as \"12.50\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Money, E> {
                text.parse().map_err(E::custom)
            }
            fn visit_u64<E: de::Error>(self, units: u64) -> Result<Money, E> {
                units.to_string().parse().map_err(E::custom)
            }
            fn visit_i64<E: de::Error>(self, units: i64) -> Result<Money, E> {
                units.to_string().parse().map_err(E::custom)
            }
            // The shortest text that reads back as this double is what the client wrote, up to 15 digits.
            fn visit_f64<E: de::Error>(self, units: f64) -> Result<Money, E> {
                units.to_string().parse().map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_clients_write() {
        for (text, cents) in [("\"12.50\"", 1250), ("12.5", 1250), ("12", 1200), ("0.1", 10), ("\"0\"", 0), ("99999999.99", 9_999_999_999)]
        {
            assert_eq!(serde_json::from_str::<Money>(text).expect(text).cents(), cents, "{text}");
        }
        for text in ["\"-1\"", "-1", "1.005", "\"1,5\"", "\"\"", "\".5\"", "100000000", "1e300", "null", "\"1.\""] {
            assert!(serde_json::from_str::<Money>(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn round_trips(cents in 0..=9_999_999_999i64) {
            let money = Money::from_cents(cents).expect("in range");
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }

        #[test]
        fn any_text_is_taken_or_refused(text in ".*") {
            let _ = text.parse::<Money>();
        }
    }
}
