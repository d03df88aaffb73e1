//! What a node knows of its cluster, in figures. No label names a node: where a figure comes from, Prometheus knows by whom it asked.

use super::{counter, gauge, gauges};
use crate::node::Node;
use prometheus::{GaugeVec, Opts, core::Collector, proto::MetricFamily};

/// Of the members that it knows; the dead are none.
const STATUSES: [&str; 3] = ["joining", "up", "leaving"];

/// What this node owns, in a cluster or alone.
pub(super) fn slots(node: &Node) -> Vec<MetricFamily> {
    let (gained, given_up) = node.ownership.moved();
    [
        gauge("slots_owned", "Slots that this node owns, of 4096.", node.ownership.count() as u64),
        counter("slots_gained_total", "Slots that became this node's: by its start, by a hand-off, or because their owner died.", gained),
        counter("slots_given_up_total", "Slots that this node owns no more: handed off, or lost.", given_up),
        gauge(
            "lease_held",
            "Whether the node may answer from memory: 0 while it could not renew its lease, since nobody can tell then whether that is still the truth.",
            u64::from(node.ownership.is_leased()),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What this node knows of the others; nothing of a process that has its stores to itself.
pub(super) fn families(node: &Node) -> Vec<MetricFamily> {
    let Some(remote) = node.remote() else { return Vec::new() };
    let status = remote.status(node);
    let others = || status.members.iter().filter(|member| member.boot != status.boot);
    let linked = others().filter_map(|member| member.link.as_ref());
    let (up, calls, bytes) = linked.fold((0, 0, 0), |(up, calls, bytes), link| (up + 1, calls + link.calls, bytes + link.queued_bytes));
    let members = STATUSES.map(|word| (word, status.members.iter().filter(|member| member.status == word).count()));
    let expires = GaugeVec::new(
        Opts::new(
            "cluster_certificate_expires_timestamp_seconds",
            "When other nodes stop to believe the node's certificate, as Unix time.",
        ),
        &[],
    );
    let expires = expires.expect("a valid name");
    expires.with_label_values::<&str>(&[]).set(remote.links().certificate_expires().as_secs_f64());
    [
        gauges("cluster_members", "Nodes that are not dead, as this node knows, by status.", "status", members),
        gauge(
            "cluster_view_version",
            "The version of the view that this node knows: each change of members or owners raises it.",
            status.view,
        ),
        gauges("cluster_links", "Links to other members, by whether there is one.", "state", [("up", up), ("down", others().count() - up)]),
        gauge("cluster_link_calls", "Places for calls that are taken, of 512 on each link.", calls as u64),
        gauge("cluster_link_queued_bytes", "Bytes that wait for the other nodes' sockets.", bytes as u64),
        gauge(
            "slots_unowned",
            "Slots that nobody is known to own; reads of them are answered by the store, and writes wait.",
            status.slots.unowned as u64,
        ),
        gauge("slots_moving", "Slots that are not yet where placement wishes them.", status.slots.moving as u64),
        expires.collect(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
