//! A small platform in memory, with defects on request.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// What is wrong with a server; by default nothing is.
#[derive(Clone, Debug, Default)]
pub struct Defects {
    /// A write is published only after one more read of its key was answered.
    pub publishes_late: bool,
    /// Every so many writes are carried out and not answered.
    pub drops_answer_of_each: Option<u64>,
    /// The second read of a written version is answered as 404.
    pub forgets: bool,
    /// Late answers say that they may be behind.
    pub labels_stale: bool,
    /// Stock is not checked.
    pub oversells: bool,
    /// A new order is not listed.
    pub hides_orders: bool,
    /// Every read asks the store.
    pub never_warm: bool,
    /// This request, counted from 1, is answered half a second late.
    pub stalls_at: Option<u64>,
    /// A head may take as long as it likes.
    pub is_patient: bool,
}

#[derive(Clone, Debug)]
struct Row {
    published: Value,
    /// Written, not yet to be seen.
    pending: Option<Value>,
    version: u64,
}

#[derive(Debug, Default)]
struct State {
    rows: BTreeMap<String, Row>,
    orders: Vec<(String, Value)>,
    warm: HashSet<String>,
    requests: u64,
    writes: u64,
    reads: u64,
    store_queries: u64,
}

#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Server {
    pub async fn start(defects: Defects) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state: Arc<Mutex<State>> = Arc::default();
        let task = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (state, defects) = (Arc::clone(&state), defects.clone());
                let head_timeout = if defects.is_patient { Duration::from_secs(600) } else { Duration::from_secs(1) };
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(Arc::clone(&state), defects.clone(), request));
                    let mut http = hyper::server::conn::http1::Builder::new();
                    let http = http.timer(TokioTimer::new()).header_read_timeout(head_timeout);
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, task }
    }

    pub fn base(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// An error of the service closes the connection without an answer.
#[derive(Debug)]
struct Dropped;

impl std::fmt::Display for Dropped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the answer is dropped")
    }
}

impl std::error::Error for Dropped {}

type Answer = Result<Response<Full<Bytes>>, Dropped>;

async fn answer(state: Arc<Mutex<State>>, defects: Defects, request: Request<Incoming>) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Dropped)?.to_bytes();
    let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let token = parts.headers.get("authorization").and_then(|value| value.to_str().ok());
    let user = token.and_then(|token| token.strip_prefix("Bearer token-")).unwrap_or_default().to_owned();
    let number = {
        let mut state = state.lock();
        state.requests += 1;
        state.requests
    };
    if defects.stalls_at == Some(number) {
        // paced: a server that stalls is what the driver is tried against.
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let path: Vec<&str> = parts.uri.path().trim_matches('/').split('/').collect();
    state.lock().route(&defects, (&parts.method, &path), &user, body)
}

fn respond(status: u16, body: &Value) -> Answer {
    let response = Response::builder().status(status).header("content-type", "application/json");
    let response = match body.get("version") {
        Some(version) => response.header("etag", format!("\"{version}\"")),
        None => response,
    };
    Ok(response.body(Full::new(Bytes::from(body.to_string()))).unwrap())
}

