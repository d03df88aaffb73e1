//! The figures that the binary serves are those that docs/metrics.md describes, which is made of them; and what clients do makes no more of them.

use crate::{
    cluster::Cluster,
    http::{Client, Request, get, post, put, text},
    server::{Server, eventually},
    store::Store,
};
use serde_json::json;
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::Path,
};
use testbed::redis;
use uuid::Uuid;

const DOCUMENT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md");

const INTRODUCTION: &str = "\
# Metrics

Prometheus' text format. Each service's listener shows its own series (label `service`); the admin listener shows all of the node's, and is the one to
scrape. Times are in seconds and sizes in bytes but for the names kept from the former system. No label ever holds an id, and series are there from the
start, at 0, but for classes of answers, operations and what this page says is of one store or of a cluster.

This page is generated from what the binary serves (`cargo xtask docs`), and a test compares them. Dashboards and alerts are in
[deploy/monitoring](../deploy/monitoring); what to do about an alert is in [runbook.md](runbook.md).
";

/// Families by the beginnings of their names.
const SECTIONS: &[(&str, &[&str])] = &[
    ("Requests", &["http_", "service_"]),
    ("The node and its process", &["node_", "build_", "dependency_", "process_", "system_", "traces_"]),
    ("Caches", &["cache_", "redis_", "fallback_", "people_"]),
    ("The cluster", &["cluster_", "slots_", "lease_"]),
    ("Owners, and what follows commits", &["owner_", "write_", "outbox_", "foreign_", "errands_", "checkouts_"]),
    ("Databases", &["store_"]),
    ("Live updates", &["live_"]),
    ("Media", &["media_", "object_storage_"]),
];

/// Every label, and which values it takes: `None` for those that are all there from the start, and are listed as they are found.
const LABELS: &[(&str, Option<&str>)] = &[
    ("class", None),
    ("database", None),
    ("dependency", None),
    ("event", None),
    ("method", Some("those of the API's routes")),
    ("of", None),
    ("operation", Some("what a database or object storage is asked: words of the code, such as `user`, `commit`, `put`")),
    ("outcome", None),
    ("queue", None),
    ("reason", None),
    ("route", Some("patterns of the API's routes, such as `/profile/:userId`, and `other`")),
    ("service", None),
    ("source", None),
    ("stage", None),
    ("state", None),
    ("status", None),
    ("status_class", Some("`1xx` to `5xx`, once there was such an answer; `2xx` from the start")),
    ("strategy", None),
    ("task", None),
    ("transport", None),
    ("version", Some("the release that runs")),
];

const EXAMPLE: &str = r#"
A `strategy` of `redis_reads_total` is a namespace there (`user:profile`, `shop:products`, …); everywhere else it is the kind of an entity. The hit rate of
profiles, for example:

```
sum(rate(cache_hits_total{strategy="user"}[5m])) / sum(rate({__name__=~"cache_(hits|misses)_total", strategy="user"}[5m]))
```
"#;

/// What is known of a family.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeSet<String>,
}

/// A scrape.
#[derive(Default)]
struct Scrape {
    families: BTreeMap<String, Family>,
    /// By label.
    values: BTreeMap<String, BTreeSet<String>>,
    /// By name with labels.
    series: BTreeMap<String, f64>,
}

impl Scrape {
    fn of(server: &Server) -> Self {
        let mut scrape = Self::default();
        scrape.add(&server.client("admin").call(&get("/metrics")).text());
        scrape
    }

    fn add(&mut self, served: &str) {
        for line in served.lines() {
            if let Some((name, help)) = line.strip_prefix("# HELP ").and_then(|line| line.split_once(' ')) {
                let family = self.families.entry(name.to_owned()).or_default();
                assert!(family.help.is_empty() || family.help == help, "{name} has two meanings");
                help.clone_into(&mut family.help);
            } else if let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|line| line.split_once(' ')) {
                kind.clone_into(&mut self.families.entry(name.to_owned()).or_default().kind);
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a series and its value");
                self.series.insert(series.to_owned(), value.parse().expect("a number"));
                self.add_series(series);
            }
        }
    }

    fn add_series(&mut self, series: &str) {
        let (name, labels) = series.trim_end_matches('}').split_once('{').unwrap_or((series, ""));
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
        let name = of_histogram.filter(|name| self.families.contains_key(*name)).unwrap_or(name);
        let family = self.families.get_mut(name).unwrap_or_else(|| panic!("{name} is not announced"));
        let pairs = labels.split("\",").filter_map(|pair| pair.trim_end_matches('"').split_once("=\"")).filter(|(label, _)| *label != "le");
        for (label, value) in pairs {
            family.labels.insert(label.to_owned());
            self.values.entry(label.to_owned()).or_default().insert(value.to_owned());
        }
    }
}

/// All that a node can serve: on the embedded store, and as a member of a cluster with PostgreSQL and Redis.
fn everything() -> Scrape {
    let redis = redis::Server::own();
    let cluster = Cluster::with(1, &[&format!("redis.url={}", redis.url())]);
    let alone = Store::Sqlite.start();
    let mut served = String::new();
    eventually("Redis is looked at", || {
        served = cluster.nodes[0].client("admin").call(&get("/metrics")).text();
        served.contains("dependency_up{dependency=\"redis\"}")
    });
    let mut scrape = Scrape::default();
    scrape.add(&served);
    scrape.add(&alone.client("admin").call(&get("/metrics")).text());
    scrape
}

