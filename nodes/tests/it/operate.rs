//! What operators see: health, metrics, the supervision tree.

use crate::{
    http::{Answer, Request, get, put, text},
    rank::promoted,
    refusal::refused,
    server::{Server, binary},
};
use protocol::Role;
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    process::Stdio,
    time::{Duration, Instant},
};

const SERVICES: [(&str, &str); 5] = [
    ("gateway", "gateway"),
    ("user", "user-service"),
    ("content", "content-service"),
    ("media", "media-service"),
    ("shop", "shop-service"),
];

/// The names that dashboards of the former system read.
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

/// A scrape: every line is a comment or a sample.
#[track_caller]
fn samples(scrape: &Answer) -> BTreeMap<String, f64> {
    assert_eq!(scrape.status, 200, "{scrape}");
    assert!(scrape.header("content-type").is_some_and(|kind| kind.starts_with("text/plain; version=0.0.4")), "{scrape}");
    let lines = scrape.text();
    let lines = lines.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
            (series.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
        })
        .collect()
}

#[track_caller]
fn check_live(answer: &Answer, service: &str) {
    let body = answer.ok(200);
    assert_eq!((text(&body["status"]), text(&body["service"])), ("healthy".to_owned(), service.to_owned()));
    check_clock(&body);
}

#[track_caller]
fn check_ready(answer: &Answer, service: &str) {
    let body = answer.ok(200);
    assert_eq!((text(&body["status"]), text(&body["service"])), ("healthy".to_owned(), service.to_owned()));
    check_clock(&body);
    let checks = body["checks"].as_object().expect("checks");
    assert_eq!(checks.len(), 5, "each database is checked, and object storage: {body}");
    for (name, check) in checks {
        let is_known = name.starts_with("database:") || name == "object_storage";
        assert!(is_known && check["healthy"] == true && check["message"].is_string(), "{body}");
        assert!(check["latency"].as_f64().is_some_and(|ms| (0.0..5000.0).contains(&ms)), "{body}");
    }
    let system = &body["system"];
    assert!(system["platform"].is_string() && system["arch"].is_string(), "{body}");
    assert!(system["cpus"].as_u64() >= Some(1) && system["memory"]["usagePercent"].as_f64() > Some(0.0), "{body}");
}

#[track_caller]
fn check_clock(body: &Value) {
    assert!(body["uptime"].as_f64().is_some_and(|seconds| (0.0..600.0).contains(&seconds)), "{body}");
    let timestamp = text(&body["timestamp"]);
    assert!(timestamp.len() == 24 && timestamp.ends_with('Z') && timestamp.as_bytes()[10] == b'T', "RFC 3339 in UTC: {timestamp}");
}

#[test]
fn every_listener_answers_for_its_service_from_the_start() {
    let server = Server::start();
    for (listener, service) in SERVICES {
        let mut client = server.client(listener);
        let shown = samples(&client.call(&get("/metrics")));
        for name in KEPT_NAMES {
            assert!(shown.contains_key(&format!("{name}{{service=\"{service}\"}}")), "{name} on {listener}");
        }
        assert_eq!(shown[&format!("http_requests_total{{service=\"{service}\"}}")], 0.0, "nobody has asked {listener} yet");
        let own = format!("service=\"{service}\"");
        assert!(shown.keys().all(|series| series.contains(&own)), "{listener} shows others' series");

        check_live(&client.call(&get("/health")), service);
        check_ready(&client.call(&get("/health/ready")), service);
        let after = samples(&client.call(&get("/metrics")));
        assert_eq!(after[&format!("http_requests_total{{service=\"{service}\"}}")], 3.0);
        assert!(after[&format!("http_request_duration_avg_ms{{service=\"{service}\"}}")] > 0.0);

        assert_eq!(client.call(&Request::new("HEAD", "/health")).status, 200);
        let refused = client.call(&Request::new("POST", "/health"));
        assert_eq!((refused.status, refused.header("allow")), (405, Some("GET, HEAD")));
    }
}

#[test]
fn the_gateway_leads_to_every_services_health() {
    let server = Server::start();
    let mut client = server.gateway();
    for (prefix, service) in [
        ("users", "user-service"),
        ("user", "user-service"),
        ("content", "content-service"),
        ("media", "media-service"),
        ("shop", "shop-service"),
    ] {
        check_live(&client.call(&get(format!("/api/{prefix}/health"))), service);
        check_ready(&client.call(&get(format!("/api/{prefix}/health/ready"))), service);
        let shown = samples(&client.call(&get(format!("/api/{prefix}/metrics"))));
        assert!(shown.contains_key(&format!("service_uptime_seconds{{service=\"{service}\"}}")));
    }
}

