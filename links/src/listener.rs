//! Takes streams of other nodes, and of whoever else knows the port.

use crate::shared::{End, Shared};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use std::{
    collections::{HashMap, VecDeque},
    io,
    net::IpAddr,
    sync::Arc,
    time::Duration,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};

/// After an error of accept, which as a rule is a lack of file descriptors and not over at once.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// Accepts for ever. Handshakes run beside each other, each within its time.
pub(crate) async fn listen(shared: Arc<Shared>, listener: TcpListener) {
    let mut handshakes = Handshakes::default();
    loop {
        let (tcp, peer) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "a stream of another node cannot be accepted");
                tokio::time::sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let shared = Arc::clone(&shared);
        handshakes.make_room(shared.limits.handshakes_max);
        let handshake = tokio::spawn(async move {
            if let Err(error) = take(&shared, tcp).await {
                tracing::debug!(%peer, error = &error as &dyn std::error::Error, "a stream is refused");
            }
        });
        handshakes.under_way.push_back((peer.ip(), handshake.abort_handle()));
    }
}

async fn take(shared: &Arc<Shared>, tcp: TcpStream) -> io::Result<()> {
    prepare(&tcp, shared.limits.silence_max)?;
    let acceptor = shared.credentials.current().acceptor.clone();
    let tls = tokio::time::timeout(shared.limits.handshake_max, acceptor.accept(tcp)).await??;
    shared.hand_over(tls.into(), End::Accepted);
    Ok(())
}

/// Sets what both ends set: nothing waits to be sent with more, and what the peer's kernel does not confirm for `silence_max` ends the stream. The
/// kernel would go on for a quarter of an hour.
pub(crate) fn prepare(tcp: &TcpStream, silence_max: Duration) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    SockRef::from(tcp).set_tcp_user_timeout(Some(silence_max))?;
    Ok(())
}

/// Handshakes that have not ended, oldest first.
#[derive(Default)]
struct Handshakes {
    under_way: VecDeque<(IpAddr, AbortHandle)>,
}

impl Handshakes {
    /// Makes room for one more.
    fn make_room(&mut self, handshakes_max: usize) {
        self.under_way.retain(|(_, handshake)| !handshake.is_finished());
        while self.under_way.len() >= handshakes_max {
            let Some((_, handshake)) = self.under_way.remove(oldest_of_the_busiest(self.under_way.iter().map(|(address, _)| *address)))
            else {
                return;
            };
            handshake.abort();
        }
    }
}

/// The place of the oldest of the address that has most.
fn oldest_of_the_busiest(addresses: impl Iterator<Item = IpAddr> + Clone) -> usize {
    let mut counts = HashMap::new();
    for address in addresses.clone() {
        *counts.entry(address).or_insert(0usize) += 1;
    }
    let most = counts.values().max().copied().unwrap_or_default();
    addresses.into_iter().position(|address| counts[&address] == most).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_floods_is_in_their_own_way() {
        let address = |n: u8| IpAddr::from([10, 0, 0, n]);
        let pending = |addresses: &[u8]| oldest_of_the_busiest(addresses.iter().map(|n| address(*n)).collect::<Vec<_>>().into_iter());
        assert_eq!(pending(&[1, 2, 2, 3, 2]), 1);
        assert_eq!(pending(&[1, 2, 3]), 0, "nobody has more than another: the oldest");
        assert_eq!(pending(&[3, 1, 1, 2, 2]), 1);
    }
}
