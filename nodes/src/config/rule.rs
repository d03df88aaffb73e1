//! What settings demand of each other, once each is sound by itself.

use std::net::{IpAddr, SocketAddr};

use super::{Config, Role};

/// A demand that a configuration does not meet.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    /// The keys of the settings that contradict each other.
    pub(super) keys: Vec<String>,
    pub(super) problem: String,
    pub(super) remedy: String,
}

/// Returns every demand that the configuration does not meet.
pub(super) fn violations(config: &Config) -> Vec<Violation> {
    let pairs = [
        tls_pair(config),
        request_times(config),
        owner_deadline(config),
        owner_waiters(config),
        redis_alone(config),
        roles_alone(config),
        serving_room(config),
    ];
    pairs
        .into_iter()
        .flatten()
        .chain(admin_exposed(config))
        .chain(dev_exposed(config))
        .chain(listener_collisions(config))
        .chain(cluster_incomplete(config))
        .collect()
}

fn violation(keys: [&str; 2], problem: String, remedy: &str) -> Violation {
    Violation { keys: keys.map(str::to_owned).to_vec(), problem, remedy: remedy.to_owned() }
}

fn tls_pair(config: &Config) -> Option<Violation> {
    let gateway = &config.gateway;
    let missing = match (&gateway.tls_cert_file, &gateway.tls_key_file) {
        (Some(_), None) => "there is a certificate without a private key",
        (None, Some(_)) => "there is a private key without a certificate",
        _ => return None,
    };
    Some(violation(["gateway.tls_cert_file", "gateway.tls_key_file"], missing.to_owned(), "set both for TLS, or neither"))
}

fn request_times(config: &Config) -> Option<Violation> {
    let http = &config.http;
    (http.header_timeout_s > http.request_timeout_s).then(|| {
        violation(
            ["http.header_timeout_s", "http.request_timeout_s"],
            format!("a head may take {} s, but a whole request {} s", http.header_timeout_s, http.request_timeout_s),
            "give the whole request at least the time of its head",
        )
    })
}

fn is_on_a_server(config: &Config) -> bool {
    let postgres = &config.postgres;
    [&postgres.url, &postgres.users_url, &postgres.content_url, &postgres.shop_url, &postgres.media_url].into_iter().any(Option::is_some)
}

/// A node cannot join with less, and without joining it would be a second truth.
fn cluster_incomplete(config: &Config) -> Vec<Violation> {
    let cluster = &config.cluster;
    if cluster.listen.is_none() {
        return Vec::new();
    }
    let needs = [
        ("postgres.url", is_on_a_server(config), "nodes share PostgreSQL's databases: set postgres.url"),
        ("cluster.name", cluster.name.is_some(), "set cluster.name to the name in this node's certificate"),
        (
            "cluster.credentials",
            cluster.credentials.is_some(),
            "make certificates by `lets-connect certs`, and name this node's folder of them",
        ),
    ];
    let missing = needs.into_iter().filter(|(_, is_there, _)| !is_there);
    missing.map(|(key, _, remedy)| violation(["cluster.listen", key], format!("a cluster needs {key}"), remedy)).collect()
}

/// A process alone does everything itself.
fn roles_alone(config: &Config) -> Option<Violation> {
    let is_whole = Role::all().iter().all(|role| config.node.roles.contains(role));
    (config.cluster.listen.is_none() && !is_whole).then(|| {
        violation(
            ["node.roles", "cluster.listen"],
            "there is nobody for what this node does not do".to_owned(),
            "leave node.roles out, or set cluster.listen",
        )
    })
}

fn redis_alone(config: &Config) -> Option<Violation> {
    (config.redis.url.is_some() && !is_on_a_server(config)).then(|| {
        violation(
            ["redis.url", "postgres.url"],
            "there is a Redis beside the embedded store".to_owned(),
            "leave redis.url out: the embedded store is nearer than Redis is; or set postgres.url",
        )
    })
}

