//! A whole instance as a document, out of either store and into either.

use crate::make::*;
use prometheus::Registry;
use protocol::file::{ContentHash, Quota, Usage};
use protocol::user::User;
use protocol::{Key, Kind};
use std::path::Path;
use store::postgres::{self, Urls};
use store::sqlite::{self, Sqlite, SqliteOptions};
use store::transfer::{Source, Summary, Target, TransferError, export, import};
use store::{MediaWrite, Stores, Touch, UsersWrite};
use tempfile::TempDir;
use testbed::postgres::Databases;

/// A row of every table, as format 1 wrote it: documents outlive the release that wrote them.
const GOLDEN: &str = include_str!("../golden/export_v1.ndjson");

/// Where a document goes.
enum Place {
    Sqlite(TempDir),
    Postgres(Databases),
}

impl Place {
    fn all() -> [Self; 2] {
        [Self::sqlite(), Self::postgres()]
    }

    fn sqlite() -> Self {
        Self::Sqlite(tempfile::tempdir().expect("a directory"))
    }

    fn postgres() -> Self {
        Self::Postgres(Databases::none())
    }

    async fn import(&self, document: &str) -> Result<Summary, TransferError> {
        let mut target = match self {
            Self::Sqlite(dir) => Target::sqlite(dir.path())?,
            Self::Postgres(databases) => Target::postgres(&urls(databases), PATIENCE).await?,
        };
        import(&mut target, document.as_bytes(), "it", &mut |_| ()).await
    }

    async fn export(&self) -> String {
        let source = match self {
            Self::Sqlite(dir) => Source::sqlite(dir.path()),
            Self::Postgres(databases) => Source::postgres(&urls(databases), PATIENCE).await,
        };
        let mut out = Vec::new();
        export(&source.expect("opened"), &mut out, &mut |_| ()).await.expect("exported");
        String::from_utf8(out).expect("text")
    }

    /// Opens the store as a server does; `None` where an import is unfinished.
    async fn open(&self) -> Option<Stores> {
        match self {
            Self::Sqlite(dir) => open_sqlite(dir.path()),
            Self::Postgres(databases) => {
                match postgres::Postgres::open(&urls(databases), &postgres::PostgresOptions::default(), &Registry::new()).await {
                    Ok(postgres) => Some(postgres.stores()),
                    Err(postgres::OpenError::Unfinished { .. }) => None,
                    Err(error) => panic!("{error}"),
                }
            }
        }
    }
}

fn open_sqlite(dir: &Path) -> Option<Stores> {
    match Sqlite::open(dir, &SqliteOptions::default(), &Registry::new()) {
        Ok(sqlite) => Some(sqlite.stores()),
        Err(sqlite::OpenError::Unfinished { .. }) => None,
        Err(error) => panic!("{error}"),
    }
}

fn urls(databases: &Databases) -> Urls {
    Urls { all: Some(databases.url().to_owned()), ..Urls::default() }
}

/// All but the first line, which says when and by whom it was made.
fn rows(document: &str) -> &str {
    document.split_once('\n').expect("lines").1
}

