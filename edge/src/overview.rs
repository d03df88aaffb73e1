//! How the platform runs, for admins in the front-end: what the node that answers knows of itself and of its cluster.
//!
//! It is made of what the admin listener and the metrics show. It says nothing of any caller, and no address of a node: whoever takes over an admin's session
//! learns no way in.

use crate::{
    dispatch::Edge,
    health::{Check, Stage},
};
use actors::{metrics::Reads, remote::ClusterStatus, supervisor};
use protocol::{SLOTS, Timestamp};
use schemars::JsonSchema;
use serde::Serialize;
use std::{collections::BTreeMap, time::Duration};

/// How the platform runs, as the node that answers knows it. What it knows of the others may be as old as its lease.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Overview {
    /// By this node's clock.
    pub(crate) at: Timestamp,
    /// The node that answers.
    pub(crate) node: NodeOverview,
    /// The nodes; `null` where a process has its stores to itself.
    pub(crate) cluster: Option<ClusterOverview>,
    /// Who owns what.
    pub(crate) slots: SlotsOverview,
    /// What this node depends on, as it was at the last look, by name.
    pub(crate) dependencies: BTreeMap<String, Check>,
    /// How this node answered reads since it began, each kind of entity on its own.
    pub(crate) reads: Vec<ReadsOverview>,
    /// What this node has in memory.
    pub(crate) memory: MemoryOverview,
    /// Live streams of this node.
    pub(crate) live: LiveOverview,
}

/// A node of itself.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NodeOverview {
    /// Which of the members it is; `null` where there is no cluster.
    pub(crate) boot: Option<String>,
    /// The release that it runs.
    pub(crate) version: &'static str,
    /// `starting`, `serving`, `draining` or `voted_out`.
    pub(crate) stage: &'static str,
    /// Seconds since it began.
    pub(crate) uptime_s: u64,
    /// Whether its lease holds: else it answers nothing from memory.
    pub(crate) leased: bool,
    /// Whether everything that it supervises lives.
    pub(crate) alive: bool,
    /// How often anything of that was started again.
    pub(crate) restarts: u64,
    /// Requests in work, beyond those that memory answers.
    pub(crate) requests: usize,
    /// How many there may be.
    pub(crate) requests_max: usize,
}

/// The nodes, and what holds them together.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ClusterOverview {
    /// Each change of members or owners raises it.
    pub(crate) view: u64,
    /// When other nodes stop to believe this one's certificate.
    pub(crate) certificate_expires_at: Timestamp,
    /// Those that are not dead, by name.
    pub(crate) members: Vec<MemberOverview>,
}

/// A node, as another one knows it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberOverview {
    /// The name in its certificate.
    pub(crate) name: String,
    /// Which life of it.
    pub(crate) boot: String,
    /// `joining`, `up` or `leaving`.
    pub(crate) status: &'static str,
    /// Of `edge`, `entity` and `media`.
    pub(crate) roles: Vec<&'static str>,
    /// How many slots it owns.
    pub(crate) slots: usize,
    /// The link to it from the node that answers: `null` to that one itself, and while there is none.
    pub(crate) link: Option<LinkOverview>,
}

/// A link.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkOverview {
    /// For how long there has been one.
    pub(crate) age_s: u64,
    /// The version of the frame that is spoken.
    pub(crate) wire: u16,
    /// Calls under way.
    pub(crate) calls: usize,
    /// Bytes that wait for the other node's socket.
    pub(crate) queued_bytes: usize,
}

/// Who owns what.
#[derive(Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SlotsOverview {
    /// How many there are.
    pub(crate) of: u16,
    /// How many the node that answers serves.
    pub(crate) owned: usize,
    /// How many nobody is known to own.
    pub(crate) unowned: usize,
    /// How many are on their way to where placement wishes them.
    pub(crate) moving: usize,
}

/// How reads of one kind were answered.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReadsOverview {
    /// The kind of entity.
    pub(crate) strategy: &'static str,
    /// From memory.
    pub(crate) hits: u64,
    /// Among these, from what another node's owner lent.
    pub(crate) loans: u64,
    /// Not from memory.
    pub(crate) misses: u64,
    /// Loads and queries that owners sent to the store.
    pub(crate) loads: u64,
}

/// What is in memory.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct MemoryOverview {
    /// Warm entities.
    pub(crate) entities: usize,
    /// Bytes that they and their pages take, estimated.
    pub(crate) bytes: u64,
}

/// Live streams.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct LiveOverview {
    /// Open streams.
    pub(crate) streams: usize,
    /// People who have one.
    pub(crate) people: usize,
}

