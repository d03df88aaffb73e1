//! What an instance is: every table that is truth, once for both stores, with the key that its rows are in the order of.
//!
//! Rows of a table stand behind those that they refer to. What follows from other rows is not here, but for what cannot be told from them: in which order
//! things came into a list. A test compares this with the schemas of both stores, so no migration adds a table or a column that is forgotten here.

/// What a column holds, whatever the store calls that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// An id. In the document its usual form.
    Id,
    /// Bytes. In the document base64.
    Bytes,
    /// A text.
    Text,
    /// A number of up to 64 bits.
    Int,
    /// Yes or no.
    Bool,
    /// An instant. In the document milliseconds since 1970.
    Time,
    /// A list or object.
    Json,
}

/// A column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// Whether it may hold nothing.
    pub(crate) is_optional: bool,
    /// Whether Postgres computes it by itself. (SQLite's rows hold it.)
    pub(crate) is_computed: bool,
}

/// How a table's rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// As they are.
    Rows,
    /// Epochs of slots: an epoch is never lowered, and one of 0 is not told.
    Epochs,
    /// Effects that are still to be delivered. The version of a changed key is in the effect, as SQLite has it.
    Effects,
    /// As they are; triggers keep sums of them, which are not told.
    Counted,
    /// What things are found by. Only their numbers are told; the words are made again of the things, by what makes them for every write.
    Found,
}

/// A table of one database.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) database: &'static str,
    pub(crate) name: &'static str,
    pub(crate) role: Role,
    /// The columns that its rows are in the order of.
    pub(crate) key: &'static [&'static str],
    pub(crate) columns: &'static [Column],
}

impl Table {
    /// As it is called in a document.
    pub(crate) fn title(&self) -> String {
        format!("{}.{}", self.database, self.name)
    }

    /// The place of the table's database among the databases.
    pub(crate) fn place(&self) -> usize {
        DATABASES.iter().position(|name| *name == self.database).expect("a table is in one of them")
    }

    /// The columns' names as a statement lists them.
    pub(crate) fn names(columns: &[Column]) -> String {
        columns.iter().map(|column| column.name).collect::<Vec<_>>().join(", ")
    }

    /// The kind of a column of the key.
    pub(crate) fn kind_of(&self, name: &str) -> Kind {
        self.columns.iter().find(|column| column.name == name).expect("a key is of columns").kind
    }
}

/// The databases, in the order of the schemas.
pub(crate) const DATABASES: [&str; 4] = ["users", "content", "shop", "media"];

/// `name [key] { columns } { columns that may hold nothing }`
macro_rules! tables {
    ($database:literal: $($role:ident $name:ident [$($key:ident),+] { $($column:ident: $kind:ident $(= $computed:ident)?),* } { $($optional:ident: $of:ident),* })*) => {
        &[$(Table {
            database: $database,
            name: stringify!($name),
            role: Role::$role,
            key: &[$(stringify!($key)),+],
            columns: &[
                $(Column { name: stringify!($column), kind: Kind::$kind, is_optional: false, is_computed: tables!(@ $($computed)?) },)*
                $(Column { name: stringify!($optional), kind: Kind::$of, is_optional: true, is_computed: false },)*
            ],
        }),*]
    };
    (@) => { false };
    (@ computed) => { true };
}

/// What every database has, and what each has of its own. Written once for each, because a table knows its database.
macro_rules! with_protocol {
    ($database:literal: $($own:tt)*) => {
        tables! { $database:
            Epochs slot_epoch [slot] { slot: Int, epoch: Int } {}
            Rows key_version [kind, id] { kind: Int, id: Id, version: Int } {}
            Rows idempotency [subject, route, key] {
                subject: Id, route: Text, key: Text, fingerprint: Bytes, outcome: Text, version: Int, body: Bytes, write_id: Id, at: Time
            } {}
            Effects outbox [id] { id: Int, write_id: Id, slot: Int, at: Time, effect: Bytes } {}
            $($own)*
        }
    };
}

