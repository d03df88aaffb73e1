//! The door to the other nodes.

use crate::{
    LinkError,
    credentials::{Credentials, CredentialsError, Files, provider},
    dialler,
    limit::Limits,
    link::{AbortOnDrop, Link},
    listener,
    member::{Address, Member},
    port::{Port, Serve, Topic},
    shared::{Event, Sessions, Shared},
};
use futures_util::future::join_all;
use protocol::envelope::{Answer, Envelope, FRAME_BYTES_MAX, WIRE_VERSION, WIRE_VERSION_MIN};
use ractor::{Actor, ActorCell, ActorProcessingErr, ActorRef, SpawnErr};
use ractor_cluster::{IncomingEncryptionMode, NodeServer, NodeServerMessage, node::NodeConnectionMode};
use rustls::{
    ServerConfig,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use std::{
    fmt, io,
    marker::PhantomData,
    net::{Ipv4Addr, SocketAddr},
    ops::RangeInclusive,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, oneshot},
    task::AbortHandle,
};
use uuid::Uuid;

/// Events that may wait. With 64 nodes, more than a second of all there is.
const EVENTS_MAX: usize = 1024;
/// A frame of ractor_cluster: one of ours in its wrapping, or what it says itself. A peer that sends a larger one is cut off.
const CLUSTER_FRAME_BYTES_MAX: u64 = 2 * FRAME_BYTES_MAX as u64;

/// What a node needs to link to others.
#[derive(Clone, Debug)]
pub struct Config {
    /// This life of it.
    pub boot: Uuid,
    /// Its name, which its certificate carries.
    pub name: String,
    /// Where others reach it; port 0 is a free one.
    pub listen: SocketAddr,
    /// Its certificates.
    pub files: Files,
    /// What all nodes of the cluster know.
    pub cookie: Cookie,
    /// Its bounds.
    pub limits: Limits,
    /// The versions of the frame that it speaks: [`Config::WIRES`] but in tests.
    pub wires: RangeInclusive<u16>,
}

impl Config {
    /// The versions of the frame that this release speaks.
    pub const WIRES: RangeInclusive<u16> = WIRE_VERSION_MIN..=WIRE_VERSION;
}

/// What all nodes of one cluster know and nobody else. It keeps clusters of one authority apart; who may be in one is for certificates to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Cookie(String);

/// A cookie that can be guessed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("a cookie has at least {} random bytes", Cookie::BYTES_MIN)]
pub struct CookieError;

impl Cookie {
    /// Its length in bytes at least. ractor_cluster proves that it knows the cookie by a hash of it with four bytes of the peer's, which a member could
    /// try words of a dictionary against.
    pub const BYTES_MIN: usize = 32;

    /// Takes a cookie as it stands in its file.
    ///
    /// # Errors
    /// When it is shorter than [`Cookie::BYTES_MIN`].
    pub fn parse(text: &str) -> Result<Self, CookieError> {
        let text = text.trim();
        if text.len() < Self::BYTES_MIN { Err(CookieError) } else { Ok(Self(text.to_owned())) }
    }
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookie(…)")
    }
}

/// Why links do not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificates cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// The actors do not start.
    #[error("the actors of the links do not start")]
    Actors(#[from] SpawnErr),
}

/// How the link to a member is.
#[derive(Clone, Debug)]
pub struct LinkStatus {
    /// Which life of which node.
    pub boot: Uuid,
    /// Where and as whom it is reached.
    pub address: Address,
    /// The link; `None` while there is none.
    pub link: Option<LinkLoad>,
}

/// What a link has to do.
#[derive(Clone, Copy, Debug)]
pub struct LinkLoad {
    /// For how long there has been one.
    pub age: Duration,
    /// The version of the frame that is spoken.
    pub wire: u16,
    /// Places for calls that are taken, of [`Limits::calls_max`].
    pub calls: usize,
    /// Bytes that wait for the peer's socket.
    pub queued_bytes: usize,
}

/// A node's links. Cheap to clone. One a process: ractor's registries, which ractor_cluster mirrors, are the process's.
#[derive(Clone)]
pub struct Links {
    shared: Arc<Shared>,
    root: ActorCell,
    listen: SocketAddr,
}