impl Overview {
    /// Looks at this node.
    pub(crate) async fn of(edge: &Edge) -> Self {
        let node = edge.client.node();
        let status = node.remote().map(|remote| (remote.status(node), remote.links().certificate_expires()));
        let tree = supervisor::report(&edge.root, "node").await;
        let ((entities, bytes), (streams, people)) = (node.snapshots.size(), edge.live.open());
        Self {
            at: Timestamp::now(),
            node: NodeOverview {
                boot: status.as_ref().map(|(status, _)| status.boot.clone()),
                version: env!("CARGO_PKG_VERSION"),
                stage: Stage::name(edge.stage()),
                uptime_s: edge.health.uptime_seconds() as u64,
                leased: node.ownership.is_leased(),
                alive: tree.healthy(),
                restarts: tree.restarts_in_all(),
                requests: edge.options.inflight_max.saturating_sub(edge.admission_free()),
                requests_max: edge.options.inflight_max,
            },
            slots: slots(status.as_ref().map(|(status, _)| status), node.ownership.count()),
            cluster: status.map(|(status, expires)| cluster(status, expires)),
            dependencies: node.dependencies.conditions().iter().map(|(name, found)| (name.clone(), Check::of(found))).collect(),
            reads: node.metrics.reads().map(ReadsOverview::from).collect(),
            memory: MemoryOverview { entities, bytes },
            live: LiveOverview { streams, people },
        }
    }
}

fn cluster(status: ClusterStatus, expires: Duration) -> ClusterOverview {
    let members = status.members.into_iter().map(|member| MemberOverview {
        name: member.name,
        boot: member.boot,
        status: member.status,
        roles: member.roles,
        slots: member.slots,
        link: member.link.map(|link| LinkOverview {
            age_s: link.age_s,
            wire: link.wire,
            calls: link.calls,
            queued_bytes: link.queued_bytes,
        }),
    });
    ClusterOverview {
        view: status.view,
        certificate_expires_at: Timestamp(0).plus_ms(i64::try_from(expires.as_millis()).unwrap_or(i64::MAX)),
        members: members.collect(),
    }
}

/// A process that has its stores to itself owns what it serves, and nobody else owns anything.
fn slots(status: Option<&ClusterStatus>, owned: usize) -> SlotsOverview {
    let (unowned, moving) =
        status.map_or((usize::from(SLOTS).saturating_sub(owned), 0), |status| (status.slots.unowned, status.slots.moving));
    SlotsOverview { of: SLOTS, owned, unowned, moving }
}

impl From<Reads> for ReadsOverview {
    fn from(Reads { kind, hits, loans, misses, loads }: Reads) -> Self {
        Self { strategy: kind.name(), hits, loans, misses, loads }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actors::remote::{LinkStatus, MemberStatus, SlotsStatus};

    fn status() -> ClusterStatus {
        let member = |name: &str, link| MemberStatus {
            name: name.to_owned(),
            boot: format!("boot of {name}"),
            status: "up",
            roles: vec!["edge", "entity"],
            address: "node@10.1.2.3:7946".to_owned(),
            slots: 2000,
            link,
        };
        let link = LinkStatus { age_s: 12, wire: 3, calls: 1, queued_bytes: 64 };
        ClusterStatus {
            boot: "boot of node-1".to_owned(),
            view: 7,
            leased: true,
            members: vec![member("node-1", None), member("node-2", Some(link))],
            slots: SlotsStatus { owned: 2000, by_owner: BTreeMap::new(), unowned: 96, moving: 48 },
        }
    }

    #[test]
    fn a_cluster_is_told_of_without_the_ways_to_its_nodes() {
        assert_eq!(slots(Some(&status()), 2000), SlotsOverview { of: 4096, owned: 2000, unowned: 96, moving: 48 });
        let shown = serde_json::to_value(cluster(status(), Duration::from_secs(86_400))).expect("it is written");
        assert_eq!((&shown["view"], &shown["certificateExpiresAt"]), (&7.into(), &"1970-01-02T00:00:00.000Z".into()));
        assert_eq!(shown["members"][0]["link"], serde_json::Value::Null);
        assert_eq!(shown["members"][1]["link"], serde_json::json!({ "ageS": 12, "wire": 3, "calls": 1, "queuedBytes": 64 }));
        assert!(!shown.to_string().contains("10.1.2.3"), "{shown}");
    }

    #[test]
    fn alone_a_process_owns_what_it_serves() {
        assert_eq!(slots(None, 4096), SlotsOverview { of: 4096, owned: 4096, unowned: 0, moving: 0 });
        assert_eq!(slots(None, 4095).unowned, 1);
    }
}
