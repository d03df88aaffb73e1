//! The media database: files, and the content that is kept for them.
//!
//! Of rows that several writers change a file's comes before its person's sum, and that before its content's.

use super::column::{At, BOTTOM, Columns, TOP, by_id, cut, fetch, int, params, statements};
use super::database::{Database, Values, count, first};
use super::fault::Fault;
use super::transaction::{Rows, Step, require};
use super::verdict;
use crate::metric::Operation;
use crate::{Commit, CommitError, Committed, Ids, Media, MediaWrite, Purge, StoreError};
use async_trait::async_trait;
use protocol::file::{Colour, ContentHash, File, Metadata, Usage};
use protocol::{Key, Kind, MediaId, Page, Timestamp, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

/// The columns of a file, in the order in which [`file`] reads them.
macro_rules! files {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, content_hash, filename, original_name, mime_type, size, class, visibility, status, failure, rendered, attempts, width,
               height, format, blur_placeholder, dominant_color, created_at, updated_at, version,
               EXISTS (SELECT 1 FROM verdict WHERE verdict.id = media_file.id AND verdict.hidden)
             FROM media_file ",
            $rest
        )
    };
}

statements! {
    FILE = files!("WHERE id = $1");
    FILES_WITH = files!("WHERE content_id = $1 ORDER BY visibility DESC, id DESC LIMIT $2");
    PUBLIC_FILES = "SELECT id FROM media_file WHERE visibility = 'public' AND status = 'ready' AND id < $1 ORDER BY id DESC LIMIT $2";
    FILES_OF = "SELECT id FROM media_file WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    USAGE = "SELECT files, bytes FROM media_usage WHERE user_id = $1";
    /// Behind the file's row, whose trigger has the person's row of sums until the transaction ends: who writes at the same time waits for that.
    HAS_ROOM = require!("SELECT 1 FROM media_usage WHERE user_id = $1 AND files <= $2 AND bytes <= $3");
    FOLDER = "SELECT folder FROM media_content WHERE id = $1";
    PENDING_FILES = "SELECT id FROM media_file WHERE status = 'pending' AND id > $1 ORDER BY id LIMIT $2";
    HOLD = "INSERT INTO media_content AS c (id, hash, folder, files, touched_at) VALUES ($1, $2, $3, 0, $4)
            ON CONFLICT (id) DO UPDATE SET touched_at = greatest(c.touched_at, excluded.touched_at)
            RETURNING folder";
    /// A row that somebody counts a file in meanwhile is waited for, and is not unused any more then.
    CONDEMN = "WITH unused AS (
                 SELECT id FROM media_content WHERE files = 0 AND touched_at < $1 ORDER BY touched_at, id LIMIT $2 FOR UPDATE
               ), gone AS (
                 DELETE FROM media_content AS c USING unused WHERE c.id = unused.id RETURNING c.folder, c.hash
               ), condemned AS (
                 INSERT INTO media_condemned (folder, hash) SELECT folder, hash FROM gone RETURNING 1
               ) SELECT count(*) FROM condemned";
    CONDEMNED = "SELECT hash, folder FROM media_condemned ORDER BY folder LIMIT $1";
    FORGET_FOLDER = "DELETE FROM media_condemned WHERE folder = $1";
    PURGES = "SELECT hash, due_at, is_last FROM media_purge WHERE due_at <= $1 ORDER BY due_at LIMIT $2";
    PURGE_AGAIN = "UPDATE media_purge SET due_at = $3, is_last = true WHERE hash = $1 AND due_at = $2";
    FORGET_PURGE = "DELETE FROM media_purge WHERE hash = $1 AND due_at = $2";
    PURGE_OF = "INSERT INTO media_purge (hash, due_at, is_last)
                SELECT DISTINCT content_hash, $2::timestamptz, false FROM media_file WHERE user_id = $1 AND visibility = 'public'
                ON CONFLICT (hash) DO UPDATE SET due_at = excluded.due_at, is_last = false";
    NEW_KEY = "INSERT INTO signing_key (key) VALUES ($1) ON CONFLICT (only_row) DO NOTHING";
    KEY = "SELECT key FROM signing_key";
    COUNT_IN = require!("UPDATE media_content SET files = files + 1, touched_at = greatest(touched_at, $3) WHERE id = $1 AND folder = $2 RETURNING 1");
    COUNT_OUT = "UPDATE media_content SET files = files - 1, touched_at = greatest(touched_at, $2) WHERE id = $1";
    INSERT_FILE = "INSERT INTO media_file (id, user_id, content_id, content_hash, filename, original_name, mime_type, size, class, visibility, status,
                     failure, rendered, attempts, width, height, format, blur_placeholder, dominant_color, created_at, updated_at, version)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22)";
    UPDATE_FILE = require!("UPDATE media_file SET visibility = $2, status = $3, failure = $4, rendered = $5, attempts = $6, blur_placeholder = $7,
                     dominant_color = $8, updated_at = $9, version = $10
                   WHERE id = $1 AND version + 1 = $10 RETURNING 1");
    DELETE_FILE = require!("DELETE FROM media_file WHERE id = $1 AND version + 1 = $2 RETURNING 1");
}

