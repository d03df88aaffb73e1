//! What the parts of a node's links share: whom it may link to, to whom it is linked, and what it tells.

use crate::{
    credentials::{Credentials, carries, wire_of},
    greeting::Greeting,
    limit::Limits,
    link::{AbortOnDrop, Link},
    member::{Member, parse_announced},
    port::{GROUP, Message, SCOPE, Topic},
    stream::{Connection, LinkStream, Open, Proof},
};
use arc_swap::ArcSwap;
use parking_lot::Mutex;
use ractor::{ActorId, ActorRef};
use ractor_cluster::{NodeEventSubscription, NodeServerMessage, node::NodeServerSessionInformation};
use rustls::pki_types::CertificateDer;
use std::{
    collections::HashMap,
    sync::{Arc, Weak},
    time::Duration,
};
use tokio::{
    net::TcpStream,
    runtime::Handle,
    sync::{Semaphore, mpsc, oneshot, watch},
};
use tokio_rustls::TlsStream;
use uuid::Uuid;

/// What links tell. What does not fit into the channel is dropped: all of it is said again, or asked for again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Event {
    /// A link to a node was established.
    Linked {
        /// Whose.
        boot: Uuid,
    },
    /// The link to a node is gone. Another one is being tried for, as long as it is a member.
    Unlinked {
        /// Whose.
        boot: Uuid,
    },
    /// A node answered a probe.
    ProbeAnswered {
        /// Who.
        boot: Uuid,
        /// The round that was asked for.
        round: u64,
    },
    /// Another node knows this version of the view.
    Heard {
        /// The version.
        view: u64,
    },
}

/// A member, and the link to it.
pub(crate) struct Peer {
    pub member: Member,
    pub link: watch::Sender<Option<Arc<Link>>>,
    /// Ends with the membership.
    dialler: Mutex<Option<AbortOnDrop>>,
}

impl Peer {
    /// A link that there is stays.
    pub(crate) fn end_dialling(&self) {
        *self.dialler.lock() = None;
    }
}

/// See the module.
pub(crate) struct Shared {
    pub boot: Uuid,
    pub name: String,
    pub limits: Limits,
    pub credentials: Credentials,
    server: ActorRef<NodeServerMessage>,
    /// Where links live, whoever tells of members: each arrival on a socket wakes a thread of the runtime on which it was dialled. When that was the
    /// membership's, a call cost 9 % more, and renewals shared their thread with all that came.
    pub runtime: Handle,
    members: ArcSwap<HashMap<Uuid, Arc<Peer>>>,
    /// Streams of which it is proven whose they are, by their secrets. The peer may take one for a link and call a moment before this node does.
    streams: ArcSwap<HashMap<u128, Weak<Connection>>>,
    places: Arc<Semaphore>,
    /// The newest view that this node announced.
    view: watch::Sender<u64>,
    events: mpsc::Sender<Event>,
}

/// Which end of a stream this node is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Dialled,
    Accepted,
}

/// A stream younger than this may be the other of two that were dialled at the same time, between which ractor_cluster decides.
const CROSSING_MAX: Duration = Duration::from_secs(1);

impl Shared {
    /// To be called on the runtime on which links live.
    pub(crate) fn new(
        (boot, name): (Uuid, String),
        limits: Limits,
        credentials: Credentials,
        server: ActorRef<NodeServerMessage>,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (members, streams, view) = (ArcSwap::default(), ArcSwap::default(), watch::Sender::new(0));
        let places = Arc::new(Semaphore::new(limits.streams_max));
        let runtime = Handle::current();
        Self { boot, name, limits, credentials, server, runtime, members, streams, places, view, events }
    }

    pub(crate) fn peer(&self, boot: Uuid) -> Option<Arc<Peer>> {
        self.members.load().get(&boot).cloned()
    }

    pub(crate) fn peers(&self) -> Vec<Arc<Peer>> {
        self.members.load().values().cloned().collect()
    }

    /// The stream with this secret, if it is proven whose it is.
    pub(crate) fn stream_of(&self, secret: u128) -> Option<Arc<Connection>> {
        self.streams.load().get(&secret)?.upgrade()
    }

    pub(crate) fn tell(&self, event: Event) {
        if let Err(mpsc::error::TrySendError::Full(event)) = self.events.try_send(event) {
            tracing::warn!(?event, "an event of the links is dropped: whoever takes them is behind");
        }
    }

    pub(crate) fn heard(&self, view: u64) {
        self.tell(Event::Heard { view });
    }

    pub(crate) fn announce(&self, view: u64) {
        self.view.send_if_modified(|known| std::mem::replace(known, (*known).max(view)) < view);
    }

