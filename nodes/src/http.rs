//! The HTTP client of commands that speak to a running server: kept-alive connections, patience with a busy one, and errors that say what to do.

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use serde::Deserialize;
use std::{error::Error as StdError, time::Duration};

/// How often a request is sent before the server's refusal, or the connection's fault, is final.
const ATTEMPTS_MAX: u32 = 12;
/// Longest wait between two attempts, whatever the server asks for.
const WAIT_MAX: Duration = Duration::from_secs(5);
/// First wait where the server names none; it doubles.
const WAIT_FIRST: Duration = Duration::from_millis(50);
/// Longest wait for one answer: the server's own limit is 30 s.
const ANSWER_MAX: Duration = Duration::from_secs(40);
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Idle connections are closed before the server does it.
const IDLE_MAX: Duration = Duration::from_secs(5);
/// Longest answer, in bytes: the demo asks for none that is large.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Why a request failed for good.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The base address cannot be used.
    #[error("{0} is no address of a server: it takes one such as http://127.0.0.1:8000, over plain HTTP")]
    Address(String),
    /// Nobody answers.
    #[error("no server answers at {base}: start one with `lets-connect` in another terminal, then try again")]
    Unreachable {
        /// Where.
        base: String,
        /// Why.
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The server kept failing or refusing for the time being.
    #[error(
        "{request} was tried {ATTEMPTS_MAX} times, in the end: {last}; try again with the same seed when the server is less busy: what was made stays"
    )]
    Exhausted {
        /// Method and path.
        request: String,
        /// What happened last.
        last: String,
    },
    /// The server failed, or refused for the time being.
    #[error("{request} was not answered: {last}")]
    Unanswered {
        /// Method and path.
        request: String,
        /// What happened.
        last: String,
    },
    /// The server refused for good.
    #[error("{request} was answered {status} {code}: {detail}")]
    Refused {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: StatusCode,
        /// The error code, or nothing.
        code: String,
        /// The server's sentence.
        detail: String,
    },
}

/// What a refusal says (RFC 9457).
#[derive(Deserialize, Default)]
#[serde(default)]
struct Problem {
    code: String,
    detail: String,
}

/// One request. Sending it again must be harmless: it has an idempotency key, or repeats what already is.
#[derive(Debug, Clone)]
pub struct Request<'a> {
    method: Method,
    path: String,
    authorization: Option<&'a HeaderValue>,
    key: Option<String>,
    body: Bytes,
}

impl Request<'_> {
    /// A request without a body.
    pub fn new(method: Method, path: String) -> Self {
        Self { method, path, authorization: None, key: None, body: Bytes::new() }
    }

    /// One that creates something: `key` names it, so that it comes about once.
    pub fn create(path: &str, key: String, body: Vec<u8>) -> Self {
        Self { method: Method::POST, path: path.to_owned(), authorization: None, key: Some(key), body: body.into() }
    }

    /// With a JSON body.
    pub fn json(self, body: Vec<u8>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// In somebody's name.
    pub fn by(self, authorization: &HeaderValue) -> Request<'_> {
        Request { method: self.method, path: self.path, authorization: Some(authorization), key: self.key, body: self.body }
    }

    fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

/// What became of one attempt.
enum Attempt {
    Done(Bytes),
    Later { last: String, wait: Option<Duration>, source: Option<Box<dyn StdError + Send + Sync>> },
}

/// The platform at one address. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Server {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
}

