//! The metrics, as Prometheus reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use edge::metrics::HttpMetrics;
use edge::server::{Limits, RequestBody, ResponseBody, service_fn};
use http::{Request, Response, StatusCode};
use prometheus::{IntCounterVec, Opts, Registry};

use crate::wire::Server;

const KEPT_NAMES: [&str; 10] = [
    "service_uptime_seconds",
    "http_requests_total",
    "http_requests_errors_total",
    "http_request_duration_avg_ms",
    "http_request_error_rate_percent",
    "process_memory_heap_bytes",
    "process_memory_rss_bytes",
    "system_memory_usage_percent",
    "system_cpu_count",
    "system_load_average_1m",
];

fn metrics() -> HttpMetrics {
    let routes =
        [("user-service", "/profile/:userId", "GET"), ("user-service", "/profile/:userId", "PUT"), ("shop-service", "/orders", "POST")];
    HttpMetrics::new(&["gateway", "user-service", "shop-service"], &routes, Arc::default())
}

/// Reads the text format strictly: every line is a comment or a sample, and no family is announced twice.
fn parse(text: &str) -> BTreeMap<String, f64> {
    let mut samples = BTreeMap::new();
    let mut announced = BTreeSet::new();
    for line in text.lines() {
        if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert!(announced.insert(kind.to_owned()), "announced twice: {kind}");
            continue;
        }
        if line.starts_with("# HELP ") {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect("a series and a value");
        let value = value.parse().unwrap_or_else(|_| panic!("no number: {line}"));
        assert!(samples.insert(series.to_owned(), value).is_none(), "twice: {series}");
    }
    samples
}

fn of(name: &str, service: &str) -> String {
    format!("{name}{{service=\"{service}\"}}")
}

#[test]
fn every_name_is_there_from_the_start_for_every_service() {
    let metrics = metrics();
    let all = parse(&metrics.render(None));
    for service in ["gateway", "user-service", "shop-service"] {
        for name in KEPT_NAMES {
            assert!(all.contains_key(&of(name, service)), "{name} of {service}");
        }
        for name in &KEPT_NAMES[1..5] {
            assert_eq!(all[&of(name, service)], 0.0, "{name} of {service}");
        }
        assert!(all[&of("process_memory_rss_bytes", service)] > 0.0);
    }
    let count = r#"http_request_duration_seconds_count{method="POST",route="/orders",service="shop-service",status_class="2xx"}"#;
    assert_eq!(all[count], 0.0);
}

