//! The import: what is read is put where it is missing, batch by batch, and counts when the document's last line has been seen.

use super::document::{Next, Reader, Row, Trailer};
use super::table::{DATABASES, Table};
use super::{BATCH_BYTES_MAX, BATCH_ROWS_MAX, Batch, BatchError, Mark, Progress, Summary, Target, TransferError};
use crate::schema::checksum;
use std::io::BufRead;

/// Makes an instance of a document, or goes on making it. `name` is what the document is called in messages. Until this returns well nobody can serve the
/// databases.
///
/// # Errors
/// See [`TransferError`]. Safe to repeat with the same document.
pub async fn import(
    target: &mut Target,
    input: impl BufRead,
    name: &str,
    report: &mut dyn FnMut(Progress),
) -> Result<Summary, TransferError> {
    let mut reader = Reader::new(input, name);
    let header = reader.header()?;
    let document = checksum(serde_json::to_vec(&header).expect("it can be written as JSON")).to_vec();
    let ways = begin(target, &document).await?;
    let mut import = Import { target, name, ways, batch: Pending::default(), rows_before: 0 };
    let mut last = 0;
    let trailer = loop {
        match reader.next()? {
            Next::Row(place, table, row) => {
                if place < last {
                    return Err(reader.fault(format!("{} stands behind tables that may refer to it", table.title())));
                }
                last = place;
                import.take(&reader, table, row).await?;
                if reader.tally().rows().is_multiple_of(BATCH_ROWS_MAX as u64) {
                    report(Progress { database: table.database, table: table.name, rows: reader.tally().rows() });
                }
            }
            Next::Trailer(trailer) => break trailer,
        }
    };
    import.flush().await?;
    import.check(&reader, &trailer)?;
    let rows_before = import.rows_before;
    target.complete().await?;
    Ok(Summary { header, rows: trailer.rows, rows_before })
}

/// How far one database is.
struct Way {
    line: u64,
    /// What the document's rows must sum up to there, until that was seen.
    sum: Option<Vec<u8>>,
}

/// Marks the databases, which must be empty, or finds out how far they are.
async fn begin(target: &mut Target, document: &[u8]) -> Result<[Way; 4], TransferError> {
    let marks = target.marks().await?;
    if marks.iter().flatten().any(|mark| mark.document != document) {
        return Err(TransferError::OtherDocument);
    }
    // The first database's mark is the first to come and the last to go.
    if marks[0].as_ref().is_some_and(|mark| mark.is_complete) {
        return Ok([(); 4].map(|()| Way { line: u64::MAX, sum: None }));
    }
    for (place, mark) in marks.iter().enumerate() {
        if mark.is_none()
            && let Some(table) = target.occupied(place).await?
        {
            return Err(TransferError::NotEmpty { database: DATABASES[place], table });
        }
    }
    for (place, mark) in marks.iter().enumerate() {
        if mark.is_none() {
            target.mark(place, document).await?;
        }
    }
    Ok(marks.map(|mark| match mark {
        Some(Mark { line, sum, .. }) if line > 0 => Way { line, sum: Some(sum) },
        _ => Way { line: 0, sum: None },
    }))
}

/// Rows of one table that are not written yet.
#[derive(Default)]
struct Pending {
    table: Option<&'static Table>,
    rows: Vec<Row>,
    bytes: usize,
    first: u64,
    last: u64,
    sum: [u8; 32],
}

struct Import<'i> {
    target: &'i mut Target,
    name: &'i str,
    ways: [Way; 4],
    batch: Pending,
    rows_before: u64,
}

impl Import<'_> {
    /// Takes the row that was read last.
    async fn take<R: BufRead>(&mut self, reader: &Reader<'_, R>, table: &'static Table, row: Row) -> Result<(), TransferError> {
        let line = reader.number();
        let way = &mut self.ways[table.place()];
        if line <= way.line {
            if line == way.line && way.sum.take_if(|sum| sum[..] == reader.tally().sum()).is_none() {
                return Err(self.altered("what was imported of it has another sum"));
            }
            self.rows_before += 1;
            return Ok(());
        }
        if way.sum.is_some() {
            return Err(self.altered("what was imported of it ends elsewhere"));
        }
        if self.batch.table.is_some_and(|before| !std::ptr::eq(before, table)) {
            self.flush().await?;
        }
        let batch = &mut self.batch;
        if batch.rows.is_empty() {
            (batch.table, batch.first) = (Some(table), line);
        }
        batch.rows.push(row);
        batch.bytes += reader.line_bytes();
        (batch.last, batch.sum) = (line, reader.tally().sum());
        if batch.rows.len() >= BATCH_ROWS_MAX || batch.bytes >= BATCH_BYTES_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    async fn flush(&mut self) -> Result<(), TransferError> {
        let Pending { table: Some(table), rows, first, last, sum, .. } = std::mem::take(&mut self.batch) else { return Ok(()) };
        let way = &mut self.ways[table.place()];
        let written = self.target.write(&Batch { table, rows: &rows, from: way.line, line: last, sum }).await;
        way.line = last;
        let database = table.database;
        written.map_err(|error| match error {
            BatchError::Moved => TransferError::Overtaken { database },
            BatchError::Refused(reason) => {
                TransferError::Refused { name: self.name.to_owned(), first, last, database, table: table.title(), reason }
            }
            BatchError::Away(reason) => TransferError::Database { database, reason },
        })
    }

    /// Whether the document is whole, and the one that it was.
    fn check<R: BufRead>(&self, reader: &Reader<'_, R>, trailer: &Trailer) -> Result<(), TransferError> {
        let found = reader.tally().trailer();
        if self.ways.iter().any(|way| way.sum.is_some()) {
            return Err(self.altered("more of it was imported than there is"));
        }
        if found.tables != trailer.tables || found.rows != trailer.rows {
            return Err(self.altered(&format!("its trailer counts {} rows, and there are {}", trailer.rows, found.rows)));
        }
        if found.sha256 != trailer.sha256 {
            return Err(self.altered("its rows do not sum up to what its trailer says"));
        }
        Ok(())
    }

    fn altered(&self, reason: &str) -> TransferError {
        TransferError::Altered { name: self.name.to_owned(), reason: reason.to_owned() }
    }
}
