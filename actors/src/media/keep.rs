//! An upload becomes a file.

use super::{Media, Standing, away, new_id, render};
use crate::{client::Call, owner::refusal_of};
use bytes::Bytes;
use images::Kind as Sort;
use protocol::{
    Command, ErrorCode, Key, Kind, MediaId, Refusal, Timestamp, UserId,
    file::{self, Class, ContentHash, Likeness, Metadata, NewFile, Status, Visibility},
};
use sha2::{Digest, Sha256};
use std::{
    io::{Read, Seek},
    sync::Arc,
    time::Instant,
};
use store::objects::{Name, Unavailable};
use tokio::io::AsyncSeekExt;

/// How often an upload is begun again because its content was condemned meanwhile.
const TRIES: usize = 3;

/// What was uploaded, on this machine's disk.
pub struct Upload {
    /// All of it.
    pub file: std::fs::File,
    /// Its length in bytes.
    pub size: u64,
    /// Its first bytes, a few kilobytes of them.
    pub head: Vec<u8>,
    /// The SHA-256 of it.
    pub hash: [u8; 32],
    /// What it was called where it came from.
    pub name: Option<String>,
    /// Whom the client names as its owner.
    pub user: Option<UserId>,
    /// Who may see it.
    pub visibility: Visibility,
    /// Until when the client waits.
    pub until: Instant,
}

/// What is kept of an upload.
struct Kept {
    hash: ContentHash,
    size: u64,
    class: Class,
    mime_type: &'static str,
    extension: String,
    metadata: Option<Metadata>,
    bytes: Contained,
}

enum Contained {
    /// In memory, without what its owner did not mean to publish.
    Stripped(Bytes),
    /// As it was sent.
    File(tokio::fs::File),
}

impl Media {
    /// Keeps an upload: the object first, then the row. Answers the file's id; if it is pending, its variants are being made.
    ///
    /// # Errors
    /// `bad_image`, `body_too_large`, `quota_exceeded`, `invalid_field`, `forbidden`; `overloaded` or `unavailable`: nothing is there. What the owner says of the write.
    pub async fn keep(self: &Arc<Self>, call: &Call, upload: Upload) -> Result<MediaId, Refusal> {
        let user = call.principal.user().ok_or(ErrorCode::Unauthenticated)?;
        if upload.user.is_some_and(|named| named != user) {
            return Err(ErrorCode::Forbidden.into());
        }
        let (name, visibility, until) = (upload.name.as_deref().and_then(file::cut_name), upload.visibility, upload.until);
        let mut kept = match images::sniff(&upload.head) {
            Sort::Image(_) => self.image(upload).await?,
            Sort::Attachment(class, mime) => attachment(upload, class, mime),
        };
        self.check_room(user, call.idempotency.as_ref(), Some(kept.size)).await?;
        let node = self.client.node();
        let media = &node.stores.media;
        for _ in 0..TRIES {
            let folder = media.hold(kept.hash, Timestamp::now()).await.map_err(|error| refusal_of(&error))?;
            self.put(&mut kept, folder).await.map_err(|error| away(&error))?;
            let known: Option<Likeness> = match kept.class {
                Class::Image => render::known(self, kept.hash).await.map_err(|error| refusal_of(&error))?,
                _ => None,
            };
            let new = NewFile {
                user_id: Some(user),
                original_name: name.clone(),
                visibility,
                hash: kept.hash,
                folder,
                extension: kept.extension.clone(),
                mime_type: kept.mime_type.to_owned(),
                size: kept.size,
                class: kept.class,
                metadata: kept.metadata.clone(),
                known,
            };
            let id = new_id(node);
            // Before anybody else can see it: the sweeper leaves it to this upload.
            let ticket = self.ticket(id);
            let call = Call { deadline: until.min(Instant::now() + node.limits.request_deadline), ..call.clone() };
            let written = self.client.write(&call, Key::new(Kind::File, id), Command::File(file::Command::Create(Box::new(new)))).await;
            let reply = match written {
                // Whoever removed the last file with this content did so long before, and what was kept of it is condemned: it is kept anew.
                Err(refusal) if refusal.code == ErrorCode::NotFound => continue,
                Err(refusal) if refusal.code == ErrorCode::LimitReached => return Err(self.no_room(user, kept.size).await),
                written => written?,
            };
            let made: Made = serde_json::from_slice(&reply.body).map_err(|_| ErrorCode::Internal)?;
            if let (true, Status::Pending, Some(ticket)) = (made.id == id, made.standing.status, ticket) {
                self.render(ticket, user);
            }
            return Ok(made.id);
        }
        Err(ErrorCode::Unavailable.into())
    }

