//! The body of an upload, `multipart/form-data`: it goes to this machine's disk as it comes, and is hashed on its way. No more of it is in memory than is
//! under way.

use actors::media::Upload;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream::BoxStream};
use http::{HeaderMap, header};
use multer::{Constraints, Field, Multipart, SizeLimit};
use protocol::{ErrorCode, Refusal, UserId, file::Visibility};
use sha2::{Digest, Sha256};
use std::{
    path::Path,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Instant,
};
use tokio::io::AsyncWriteExt;

/// Bytes of an upload beside the file: boundaries, headers, and the other fields.
pub const FORM_BYTES_MAX: u64 = 64 << 10;
/// Bytes of a field that is no file.
const FIELD_BYTES_MAX: u64 = 1 << 10;
/// First bytes that are looked at to say what a file is.
const HEAD_BYTES: usize = 8 << 10;

/// A body as it comes.
pub type Incoming = BoxStream<'static, Result<Bytes, Refusal>>;

/// What a form held.
#[derive(Default)]
struct Form {
    file: Option<Spooled>,
    user: Option<UserId>,
    visibility: Option<Visibility>,
}

/// A file on this machine's disk. It has no name there, so that it is gone with this, however the process ends.
struct Spooled {
    file: std::fs::File,
    size: u64,
    head: Vec<u8>,
    hash: [u8; 32],
    name: Option<String>,
}

/// Reads a form to its end. The file is at most `bytes_max` bytes long, and lies in the folder `spool`.
///
/// # Errors
/// `malformed_body`, `body_too_large`, `invalid_field`, what the body's source says; `unavailable` when the disk does not take it.
pub async fn receive(headers: &HeaderMap, incoming: Incoming, (spool, bytes_max): (&Path, u64), until: Instant) -> Result<Upload, Refusal> {
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let boundary = multer::parse_boundary(declared).map_err(|_| malformed("multipart/form-data takes a boundary"))?;
    let (mut form, taken) = (Form::default(), Arc::default());
    let mut parts = multipart(Metered::new(incoming, &taken), boundary, bytes_max);
    while let Some(part) = parts.next_field().await.map_err(|error| unread(error, bytes_max))? {
        take(&mut form, part, &taken, (spool, bytes_max)).await?;
    }
    let Spooled { file, size, head, hash, name } = form.file.ok_or_else(|| malformed("the form takes a field named file"))?;
    let visibility = form.visibility.unwrap_or_default();
    Ok(Upload { file, size, head, hash, name, user: form.user, visibility, until })
}

/// A body as the parser of forms gets it: a chunk at a time, and no more than [`FORM_BYTES_MAX`] of it beside the file.
///
/// The parser takes whatever there is, and keeps it until it has found what it looks for, from the beginning each time: the end of a part's head, the
/// first boundary. A head of 40 MiB took 200 MiB and two seconds of a processor.
struct Metered {
    incoming: Incoming,
    /// Bytes that the parser was given.
    given: u64,
    /// Bytes of the file that came out of it.
    taken: Arc<AtomicU64>,
    /// The parser is to look at what it has before it gets more.
    rests: bool,
}

impl Metered {
    fn new(incoming: Incoming, taken: &Arc<AtomicU64>) -> Self {
        Self { incoming, given: 0, taken: taken.clone(), rests: false }
    }
}

impl Stream for Metered {
    type Item = Result<Bytes, Refusal>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if std::mem::take(&mut self.rests) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.given.saturating_sub(self.taken.load(Ordering::Relaxed)) > FORM_BYTES_MAX {
            return Poll::Ready(Some(Err(malformed(format!("a form takes at most {FORM_BYTES_MAX} bytes beside its file")))));
        }
        let next = self.incoming.poll_next_unpin(context);
        if let Poll::Ready(Some(Ok(chunk))) = &next {
            (self.given, self.rests) = (self.given + chunk.len() as u64, true);
        }
        next
    }
}

fn multipart(
    incoming: impl Stream<Item = Result<Bytes, Refusal>> + Send + 'static,
    boundary: String,
    bytes_max: u64,
) -> Multipart<'static> {
    let sizes = SizeLimit::new().whole_stream(bytes_max + FORM_BYTES_MAX).per_field(FIELD_BYTES_MAX).for_field("file", bytes_max);
    let constraints = Constraints::new().allowed_fields(vec!["file", "userId", "visibility"]).size_limit(sizes);
    Multipart::with_constraints(incoming, boundary, constraints)
}

async fn take(form: &mut Form, part: Field<'static>, taken: &AtomicU64, (spool, bytes_max): (&Path, u64)) -> Result<(), Refusal> {
    let again = |name: &str| malformed(format!("the field {name} is repeated"));
    match part.name() {
        Some("file") if form.file.is_some() => return Err(again("file")),
        Some("file") => form.file = Some(spooled(part, taken, (spool, bytes_max)).await?),
        Some("userId") => {
            let text = part.text().await.map_err(|error| unread(error, bytes_max))?;
            // What is no id names nobody: former clients' documents show `userId=user-id`.
            if let Ok(user) = text.trim().parse()
                && form.user.replace(user).is_some()
            {
                return Err(again("userId"));
            }
        }
        Some("visibility") => {
            let text = part.text().await.map_err(|error| unread(error, bytes_max))?;
            let visibility = text.trim().parse().map_err(|_| Refusal::field("visibility takes public or private"))?;
            if form.visibility.replace(visibility).is_some() {
                return Err(again("visibility"));
            }
        }
        _ => return Err(malformed("the form takes the fields file, userId and visibility")),
    }
    Ok(())
}