impl Links {
    /// Starts listening, as a child of `parent` if there is one. Nobody is linked to before [`Links::members`].
    ///
    /// If one of its actors or tasks ends, all do, and the parent is told: links that half work are worse than none.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start<S: Serve>(
        config: Config,
        service: S,
        parent: Option<ActorCell>,
    ) -> Result<(Self, mpsc::Receiver<Event>), StartError> {
        let credentials = Credentials::load(config.files.clone(), &config.name, config.wires.clone())?;
        let cannot = |source| StartError::Listen { address: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(cannot)?;
        let listen = listener.local_addr().map_err(cannot)?;
        let ((events, event), (started, shared)) = (mpsc::channel(EVENTS_MAX), oneshot::channel());
        let start = Start { config, credentials, listener, service, events, started };
        let root = Root::<S>(PhantomData);
        let (root, _) = match parent {
            Some(parent) => Actor::spawn_linked(None, root, start, parent).await?,
            None => Actor::spawn(None, root, start).await?,
        };
        let shared = shared.await.map_err(|_| SpawnErr::StartupFailed("the links ended at once".into()))?;
        Ok((Self { shared, root: root.get_cell(), listen }, event))
    }

    /// Where it listens.
    #[must_use]
    pub const fn listens_on(&self) -> SocketAddr {
        self.listen
    }

    /// The actor whose end is that of the links.
    #[must_use]
    pub const fn cell(&self) -> &ActorCell {
        &self.root
    }

    /// Links to these and to no others, until it is told otherwise. Links to those that are not among them are closed: at once, or, of boots in `left`,
    /// which still answer what they are asked, when calls under way have their answers. This node itself may be among the members. May be called on any
    /// thread: links live on the runtime on which they were started.
    pub fn members(&self, members: &[Member], left: &[Uuid]) {
        self.shared.set_members(members, left, dialler::keep);
    }

    /// Asks another node, and waits for the answer until `deadline`. The version of the frame and the time that is left are filled in here.
    ///
    /// # Errors
    /// [`LinkError`]; [`LinkError::is_outcome_unknown`] says whether the question may have been answered all the same. A refusal of the other node is
    /// an answer.
    pub async fn call(&self, boot: Uuid, mut envelope: Envelope, deadline: Instant) -> Result<Answer, LinkError> {
        let link = self.link(boot)?;
        let left = deadline.saturating_duration_since(Instant::now()).as_millis();
        if left == 0 {
            return Err(LinkError::Expired);
        }
        envelope.wire = link.connection.wire;
        envelope.deadline_ms = u32::try_from(left).unwrap_or(u32::MAX);
        let frame = envelope.encode().map_err(LinkError::Frame)?;
        let answer = link.call(frame, deadline).await?;
        Answer::decode(&answer).map_err(LinkError::Answer)
    }

    /// The version of the frame that is spoken with a node; `None` while there is no link to it.
    #[must_use]
    pub fn wire(&self, boot: Uuid) -> Option<u16> {
        self.link(boot).ok().map(|link| link.connection.wire)
    }

    /// Probes another node: [`Event::ProbeAnswered`] follows, or nothing does. May be called on any thread.
    pub fn probe(&self, boot: Uuid, round: u64) {
        let Ok(link) = self.link(boot) else { return };
        let shared = Arc::clone(&self.shared);
        self.shared.runtime.spawn(async move {
            // A refusal is no answer: that the socket works is not the question.
            if link.tell(Topic::Probe, round).await.is_ok_and(|answer| answer.is_empty()) {
                shared.tell(Event::ProbeAnswered { boot, round });
            }
        });
    }

    /// Tells every linked node of a view, and those that are linked later of the newest one. What is lost is lost.
    pub fn announce(&self, view: u64) {
        self.shared.announce(view);
    }

    /// How the links are, in the order of names.
    #[must_use]
    pub fn status(&self) -> Vec<LinkStatus> {
        let load = |link: &Arc<Link>| LinkLoad {
            age: link.connection.since.elapsed(),
            wire: link.connection.wire,
            calls: link.calls_under_way(),
            queued_bytes: link.connection.queue.bytes(),
        };
        let peers = self.shared.peers().into_iter().map(|peer| {
            let Member { boot, address } = peer.member.clone();
            LinkStatus { boot, address, link: peer.link.borrow().as_ref().map(load) }
        });
        let mut all: Vec<_> = peers.collect();
        all.sort_by(|a, b| (&a.address.name, a.boot).cmp(&(&b.address.name, b.boot)));
        all
    }

    /// When peers stop to believe the certificate that is in use, as time since 1970: its end, or that of what it rests on.
    #[must_use]
    pub fn certificate_expires(&self) -> Duration {
        self.shared.credentials.current().expires
    }

    /// For a node that has left: answers on, until these nodes heard of it and ended their links, as [`Links::members`] does. Links to nobody any more.
    /// Returns after [`Limits::parting_max`](crate::Limits::parting_max) in any case.
    pub async fn part(&self, from: &[Uuid]) {
        let peers = self.shared.peers();
        peers.iter().for_each(|peer| peer.end_dialling());
        let unlinked = peers.iter().filter(|peer| from.contains(&peer.member.boot)).map(async |peer| {
            let _ = peer.link.subscribe().wait_for(Option::is_none).await;
        });
        if tokio::time::timeout(self.shared.limits.parting_max, join_all(unlinked)).await.is_err() {
            tracing::warn!("not every node has ended its link to this one, which has left");
        }
    }

    /// Ends all links and listens no more.
    pub async fn stop(&self) {
        // It fails if they have ended.
        let _ = self.root.stop_and_wait(None, None).await;
    }

    fn link(&self, boot: Uuid) -> Result<Arc<Link>, LinkError> {
        self.shared.peer(boot).and_then(|peer| peer.link.borrow().clone()).ok_or(LinkError::NotLinked)
    }
}