    /// Judges an image by its headers, and takes out what is not to be published.
    async fn image(&self, upload: Upload) -> Result<Kept, Refusal> {
        let Upload { mut file, size, until, .. } = upload;
        // The file, and the file without what is taken out.
        let _memory = self.memory(2 * size, until).await?;
        let limits = self.limits.image;
        let judged = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
            file.rewind().and_then(|()| file.read_to_end(&mut bytes)).map_err(|error| away(&Unavailable::from(error)))?;
            let inspected = images::inspect(&bytes, &limits).map_err(bad_image)?;
            let stripped = Bytes::from(images::strip(&bytes, &inspected).map_err(bad_image)?);
            let (width, height) = inspected.upright_size();
            let format = inspected.format;
            Ok::<_, Refusal>(Kept {
                hash: ContentHash(Sha256::digest(&stripped).into()),
                size: stripped.len() as u64,
                class: Class::Image,
                mime_type: format.mime(),
                extension: format.name().to_owned(),
                metadata: Some(Metadata { width, height, format: format.name().to_owned() }),
                bytes: Contained::Stripped(stripped),
            })
        });
        judged.await.map_err(|_| ErrorCode::Internal)?
    }

    /// Writes the original, unless it is there.
    async fn put(&self, kept: &mut Kept, folder: uuid::Uuid) -> Result<(), Unavailable> {
        let name = Name { hash: kept.hash, folder, part: super::serve::ORIGINAL };
        if self.objects.size(name).await?.is_some() {
            return Ok(());
        }
        match &mut kept.bytes {
            Contained::Stripped(bytes) => self.objects.put(name, bytes.clone()).await,
            Contained::File(file) => {
                file.rewind().await?;
                self.objects.put_file(name, file).await
            }
        }
    }
}

/// What the owner says of a new file.
#[derive(serde::Deserialize)]
struct Made {
    id: MediaId,
    #[serde(flatten)]
    standing: Standing,
}

fn attachment(upload: Upload, class: images::Class, mime_type: &'static str) -> Kept {
    let class = match class {
        images::Class::Video => Class::Video,
        images::Class::Audio => Class::Audio,
        images::Class::Document => Class::Document,
        images::Class::Other => Class::Other,
    };
    Kept {
        hash: ContentHash(upload.hash),
        size: upload.size,
        class,
        mime_type,
        extension: extension(mime_type),
        metadata: None,
        bytes: Contained::File(tokio::fs::File::from_std(upload.file)),
    }
}

/// The extension of an attachment: what its media type is called, where that is a short word.
fn extension(mime_type: &str) -> String {
    let word = mime_type.rsplit('/').next().unwrap_or_default();
    let is_short = (1..=5).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    if is_short { word } else { "bin" }.to_owned()
}

/// What a client is told of an image that is not taken.
pub(super) fn bad_image(error: images::Error) -> Refusal {
    match error {
        images::Error::TooLarge { measure: images::limit::Measure::Bytes, max, .. } => {
            Refusal::new(ErrorCode::BodyTooLarge, format!("an image takes at most {max} bytes"))
        }
        images::Error::TooLarge { measure: images::limit::Measure::ProfileBytes, max, .. } => Refusal::new(
            ErrorCode::BadImage,
            format!("an image takes a colour profile of at most {max} bytes: save it in sRGB, or without a profile"),
        ),
        error => Refusal::new(ErrorCode::BadImage, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attachments_have_short_extensions() {
        let cases =
            [("application/pdf", "pdf"), ("video/mp4", "mp4"), ("application/octet-stream", "bin"), ("audio/x-flac", "bin"), ("", "bin")];
        for (mime_type, expected) in cases {
            assert_eq!(extension(mime_type), expected);
        }
    }
}
