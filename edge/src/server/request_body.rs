//! Request bodies: bounded in size, rate and time wherever they are read, and accounted for where they are not.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep};

use super::limits::{BodyLimits, Credit};
use super::linger::Linger;
use super::vitals::Vitals;

/// The most that is allocated for a body on the word of its declared length alone.
const TRUSTED_LENGTH_BYTES_MAX: usize = 64 * 1024;

/// A request's body.
///
/// Reading it in whatever way (frame by frame, through warp, or whole by [`read_all`](Self::read_all)) keeps it to its
/// [`BodyLimits`]. Dropping it before its end is how a request is refused: see [`Service`](super::Service).
#[derive(Debug)]
pub struct RequestBody {
    source: Source,
    /// What is kept of a body that has not ended; most requests have none and pay nothing.
    reading: Option<Box<Reading>>,
}

#[derive(Debug)]
enum Source {
    Incoming(Incoming),
    Bytes(Bytes),
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// The body is, or says that it is, longer than it may be.
    #[error("the body is longer than {bytes_max} bytes")]
    TooLarge {
        /// The limit that it exceeded.
        bytes_max: u64,
    },
    /// The body arrived more slowly than it may.
    #[error("the body arrived too slowly")]
    TooSlow,
    /// The body did not end in time.
    #[error("the body did not end within {total_max:?}")]
    Timeout {
        /// The limit that it exceeded.
        total_max: Duration,
    },
    /// The client broke off, or sent what is no body.
    #[error("the body broke off")]
    Broken(#[source] hyper::Error),
}

#[derive(Debug)]
struct Reading {
    limits: BodyLimits,
    received_bytes: u64,
    pace: Option<Pace>,
    if_unread: IfUnread,
}

/// What to do about a body that is dropped before its end.
#[derive(Debug)]
pub(super) enum IfUnread {
    /// Nothing: no client sends it.
    Ignore,
    /// Tell the HTTP/1 connection, which will have to end.
    Tell(Arc<Vitals>),
    /// Discard the rest of it, over HTTP/2.
    Discard(Arc<Linger>),
}

/// The clock of a body that was waited for at least once; one that came along with its head needs none.
#[derive(Debug)]
struct Pace {
    credit: Credit,
    ends_at: Instant,
    waiting_since: Option<Instant>,
    timer: Pin<Box<Sleep>>,
}

impl RequestBody {
    pub(super) fn incoming(incoming: Incoming, limits: BodyLimits, if_unread: impl FnOnce() -> IfUnread) -> Self {
        let reading = (!incoming.is_end_stream()).then(|| Reading::new(limits, if_unread()));
        Self { source: Source::Incoming(incoming), reading }
    }

    /// Makes a body without bytes.
    pub fn empty() -> Self {
        Self::from(Bytes::new())
    }

    /// Gives the bytes that the client declared, if it did: 0 if there is no body, and what is left if it was read in part.
    pub fn declared_bytes(&self) -> Option<u64> {
        self.size_hint().exact()
    }

    /// Replaces the limits. What was received already counts; the time starts anew.
    pub fn set_limits(&mut self, limits: BodyLimits) {
        if let Some(reading) = &mut self.reading {
            reading.limits = limits;
            reading.pace = None;
        }
    }

    /// Replaces the limit on size alone.
    pub fn set_bytes_max(&mut self, bytes_max: u64) {
        if let Some(reading) = &mut self.reading {
            reading.limits.bytes_max = bytes_max;
        }
    }

