//! Values of rows, as they are written and read.

use super::fault::Fault;
pub(super) use crate::page::{BOTTOM, TOP, by_id, cut, fetch};
use bytes::{BufMut, BytesMut};
use protocol::{Money, Slot, Timestamp};
use serde::de::DeserializeOwned;
use std::error::Error;
use std::str::FromStr;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, Json, ToSql, Type, accepts, to_sql_checked};
use uuid::Uuid;

/// Declares statements, and lists them for the test that prepares them all.
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $sql:expr;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $sql;)*

        /// Every statement of this module by name.
        #[cfg(test)]
        pub(in crate::postgres) const STATEMENTS: &[(&str, &str)] = &[$((stringify!($name), $name)),*];
    };
}
pub(super) use statements;

/// A value for a statement.
pub(super) type Param<'w> = Box<dyn ToSql + Sync + Send + 'w>;

/// Values for a statement, each as the type of its own.
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$(Box::new($value) as $crate::postgres::column::Param<'_>),*] };
}
pub(super) use params;

/// A search: a statement that the server plans for its values each time, because how rare they are decides how it is best answered. (What is
/// prepared gets one plan for all values.)
#[derive(Default)]
pub(super) struct Asked {
    pub(super) sql: String,
    values: Vec<(Param<'static>, Type)>,
}

impl Asked {
    /// Adds a value; gives its name in the statement.
    pub(super) fn value<T: Typed + 'static>(&mut self, value: T) -> String {
        self.values.push((Box::new(value), T::TYPE));
        format!("${}", self.values.len())
    }

    /// The values in order.
    pub(super) fn values(&self) -> Vec<(&(dyn ToSql + Sync), Type)> {
        self.values.iter().map(|(value, of)| (&**value as _, of.clone())).collect()
    }
}

/// A value that is always written as one type of the server's.
pub(super) trait Typed: ToSql + Sync + Send {
    const TYPE: Type;
}

impl Typed for i64 {
    const TYPE: Type = Type::INT8;
}

impl Typed for String {
    const TYPE: Type = Type::TEXT;
}

impl Typed for Vec<String> {
    const TYPE: Type = Type::TEXT_ARRAY;
}

impl Typed for Uuid {
    const TYPE: Type = Type::UUID;
}

impl Typed for Option<Uuid> {
    const TYPE: Type = Type::UUID;
}

impl Typed for Vec<Uuid> {
    const TYPE: Type = Type::UUID_ARRAY;
}

/// An instant as timestamptz. What lies beyond Postgres' years is its infinity, so that a position before or behind everything is one here too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct At(pub(super) Timestamp);

/// From 1970, where our instants begin, to 2000, where Postgres' do, in milliseconds.
const TO_2000_MS: i64 = 946_684_800_000;
/// Postgres' first instant, and the first one behind its last, in microseconds from 2000 (`MIN_TIMESTAMP` and `END_TIMESTAMP` in its source).
const FIRST_US: i64 = -211_813_488_000_000_000;
const END_US: i64 = 9_223_371_331_200_000_000;

impl At {
    fn to_us(self) -> i64 {
        let us = self.0.0.checked_sub(TO_2000_MS).and_then(|ms| ms.checked_mul(1000));
        match us {
            Some(us) if us < FIRST_US => i64::MIN,
            Some(us) if us < END_US => us,
            None if self.0.0 < 0 => i64::MIN,
            Some(_) | None => i64::MAX,
        }
    }

    fn from_us(us: i64) -> Self {
        Self(Timestamp(match us {
            i64::MIN | i64::MAX => us,
            us => us.div_euclid(1000) + TO_2000_MS,
        }))
    }
}

impl ToSql for At {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.put_i64(self.to_us());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for At {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::from_us(i64::from_be_bytes(raw.try_into()?)))
    }

    accepts!(TIMESTAMPTZ);
}

/// A row read from its first column to its last.
pub(super) struct Columns<'r> {
    row: &'r Row,
    next: usize,
}

impl<'r> Columns<'r> {
    /// Begins at the first column.
    pub(super) fn of(row: &'r Row) -> Self {
        Self::from(row, 0)
    }

    /// Begins behind so many columns.
    pub(super) fn from(row: &'r Row, columns: usize) -> Self {
        Self { row, next: columns }
    }

