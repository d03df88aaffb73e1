//! Listeners: all are bound before any answers, all stop together.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;
use tokio_rustls::TlsAcceptor;

use super::connection::{Link, Shared};
use super::last_word::LastWord;
use super::roster::{Roster, Stats};
use super::tls::acceptor;
use super::vitals::{Stage, Vitals};
use super::{Fault, Limits, Peer, Service};

/// Connections that the system queues per listener before we accept them (it may cap this): a burst of clients must not run into
/// a retransmission second. std's default is 128.
const BACKLOG: u32 = 1024;

/// Bytes that a connection may have in the system's hands and not yet sent. Beyond, its socket takes no more (TCP_NOTSENT_LOWAT), so a
/// client that asks and asks and never reads is answered until its own window is full, and then no further; without it the system takes
/// up to 4 MB (`net.ipv4.tcp_wmem`), which are thousands of answers. What is on its way does not count, so it costs no throughput
/// (128 KiB refill a gigabit's 10 ms of scheduling).
const UNSENT_BYTES_MAX: u32 = 128 * 1024;

/// How long aborted connections are waited for: they only have to be polled once.
const ABORT_MAX: Duration = Duration::from_secs(1);

/// A listener to be bound.
#[derive(Clone, Debug)]
pub struct ListenerSpec {
    /// What the listener is called in errors and logs.
    pub name: String,
    /// Where it listens; port 0 lets the system choose.
    pub addr: SocketAddr,
    /// Connections open at once. One more is answered 503 without being read (over TLS: closed), and does not count as accepted.
    pub connections_max: usize,
    /// TLS, if any; the protocols offered (ALPN) are set here: h2, then http/1.1.
    pub tls: Option<rustls::ServerConfig>,
}

/// Why a listener could not be bound.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {addr} for {name}")]
pub struct BindError {
    name: String,
    addr: SocketAddr,
    source: io::Error,
}

/// Addresses that are this process's: nobody else can listen there, and whoever connects is refused.
pub struct Reserved {
    sockets: Vec<(ListenerSpec, TcpSocket, SocketAddr)>,
}

impl Reserved {
    /// Takes all addresses, or none. Needs a tokio runtime.
    ///
    /// # Errors
    /// The first one that cannot be had; a retry is safe.
    pub fn take(specs: Vec<ListenerSpec>) -> Result<Self, BindError> {
        let take = |spec: ListenerSpec| {
            let bound = || {
                let socket = match spec.addr {
                    SocketAddr::V4(_) => TcpSocket::new_v4()?,
                    SocketAddr::V6(_) => TcpSocket::new_v6()?,
                };
                // A restart need not wait for old connections to time out.
                socket.set_reuseaddr(true)?;
                socket.bind(spec.addr)?;
                let addr = socket.local_addr()?;
                Ok((socket, addr))
            };
            match bound() {
                Ok((socket, addr)) => Ok((spec, socket, addr)),
                Err(source) => Err(BindError { name: spec.name, addr: spec.addr, source }),
            }
        };
        Ok(Self { sockets: specs.into_iter().map(take).collect::<Result<_, _>>()? })
    }

    /// Gives the address of each, in the order of their specs, with the port that the system chose.
    pub fn local_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.sockets.iter().map(|(_, _, addr)| *addr)
    }

    /// Has the system queue connections.
    ///
    /// # Errors
    /// The first address at which somebody else listens by now.
    pub fn listen(self) -> Result<Bound, BindError> {
        let listeners =
            self.sockets.into_iter().map(|(spec, socket, addr)| Listener::listen(spec, socket, addr)).collect::<Result<_, _>>()?;
        Ok(Bound { listeners, stats: Arc::default() })
    }
}

/// Listeners that are bound: the system queues their connections, and none is answered yet.
#[derive(Debug)]
pub struct Bound {
    listeners: Vec<Listener>,
    stats: Arc<Stats>,
}

struct Listener {
    name: String,
    tcp: TcpListener,
    addr: SocketAddr,
    permits: Arc<Semaphore>,
    tls: Option<TlsAcceptor>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.name, self.addr)
    }
}

