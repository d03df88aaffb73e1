//! Discarding input that nobody reads, so that a client that is still sending sees the response to what it began to send.
//!
//! Over HTTP/1 the connection has to end then, and closing it over unread input would reset it: the socket discards instead
//! (`stream.rs`). Over HTTP/2 only the stream would be reset, rightly so (RFC 9113, section 8.1), and yet there are clients that
//! take that for a failure and drop the response (curl 7.88): the stream discards instead (`request_body.rs`). Both are bounded in
//! bytes, in time and in number.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::limits::Limits;

/// Bytes that are discarded per read.
const READ_BYTES: usize = 16 * 1024;

/// How much a server discards.
#[derive(Debug)]
pub(super) struct Linger {
    places: Arc<Semaphore>,
    bytes_max: u64,
    time_max: Duration,
}

impl Linger {
    pub(super) fn new(limits: &Limits) -> Arc<Self> {
        Arc::new(Self {
            places: Arc::new(Semaphore::new(limits.lingering_max.min(Semaphore::MAX_PERMITS))),
            bytes_max: limits.linger_bytes_max,
            time_max: limits.linger_max,
        })
    }

    /// Takes a place, if there is one left.
    pub(super) fn begin(&self) -> Option<Lingering> {
        let place = Arc::clone(&self.places).try_acquire_owned().ok()?;
        Some(Lingering { bytes_left: self.bytes_max, time_max: self.time_max, _place: place })
    }
}

/// One client's input being discarded.
#[derive(Debug)]
pub(super) struct Lingering {
    bytes_left: u64,
    time_max: Duration,
    _place: OwnedSemaphorePermit,
}

impl Lingering {
    /// Reads a socket to its end, an error or the limit in bytes; its time is the sweep's business. This is below TLS: what is
    /// discarded need not be decrypted.
    pub(super) fn poll_discard(&mut self, tcp: &mut TcpStream, cx: &mut Context<'_>) -> Poll<()> {
        let mut scratch = [std::mem::MaybeUninit::uninit(); READ_BYTES];
        while self.bytes_left > 0 {
            let mut buffer = ReadBuf::uninit(&mut scratch);
            match ready!(Pin::new(&mut *tcp).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => self.count(buffer.filled().len()),
                Ok(()) | Err(_) => break,
            }
        }
        Poll::Ready(())
    }

    /// Reads a body to its end, an error or a limit.
    pub(super) async fn discard(mut self, mut body: Incoming) {
        let time_max = self.time_max;
        let discarding = async {
            while self.bytes_left > 0 {
                let Some(Ok(frame)) = body.frame().await else {
                    return;
                };
                self.count(frame.data_ref().map_or(0, bytes::Bytes::len));
            }
        };
        let _ = tokio::time::timeout(time_max, discarding).await;
    }

    fn count(&mut self, bytes: usize) {
        self.bytes_left = self.bytes_left.saturating_sub(bytes as u64);
    }
}