async fn spooled(mut part: Field<'static>, taken: &AtomicU64, (spool, bytes_max): (&Path, u64)) -> Result<Spooled, Refusal> {
    let name = part.file_name().map(str::to_owned);
    let file = tempfile::tempfile_in(spool).map_err(|error| full(&error))?;
    let (mut file, mut hasher) = (tokio::fs::File::from_std(file), Sha256::new());
    let (mut size, mut head) = (0, Vec::new());
    while let Some(chunk) = part.chunk().await.map_err(|error| unread(error, bytes_max))? {
        hasher.update(&chunk);
        size += chunk.len() as u64;
        taken.store(size, Ordering::Relaxed);
        head.extend_from_slice(&chunk[..chunk.len().min(HEAD_BYTES.saturating_sub(head.len()))]);
        file.write_all(&chunk).await.map_err(|error| full(&error))?;
    }
    file.flush().await.map_err(|error| full(&error))?;
    Ok(Spooled { file: file.into_std().await, size, head, hash: hasher.finalize().into(), name })
}

fn malformed(detail: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(ErrorCode::MalformedBody, detail)
}

fn full(error: &std::io::Error) -> Refusal {
    tracing::error!(%error, "an upload cannot be put down on the disk of this machine");
    ErrorCode::Unavailable.into()
}

/// What is wrong with a form, for its sender.
fn unread(error: multer::Error, bytes_max: u64) -> Refusal {
    match error {
        multer::Error::StreamReadFailed(source) => match source.downcast::<Refusal>() {
            Ok(refusal) => *refusal,
            Err(_) => malformed("the body broke off"),
        },
        multer::Error::FieldSizeExceeded { field_name, .. } if field_name.as_deref() != Some("file") => {
            malformed(format!("a field takes at most {FIELD_BYTES_MAX} bytes"))
        }
        multer::Error::FieldSizeExceeded { .. } | multer::Error::StreamSizeExceeded { .. } => {
            Refusal::new(ErrorCode::BodyTooLarge, format!("a file takes at most {bytes_max} bytes"))
        }
        multer::Error::UnknownField { .. } => malformed("the form takes the fields file, userId and visibility"),
        _ => malformed("the body is no multipart/form-data that ends with its boundary"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::{FutureExt, stream};

    const MAX: u64 = 1000;

    /// The form, in chunks of that many bytes.
    fn received(form: &str, chunk: usize) -> Result<Upload, Refusal> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "multipart/form-data; boundary=x".parse().expect("a value"));
        let form = Bytes::from(form.replace('\n', "\r\n"));
        let chunks: Vec<_> = form.chunks(chunk).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
        let spool = std::env::temp_dir();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(receive(&headers, stream::iter(chunks).boxed(), (&spool, MAX), Instant::now()).map(|done| done))
    }

    fn file(content: &str) -> String {
        format!("--x\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\n\n{content}\n")
    }

    fn field(name: &str, value: &str) -> String {
        format!("--x\nContent-Disposition: form-data; name=\"{name}\"\n\n{value}\n")
    }

    #[test]
    fn a_form_is_read_in_whatever_pieces_it_comes() {
        let user = UserId::new();
        let form = [file("hello"), field("userId", &user.to_string()), field("visibility", "private"), "--x--\n".to_owned()].concat();
        for chunk in [1, 7, 10_000] {
            let upload = received(&form, chunk).expect("a form");
            assert_eq!((upload.size, &upload.head[..], upload.name.as_deref()), (5, &b"hello"[..], Some("a.txt")));
            assert_eq!((upload.user, upload.visibility), (Some(user), Visibility::Private));
            assert_eq!(upload.hash, <[u8; 32]>::from(Sha256::digest("hello")));
        }
        let old = received(&[file(""), field("userId", "user-id"), "--x--\n".to_owned()].concat(), 100).expect("a form");
        assert_eq!((old.user, old.size, old.visibility), (None, 0, Visibility::Public));
    }

    #[test]
    fn what_is_wrong_with_a_form_is_said() {
        let end = || "--x--\n".to_owned();
        let code = |parts: &[String]| received(&parts.concat(), 64).err().map(|refusal| refusal.code);
        assert_eq!(code(&[file(&"a".repeat(1000)), end()]), None);
        assert_eq!(code(&[file(&"a".repeat(1001)), end()]), Some(ErrorCode::BodyTooLarge));
        assert_eq!(code(&[field("visibility", "friends"), file("a"), end()]), Some(ErrorCode::InvalidField));
        assert_eq!(code(&[field("visibility", &"a".repeat(2000)), file("a"), end()]), Some(ErrorCode::MalformedBody));
        for form in [
            vec![file("a")],
            vec![end()],
            vec![file("a"), file("b"), end()],
            vec![file("a"), field("visibility", "public"), field("visibility", "private"), end()],
            vec![file("a"), field("role", "admin"), end()],
            vec!["no form at all".to_owned()],
            vec![String::new()],
        ] {
            assert_eq!(code(&form), Some(ErrorCode::MalformedBody), "{form:?}");
        }
    }

    #[test]
    fn what_is_no_file_is_bounded_however_it_comes() {
        let beyond = "a".repeat(usize::try_from(FORM_BYTES_MAX).expect("small") + 1);
        let forms = [
            format!("--x\nContent-Disposition: form-data; name=\"file\"; filename=\"{beyond}\"\n\nhello\n--x--\n"),
            format!("{beyond}\n{}--x--\n", file("hello")),
        ];
        for form in &forms {
            // It is told before the whole of it came: the rest is no form at all.
            let refusal = received(&format!("{form}{}", "b".repeat(1 << 20)), 512).err().expect("it is refused");
            assert_eq!(refusal.code, ErrorCode::MalformedBody);
            assert!(refusal.detail.contains("beside its file"), "{}", refusal.detail);
        }
    }
}
