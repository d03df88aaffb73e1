//! Loading many rows at once into a data directory that nobody serves: demo content, imports.
//!
//! Each call is one transaction, so tens of thousands of rows a call are a good size. It keeps what the platform's own writes keep: counters equal
//! the rows that they count, and each key's version is what as many single writes would have left. There are no effects: nobody caches anything yet.

use super::column::list;
use super::fault::Fault;
use super::migration::{SCHEMAS, bring_up};
use super::{OpenError, connection, content, directory, shop, transaction, transfer, users};
use crate::CommitError;
use protocol::comment::Comment;
use protocol::post::Post;
use protocol::product::Product;
use protocol::user::User;
use protocol::{Key, Kind, PostId, Timestamp, UserId};
use rusqlite::{Connection, TransactionBehavior};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The page cache while loading, in KiB: the indexes of what is loaded should stay in it.
const CACHE_KIB: i64 = 128 * 1024;
/// How long the log grows before it is folded into the database, in pages.
const CHECKPOINT_PAGES: u32 = 16 * 1024;

/// A follow to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Follow {
    /// Who follows.
    pub follower: UserId,
    /// Whom.
    pub followee: UserId,
    /// Since when.
    pub at: Timestamp,
}

/// A data directory open for loading; its lock is held meanwhile.
///
/// Every method loads all of what it is given or, with an error, nothing of it: [`CommitError::Taken`] for a username or address that somebody
/// has, [`CommitError::Missing`] for a row that refers to one that is not there, [`CommitError::Conflict`] for an id that exists.
/// A power cut can take the last calls' rows with it, but never part of a call's; [`Bulk::close`] makes them durable.
pub struct Bulk {
    users: Connection,
    content: Connection,
    shop: Connection,
    /// Nothing is loaded into it; without it the directory would not be whole.
    media: Connection,
    _lock: directory::Lock,
}

impl Bulk {
    /// Opens a data directory, and makes it where there is none.
    ///
    /// # Errors
    /// As [`Sqlite::open`](super::Sqlite::open); it is in use while somebody serves it.
    pub fn open(dir: &Path) -> Result<Self, OpenError> {
        let lock = directory::take(dir)?;
        let [users, content, shop, media] = &SCHEMAS;
        let open = |schema: &'static super::Schema| {
            let fault = OpenError::sqlite(schema.database);
            let path = directory::make_file(dir, schema.database)?;
            let mut db = connection::writer(&path, Duration::ZERO).map_err(&fault)?;
            bring_up(&mut db, schema)?;
            transfer::refuse_unfinished(&db, schema.database)?;
            configure(&db).map_err(&fault)?;
            Ok(db)
        };
        Ok(Self { users: open(users)?, content: open(content)?, shop: open(shop)?, media: open(media)?, _lock: lock })
    }

    /// Loads people with their skills and password hashes (PHC form). Skills begin without endorsements.
    ///
    /// # Errors
    /// See [`Bulk`].
    pub fn users(&mut self, people: &[(User, String)]) -> Result<(), CommitError> {
        load("users", &mut self.users, |db| people.iter().try_for_each(|(user, hash)| users::write::insert_person(db, user, hash)))
    }

    /// Loads follows, and answers how many of them were new. The first call is ten times as fast as the next ones: it should have most of them.
    ///
    /// # Errors
    /// See [`Bulk`].
    pub fn follows(&mut self, follows: &[Follow]) -> Result<usize, CommitError> {
        // In the order of the table, so that its pages are filled one after the other.
        let mut follows = follows.to_vec();
        follows.sort_unstable();
        load("users", &mut self.users, |db| indexes_last(db, |db| insert_follows(db, &follows)))
    }

    /// Loads posts. They begin without comments and reactions, and are counted at nothing that they share.
    ///
    /// # Errors
    /// See [`Bulk`].
    pub fn posts(&mut self, posts: &[Post]) -> Result<(), CommitError> {
        load("content", &mut self.content, |db| {
            posts.iter().try_for_each(|post| {
                content::write::insert_post(db, post)?;
                content::index::load(db, post)
            })?;
            raise_each(db, Kind::Timeline, posts.iter().map(|post| post.user_id))
        })
    }

    /// Loads comments on posts that are there.
    ///
    /// # Errors
    /// See [`Bulk`]. What a comment answers should stand before it; if it is nowhere, that is not noticed.
    pub fn comments(&mut self, comments: &[Comment]) -> Result<(), CommitError> {
        load("content", &mut self.content, |db| {
            let mut counts = BTreeMap::<PostId, u32>::new();
            for comment in comments {
                content::write::insert_comment(db, comment.post_id, comment)?;
                content::write::count_reply(db, comment.post_id, comment)?;
                *counts.entry(comment.post_id).or_default() += 1;
            }
            counts.into_iter().try_for_each(|(post, count)| content::write::count_comments(db, post, count))
        })
    }

    /// Loads products.
    ///
    /// # Errors
    /// See [`Bulk`].
    pub fn products(&mut self, products: &[Product]) -> Result<(), CommitError> {
        load("shop", &mut self.shop, |db| {
            products.iter().try_for_each(|product| shop::write::insert_product(db, product))?;
            raise_each(db, Kind::SellerProducts, products.iter().map(|product| product.seller_id))
        })
    }

    /// Makes everything durable, folds the logs into the databases, and lets go of the directory.
    ///
    /// # Errors
    /// When the disk refuses. What was loaded is in the logs then, and is read at the next start.
    pub fn close(self) -> Result<(), OpenError> {
        for (database, db) in [("users", self.users), ("content", self.content), ("shop", self.shop), ("media", self.media)] {
            let fault = OpenError::sqlite(database);
            db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(fault)?;
            db.close().map_err(|(_, error)| fault(error))?;
        }
        Ok(())
    }
}

