//! What is wrong is refused in one form, with a documented code, and harms nobody.

use crate::{
    http::{Answer, Client, Person, Request, delete, get, post, put, text},
    server::{Server, eventually},
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::LazyLock,
    time::{Duration, Instant},
};

/// The documented codes with their status.
static CODES: LazyLock<BTreeMap<String, u16>> = LazyLock::new(|| {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
    let page = std::fs::read_to_string(page).expect("docs/errors.md");
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let mut cells = row.split(" | ");
        let code = cells.next().expect("a code").trim_end_matches('`');
        let status = cells.next().and_then(|status| status.parse().ok());
        (code.to_owned(), status.unwrap_or_else(|| panic!("no status: {row}")))
    })
    .collect()
});

/// Checks that an answer is a whole problem with a documented code, and gives the code.
#[track_caller]
pub fn problem(answer: &Answer) -> String {
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer}");
    assert_eq!((answer.header("cache-control"), answer.header("x-content-type-options")), (Some("no-store"), Some("nosniff")), "{answer}");
    let body = answer.json();
    let code = text(&body["code"]);
    assert_eq!(CODES.get(&code), Some(&answer.status), "documented with this status? {answer}");
    assert_eq!(body["status"], answer.status, "{answer}");
    assert!(text(&body["title"]).len() > 2 && text(&body["type"]) == "about:blank", "{answer}");
    let (detail, trace) = (text(&body["detail"]), text(&body["traceId"]));
    assert!((10..400).contains(&detail.len()), "one sentence for people: {answer}");
    assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()), "{answer}");
    assert_eq!(answer.header("retry-after").is_some(), matches!(answer.status, 429 | 503), "{answer}");
    code
}

/// Demands that an answer refuses with this status and code.
#[track_caller]
pub fn refused(answer: &Answer, status: u16, code: &str) {
    assert_eq!((answer.status, problem(answer).as_str()), (status, code), "{answer}");
}

/// A server with somebody who has a post and a product.
struct Shop {
    server: Server,
    client: Client,
    ada: Person,
    post: String,
    product: String,
}

fn shop() -> Shop {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let new = post("/api/content/posts", json!({"content": "hello"}));
    let written = text(&client.call(&new.by(&ada)).ok(201)["id"]);
    let new = post("/api/shop/products", json!({"name": "lamp", "price": "12.50", "stock": 3}));
    let product = text(&client.call(&new.by(&ada)).ok(201)["id"]);
    Shop { server, client, ada, post: written, product }
}

