//! What stands before every route: limits of callers, other web sites, and the headers that answers carry for browsers.

use crate::{
    http::{Answer, Client, Person, Request, get, post, put},
    refusal::{path_of, refused},
    server::Server,
};
use serde_json::json;

/// Somebody at an address, as a proxy on this machine reports them.
fn at(request: Request, address: &str) -> Request {
    request.header("x-forwarded-for", address)
}

/// A server that trusts the tests to be a proxy, and is strict: five reads or writes at once, then one in a minute (rates are whole numbers a
/// second, so the burst is what is tested here; time is the unit tests' part).
fn strict(settings: &[&str]) -> Server {
    let usual = ["http.trusted_proxies=127.0.0.1", "rate.read_per_s=1", "rate.read_burst=5", "rate.write_per_s=1", "rate.write_burst=5"];
    Server::with(&[&usual, settings].concat())
}

/// Asks until it is refused; says how often it was not, and the refusal.
fn until_refused(client: &mut Client, request: &Request) -> (usize, Answer) {
    for number in 0..50 {
        let answer = client.call(request);
        if answer.status == 429 {
            return (number, answer);
        }
    }
    panic!("{} {} is never refused", request.method, request.path);
}

/// How many a burst of five lets through: more than five where seconds pass meanwhile.
const FEW: std::ops::RangeInclusive<usize> = 5..=20;

