//! The media database: files, and the content that is kept for them.

use super::column::{BOTTOM, Columns, TOP, by_id, cut, execute, fetch, int, list, optional, statements};
use super::database::Database;
use super::fault::{Fault, insert_refused};
use super::transaction::Rows;
use super::verdict;
use crate::metric::Operation;
use crate::{Commit, CommitError, Committed, Ids, Media, MediaWrite, Purge, StoreError};
use async_trait::async_trait;
use protocol::file::{Colour, ContentHash, File, Metadata, Quota, Usage};
use protocol::{Key, Kind, MediaId, Page, Timestamp, UserId};
use rusqlite::{Connection, Result, Row, params};
use uuid::Uuid;

/// The columns of a file, in the order in which [`file`] reads them.
macro_rules! files {
    ($rest:literal) => {
        concat!(
            "SELECT id, user_id, content_hash, filename, original_name, mime_type, size, class, visibility, status, failure, rendered, attempts, width,
               height, format, blur_placeholder, dominant_color, created_at, updated_at, version,
               EXISTS (SELECT 1 FROM verdict WHERE verdict.id = media_file.id AND verdict.hidden = 1)
             FROM media_file ",
            $rest
        )
    };
}

statements! {
    FILE = files!("WHERE id = ?1");
    FILES_WITH = files!("WHERE content_id = ?1 ORDER BY visibility DESC, id DESC LIMIT ?2");
    PUBLIC_FILES = "SELECT id FROM media_file WHERE visibility = 'public' AND status = 'ready' AND id < ?1 ORDER BY id DESC LIMIT ?2";
    FILES_OF = "SELECT id FROM media_file WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    USAGE = "SELECT files, bytes FROM media_usage WHERE user_id = ?1";
    HAS_ROOM = "SELECT 1 FROM media_usage WHERE user_id = ?1 AND files <= ?2 AND bytes <= ?3";
    FOLDER = "SELECT folder FROM media_content WHERE id = ?1";
    PENDING_FILES = "SELECT id FROM media_file WHERE status = 'pending' AND id > ?1 ORDER BY id LIMIT ?2";
    HOLD = "INSERT INTO media_content (id, hash, folder, files, touched_at) VALUES (?1, ?2, ?3, 0, ?4)
            ON CONFLICT (id) DO UPDATE SET touched_at = max(touched_at, excluded.touched_at)
            RETURNING folder";
    UNUSED = "SELECT id, folder, hash FROM media_content WHERE files = 0 AND touched_at < ?1 ORDER BY touched_at, id LIMIT ?2";
    CONDEMN = "INSERT INTO media_condemned (folder, hash) VALUES (?1, ?2)";
    FORGET_CONTENT = "DELETE FROM media_content WHERE id = ?1";
    CONDEMNED = "SELECT hash, folder FROM media_condemned ORDER BY folder LIMIT ?1";
    FORGET_FOLDER = "DELETE FROM media_condemned WHERE folder = ?1";
    PURGES = "SELECT hash, due_at, is_last FROM media_purge WHERE due_at <= ?1 ORDER BY due_at LIMIT ?2";
    PURGE_AGAIN = "UPDATE media_purge SET due_at = ?3, is_last = 1 WHERE hash = ?1 AND due_at = ?2";
    FORGET_PURGE = "DELETE FROM media_purge WHERE hash = ?1 AND due_at = ?2";
    PURGE_OF = "INSERT INTO media_purge (hash, due_at, is_last)
                SELECT content_hash, ?2, 0 FROM media_file WHERE user_id = ?1 AND visibility = 'public'
                ON CONFLICT (hash) DO UPDATE SET due_at = excluded.due_at, is_last = 0";
    NEW_KEY = "INSERT INTO signing_key (only_row, key) VALUES (1, ?1) ON CONFLICT (only_row) DO NOTHING";
    KEY = "SELECT key FROM signing_key WHERE only_row = 1";
    COUNT_IN = "UPDATE media_content SET files = files + 1, touched_at = max(touched_at, ?3) WHERE id = ?1 AND folder = ?2";
    COUNT_OUT = "UPDATE media_content SET files = files - 1, touched_at = max(touched_at, ?2) WHERE id = ?1";
    INSERT_FILE = "INSERT INTO media_file (id, user_id, content_id, content_hash, filename, original_name, mime_type, size, class, visibility, status,
                     failure, rendered, attempts, width, height, format, blur_placeholder, dominant_color, created_at, updated_at, version)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";
    UPDATE_FILE = "UPDATE media_file SET visibility = ?2, status = ?3, failure = ?4, rendered = ?5, attempts = ?6, blur_placeholder = ?7,
                     dominant_color = ?8, updated_at = ?9, version = ?10
                   WHERE id = ?1 AND version = ?10 - 1";
    DELETE_FILE = "DELETE FROM media_file WHERE id = ?1 AND version = ?2 - 1";
}

#[async_trait]
impl Media for Database<MediaWrite> {
    async fn file(&self, id: MediaId) -> std::result::Result<Option<File>, StoreError> {
        self.read(Operation::File, move |db| optional(db, FILE, [id.0.as_bytes()], file)).await
    }