#[test]
fn bodies_that_are_not_what_the_route_takes() {
    let Shop { server: _server, mut client, ada, post: id, product } = shop();
    let (posts, profile) = ("/api/content/posts", format!("/api/user/profile/{}", ada.id));
    let products = "/api/shop/products";
    let json = |path: &str, body: &str| Request::new("POST", path).text("application/json", body).by(&ada);
    let put = |path: &str, body: &str| Request::new("PUT", path).text("application/json", body).by(&ada);
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let long = |chars: usize| json!({"content": "x".repeat(chars)}).to_string();
    let cases = [
        // Not JSON.
        (json(posts, ""), "malformed_body"),
        (json(posts, "{"), "malformed_body"),
        (json(posts, "{\"content\": \"x\"} {}"), "malformed_body"),
        (json(posts, "{\"content\": \"\u{feff}x\",}"), "malformed_body"),
        (json(posts, "\u{feff}{\"content\": \"x\"}"), "malformed_body"),
        (json(posts, "{\"content\": \"\\ud800\"}"), "malformed_body"),
        (json(posts, &deep), "malformed_body"),
        (json(posts, &format!("{{\"content\": {deep}}}")), "malformed_body"),
        (Request::new("POST", posts).text("application/json", b"{\"content\": \"\xff\xfe\"}").by(&ada), "malformed_body"),
        // JSON, but another.
        (json(posts, "null"), "malformed_body"),
        (json(posts, "\"content\""), "malformed_body"),
        (json(posts, "[null, null, \"by place\"]"), "malformed_body"),
        (put(&profile, "[]"), "malformed_body"),
        (put(&format!("/api/content/posts/{id}"), "[]"), "malformed_body"),
        (json("/api/user/login", "[\"ada@example.org\", \"a long password\"]"), "malformed_body"),
        (json(posts, "{}"), "malformed_body"),
        (json(posts, "{\"content\": 1}"), "malformed_body"),
        (json(posts, "{\"content\": null}"), "malformed_body"),
        (json(posts, "{\"content\": \"a\", \"content\": \"b\"}"), "malformed_body"),
        (json(posts, "{\"content\": \"a\", \"colour\": \"red\"}"), "malformed_body"),
        (json(posts, "{\"content\": \"a\", \"visibility\": \"everyone\"}"), "malformed_body"),
        (json(posts, "{\"content\": \"a\", \"mediaIds\": [\"x\"]}"), "malformed_body"),
        (put(&profile, "{\"profile\": {\"colour\": \"red\"}}"), "malformed_body"),
        (json(products, "{\"name\": \"x\", \"price\": \"12,50\"}"), "malformed_body"),
        (json(products, "{\"name\": \"x\", \"price\": -1}"), "malformed_body"),
        (json(products, "{\"name\": \"x\", \"price\": \"1.005\"}"), "malformed_body"),
        (json(products, "{\"name\": \"x\", \"price\": 1e300}"), "malformed_body"),
        (json(products, "{\"name\": \"x\", \"price\": \"1\", \"stock\": -1}"), "malformed_body"),
        (json(products, "{\"name\": \"x\", \"price\": \"1\", \"stock\": 1.5}"), "malformed_body"),
        (json(products, "{\"name\": \"x\", \"price\": \"1\", \"stock\": 18446744073709551616}"), "malformed_body"),
        (json("/api/shop/orders", "{\"productId\": \"x\"}"), "malformed_body"),
        (json("/api/shop/orders", &json!({"productId": product, "shippingAddress": {"city": 1}}).to_string()), "malformed_body"),
        // The right form, but out of range.
        (json(posts, &long(0)), "invalid_field"),
        (json(posts, &long(10_001)), "invalid_field"),
        (json(posts, "{\"content\": \" \\n \"}"), "invalid_field"),
        (json(posts, "{\"content\": \"a\\u0000b\"}"), "invalid_field"),
        (put(&profile, &json!({"bio": "x".repeat(2001)}).to_string()), "invalid_field"),
        (put(&profile, "{\"avatar\": \"javascript:alert(1)\"}"), "invalid_field"),
        (put(&profile, "{\"profile\": {\"dateOfBirth\": \"1990-02-30\"}}"), "invalid_field"),
        (json(products, "{\"name\": \"x\", \"price\": \"1\", \"currency\": \"usd\"}"), "invalid_field"),
        (json(products, "{\"name\": \"\", \"price\": \"1\"}"), "invalid_field"),
        (json(products, "{\"name\": \"x\", \"price\": \"1\", \"stock\": 1000000001}"), "invalid_field"),
        (json("/api/shop/orders", &json!({"productId": product, "quantity": 0}).to_string()), "invalid_field"),
        (json("/api/shop/orders", &json!({"productId": product, "quantity": 10_001}).to_string()), "invalid_field"),
        (json("/api/user/register", &json!({"username": "a b", "email": "a@b", "password": "12345678"}).to_string()), "invalid_field"),
        (json("/api/user/register", &json!({"username": "abc", "email": "a@b", "password": "1234567"}).to_string()), "invalid_field"),
        (json("/api/user/register", &json!({"username": "abc", "email": "nowhere", "password": "12345678"}).to_string()), "invalid_field"),
    ];
    for (request, code) in cases {
        let answer = client.call(&request);
        let shown = String::from_utf8_lossy(request.body());
        assert_eq!((answer.status, problem(&answer).as_str()), (400, code), "{} {shown:.80}: {answer}", request.path);
    }
    // 10,000 characters of four bytes each are no more than 10,000 characters.
    let widest = post(posts, json!({"content": "𝄞".repeat(10_000)}));
    client.call(&widest.by(&ada)).ok(201);
}

