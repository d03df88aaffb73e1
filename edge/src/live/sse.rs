//! Streams as server-sent events (HTML, 9.2): an answer whose body does not end.

use super::{
    Place, Stream,
    drive::{Heard, Outlet, Reason, drive},
    event::{Event, piece},
};
use crate::server::ResponseBody;
use bytes::Bytes;
use futures_util::stream;
use http::{HeaderName, HeaderValue, Response, header};
use http_body::Frame;
use http_body_util::StreamBody;
use std::convert::Infallible;
use tokio::sync::mpsc;

/// Until when a client that was cut off should wait before it comes back; with jitter of its own.
const RETRY: &str = "retry: 2000\n\n";

/// Keeps proxies such as nginx from collecting what should leave at once.
const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

/// One piece waits for the connection at most.
struct Body {
    pieces: mpsc::Sender<Bytes>,
}

impl Outlet for Body {
    const TRANSPORT: &'static str = "sse";

    async fn give(&mut self, events: &[Event], cursor: &str) -> Result<(), Reason> {
        self.pieces.send(piece(events, cursor)).await.map_err(|_| Reason::Left)
    }

    async fn hear(&mut self) -> Heard {
        self.pieces.closed().await;
        Heard::Over(Reason::Left)
    }

    /// The socket itself says whether anybody takes what is sent: see `server::verdict`.
    async fn probe(&mut self) -> Result<(), Reason> {
        Ok(())
    }

    async fn close(self, reason: Reason) {
        let _ = self.pieces.send(piece(&[Event::End { reason: reason.word() }], "")).await;
    }
}

/// The answer's head, of a stream that is not begun.
pub(crate) fn head() -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(ACCEL_BUFFERING, HeaderValue::from_static("no"));
    response
}

/// Begins a stream, and answers with it.
pub(crate) fn answer(stream: Stream, place: Place) -> Response<ResponseBody> {
    let (pieces, taken) = mpsc::channel(1);
    // There is room for one.
    let _ = pieces.try_send(Bytes::from_static(RETRY.as_bytes()));
    let frames = stream::unfold(taken, |mut taken| async move {
        let piece: Option<Bytes> = taken.recv().await;
        piece.map(|piece| (Ok::<_, Infallible>(Frame::data(piece)), taken))
    });
    tokio::spawn(drive(stream, Body { pieces }, place));
    head().map(|_| ResponseBody::boxed(StreamBody::new(frames)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_holds_one_piece_and_is_noticed() {
        let (pieces, mut taken) = mpsc::channel(1);
        let mut body = Body { pieces };
        body.give(&[Event::Ping], "1").await.expect("there is room");
        let second = tokio::time::timeout(super::super::drive::TAKE_MAX, body.give(&[Event::Ping], "2")).await;
        assert!(second.is_err(), "it waits for the client");
        assert!(taken.recv().await.is_some_and(|piece| piece.starts_with(b"id: 1")));
        drop(taken);
        assert_eq!(body.give(&[Event::Ping], "3").await, Err(Reason::Left));
        assert!(matches!(body.hear().await, Heard::Over(Reason::Left)));
    }
}