    async fn public_files(&self, page: Page) -> std::result::Result<Ids, StoreError> {
        self.read(Operation::PublicFiles, move |db| {
            let after = page.after.unwrap_or(TOP).id;
            let rows = list(db, PUBLIC_FILES, (after.as_bytes(), fetch(page)), |row| Columns::of(row).id())?;
            let (ids, next) = cut(rows, page, |id| by_id(*id));
            Ok(Ids { ids, next })
        })
        .await
    }

    async fn files_of(&self, user: UserId, page: Page) -> std::result::Result<Ids, StoreError> {
        self.read(Operation::FilesOf, move |db| {
            let after = page.after.unwrap_or(TOP).id;
            let rows = list(db, FILES_OF, (user.0.as_bytes(), after.as_bytes(), fetch(page)), |row| Columns::of(row).id())?;
            let (ids, next) = cut(rows, page, |id| by_id(*id));
            Ok(Ids { ids, next })
        })
        .await
    }

    async fn usage(&self, user: UserId) -> std::result::Result<Usage, StoreError> {
        self.read(Operation::Usage, move |db| {
            let usage = optional(db, USAGE, [user.0.as_bytes()], |row| {
                let mut columns = Columns::of(row);
                Ok(Usage { files: columns.count()?, bytes: columns.count()? })
            });
            usage.map(Option::unwrap_or_default)
        })
        .await
    }

    async fn files_with(&self, content: Uuid, limit: u16) -> std::result::Result<Vec<File>, StoreError> {
        self.read(Operation::FilesWith, move |db| list(db, FILES_WITH, (content.as_bytes(), limit), file)).await
    }

    async fn folder(&self, content: Uuid) -> std::result::Result<Option<Uuid>, StoreError> {
        self.read(Operation::Folder, move |db| optional(db, FOLDER, [content.as_bytes()], |row| Columns::of(row).id())).await
    }

    async fn pending_files(&self, after: Option<MediaId>, limit: u32) -> std::result::Result<Vec<MediaId>, StoreError> {
        let after = after.map_or(BOTTOM.id, |id| id.0);
        self.read(Operation::PendingFiles, move |db| {
            list(db, PENDING_FILES, (after.as_bytes(), limit), |row| Columns::of(row).id().map(MediaId))
        })
        .await
    }

    async fn hold(&self, hash: ContentHash, now: Timestamp) -> std::result::Result<Uuid, StoreError> {
        self.maintain(Operation::Hold, move |db| {
            let values = (hash.id().into_bytes(), hash.0, Uuid::now_v7().into_bytes(), now.0);
            db.prepare_cached(HOLD)?.query_row(values, |row| Columns::of(row).id())
        })
        .await
    }

    async fn condemn(&self, before: Timestamp, limit: u32) -> std::result::Result<u64, StoreError> {
        self.maintain(Operation::Condemn, move |db| {
            let unused = list(db, UNUSED, (before.0, limit), |row| {
                let mut columns = Columns::of(row);
                Ok((columns.id()?, columns.id()?, columns.take::<[u8; 32]>()?))
            })?;
            for (id, folder, hash) in &unused {
                execute(db, CONDEMN, (folder.as_bytes(), hash))?;
                execute(db, FORGET_CONTENT, [id.as_bytes()])?;
            }
            Ok(unused.len() as u64)
        })
        .await
    }

    async fn condemned(&self, limit: u32) -> std::result::Result<Vec<(ContentHash, Uuid)>, StoreError> {
        self.read(Operation::Condemned, move |db| {
            list(db, CONDEMNED, [limit], |row| {
                let mut columns = Columns::of(row);
                Ok((ContentHash(columns.take()?), columns.id()?))
            })
        })
        .await
    }

    async fn forget_folder(&self, folder: Uuid) -> std::result::Result<(), StoreError> {
        self.maintain(Operation::ForgetFolder, move |db| execute(db, FORGET_FOLDER, [folder.as_bytes()]).map(drop)).await
    }

    async fn purges(&self, now: Timestamp, limit: u32) -> std::result::Result<Vec<Purge>, StoreError> {
        self.read(Operation::Purges, move |db| {
            list(db, PURGES, (now.0, limit), |row| {
                let mut columns = Columns::of(row);
                Ok(Purge { hash: ContentHash(columns.take()?), due_at: columns.time()?, is_last: columns.take()? })
            })
        })
        .await
    }

    async fn purged(&self, purge: Purge, again_at: Timestamp) -> std::result::Result<(), StoreError> {
        let Purge { hash, due_at, is_last } = purge;
        self.maintain(Operation::Purged, move |db| {
            let done = if is_last {
                execute(db, FORGET_PURGE, (hash.0, due_at.0))
            } else {
                execute(db, PURGE_AGAIN, (hash.0, due_at.0, again_at.0))
            };
            done.map(drop)
        })
        .await
    }

    async fn purge_of(&self, user: UserId, now: Timestamp) -> std::result::Result<(), StoreError> {
        self.maintain(Operation::PurgeOf, move |db| execute(db, PURGE_OF, (user.0.as_bytes(), now.0)).map(drop)).await
    }

