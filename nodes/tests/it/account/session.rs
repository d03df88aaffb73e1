//! Sessions: seen and ended by their owner, and held by browsers.

use super::{PASSWORD, is_open, login, refused, registration, sign_in};
use crate::{
    http::{Answer, Client, Person, Request, delete, get, items, post, text},
    server::Server,
};
use serde_json::{Value, json};

#[test]
fn sessions_are_seen_and_ended_by_their_owner() {
    let server = Server::start();
    let mut client = server.gateway();
    let (first, bob) = (client.register("ada"), client.register("bob"));
    let phone = sign_in(&mut client, "ada", "phone");
    let laptop = sign_in(&mut client, "ada", &"l".repeat(300));
    let shown = client.call(&get("/api/user/sessions").by(&phone));
    for secret in [&first.token, &phone.token, &laptop.token] {
        assert!(!shown.text().contains(secret.as_str()), "a token is shown");
    }
    let shown = shown.ok(200);
    let rows = items(&shown);
    assert_eq!(rows.iter().map(|row| row["current"] == true).collect::<Vec<_>>(), [false, true, false], "newest first");
    assert_eq!((text(&rows[0]["userAgent"]), &rows[1]["userAgent"]), ("l".repeat(200), &json!("phone")));
    assert_eq!((&rows[1]["network"], &rows[2]["userAgent"]), (&json!("127.0.0.0/24"), &Value::Null));
    for name in ["createdAt", "lastSeenAt", "expiresAt"] {
        assert!(rows.iter().all(|row| row[name].as_str().is_some_and(|at| at.ends_with('Z'))), "{name}");
    }

    let end = |row: &Value| delete(format!("/api/user/sessions/{}", text(&row["id"])));
    refused(&client.call(&end(&rows[0]).by(&bob)), 404, "not_found");
    assert!(is_open(&mut client, &laptop));
    client.call(&end(&rows[0]).by(&phone)).ok(204);
    assert!(!is_open(&mut client, &laptop) && is_open(&mut client, &phone) && is_open(&mut client, &first));
    refused(&client.call(&end(&rows[0]).by(&phone)), 404, "not_found");
    client.call(&delete("/api/user/sessions").by(&phone)).ok(204);
    assert!(is_open(&mut client, &phone) && !is_open(&mut client, &first) && is_open(&mut client, &bob));
    assert_eq!(items(&client.call(&get("/api/user/sessions").by(&phone)).ok(200)).len(), 1);
}

/// The feed is answered from memory, without a queue: an ended session is not.
#[test]
fn an_ended_session_sees_nothing_more_not_even_from_memory() {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let other = sign_in(&mut client, "ada", "other");
    let feed = get(format!("/api/content/feed/{}", ada.id)).by(&ada);
    for _ in 0..3 {
        client.call(&feed).ok(200);
    }
    client.call(&delete("/api/user/sessions").by(&other)).ok(204);
    refused(&client.call(&feed), 401, "unauthenticated");
}

/// A browser on one of the platform's pages.
struct Browser {
    client: Client,
    origin: String,
    cookie: String,
    id: String,
}

/// The cookie of an answer as it is sent back, and its attributes.
#[track_caller]
fn cookie_of(answer: &Answer) -> (String, String) {
    let (pair, attributes) = answer.header("set-cookie").and_then(|header| header.split_once("; ")).unwrap_or_else(|| panic!("{answer}"));
    (pair.to_owned(), attributes.to_owned())
}

impl Browser {
    fn register(server: &Server, name: &str) -> Self {
        let origin = format!("http://localhost:{}", server.addr("gateway").port());
        let mut body = registration(name);
        body["cookie"] = true.into();
        let mut client = server.gateway();
        let answer = client.call(&post("/api/user/register", body).header("origin", &origin));
        let opened = answer.ok(201);
        assert!(opened.get("token").is_none(), "a script could read it: {opened}");
        let (cookie, attributes) = cookie_of(&answer);
        assert!(cookie.starts_with("session=") && attributes.contains("HttpOnly"), "{answer}");
        assert!(attributes.contains("SameSite=Lax") && attributes.contains("Path=/") && !attributes.contains("Secure"), "{answer}");
        Self { client, origin, cookie, id: text(&opened["user"]["id"]) }
    }

    fn call(&mut self, request: Request) -> Answer {
        self.client.call(&request.header("cookie", &format!("theme=dark; {}", self.cookie)))
    }

