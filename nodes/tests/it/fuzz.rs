//! Seeded nonsense: whatever comes, the answer is a success or a documented refusal, and the server goes on.
//!
//! `FUZZ_SEED` and `FUZZ_REQUESTS` in the environment ask for other and more of it.

use crate::{
    http::{Answer, Client, Person, get, post, text},
    refusal::{path_of, problem},
    server::Server,
};
use edge::route::{Auth, Input, Route};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
};

const CLIENTS: u64 = 4;
/// What is in the head of whoever is about to read a page.
const HTML: &[u8] = b"text/html";

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// Makes requests.
struct Nonsense {
    random: ChaCha8Rng,
    routes: Vec<Route>,
    people: Vec<Person>,
    /// What the platform made so far, and what it did not.
    ids: Vec<String>,
}

impl Nonsense {
    fn new(seed: u64, people: Vec<Person>) -> Self {
        let mut ids: Vec<String> = people.iter().map(|person| person.id.clone()).collect();
        ids.push("00000000-0000-0000-0000-000000000000".into());
        Self { random: ChaCha8Rng::seed_from_u64(seed), routes: edge::route::table(), people, ids }
    }

    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices.choose(&mut self.random).expect("some").clone()
    }

    fn seldom(&mut self, one_in: u32) -> bool {
        self.random.random_ratio(1, one_in)
    }

    fn garbage(&mut self, length_max: usize) -> Vec<u8> {
        let length = self.random.random_range(0..=length_max);
        (0..length).map(|_| self.random.random()).collect()
    }

    fn word(&mut self) -> String {
        let long = "x".repeat(self.random.random_range(0..12_000));
        let id = self.ids.choose(&mut self.random).expect("some").clone();
        let words = [
            "",
            " ",
            "\0",
            "a\nb",
            "%",
            "_",
            "\\",
            "'",
            "\" OR 1=1 --",
            "🦀",
            "Größe",
            "\u{202e}",
            "12.50",
            "-1",
            "1e9",
            "NaN",
            "99999999.99",
            "public",
            "friends",
            "private",
            "newest",
            "price_asc",
            "https://example.org/x",
            "/",
            "1990-12-31",
            "USD",
            "\u{7f}",
            "ﬀ",
            "../..",
            &id,
            &long,
        ];
        self.of(&words).to_owned()
    }

    fn value(&mut self, depth: u32) -> Value {
        match self.random.random_range(0..if depth > 3 { 7 } else { 9 }) {
            0 => Value::Null,
            1 => json!(self.random.random::<bool>()),
            2 => json!(self.random.random::<i64>()),
            3 => json!(self.of(&[0.0, -0.0, 0.1, 12.5, 1e300, -1.0, 100_000_000.0])),
            4 => json!(self.of(&[0_u64, 1, 20, u64::from(u32::MAX), u64::MAX])),
            5 | 6 => json!(self.word()),
            7 => (0..self.random.random_range(0..4)).map(|_| self.value(depth + 1)).collect(),
            _ => (0..self.random.random_range(0..4))
                .map(|_| (self.word().chars().take(20).collect::<String>(), self.value(depth + 1)))
                .collect(),
        }
    }

    /// A body that the route would take.
    fn sensible(&mut self, path: &str, method: &str) -> Value {
        let (id, number) = (self.of(&self.ids.clone()), self.random.random_range(0..100_000_u32));
        match (method, path) {
            ("POST", "/register") => {
                json!({"username": format!("u{number}"), "email": format!("u{number}@example.org"), "password": "a long password"})
            }
            // Nobody whose sessions are used here: so many would end the first.
            ("POST", "/login") => json!({"email": "fay@example.org", "password": "a long password"}),
            ("PUT", "/profile/:userId") => {
                json!({"bio": "x", "avatar": null, "profile": {"interests": ["x"], "socialLinks": {"a": "https://a.org"}, "location": "here"}})
            }
            (_, "/users/:userId/skills") => json!({"name": format!("s{number}"), "level": "expert"}),
            ("POST", "/posts") => {
                json!({"content": "x", "visibility": "friends", "type": "link", "mediaIds": [id], "isPublished": true, "parentId": id})
            }
            ("PUT", "/posts/:id") => json!({"content": "x", "visibility": "public", "isPublished": false, "mediaIds": []}),
            (_, "/posts/:id/comments") => json!({"content": "x", "parentId": null}),
            (_, "/posts/:id/share") => json!({"content": "x", "visibility": "private"}),
            (_, "/bookmarks") => json!({"postId": id}),
            ("PUT", "/posts/:id/reaction") => json!({"type": "wow"}),
            ("POST", "/cart/checkout") => json!({"shippingAddress": {"city": "x"}, "paymentMethod": "card"}),
            ("POST", "/cart" | "/wishlist") => json!({"productId": id}),
            ("PUT", "/cart/:itemId") => json!({"quantity": 2}),
            ("PUT", "/orders/:id/status") => json!({"status": "confirmed", "paymentStatus": "paid"}),
            (_, "/products/:id/reviews" | "/reviews/:id") => json!({"rating": 4, "title": "x", "reviewText": null}),
            (_, "/orders") => json!({"productId": id, "quantity": 1, "shippingAddress": {"city": "x"}, "paymentMethod": "card"}),
            _ => {
                json!({"name": "x", "price": "12.50", "stock": 3, "category": "c", "description": null, "images": ["/x"], "isPublic": true, "isActive": true})
            }
        }
    }

    fn body(&mut self, path: &str, method: &str) -> Vec<u8> {
        let mut body = self.sensible(path, method);
        match self.random.random_range(0..12) {
            0 => return self.garbage(300),
            1 => body = self.value(0),
            2 | 3 => {
                let fields: Vec<String> = body.as_object().expect("an object").keys().cloned().collect();
                let field = self.of(&fields);
                body[field] = self.value(0);
            }
            4 => body[self.word().chars().take(30).collect::<String>()] = self.value(0),
            5 => {
                let mut bytes = body.to_string().into_bytes();
                let at = self.random.random_range(0..bytes.len());
                match self.random.random_range(0..3) {
                    0 => bytes[at] = self.random.random(),
                    1 => bytes.truncate(at),
                    _ => bytes.insert(at, self.random.random()),
                }
                return bytes;
            }
            _ => {}
        }
        body.to_string().into_bytes()
    }

    /// A path of the route; one of a subject mostly names `who` asks.
    fn path(&mut self, route: usize, who: usize) -> String {
        let subject = self.routes[route].auth == Auth::Subject && !self.seldom(4);
        if self.seldom(10) {
            let pieces = [
                "api", "user", "users", "shop", "posts", "profile", "", "..", "%2e%2e", "%00", "%ff", "health", "public", ":id", "*", "é",
                "feed",
            ];
            return (0..self.random.random_range(0..9)).map(|_| format!("/{}", self.of(&pieces))).collect::<String>() + "/x";
        }
        let mut id = if subject { self.people[who].id.clone() } else { self.of(&self.ids.clone()) };
        if self.seldom(12) {
            id = self
                .of(&["nobody", "", "%20", "0", "{}", "00000000000000000000000000000000", "urn:uuid:00000000-0000-0000-0000-000000000000"])
                .to_owned();
        }
        path_of(&self.routes[route], &id)
    }

    fn query(&mut self, route: usize) -> String {
        let params: Vec<&str> = self.routes[route].params.to_vec();
        let count = if params.is_empty() { u32::from(self.seldom(20)) } else { self.random.random_range(0..3) };
        let pairs: Vec<String> = (0..count)
            .map(|_| {
                let name = if params.is_empty() || self.seldom(10) { "x" } else { self.of(&params) };
                let sensible = self.of(&["1", "7", "100", "2", "price_asc", "c", "x", "12.50", "0"]).to_owned();
                let value = if self.seldom(6) { self.word() } else { sensible };
                let encoded = value.bytes().take(3000).map(|byte| format!("%{byte:02X}")).collect::<String>();
                let plain = self.of(&["%zz", "%", "+", "AAAA", "BQAAAAAAAAAAAAAAAAAAAAAAAA", "=", "&", "a=b=c"]).to_owned();
                format!("{name}={}", if self.seldom(10) { plain } else { encoded })
            })
            .collect();
        if pairs.is_empty() { String::new() } else { format!("?{}", pairs.join("&")) }
    }

    fn headers(&mut self, auth: Auth, who: usize) -> Vec<u8> {
        let mut headers = Vec::new();
        let mut add = |name: &str, value: &[u8]| {
            headers.extend_from_slice(name.as_bytes());
            headers.extend_from_slice(b": ");
            // What would end the line is another test's.
            headers.extend(value.iter().filter(|byte| !matches!(byte, b'\r' | b'\n' | 0)));
            headers.extend_from_slice(b"\r\n");
        };
        if auth != Auth::Open && !self.seldom(8) {
            add("authorization", format!("Bearer {}", self.people[who].token).as_bytes());
        } else if self.seldom(4) {
            add("authorization", &self.garbage(80));
        }
        for (name, values) in [
            ("if-match", &["\"1\"", "\"2\"", "*", "W/\"1\"", "", "\"\""][..]),
            ("if-none-match", &["\"1\"", "*", ",,,", "W/", ""]),
            ("idempotency-key", &["one", "two", "three", "", "a b"]),
            ("traceparent", &["00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "-", "00--"]),
            ("accept", &["text/html", "*/*"]),
            ("x-forwarded-for", &["127.0.0.1"]),
        ] {
            if self.seldom(12) {
                let value = self.of(values).as_bytes().to_vec();
                let value = if self.seldom(5) { self.garbage(300) } else { value };
                add(name, &value);
            }
        }
        if !self.seldom(10) {
            add(
                "content-type",
                self.of(&["application/json", "application/json", "application/json; charset=utf-8", "text/plain"]).as_bytes(),
            );
        }
        headers
    }

    /// A whole request with its method.
    fn request(&mut self) -> (&'static str, Vec<u8>) {
        let mut route = self.random.random_range(0..self.routes.len());
        while self.routes[route].path == "/logout" {
            route = self.random.random_range(0..self.routes.len());
        }
        let (pattern, auth) = (self.routes[route].path, self.routes[route].auth);
        let declared = ["GET", "POST", "PUT", "PATCH", "DELETE"].into_iter().find(|method| *method == self.routes[route].method.as_str());
        let method = if self.seldom(10) {
            self.of(&["HEAD", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get", "GET", "DELETE"])
        } else {
            declared.expect("known")
        };
        let has_body = matches!(self.routes[route].input, Input::Json(_)) != self.seldom(20);
        let body = if has_body { self.body(pattern, method) } else { Vec::new() };
        let who = self.random.random_range(0..self.people.len());
        let mut bytes = format!("{method} {}{} HTTP/1.1\r\nhost: test\r\n", self.path(route, who), self.query(route)).into_bytes();
        bytes.extend(self.headers(auth, who));
        if has_body && self.seldom(5) {
            bytes.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n");
            for chunk in body.chunks(100) {
                bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
        } else {
            bytes.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
            bytes.extend_from_slice(&body);
        }
        (method, bytes)
    }

    fn learn(&mut self, answer: &Answer) {
        if answer.status == 201 && self.ids.len() < 500 {
            self.ids.extend(answer.json()["id"].as_str().map(str::to_owned));
        }
    }
}

/// Whether the transport refused, which reads no further.
fn is_of_the_transport(answer: &Answer) -> bool {
    matches!(answer.status, 400 | 414 | 431) && answer.header("connection") == Some("close")
}

#[track_caller]
fn check(answer: &Answer, method: &str, reads_pages: bool) {
    assert!((200..500).contains(&answer.status), "{answer}");
    if method == "HEAD" {
        return;
    }
    match answer.status {
        200..=299 => drop((!answer.body.is_empty() && answer.header("content-type") == Some("application/json")).then(|| answer.json())),
        304 => assert!(answer.body.is_empty(), "{answer}"),
        // Whoever reads pages is told by the front-end's that there is nothing.
        404 if reads_pages && answer.header("content-type") == Some("text/html; charset=utf-8") => {}
        _ => drop(problem(answer)),
    }
}

fn send_nonsense(mut client: Client, mut nonsense: Nonsense, requests: u64) -> [u64; 5] {
    let mut classes = [0; 5];
    for _ in 0..requests {
        let (method, bytes) = nonsense.request();
        let shown = String::from_utf8_lossy(&bytes).chars().take(2000).collect::<String>();
        let answered = client.send(&bytes).and_then(|()| client.answer(method));
        let answer = answered.unwrap_or_else(|error| panic!("{error}\n{shown}"));
        let reads_pages = bytes.windows(HTML.len()).any(|part| part == HTML);
        let checked = std::panic::catch_unwind(|| check(&answer, method, reads_pages));
        assert!(checked.is_ok(), "after\n{shown}");
        if is_of_the_transport(&answer) {
            client.until_closed();
        }
        nonsense.learn(&answer);
        classes[usize::from(answer.status / 100 - 1)] += 1;
    }
    classes
}

#[test]
fn no_request_makes_the_server_fail_or_fall_silent() {
    let (seed, requests) = (from_environment("FUZZ_SEED", 20_260), from_environment("FUZZ_REQUESTS", 2000));
    let server = Server::start();
    let mut client = server.gateway();
    let people: Vec<Person> = ["ada", "bob", "eve"].map(|name| client.register(name)).into();
    client.register("fay");
    client.call(&post("/api/shop/products", json!({"name": "x", "price": 1})).by(&people[0])).ok(201);

    let threads: Vec<_> = (0..CLIENTS)
        .map(|number| {
            let (client, nonsense) = (server.gateway(), Nonsense::new(seed + number, people.clone()));
            thread::spawn(move || send_nonsense(client, nonsense, requests / CLIENTS))
        })
        .collect();
    let classes = threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| panic!("seed {seed}")));
    let classes = classes.fold([0; 5], |sum, part| std::array::from_fn(|class| sum[class] + part[class]));
    assert!(classes[1] > requests / 10 && classes[3] > requests / 10, "sense and nonsense: {classes:?}");

    for person in &people {
        assert_eq!(text(&client.call(&get("/api/user/me").by(person)).ok(200)["id"]), person.id);
    }
    assert_eq!(client.call(&get("/health")).status, 200);
    let said = server.process.said();
    let faults: Vec<_> = said.iter().filter(|line| line.contains("panicked") || line.contains("\"log.level\":\"error\"")).collect();
    assert!(faults.is_empty(), "seed {seed}: {faults:?}");
    server.stop();
}

#[test]
fn bytes_that_are_no_http_end_their_connection_only() {
    let server = Server::start();
    let mut nonsense = Nonsense::new(from_environment("FUZZ_SEED", 7), vec![Person { id: String::new(), token: String::new() }]);
    for number in 0..200 {
        let mut bytes = match number % 3 {
            0 => nonsense.garbage(2000),
            1 => [b"GET /health HTTP/1.1\r\n".to_vec(), nonsense.garbage(500)].concat(),
            _ => nonsense.request().1,
        };
        let cut = nonsense.random.random_range(0..=bytes.len());
        bytes.truncate(cut);
        let mut stream = TcpStream::connect(server.addr("gateway")).expect("accepted");
        stream.set_read_timeout(Some(crate::http::PATIENCE)).expect("a socket");
        // It may have heard enough before all was sent.
        let _ = stream.write_all(&bytes).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut rest = Vec::new();
        if let Err(error) = stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset, "{error} after {bytes:?}");
        }
        assert!(
            rest.is_empty() || rest.starts_with(b"HTTP/1.1 ") && !rest.starts_with(b"HTTP/1.1 5"),
            "{} after {bytes:?}",
            String::from_utf8_lossy(&rest)
        );
    }
    assert_eq!(server.gateway().call(&get("/health")).status, 200);
    assert!(!server.process.said().concat().contains("panicked"));
}
