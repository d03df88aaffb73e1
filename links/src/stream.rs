//! A stream of a link: the socket behind TLS, watched while ractor_cluster reads and writes it.

use crate::{
    greeting::{Greeting, GreetingError},
    limit::Limits,
    queue::{Meter, Queue},
};
use futures_util::task::AtomicWaker;
use ractor_cluster::{BoxRead, BoxWrite, ClusterBidiStream};
use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    task::{Context, Poll, ready},
    time::Instant,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::Sleep,
};
use tokio_rustls::TlsStream;
use uuid::Uuid;

/// What is known of a stream, and told to it.
pub(crate) struct Connection {
    /// A number that its two ends know and nobody else: made of the handshake's secrets (RFC 5705). It is in every frame, and so says through which
    /// link a frame came; ractor_cluster does not tell.
    pub secret: u128,
    /// The version of the frame that both ends agreed on.
    pub wire: u16,
    /// The peer's.
    pub address: SocketAddr,
    /// When it was handed over.
    pub since: Instant,
    /// Whose it is, once that is proven.
    pub boot: OnceLock<Uuid>,
    /// What waits for the socket.
    pub queue: Queue,
    /// Calls of the peer that are under way. It keeps to the same bound; this is for one that does not.
    pub incoming: Arc<Semaphore>,
    pub limits: Limits,
    closed: AtomicBool,
    waker: AtomicWaker,
}

impl Connection {
    pub(crate) fn new(secret: u128, wire: u16, address: SocketAddr, limits: Limits) -> Self {
        let (boot, queue, incoming) = (OnceLock::new(), Queue::default(), Arc::new(Semaphore::new(limits.calls_max)));
        let (since, closed, waker) = (Instant::now(), AtomicBool::new(false), AtomicWaker::new());
        Self { secret, wire, address, since, boot, queue, incoming, limits, closed, waker }
    }

    /// Ends the stream: its reader finds an error, and with that ractor_cluster ends the session.
    pub(crate) fn close(&self, why: &str) {
        if !self.closed.swap(true, SeqCst) {
            tracing::debug!(peer = %self.address, boot = self.boot.get().map(tracing::field::display), why, "a stream between nodes is closed");
            self.waker.wake();
        }
    }

    fn fail(&self, why: &str) -> io::Error {
        self.close(why);
        io::Error::other(why.to_owned())
    }
}

/// Kept by both halves: its end is the stream's.
pub(crate) struct Open {
    /// Resolves the receiver when it is dropped.
    pub _ended: oneshot::Sender<()>,
    /// One of [`Limits::streams_max`].
    pub _permit: OwnedSemaphorePermit,
}

/// Asked whether a peer may have the name that it announces.
pub(crate) type Proof = Box<dyn FnMut(&str) -> bool + Send>;

/// A stream that is handed over to ractor_cluster.
pub(crate) struct LinkStream {
    pub tls: TlsStream<TcpStream>,
    pub connection: Arc<Connection>,
    pub open: Open,
    pub greeting: Greeting,
    pub proof: Proof,
}

impl ClusterBidiStream for LinkStream {
    fn split(self: Box<Self>) -> (BoxRead, BoxWrite) {
        let Self { tls, connection, open, greeting, proof } = *self;
        let (open, (read, write)) = (Arc::new(open), tokio::io::split(tls));
        let reader = Reader::new(read, Some((greeting, proof)), Arc::clone(&connection), Arc::clone(&open));
        (Box::new(reader), Box::new(Writer::new(write, connection, open)))
    }

    /// How the stream of a session is found again: ractor_cluster hands this on with it.
    fn peer_label(&self) -> Option<String> {
        Some(self.connection.secret.to_string())
    }
}

/// Reads the greeting along, and ends the stream when nothing comes or when it is told to.
struct Reader<R> {
    io: R,
    /// Until it has ended.
    greeting: Option<(Greeting, Proof)>,
    /// When something came last, or the stream was handed over.
    last: Instant,
    timer: Pin<Box<Sleep>>,
    connection: Arc<Connection>,
    _open: Arc<Open>,
}

impl<R> Reader<R> {
    fn new(io: R, greeting: Option<(Greeting, Proof)>, connection: Arc<Connection>, open: Arc<Open>) -> Self {
        let Limits { greeting_max, silence_max, .. } = connection.limits;
        let timer = Box::pin(tokio::time::sleep(if greeting.is_some() { greeting_max } else { silence_max }));
        Self { io, greeting, last: Instant::now(), timer, connection, _open: open }
    }

    /// Looks at what came. An error means that nobody reads it.
    fn arrived(&mut self, bytes: &[u8]) -> Result<(), io::Error> {
        let silence = self.last.elapsed();
        self.last = Instant::now();
        let Some((greeting, proof)) = &mut self.greeting else {
            let is_fresh = silence < self.connection.limits.silence_max;
            return if is_fresh { Ok(()) } else { Err(self.connection.fail("what came is from before a pause")) };
        };
        match greeting.read(bytes, proof) {
            Ok(false) => {}
            Ok(true) => self.greeting = None,
            Err(error) => {
                let why = error.to_string();
                // What is not proven was told by whoever was asked.
                if error != GreetingError::NotProven {
                    tracing::warn!(peer = %self.connection.address, why, "a peer is refused");
                }
                return Err(self.connection.fail(&why));
            }
        }
        Ok(())
    }