#[test]
fn a_listener_shows_its_own_service_and_the_admin_listener_all() {
    let metrics = metrics();
    let user = parse(&metrics.render(Some("user-service")));
    for name in KEPT_NAMES {
        assert!(user.contains_key(&of(name, "user-service")), "{name}");
    }
    assert!(user.keys().all(|series| series.contains(r#"service="user-service""#)));
    assert_eq!(metrics.render(Some("nobody")), "");
}

#[test]
fn requests_are_counted_and_quantiles_can_be_computed() {
    let metrics = Arc::new(metrics());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let profile = Arc::clone(metrics.route(0));
            std::thread::spawn(move || {
                for index in 0..1000_u64 {
                    // 950 take 80 µs, 50 take 4 ms.
                    let elapsed = if index % 20 == 0 { 4_000 } else { 80 };
                    profile.observe(StatusCode::OK, Duration::from_micros(elapsed));
                }
                profile.observe(StatusCode::NOT_FOUND, Duration::from_secs(40));
                profile.observe(StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO);
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("no panic");
    }
    let samples = parse(&metrics.render(Some("user-service")));
    assert_eq!(samples[&of("http_requests_total", "user-service")], 4008.0);
    assert_eq!(samples[&of("http_requests_errors_total", "user-service")], 4.0);
    let rate = samples[&of("http_request_error_rate_percent", "user-service")];
    assert!((rate - 100.0 * 4.0 / 4008.0).abs() < 1e-9);
    let total_ms = 3800.0 * 0.08 + 200.0 * 4.0 + 4.0 * 40_000.0;
    let mean = samples[&of("http_request_duration_avg_ms", "user-service")];
    assert!((mean - total_ms / 4008.0).abs() < 1e-6, "{mean}");
    let series = |part: &str, class: &str, bound: &str| {
        let labels = format!(r#"method="GET",route="/profile/:userId",service="user-service",status_class="{class}""#);
        samples[&format!("http_request_duration_seconds_{part}{{{labels}{bound}}}")]
    };
    let bucket = |class, bound: &str| series("bucket", class, &format!(r#",le="{bound}""#));
    assert_eq!(bucket("2xx", "0.00005"), 0.0);
    assert_eq!(bucket("2xx", "0.0001"), 3800.0);
    assert_eq!(bucket("2xx", "0.0025"), 3800.0);
    assert_eq!(bucket("2xx", "0.005"), 4000.0);
    assert_eq!((bucket("2xx", "30"), bucket("2xx", "+Inf"), series("count", "2xx", "")), (4000.0, 4000.0, 4000.0));
    assert_eq!((bucket("4xx", "30"), bucket("4xx", "+Inf")), (0.0, 4.0));
    assert_eq!(bucket("5xx", "0.00005"), 4.0);
    assert_eq!(series("sum", "4xx", ""), 160.0);
}

#[test]
fn a_duration_on_a_bound_belongs_below_it() {
    let metrics = metrics();
    let order = metrics.route(2);
    order.observe(StatusCode::CREATED, Duration::from_micros(100));
    order.observe(StatusCode::CREATED, Duration::from_nanos(100_001));
    let text = metrics.render(Some("shop-service"));
    let samples = parse(&text);
    let bucket = |bound: &str| samples.iter().find_map(|(series, count)| series.contains(&format!("le=\"{bound}\"")).then_some(*count));
    assert_eq!((bucket("0.0001"), bucket("0.00025")), (Some(1.0), Some(2.0)));
}

#[test]
fn other_registries_are_shown_once_each_and_by_service_where_they_tell_it() {
    let metrics = metrics();
    let hits = |registry: &Registry, service: &str| {
        let labels = ["service", "strategy"];
        let hits = IntCounterVec::new(Opts::new("cache_hits_total", "Reads from memory."), &labels).expect("a counter");
        registry.register(Box::new(hits.clone())).expect("once a registry");
        hits.with_label_values(&[service, "user:profile"]).inc_by(7);
    };
    let (one, other) = (Registry::new(), Registry::new());
    hits(&one, "user-service");
    hits(&other, "shop-service");
    metrics.include(one);
    metrics.include(other);
    let depth = prometheus::IntGauge::new("mailbox_depth", "Messages waiting.").expect("a gauge");
    metrics.registry().register(Box::new(depth)).expect("once");
    let series = r#"cache_hits_total{service="user-service",strategy="user:profile"}"#;
    let all = parse(&metrics.render(None));
    assert_eq!((all[series], all["mailbox_depth"]), (7.0, 0.0));
    assert_eq!(all.keys().filter(|series| series.starts_with("cache_hits_total")).count(), 2);
    let user = parse(&metrics.render(Some("user-service")));
    assert_eq!(user[series], 7.0);
    assert!(!user.contains_key("mailbox_depth"));
    assert_eq!(user.keys().filter(|series| series.starts_with("cache_hits_total")).count(), 1);
}

#[tokio::test]
async fn the_connections_of_a_server_are_shown() {
    let service = service_fn(|_: Request<RequestBody>, _| async { Response::new(ResponseBody::empty()) });
    let server = Server::start(service, Limits::default());
    let metrics = metrics();
    metrics.include_connections(Arc::clone(&server.stats)).expect("once");
    metrics.include_connections(Arc::clone(&server.stats)).expect_err("twice");
    let mut client = server.connect().await;
    assert_eq!(client.get("/").await.status, 200);
    let samples = parse(&metrics.render(None));
    assert_eq!((samples["http_connections_open"], samples["http_connections_accepted_total"]), (1.0, 1.0));
    assert_eq!(samples[r#"http_connections_ended_total{reason="idle"}"#], 0.0);
}
