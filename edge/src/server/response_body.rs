//! Response bodies: whole ones without a box, streamed ones with one.

use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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

/// A response is copied to its connection in pieces of at most this, so that a large one costs no large buffer.
const PIECE_BYTES_MAX: usize = 16 * 1024;

/// A response's body on its way out. A streamed one keeps its connection from being taken for idle.
pub(super) struct OutgoingBody {
    body: ResponseBody,
    /// What is left of the body's last frame.
    rest: Bytes,
    active: Option<Active>,
}

impl OutgoingBody {
    pub(super) fn new(body: ResponseBody, active: impl FnOnce() -> Active) -> Self {
        let active = match body {
            ResponseBody::Full(_) => None,
            ResponseBody::Boxed(_) => Some(active()),
        };
        Self { body, rest: Bytes::new(), active }
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        if self.rest.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)).transpose()?.map(Frame::into_data) {
                Some(Ok(bytes)) => self.rest = bytes,
                Some(Err(trailers)) => return Poll::Ready(Some(Ok(trailers))),
                None => return Poll::Ready(None),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE_BYTES_MAX));
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }
}

impl Body for OutgoingBody {
    type Data = Bytes;
    type Error = StreamError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StreamError>>> {
        let piece = self.poll_piece(cx);
        // A body is asked for more when what it gave was taken; until then the client is in its way, not its source.
        if let Some(active) = &mut self.active {
            active.set_stalled(piece.is_ready());
        }
        piece
    }

    fn is_end_stream(&self) -> bool {
        self.rest.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest_bytes = self.rest.len() as u64;
        let body = self.body.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(body.lower().saturating_add(rest_bytes));
        if let Some(upper) = body.upper() {
            hint.set_upper(upper.saturating_add(rest_bytes));
        }
        hint
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::vitals::{Stage, Vitals};
    use http_body_util::StreamBody;

    async fn pieces(body: ResponseBody) -> Vec<usize> {
        let vitals = Vitals::new(Stage::Http1);
        let mut body = OutgoingBody::new(body, || Active::new(&vitals));
        let mut pieces = Vec::new();
        let mut announced = body.size_hint().exact();
        while let Some(frame) = body.frame().await {
            let bytes = frame.expect("unbroken").into_data().expect("data").len();
            announced = announced.map(|announced| announced - bytes as u64);
            assert_eq!(body.size_hint().exact(), announced);
            pieces.push(bytes);
        }
        assert!(body.is_end_stream() || announced.is_none());
        pieces
    }

    #[tokio::test]
    async fn large_frames_leave_in_pieces_and_nothing_is_lost() {
        assert_eq!(pieces(ResponseBody::from("hello")).await, [5]);
        assert!(pieces(ResponseBody::empty()).await.is_empty());
        assert_eq!(pieces(ResponseBody::from(vec![0; 40_000])).await, [16_384, 16_384, 7_232]);
        let frames = [20_000, 0, 5].map(|bytes| Ok::<_, std::io::Error>(Frame::data(Bytes::from(vec![0; bytes]))));
        let streamed = ResponseBody::boxed(StreamBody::new(futures_util::stream::iter(frames)));
        assert_eq!(pieces(streamed).await, [16_384, 3_616, 0, 5]);
    }
}