    /// Ready when it has waited for too long.
    fn poll_overdue(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.greeting.is_some() {
                return Poll::Ready(self.connection.fail("the greeting did not end in time"));
            }
            let due = self.last + self.connection.limits.silence_max;
            if Instant::now() >= due {
                return Poll::Ready(self.connection.fail("nothing comes from the peer"));
            }
            self.timer.as_mut().reset(due.into());
        }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Reader<R> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        me.connection.waker.register(cx.waker());
        if me.connection.closed.load(SeqCst) {
            return Poll::Ready(Err(io::Error::other("closed by this node")));
        }
        let before = buf.filled().len();
        match Pin::new(&mut me.io).poll_read(cx, buf) {
            Poll::Ready(Ok(())) => {
                let read = me.arrived(&buf.filled()[before..]);
                if read.is_err() {
                    buf.set_filled(before);
                }
                Poll::Ready(read)
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => me.poll_overdue(cx).map(Err),
        }
    }
}

/// Counts what leaves, and ends the stream when nothing does.
struct Writer<W> {
    io: W,
    connection: Arc<Connection>,
    meter: Meter,
    /// Runs while `is_waiting`.
    stalled: Pin<Box<Sleep>>,
    is_waiting: bool,
    _open: Arc<Open>,
}

impl<W> Writer<W> {
    fn new(io: W, connection: Arc<Connection>, open: Arc<Open>) -> Self {
        let stalled = Box::pin(tokio::time::sleep(connection.limits.write_stall_max));
        Self { io, connection, meter: Meter::default(), stalled, is_waiting: false, _open: open }
    }

    fn bounded<T>(&mut self, cx: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.is_waiting = false;
            return poll;
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.stalled.as_mut().reset(tokio::time::Instant::now() + self.connection.limits.write_stall_max);
        }
        ready!(self.stalled.as_mut().poll(cx));
        Poll::Ready(Err(self.connection.fail("the peer takes nothing")))
    }
}

impl<W: AsyncWrite + Unpin> AsyncWrite for Writer<W> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let me = self.get_mut();
        let poll = Pin::new(&mut me.io).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = &poll {
            me.meter.wrote(&bytes[..*count], &me.connection.queue);
        }
        me.bounded(cx, poll)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let me = self.get_mut();
        let poll = Pin::new(&mut me.io).poll_flush(cx);
        me.bounded(cx, poll)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

    const SHORT: std::time::Duration = std::time::Duration::from_millis(50);

    fn connection() -> Arc<Connection> {
        let limits = Limits { greeting_max: SHORT, silence_max: SHORT, write_stall_max: SHORT, ..Limits::default() };
        Arc::new(Connection::new(2, 1, ([127, 0, 0, 1], 1).into(), limits))
    }

    fn open() -> Arc<Open> {
        let permit = Arc::new(Semaphore::new(1)).try_acquire_owned().expect("it has one");
        Arc::new(Open { _ended: oneshot::channel().0, _permit: permit })
    }

    /// A reader, as a rule one whose greeting has ended, and the peer's end.
    fn reader(greeting: Option<(Greeting, Proof)>) -> (Reader<DuplexStream>, DuplexStream, Arc<Connection>) {
        let ((io, peer), connection) = (duplex(1024), connection());
        (Reader::new(io, greeting, Arc::clone(&connection), open()), peer, connection)
    }

    async fn read(reader: &mut Reader<DuplexStream>) -> Result<u8, String> {
        let read = tokio::time::timeout(20 * SHORT, reader.read_u8()).await;
        read.expect("it ends").map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn what_comes_after_a_pause_is_not_read() {
        let (mut reader, mut peer, _) = reader(None);
        peer.write_all(&[1]).await.expect("there is room");
        assert_eq!(read(&mut reader).await, Ok(1));
        // paced: a process that was stopped reads nothing meanwhile.
        tokio::time::sleep(2 * SHORT).await;
        peer.write_all(&[2]).await.expect("there is room");
        assert_eq!(read(&mut reader).await, Err("what came is from before a pause".to_owned()));
    }

    #[tokio::test]
    async fn silence_has_an_end_and_so_has_a_closed_stream() {
        let (mut quiet, _peer, _) = reader(None);
        assert_eq!(read(&mut quiet).await, Err("nothing comes from the peer".to_owned()));
        let (mut closed, mut peer, connection) = reader(None);
        connection.close("for a test");
        peer.write_all(&[1]).await.expect("there is room");
        assert_eq!(read(&mut closed).await, Err("closed by this node".to_owned()));
    }

    #[tokio::test]
    async fn a_greeting_has_an_end_however_much_is_said() {
        let (mut reader, mut peer, _) = reader(Some((Greeting::of_the_dialler(1024), Box::new(|_| true))));
        peer.write_all(&[0]).await.expect("there is room");
        assert_eq!(read(&mut reader).await, Ok(0));
        assert_eq!(read(&mut reader).await, Err("the greeting did not end in time".to_owned()));
    }

    #[tokio::test]
    async fn a_peer_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (io, mut peer) = duplex(4);
        let mut writer = Writer::new(io, connection(), open());
        let slow = tokio::spawn(async move {
            for _ in 0..10 {
                // paced: the peer takes a byte now and then.
                tokio::time::sleep(SHORT / 3).await;
                peer.read_u8().await.expect("it is written to");
            }
            peer
        });
        writer.write_all(&[0; 14]).await.expect("it is slow, and not stopped");
        let _peer = slow.await.expect("no panic");
        let stalled = tokio::time::timeout(20 * SHORT, writer.write_all(&[0; 100])).await.expect("it ends");
        assert_eq!(stalled.map_err(|error| error.to_string()), Err("the peer takes nothing".to_owned()));
    }
}
