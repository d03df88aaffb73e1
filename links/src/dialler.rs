//! Tries for a link to a member, again and again.

use crate::{
    listener::prepare,
    member::announced,
    shared::{End, Peer, Shared},
};
use rand::Rng;
use rustls::pki_types::ServerName;
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{net::TcpStream, sync::oneshot};

/// Of two nodes that look for each other one dials first: the one whose stream ractor_cluster would prefer. The other one gives it this long, and then
/// dials too, because there are networks in which only one of two can reach the other.
const PRECEDENCE: Duration = Duration::from_secs(1);
/// Between two attempts: doubled with each one, spread by a half to both sides, so that nodes that lost each other at once do not meet at once.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// A stream that lasted for so long was a link, and its end says nothing of the next attempt. The first one may still be refused, for a link that the
/// other end has only just begun to close.
const LASTING: Duration = PAUSE_MAX;

/// Keeps a link to `peer`, for ever.
pub(crate) async fn keep(shared: Arc<Shared>, peer: Arc<Peer>) {
    let mut link = peer.link.subscribe();
    // As ractor_cluster compares them.
    let is_first = announced(&shared.name, shared.boot) > announced(&peer.member.address.name, peer.member.boot);
    let mut pause = PAUSE_MIN;
    let mut told = String::new();
    loop {
        if link.wait_for(Option::is_none).await.is_err() {
            return;
        }
        let precedence = if is_first { Duration::ZERO } else { PRECEDENCE };
        if tokio::time::timeout(precedence, link.wait_for(Option::is_some)).await.is_ok() {
            pause = PAUSE_MIN;
            continue;
        }
        match dial(&shared, &peer).await {
            Ok(ended) => {
                let began = Instant::now();
                let _ = ended.await;
                if began.elapsed() >= LASTING {
                    pause = PAUSE_MIN;
                }
            }
            Err(error) => {
                let (node, error) = (&peer.member.address, error.to_string());
                // What lasts is said once: a node that starts or ends is out of reach for a moment.
                if pause == PAUSE_MAX && error != told {
                    tracing::warn!(%node, boot = %peer.member.boot, error, "a node cannot be linked to");
                    told = error;
                }
            }
        }
        let spread = rand::rng().random_range(0.5..1.5);
        tokio::time::sleep(pause.mul_f64(spread)).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

/// One attempt. The receiver resolves at the stream's end.
async fn dial(shared: &Arc<Shared>, peer: &Peer) -> io::Result<oneshot::Receiver<()>> {
    let address = &peer.member.address;
    let name = ServerName::try_from(address.name.clone()).map_err(io::Error::other)?;
    let connector = shared.credentials.current().connector.clone();
    let handshake = async {
        let tcp = TcpStream::connect(&address.dial).await?;
        prepare(&tcp, shared.limits.silence_max)?;
        connector.connect(name, tcp).await
    };
    let tls = tokio::time::timeout(shared.limits.handshake_max, handshake).await??;
    shared.hand_over(tls.into(), End::Dialled).ok_or_else(|| io::Error::other("there are too many streams"))
}