const USERS: &[Table] = with_protocol! { "users":
    Rows person [id] {
        id: Id, username: Text, username_folded: Text, email: Text, email_folded: Text, role: Text, is_active: Bool, interests: Json, social_links: Json,
        created_at: Time, updated_at: Time, version: Int
    } {
        first_name: Text, last_name: Text, bio: Text, avatar: Text, phone_number: Text, date_of_birth: Text, location: Text, website: Text, company: Text,
        job_title: Text
    }
    Rows credential [person_id] { person_id: Id, password_hash: Text, updated_at: Time } {}
    Rows session [token_hash] { token_hash: Bytes, person_id: Id, created_at: Time, expires_at: Time } { user_agent: Text, network: Text, seen_at: Time }
    Rows password_reset [person_id] { person_id: Id, token_hash: Bytes, expires_at: Time } {}
    Rows errand [person_id, task] { person_id: Id, task: Text, asked_at: Time, due_at: Time, failures: Int } {}
    Rows skill [id] { id: Id, person_id: Id, name: Text, name_folded: Text, level: Text, endorsements: Int, created_at: Time } {}
    Rows endorsement [skill_id, endorser_id] { skill_id: Id, endorser_id: Id, created_at: Time } {}
    Rows relation [person_id] { person_id: Id, followers: Int, following: Int, pulled: Bool, blocks: Int } {}
    Rows follow [follower, followee] { follower: Id, followee: Id, created_at: Time } {}
    Rows block [blocker, blocked] { blocker: Id, blocked: Id, created_at: Time } {}
    Rows audit_log [id] { id: Id, action: Text, target_type: Text, target_id: Id, details: Json, created_at: Time } { actor_id: Id, ip: Text }
    Rows moderation_case [id] {
        id: Id, target_type: Text, author_id: Id, status: Text, hidden: Bool, flags: Int, reasons: Json, opened_at: Time, created_at: Time,
        updated_at: Time, version: Int, priority: Int
    } { place_id: Id, decided_by: Id, decision_note: Text, decided_at: Time, appeal_note: Text, appealed_at: Time }
    Rows moderation_flag [id] { id: Id, case_id: Id, reporter_id: Id, reason: Text, is_open: Bool, created_at: Time } { note: Text }
    Rows verdict [id] { id: Id, hidden: Bool, case_version: Int } {}
    Found person_search [serial] { serial: Int, person_id: Id } {}
};

const CONTENT: &[Table] = with_protocol! { "content":
    Rows post [id] {
        id: Id, user_id: Id, content: Text, post_type: Text, media_ids: Json, visibility: Text, likes_count: Int, comments_count: Int, shares_count: Int,
        reactions: Json, is_published: Bool, created_at: Time, updated_at: Time, version: Int, deleted: Bool
    } { parent_id: Id }
    Rows comment [id] {
        id: Id, post_id: Id, user_id: Id, content: Text, score: Int, reply_count: Int, deleted: Bool, created_at: Time, updated_at: Time
    } { parent_id: Id }
    Rows reaction [post_id, user_id] { post_id: Id, user_id: Id, reaction: Text, at: Time } {}
    Rows verdict [id] { id: Id, hidden: Bool, case_version: Int } {}
    Rows post_hashtag [tag, post_id] { tag: Text, post_id: Id } {}
    Rows hashtag_day [day, tag] { day: Int, tag: Text, posts: Int } {}
    Rows bookmark [id] { id: Id, user_id: Id, post_id: Id, created_at: Time } {}
    Found post_search [seq] { seq: Int, post_id: Id } {}
};

const SHOP: &[Table] = with_protocol! { "shop":
    Rows product [id] {
        id: Id, seller_id: Id, name: Text, price_cents: Int, currency: Text, images: Json, stock: Int, is_public: Bool, is_active: Bool, created_at: Time,
        updated_at: Time, version: Int, deleted: Bool, rating_sum: Int, rating_count: Int, rating_rank: Int = computed
    } { description: Text, category: Text }
    Rows product_order [id] {
        id: Id, buyer_id: Id, seller_id: Id, product_id: Id, quantity: Int, total_cents: Int, currency: Text, status: Text, shipping_address: Json,
        payment_status: Text, created_at: Time, updated_at: Time, version: Int
    } { payment_method: Text }
    Rows cart_item [id] {
        id: Id, user_id: Id, product_id: Id, quantity: Int, price_cents: Int, currency: Text, created_at: Time, updated_at: Time
    } {}
    Rows checkout [id] {
        id: Id, user_id: Id, state: Text, lines: Json, request: Json, answer: Bytes, expires_at: Time, created_at: Time, version: Int
    } { fingerprint: Bytes }
    Rows reservation [checkout_id, product_id] {
        checkout_id: Id, product_id: Id, seller_id: Id, quantity: Int, price_cents: Int, currency: Text
    } {}
    Rows wishlist_item [user_id, product_id] { user_id: Id, product_id: Id, created_at: Time } {}
    Rows product_review [id] {
        id: Id, product_id: Id, user_id: Id, rating: Int, helpful_count: Int, verified_purchase: Bool, created_at: Time, updated_at: Time, version: Int
    } { title: Text, review_text: Text }
    Rows review_vote [review_id, user_id] { review_id: Id, user_id: Id, created_at: Time } {}
    Rows verdict [id] { id: Id, hidden: Bool, case_version: Int } {}
    Found product_listing [number] { number: Int, product_id: Id } {}
};

const MEDIA: &[Table] = with_protocol! { "media":
    Rows media_content [id] { id: Id, hash: Bytes, folder: Id, files: Int, touched_at: Time } {}
    Rows media_condemned [folder] { folder: Id, hash: Bytes } {}
    Counted media_file [id] {
        id: Id, user_id: Id, content_id: Id, content_hash: Bytes, filename: Text, mime_type: Text, size: Int, class: Text, visibility: Text, status: Text,
        rendered: Text, attempts: Int, created_at: Time, updated_at: Time, version: Int
    } {
        original_name: Text, failure: Text, width: Int, height: Int, format: Text, blur_placeholder: Text, dominant_color: Int
    }
    Rows verdict [id] { id: Id, hidden: Bool, case_version: Int } {}
};

