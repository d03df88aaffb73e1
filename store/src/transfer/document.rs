//! The document: a line that says what it is, a line for each row, and a line that says that it is whole.
//!
//! ```json
//! {"header":{"format":1,"release":"0.1.0","madeAt":"2026-01-31T12:00:00.000Z","schemas":{"content":8,"shop":8,"users":9}}}
//! {"table":"users.person","row":{"id":"…","username":"ada",…}}
//! {"trailer":{"rows":1,"tables":{"users.person":1},"sha256":"…"}}
//! ```
//!
//! Two documents of the same rows differ in their first line alone: rows are in the order of their keys, and texts in one form.

use super::TransferError;
use super::table::{Column, Kind, Table, named};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::Timestamp;
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::Value as JsonValue;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{BufRead, Read, Write};
use uuid::Uuid;

/// How a document is laid out.
const FORMAT: u32 = 1;
/// The longest line. Rows have a few kilobytes; one with a large idempotency record or answer has up to some megabytes.
pub(crate) const LINE_BYTES_MAX: usize = 16 << 20;

/// A value of a row, whatever the store.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Id(Uuid),
    Bytes(Vec<u8>),
    Text(String),
    /// A number, or an instant in milliseconds.
    Int(i64),
    Bool(bool),
    Json(JsonValue),
}

/// The values of a table's columns, in their order.
pub(crate) type Row = Vec<Value>;

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Id(id) => id.serialize(serializer),
            Self::Bytes(bytes) => STANDARD.encode(bytes).serialize(serializer),
            Self::Text(text) => text.serialize(serializer),
            Self::Int(number) => number.serialize(serializer),
            Self::Bool(is) => is.serialize(serializer),
            Self::Json(value) => value.serialize(serializer),
        }
    }
}

impl Value {
    /// Reads what a document has of a column.
    fn of(column: &Column, given: JsonValue) -> Result<Self, String> {
        let wanted = |what: &str| format!("{} is {what}", column.name);
        Ok(match (column.kind, given) {
            (_, JsonValue::Null) if column.is_optional => Self::Null,
            (_, JsonValue::Null) => return Err(wanted("never null")),
            (Kind::Json, value) => Self::Json(value),
            (Kind::Id, JsonValue::String(text)) => Self::Id(text.parse().map_err(|_| wanted("an id"))?),
            (Kind::Bytes, JsonValue::String(text)) => Self::Bytes(STANDARD.decode(text).map_err(|_| wanted("bytes in base64"))?),
            (Kind::Text, JsonValue::String(text)) => Self::Text(text),
            (Kind::Bool, JsonValue::Bool(is)) => Self::Bool(is),
            (Kind::Int | Kind::Time, JsonValue::Number(number)) => {
                Self::Int(number.as_i64().ok_or_else(|| wanted("a whole number of 64 bits"))?)
            }
            (Kind::Id | Kind::Bytes | Kind::Text, _) => return Err(wanted("a text")),
            (Kind::Bool, _) => return Err(wanted("true or false")),
            (Kind::Int | Kind::Time, _) => return Err(wanted("a number")),
        })
    }
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// How the document is laid out.
    pub format: u32,
    /// The release that wrote it.
    pub release: String,
    /// The instant of which it is.
    pub made_at: Timestamp,
    /// How many migrations each database had, of the store that it comes from.
    pub schemas: BTreeMap<String, usize>,
}

impl Header {
    pub(crate) fn new(made_at: Timestamp, schemas: impl IntoIterator<Item = (&'static str, usize)>) -> Self {
        let schemas = schemas.into_iter().map(|(database, steps)| (database.to_owned(), steps)).collect();
        Self { format: FORMAT, release: env!("CARGO_PKG_VERSION").to_owned(), made_at, schemas }
    }
}

/// The last line. What it counts and sums are the lines of rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trailer {
    pub(crate) rows: u64,
    pub(crate) tables: BTreeMap<String, u64>,
    /// SHA-256 of the lines with their ends, in hexadecimal digits.
    pub(crate) sha256: String,
}