    /// Reads the body to its end, which may hold up to [`BodyLimits::bytes_max`] bytes; trailers are dropped.
    ///
    /// # Errors
    /// [`BodyError`]; the body is gone then, and the client should be told by the response.
    pub async fn read_all(mut self) -> Result<Bytes, BodyError> {
        let declared = usize::try_from(self.declared_bytes().unwrap_or(0)).unwrap_or(usize::MAX);
        let Some(first) = self.next_chunk().await? else {
            return Ok(Bytes::new());
        };
        let Some(second) = self.next_chunk().await? else {
            return Ok(first);
        };
        let capacity = declared.min(TRUSTED_LENGTH_BYTES_MAX).max(first.len() + second.len());
        let mut whole = BytesMut::with_capacity(capacity);
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(chunk) = self.next_chunk().await? {
            whole.extend_from_slice(&chunk);
        }
        Ok(whole.freeze())
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, BodyError> {
        while let Some(frame) = self.frame().await {
            if let Ok(chunk) = frame?.into_data() {
                return Ok(Some(chunk));
            }
        }
        Ok(None)
    }
}

impl From<Bytes> for RequestBody {
    fn from(bytes: Bytes) -> Self {
        let reading = (!bytes.is_empty()).then(|| Reading::new(BodyLimits::default(), IfUnread::Ignore));
        Self { source: Source::Bytes(bytes), reading }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        let Some(reading) = &mut this.reading else {
            return Poll::Ready(None);
        };
        reading.admit(this.source.size_hint().lower())?;
        let Poll::Ready(frame) = this.source.poll_frame(cx) else {
            ready!(reading.poll_patience(cx))?;
            return Poll::Pending;
        };
        match frame {
            Some(Ok(frame)) => {
                reading.receive(frame.data_ref().map_or(0, Bytes::len) as u64)?;
                if this.source.is_end_stream() {
                    this.reading = None;
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => Poll::Ready(Some(Err(BodyError::Broken(error)))),
            None => {
                this.reading = None;
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.reading.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        if self.reading.is_none() {
            return SizeHint::with_exact(0);
        }
        self.source.size_hint()
    }
}

impl Source {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        match self {
            Self::Incoming(incoming) => Pin::new(incoming).poll_frame(cx),
            Self::Bytes(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Bytes(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Incoming(incoming) => incoming.is_end_stream(),
            Self::Bytes(bytes) => bytes.is_empty(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Incoming(incoming) => incoming.size_hint(),
            Self::Bytes(bytes) => SizeHint::with_exact(bytes.len() as u64),
        }
    }
}

impl Reading {
    fn new(limits: BodyLimits, if_unread: IfUnread) -> Box<Self> {
        Box::new(Self { limits, received_bytes: 0, pace: None, if_unread })
    }

    /// Refuses a body that has, or will have, more bytes than it may.
    fn admit(&self, coming_bytes: u64) -> Result<(), BodyError> {
        let bytes_max = self.limits.bytes_max;
        if self.received_bytes.saturating_add(coming_bytes) > bytes_max {
            return Err(BodyError::TooLarge { bytes_max });
        }
        Ok(())
    }

    fn receive(&mut self, bytes: u64) -> Result<(), BodyError> {
        self.received_bytes = self.received_bytes.saturating_add(bytes);
        if let Some(pace) = &mut self.pace {
            if let Some(since) = pace.waiting_since.take() {
                pace.credit.spend(since.elapsed());
            }
            pace.credit.earn(bytes);
        }
        self.admit(0)
    }

    /// Ready when the client was waited for long enough.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BodyError>> {
        let limits = self.limits;
        let pace = self.pace.get_or_insert_with(|| {
            let now = Instant::now();
            Pace {
                credit: Credit::new(limits.rate),
                ends_at: now + limits.total_max,
                waiting_since: None,
                timer: Box::pin(tokio::time::sleep_until(now)),
            }
        });
        if pace.waiting_since.is_none() {
            let now = Instant::now();
            pace.waiting_since = Some(now);
            let wait_until = (now + pace.credit.left()).min(pace.ends_at);
            pace.timer.as_mut().reset(wait_until);
        }
        ready!(pace.timer.as_mut().poll(cx));
        Poll::Ready(Err(match Instant::now() >= pace.ends_at {
            true => BodyError::Timeout { total_max: limits.total_max },
            false => BodyError::TooSlow,
        }))
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(reading) = self.reading.take() else {
            return;
        };
        match (reading.if_unread, std::mem::replace(&mut self.source, Source::Bytes(Bytes::new()))) {
            (IfUnread::Tell(vitals), _) => vitals.abandon_body(),
            (IfUnread::Discard(linger), Source::Incoming(incoming)) => {
                if let (Some(lingering), Ok(runtime)) = (linger.begin(), Handle::try_current()) {
                    runtime.spawn(lingering.discard(incoming));
                }
            }
            (IfUnread::Ignore | IfUnread::Discard(_), _) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_made_of_bytes_is_read_whole_and_bounded_like_any_other() {
        let body = RequestBody::from(Bytes::from_static(b"hello"));
        assert_eq!(body.declared_bytes(), Some(5));
        assert_eq!(body.read_all().await.expect("five bytes"), "hello");
        let mut body = RequestBody::from(Bytes::from_static(b"hello"));
        body.set_bytes_max(4);
        assert!(matches!(body.read_all().await, Err(BodyError::TooLarge { bytes_max: 4 })));
        let empty = RequestBody::empty();
        assert!(empty.is_end_stream());
        assert_eq!(empty.read_all().await.expect("no bytes"), "");
    }
}