/// Every table, in the order of a document.
pub(crate) fn tables() -> impl Iterator<Item = &'static Table> {
    [USERS, CONTENT, SHOP, MEDIA].into_iter().flatten()
}

/// The table of that title, and its place in the order.
pub(crate) fn named(title: &str) -> Option<(usize, &'static Table)> {
    let (database, name) = title.split_once('.')?;
    tables().enumerate().find(|(_, table)| table.database == database && table.name == name)
}

/// Tables of either store that are no truth of an instance: what was migrated, who serves, alone or in a cluster, what triggers sum up, under which name others keep what may be lost, what searches look words up in, how far an import is.
/// Addresses that were signed end with their instance: its key is nobody else's, and so are the caches before it. `foreign_write` is work that is done before an export begins.
#[cfg(test)]
const LEFT_OUT: [&str; 15] = [
    "schema_migration",
    "instance_lease",
    "cluster_view",
    "cluster_node",
    "cluster_slot",
    "instance",
    "foreign_write",
    "signing_key",
    "media_purge",
    "media_usage",
    "unfinished_import",
    "sqlite_sequence",
    "person_text",
    "post_text",
    "product_text",
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};

    /// Columns by table: whether each may hold nothing.
    type Schema = BTreeMap<String, BTreeMap<String, bool>>;

    fn compare(database: &str, found: &Schema) {
        let known: BTreeSet<_> = tables().filter(|table| table.database == database).map(|table| table.name).collect();
        for name in &known {
            assert!(found.contains_key(*name), "{database}.{name} is exported, and no table");
        }
        for (name, columns) in found {
            let left_out = LEFT_OUT.iter().any(|left| name == left || (left.ends_with("_text") && name.starts_with(&format!("{left}_"))));
            let Some((_, table)) = named(&format!("{database}.{name}")) else {
                assert!(left_out, "a migration made {database}.{name}: is it exported (TABLES), or is it no truth (LEFT_OUT)?");
                continue;
            };
            assert!(!left_out, "{database}.{name} is exported and left out");
            for column in table.columns {
                let is_optional = columns.get(column.name).unwrap_or_else(|| panic!("{database}.{name} has no {}", column.name));
                assert_eq!(*is_optional, column.is_optional, "{database}.{name}.{}", column.name);
            }
            // What an effect's version is in Postgres is in the effect; what things are found by is made again.
            let exempt = |column: &str| table.role == Role::Found || (table.role == Role::Effects && column == "version");
            for column in columns.keys().filter(|column| !exempt(column)) {
                assert!(
                    table.columns.iter().any(|known| known.name == column),
                    "a migration made {database}.{name}.{column}: it would be lost"
                );
            }
        }
    }

    #[test]
    fn every_table_and_column_of_sqlite_is_exported_or_no_truth() {
        let dir = tempfile::tempdir().expect("a directory");
        crate::sqlite::migrate(dir.path(), false).expect("migrated");
        for database in DATABASES {
            let db = rusqlite::Connection::open(dir.path().join(format!("{database}.db"))).expect("a database");
            let mut columns = db
                .prepare(
                    "SELECT t.name, c.name, c.\"notnull\" = 0 FROM pragma_table_list AS t JOIN pragma_table_xinfo(t.name) AS c
                     WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite_schema'",
                )
                .expect("a statement");
            let mut found = Schema::new();
            let rows = columns.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?)));
            for (table, column, is_optional) in rows.expect("rows").map(|row| row.expect("a row")) {
                // A row's number is never nothing, which SQLite does not say of it.
                let is_number = named(&format!("{database}.{table}")).is_some_and(|(_, table)| table.key == [column.as_str()]);
                found.entry(table).or_default().insert(column, is_optional && !is_number);
            }
            compare(database, &found);
        }
    }

    #[tokio::test]
    async fn every_table_and_column_of_postgres_is_exported_or_no_truth() {
        let databases = testbed::postgres::Databases::empty();
        let urls = crate::postgres::Urls { all: Some(databases.url().to_owned()), ..Default::default() };
        crate::postgres::migrate(&urls, std::time::Duration::from_secs(10), false).await.expect("migrated");
        for database in DATABASES {
            let listed = databases.sql(
                database,
                &["SELECT table_name || ' ' || column_name || ' ' || is_nullable || ' ' || is_generated FROM information_schema.columns
                   WHERE table_schema = 'public'"],
            );
            let mut found = Schema::new();
            for line in listed.lines() {
                let [table, column, is_nullable, is_generated] = line.split(' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
                found.entry(table.to_owned()).or_default().insert(column.to_owned(), is_nullable == "YES");
                let known =
                    named(&format!("{database}.{table}")).and_then(|(_, table)| table.columns.iter().find(|known| known.name == column));
                assert_eq!(known.is_some_and(|known| known.is_computed), known.is_some() && is_generated == "ALWAYS", "{line}");
            }
            compare(database, &found);
        }
    }

    #[test]
    fn a_key_is_of_columns_that_always_hold_something() {
        for table in tables() {
            for key in table.key {
                assert!(table.columns.iter().any(|column| column.name == *key && !column.is_optional), "{} {key}", table.title());
            }
        }
    }
}