impl Server {
    /// The platform at `base`, such as `http://127.0.0.1:8000`. Connects at the first request, and holds at most `connections_max` for the next ones.
    ///
    /// # Errors
    /// [`Error::Address`].
    pub fn at(base: &str, connections_max: usize) -> Result<Self, Error> {
        let base = base.trim_end_matches('/');
        let sound =
            base.parse::<hyper::Uri>().is_ok_and(|uri| uri.scheme_str() == Some("http") && uri.host().is_some() && uri.path() == "/");
        if !sound {
            return Err(Error::Address(base.to_owned()));
        }
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(CONNECT_MAX));
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE_MAX).pool_max_idle_per_host(connections_max);
        Ok(Self { client: client.build(connector), base: base.to_owned() })
    }

    /// Its address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Waits until the platform is ready.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody listens there; others as [`Server::send`].
    pub async fn ready(&self) -> Result<(), Error> {
        let request = Request::new(Method::GET, "/health/ready".to_owned());
        let sent = tokio::time::timeout(CONNECT_MAX, self.client.request(self.http(&request))).await;
        let unreachable = |source| Error::Unreachable { base: self.base.clone(), source };
        match sent {
            Err(late) => Err(unreachable(late.into())),
            Ok(Err(fault)) if fault.is_connect() => Err(unreachable(fault.into())),
            Ok(_) => self.send(&request).await.map(drop),
        }
    }

    /// Sends a request once, and returns the answer's body.
    ///
    /// # Errors
    /// [`Error::Unreachable`] when nobody listens there; [`Error::Refused`]; [`Error::Unanswered`].
    pub async fn once(&self, request: &Request<'_>) -> Result<Bytes, Error> {
        match self.attempt(request).await? {
            Attempt::Done(body) => Ok(body),
            Attempt::Later { source: Some(source), .. } => Err(Error::Unreachable { base: self.base.clone(), source }),
            Attempt::Later { last, .. } => Err(Error::Unanswered { request: request.name(), last }),
        }
    }

    /// Sends a request until it succeeds, and returns the answer's body.
    ///
    /// # Errors
    /// [`Error::Refused`] at once when the server will not change its mind; [`Error::Exhausted`] after 12 attempts otherwise.
    pub async fn send(&self, request: &Request<'_>) -> Result<Bytes, Error> {
        let mut backoff = WAIT_FIRST;
        let mut attempts = 1;
        loop {
            match self.attempt(request).await? {
                Attempt::Done(body) => return Ok(body),
                Attempt::Later { last, .. } if attempts == ATTEMPTS_MAX => return Err(Error::Exhausted { request: request.name(), last }),
                Attempt::Later { wait, .. } => tokio::time::sleep(wait.unwrap_or(backoff).min(WAIT_MAX)).await,
            }
            attempts += 1;
            backoff = (backoff * 2).min(WAIT_MAX);
        }
    }

    async fn attempt(&self, request: &Request<'_>) -> Result<Attempt, Error> {
        let exchange = async {
            let (head, body) = self.client.request(self.http(request)).await?.into_parts();
            Ok((head, Limited::new(body, ANSWER_BYTES_MAX).collect().await?.to_bytes()))
        };
        let answered: Result<_, Box<dyn StdError + Send + Sync>> = match tokio::time::timeout(ANSWER_MAX, exchange).await {
            Ok(answered) => answered,
            Err(late) => Err(late.into()),
        };
        let (head, body) = match answered {
            Ok(answer) => answer,
            Err(fault) => return Ok(Attempt::Later { last: chain(&*fault), wait: None, source: Some(fault) }),
        };
        if head.status.is_success() {
            return Ok(Attempt::Done(body));
        }
        let Problem { code, detail } = serde_json::from_slice(&body).unwrap_or_default();
        let busy = matches!(head.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT);
        if busy || code == protocol::ErrorCode::IdempotencyInFlight.name() {
            return Ok(Attempt::Later {
                last: format!("{} {code}: {detail}", head.status),
                wait: retry_after(&head.headers),
                source: None,
            });
        }
        Err(Error::Refused { request: request.name(), status: head.status, code, detail })
    }

    fn http(&self, request: &Request<'_>) -> hyper::Request<Full<Bytes>> {
        let mut http = hyper::Request::builder().method(&request.method).uri(format!("{}{}", self.base, request.path));
        if let Some(authorization) = request.authorization {
            http = http.header(AUTHORIZATION, authorization);
        }
        if let Some(key) = &request.key {
            http = http.header("idempotency-key", key);
        }
        if !request.body.is_empty() {
            http = http.header(CONTENT_TYPE, "application/json");
        }
        http.body(Full::new(request.body.clone())).expect("paths are ours, with UUIDs in them, and so are the keys")
    }
}

/// What the server asks to wait, in whole seconds.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.parse().ok().map(Duration::from_secs)
}

/// An error with its causes, in one line.
fn chain(error: &(dyn StdError + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
