//! The data directory.

use super::*;
use crate::make::*;

fn error(opened: Result<Sqlite, OpenError>) -> OpenError {
    match opened {
        Ok(_) => panic!("it was opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_directory_is_of_one_process_at_a_time() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("made").join("here");
    let first = open(&path);
    let refused = error(try_open(&path, &SqliteOptions::default()));
    let text = whole(&refused);
    assert!(matches!(refused, OpenError::InUse { .. }), "{text}");
    for part in [path.to_str().expect("text"), &format!("pid {}", std::process::id()), "stop that one"] {
        assert!(text.contains(part), "{text:?} does not say {part:?}");
    }
    assert!(matches!(store::sqlite::migrate(&path, false), Err(OpenError::InUse { .. })));
    assert!(matches!(store::sqlite::bulk::Bulk::open(&path).map(drop), Err(OpenError::InUse { .. })));
    assert_eq!(store::sqlite::migrate(&path, true).expect("a dry run changes nothing"), []);
    first.close();
    open(&path).close();
}

#[test]
fn a_directory_that_cannot_be_made_is_named() {
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("file");
    std::fs::write(&file, "").expect("a file");
    let text = whole(&error(try_open(&file.join("data"), &SqliteOptions::default())));
    assert!(text.contains("file/data") && text.to_lowercase().contains("not a directory"), "{text}");
}

#[cfg(unix)]
#[tokio::test]
async fn nobody_else_may_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    let sqlite = open(&path);
    somebody(&sqlite.stores()).await;
    let mode = |path: &Path| std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o700);
    for entry in path.read_dir().expect("a directory") {
        let entry = entry.expect("a file").path();
        assert_eq!(mode(&entry), 0o600, "{}", entry.display());
    }
}

#[tokio::test]
async fn a_closed_directory_has_no_logs_and_all_rows() {
    let dir = tempfile::tempdir().expect("a directory");
    let sqlite = open(dir.path());
    let stores = sqlite.stores();
    let user = somebody(&stores).await;
    sqlite.close();
    let mut files: Vec<_> = dir.path().read_dir().expect("a directory").map(|e| e.expect("a file").file_name()).collect();
    files.sort();
    assert_eq!(files, ["content.db", "lock", "media.db", "shop.db", "users.db"]);
    // Whoever kept the stores is told, and does not hang.
    assert!(matches!(stores.users.user(user.id).await, Err(store::StoreError::Unavailable { .. })));
    let write = stores.users.commit(registering(&person("late"))).await;
    assert!(matches!(write, Err(store::CommitError::Unavailable(_))));

    let again = open(dir.path());
    assert_eq!(again.stores().users.user(user.id).await.expect("a read"), Some(user));
}

/// The threads end by themselves, after what was queued, when nobody can ask them any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_stores_finish_their_work_and_let_go() {
    let dir = tempfile::tempdir().expect("a directory");
    let sqlite = open(dir.path());
    let stores = sqlite.stores();
    drop(sqlite);
    let user = person("ada");
    tokio::select! {
        biased;
        _ = stores.users.commit(registering(&user)) => {}
        () = std::future::ready(()) => {}
    }
    drop(stores);
    let again = tokio::task::spawn_blocking(move || {
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(20);
        loop {
            match try_open(dir.path(), &SqliteOptions::default()) {
                Err(OpenError::InUse { .. }) if std::time::Instant::now() < deadline => std::thread::yield_now(),
                opened => return (opened.expect("let go"), dir),
            }
        }
    });
    let (again, _dir) = again.await.expect("no panic");
    assert_eq!(again.stores().users.user(user.id).await.expect("a read"), Some(user));
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_corrupt_and_not_absent() {
    let dir = tempfile::tempdir().expect("a directory");
    let sqlite = open(dir.path());
    let user = somebody(&sqlite.stores()).await;
    let db = rusqlite::Connection::open(dir.path().join("users.db")).expect("a database");
    db.execute("UPDATE person SET interests = 'tea'", []).expect("spoiled");
    let Err(store::StoreError::Corrupt { database: "users", reason }) = sqlite.stores().users.user(user.id).await else {
        panic!("it was read")
    };
    assert!(!reason.is_empty());
}