/// The parent of the links' actors and tasks.
struct Root<S>(PhantomData<fn() -> S>);

struct Start<S> {
    config: Config,
    credentials: Credentials,
    listener: TcpListener,
    service: S,
    events: mpsc::Sender<Event>,
    started: oneshot::Sender<Arc<Shared>>,
}

/// What ends with the root.
struct Running {
    shared: Arc<Shared>,
    _tasks: Vec<AbortOnDrop>,
}

impl Drop for Running {
    fn drop(&mut self) {
        // Nobody is dialled any more.
        self.shared.set_members(&[], &[], dialler::keep);
    }
}

struct NoMessage;

impl ractor::Message for NoMessage {}

impl<S: Serve> Actor for Root<S> {
    type Msg = NoMessage;
    type State = Running;
    type Arguments = Start<S>;

    async fn pre_start(&self, myself: ActorRef<NoMessage>, start: Start<S>) -> Result<Running, ActorProcessingErr> {
        let Start { config, credentials, listener, service, events, started } = start;
        let Config { boot, name, cookie, limits, .. } = config;
        let server = NodeServer::new(0, cookie.0, name.clone(), boot.to_string(), Some(nobody()?), Some(NodeConnectionMode::Isolated))
            .with_listen_addr(Ipv4Addr::LOCALHOST.into())
            .with_max_inbound_frame_size(CLUSTER_FRAME_BYTES_MAX);
        let (server, _) = Actor::spawn_linked(None, server, (), myself.get_cell()).await?;
        let shared = Arc::new(Shared::new((boot, name), limits, credentials, server.clone(), events));
        let subscription = Box::new(Sessions(Arc::downgrade(&shared)));
        server.send_message(NodeServerMessage::SubscribeToEvents { id: "links".to_owned(), subscription })?;
        let port = Port { shared: Arc::clone(&shared), service: Arc::new(service) };
        Actor::spawn_linked(None, port, (), myself.get_cell()).await?;
        let tasks = vec![
            supervise(&myself, listener::listen(Arc::clone(&shared), listener)),
            supervise(&myself, {
                let shared = Arc::clone(&shared);
                async move { shared.credentials.follow(shared.limits.reload_every).await }
            }),
        ];
        let running = Running { shared: Arc::clone(&shared), _tasks: tasks };
        let _ = started.send(shared);
        Ok(running)
    }
}

/// Runs a task that never ends: if it does, by a panic, so do the links.
fn supervise(root: &ActorRef<NoMessage>, task: impl Future<Output = ()> + Send + 'static) -> AbortOnDrop {
    let (root, task) = (root.clone(), tokio::spawn(task));
    let handle: AbortHandle = task.abort_handle();
    tokio::spawn(async move {
        if !task.await.is_err_and(|error| error.is_cancelled()) {
            root.stop(Some("a task of the links ended".to_owned()));
        }
    });
    AbortOnDrop(handle)
}

/// For ractor_cluster's own listener, which cannot be switched off: a port of loopback on which no handshake succeeds.
fn nobody() -> Result<IncomingEncryptionMode, rustls::Error> {
    #[derive(Debug)]
    struct NoCertificate;
    impl ResolvesServerCert for NoCertificate {
        fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
            None
        }
    }
    let builder = ServerConfig::builder_with_provider(provider()).with_protocol_versions(&[&rustls::version::TLS13])?;
    let config = builder.with_no_client_auth().with_cert_resolver(Arc::new(NoCertificate));
    Ok(IncomingEncryptionMode::Tls(Arc::new(config).into()))
}
