//! What the media database is asked and given.

use crate::{Commit, CommitError, Committed, Domain, Ids, StoreError};
use async_trait::async_trait;
use protocol::{
    MediaId, Page, Timestamp, UserId,
    file::{ContentHash, File, Quota, Usage},
    moderation::Verdict,
};
use uuid::Uuid;

/// Uploaded files. Their bytes are in object storage.
#[async_trait]
pub trait Media: Domain {
    /// A file.
    async fn file(&self, id: MediaId) -> Result<Option<File>, StoreError>;
    /// Files that everybody may see and that are ready, newest first.
    async fn public_files(&self, page: Page) -> Result<Ids, StoreError>;
    /// A person's files, newest first.
    async fn files_of(&self, user: UserId, page: Page) -> Result<Ids, StoreError>;
    /// What a person has stored.
    async fn usage(&self, user: UserId) -> Result<Usage, StoreError>;
    /// Files that have the content of this id, those that everybody may see first.
    async fn files_with(&self, content: Uuid, limit: u16) -> Result<Vec<File>, StoreError>;
    /// The folder of the content of this id; `None` of what is not kept.
    async fn folder(&self, content: Uuid) -> Result<Option<Uuid>, StoreError>;
    /// Files behind `after` whose variants are still to be made, by id.
    async fn pending_files(&self, after: Option<MediaId>, limit: u32) -> Result<Vec<MediaId>, StoreError>;
    /// Announces that content is about to be kept, and says in which folder: it is not condemned for as long as [`Media::condemn`] says. Safe to repeat.
    async fn hold(&self, hash: ContentHash, now: Timestamp) -> Result<Uuid, StoreError>;
    /// Condemns up to `limit` folders of content that no file has and that nobody held since then. Answers how many.
    async fn condemn(&self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
    /// Folders whose objects are to be removed.
    async fn condemned(&self, limit: u32) -> Result<Vec<(ContentHash, Uuid)>, StoreError>;
    /// Forgets a folder whose objects are gone. Safe to repeat.
    async fn forget_folder(&self, folder: Uuid) -> Result<(), StoreError>;
    /// Content that caches in front of the platform are to forget by then, what was due first.
    async fn purges(&self, now: Timestamp, limit: u32) -> Result<Vec<Purge>, StoreError>;
    /// Notes that caches forgot it: it is due once more at `again_at`, or done. What became due anew meanwhile stays so. Safe to repeat.
    async fn purged(&self, purge: Purge, again_at: Timestamp) -> Result<(), StoreError>;
    /// Has caches forget everything that a person shows to everybody. Safe to repeat.
    async fn purge_of(&self, user: UserId, now: Timestamp) -> Result<(), StoreError>;
    /// With what addresses are signed: `new` if there was none before.
    async fn signing_key(&self, new: [u8; 32]) -> Result<[u8; 32], StoreError>;
    /// Carries out a write; see [`crate::commit`].
    async fn commit(&self, commit: Commit<MediaWrite>) -> Result<Committed, CommitError>;
}

/// Content that caches are to forget, since a file that showed it to everybody does not any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purge {
    /// Which.
    pub hash: ContentHash,
    /// When it became due.
    pub due_at: Timestamp,
    /// They forgot it before. A request that began earlier may have brought it back, and none is under way any more.
    pub is_last: bool,
}

/// Writes to the media database.
#[derive(Debug, Clone)]
pub enum MediaWrite {
    /// A new file, at version 1, whose content is in this folder. [`CommitError::Missing`] if the content is not held there any more,
    /// [`CommitError::Full`] if its person would have stored more than that with it, whoever else writes at the same time.
    CreateFile(Box<File>, Uuid, Quota),
    /// A file's next row.
    SaveFile(Box<File>),
    /// A file removed, given as its next row.
    RemoveFile(Box<File>),
    /// A file's next row, hidden or shown as the verdict says. [`CommitError::Unchanged`] if a verdict of this version of the case or a newer one was
    /// heard already.
    Moderate(Box<File>, Verdict),
    /// Nothing but versions of keys: what follows from files that somebody else wrote.
    Follow,
}