fn owner_deadline(config: &Config) -> Option<Violation> {
    let (deadline_ms, timeout_s) = (config.owner.request_deadline_ms, config.http.request_timeout_s);
    (deadline_ms > timeout_s * 1000).then(|| {
        violation(
            ["owner.request_deadline_ms", "http.request_timeout_s"],
            format!("an owner actor may take {deadline_ms} ms, but a whole request {timeout_s} s"),
            "give the whole request at least the time of its owner actor",
        )
    })
}

fn owner_waiters(config: &Config) -> Option<Violation> {
    let owner = &config.owner;
    (owner.waiting_per_key_max > owner.mailbox_in_flight_max).then(|| {
        violation(
            ["owner.waiting_per_key_max", "owner.mailbox_in_flight_max"],
            format!(
                "{} messages may wait for one key, but an owner actor accepts only {}",
                owner.waiting_per_key_max, owner.mailbox_in_flight_max
            ),
            "let an owner actor accept at least as many as may wait for one key",
        )
    })
}

/// A file that fits into no room for answers could be kept, and never be fetched whole.
fn serving_room(config: &Config) -> Option<Violation> {
    let media = &config.media;
    (media.serving_bytes_max < media.upload_bytes_max).then(|| {
        violation(
            ["media.serving_bytes_max", "media.upload_bytes_max"],
            format!("a file may have {} bytes, but only {} are held for clients", media.upload_bytes_max, media.serving_bytes_max),
            "hold at least as much as the largest file has",
        )
    })
}

/// The admin listener shows the inside of the node, so beyond the machine it must ask who is there.
fn admin_exposed(config: &Config) -> Option<Violation> {
    let listen = &config.listen;
    (!listen.admin.ip().is_loopback() && listen.admin_token.is_none()).then(|| {
        violation(
            ["listen.admin", "listen.admin_token"],
            format!("the admin listener would be open to strangers on {}", listen.admin),
            "set listen.admin_token, or listen on 127.0.0.1",
        )
    })
}

/// What is relaxed for a developer must not be so for strangers.
fn dev_exposed(config: &Config) -> Vec<Violation> {
    let exposed = config.listen.addresses().into_iter().filter(|(_, address)| config.node.dev && !address.ip().is_loopback());
    exposed
        .map(|(name, address)| {
            violation(
                ["node.dev", &format!("listen.{name}")],
                format!("development mode would be open to strangers on {address}"),
                "listen on 127.0.0.1, or turn development mode off",
            )
        })
        .collect()
}

fn listener_collisions(config: &Config) -> Vec<Violation> {
    let listeners = config.listen.addresses();
    let pairs = listeners.iter().enumerate().flat_map(|(i, a)| listeners[i + 1..].iter().map(move |b| (a, b)));
    pairs
        .filter(|((_, a), (_, b))| collide(*a, *b))
        .map(|((a, address), (b, _))| {
            violation(
                [&format!("listen.{a}"), &format!("listen.{b}")],
                format!("both listeners want port {}", address.port()),
                "give each its own port, or turn one off",
            )
        })
        .collect()
}