    /// Links to these from now on, and to no others. `keep` tries for a link to a member for as long as it is one. Whoever is in `left` is waited for
    /// with what is under way.
    pub(crate) fn set_members<F: Future<Output = ()> + Send + 'static>(
        self: &Arc<Self>,
        members: &[Member],
        left: &[Uuid],
        keep: impl Fn(Arc<Self>, Arc<Peer>) -> F,
    ) {
        let before = self.members.load_full();
        let mut new = Vec::new();
        let mut now = HashMap::new();
        for member in members.iter().filter(|member| member.boot != self.boot) {
            let known = before.get(&member.boot).filter(|peer| peer.member == *member).cloned();
            let peer = known.unwrap_or_else(|| {
                let peer = Arc::new(Peer { member: member.clone(), link: watch::Sender::new(None), dialler: Mutex::new(None) });
                new.push(Arc::clone(&peer));
                peer
            });
            now.insert(member.boot, peer);
        }
        let gone: Vec<_> =
            before.values().filter(|peer| !now.get(&peer.member.boot).is_some_and(|kept| Arc::ptr_eq(kept, peer))).cloned().collect();
        self.members.store(Arc::new(now));
        for peer in gone {
            let boot = peer.member.boot;
            peer.end_dialling();
            let link = peer.link.send_replace(None);
            if link.is_some() {
                tracing::info!(%boot, "the link to a node is given up: it is no member any more");
                self.tell(Event::Unlinked { boot });
            }
            match link.filter(|_| left.contains(&boot)) {
                Some(link) => {
                    let shared = Arc::clone(self);
                    self.runtime.spawn(async move {
                        link.finish().await;
                        shared.close_streams_of(boot, Duration::ZERO, "it has left");
                    });
                }
                None => self.close_streams_of(boot, Duration::ZERO, "it is no member any more"),
            }
        }
        for peer in new {
            let dialler = self.runtime.spawn(keep(Arc::clone(self), Arc::clone(&peer)));
            *peer.dialler.lock() = Some(AbortOnDrop(dialler.abort_handle()));
        }
    }

    /// Hands a stream that passed the handshake over to ractor_cluster. The receiver resolves at its end; `None` if it is closed instead.
    pub(crate) fn hand_over(self: &Arc<Self>, tls: TlsStream<TcpStream>, end: End) -> Option<oneshot::Receiver<()>> {
        let Ok(_permit) = Arc::clone(&self.places).try_acquire_owned() else {
            tracing::warn!(streams_max = self.limits.streams_max, "a stream between nodes is closed: there are too many");
            return None;
        };
        let (tcp, session) = tls.get_ref();
        let certificate = session.peer_certificates()?.first()?.clone().into_owned();
        let (wire, address) = (wire_of(session.alpn_protocol())?, tcp.peer_addr().ok()?);
        let connection = Arc::new(Connection::new(secret_of(&tls)?, wire, address, self.limits.clone()));
        let frame_bytes_max = self.limits.greeting_frame_bytes_max;
        let greeting = match end {
            End::Dialled => Greeting::of_the_dialled(frame_bytes_max),
            End::Accepted => Greeting::of_the_dialler(frame_bytes_max),
        };
        let (_ended, ended) = oneshot::channel();
        let proof = self.proof(&connection, certificate);
        let stream = Box::new(LinkStream { tls, connection, open: Open { _ended, _permit }, greeting, proof });
        let message = NodeServerMessage::ConnectionOpenedExternal { stream, is_server: end == End::Accepted };
        self.server.send_message(message).ok()?;
        Some(ended)
    }

    /// Decides whether the peer with this certificate may have the name that it announces on a stream.
    fn proof(self: &Arc<Self>, connection: &Arc<Connection>, certificate: CertificateDer<'static>) -> Proof {
        let (shared, connection) = (Arc::downgrade(self), Arc::downgrade(connection));
        Box::new(move |announced| {
            let (Some(shared), Some(connection)) = (shared.upgrade(), connection.upgrade()) else { return false };
            let Some((name, boot)) = parse_announced(announced) else { return false };
            if !carries(&certificate, name) {
                tracing::warn!(name, "a node announces a name that its certificate does not carry, and is refused");
                return false;
            }
            if shared.peer(boot).is_none_or(|peer| peer.member.address.name != name) {
                // As a rule a node that joined before this one heard of it; it will try again.
                tracing::debug!(name, %boot, "a node that is no member is refused");
                return false;
            }
            // Who dials has no link, as far as they know. What this node still takes for one is dead, and ractor_cluster might prefer it.
            shared.close_streams_of(boot, CROSSING_MAX, "the peer made another one");
            if connection.boot.set(boot).is_err() {
                return false;
            }
            shared.change_streams(|streams| {
                streams.retain(|_, stream| stream.strong_count() > 0);
                streams.insert(connection.secret, Arc::downgrade(&connection));
            });
            true
        })
    }

    fn change_streams(&self, change: impl Fn(&mut HashMap<u128, Weak<Connection>>)) {
        self.streams.rcu(|streams| {
            let mut streams = HashMap::clone(streams);
            change(&mut streams);
            streams
        });
    }

    fn close_streams_of(&self, boot: Uuid, older_than: Duration, why: &str) {
        for connection in self.streams.load().values().filter_map(Weak::upgrade) {
            if connection.boot.get() == Some(&boot) && connection.since.elapsed() >= older_than {
                connection.close(why);
            }
        }
    }

    /// A session is ready: if all is as it should be, it is a link.
    fn ready(&self, session: &NodeServerSessionInformation) {
        let Some(connection) = label(session).and_then(|secret| self.stream_of(secret)) else { return };
        let Some(peer) = connection.boot.get().and_then(|boot| self.peer(*boot)) else {
            return connection.close("it is no member any more");
        };
        let boot = peer.member.boot;
        // The greeting was read along; this is what ractor_cluster made of it.
        let said = session.peer_name.as_ref().and_then(|said| parse_announced(&said.name));
        if said != Some((&*peer.member.address.name, boot)) {
            return connection.close("ractor_cluster read another name");
        }
        let Some(port) = port_of(session) else { return connection.close("the peer has no port") };
        let (made, link) = oneshot::channel();
        let announcer = self.runtime.spawn(announce(link, self.view.subscribe()));
        let link = Arc::new(Link::new(Arc::clone(&connection), port, announcer.abort_handle()));
        let _ = made.send(Arc::downgrade(&link));
        peer.link.send_replace(Some(link));
        tracing::info!(%boot, name = peer.member.address.name, wire = connection.wire, "linked to a node");
        self.tell(Event::Linked { boot });
    }

    /// A session is gone, a link or not.
    fn gone(&self, session: &NodeServerSessionInformation) {
        let Some(connection) = label(session).and_then(|secret| self.stream_of(secret)) else { return };
        self.change_streams(|streams| {
            streams.remove(&connection.secret);
        });
        let Some(peer) = connection.boot.get().and_then(|boot| self.peer(*boot)) else { return };
        // Another one may have taken its place.
        if peer.link.send_if_modified(|link| link.take_if(|link| Arc::ptr_eq(&link.connection, &connection)).is_some()) {
            let boot = peer.member.boot;
            tracing::info!(%boot, "the link to a node is gone");
            self.tell(Event::Unlinked { boot });
        }
    }
}

