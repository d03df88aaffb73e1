//! Caches in front of the platform forget what is not for everybody any more.
//!
//! What they are to forget is a row that the write which closed it left (migrations/media/0005). So it outlives processes, and a cache that is away for a
//! while is told when it is back.

use super::Media;
use crate::{clock::by_the_clock, entity::family, owner::refusal_of, supervisor::Child};
use futures_util::future::BoxFuture;
use protocol::{Refusal, Slot, Timestamp, file::ContentHash};
use std::{sync::Arc, time::Duration};
use store::Purge;

/// How often what is due is looked for; without caches, only so that rows do not pile up.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const IDLE_EVERY: Duration = Duration::from_secs(60);
/// The pause after a cache did not answer as it should.
const RETRY_AFTER: Duration = Duration::from_secs(1);
/// Contents that are forgotten by one request.
const BATCH: u32 = 64;
/// When caches are told once more: no request that began before takes so long.
const AGAIN_MS: i64 = 2 * 60 * 1000;

/// Caches in front of the platform, such as those of a content delivery network.
pub trait Caches: Send + Sync + 'static {
    /// Has them forget what they were sent under these keys ([`key`]). Takes no longer than some seconds; an error says why, for logs.
    fn forget(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), String>>;
}

/// Under what caches are sent bytes of content that everybody may see.
#[must_use]
pub fn key(hash: ContentHash) -> String {
    hash.to_string()
}

/// Tells the caches, from one node.
pub(super) fn child(media: &Arc<Media>) -> Child {
    let media = media.clone();
    by_the_clock("cache_purges", Duration::ZERO, move |_| {
        let media = media.clone();
        async move {
            // As for content that no file has.
            if !media.client.node().ownership.serves(Slot::of(family::FILES)) {
                return LOOK_EVERY;
            }
            match tell(&media).await {
                Ok(true) => LOOK_EVERY,
                Ok(false) => IDLE_EVERY,
                Err(refusal) => {
                    tracing::warn!(%refusal, "caches were not told all that they are to forget; trying again");
                    RETRY_AFTER
                }
            }
        }
    })
}

/// Tells of everything that is due; answers whether there is a cache.
async fn tell(media: &Media) -> Result<bool, Refusal> {
    let stored = &media.client.node().stores.media;
    loop {
        let due = stored.purges(Timestamp::now(), BATCH).await.map_err(|error| refusal_of(&error))?;
        if !due.is_empty()
            && let Some(caches) = &media.caches
        {
            let told = caches.forget(due.iter().map(|purge| key(purge.hash)).collect()).await;
            media.metrics.purged(due.len(), told.is_ok());
            told.map_err(|reason| {
                tracing::warn!(reason, "a cache in front of the platform");
                Refusal::from(protocol::ErrorCode::Unavailable)
            })?;
        }
        let (again_at, whole) = (Timestamp::now().plus_ms(AGAIN_MS), due.len() == BATCH as usize);
        for purge in due {
            let purge = Purge { is_last: purge.is_last || media.caches.is_none(), ..purge };
            stored.purged(purge, again_at).await.map_err(|error| refusal_of(&error))?;
        }
        if !whole {
            return Ok(media.caches.is_some());
        }
    }
}