fn quoted<'a>(words: impl IntoIterator<Item = &'a String>) -> String {
    words.into_iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The document that a scrape makes.
fn document(scrape: &Scrape) -> String {
    let mut text = INTRODUCTION.to_owned();
    let mut left = scrape.families.clone();
    for (title, beginnings) in SECTIONS {
        let _ = write!(text, "\n## {title}\n\n| name | kind | labels | meaning |\n|---|---|---|---|\n");
        for (name, family) in scrape.families.iter().filter(|(name, _)| beginnings.iter().any(|beginning| name.starts_with(beginning))) {
            left.remove(name);
            let _ = writeln!(text, "| `{name}` | {} | {} | {} |", family.kind, quoted(&family.labels), family.help);
        }
    }
    assert!(left.is_empty(), "of no section: {:?}", left.keys());
    text.push_str("\n## Labels\n\n| label | values |\n|---|---|\n");
    for (label, values) in LABELS {
        let found = scrape.values.get(*label).map(quoted).unwrap_or_default();
        let _ = writeln!(text, "| `{label}` | {} |", values.unwrap_or(&found));
    }
    text.push_str(EXAMPLE);
    text
}

#[test]
fn the_documented_metrics_are_those_that_are_served() {
    let scrape = everything();
    let labels: BTreeSet<_> = scrape.values.keys().map(String::as_str).collect();
    assert_eq!(labels, LABELS.iter().map(|(label, _)| *label).collect::<BTreeSet<_>>());
    let made = document(&scrape);
    let path = Path::new(DOCUMENT);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path, &made).expect("writable");
    }
    let kept = fs::read_to_string(path).expect("readable");
    let wrong = made.lines().zip(kept.lines()).find(|(made, kept)| made != kept);
    assert!(made == kept, "docs/metrics.md is not what is served, from {wrong:?} on: cargo xtask docs");
}

#[test]
fn a_node_shows_what_it_knows_of_its_cluster() {
    let mut cluster = Cluster::with(2, &[]);
    cluster.join(3);
    let scrapes: Vec<_> = cluster.nodes.iter().map(Scrape::of).collect();
    for scrape in &scrapes {
        let shows = |series: &str| scrape.series[series];
        assert_eq!((shows("cluster_members{status=\"up\"}"), shows("cluster_members{status=\"leaving\"}")), (3.0, 0.0));
        assert_eq!((shows("cluster_links{state=\"up\"}"), shows("cluster_links{state=\"down\"}")), (2.0, 0.0));
        assert_eq!((shows("slots_unowned"), shows("slots_moving"), shows("lease_held")), (0.0, 0.0, 1.0));
        assert_eq!(shows("slots_gained_total") - shows("slots_given_up_total"), shows("slots_owned"));
        assert_eq!((shows("node_stage{stage=\"serving\"}"), shows("node_stage{stage=\"starting\"}")), (1.0, 0.0));
        let days = (shows("cluster_certificate_expires_timestamp_seconds") - shows("process_start_time_seconds")) / 86_400.0;
        assert!((364.0..366.0).contains(&days), "what `lets-connect certs` makes holds for a year: {days}");
    }
    let sum = |series: &str| scrapes.iter().map(|scrape| scrape.series[series]).sum::<f64>();
    assert_eq!(sum("slots_owned"), 4096.0);
    assert!(sum("slots_given_up_total") > 1000.0, "the third node has its share from the others");
}

/// Clients ask for all kinds of things, named by `word`.
fn traffic(client: &mut Client, word: &str) {
    let person = client.register(word);
    let post_id = text(&client.call(&post("/api/content/posts", json!({"content": format!("#{word} {word}")})).by(&person)).ok(201)["id"]);
    let product = json!({"name": word, "category": word, "price": "1.00", "stock": 3});
    let product = text(&client.call(&post("/api/shop/products", product).by(&person)).ok(201)["id"]);
    client.call(&put(format!("/api/user/profile/{}", person.id), json!({"bio": word})).by(&person)).ok(200);
    for path in [
        format!("/api/content/posts/{post_id}"),
        format!("/api/content/hashtags/{word}/posts"),
        format!("/api/content/posts/search?q={word}"),
        format!("/api/shop/public/products/{product}"),
        format!("/api/shop/public/products?search={word}&category={word}"),
        format!("/api/user/search?q={word}"),
        format!("/api/user/profile/{}", Uuid::now_v7()),
        format!("/api/media/media/{word}/small.webp"),
        format!("/api/{word}/{word}"),
        format!("/{word}"),
    ] {
        client.call(&get(path).header("host", word).header("user-agent", word));
    }
    client.call(&Request::new("PATCH", format!("/api/user/{word}")));
    client.call(&post("/api/user/login", json!({"username": word, "password": "not the right one"})));
}

#[test]
fn what_clients_ask_for_makes_no_series() {
    let server = Store::Sqlite.start();
    let mut client = server.gateway();
    traffic(&mut client, "zirconium");
    let first = Scrape::of(&server);
    for word in ["quicksilver", "antimony", "beryllium"] {
        traffic(&mut client, word);
    }
    let later = Scrape::of(&server);
    // What the node itself asks a store by the clock it may ask for the first time: there the operation may be another.
    let shape = |series: &String| match series.split_once("operation=\"") {
        Some((before, rest)) => format!("{before}{}", rest.split_once('"').expect("it is closed").1),
        None => series.clone(),
    };
    let known: BTreeSet<_> = first.series.keys().map(shape).collect();
    let more: BTreeSet<_> = later.series.keys().map(shape).filter(|series| !known.contains(series)).collect();
    assert!(more.is_empty(), "{more:?}");
    let is_word = |value: &String| value.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    assert!(later.values["operation"].iter().all(is_word), "{:?}", later.values["operation"]);
    assert!(!["quicksilver", "antimony", "beryllium"].iter().any(|word| later.values["operation"].contains(*word)));
}
