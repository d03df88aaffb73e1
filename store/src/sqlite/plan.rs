//! How SQLite carries each statement out. A statement that reads a growing table from end to end, or sorts what an index should give in order, is
//! slow only once there is something to read: so it is found here.

use super::migration::{SCHEMAS, bring_up};
use super::{content, database, media, shop, transaction, users, verdict};
use rusqlite::Connection;

/// Plans that read a whole table or index, and why they may.
const WHOLE: [(&str, &str); 6] = [
    ("SCAN media_condemned", "in the order of its key, up to a limit"),
    ("SCAN slot_epoch", "at most 4096 rows, all of them wanted"),
    ("SCAN outbox", "in the order of its key, up to a limit"),
    ("SCAN relation USING COVERING INDEX relation_pulled", "an index of only the rows that are wanted"),
    ("SCAN person_text VIRTUAL TABLE INDEX 192:M7<", "the words that are asked for (M), below a row (<), in the order of its rows"),
    ("SCAN person USING COVERING INDEX person_inactive", "an index of only the rows that are wanted"),
];

/// Statements that sort what they found, and why they may.
const SORTS: [(&str, &str); 1] = [("TRENDING", "a week's hashtags, summed up and ranked; kept until one of them moves")];

fn database(number: usize) -> Connection {
    let mut db = Connection::open_in_memory().expect("memory");
    bring_up(&mut db, &SCHEMAS[number]).expect("migrations");
    db
}

/// The plan's steps, and those of them that must not be.
fn judge(db: &Connection, sql: &str) -> (Vec<String>, Vec<String>) {
    // Who inserts a parent looks for its children only while a foreign key is violated, which none ever is: that step is in the plan, and not taken.
    db.pragma_update(None, "foreign_keys", !sql.starts_with("INSERT")).expect("a setting");
    let mut statement = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap_or_else(|e| panic!("{sql}: {e}"));
    let nothing = vec![rusqlite::types::Null; statement.parameter_count()];
    let steps = statement.query_map(rusqlite::params_from_iter(nothing), |row| row.get::<_, String>(3)).expect("a plan");
    let steps: Vec<String> = steps.collect::<Result<_, _>>().expect("steps");
    let allowed = |step: &str| WHOLE.iter().any(|(plan, _)| *plan == step) || step == "SCAN CONSTANT ROW";
    // A full-text index is walked by its words.
    let allowed = |step: &str| allowed(step) || step.contains(" VIRTUAL TABLE INDEX ");
    let bad = steps.iter().filter(|s| (s.starts_with("SCAN") && !allowed(s)) || s.contains("TEMP B-TREE")).cloned().collect();
    (steps, bad)
}

fn check<'a>(number: usize, statements: impl IntoIterator<Item = (&'a str, &'a str)>) {
    let db = database(number);
    for (name, sql) in statements {
        let (steps, bad) = judge(&db, sql);
        let sorts = SORTS.iter().any(|(known, _)| *known == name);
        let bad: Vec<_> = bad.into_iter().filter(|step| !sorts || step.starts_with("SCAN")).collect();
        assert!(bad.is_empty(), "{name}: {steps:#?}");
    }
}

fn all<'a>(lists: &[&[(&'a str, &'a str)]]) -> Vec<(&'a str, &'a str)> {
    lists.concat()
}

#[test]
fn every_statement_finds_its_rows_by_an_index() {
    let protocol = [database::STATEMENTS, transaction::STATEMENTS, verdict::STATEMENTS];
    for number in 0..SCHEMAS.len() {
        check(number, all(&protocol));
    }
    let users = [
        users::read::STATEMENTS,
        users::write::STATEMENTS,
        users::block::STATEMENTS,
        users::audit::STATEMENTS,
        users::search::STATEMENTS,
        users::account::STATEMENTS,
    ];
    check(0, all(&users));
    check(
        1,
        all(&[
            content::STATEMENTS,
            content::write::STATEMENTS,
            content::find::STATEMENTS,
            content::index::STATEMENTS,
            content::person::STATEMENTS,
        ]),
    );
    let shop = [shop::STATEMENTS, shop::write::STATEMENTS, shop::basket::STATEMENTS, shop::review::STATEMENTS, shop::search::STATEMENTS];
    check(2, all(&shop));
    check(0, all(&[users::case::STATEMENTS]));
    check(3, all(&[media::STATEMENTS]));
    let selections = shop::selection::statements();
    check(2, selections.iter().map(|sql| (sql.as_str(), sql.as_str())));
}

/// Lists of ids walk an index and touch no row, also where a filter skips many.
#[test]
fn lists_of_ids_read_only_an_index() {
    let covered = |number, statements: Vec<(&str, &str)>| {
        let db = database(number);
        for (name, sql) in statements.into_iter().filter(|(_, sql)| sql.contains("LIMIT")) {
            let (steps, _) = judge(&db, sql);
            assert!(steps.iter().all(|s| s.contains("COVERING INDEX")), "{name}: {steps:?}");
        }
    };
    let named = |list: &[(&'static str, &'static str)], names: &[&str]| list.iter().filter(|(n, _)| names.contains(n)).copied().collect();
    covered(0, named(users::read::STATEMENTS, &["FOLLOWING_PAGE", "FOLLOWERS_PAGE", "FOLLOWERS", "ENDORSERS_PAGE", "SESSIONS"]));
    covered(0, named(users::block::STATEMENTS, &["BLOCKED_PAGE"]));
    covered(0, named(users::case::STATEMENTS, &["QUEUE", "QUEUE_OF_STATUS", "CASES_OF"]));
    covered(1, named(content::STATEMENTS, &["TIMELINE", "TIMELINE_BETWEEN", "PUBLIC_POSTS"]));
    covered(1, named(content::find::STATEMENTS, &["TIMELINE_OPEN", "TIMELINE_FRIENDS", "TIMELINE_OWN", "BOOKMARKS"]));
    covered(2, named(shop::STATEMENTS, &["SELLER_PRODUCTS"]));
    covered(2, named(shop::review::STATEMENTS, &["REVIEWS", "REVIEWS_BY", "VOTED"]));
    covered(2, named(shop::basket::STATEMENTS, &["WISHES", "CHECKOUTS_DUE"]));
    covered(3, named(media::STATEMENTS, &["PUBLIC_FILES", "FILES_OF", "PENDING_FILES"]));
    let selections = shop::selection::statements();
    covered(2, selections.iter().map(|sql| (sql.as_str(), sql.as_str())).collect());
}

#[test]
fn a_scan_and_a_sort_are_found() {
    let db = database(0);
    for sql in ["SELECT id FROM person WHERE bio = ?1", "SELECT id FROM person WHERE id > ?1 ORDER BY bio", "SELECT count(*) FROM follow"] {
        assert!(!judge(&db, sql).1.is_empty(), "{sql}");
    }
}