    async fn signing_key(&self, new: [u8; 32]) -> std::result::Result<[u8; 32], StoreError> {
        self.maintain(Operation::SigningKey, move |db| {
            execute(db, NEW_KEY, [new])?;
            db.prepare_cached(KEY)?.query_row([], |row| row.get(0))
        })
        .await
    }

    async fn commit(&self, commit: Commit<MediaWrite>) -> std::result::Result<Committed, CommitError> {
        self.carry_out(commit).await
    }
}

impl Rows for MediaWrite {
    fn row(&self) -> Option<(Key, u64)> {
        match self {
            Self::CreateFile(file, ..) | Self::SaveFile(file) | Self::RemoveFile(file) | Self::Moderate(file, _) => {
                Some((Key::new(Kind::File, file.id), file.version))
            }
            Self::Follow => None,
        }
    }

    fn apply(&self, db: &Connection, now: Timestamp) -> std::result::Result<(), Fault> {
        match self {
            Self::CreateFile(file, folder, quota) => {
                let held = execute(db, COUNT_IN, (file.content_hash.id().as_bytes(), folder.as_bytes(), now.0))?;
                if held == 0 {
                    return Err(CommitError::Missing("content").into());
                }
                insert(db, file)?;
                check_room(db, file.user_id, *quota)
            }
            Self::SaveFile(file) => save(db, file),
            Self::RemoveFile(file) => {
                let removed = execute(db, DELETE_FILE, (file.id.0.as_bytes(), int(file.version)))?;
                if removed == 0 {
                    return Err(CommitError::Conflict.into());
                }
                execute(db, COUNT_OUT, (file.content_hash.id().as_bytes(), now.0)).map(drop).map_err(Fault::from)
            }
            Self::Moderate(file, verdict) => {
                verdict::hear(db, file.id.0, *verdict)?;
                save(db, file)
            }
            Self::Follow => Ok(()),
        }
    }
}

fn file(row: &Row<'_>) -> Result<File> {
    let mut columns = Columns::of(row);
    let mut file = File {
        id: MediaId(columns.id()?),
        user_id: UserId(columns.id()?),
        content_hash: ContentHash(columns.take()?),
        filename: columns.take()?,
        original_name: columns.take()?,
        mime_type: columns.take()?,
        size: columns.count()?,
        class: columns.word()?,
        visibility: columns.word()?,
        status: columns.word()?,
        failure: columns.take()?,
        rendered: columns.word()?,
        attempts: columns.take()?,
        metadata: None,
        blur_placeholder: None,
        dominant_color: None,
        created_at: Timestamp(0),
        updated_at: Timestamp(0),
        version: 0,
        hidden: false,
    };
    let (width, height, format): (Option<u32>, Option<u32>, Option<String>) = (columns.take()?, columns.take()?, columns.take()?);
    file.metadata = width.zip(height).zip(format).map(|((width, height), format)| Metadata { width, height, format });
    file.blur_placeholder = columns.take()?;
    file.dominant_color = columns.take::<Option<u32>>()?.map(Colour::from_number);
    (file.created_at, file.updated_at) = (columns.time()?, columns.time()?);
    (file.version, file.hidden) = (columns.count()?, columns.take()?);
    Ok(file)
}

/// Refuses what a person has stored by now, if it is more than they may.
fn check_room(db: &Connection, user: UserId, quota: Quota) -> std::result::Result<(), Fault> {
    let room = optional(db, HAS_ROOM, (user.0.as_bytes(), int(quota.files_max), int(quota.bytes_max)), |_| Ok(()))?;
    room.ok_or_else(|| CommitError::Full("files").into())
}

fn insert(db: &Connection, file: &File) -> std::result::Result<(), Fault> {
    let metadata = file.metadata.as_ref();
    let row = params![
        file.id.0.as_bytes(),
        file.user_id.0.as_bytes(),
        file.content_hash.id().into_bytes(),
        file.content_hash.0,
        file.filename,
        file.original_name,
        file.mime_type,
        int(file.size),
        file.class.name(),
        file.visibility.name(),
        file.status.name(),
        file.failure,
        file.rendered.name(),
        file.attempts,
        metadata.map(|metadata| metadata.width),
        metadata.map(|metadata| metadata.height),
        metadata.map(|metadata| &metadata.format),
        file.blur_placeholder,
        file.dominant_color.map(Colour::number),
        file.created_at.0,
        file.updated_at.0,
        int(file.version)
    ];
    execute(db, INSERT_FILE, row).map(drop).map_err(|error| insert_refused(error, &[]))
}

/// Replaces what can change of a file, if it has the version before.
fn save(db: &Connection, file: &File) -> std::result::Result<(), Fault> {
    let row = params![
        file.id.0.as_bytes(),
        file.visibility.name(),
        file.status.name(),
        file.failure,
        file.rendered.name(),
        file.attempts,
        file.blur_placeholder,
        file.dominant_color.map(Colour::number),
        file.updated_at.0,
        int(file.version)
    ];
    if execute(db, UPDATE_FILE, row)? == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}