/// Any line, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    header: Option<Header>,
    table: Option<String>,
    row: Option<serde_json::Map<String, JsonValue>>,
    trailer: Option<Trailer>,
}

/// What is counted and summed of the lines of rows, on either side.
#[derive(Debug, Clone, Default)]
pub(crate) struct Tally {
    rows: u64,
    tables: BTreeMap<String, u64>,
    hash: Sha256,
}

impl Tally {
    fn add(&mut self, table: &Table, line: &[u8]) {
        self.rows += 1;
        match self.tables.get_mut(&table.title()) {
            Some(rows) => *rows += 1,
            None => drop(self.tables.insert(table.title(), 1)),
        }
        self.hash.update(line);
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// The sum so far.
    pub(crate) fn sum(&self) -> [u8; 32] {
        self.hash.clone().finalize().into()
    }

    pub(crate) fn trailer(&self) -> Trailer {
        let sha256 = self.sum().iter().map(|byte| format!("{byte:02x}")).collect();
        Trailer { rows: self.rows, tables: self.tables.clone(), sha256 }
    }
}

/// Writes a document.
pub(crate) struct Writer<W> {
    out: W,
    tally: Tally,
    line: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(crate) fn begin(mut out: W, header: &Header) -> Result<Self, TransferError> {
        let line = serde_json::to_string(&serde_json::json!({ "header": header })).expect("it can be written as JSON");
        writeln!(out, "{line}").map_err(TransferError::Write)?;
        Ok(Self { out, tally: Tally::default(), line: Vec::new() })
    }

    pub(crate) fn row(&mut self, table: &Table, row: &Row) -> Result<(), TransferError> {
        self.line.clear();
        let fault = |reason: String| TransferError::Row { table: table.title(), reason };
        encode(&mut self.line, table, row).map_err(|error| fault(error.to_string()))?;
        if self.line.len() > LINE_BYTES_MAX {
            return Err(fault(format!("one of its rows takes {} bytes, and a line has at most {LINE_BYTES_MAX}", self.line.len())));
        }
        self.tally.add(table, &self.line);
        self.out.write_all(&self.line).map_err(TransferError::Write)
    }

    pub(crate) fn rows(&self) -> u64 {
        self.tally.rows()
    }

    pub(crate) fn end(mut self) -> Result<u64, TransferError> {
        let line = serde_json::to_string(&serde_json::json!({ "trailer": self.tally.trailer() })).expect("it can be written as JSON");
        writeln!(self.out, "{line}").and_then(|()| self.out.flush()).map_err(TransferError::Write)?;
        Ok(self.tally.rows())
    }
}

/// A row's line, its columns in their order.
fn encode(line: &mut Vec<u8>, table: &Table, row: &Row) -> serde_json::Result<()> {
    struct Columns<'a>(&'a Table, &'a Row);
    impl Serialize for Columns<'_> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut map = serializer.serialize_map(Some(self.1.len()))?;
            for (column, value) in self.0.columns.iter().zip(self.1) {
                map.serialize_entry(column.name, value)?;
            }
            map.end()
        }
    }
    #[derive(Serialize)]
    struct Whole<'a> {
        table: String,
        row: Columns<'a>,
    }
    serde_json::to_writer(&mut *line, &Whole { table: table.title(), row: Columns(table, row) })?;
    line.push(b'\n');
    Ok(())
}

/// What a line behind the first one is.
pub(crate) enum Next {
    /// A row of the table at this place in the order.
    Row(usize, &'static Table, Row),
    Trailer(Trailer),
}

/// Reads a document, line by line. Nothing in it is trusted.
pub(crate) struct Reader<'n, R> {
    input: R,
    name: &'n str,
    number: u64,
    line: Vec<u8>,
    tally: Tally,
}

impl<'n, R: BufRead> Reader<'n, R> {
    /// `name` is what the document is called in messages.
    pub(crate) fn new(input: R, name: &'n str) -> Self {
        Self { input, name, number: 0, line: Vec::new(), tally: Tally::default() }
    }

    /// The number of the line that was read last.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The size of that line.
    pub(crate) fn line_bytes(&self) -> usize {
        self.line.len()
    }