#[test]
fn the_admin_listener_shows_all() {
    let server = Server::start();
    let mut admin = server.client("admin");
    let shown = samples(&admin.call(&get("/metrics")));
    for (_, service) in SERVICES {
        for name in KEPT_NAMES {
            assert!(shown.contains_key(&format!("{name}{{service=\"{service}\"}}")), "{name} of {service}");
        }
    }
    // An alert on a first occurrence needs the series at 0 before it.
    for series in [
        "cache_hits_total{strategy=\"user\"}",
        "cache_misses_total{strategy=\"user\"}",
        "cache_loads_total{strategy=\"product\"}",
        "owner_mailbox_messages{strategy=\"user\"}",
        "owner_restarts_total{strategy=\"user\"}",
        "write_conflicts_total{strategy=\"product\"}",
        "outbox_rows{database=\"users\"}",
        "store_queue_depth{database=\"users\",queue=\"write\"}",
    ] {
        assert_eq!(shown.get(series), Some(&0.0), "{series}");
    }
    for series in ["slots_owned", "cache_bytes", "http_connections_open"] {
        assert!(shown.contains_key(series), "{series}");
    }
    check_live(&admin.call(&get("/health")), "gateway");
    check_ready(&admin.call(&get("/health/ready")), "gateway");

    let tree = admin.call(&get("/tree")).ok(200);
    assert_eq!((&tree["alive"], &tree["restarts"]), (&json!(true), &json!(0)));
    let children: Vec<String> = tree["children"].as_array().expect("children").iter().map(|child| text(&child["name"])).collect();
    assert!(children.contains(&"owners/user".to_owned()) && children.contains(&"owners/product".to_owned()), "{children:?}");
    let slots = admin.call(&get("/slots")).ok(200);
    assert_eq!(slots["owned"], slots["of"]);
    assert_eq!(admin.call(&get("/api/users/health")).status, 404, "the admin listener is no gateway");
}

/// The reads of a kind, as the overview counts them.
fn reads_of(overview: &Value, strategy: &str) -> (u64, u64) {
    let reads = overview["reads"].as_array().expect("reads").iter().find(|reads| reads["strategy"] == strategy);
    let reads = reads.unwrap_or_else(|| panic!("no {strategy}: {overview}"));
    (reads["hits"].as_u64().expect("a number"), reads["misses"].as_u64().expect("a number"))
}

#[test]
fn an_admin_sees_at_the_gateway_how_the_platform_runs_and_nobody_else_does() {
    let server = Server::start();
    let mut client = server.gateway();
    let [ada, moderator, admin] = ["ada", "mona", "rita"].map(|name| client.register(name));
    let server = promoted(server, &[(&moderator, Role::Moderator), (&admin, Role::Admin)], &[]);
    let mut client = server.gateway();
    refused(&client.call(&get("/api/overview")), 401, "unauthenticated");
    for person in [&ada, &moderator] {
        refused(&client.call(&get("/api/overview").by(person)), 403, "forbidden");
    }
    let before = client.call(&get("/api/overview").by(&admin)).ok(200);
    for _ in 0..5 {
        client.call(&get(format!("/api/user/profile/{}", ada.id))).ok(200);
    }
    let answer = client.call(&get("/api/overview").by(&admin).header("if-none-match", "*"));
    let overview = answer.ok(200);
    assert_eq!((answer.header("cache-control"), answer.header("etag")), (Some("no-store"), None));
    let ((hits, misses), (first_hits, first_misses)) = (reads_of(&overview, "user"), reads_of(&before, "user"));
    assert!(hits - first_hits >= 4 && hits - first_hits + misses - first_misses >= 5, "{overview}");
    assert_eq!(overview["slots"], json!({ "of": 4096, "owned": 4096, "unowned": 0, "moving": 0 }));
    let node = &overview["node"];
    assert_eq!((&node["boot"], &node["stage"], &node["leased"]), (&Value::Null, &json!("serving"), &json!(true)));
    assert_eq!((&node["alive"], &node["restarts"], &overview["cluster"]), (&json!(true), &json!(0), &Value::Null));
    assert!(node["requests"].as_u64() >= Some(1) && node["requestsMax"].as_u64() > node["requests"].as_u64(), "this one: {node}");
    assert!(overview["memory"]["entities"].as_u64() >= Some(1) && overview["dependencies"]["database:users"]["healthy"] == true);
    assert_eq!(server.client("user").call(&get("/overview").by(&admin)).status, 404, "the gateway alone has it");
}

