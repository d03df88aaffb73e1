//! Response bodies: whole ones without a box, streamed ones with one.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use http_body_util::combinators::UnsyncBoxBody;

use super::vitals::Active;

/// What ends a streamed response before its end; the client sees the connection, or the HTTP/2 stream, break.
pub type StreamError = Box<dyn StdError + Send + Sync>;

/// A response's body.
pub enum ResponseBody {
    /// All of it, at hand.
    Full(Bytes),
    /// A body that is made while it is sent.
    Boxed(UnsyncBoxBody<Bytes, StreamError>),
}

impl ResponseBody {
    /// Makes a body without bytes.
    pub fn empty() -> Self {
        Self::Full(Bytes::new())
    }

    /// Boxes any body, for example warp's. One that has ended already is not boxed.
    pub fn boxed<B>(body: B) -> Self
    where
        B: Body<Data = Bytes> + Send + 'static,
        B::Error: Into<StreamError>,
    {
        if body.is_end_stream() {
            return Self::empty();
        }
        Self::Boxed(body.map_err(Into::into).boxed_unsync())
    }
}

impl Default for ResponseBody {
    fn default() -> Self {
        Self::empty()
    }
}

impl From<Bytes> for ResponseBody {
    fn from(bytes: Bytes) -> Self {
        Self::Full(bytes)
    }
}

impl From<Vec<u8>> for ResponseBody {
    fn from(bytes: Vec<u8>) -> Self {
        Self::Full(bytes.into())
    }
}

impl From<String> for ResponseBody {
    fn from(text: String) -> Self {
        Self::Full(text.into())
    }
}

impl From<&'static str> for ResponseBody {
    fn from(text: &'static str) -> Self {
        Self::Full(Bytes::from_static(text.as_bytes()))
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full(bytes) => write!(f, "Full({} bytes)", bytes.len()),
            Self::Boxed(_) => f.write_str("Boxed"),
        }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        match &mut *self {
            Self::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Boxed(body) => Pin::new(body).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Full(bytes) => bytes.is_empty(),
            Self::Boxed(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Boxed(body) => body.size_hint(),
        }
    }
}

/// A response's body on its way out. A streamed one keeps its connection from being taken for idle.
pub(super) struct OutgoingBody {
    body: ResponseBody,
    active: Option<Active>,
}

impl OutgoingBody {
    pub(super) fn new(body: ResponseBody, active: impl FnOnce() -> Active) -> Self {
        let active = match body {
            ResponseBody::Full(_) => None,
            ResponseBody::Boxed(_) => Some(active()),
        };
        Self { body, active }
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let frame = Pin::new(&mut self.body).poll_frame(cx);
        // A body is asked for more when what it gave was taken; until then the client is in its way, not its source.
        if let Some(active) = &mut self.active {
            active.set_stalled(frame.is_ready());
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