#[test]
fn an_address_over_its_limit_is_told_when_to_come_back_and_others_are_not() {
    let server = strict(&[]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let profile = get(format!("/api/user/profile/{}", ada.id));
    client.call(&profile).ok(200);
    let (passed, refusal) = until_refused(&mut client, &at(profile.clone(), "203.0.113.9"));
    assert!(FEW.contains(&passed), "{passed}");
    refused(&refusal, 429, "too_many_requests");
    assert_eq!(refusal.header("retry-after"), Some("1"));
    assert_eq!(refusal.header("ratelimit-policy"), Some("\"read\";q=5;w=5"));
    assert_eq!(refusal.header("ratelimit"), Some("\"read\";r=0;t=1"));
    client.call(&at(profile.clone(), "203.0.113.10")).ok(200);
    // What no route has is counted, too, and so is what a route refuses.
    let (passed, _) = until_refused(&mut client, &at(get("/api/user/nothing"), "203.0.113.11"));
    assert!(FEW.contains(&passed), "{passed}");
    let (passed, _) = until_refused(&mut client, &at(get("/api/user/me"), "203.0.113.12"));
    assert!(FEW.contains(&passed), "{passed}");
    // A claim that no trusted proxy made is no address, and probes get through whatever happens.
    for _ in 0..50 {
        client.call(&profile).ok(200);
        client.call(&at(get("/health"), "203.0.113.9")).ok(200);
    }
    let metrics = server.client("admin").call(&get("/metrics")).text();
    assert!(metrics.contains("http_requests_limited_total{class=\"read\"} 3\n"), "{metrics}");
    assert!(metrics.contains("http_requests_limited_total{class=\"sign-in\"} 0\n"), "{metrics}");
}

#[test]
fn a_person_is_limited_wherever_they_are_and_each_class_apart() {
    let server = strict(&[]);
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let feed = |of: &Person| get(format!("/api/content/feed/{}", of.id)).by(of);
    let (passed, refusal) = until_refused(&mut client, &feed(&ada));
    assert!(FEW.contains(&passed), "{passed}");
    refused(&refusal, 429, "too_many_requests");
    assert_eq!(client.call(&at(feed(&ada), "203.0.113.77")).status, 429, "another address does not help");
    client.call(&feed(&bob)).ok(200);
    let write = post("/api/content/posts", json!({"content": "x"})).by(&ada);
    let (passed, _) = until_refused(&mut client, &write);
    assert!(FEW.contains(&passed), "writes are counted apart: {passed}");
}

#[test]
fn whoever_guesses_passwords_is_slowed_down_first() {
    let server = strict(&["rate.sign_in_per_min=1", "rate.sign_in_burst=3"]);
    let mut client = server.gateway();
    let guess = at(post("/api/user/login", json!({"email": "ada@example.org", "password": "a guess, a guess"})), "203.0.113.9");
    let (passed, refusal) = until_refused(&mut client, &guess);
    assert!((3..=4).contains(&passed), "{passed}");
    let wait: u64 = refusal.header("retry-after").and_then(|seconds| seconds.parse().ok()).expect("seconds");
    assert!((30..=60).contains(&wait), "{wait}");
    assert_eq!(refusal.header("ratelimit-policy"), Some("\"sign-in\";q=3;w=180"));
}

#[test]
fn scripts_of_listed_web_sites_may_use_the_api_and_no_others() {
    let server = Server::with(&["gateway.cors_origins=https://app.example.org, http://localhost:3000"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let profile = format!("/api/user/profile/{}", ada.id);
    let from = |request: Request, origin: &str| request.header("origin", origin);
    let preflight = |origin: &str, path: &str| {
        from(Request::new("OPTIONS", path), origin)
            .header("access-control-request-method", "PUT")
            .header("access-control-request-headers", "authorization,content-type")
    };
    let allowed = client.call(&preflight("https://app.example.org", &profile));
    assert_eq!((allowed.status, allowed.body.len()), (204, 0));
    assert_eq!(allowed.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert_eq!(allowed.header("access-control-allow-credentials"), Some("true"));
    assert_eq!(allowed.header("access-control-allow-methods"), Some("GET, PUT, HEAD"));
    assert!(allowed.header("access-control-allow-headers").is_some_and(|names| names.contains("authorization")), "{allowed}");
    for request in [get(profile.clone()), put(profile.clone(), json!({"bio": "x"})).by(&ada), get("/api/user/nothing"), get("/health")] {
        let answer = client.call(&from(request.clone(), "http://localhost:3000"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("http://localhost:3000"), "{answer}");
        assert_eq!(answer.header("vary"), Some("origin"), "{answer}");
        for stranger in ["https://evil.example", "null", "https://app.example.org.evil.example"] {
            let answer = client.call(&from(request.clone(), stranger));
            assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, Some("origin")), "{answer}");
        }
    }
    refused(&client.call(&preflight("https://evil.example", &profile)), 405, "method_not_allowed");
    refused(&client.call(&preflight("https://app.example.org", "/api/user/nothing")), 404, "unknown_route");
    // Without a list there is nothing to say, and nothing is said.
    let closed = Server::start();
    let answer = closed.gateway().call(&from(get("/health"), "https://app.example.org"));
    assert_eq!((answer.header("access-control-allow-origin"), answer.header("vary")), (None, None));
}

/// The headers of an answer to a browser, beside those that say what is in it.
#[track_caller]
fn dressed(answer: &Answer, strict_transport: Option<&str>) {
    for (name, value) in [
        ("x-content-type-options", Some("nosniff")),
        ("content-security-policy", Some("default-src 'none'; frame-ancestors 'none'")),
        ("referrer-policy", Some("no-referrer")),
        ("strict-transport-security", strict_transport),
    ] {
        assert_eq!(answer.header(name), value, "{answer}");
    }
    let kept = answer.header("cache-control").unwrap_or_else(|| panic!("may it be kept? {answer}"));
    let known = match answer.status {
        200 | 304 => &["public, no-cache", "private, no-cache", "no-store"][..],
        _ => &["no-store"],
    };
    assert!(known.contains(&kept), "{answer}");
    // Nothing that tells an attacker what runs here, and no header that nobody thought of.
    let usual = [
        "x-content-type-options",
        "content-security-policy",
        "referrer-policy",
        "strict-transport-security",
        "cache-control",
        "content-type",
        "content-length",
        "etag",
        "date",
        "www-authenticate",
        "retry-after",
        "allow",
        "content-disposition",
        "connection",
        // Of an answer that goes on.
        "transfer-encoding",
        "x-accel-buffering",
    ];
    for (name, _) in answer.lasting_headers() {
        assert!(usual.contains(&name.as_str()), "{name} in {answer}");
    }
}

#[test]
fn every_answer_of_every_route_carries_its_headers() {
    let server = Server::with(&["gateway.public_url=https://connect.example.org"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let strict_transport = Some("max-age=63072000; includeSubDomains");
    for route in edge::route::table() {
        let method = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|method| *method == route.method.as_str()).expect("known");
        let request = Request::new(method, path_of(&route, &ada.id));
        let request = if matches!(route.input, edge::route::Input::Json(_)) { request.json(&json!({})) } else { request };
        dressed(&client.call(&request), strict_transport);
        if !route.path.ends_with("/logout") && method != "DELETE" {
            dressed(&client.call(&request.by(&ada)), strict_transport);
        }
        // Also in words that hardly anybody reads.
        dressed(&client.call(&Request::new("PROPFIND", path_of(&route, &ada.id))), strict_transport);
    }
    for path in ["/health", "/health/ready", "/metrics", "/nothing", "/api/user/nothing"] {
        dressed(&client.call(&get(path)), strict_transport);
    }
    client.send(b"\x16\x03\x01 no HTTP\r\n\r\n").expect("sent");
    dressed(&client.answer("GET").expect("an answer"), strict_transport);
    dressed(&Server::start().gateway().call(&get(format!("/api/user/profile/{}", ada.id))), None);
}