#[test]
fn requests_are_counted_by_route_wherever_they_come_in() {
    let server = Server::start();
    let (mut gateway, mut user, mut admin) = (server.gateway(), server.client("user"), server.client("admin"));
    let ada = gateway.register("ada");
    gateway.call(&put(format!("/api/user/profile/{}", ada.id), json!({"bio": "x"})).by(&ada)).ok(200);
    for _ in 0..5 {
        gateway.call(&get(format!("/api/user/profile/{}", ada.id))).ok(200);
        user.call(&get(format!("/profile/{}", ada.id))).ok(200);
    }
    assert_eq!(user.call(&get("/profile/nobody")).status, 400);

    let shown = samples(&admin.call(&get("/metrics")));
    let series = |part: &str, more: &str| {
        let labels = "method=\"GET\",route=\"/profile/:userId\",service=\"user-service\",status_class=\"2xx\"";
        shown[&format!("http_request_duration_seconds_{part}{{{labels}{more}}}")]
    };
    assert_eq!((series("count", ""), series("bucket", ",le=\"+Inf\"")), (10.0, 10.0));
    assert!(series("bucket", ",le=\"0.00005\"") <= series("bucket", ",le=\"30\"") && series("sum", "") > 0.0);
    assert!(shown["cache_hits_total{strategy=\"user\"}"] >= 9.0);
    assert!(shown["cache_misses_total{strategy=\"account\"}"] + shown["cache_hits_total{strategy=\"account\"}"] >= 1.0);
    let of_user = |name: &str| shown[&format!("{name}{{service=\"user-service\"}}")];
    assert_eq!((of_user("http_requests_total"), of_user("http_requests_errors_total")), (13.0, 0.0));
    // An unknown id must not become a series.
    assert!(shown.keys().all(|series| !series.contains("nobody") && !series.contains(&ada.id)));
}

#[test]
fn listeners_that_are_off_leave_the_others_theirs() {
    let server = Server::with(&["listen.user=off", "listen.content=off"]);
    check_live(&server.client("shop").call(&get("/health")), "shop-service");
    check_live(&server.client("admin").call(&get("/health")), "gateway");
    check_live(&server.gateway().call(&get("/api/content/health")), "content-service");
    server.client("shop").call(&get("/public/products")).ok(200);
    assert_eq!(server.client("shop").call(&get("/api/shop/public/products")).status, 404, "a service's own port has no prefix");
}

#[test]
fn an_admin_token_guards_what_operators_see_but_not_health() {
    let token = "a-token-of-thirty-two-characters";
    let server = Server::with(&[&format!("listen.admin_token={token}")]);
    let mut admin = server.client("admin");
    for path in ["/metrics", "/tree", "/slots"] {
        assert_eq!(admin.call(&get(path)).status, 401, "{path}");
        assert_eq!(admin.call(&get(path).token("a-token-of-thirty-two-character")).status, 401, "{path}");
        assert_eq!(admin.call(&get(path).token(token)).status, 200, "{path}");
    }
    check_live(&admin.call(&get("/health")), "gateway");
    assert!(!server.process.said().concat().contains(token), "the token is in the log");
}

/// How `health` ends, and what it says.
fn health(server: &Server, arguments: &[&str]) -> (bool, String) {
    let mut command = binary();
    command.args(["health", "--set", &format!("listen.admin={}", server.addr("admin"))]).args(arguments);
    let output = command.stdout(Stdio::piped()).output().expect("it starts");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[test]
fn a_command_says_whether_the_server_is_well_and_waits_for_no_hung_one() {
    let server = Server::start();
    for arguments in [&[][..], &["--ready"]] {
        assert_eq!(health(&server, arguments), (true, "healthy\n".to_owned()));
    }
    server.process.signal(Signal::STOP);
    let since = Instant::now();
    let (is_well, said) = health(&server, &[]);
    assert!(!is_well && said.contains("within 4 s"), "{said}");
    // The 5 s that it is given by who asks.
    assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
    server.process.signal(Signal::CONT);
    let admin = server.addr("admin");
    server.stop();
    let gone = binary().args(["health", "--set", &format!("listen.admin={admin}")]).status().expect("it starts");
    assert!(!gone.success(), "nobody is there");
}