    fn token(&self) -> Person {
        let (_, token) = self.cookie.split_once('=').expect("a pair");
        Person { id: self.id.clone(), token: token.to_owned() }
    }
}

#[test]
fn a_cookie_is_a_session_for_the_platforms_own_pages() {
    let server = Server::start();
    let mut ada = Browser::register(&server, "ada");
    let own = ada.origin.clone();
    assert_eq!(ada.call(get("/api/user/me")).ok(200)["username"], "ada");
    let feed = format!("/api/content/feed/{}", ada.id);
    for _ in 0..3 {
        ada.call(get(&feed)).ok(200);
    }
    let write = || post("/api/content/posts", json!({"content": "hello"}));
    refused(&ada.call(write()), 403, "cross_site");
    for foreign in ["https://evil.example", "null", &format!("{own}.evil.example"), "http://localhost"] {
        refused(&ada.call(write().header("origin", foreign)), 403, "cross_site");
        refused(&ada.call(write().header("referer", &format!("{foreign}/page"))), 403, "cross_site");
    }
    // A wrong Origin is not made good by a right Referer.
    refused(&ada.call(write().header("origin", "null").header("referer", &own)), 403, "cross_site");
    ada.call(write().header("origin", &own)).ok(201);
    ada.call(write().header("referer", &format!("{own}/feed?x=1"))).ok(201);
    assert_eq!(items(&ada.call(get(&feed)).ok(200)).len(), 2);

    let out = ada.call(Request::new("POST", "/api/user/logout").header("origin", &own));
    let (cookie, attributes) = cookie_of(&out);
    assert!(out.status == 204 && cookie == "session=" && attributes.contains("Max-Age=0"), "{out}");
    refused(&ada.call(get("/api/user/me")), 401, "unauthenticated");
    refused(&ada.call(get(&feed)), 401, "unauthenticated");
    // Browsers send old cookies unasked: where nobody needs to be signed in, that is nobody.
    ada.call(get("/api/content/public/posts")).ok(200);
}

#[test]
fn a_bearer_token_comes_before_a_cookie() {
    let server = Server::start();
    let mut ada = Browser::register(&server, "ada");
    let bob = server.gateway().register("bob");
    assert_eq!(ada.call(get("/api/user/me").by(&bob)).ok(200)["username"], "bob");
    // No page of another site can send it, so it needs no origin.
    let written = ada.call(post("/api/content/posts", json!({"content": "hello"})).by(&bob)).ok(201);
    assert_eq!(written["userId"], bob.id);
    refused(&ada.call(get("/api/user/me").token("nonsense")), 401, "unauthenticated");
    let (same, mut client) = (ada.token(), server.gateway());
    assert!(is_open(&mut client, &same), "it is one session, however it is shown");
}

/// Another site must not sign its visitors in as somebody else.
#[test]
fn only_the_platforms_pages_are_given_a_cookie() {
    let server = Server::start();
    let mut client = server.gateway();
    client.register("ada");
    let with_cookie = || post("/api/user/login", json!({"email": "ada@example.org", "password": PASSWORD, "cookie": true}));
    refused(&client.call(&with_cookie()), 403, "cross_site");
    refused(&client.call(&with_cookie().header("origin", "https://evil.example")), 403, "cross_site");
    let plain = client.call(&login("ada", PASSWORD).header("origin", "https://evil.example"));
    assert!(plain.status == 200 && plain.header("set-cookie").is_none(), "{plain}");
}

#[test]
fn by_https_the_cookie_is_bound_to_the_host() {
    let server = Server::with(&["gateway.public_url=https://Connect.example:443"]);
    let mut client = server.gateway();
    let mut body = registration("ada");
    body["cookie"] = true.into();
    let answer = client.call(&post("/api/user/register", body).header("origin", "https://connect.example"));
    assert_eq!(answer.status, 201, "{answer}");
    let (cookie, attributes) = cookie_of(&answer);
    assert!(cookie.starts_with("__Host-session=") && attributes.ends_with("; Secure"), "{answer}");
    assert!(!attributes.contains("Domain") && attributes.contains("Path=/;"), "{answer}");
    client.call(&get("/api/user/me").header("cookie", &cookie)).ok(200);
    let plain = cookie.replace("__Host-", "");
    refused(&client.call(&get("/api/user/me").header("cookie", &plain)), 401, "unauthenticated");
}