    /// The next column.
    pub(super) fn take<T: FromSql<'r>>(&mut self) -> Result<T, Fault> {
        self.next += 1;
        self.row.try_get(self.next - 1).map_err(|error| self.corrupt(&error))
    }

    fn corrupt(&self, error: &dyn Error) -> Fault {
        let column = self.row.columns().get(self.next - 1).map_or("?", tokio_postgres::Column::name);
        Fault::Corrupt(format!("column {column}: {error}"))
    }

    /// The next column, which can hold more than this release understands.
    fn convert<T, S: FromSql<'r>, E: Error>(&mut self, convert: impl FnOnce(S) -> Result<T, E>) -> Result<T, Fault> {
        let value = self.take()?;
        convert(value).map_err(|error| self.corrupt(&error))
    }

    /// An id.
    pub(super) fn id(&mut self) -> Result<Uuid, Fault> {
        self.take()
    }

    /// An id or nothing.
    pub(super) fn id_or_none(&mut self) -> Result<Option<Uuid>, Fault> {
        self.take()
    }

    /// An instant.
    pub(super) fn time(&mut self) -> Result<Timestamp, Fault> {
        self.take().map(|At(at)| at)
    }

    /// An instant or nothing.
    pub(super) fn time_or_none(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.take::<Option<At>>()?.map(|At(at)| at))
    }

    /// A list of ids.
    pub(super) fn ids(&mut self) -> Result<Vec<Uuid>, Fault> {
        self.take()
    }

    /// A version, or a count without a bound.
    pub(super) fn count(&mut self) -> Result<u64, Fault> {
        self.convert(|n: i64| u64::try_from(n))
    }

    /// A count, if there is one.
    pub(super) fn count_or_none(&mut self) -> Result<Option<u64>, Fault> {
        self.convert(|n: Option<i64>| n.map(u64::try_from).transpose())
    }

    /// A count that the protocol bounds.
    pub(super) fn small(&mut self) -> Result<u32, Fault> {
        self.convert(|n: i64| u32::try_from(n))
    }

    /// A count that the protocol bounds, if there is one.
    pub(super) fn small_or_none(&mut self) -> Result<Option<u32>, Fault> {
        self.convert(|n: Option<i64>| n.map(u32::try_from).transpose())
    }

    /// A number of a few.
    pub(super) fn byte(&mut self) -> Result<u8, Fault> {
        self.convert(|n: i16| u8::try_from(n))
    }

    /// A slot.
    pub(super) fn slot(&mut self) -> Result<Slot, Fault> {
        let number: i16 = self.take()?;
        let slot = u16::try_from(number).ok().and_then(Slot::new);
        slot.ok_or_else(|| Fault::Corrupt(format!("{number} is no slot")))
    }

    /// An amount.
    pub(super) fn money(&mut self) -> Result<Money, Fault> {
        self.convert(Money::from_cents)
    }

    /// A word of a closed list.
    pub(super) fn word<T: FromStr>(&mut self) -> Result<T, Fault>
    where
        T::Err: Error,
    {
        self.convert(|word: &str| word.parse())
    }

    /// A word or nothing.
    pub(super) fn word_or_none<T: FromStr>(&mut self) -> Result<Option<T>, Fault>
    where
        T::Err: Error,
    {
        self.convert(|word: Option<&str>| word.map(str::parse).transpose())
    }

    /// A list or object in a column.
    pub(super) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        self.take().map(|Json(value)| value)
    }

    /// Thirty-two bytes: a hash.
    pub(super) fn hash(&mut self) -> Result<[u8; 32], Fault> {
        self.convert(|bytes: &[u8]| <[u8; 32]>::try_from(bytes))
    }

    /// Thirty-two bytes or nothing.
    pub(super) fn hash_or_none(&mut self) -> Result<Option<[u8; 32]>, Fault> {
        self.convert(|bytes: Option<&[u8]>| bytes.map(<[u8; 32]>::try_from).transpose())
    }
}

/// Writes a count or version. Postgres' integers end at 2^63 - 1, which no version reaches.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Writes a slot.
pub(super) fn slot(slot: Slot) -> i16 {
    i16::try_from(slot.number()).expect("there are 4096 slots")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_kept_to_the_millisecond_and_what_is_beyond_all_years_is_infinite() {
        for ms in [0, -1, 1, 946_684_800_000, 1_700_000_000_123, -62_135_596_800_000, 253_402_300_799_999] {
            assert_eq!(At::from_us(At(Timestamp(ms)).to_us()).0, Timestamp(ms), "{ms}");
        }
        assert_eq!(At(Timestamp(946_684_800_001)).to_us(), 1000);
        for ms in [i64::MAX, i64::MAX / 999, 9_300_000_000_000_000] {
            assert_eq!(At(Timestamp(ms)).to_us(), i64::MAX, "{ms}");
        }
        for ms in [i64::MIN, i64::MIN / 999, -300_000_000_000_000] {
            assert_eq!(At(Timestamp(ms)).to_us(), i64::MIN, "{ms}");
        }
    }
}