#[async_trait]
impl Media for Database<MediaWrite> {
    async fn file(&self, id: MediaId) -> Result<Option<File>, StoreError> {
        self.optional(Operation::File, FILE, &[&id.0], file).await
    }

    async fn public_files(&self, page: Page) -> Result<Ids, StoreError> {
        let (after, limit) = (page.after.unwrap_or(TOP).id, fetch(page));
        let rows = self.list(Operation::PublicFiles, PUBLIC_FILES, &[&after, &limit], |row| Columns::of(row).id()).await?;
        let (ids, next) = cut(rows, page, |id| by_id(*id));
        Ok(Ids { ids, next })
    }

    async fn files_of(&self, user: UserId, page: Page) -> Result<Ids, StoreError> {
        let (after, limit) = (page.after.unwrap_or(TOP).id, fetch(page));
        let rows = self.list(Operation::FilesOf, FILES_OF, &[&user.0, &after, &limit], |row| Columns::of(row).id()).await?;
        let (ids, next) = cut(rows, page, |id| by_id(*id));
        Ok(Ids { ids, next })
    }

    async fn usage(&self, user: UserId) -> Result<Usage, StoreError> {
        let read = |row: &Row| {
            let mut columns = Columns::of(row);
            Ok(Usage { files: columns.count()?, bytes: columns.count()? })
        };
        self.optional(Operation::Usage, USAGE, &[&user.0], read).await.map(Option::unwrap_or_default)
    }

    async fn files_with(&self, content: Uuid, limit: u16) -> Result<Vec<File>, StoreError> {
        self.list(Operation::FilesWith, FILES_WITH, &[&content, &i64::from(limit)], file).await
    }

    async fn folder(&self, content: Uuid) -> Result<Option<Uuid>, StoreError> {
        self.optional(Operation::Folder, FOLDER, &[&content], |row| Columns::of(row).id()).await
    }

    async fn pending_files(&self, after: Option<MediaId>, limit: u32) -> Result<Vec<MediaId>, StoreError> {
        let (after, limit) = (after.map_or(BOTTOM.id, |id| id.0), i64::from(limit));
        self.list(Operation::PendingFiles, PENDING_FILES, &[&after, &limit], |row| Columns::of(row).id().map(MediaId)).await
    }

    async fn hold(&self, hash: ContentHash, now: Timestamp) -> Result<Uuid, StoreError> {
        let values: Values<'_> = &[&hash.id(), &&hash.0[..], &Uuid::now_v7(), &At(now)];
        let held = self.read(Operation::Hold, HOLD, values, first(|row| Columns::of(row).id())).await?;
        held.ok_or_else(|| StoreError::Corrupt { database: "media", reason: "content that is held has no row".to_owned() })
    }

    async fn condemn(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        self.read(Operation::Condemn, CONDEMN, &[&At(before), &i64::from(limit)], count).await
    }

    async fn condemned(&self, limit: u32) -> Result<Vec<(ContentHash, Uuid)>, StoreError> {
        self.list(Operation::Condemned, CONDEMNED, &[&i64::from(limit)], |row| {
            let mut columns = Columns::of(row);
            Ok((ContentHash(columns.hash()?), columns.id()?))
        })
        .await
    }

    async fn forget_folder(&self, folder: Uuid) -> Result<(), StoreError> {
        self.read(Operation::ForgetFolder, FORGET_FOLDER, &[&folder], |_| Ok(())).await
    }

    async fn purges(&self, now: Timestamp, limit: u32) -> Result<Vec<Purge>, StoreError> {
        self.list(Operation::Purges, PURGES, &[&At(now), &i64::from(limit)], |row| {
            let mut columns = Columns::of(row);
            Ok(Purge { hash: ContentHash(columns.hash()?), due_at: columns.time()?, is_last: columns.take()? })
        })
        .await
    }

    async fn purged(&self, purge: Purge, again_at: Timestamp) -> Result<(), StoreError> {
        let Purge { hash, due_at, is_last } = purge;
        if is_last {
            return self.read(Operation::Purged, FORGET_PURGE, &[&&hash.0[..], &At(due_at)], |_| Ok(())).await;
        }
        self.read(Operation::Purged, PURGE_AGAIN, &[&&hash.0[..], &At(due_at), &At(again_at)], |_| Ok(())).await
    }

    async fn purge_of(&self, user: UserId, now: Timestamp) -> Result<(), StoreError> {
        self.read(Operation::PurgeOf, PURGE_OF, &[&user.0, &At(now)], |_| Ok(())).await
    }

