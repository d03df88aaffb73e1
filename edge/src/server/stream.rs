//! The socket as HTTP sees it: counted, and closed in a way that lets the client read our last response.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::Fault;
use super::last_word::{LastWord, bare_refusal};
use super::linger::{Linger, Lingering};
use super::roster::Membership;
use super::vitals::{Order, Stage, Vitals};

/// A byte stream over TCP.
pub(super) trait Transport: AsyncRead + AsyncWrite + Unpin + Send + 'static {
    fn tcp(&mut self) -> &mut TcpStream;
}

impl Transport for TcpStream {
    fn tcp(&mut self) -> &mut TcpStream {
        self
    }
}

impl Transport for TlsStream<TcpStream> {
    fn tcp(&mut self) -> &mut TcpStream {
        self.get_mut().0
    }
}

/// A connection's socket. It keeps the connection on the roster while it lives, also after an upgrade.
///
/// An orderly shutdown while input is unread follows RFC 9112, section 9.6: our half is closed first, then input is discarded
/// until the client closes its half or a limit is met. A plain close would reset the connection, and a reset can reach the client
/// before it has read the response. hyper shuts a connection down in that order exactly when it answered a request without
/// reading its body, and after its own 400 and 431.
#[derive(Debug)]
pub(super) struct Stream<T: Transport> {
    transport: T,
    vitals: Arc<Vitals>,
    shutdown: Shutdown,
    linger: Arc<Linger>,
    words: Arc<dyn LastWord>,
    /// What stands in the place of a bare refusal of hyper's, as far as it is not written.
    owed: Bytes,
    _membership: Membership,
}

#[derive(Debug)]
enum Shutdown {
    Open,
    Lingering(Lingering),
    Done,
}

impl<T: Transport> Stream<T> {
    pub(super) fn new(transport: T, vitals: Arc<Vitals>, linger: Arc<Linger>, words: Arc<dyn LastWord>, membership: Membership) -> Self {
        Self { transport, vitals, shutdown: Shutdown::Open, linger, words, owed: Bytes::new(), _membership: membership }
    }

    /// Takes hyper's bare refusal off its hands, and owes the client one with a body instead.
    fn is_taken_over(&mut self, bytes: &[u8]) -> bool {
        let may_be_bare = self.vitals.stage() == Stage::Http1 && bytes.ends_with(b"\r\n\r\n");
        let Some((begins, fault)) = may_be_bare.then(|| bare_refusal(bytes)).flatten() else { return false };
        let word = self.words.last_word(fault);
        let mut owed = BytesMut::with_capacity(begins + word.len());
        owed.put_slice(&bytes[..begins]);
        owed.put_slice(&word);
        self.owed = owed.freeze();
        true
    }

    fn poll_owed(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.owed.is_empty() {
            let written = Pin::new(&mut self.transport).poll_write(cx, &self.owed);
            match ready!(self.note_written(written))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.owed.advance(count),
            }
        }
        Poll::Ready(Ok(()))
    }

    /// An upgraded connection has no driver that would see the order to close, so its owner's reads and writes do.
    fn refuse_if_closed(&self, cx: &Context<'_>) -> io::Result<()> {
        if self.vitals.stage() == Stage::Detached {
            self.vitals.watch(cx.waker());
            if self.vitals.order() == Order::Close {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
        }
        Ok(())
    }

    fn note_written(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &written {
            Poll::Ready(Ok(bytes)) => self.vitals.bytes_left(*bytes),
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.vitals.write_blocks(),
        }
        written
    }
}

impl<T: Transport> AsyncRead for Stream<T> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.refuse_if_closed(cx)?;
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.transport).poll_read(cx, buffer))?;
        if buffer.filled().len() > before {
            this.vitals.bytes_arrived();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncWrite for Stream<T> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.refuse_if_closed(cx)?;
        ready!(this.poll_owed(cx))?;
        if this.is_taken_over(bytes) {
            return Poll::Ready(Ok(bytes.len()));
        }
        let written = Pin::new(&mut this.transport).poll_write(cx, bytes);
        this.note_written(written)
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.refuse_if_closed(cx)?;
        let written = Pin::new(&mut this.transport).poll_write_vectored(cx, slices);
        this.note_written(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.transport.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_owed(cx))?;
        Pin::new(&mut this.transport).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            match &mut this.shutdown {
                Shutdown::Open => {
                    ready!(this.poll_owed(cx))?;
                    ready!(Pin::new(&mut this.transport).poll_shutdown(cx))?;
                    let lingering = match this.vitals.has_unread_input() {
                        true => this.linger.begin(),
                        false => None,
                    };
                    this.shutdown = match lingering {
                        Some(lingering) => {
                            this.vitals.enter(Stage::Lingering);
                            Shutdown::Lingering(lingering)
                        }
                        None => Shutdown::Done,
                    };
                }
                Shutdown::Lingering(lingering) => {
                    ready!(lingering.poll_discard(this.transport.tcp(), cx));
                    this.shutdown = Shutdown::Done;
                }
                Shutdown::Done => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// A client whose head did not come in time is told so, if its socket takes that at once: nothing is waited for any more.
impl<T: Transport> Drop for Stream<T> {
    fn drop(&mut self) {
        if !self.vitals.is_head_overdue() {
            return;
        }
        let word = self.words.last_word(Fault::HeadTooSlow);
        let mut cx = Context::from_waker(Waker::noop());
        let mut transport = Pin::new(&mut self.transport);
        if let Poll::Ready(Ok(_)) = transport.as_mut().poll_write(&mut cx, &word) {
            let _ = transport.as_mut().poll_flush(&mut cx);
            let _ = transport.poll_shutdown(&mut cx);
        }
    }
}
