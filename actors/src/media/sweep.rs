//! What a process left behind is taken up, and what no file has is removed. Both are found by their rows: nothing is listed in object storage.

use super::{Media, is_ours, pool::Stand};
use crate::{clock::by_the_clock, entity::family, owner::refusal_of, supervisor::Child};
use protocol::{Command, ErrorCode, Key, Kind, MediaId, Principal, Refusal, Slot, Timestamp, file};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How often pending files are looked for.
const PENDING_EVERY: Duration = Duration::from_secs(1);
/// Pending files that are looked at in one statement.
const PENDING_BATCH: u32 = 256;
/// Folders that are condemned, and removed, at a time.
const UNUSED_BATCH: u32 = 100;
/// The longest and the shortest pause between two looks for content that no file has.
const UNUSED_EVERY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Takes up files whose variants this node is to make, and is not making: a process ended meanwhile, there was no room, or something was away.
pub(super) fn pending(media: &Arc<Media>) -> Child {
    let media = media.clone();
    by_the_clock("pending_images", Duration::ZERO, move |_| {
        let media = media.clone();
        async move {
            if let Err(refusal) = take_up(&media).await {
                tracing::warn!(%refusal, "pending images were not all taken up; trying again");
            }
            PENDING_EVERY
        }
    })
}

async fn take_up(media: &Arc<Media>) -> Result<(), Refusal> {
    media.forget_old();
    let node = media.client.node();
    let mut after = None;
    loop {
        let batch = node.stores.media.pending_files(after, PENDING_BATCH).await.map_err(|error| refusal_of(&error))?;
        for id in batch.iter().copied().filter(|id| is_ours(node, Slot::of(id.0))) {
            let room = media.limits.queue_max.saturating_sub(usize::try_from(media.metrics.waiting.get()).unwrap_or(0));
            if room == 0 {
                return Ok(());
            }
            take_up_one(media, id).await?;
        }
        after = batch.last().copied();
        if batch.len() < PENDING_BATCH as usize {
            return Ok(());
        }
    }
}

async fn take_up_one(media: &Arc<Media>, id: MediaId) -> Result<(), Refusal> {
    let stand = media.stand(id);
    let is_new = match stand {
        Some(Stand::AtWork) => return Ok(()),
        Some(Stand::Later(at)) if at > Instant::now() => return Ok(()),
        Some(Stand::Later(_)) => false,
        None => true,
    };
    let Some(ticket) = media.ticket(id) else { return Ok(()) };
    let client = &media.client;
    if is_new {
        // Counted before it is begun: an image that ends the process is not begun for ever.
        let counted = client.write(&client.call(Principal::Platform), Key::new(Kind::File, id), Command::File(file::Command::TakeUp)).await;
        match counted {
            Err(refusal) if refusal.code == ErrorCode::NotFound => return Ok(()),
            counted => counted.map(drop)?,
        }
    }
    let found = client.node().stores.media.file(id).await.map_err(|error| refusal_of(&error))?;
    if let Some(file) = found.filter(|file| file.status == file::Status::Pending) {
        media.render(ticket, file.user_id);
    }
    Ok(())
}

/// Removes content that no file has had for a while, from one node.
pub(super) fn unused(media: &Arc<Media>) -> Child {
    let media = media.clone();
    let (shortest, longest) = UNUSED_EVERY;
    let every = (media.limits.unused_kept / 4).clamp(shortest, longest);
    by_the_clock("unused_content", every, move |_| {
        let media = media.clone();
        async move {
            // Any one will do; who owns this slot is one node at a time.
            if media.client.node().ownership.serves(Slot::of(family::FILES))
                && let Err(refusal) = remove(&media).await
            {
                tracing::warn!(%refusal, "content that no file has was not all removed; trying again");
            }
            every
        }
    })
}

async fn remove(media: &Media) -> Result<(), Refusal> {
    let stored = &media.client.node().stores.media;
    let kept_ms = i64::try_from(media.limits.unused_kept.as_millis()).unwrap_or(i64::MAX);
    loop {
        stored.condemn(Timestamp::now().plus_ms(-kept_ms), UNUSED_BATCH).await.map_err(|error| refusal_of(&error))?;
        let condemned = stored.condemned(UNUSED_BATCH).await.map_err(|error| refusal_of(&error))?;
        for (hash, folder) in &condemned {
            media.objects.remove_folder(*hash, *folder).await.map_err(|error| super::away(&error))?;
            stored.forget_folder(*folder).await.map_err(|error| refusal_of(&error))?;
        }
        if condemned.len() < UNUSED_BATCH as usize {
            return Ok(());
        }
    }
}
