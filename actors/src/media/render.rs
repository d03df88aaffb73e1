//! One job: from an object to its variants, and what the file's owner is told of them.

use super::{
    Media, away,
    metric::{Outcome, Stage},
    pool::{Task, Ticket},
    serve::{ORIGINAL, part_name},
    thread::{Panicked, Thread},
};
use images::{Decoded, Encoding, Inspected, Optimized, Rendition, Variant};
use protocol::{
    Command, ErrorCode, Key, Kind, MediaId, Principal, Refusal,
    file::{self, Colour, Content, ContentHash, Likeness, Rendered, SHARERS_MAX, Status},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use store::{StoreError, objects::Name, objects::Unavailable};
use uuid::Uuid;

/// How long a job waits for memory.
const MEMORY_WAIT: Duration = Duration::from_secs(600);

/// What AVIF takes for the largest of the four sizes, beyond what WebP takes for all pixels: 48 bytes each.
const AVIF_SIZE_BYTES: u64 = 1920 * 1920 * 48;

/// Why a job ended before it was done.
enum End {
    /// For good, for this reason: it is the image's.
    Image(String),
    /// For now: something that it needs is away, and says so itself.
    Away(String),
    /// Its file is gone.
    Gone,
}

impl From<images::Error> for End {
    fn from(error: images::Error) -> Self {
        Self::Image(error.to_string())
    }
}

impl From<Panicked> for End {
    fn from(_: Panicked) -> Self {
        Self::Image("the image cannot be processed".to_owned())
    }
}

impl From<StoreError> for End {
    fn from(error: StoreError) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<Unavailable> for End {
    fn from(error: Unavailable) -> Self {
        Self::Away(error.to_string())
    }
}

impl From<Refusal> for End {
    fn from(refusal: Refusal) -> Self {
        if refusal.code == ErrorCode::NotFound { Self::Gone } else { Self::Away(refusal.to_string()) }
    }
}

/// Carries a task out, and tells whom it concerns.
pub(super) async fn carry_out(media: &Arc<Media>, thread: &Thread, task: Task) {
    match task {
        Task::File(ticket) => of_file(media, thread, ticket).await,
        Task::Variant(content, variant, encoding, tell) => {
            let made = match one(media, thread, &content, (variant, encoding)).await {
                Ok(()) => Ok(()),
                Err(End::Image(reason)) => Err(Refusal::new(ErrorCode::BadImage, reason)),
                Err(End::Away(reason)) => Err(away(&Unavailable { reason })),
                Err(End::Gone) => Err(ErrorCode::NotFound.into()),
            };
            media.metrics.job(if made.is_ok() { Outcome::Done } else { Outcome::Failed });
            // Whoever asked may have gone away.
            let _ = tell.send(made);
        }
    }
}

async fn of_file(media: &Media, thread: &Thread, ticket: Ticket) {
    let id = ticket.id;
    let ended = match variants(media, thread, id).await {
        Err(End::Image(reason)) => match tell(media, id, file::Command::Fail(reason)).await {
            Ok(()) => {
                media.metrics.job(Outcome::Failed);
                return;
            }
            untold => untold,
        },
        ended => ended,
    };
    match ended {
        Ok(()) | Err(End::Gone) => media.metrics.job(Outcome::Done),
        Err(End::Away(reason) | End::Image(reason)) => {
            tracing::warn!(file = %id, reason, "an image's variants are made later");
            media.metrics.job(Outcome::Later);
            ticket.rest();
        }
    }
}

/// Makes all variants of a pending file: what people wait for first, the full size after that.
async fn variants(media: &Media, thread: &Thread, id: MediaId) -> Result<(), End> {
    let stored = &media.client.node().stores.media;
    let file = stored.file(id).await?.filter(|file| file.status == Status::Pending).ok_or(End::Gone)?;
    if let Some(likeness) = known(media, file.content_hash).await? {
        return tell(media, id, file::Command::Render(likeness)).await;
    }
    let folder = stored.folder(file.content_hash.id()).await?.ok_or(End::Gone)?;
    let place = (file.content_hash, folder);
    let (original, inspected) = read(media, place).await?;
    let until = Instant::now() + MEMORY_WAIT;
    let _memory = media.memory(inspected.memory_bytes(Encoding::WebP), until).await?;

    let limits = media.limits.image;
    let timer = media.metrics.stage(Stage::Sizes).start_timer();
    let made = thread.run(move || {
        let decoded = images::decode(&original, &inspected, &limits, &|| false)?;
        let preview = decoded.preview(Encoding::WebP, &|| false)?;
        Ok::<(Decoded, images::Preview), images::Error>((decoded, preview))
    });
    let (decoded, preview) = made.await??;
    timer.observe_duration();
    for rendition in preview.renditions {
        put(media, place, rendition).await?;
    }
    let colour = preview.dominant_colour;
    let likeness = Likeness {
        rendered: Rendered::Sizes,
        blur_placeholder: preview.placeholder,
        dominant_color: Colour { r: colour.r, g: colour.g, b: colour.b },
    };
    tell(media, id, file::Command::Render(likeness.clone())).await?;

    let timer = media.metrics.stage(Stage::FullSize).start_timer();
    let optimized = thread.run(move || decoded.optimized(Encoding::WebP, &|| false)).await??;
    timer.observe_duration();
    let rendered = match optimized {
        Optimized::Smaller(rendition) => {
            put(media, place, rendition).await?;
            Rendered::Smaller
        }
        Optimized::Original => Rendered::Original,
    };
    tell(media, id, file::Command::Render(Likeness { rendered, ..likeness })).await
}

/// Makes one variant, if it is not there.
async fn one(media: &Media, thread: &Thread, content: &Content, (variant, encoding): (Variant, Encoding)) -> Result<(), End> {
    let place = (content.hash, content.folder);
    let part = part_name(variant, encoding);
    if media.objects.size(Name { hash: content.hash, folder: content.folder, part: &part }).await?.is_some() {
        return Ok(());
    }
    let (original, inspected) = read(media, place).await?;
    let memory_bytes = match (variant, encoding) {
        (Variant::Optimized, _) => inspected.memory_bytes(encoding),
        (_, Encoding::Avif) => inspected.memory_bytes(Encoding::WebP) + AVIF_SIZE_BYTES,
        _ => inspected.memory_bytes(Encoding::WebP),
    };
    if memory_bytes > media.limits.memory_bytes_max {
        return Err(End::Image("the image is too large to be made in this form".to_owned()));
    }
    let _memory = media.memory(memory_bytes, Instant::now() + MEMORY_WAIT).await?;
    let limits = media.limits.image;
    let timer = media.metrics.stage(Stage::Variant).start_timer();
    let made = thread.run(move || {
        let decoded = images::decode(&original, &inspected, &limits, &|| false)?;
        decoded.renditions(&[variant], encoding, &|| false)
    });
    let made = made.await??;
    timer.observe_duration();
    for rendition in made {
        media.objects.put(Name { hash: content.hash, folder: content.folder, part: &part }, rendition.bytes).await?;
    }
    Ok(())
}

/// What was made of the same content for another file.
pub(super) async fn known(media: &Media, hash: ContentHash) -> Result<Option<Likeness>, StoreError> {
    let files = media.client.node().stores.media.files_with(hash.id(), SHARERS_MAX).await?;
    let likeness = |file: file::File| {
        let (blur_placeholder, dominant_color) = file.blur_placeholder.zip(file.dominant_color)?;
        (file.status == Status::Ready).then_some(Likeness { rendered: file.rendered, blur_placeholder, dominant_color })
    };
    Ok(files.into_iter().find_map(likeness))
}

async fn read(media: &Media, (hash, folder): (ContentHash, Uuid)) -> Result<(bytes::Bytes, Inspected), End> {
    let original = media.objects.get(Name { hash, folder, part: ORIGINAL }, None).await?.ok_or(End::Gone)?;
    let inspected = images::inspect(&original, &media.limits.image)?;
    Ok((original, inspected))
}

async fn put(media: &Media, (hash, folder): (ContentHash, Uuid), rendition: Rendition) -> Result<(), End> {
    let part = part_name(rendition.variant, Encoding::WebP);
    Ok(media.objects.put(Name { hash, folder, part: &part }, rendition.bytes).await?)
}

async fn tell(media: &Media, id: MediaId, command: file::Command) -> Result<(), End> {
    let call = media.client.call(Principal::Platform);
    media.client.write(&call, Key::new(Kind::File, id), Command::File(command)).await?;
    Ok(())
}
