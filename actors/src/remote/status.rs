//! What this node knows of its cluster, for operators.

use super::{Place, Remote};
use crate::{membership::Outlook, node::Node};
use cluster::{Boot, Death, Roles, Status, placement::place};
use protocol::{Key, Slot};
use serde::Serialize;
use std::collections::BTreeMap;

/// A node's knowledge of its cluster. It may be old by as long as the node's lease.
#[derive(Clone, Debug, Serialize)]
pub struct ClusterStatus {
    /// This life of this node.
    pub boot: String,
    /// The version of the view.
    pub view: u64,
    /// Whether it may answer from memory now.
    pub leased: bool,
    /// Those that are not dead, by name.
    pub members: Vec<MemberStatus>,
    /// Who owns how much.
    pub slots: SlotsStatus,
}

/// A node as another one knows it.
#[derive(Clone, Debug, Serialize)]
pub struct MemberStatus {
    /// The name in its certificate.
    pub name: String,
    /// Which life of it.
    pub boot: String,
    /// `joining`, `up` or `leaving`.
    pub status: &'static str,
    /// What it does.
    pub roles: Vec<&'static str>,
    /// Where it is reached.
    pub address: String,
    /// How many slots it owns.
    pub slots: usize,
    /// The link to it; none to this node itself, and while there is none.
    pub link: Option<LinkStatus>,
}

/// A link.
#[derive(Clone, Debug, Serialize)]
pub struct LinkStatus {
    /// For how long there has been one.
    pub age_s: u64,
    /// The version of the frame that is spoken.
    pub wire: u16,
    /// Calls under way.
    pub calls: usize,
    /// Bytes that wait for the peer's socket.
    pub queued_bytes: usize,
}

/// Who owns how much.
#[derive(Clone, Debug, Serialize)]
pub struct SlotsStatus {
    /// How many this node serves.
    pub owned: usize,
    /// How many each node owns, by boot.
    pub by_owner: BTreeMap<String, usize>,
    /// How many nobody is known to own.
    pub unowned: usize,
    /// How many are on their way to where placement wishes them.
    pub moving: usize,
}

/// Where an entity's owner is.
#[derive(Clone, Debug, Serialize)]
pub struct Whereabouts {
    /// The number of its slot.
    pub slot: u16,
    /// The boot of the node that owns the slot.
    pub owner: Option<String>,
    /// Whether that is this node.
    pub here: bool,
    /// The epoch at which this node owns it.
    pub epoch: Option<u64>,
    /// The version that is warm here.
    pub warm: Option<u64>,
    /// If that is another node's, which lent it: for how many milliseconds more it may be answered from.
    pub borrowed_ms: Option<u64>,
    /// To how many nodes it is lent from here.
    pub lent_to: usize,
}

impl Remote {
    /// What this node knows of its cluster.
    #[must_use]
    pub fn status(&self, node: &Node) -> ClusterStatus {
        let outlook = self.outlook();
        let owned = by_owner(&outlook);
        let links: BTreeMap<_, _> = self.links.status().into_iter().map(|status| (status.boot, status.link)).collect();
        let member = |member: &cluster::Member| MemberStatus {
            name: member.address.split('@').next().unwrap_or_default().to_owned(),
            boot: member.boot.to_string(),
            status: word(member.status),
            roles: words(member.roles),
            address: member.address.to_string(),
            slots: owned.get(&member.boot).copied().unwrap_or_default(),
            link: links.get(&member.boot.0).copied().flatten().map(|load| LinkStatus {
                age_s: load.age.as_secs(),
                wire: load.wire,
                calls: load.calls,
                queued_bytes: load.queued_bytes,
            }),
        };
        let mut members: Vec<_> = outlook.members.iter().map(member).collect();
        members.sort_by(|a, b| (&a.name, &a.boot).cmp(&(&b.name, &b.boot)));
        let known: usize = owned.values().sum();
        ClusterStatus {
            boot: self.seat.boot().to_string(),
            view: outlook.view,
            leased: node.ownership.is_leased(),
            members,
            slots: SlotsStatus {
                owned: node.ownership.count(),
                by_owner: owned.into_iter().map(|(boot, count)| (boot.to_string(), count)).collect(),
                unowned: usize::from(protocol::SLOTS).saturating_sub(known),
                moving: moving(&outlook),
            },
        }
    }
}

/// Where an entity's owner is, as far as this node knows.
#[must_use]
pub fn whereabouts(node: &Node, key: &Key) -> Whereabouts {
    let slot = key.slot();
    let epoch = node.ownership.epoch(slot);
    let owner = node.remote().and_then(|remote| match (epoch, remote.place(slot)) {
        (Some(_), _) => Some(remote.seat.boot()),
        (None, Place::There(boot)) => Some(boot),
        (None, _) => None,
    });
    let warm = node.snapshots.get(key, &node.ownership);
    Whereabouts {
        slot: slot.number(),
        owner: owner.map(|boot| boot.to_string()),
        here: epoch.is_some(),
        epoch: epoch.map(|epoch| epoch.0),
        borrowed_ms: warm.as_ref().and_then(|found| Some(found.loan()?.left_ms())),
        lent_to: node.remote().map_or(0, |remote| remote.grants().holders(key)),
        warm: warm.map(|found| found.view.version),
    }
}

fn by_owner(outlook: &Outlook) -> BTreeMap<Boot, usize> {
    let mut owned = BTreeMap::new();
    for boot in Slot::all().filter_map(|slot| outlook.owner(slot)) {
        *owned.entry(boot).or_default() += 1;
    }
    owned
}

fn moving(outlook: &Outlook) -> usize {
    let candidates: Vec<_> = outlook.members.iter().filter(|member| member.takes_slots()).map(|member| member.boot).collect();
    Slot::all().zip(place(protocol::SLOTS, &candidates)).filter(|(slot, wish)| outlook.owner(*slot) != *wish).count()
}

const fn word(status: Status) -> &'static str {
    match status {
        Status::Joining => "joining",
        Status::Up => "up",
        Status::Leaving => "leaving",
        Status::Dead(Death::VotedOut | Death::Expired | Death::Left) => "dead",
    }
}

fn words(roles: Roles) -> Vec<&'static str> {
    let named = [("edge", roles.edge), ("entity", roles.entity), ("media", roles.media)];
    named.into_iter().filter(|(_, does)| *does).map(|(name, _)| name).collect()
}