#[test]
fn bodies_of_the_wrong_size_or_kind() {
    let Shop { server, mut client, ada, .. } = shop();
    let posts = "/api/content/posts";
    for kind in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", "multipart/form-data; boundary=x", ""] {
        let answer = client.call(&Request::new("POST", posts).text(kind, "{\"content\": \"x\"}").by(&ada));
        refused(&answer, 415, "unsupported_media_type");
    }
    refused(&client.call(&Request::new("POST", posts).by(&ada)), 415, "unsupported_media_type");
    for kind in ["application/json; charset=utf-8", "Application/JSON", "application/json ;x=y"] {
        client.call(&Request::new("POST", posts).text(kind, "{\"content\": \"x\"}").by(&ada)).ok(201);
    }

    // Declared too large: refused at once, though nothing of it is sent.
    let declared = format!("POST {posts} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n", ada.token);
    client.send(format!("{declared}content-length: 1048577\r\n\r\n").as_bytes()).expect("sent");
    refused(&client.answer("POST").expect("an answer"), 413, "body_too_large");
    // The same for a client that asks first: it is not invited to send.
    let mut asking = server.gateway();
    asking.send(format!("{declared}content-length: 1048577\r\nexpect: 100-continue\r\n\r\n").as_bytes()).expect("sent");
    assert_eq!(asking.interim().expect("an answer"), 413);
    // Sent whole, and one byte too large: the client still sees why.
    refused(
        &server.gateway().call(&Request::new("POST", posts).text("application/json", vec![b' '; (1 << 20) + 1]).by(&ada)),
        413,
        "body_too_large",
    );
    // The largest body is read.
    refused(
        &server.gateway().call(&Request::new("POST", posts).text("application/json", vec![b' '; 1 << 20]).by(&ada)),
        400,
        "malformed_body",
    );
    // Not declared: refused when it has become too large.
    let mut chunked = server.gateway();
    chunked.send(format!("{declared}transfer-encoding: chunked\r\n\r\n").as_bytes()).expect("sent");
    let chunk = [format!("{:x}\r\n", 1 << 16).into_bytes(), vec![b' '; 1 << 16], b"\r\n".to_vec()].concat();
    // The server stops reading at some chunk; what it does not take any more is not the point.
    let _ = (0..17).try_for_each(|_| chunked.send(&chunk));
    refused(&chunked.answer("POST").expect("an answer"), 413, "body_too_large");
    // A body in chunks that is small enough is a body.
    chunked = server.gateway();
    chunked
        .send(format!("{declared}transfer-encoding: chunked\r\n\r\n8\r\n{{\"conten\r\n7\r\nt\":\"x\"}}\r\n0\r\n\r\n").as_bytes())
        .expect("sent");
    chunked.answer("POST").expect("an answer").ok(201);
    refused(&client.call(&get("/api/nowhere").header("content-length", "0")), 404, "unknown_route");
}