    /// A fault of the line that was read last.
    pub(crate) fn fault(&self, reason: impl Into<String>) -> TransferError {
        TransferError::Malformed { name: self.name.to_owned(), line: self.number, reason: reason.into() }
    }

    /// The document ends where it must not.
    fn cut_off(&self) -> TransferError {
        TransferError::CutOff { name: self.name.to_owned(), line: self.number }
    }

    fn read(&mut self) -> Result<Option<Line>, TransferError> {
        self.line.clear();
        let mut limited = (&mut self.input).take(LINE_BYTES_MAX as u64 + 1);
        let read = limited.read_until(b'\n', &mut self.line);
        read.map_err(|source| TransferError::Read { name: self.name.to_owned(), line: self.number + 1, source })?;
        if self.line.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        if self.line.last() != Some(&b'\n') {
            return Err(match self.line.len() > LINE_BYTES_MAX {
                true => self.fault(format!("it has more than {LINE_BYTES_MAX} bytes, which no row of an export has")),
                false => self.cut_off(),
            });
        }
        // serde_json's own place is within the line, and is of no use beside the line's number; what it quotes is a name, never a value.
        serde_json::from_slice(&self.line).map(Some).map_err(|error| self.fault(format!("it is no line of an export ({error})")))
    }

    pub(crate) fn header(&mut self) -> Result<Header, TransferError> {
        let Some(header) = self.read()?.and_then(|line| line.header) else {
            return Err(self.fault("it does not begin with the header of an export: is it one?"));
        };
        match header.format {
            FORMAT => Ok(header),
            other => Err(self.fault(format!(
                "it is laid out as format {other} by release {}, and this release reads format {FORMAT}: import it with that release",
                header.release
            ))),
        }
    }

    pub(crate) fn next(&mut self) -> Result<Next, TransferError> {
        let Some(line) = self.read()? else { return Err(self.cut_off()) };
        match line {
            Line { table: Some(title), row: Some(row), header: None, trailer: None } => {
                let Some((place, table)) = named(&title) else {
                    return Err(self.fault(format!("this release has no table {title}: import it with the release that wrote it")));
                };
                let row = values(table, row).map_err(|reason| self.fault(format!("{title}: {reason}")))?;
                self.tally.add(table, &self.line);
                Ok(Next::Row(place, table, row))
            }
            Line { trailer: Some(trailer), table: None, row: None, header: None } => {
                if !self.input.fill_buf().is_ok_and(<[u8]>::is_empty) {
                    return Err(self.fault("the document goes on behind its trailer: is it two of them?"));
                }
                Ok(Next::Trailer(trailer))
            }
            _ => Err(self.fault("it is neither a row (table, row) nor the trailer")),
        }
    }
}

