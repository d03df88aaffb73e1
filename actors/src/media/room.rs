//! Room for files: what a person has stored, and may.
//!
//! The commit of a file's owner decides, in the transaction that adds the file to its person's sum. What is here looks first, so that what would be refused
//! is not written into object storage, where it would stay for a while.

use super::Media;
use crate::owner::refusal_of;
use protocol::{
    Idempotency, Kind, Refusal, UserId,
    file::{Quota, Usage},
};

impl Media {
    /// What one person may have stored.
    #[must_use]
    pub fn quota(&self) -> Quota {
        self.client.node().limits.quota
    }

    /// What a person has stored. Read from the store, where it changes with the files, before anybody is told of those.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn usage(&self, user: UserId) -> Result<Usage, Refusal> {
        self.client.node().stores.media.usage(user).await.map_err(|error| refusal_of(&error))
    }

    /// Whether a person may store a file of so many bytes more; where its bytes are still to come, one of a single byte. A request that is repeated is answered
    /// as the first one was, which may be what there is no room beside.
    ///
    /// # Errors
    /// `quota_exceeded`; when the store is away.
    pub async fn check_room(&self, user: UserId, repeats: Option<&Idempotency>, bytes: Option<u64>) -> Result<(), Refusal> {
        let (quota, node) = (self.quota(), self.client.node());
        if quota == Quota::NONE {
            return Ok(());
        }
        let usage = self.usage(user).await?;
        if quota.has_room(usage, bytes.unwrap_or(1)) {
            return Ok(());
        }
        if let Some(Idempotency { route, key, .. }) = repeats {
            let record = node.stores.domain(Kind::File).record(user, route, key).await;
            if record.map_err(|error| refusal_of(&error))?.is_some() {
                return Ok(());
            }
        }
        Err(quota.refusal(usage, bytes))
    }

    /// What a person is told whose file had no room in the end: others of theirs came at the same time.
    pub(super) async fn no_room(&self, user: UserId, bytes: u64) -> Refusal {
        match self.usage(user).await {
            Ok(usage) => self.quota().refusal(usage, Some(bytes)),
            Err(away) => away,
        }
    }
}