/// The secret of a session's stream, which is its label.
fn label(session: &NodeServerSessionInformation) -> Option<u128> {
    session.peer_addr.parse().ok()
}

/// A number that only the two ends of a stream can make.
fn secret_of(tls: &TlsStream<TcpStream>) -> Option<u128> {
    let (secret, label) = ([0; 16], b"EXPORTER-lets-connect-link");
    let made = match tls {
        TlsStream::Client(tls) => tls.get_ref().1.export_keying_material(secret, label, None),
        TlsStream::Server(tls) => tls.get_ref().1.export_keying_material(secret, label, None),
    };
    made.ok().map(u128::from_be_bytes)
}

/// The peer's port. ractor_cluster says that a session is ready after it mirrored what the peer has.
fn port_of(session: &NodeServerSessionInformation) -> Option<ActorRef<Message>> {
    let of_the_peer = |id| matches!(id, ActorId::Remote { node_id, .. } if node_id == session.node_id);
    let ports = ractor::pg::get_scoped_members(&SCOPE.to_owned(), &GROUP.to_owned());
    ports.into_iter().find(|port| of_the_peer(port.get_id())).map(ActorRef::from)
}

/// Tells a peer of views, one at a time, and of those that came meanwhile only the newest.
async fn announce(link: oneshot::Receiver<Weak<Link>>, mut view: watch::Receiver<u64>) {
    let Ok(link) = link.await else { return };
    view.mark_changed();
    while view.changed().await.is_ok() {
        let version = *view.borrow_and_update();
        let Some(link) = link.upgrade() else { return };
        if version > 0 {
            // What is lost is lost: the peer learns of it with its next renewal.
            let _ = link.tell(Topic::Announce, version).await;
        }
    }
}

/// Hears from ractor_cluster what becomes of sessions.
pub(crate) struct Sessions(pub Weak<Shared>);

impl NodeEventSubscription for Sessions {
    fn node_session_opened(&self, _: NodeServerSessionInformation) {}

    fn node_session_authenticated(&self, _: NodeServerSessionInformation) {}

    fn node_session_ready(&self, session: NodeServerSessionInformation) {
        if let Some(shared) = self.0.upgrade() {
            shared.ready(&session);
        }
    }

    fn node_session_disconnected(&self, session: NodeServerSessionInformation) {
        if let Some(shared) = self.0.upgrade() {
            shared.gone(&session);
        }
    }
}