/// What is set for loading. NORMAL syncs only when the log is folded in; the log keeps each transaction whole all the same.
pub(super) fn configure(db: &Connection) -> rusqlite::Result<()> {
    db.pragma_update(None, "synchronous", "NORMAL")?;
    db.pragma_update(None, "cache_size", -CACHE_KIB)?;
    db.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)
}

fn load<T>(database: &'static str, db: &mut Connection, load: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, CommitError> {
    let run = || {
        let transaction = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let loaded = load(&transaction)?;
        transaction.commit()?;
        Ok(loaded)
    };
    run().map_err(|fault: Fault| fault.refusal(database))
}

fn insert_follows(db: &Connection, follows: &[Follow]) -> Result<usize, Fault> {
    let mut counts = BTreeMap::<UserId, (u32, u32)>::new();
    let mut added = 0;
    for follow in follows {
        if users::write::insert_follow(db, follow.follower, follow.followee, follow.at)? {
            counts.entry(follow.followee).or_default().0 += 1;
            counts.entry(follow.follower).or_default().1 += 1;
            added += 1;
        }
    }
    for (person, (followers, following)) in counts {
        users::write::count_follows(db, person, followers.into(), following.into())?;
        transaction::raise(db, Key::new(Kind::Follows, person), u64::from(followers) + u64::from(following))?;
    }
    Ok(added)
}

/// Loads follows with the table's indexes put off, if it is empty. They are in another order than the table: kept up row by row, each row of a
/// large graph would rewrite a page at random; built at the end, each index is sorted and written once. It is all in the call's one transaction.
fn indexes_last<T>(db: &Connection, load: impl FnOnce(&Connection) -> Result<T, Fault>) -> Result<T, Fault> {
    if db.query_row("SELECT EXISTS (SELECT 1 FROM follow)", [], |row| row.get(0))? {
        return load(db);
    }
    let indexes = "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'follow' AND sql IS NOT NULL";
    let indexes: Vec<(String, String)> = list(db, indexes, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (name, _) in &indexes {
        db.execute_batch(&format!("DROP INDEX {name}"))?;
    }
    let loaded = load(db)?;
    for (_, sql) in &indexes {
        db.execute_batch(sql)?;
    }
    Ok(loaded)
}

/// Raises the version of each person's key of `kind` by as often as they occur.
fn raise_each(db: &Connection, kind: Kind, people: impl Iterator<Item = UserId>) -> Result<(), Fault> {
    let mut counts = BTreeMap::<UserId, u64>::new();
    for person in people {
        *counts.entry(person).or_default() += 1;
    }
    for (person, count) in counts {
        transaction::raise(db, Key::new(kind, person), count)?;
    }
    Ok(())
}