impl State {
    fn route(&mut self, defects: &Defects, (method, path): (&Method, &[&str]), user: &str, body: Value) -> Answer {
        match (method.as_str(), path) {
            ("GET", ["health", ..]) => respond(200, &json!({})),
            ("GET", ["metrics"]) => {
                let text = format!("store_queries_total{{operation=\"row\"}} {}\nprocess_memory_rss_bytes 1048576\n", self.store_queries);
                Ok(Response::new(Full::new(Bytes::from(text))))
            }
            ("POST", ["api", "user", "register"]) => {
                let id = self.create(json!({"username": body["username"], "bio": null}));
                respond(201, &json!({"token": format!("token-{id}"), "user": {"id": id}}))
            }
            ("PUT", ["api", "user", "users", _, "follow"]) => respond(200, &json!({})),
            ("POST", ["api", "shop", "orders"]) => self.order(defects, user, &body),
            ("GET", ["api", "shop", "orders", "buyer", buyer]) => {
                let own = self.orders.iter().filter(|(by, _)| by == buyer && !defects.hides_orders);
                let items: Vec<&Value> = own.map(|(_, order)| order).collect();
                respond(200, &json!({"items": items, "nextCursor": null}))
            }
            ("POST", ["api", "content", "posts"] | ["api", "shop", "products"]) => {
                let id = self.create(merged(&json!({"userId": user, "sellerId": user}), &body));
                respond(201, &self.rows[&id].published)
            }
            ("POST", ["api", "media", "upload"]) => {
                let id = self.create(json!({"filename": "photo.jpg"}));
                let url = format!("http://public.example/api/media/media/hash/{id}");
                respond(201, &json!({"responsiveSizes": {"small": url, "large": null}, "optimizedUrl": url}))
            }
            ("GET", ["api", "media", "public", "files"]) => respond(200, &json!({"items": [], "nextCursor": null})),
            ("GET", ["api", "content", "public", "posts"] | ["api", "content", "feed", _] | ["api", "shop", "public", "products"]) => {
                let wanted = if path.contains(&"products") { "price" } else { "content" };
                let items: Vec<&Value> = self.rows.values().map(|row| &row.published).filter(|row| row.get(wanted).is_some()).collect();
                respond(200, &json!({"items": items, "nextCursor": null}))
            }
            ("GET", ["api", "user", "search"] | ["api", "content", "posts", "search"]) => {
                respond(200, &json!({"items": [], "nextCursor": null}))
            }
            ("PUT", ["api", .., id]) => self.write(defects, id, &body),
            ("GET", ["api", .., id]) => self.read(defects, id),
            _ => respond(404, &json!({})),
        }
    }

    fn create(&mut self, body: Value) -> String {
        let id = format!("id-{}", self.rows.len());
        let published = merged(&body, &json!({"id": id, "version": 1, "profile": {"version": 99}}));
        self.rows.insert(id.clone(), Row { published, pending: None, version: 1 });
        id
    }

    fn write(&mut self, defects: &Defects, id: &str, body: &Value) -> Answer {
        self.writes += 1;
        let Some(row) = self.rows.get_mut(id) else { return respond(404, &json!({})) };
        row.version += 1;
        let newest = row.pending.take().unwrap_or_else(|| row.published.clone());
        let written = merged(&merged(&newest, body), &json!({"version": row.version}));
        if defects.publishes_late {
            row.published = newest;
            row.pending = Some(written.clone());
        } else {
            row.published = written.clone();
        }
        if defects.drops_answer_of_each.is_some_and(|each| self.writes.is_multiple_of(each)) {
            return Err(Dropped);
        }
        respond(200, &written)
    }

    fn read(&mut self, defects: &Defects, id: &str) -> Answer {
        self.reads += 1;
        if self.warm.insert(id.to_owned()) || defects.never_warm {
            self.store_queries += 1;
        }
        let Some(row) = self.rows.get_mut(id) else { return respond(404, &json!({})) };
        if defects.forgets && row.version > 1 && self.reads.is_multiple_of(2) {
            return respond(404, &json!({}));
        }
        let seen = row.published.clone();
        let mut answer = respond(200, &seen)?;
        if let Some(pending) = row.pending.take() {
            row.published = pending;
            if defects.labels_stale {
                answer.headers_mut().insert("age", "3".parse().unwrap());
            }
        }
        Ok(answer)
    }

    fn order(&mut self, defects: &Defects, buyer: &str, body: &Value) -> Answer {
        let product = body["productId"].as_str().unwrap_or_default();
        let Some(row) = self.rows.get_mut(product) else { return respond(404, &json!({})) };
        let stock = row.published["stock"].as_u64().unwrap_or(0);
        if stock == 0 && !defects.oversells {
            return respond(409, &json!({"code": "out_of_stock"}));
        }
        row.version += 1;
        row.published = merged(&row.published, &json!({"stock": stock.saturating_sub(1), "version": row.version}));
        let order = json!({"id": format!("order-{}", self.orders.len()), "buyerId": buyer, "version": 1});
        self.orders.push((buyer.to_owned(), order.clone()));
        respond(201, &order)
    }
}

fn merged(base: &Value, over: &Value) -> Value {
    let mut merged = base.as_object().cloned().unwrap_or_default();
    merged.extend(over.as_object().cloned().unwrap_or_default());
    Value::Object(merged)
}