#[test]
fn paths_methods_and_queries_that_lead_nowhere() {
    let Shop { server, mut client, ada, post: id, product } = shop();
    let token = |request: Request| request.by(&ada);
    for path in [
        "/nowhere",
        "/api",
        "/api/",
        "/api/user",
        "/api/user/",
        "/api/users",
        "/api/messaging/conversations",
        "/api/shop/nowhere",
        "/api/user/profile",
        "/api/user/profile/",
        "//api/user/me",
        "/api//user/me",
        "/api/user/me/",
        "/api/user/../shop/public/products",
        "/api/user/%6de",
        "/tree",
        "/slots",
        "/api/user/tree",
        "/api/user/a/b/c/d/e/f/g/h/i/j/k",
    ] {
        refused(&client.call(&token(get(path))), 404, "unknown_route");
    }
    for path in ["/api/user/profile/nobody", "/api/content/posts/1", "/api/shop/public/products/00000000-0000-0000-0000-00000000000g"] {
        refused(&client.call(&get(path)), 400, "invalid_id");
    }
    let nil = "00000000-0000-0000-0000-000000000000";
    for path in [format!("/api/user/profile/{nil}"), format!("/api/content/posts/{product}"), format!("/api/shop/public/products/{id}")] {
        refused(&client.call(&get(path)), 404, "not_found");
    }

    let answer = client.call(&token(Request::new("PATCH", format!("/api/user/profile/{}", ada.id))));
    refused(&answer, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET, PUT, HEAD"));
    let answer = client.call(&token(delete("/api/content/posts")));
    refused(&answer, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("POST"));
    for listener in ["gateway", "user", "admin"] {
        let answer = server.client(listener).call(&delete("/metrics"));
        refused(&answer, 405, "method_not_allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }

    // Every read refuses what it does not know; so does every write.
    for route in edge::route::table() {
        let path = path_of(&route, &ada.id);
        let method =
            ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|method| *method == route.method.as_str()).expect("a known method");
        let request = Request::new(method, format!("{path}?unknown=1"));
        let request = match route.input {
            edge::route::Input::Multipart => request.text("multipart/form-data; boundary=x", "--x--\r\n"),
            _ => request.json(&json!({})),
        };
        // Whoever may not ask at all is told that first.
        let (status, code) = if matches!(route.auth, edge::route::Auth::Rank(_)) { (403, "forbidden") } else { (400, "invalid_query") };
        refused(&client.call(&token(request)), status, code);
    }
    for query in ["limit=0", "limit=101", "limit=-1", "limit=x", "limit=1&limit=1", "limit=99999999999", "Limit=1"] {
        refused(&client.call(&get(format!("/api/content/public/posts?{query}"))), 400, "invalid_query");
    }
    let long = format!("search={}", "x".repeat(101));
    let longer = format!("search={}", "x".repeat(5000));
    for query in ["sort=stock", "minPrice=x", "maxPrice=-1", "page=0", "page=1001", "page=x", long.as_str(), longer.as_str()] {
        refused(&client.call(&get(format!("/api/shop/public/products?{query}"))), 400, "invalid_query");
    }
    refused(&client.call(&token(get(format!("/api/content/feed/{}?page=51", ada.id)))), 400, "invalid_query");
}

/// The path of a route at the gateway, with one id for all.
pub fn path_of(route: &edge::route::Route, id: &str) -> String {
    let words = route.path.split('/').map(|word| match word {
        ":tag" => "tag",
        _ if word.starts_with(':') => id,
        _ => word,
    });
    format!("{}{}", route.service.prefix(), words.collect::<Vec<_>>().join("/"))
}

#[test]
fn cursors_that_a_list_did_not_make() {
    let Shop { server: _server, mut client, ada, .. } = shop();
    for number in 0..3 {
        client.call(&post("/api/shop/products", json!({"name": format!("p {number}"), "price": "1"})).by(&ada)).ok(201);
        client.call(&post("/api/content/posts", json!({"content": "x"})).by(&ada)).ok(201);
    }
    let lists = [
        "/api/shop/public/products?limit=1".to_owned(),
        "/api/shop/public/products?limit=1&sort=price_asc".to_owned(),
        "/api/shop/public/products?limit=1&sort=price_desc".to_owned(),
        "/api/shop/public/products?limit=1&sort=rating".to_owned(),
        "/api/shop/public/products?limit=1&search=p".to_owned(),
        format!("/api/shop/products/seller/{}?limit=1", ada.id),
        "/api/content/public/posts?limit=1".to_owned(),
        format!("/api/content/users/{}/posts?limit=1", ada.id),
        format!("/api/content/feed/{}?limit=1", ada.id),
    ];
    let cursors: Vec<String> = lists.iter().map(|list| text(&client.call(&get(list.clone()).by(&ada)).ok(200)["nextCursor"])).collect();
    for (at, list) in lists.iter().enumerate() {
        for (of, cursor) in cursors.iter().enumerate() {
            let answer = client.call(&get(format!("{list}&cursor={cursor}")).by(&ada));
            if at == of {
                answer.ok(200);
            } else {
                refused(&answer, 400, "invalid_cursor");
            }
        }
        for cursor in ["x", "%00", "AAAA", "%F0%9F%A6%80", &"A".repeat(34), &"A".repeat(3000), &cursors[at][1..]] {
            refused(&client.call(&get(format!("{list}&cursor={cursor}")).by(&ada)), 400, "invalid_cursor");
        }
    }
}

#[test]
fn headers_that_say_nothing_sensible() {
    let Shop { server, mut client, ada, post: id, product } = shop();
    let change = |tag: &str| put(format!("/api/content/posts/{id}"), json!({"content": "x"})).by(&ada).header("if-match", tag);
    for tag in ["1", "\"x\"", "W/\"1\"", "\"1\", \"2\"", "\"\"", "\"-1\"", "\"+1\"", "\"99999999999999999999\"", ""] {
        refused(&client.call(&change(tag)), 400, "invalid_header");
    }
    let order = |key: &str| post("/api/shop/orders", json!({"productId": product})).by(&ada).key(key);
    for key in ["", "a b", "ä", &"k".repeat(256)] {
        refused(&client.call(&order(key)), 400, "invalid_header");
    }

    let me = |value: &str| get("/api/user/me").header("authorization", value);
    let other = ada.token.chars().rev().collect::<String>();
    for value in [
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        &format!("Basic {}", ada.token),
        &ada.token,
        &format!("Bearer {other}"),
        &format!("Bearer {}x", ada.token),
    ] {
        let answer = client.call(&me(value));
        refused(&answer, 401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    client.call(&me(&format!("bearer {}", ada.token))).ok(200);

    // The trace id of the caller is kept, a broken one is replaced.
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traced = |parent: &str| get("/api/nowhere").header("traceparent", parent);
    assert_eq!(client.call(&traced(&format!("00-{trace}-00f067aa0ba902b7-01"))).json()["traceId"], trace);
    assert_ne!(client.call(&traced("00-00000000000000000000000000000000-00f067aa0ba902b7-01")).json()["traceId"], "0".repeat(32));
    assert_eq!(problem(&client.call(&traced("nonsense"))), "unknown_route");

    // A head that is too long is refused by the transport, which reads no further: a status, and the end.
    for head in [format!("x-long: {}\r\n", "x".repeat(17 << 10)), "x: y\r\n".repeat(4000)] {
        let mut client = server.gateway();
        // The server may refuse before all of it was taken.
        let _ = client.send(format!("GET / HTTP/1.1\r\nhost: x\r\n{head}\r\n").as_bytes());
        assert_eq!(client.answer("GET").expect("an answer").status, 431);
        client.until_closed();
    }
    for nonsense in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET /\r\n\r\n",
        b"G\x00T / HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nx\r\n\r\n",
    ] {
        let mut client = server.gateway();
        client.send(nonsense).expect("sent");
        let rest = client.until_closed();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 400 "), "{}", String::from_utf8_lossy(&rest));
    }
    client.call(&me(&format!("Bearer {}", ada.token))).ok(200);
}

#[test]
fn what_is_taken_wrong_or_spent_is_said_as_such() {
    let Shop { server: _server, mut client, ada, post: id, product } = shop();
    let bob = client.register("bob");
    let account =
        |name: &str, email: &str| post("/api/user/register", json!({"username": name, "email": email, "password": "a long password"}));
    refused(&client.call(&account("ADA", "new@example.org")), 409, "username_taken");
    refused(&client.call(&account("new", "Ada@Example.org")), 409, "email_taken");
    // Whoever sends a key may be repeating themselves; that takes the same password.
    let again =
        |password: &str| post("/api/user/register", json!({"username": "ada", "email": "ada@example.org", "password": password})).key("k");
    assert_eq!(client.call(&again("a long password")).ok(201)["user"]["id"], ada.id);
    refused(&client.call(&again("another password")), 409, "email_taken");
    let login = |email: &str, password: &str| post("/api/user/login", json!({"email": email, "password": password}));
    for (email, password) in
        [("ada@example.org", "a wrong password"), ("nobody@example.org", "a long password"), ("ada@example.org", &"x".repeat(300))]
    {
        refused(&client.call(&login(email, password)), 401, "bad_credentials");
    }

    let order = |quantity: u32| post("/api/shop/orders", json!({"productId": product, "quantity": quantity}));
    refused(&client.call(&order(4).by(&bob)), 409, "out_of_stock");
    refused(&client.call(&order(1).by(&ada)), 409, "not_for_sale");
    client.call(&order(2).by(&bob).key("k")).ok(201);
    refused(&client.call(&order(1).by(&bob).key("k")), 422, "idempotency_mismatch");
    // Another person's key is another key.
    let other = post("/api/content/posts", json!({"content": "x"}));
    client.call(&other.clone().by(&ada).key("k")).ok(201);
    client.call(&other.by(&bob).key("k")).ok(201);

    let skill = |name: &str| post(format!("/api/user/users/{}/skills", ada.id), json!({"name": name})).by(&ada);
    client.call(&skill("Rust")).ok(201);
    refused(&client.call(&skill("rust")), 409, "conflict");
    let stale = put(format!("/api/content/posts/{id}"), json!({"content": "x"})).by(&ada).header("if-match", "\"7\"");
    refused(&client.call(&stale), 412, "precondition_failed");
    let answers_other = post(format!("/api/content/posts/{id}/comments"), json!({"content": "x", "parentId": product})).by(&ada);
    refused(&client.call(&answers_other), 404, "not_found");
    let follow = |whom: &str| Request::new("PUT", format!("/api/user/users/{whom}/follow")).by(&ada);
    refused(&client.call(&follow(&ada.id)), 403, "forbidden");
    refused(&client.call(&follow(&product)), 404, "not_found");
}

/// Beyond its bounds the server says so at once, and goes on.
#[test]
fn what_exceeds_a_bound_is_refused_at_once_and_counted() {
    let server = Server::with(&["http.requests_in_flight_max=1", "http.connections_max=4"]);
    let (mut busy, mut other) = (server.gateway(), server.gateway());
    let ada = busy.register("ada");
    let waiting = post("/api/content/posts", Value::Null).by(&ada).header("expect", "100-continue");
    busy.send(waiting.head().as_bytes()).expect("sent");
    assert_eq!(busy.interim().expect("in work"), 100);
    let request = post("/api/content/posts", json!({"content": "x"})).by(&ada);
    refused(&other.call(&request), 503, "overloaded");
    busy.send(waiting.body()).expect("sent");
    refused(&busy.answer("POST").expect("an answer"), 400, "malformed_body");
    other.call(&request).ok(201);

    let mut more: Vec<Client> = (0..2).map(|_| server.gateway()).collect();
    for client in &mut more {
        client.call(&get("/health")).ok(200);
    }
    refused(&server.gateway().call(&get("/health")), 503, "overloaded");
    more.clear();
    eventually("a place is free again", || server.gateway().call(&get("/health")).status == 200);
}

/// Who asks again as soon as they were refused is refused no faster than refusals may come, in the same form, and takes nothing from others.
#[test]
fn refusals_beyond_their_pace_wait_for_their_turn() {
    let server = Server::with(&["http.requests_in_flight_max=1", "http.refusals_per_core_s=1"]);
    let (mut busy, mut other) = (server.gateway(), server.gateway());
    let ada = busy.register("ada");
    let waiting = post("/api/content/posts", Value::Null).by(&ada).header("expect", "100-continue");
    busy.send(waiting.head().as_bytes()).expect("sent");
    assert_eq!(busy.interim().expect("in work"), 100);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let began = Instant::now();
    for _ in 0..cores + 2 {
        refused(&other.call(&post("/api/content/posts", json!({"content": "x"})).by(&ada)), 503, "overloaded");
    }
    assert!(began.elapsed() >= Duration::from_secs(1), "more than one a second for each core: {:?}", began.elapsed());
    other.call(&get("/health")).ok(200);
    busy.send(waiting.body()).expect("sent");
    refused(&busy.answer("POST").expect("an answer"), 400, "malformed_body");
}

/// Bytes that are no request never reach a route, and are refused in the same form.
#[test]
fn what_the_transport_refuses_is_a_problem_too() {
    let server = Server::with(&["http.header_timeout_s=1"]);
    let long = "c".repeat(20_000);
    for (bytes, status, code) in [
        ("\x16\x03\x01 what is this\r\n\r\n".to_owned(), 400, "malformed_request"),
        (format!("GET /health HTTP/1.1\r\nhost: test\r\ncookie: {long}\r\n\r\n"), 431, "head_too_large"),
        ("GET /health HTTP/1.1\r\nhost: te".to_owned(), 408, "head_too_slow"),
    ] {
        let mut client = server.gateway();
        client.send(bytes.as_bytes()).expect("sent");
        let answer = client.answer("GET").expect("an answer");
        refused(&answer, status, code);
        assert_eq!(answer.header("connection"), Some("close"));
        client.until_closed();
    }
}
