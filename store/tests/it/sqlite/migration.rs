//! Schemas, older and newer.

use super::*;
use store::sqlite::migrate;

fn users_db(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("users.db")).expect("a database")
}

#[test]
fn a_dry_run_says_what_is_missing_and_makes_nothing() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("data");
    let planned = migrate(&path, true).expect("planned");
    assert!(!path.exists());
    assert_eq!(migrate(&path, false).expect("migrated"), planned);
    let names: Vec<_> = planned.iter().map(|a| (a.database, a.version, a.name)).collect();
    assert!(names.contains(&("users", 1, "0001_write_protocol")) && names.contains(&("shop", 2, "0002_products")), "{names:?}");
    assert_eq!(migrate(&path, true).expect("planned"), []);
    assert_eq!(migrate(&path, false).expect("migrated"), []);
    open(&path).close();
}

#[test]
fn a_newer_database_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    open(dir.path()).close();
    let next = "INSERT INTO schema_migration (version, name, checksum, applied_at) VALUES (6, '0006_later', x'00', 0)";
    users_db(dir.path()).execute(next, []).expect("a later release was here");
    for refused in [
        try_open(dir.path(), &SqliteOptions::default()).map(drop),
        migrate(dir.path(), true).map(drop),
        migrate(dir.path(), false).map(drop),
    ] {
        let error = refused.expect_err("it is newer");
        assert!(matches!(error, OpenError::Newer { database: "users", found: 6, known: 5 }), "{error:?}");
        assert!(whole(&error).contains("newer"), "{error}");
    }
}

#[test]
fn a_changed_migration_is_noticed() {
    let dir = tempfile::tempdir().expect("a directory");
    open(dir.path()).close();
    for change in
        ["UPDATE schema_migration SET checksum = x'00' WHERE version = 2", "UPDATE schema_migration SET name = 'x' WHERE version = 1"]
    {
        users_db(dir.path()).execute(change, []).expect("changed");
        let error = try_open(dir.path(), &SqliteOptions::default()).map(drop).expect_err("it is not ours");
        assert!(matches!(error, OpenError::Edited { database: "users", .. }), "{error:?}");
    }
}

#[test]
fn a_failed_migration_is_undone_and_said() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir_all(dir.path()).expect("a directory");
    users_db(dir.path()).execute_batch("CREATE TABLE person (id TEXT)").expect("a foreign table");
    let error = try_open(dir.path(), &SqliteOptions::default()).map(drop).expect_err("the name is in use");
    assert!(whole(&error).contains("person"), "{}", whole(&error));
    let applied: u32 = users_db(dir.path()).query_row("SELECT max(version) FROM schema_migration", [], |r| r.get(0)).expect("a version");
    assert_eq!(applied, 1, "what went well before stays");
}

#[test]
fn a_file_that_is_no_database_is_refused() {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::write(dir.path().join("shop.db"), [7; 8192]).expect("a file");
    let error = try_open(dir.path(), &SqliteOptions::default()).map(drop).expect_err("it is no database");
    assert!(matches!(error, OpenError::Sqlite { database: "shop", .. }), "{error:?}");
}