/// How a server's shutdown went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drained {
    /// Connections that were still working at the drain deadline and were aborted.
    pub aborted: usize,
}

impl Bound {
    /// Gives the address of each listener, in the order of their specs, with the port that the system chose.
    pub fn local_addrs(&self) -> impl Iterator<Item = SocketAddr> + '_ {
        self.listeners.iter().map(|listener| listener.addr)
    }

    /// Gives the counts of connections; they go on counting while the server runs.
    pub fn stats(&self) -> Arc<Stats> {
        Arc::clone(&self.stats)
    }

    /// Answers on all listeners until `shutdown` is done, and for [`Limits::farewell`] more; then drains: accepts nothing more, lets what is in flight finish with
    /// `connection: close` (HTTP/2: GOAWAY), and aborts what is left at [`Limits::drain_max`].
    ///
    /// If the returned future is dropped, all connections are closed at once.
    pub async fn serve<S: Service>(self, service: S, limits: Limits, shutdown: impl Future<Output = ()>) -> Drained {
        let roster = Arc::new(Roster::new(Arc::clone(&self.stats)));
        let shared = Arc::new(Shared::new(service, limits, Arc::clone(&roster)));
        let _close = CloseOnDrop(Arc::clone(&roster));
        let (stop, stopped) = watch::channel(false);
        let mut accepting = JoinSet::new();
        for (index, listener) in self.listeners.into_iter().enumerate() {
            let accepts = Accepts { index, listener, shared: Arc::clone(&shared), stats: Arc::clone(&self.stats) };
            accepting.spawn(accepts.run(stopped.clone()));
        }
        let limits = &shared.limits;
        tokio::select! {
            () = shutdown => {}
            () = sweep(&roster, limits, None) => {}
        }
        shared.says_farewell.store(true, Relaxed);
        tokio::select! {
            () = tokio::time::sleep(limits.farewell) => {}
            () = sweep(&roster, limits, None) => {}
        }
        let _ = stop.send(true);
        while accepting.join_next().await.is_some() {}
        drain(&roster, limits).await
    }
}

/// Looks at all connections again and again, for ever.
async fn sweep(roster: &Roster, limits: &Limits, drain_began: Option<Instant>) {
    let mut ticks = tokio::time::interval(limits.sweep_every());
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        roster.sweep(limits, drain_began);
    }
}

async fn drain(roster: &Roster, limits: &Limits) -> Drained {
    roster.ask_all_to_leave();
    tokio::select! {
        () = roster.emptied() => return Drained { aborted: 0 },
        () = tokio::time::sleep(limits.drain_max) => {}
        () = sweep(roster, limits, Some(Instant::now())) => {}
    }
    let aborted = roster.close_all();
    let _ = tokio::time::timeout(ABORT_MAX, roster.emptied()).await;
    Drained { aborted }
}

struct CloseOnDrop(Arc<Roster>);

impl Drop for CloseOnDrop {
    fn drop(&mut self) {
        self.0.close_all();
    }
}

impl Listener {
    fn listen(spec: ListenerSpec, socket: TcpSocket, addr: SocketAddr) -> Result<Self, BindError> {
        let ListenerSpec { name, connections_max, tls, .. } = spec;
        match socket.listen(BACKLOG) {
            Ok(tcp) => Ok(Self {
                name,
                tcp,
                addr,
                permits: Arc::new(Semaphore::new(connections_max.min(Semaphore::MAX_PERMITS))),
                tls: tls.map(acceptor),
            }),
            Err(source) => Err(BindError { name, addr, source }),
        }
    }
}

/// The accept loop of one listener.
struct Accepts<S> {
    index: usize,
    listener: Listener,
    shared: Arc<Shared<S>>,
    stats: Arc<Stats>,
}