/// Whether two listeners cannot both be bound. The unspecified IPv6 address also takes IPv4 connections.
fn collide(a: SocketAddr, b: SocketAddr) -> bool {
    let takes = |ip: IpAddr, other: IpAddr| ip.is_unspecified() && (ip.is_ipv6() || other.is_ipv4());
    let same_address = a.ip() == b.ip() || takes(a.ip(), b.ip()) || takes(b.ip(), a.ip());
    a.port() != 0 && a.port() == b.port() && same_address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{
        newtype::NodeName,
        server_url::{DatabaseUrl, RedisUrl},
        value::{Raw, Value},
    };

    fn keys(change: impl FnOnce(&mut Config)) -> Vec<Vec<String>> {
        let mut config = Config::default();
        change(&mut config);
        violations(&config).into_iter().map(|violation| violation.keys).collect()
    }

    #[test]
    fn the_defaults_meet_every_demand() {
        assert_eq!(keys(|_| {}), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_certificate_needs_a_key_and_a_key_a_certificate() {
        let both = [["gateway.tls_cert_file", "gateway.tls_key_file"]];
        assert_eq!(keys(|config| config.gateway.tls_cert_file = Some("a".into())), both);
        assert_eq!(keys(|config| config.gateway.tls_key_file = Some("a".into())), both);
    }

    #[test]
    fn listeners_collide_on_a_shared_port_only_where_their_addresses_overlap() {
        let user_and_shop = |user: &str, shop: &str| {
            let (user, shop) = (user.parse().ok(), shop.parse().ok());
            keys(|config| (config.listen.user, config.listen.shop) = (user, shop)).len()
        };
        assert_eq!(user_and_shop("127.0.0.1:9", "127.0.0.1:9"), 1);
        assert_eq!(user_and_shop("127.0.0.1:9", "0.0.0.0:9"), 1);
        assert_eq!(user_and_shop("[::]:9", "127.0.0.1:9"), 1);
        assert_eq!(user_and_shop("[::1]:9", "0.0.0.0:9"), 0);
        assert_eq!(user_and_shop("127.0.0.1:9", "127.0.0.2:9"), 0);
        assert_eq!(user_and_shop("127.0.0.1:0", "127.0.0.1:0"), 0);
        assert_eq!(user_and_shop("off", "off"), 0);
    }

    #[test]
    fn the_admin_listener_is_not_open_to_strangers() {
        let everywhere = "0.0.0.0:8010".parse().expect("an address");
        assert_eq!(keys(|config| config.listen.admin = everywhere), [["listen.admin", "listen.admin_token"]]);
    }

    #[test]
    fn redis_stands_beside_postgresql_only() {
        let redis = |config: &mut Config| config.redis.url = RedisUrl::read(Raw::Text("redis://localhost"), &()).ok();
        assert_eq!(keys(redis), [["redis.url", "postgres.url"]]);
        let both = |config: &mut Config| {
            redis(config);
            config.postgres.shop_url = DatabaseUrl::read(Raw::Text("postgres://localhost/shop"), &()).ok();
        };
        assert_eq!(keys(both), Vec::<Vec<String>>::new());
    }

    #[test]
    fn a_node_of_a_cluster_needs_all_that_joining_takes() {
        let listen = |config: &mut Config| config.cluster.listen = "127.0.0.1:7400".parse().ok();
        let missing = ["postgres.url", "cluster.name", "cluster.credentials"].map(|key| ["cluster.listen", key]);
        assert_eq!(keys(listen), missing);
        assert_eq!(keys(|config| config.node.roles = vec![Role::Edge]), [["node.roles", "cluster.listen"]]);
        let whole = |config: &mut Config| {
            listen(config);
            config.postgres.url = DatabaseUrl::read(Raw::Text("postgres://localhost/app"), &()).ok();
            config.cluster.name = NodeName::read(Raw::Text("node-1"), &()).ok();
            config.cluster.credentials = Some("certs/node-1".into());
            config.node.roles = vec![Role::Edge];
        };
        assert_eq!(keys(whole), Vec::<Vec<String>>::new());
    }

    #[test]
    fn development_is_for_the_machine_itself() {
        assert!(keys(|config| config.node.dev = true).is_empty());
        let everywhere = "0.0.0.0:8001".parse().expect("an address");
        let found = keys(|config| (config.node.dev, config.listen.user) = (true, Some(everywhere)));
        assert_eq!(found, [["node.dev", "listen.user"]]);
    }

    #[test]
    fn parts_of_a_request_fit_into_the_whole() {
        let found = keys(|config| config.http.request_timeout_s = 1);
        assert_eq!(found, [["http.header_timeout_s", "http.request_timeout_s"], ["owner.request_deadline_ms", "http.request_timeout_s"],]);
        let found = keys(|config| config.owner.mailbox_in_flight_max = 10);
        assert_eq!(found, [["owner.waiting_per_key_max", "owner.mailbox_in_flight_max"]]);
    }
}