#[track_caller]
fn same(one: &str, other: &str) {
    for (one, other) in rows(one).lines().zip(rows(other).lines()) {
        assert_eq!(one, other);
    }
    assert_eq!(rows(one).len(), rows(other).len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_of_every_table_goes_into_either_store_and_out_again() {
    for (from, to) in [(Place::sqlite(), Place::postgres()), (Place::postgres(), Place::sqlite())] {
        let summary = from.import(GOLDEN).await.expect("imported");
        assert_eq!((summary.rows, summary.rows_before), (GOLDEN.lines().count() as u64 - 2, 0));
        let first = from.export().await;
        same(&first, GOLDEN);
        to.import(&first).await.expect("imported");
        same(&to.export().await, GOLDEN);
        for place in [from, to] {
            let stores = place.open().await.expect("it is whole");
            assert_eq!(stores.users.epochs().await.expect("epochs").len(), 2);
            let effects = stores.users.outbox(None, 10).await.expect("effects");
            assert!(matches!(effects[..], [store::Outboxed { effect: store::Effect::Changed { version: 7, .. }, .. }]), "{effects:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_import_goes_on_where_it_was_and_nobody_serves_a_part() {
    let lines: Vec<_> = GOLDEN.split_inclusive('\n').collect();
    for place in Place::all() {
        let mut before = 0;
        for end in [1, 2, 20, 21, lines.len() / 2, lines.len() - 1] {
            // It is cut off within a line.
            let mut part = lines[..end].concat();
            part.push_str(&lines[end][..lines[end].len() - 1]);
            let cut = place.import(&part).await.expect_err("it is not whole");
            assert!(matches!(cut, TransferError::CutOff { line, .. } if line == end as u64 + 1), "{cut}");
            assert!(place.open().await.is_none(), "nobody is served a part of it");
        }
        let other = GOLDEN.replacen("2023-11-14", "2023-11-15", 1);
        assert!(matches!(place.import(&other).await, Err(TransferError::OtherDocument)));
        let summary = place.import(GOLDEN).await.expect("imported");
        assert!(std::mem::replace(&mut before, summary.rows_before) < summary.rows_before, "what was there was not done twice");
        same(&place.export().await, GOLDEN);
        assert!(matches!(place.import(GOLDEN).await, Err(TransferError::NotEmpty { database: "users", .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_the_document_that_was_written_is_refused() {
    let half: String = GOLDEN.split_inclusive('\n').take(30).collect();
    let altered = |document: &str| document.replacen("Lovelace", "Loveless", 1);
    for place in Place::all() {
        let error = place.import(&altered(GOLDEN)).await.expect_err("refused");
        assert!(matches!(&error, TransferError::Altered { reason, .. } if reason.contains("sum up")), "{error}");
        assert!(place.open().await.is_none());
        // What is there is not what the sound one says, though all lines behind it are.
        let error = place.import(GOLDEN).await.expect_err("refused");
        assert!(matches!(&error, TransferError::Altered { reason, .. } if reason.contains("another sum")), "{error}");
    }
    for place in Place::all() {
        place.import(&altered(&half)).await.expect_err("cut off");
        assert!(matches!(place.import(GOLDEN).await, Err(TransferError::Altered { .. })));
    }
    let without = GOLDEN.split_inclusive('\n').filter(|line| !line.contains("\"table\":\"users.follow\"")).collect::<String>();
    let error = Place::sqlite().import(&without).await.expect_err("refused");
    assert!(error.to_string().contains("counts 61 rows, and there are 60"), "{error}");
    let twice = format!("{GOLDEN}{GOLDEN}");
    assert!(Place::sqlite().import(&twice).await.expect_err("refused").to_string().contains("two of them"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_the_database_refuses_is_named_by_its_lines() {
    for (from, to, why) in [("\"role\":\"admin\"", "\"role\":\"king\"", "role"), ("\"rating\":5", "\"rating\":77777", "")] {
        let document = GOLDEN.replacen(from, to, 1);
        for place in Place::all() {
            let error = place.import(&document).await.expect_err("refused");
            let TransferError::Refused { first, last, reason, .. } = &error else { panic!("{error}") };
            let line = document.lines().position(|line| line.contains(to)).expect("a line") as u64 + 1;
            assert!((*first..=*last).contains(&line) && reason.contains(why), "{error}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_written_by_either_store_is_taken_by_the_other() {
    for (from, to) in [(Place::sqlite(), Place::postgres()), (Place::postgres(), Place::sqlite())] {
        let stores = from.open().await.expect("new");
        let ada = somebody(&stores).await;
        let mut raised = saving(&User { version: 2, ..ada.clone() }, UsersWrite::Save);
        raised.touches = vec![Touch::Key(Key::new(Kind::Follows, ada.id))];
        stores.users.commit(raised).await.expect("committed");
        let photo = file(ada.id, ContentHash([7; 32]));
        let folder = stores.media.hold(photo.content_hash, NOW).await.expect("held");
        stores.media.commit(filing(&photo, |file| MediaWrite::CreateFile(file, folder, Quota::NONE))).await.expect("kept");
        let effects = stores.users.outbox(None, 10).await.expect("effects");
        assert!(!effects.is_empty());
        drop(stores);
        to.import(&from.export().await).await.expect("imported");
        let stores = to.open().await.expect("whole");
        assert_eq!(stores.users.outbox(None, 10).await.expect("effects"), effects);
        let usage = stores.media.usage(ada.id).await.expect("a read");
        assert_eq!(usage, Usage { files: 1, bytes: photo.size }, "what nobody wrote into the document");
    }
}