    async fn signing_key(&self, new: [u8; 32]) -> Result<[u8; 32], StoreError> {
        self.read(Operation::SigningKey, NEW_KEY, &[&&new[..]], |_| Ok(())).await?;
        // Asked after that, so that a key which another node made meanwhile is seen.
        let kept = self.read(Operation::SigningKey, KEY, &[], first(|row| Columns::of(row).hash())).await?;
        kept.ok_or_else(|| StoreError::Corrupt { database: "media", reason: "the key that was made has no row".to_owned() })
    }

    async fn commit(&self, commit: Commit<MediaWrite>) -> Result<Committed, CommitError> {
        self.carry_out(commit).await
    }
}

impl Rows for MediaWrite {
    const VERSIONS: (Kind, &str) = (Kind::File, "SELECT id, version FROM media_file WHERE id = ANY($1)");

    fn row(&self) -> Option<(Key, u64)> {
        match self {
            Self::CreateFile(file, ..) | Self::SaveFile(file) | Self::RemoveFile(file) | Self::Moderate(file, _) => {
                Some((Key::new(Kind::File, file.id), file.version))
            }
            Self::Follow => None,
        }
    }

    fn steps(&self, now: Timestamp, _: &[Row]) -> Result<Vec<Step<'_>>, Fault> {
        Ok(match self {
            Self::CreateFile(file, folder, quota) => {
                let held = Step::or(COUNT_IN, params![file.content_hash.id(), *folder, At(now)], CommitError::Missing("content"));
                let room = params![file.user_id.0, int(quota.files_max), int(quota.bytes_max)];
                // The file's row first, as when it goes: its content's is locked last.
                vec![insert(file).orphan("content"), held, Step::or(HAS_ROOM, room, CommitError::Full("files"))]
            }
            Self::SaveFile(file) => vec![save(file)],
            Self::RemoveFile(file) => {
                let removed = Step::or(DELETE_FILE, params![file.id.0, int(file.version)], CommitError::Conflict);
                vec![removed, Step::new(COUNT_OUT, params![file.content_hash.id(), At(now)])]
            }
            Self::Moderate(file, verdict) => vec![verdict::hear(file.id.0, *verdict), save(file)],
            Self::Follow => Vec::new(),
        })
    }
}

fn file(row: &Row) -> Result<File, Fault> {
    let mut columns = Columns::of(row);
    let mut file = File {
        id: MediaId(columns.id()?),
        user_id: UserId(columns.id()?),
        content_hash: ContentHash(columns.hash()?),
        filename: columns.take()?,
        original_name: columns.take()?,
        mime_type: columns.take()?,
        size: columns.count()?,
        class: columns.word()?,
        visibility: columns.word()?,
        status: columns.word()?,
        failure: columns.take()?,
        rendered: columns.word()?,
        attempts: columns.small()?,
        metadata: None,
        blur_placeholder: None,
        dominant_color: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        version: 0,
        hidden: false,
    };
    let (width, height, format): (_, _, Option<String>) = (columns.small_or_none()?, columns.small_or_none()?, columns.take()?);
    file.metadata = width.zip(height).zip(format).map(|((width, height), format)| Metadata { width, height, format });
    file.blur_placeholder = columns.take()?;
    file.dominant_color = columns.small_or_none()?.map(Colour::from_number);
    (file.created_at, file.updated_at) = (columns.time()?, columns.time()?);
    (file.version, file.hidden) = (columns.count()?, columns.take()?);
    Ok(file)
}

fn insert(file: &File) -> Step<'_> {
    let metadata = file.metadata.as_ref();
    let row = params![
        file.id.0,
        file.user_id.0,
        file.content_hash.id(),
        &file.content_hash.0[..],
        &*file.filename,
        &file.original_name,
        &*file.mime_type,
        int(file.size),
        file.class.name(),
        file.visibility.name(),
        file.status.name(),
        &file.failure,
        file.rendered.name(),
        i64::from(file.attempts),
        metadata.map(|metadata| i64::from(metadata.width)),
        metadata.map(|metadata| i64::from(metadata.height)),
        metadata.map(|metadata| &*metadata.format),
        &file.blur_placeholder,
        file.dominant_color.map(|colour| i64::from(colour.number())),
        At(file.created_at),
        At(file.updated_at),
        int(file.version)
    ];
    Step::new(INSERT_FILE, row)
}

/// Replaces what can change of a file, if it has the version before.
fn save(file: &File) -> Step<'_> {
    let row = params![
        file.id.0,
        file.visibility.name(),
        file.status.name(),
        &file.failure,
        file.rendered.name(),
        i64::from(file.attempts),
        &file.blur_placeholder,
        file.dominant_color.map(|colour| i64::from(colour.number())),
        At(file.updated_at),
        int(file.version)
    ];
    Step::or(UPDATE_FILE, row, CommitError::Conflict)
}