fn values(table: &Table, mut given: serde_json::Map<String, JsonValue>) -> Result<Row, String> {
    let read = |column: &Column| match given.remove(column.name) {
        Some(value) => Value::of(column, value),
        None => Err(format!("{} is missing: import it with the release that wrote it", column.name)),
    };
    let row = table.columns.iter().map(read).collect::<Result<_, _>>()?;
    match given.keys().next() {
        Some(unknown) => Err(format!("there is no column {unknown:?}: import it with the release that wrote it")),
        None => Ok(row),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transfer::table::tables;
    use proptest::prelude::*;

    fn document(rows: &[(&Table, Row)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = Writer::begin(&mut out, &Header::new(Timestamp(1), [("users", 9)])).expect("written");
        rows.iter().for_each(|(table, row)| writer.row(table, row).expect("written"));
        writer.end().expect("written");
        out
    }

    type Found = (Vec<(&'static str, Row)>, bool);

    /// All rows, and whether the trailer is theirs.
    fn read(document: &[u8]) -> Result<Found, TransferError> {
        let (mut reader, mut rows) = (Reader::new(document, "it"), Vec::new());
        reader.header()?;
        loop {
            match reader.next()? {
                Next::Row(_, table, row) => rows.push((table.name, row)),
                Next::Trailer(trailer) => return Ok((rows, trailer == reader.tally().trailer())),
            }
        }
    }

    fn value(column: &Column) -> BoxedStrategy<Value> {
        let some = match column.kind {
            Kind::Id => any::<u128>().prop_map(|id| Value::Id(Uuid::from_u128(id))).boxed(),
            Kind::Bytes => any::<Vec<u8>>().prop_map(Value::Bytes).boxed(),
            Kind::Text => any::<String>().prop_map(Value::Text).boxed(),
            Kind::Int | Kind::Time => any::<i64>().prop_map(Value::Int).boxed(),
            Kind::Bool => any::<bool>().prop_map(Value::Bool).boxed(),
            Kind::Json => any::<Vec<String>>().prop_map(|list| Value::Json(list.into())).boxed(),
        };
        if column.is_optional { prop_oneof![Just(Value::Null), some].boxed() } else { some }
    }

    fn row() -> impl Strategy<Value = (&'static Table, Row)> {
        (0..tables().count()).prop_flat_map(|place| {
            let table = tables().nth(place).expect("a table");
            (Just(table), table.columns.iter().map(value).collect::<Vec<_>>())
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(rows in prop::collection::vec(row(), 0..8)) {
            let (read, is_whole) = read(&document(&rows)).expect("read");
            prop_assert!(is_whole);
            prop_assert_eq!(read, rows.into_iter().map(|(table, row)| (table.name, row)).collect::<Vec<_>>());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in any::<Vec<u8>>(), rows in prop::collection::vec(row(), 1..3), place in any::<prop::sample::Index>()) {
            let _ = read(&bytes);
            let mut document = document(&rows);
            let place = place.index(document.len());
            document[place] ^= 1;
            // A changed bit of the header is a fault, or another header of the same rows; of a row it is a fault or seen in the sum.
            let in_header = place < document.iter().position(|byte| *byte == b'\n').expect("lines");
            prop_assert!(in_header || !read(&document).is_ok_and(|(_, is_whole)| is_whole));
            document[place] ^= 1;
            document.truncate(place);
            prop_assert!(read(&document).is_err(), "it is cut off");
        }
    }

    #[test]
    fn a_fault_names_its_line_and_no_value() {
        let header = String::from_utf8(document(&[])).expect("text").lines().next().expect("a line").to_owned();
        let of = |line: &str| read(format!("{header}\n{line}\n").as_bytes()).map(drop).expect_err("refused").to_string();
        let session = |hash: &str| {
            format!(
                r#"{{"table":"users.session","row":{{"token_hash":{hash},"person_id":"{}","created_at":1,"expires_at":2,"user_agent":null,"network":null,"seen_at":null}}}}"#,
                Uuid::nil()
            )
        };
        assert!(of(&session("\"AA==\"")).contains("cut off"), "the row is sound, and then nothing comes");
        for (line, why) in [
            (session("\"secret!\""), "it:2: users.session: token_hash is bytes in base64"),
            (session("null"), "token_hash is never null"),
            (session("7"), "token_hash is a text"),
            (session("\"AA==\"").replace("seen_at", "seen"), "seen_at is missing"),
            (r#"{"table":"users.nobody","row":{}}"#.to_owned(), "no table users.nobody"),
            (r#"{"table":"users.person"}"#.to_owned(), "neither a row"),
            ("{}".to_owned(), "neither a row"),
            ("[1,".to_owned(), "it:2: it is no line of an export"),
            (String::new(), "it is no line of an export"),
        ] {
            let said = of(&line);
            assert!(said.contains(why) && !said.contains("secret!"), "{why:?} is not in {said:?}");
        }
    }

    #[test]
    fn a_line_without_an_end_takes_no_more_memory_than_a_line() {
        let mut document = document(&[]);
        document.truncate(document.iter().position(|byte| *byte == b'\n').expect("lines") + 1);
        document.extend(std::iter::repeat_n(b'x', LINE_BYTES_MAX + 100));
        assert!(matches!(read(&document), Err(TransferError::Malformed { line: 2, reason, .. }) if reason.contains("more than")));
    }
}
