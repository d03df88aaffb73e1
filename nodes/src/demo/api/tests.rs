use super::*;
use http_body_util::{BodyExt, Full};
use hyper::{Request as HttpRequest, Response, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use std::{
    collections::{HashMap, HashSet},
    convert::Infallible,
    sync::{Arc, Mutex},
};
use tokio::{net::TcpListener, task::JoinHandle};
use uuid::Uuid;

/// A request as the platform saw it.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    method: String,
    path: String,
    token: String,
    key: String,
    body: Value,
    refused: bool,
}

/// Something that answers as the platform does.
struct Platform {
    seen: Mutex<Vec<Seen>>,
    /// When its accounts were made.
    created_at: Timestamp,
    /// It has no time for every such request, the first of it included; 0 never.
    busy_every: usize,
    /// What it says to a path that ends so.
    refuses: Option<(&'static str, u16, &'static str)>,
}

impl Platform {
    fn new() -> Self {
        Self { seen: Mutex::default(), created_at: Timestamp::now(), busy_every: 0, refuses: None }
    }

    async fn serve(self) -> (String, Arc<Self>, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let platform = Arc::new(self);
        let serving = platform.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let platform = serving.clone();
                let service = service_fn(move |request| answer(platform.clone(), request));
                tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
            }
        });
        (base, platform, task)
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().expect("no test panics with it").clone()
    }
}

async fn answer(platform: Arc<Platform>, request: HttpRequest<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let header = |name: &str| head.headers.get(name).map_or(String::new(), |value| value.to_str().expect("text").to_owned());
    let body = body.collect().await.expect("a body").to_bytes();
    let body = if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).expect("JSON") };
    let (method, path, key) = (head.method.to_string(), head.uri.path().to_owned(), header("idempotency-key"));
    let mut seen = platform.seen.lock().expect("no test panics with it");
    let busy = platform.busy_every > 0 && seen.len().is_multiple_of(platform.busy_every);
    seen.push(Seen { method, path: path.clone(), token: header("authorization"), key, body: body.clone(), refused: busy });
    let respond = |status: u16, body: Value| {
        let response = Response::builder().status(status).header("retry-after", "0");
        Ok(response.body(Full::from(body.to_string())).expect("a response"))
    };
    match platform.refuses {
        _ if busy => respond(503, json!({"code": "overloaded", "detail": "busy"})),
        Some((suffix, status, code)) if path.ends_with(suffix) => respond(status, json!({"code": code, "detail": "because"})),
        _ if path.ends_with("/register") => {
            let user = json!({"id": Uuid::now_v7(), "createdAt": platform.created_at});
            respond(201, json!({"token": format!("token-of-{}", body["username"].as_str().expect("a name")), "user": user}))
        }
        _ => respond(201, json!({"id": Uuid::now_v7(), "version": 1})),
    }
}

const OPTIONS: DemoOptions = DemoOptions { users: 30, seed: 5 };

async fn make(platform: Platform) -> (Result<Summary>, Arc<Platform>) {
    let (base, platform, task) = platform.serve().await;
    let made = through_api(&OPTIONS, &base, |_| {}).await;
    task.abort();
    (made, platform)
}

/// What was asked for and not refused.
fn done(platform: &Platform) -> Vec<Seen> {
    platform.seen().into_iter().filter(|seen| !seen.refused && seen.path != "/health/ready").collect()
}

fn ends(seen: &[Seen], suffix: &str) -> Vec<usize> {
    seen.iter().enumerate().filter(|(_, seen)| seen.path.ends_with(suffix)).map(|(place, _)| place).collect()
}

#[tokio::test]
async fn everything_of_the_plan_comes_about_in_an_order_that_makes_sense() {
    let (made, platform) = make(Platform::new()).await;
    let (made, seen, plan) = (made.expect("made"), done(&platform), Plan::draw(&OPTIONS).expect("a plan"));
    let [registered, followed, posted, commented, endorsed, offered, ordered] =
        ["/register", "/follow", "/posts", "/comments", "/endorse", "/products", "/orders"].map(|suffix| ends(&seen, suffix));
    // The first person is asked for once more, to see how old the account is.
    assert_eq!(registered.len() as u64, made.counts.people + 1);
    let counts =
        [made.counts.follows, made.counts.posts, made.counts.comments, made.counts.endorsements, made.counts.products, made.counts.orders];
    assert_eq!(counts, [&followed, &posted, &commented, &endorsed, &offered, &ordered].map(|places| places.len() as u64));
    assert_eq!(followed.len(), plan.graph.len());
    assert!(commented.len() > 5 && ordered.len() > 3, "{counts:?}");
    assert!(registered.last() < followed.first() && followed.last() < posted.first());
    assert!(
        seen.iter().all(|seen| seen.path.ends_with("/register") != seen.token.starts_with("Bearer token-of-")),
        "somebody did what they did"
    );
}