impl<S: Service> Accepts<S> {
    /// Accepts until told to stop, then takes what was queued by then: closing the listener would reset it.
    async fn run(self, mut stopped: watch::Receiver<bool>) {
        let mut backoff = Backoff::default();
        loop {
            let accepted = tokio::select! {
                biased;
                _ = stopped.changed() => break,
                accepted = self.listener.tcp.accept() => accepted,
            };
            match accepted {
                Ok((tcp, addr)) => {
                    backoff = Backoff::default();
                    self.admit(tcp, addr);
                }
                Err(error) => {
                    let Some(pause) = backoff.after(&error) else {
                        continue;
                    };
                    self.stats.accept_failures.fetch_add(1, Relaxed);
                    tracing::warn!(listener = self.listener.name, error = %error, ?pause, "cannot accept");
                    tokio::select! {
                        _ = stopped.changed() => break,
                        () = tokio::time::sleep(pause) => {}
                    }
                }
            }
        }
        while let Some(Ok((tcp, addr))) = self.listener.tcp.accept().now_or_never() {
            self.admit(tcp, addr);
        }
    }

    fn admit(&self, tcp: TcpStream, addr: SocketAddr) {
        let is_tls = self.listener.tls.is_some();
        let Ok(permit) = Arc::clone(&self.listener.permits).try_acquire_owned() else {
            self.stats.refused.fetch_add(1, Relaxed);
            if !is_tls {
                refuse(tcp, &self.shared.last_word(Fault::Crowded));
            }
            return;
        };
        // Small answers must not wait for the acknowledgement of earlier ones; failing to say so costs only time.
        let _ = tcp.set_nodelay(true);
        let _ = SockRef::from(&tcp).set_tcp_notsent_lowat(UNSENT_BYTES_MAX);
        let vitals = Vitals::new(if is_tls { Stage::Handshake } else { Stage::Http1 });
        let membership = self.shared.roster.join(&vitals, &self.shared.limits, permit);
        let link = Arc::new(Link { shared: Arc::clone(&self.shared), vitals, peer: Peer { addr, listener: self.index, tls: is_tls } });
        tokio::spawn(link.run(tcp, self.listener.tls.clone(), membership));
    }
}

/// Refuses a connection without waiting for anything: a flood beyond the cap can hold neither task nor socket. So it is best
/// effort; reading what has come makes a reset, which could take the answer from the client, unlikely. A refusal that is spoken tells
/// clients and load balancers to come back or to go elsewhere, where a reset looks like a broken server and an unaccepted connection
/// hangs until its client gives up.
fn refuse(tcp: TcpStream, word: &[u8]) {
    let Ok(mut tcp) = tcp.into_std() else {
        return;
    };
    let mut scratch = [0; 4096];
    let _ = tcp.write(word);
    let _ = tcp.shutdown(Shutdown::Write);
    let _ = tcp.read(&mut scratch);
}

/// The pauses after failures to accept: without them a process out of file descriptors would spin, as the connection that it
/// cannot accept stays ready.
#[derive(Debug, Default)]
struct Backoff {
    failures: u32,
}

impl Backoff {
    const PAUSE_MIN: Duration = Duration::from_millis(10);
    const PAUSE_MAX: Duration = Duration::from_secs(1);

    /// Says how long to pause, or that the failure was that one connection's alone.
    fn after(&mut self, error: &io::Error) -> Option<Duration> {
        if matches!(
            error.kind(),
            io::ErrorKind::ConnectionAborted
                | io::ErrorKind::ConnectionReset
                | io::ErrorKind::ConnectionRefused
                | io::ErrorKind::Interrupted
        ) {
            return None;
        }
        let pause = Self::PAUSE_MIN * 2_u32.pow(self.failures.min(7));
        self.failures += 1;
        Some(pause.min(Self::PAUSE_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn want_of_descriptors_pauses_longer_and_longer_and_a_lost_client_not_at_all() {
        let mut backoff = Backoff::default();
        let too_many_files = io::Error::from_raw_os_error(24);
        let pauses: Vec<_> = (0..10).map(|_| backoff.after(&too_many_files)).collect();
        assert_eq!(pauses[0], Some(Duration::from_millis(10)));
        assert_eq!(pauses[1], Some(Duration::from_millis(20)));
        assert_eq!(pauses[9], Some(Backoff::PAUSE_MAX));
        let client_left = io::Error::from(io::ErrorKind::ConnectionAborted);
        assert_eq!(Backoff::default().after(&client_left), None);
    }
}
