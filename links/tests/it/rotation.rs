//! Certificates that are exchanged while nodes run.

use crate::{
    authority::{Authority, Identity, write},
    process::{Cluster, Node},
    stranger::{block_on, connect},
};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use std::time::{Duration, Instant};

/// Whether the node shows this certificate to somebody who connects now.
fn shows(node: &Node, authority: &str, name: &'static str, with: &Identity, certificate: &str) -> bool {
    let expected = CertificateDer::from_pem_slice(certificate.as_bytes()).expect("a certificate");
    block_on(async {
        let Ok(stream) = connect(node.listens, authority, name, Some(with)).await else { return false };
        stream.get_ref().1.peer_certificates().is_some_and(|shown| shown[0] == expected)
    })
}

fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < Duration::from_secs(20), "{what}");
    }
}

#[test]
fn certificates_and_authorities_are_exchanged_under_traffic() {
    let cluster = Cluster::new();
    let [a, b] = cluster.linked(["node-a", "node-b"]);
    let traffic = [(&a, &b), (&b, &a)].map(|(caller, other)| caller.begin(&format!("traffic # {} 3000", other.boot)));
    let old = &cluster.authority;
    let new = Authority::new();

    // A renewal by the same authority.
    let renewed = old.identity("node-a", 60);
    write(&cluster.folder("node-a"), &old.pem, &renewed);
    eventually("the renewed certificate is shown", || shows(&a, &old.pem, "node-a", &old.identity("node-b", 1), &renewed.certificate));

    // Another authority: first both are believed everywhere, then certificates of the new one are shown.
    let both = format!("{}{}", old.pem, new.pem);
    write(&cluster.folder("node-a"), &both, &renewed);
    let identity = new.identity("node-b", 30);
    write(&cluster.folder("node-b"), &both, &identity);
    eventually("the new authority's certificate is shown", || {
        shows(&b, &new.pem, "node-b", &old.identity("node-a", 1), &identity.certificate)
    });
    for (node, traffic) in [&a, &b].into_iter().zip(&traffic) {
        let told = node.wait_for(traffic);
        assert_eq!(told.split(' ').nth(1), Some("0"), "no call fails meanwhile: {told}");
    }
    assert_eq!(a.wait("unlinked", Duration::ZERO), None, "links go on");

    // A node that starts now knows only what is current.
    write(&cluster.folder("node-a"), &new.pem, &new.identity("node-a", 30));
    write(&cluster.folder("node-c"), &new.pem, &new.identity("node-c", 30));
    let c = cluster.node("node-c");
    for node in [&a, &b, &c] {
        node.members(&[a.member(), b.member(), c.member()]);
    }
    for node in [&a, &b] {
        node.wait_for(&format!("linked {}", c.boot));
        assert!(c.call(node, [10, 10, 0, 20_000]).starts_with("ok "));
    }
}

#[test]
fn certificates_that_cannot_be_used_are_not() {
    let cluster = Cluster::new();
    let [a, b] = cluster.linked(["node-a", "node-b"]);
    let authority = &cluster.authority;
    let first = authority.identity("node-a", 30);
    write(&cluster.folder("node-a"), &authority.pem, &first);
    let is_shown = |identity: &Identity| shows(&a, &authority.pem, "node-a", &authority.identity("node-b", 1), &identity.certificate);
    eventually("the first is shown", || is_shown(&first));
    let mismatched = Identity { key: authority.identity("node-a", 30).key, ..authority.identity("node-a", 30) };
    for unusable in
        [mismatched, authority.identity("node-a", -1), authority.identity("node-z", 30), Authority::new().identity("node-a", 30)]
    {
        write(&cluster.folder("node-a"), &authority.pem, &unusable);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_millis(300) {
            assert!(is_shown(&first), "what is in use stays");
        }
    }
    let last = authority.identity("node-a", 30);
    write(&cluster.folder("node-a"), &authority.pem, &last);
    eventually("the last is shown", || is_shown(&last));
    assert!(b.call(&a, [10, 10, 0, 20_000]).starts_with("ok "));
}