#[tokio::test]
async fn what_a_busy_platform_refuses_is_repeated_under_the_same_key() {
    let (made, platform) = make(Platform { busy_every: 3, ..Platform::new() }).await;
    made.expect("made all the same");
    let (seen, mut creates) = (platform.seen(), HashMap::<_, Vec<Seen>>::new());
    assert!(seen.iter().filter(|seen| seen.refused).count() > 50);
    for create in seen.into_iter().filter(|seen| !seen.key.is_empty() && !seen.path.ends_with("/register")) {
        creates.entry((create.token.clone(), create.path.clone(), create.key.clone())).or_default().push(create);
    }
    for attempts in creates.values() {
        assert!(attempts.iter().all(|attempt| attempt.body == attempts[0].body), "{attempts:?}");
        assert_eq!(attempts.iter().filter(|attempt| !attempt.refused).count(), 1, "it came about once: {attempts:?}");
    }
}

#[tokio::test]
async fn the_same_seed_asks_for_the_same_under_the_same_keys() {
    // Ids are the platform's, and so is the order in which things at once arrive.
    let asked = async || {
        let seen = done(&make(Platform::new()).await.1);
        let things = seen.into_iter().filter(|seen| !seen.key.is_empty());
        things.map(|seen| (seen.token, seen.key, seen.body["content"].to_string() + &seen.body["name"].to_string())).collect::<HashSet<_>>()
    };
    assert_eq!(asked().await, asked().await);
}

#[tokio::test]
async fn people_of_yesterday_are_not_made_to_repeat_themselves() {
    let (made, platform) = make(Platform { created_at: Timestamp::now().plus_ms(-24 * 60 * 60 * 1000), ..Platform::new() }).await;
    let error = made.expect_err("they posted yesterday").to_string();
    assert!(error.contains("use another --seed"), "{error}");
    assert_eq!(done(&platform).len(), 1, "nothing but the first registration");
}

#[tokio::test]
async fn errors_say_what_to_do() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    let fails = async |base: String| format!("{:#}", through_api(&OPTIONS, &base, |_| {}).await.expect_err("cannot work"));
    let unreachable = fails(format!("http://{nobody}")).await;
    assert!(unreachable.contains("start one with `lets-connect`"), "{unreachable}");
    for base in ["https://127.0.0.1:1", "127.0.0.1:8000", "http://127.0.0.1:1/api", ""] {
        let address = fails(base.to_owned()).await;
        assert!(address.contains("http://127.0.0.1:8000"), "{address}");
    }

    let taken = make(Platform { refuses: Some(("/register", 409, "username_taken")), ..Platform::new() }).await.0;
    let taken = format!("{:#}", taken.expect_err("somebody else is called so"));
    assert!(taken.contains("use another --seed") && taken.contains("username_taken"), "{taken}");
    let refused = make(Platform { refuses: Some(("/follow", 403, "forbidden")), ..Platform::new() }).await.0;
    let refused = format!("{:#}", refused.expect_err("nobody may follow"));
    assert!(refused.contains("PUT /api/user/users/") && refused.contains("403") && refused.contains("because"), "{refused}");
    let always_busy = make(Platform { busy_every: 1, ..Platform::new() }).await.0;
    let always_busy = format!("{:#}", always_busy.expect_err("never ready"));
    assert!(always_busy.contains("12 times") && always_busy.contains("overloaded"), "{always_busy}");
}

#[tokio::test]
async fn what_is_sold_out_is_not_ordered() {
    let (made, platform) = make(Platform { refuses: Some(("/orders", 409, "out_of_stock")), ..Platform::new() }).await;
    assert_eq!(made.expect("made all the same").counts.orders, 0);
    assert!(!ends(&done(&platform), "/orders").is_empty(), "they were tried");
}
