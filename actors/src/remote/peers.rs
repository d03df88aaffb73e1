//! What the membership wants of the links, and what these tell it.

use crate::membership::{Events, Peers};
use cluster::{Boot, Member};
use links::{Event, Links};
use tokio::sync::mpsc;

/// The links, as the membership's thread sees them.
pub struct LinkPeers(pub Links);

impl Peers for LinkPeers {
    fn members(&self, members: &[Member], left: &[Boot]) {
        let reach = |member: &Member| match member.address.parse() {
            Ok(address) => Some(links::Member { boot: member.boot.0, address }),
            Err(error) => {
                tracing::error!(boot = %member.boot, address = %member.address, %error, "a node cannot be linked to");
                None
            }
        };
        let left: Vec<_> = left.iter().map(|boot| boot.0).collect();
        self.0.members(&members.iter().filter_map(reach).collect::<Vec<_>>(), &left);
    }

    fn probe(&self, boot: Boot, round: u64) {
        self.0.probe(boot.0, round);
    }

    fn announce(&self, view: u64) {
        self.0.announce(view);
    }
}

/// Tells the core what the links tell, for as long as they do.
pub async fn follow(mut told: mpsc::Receiver<Event>, events: Events) {
    while let Some(event) = told.recv().await {
        match event {
            Event::Linked { boot } => events.linked(Boot(boot)),
            // Its probes are not answered: that is what counts.
            Event::Unlinked { .. } => {}
            Event::ProbeAnswered { boot, round } => events.probe_answered(Boot(boot), round),
            Event::Heard { view } => events.heard(view),
        }
    }
}
