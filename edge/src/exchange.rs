//! What a handler is given, and what it may ask of it.

use crate::{
    cursor::Params,
    dispatch::Edge,
    media::intake::Incoming,
    route::{Route, Segment},
};
use actors::{Call, Client, account::Token, read::Viewer};
use bytes::Bytes;
use http::{HeaderMap, Method, header};
use parking_lot::Mutex;
use protocol::{ErrorCode, Idempotency, Principal, Refusal, Trace, UserId};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::{
    borrow::Cow,
    net::IpAddr,
    sync::{Arc, OnceLock},
    time::Instant,
};
use uuid::Uuid;

/// A request that was routed and authenticated.
pub struct Exchange {
    /// The edge that it came to.
    pub edge: Arc<Edge>,
    /// Its route's place in the table.
    pub route: usize,
    /// The method: HEAD is asked of GET's handler.
    pub method: Method,
    /// On whose behalf.
    pub principal: Principal,
    /// The token that says so.
    pub token: Option<Token>,
    /// The ids in the path.
    pub ids: Vec<Uuid>,
    /// The path on the service's own port.
    pub path: String,
    /// The query string, or nothing.
    pub query: String,
    /// The headers.
    pub headers: HeaderMap,
    /// Where the client is, as far as the proxies in between are trusted.
    pub address: IpAddr,
    /// The trace that it is part of.
    pub trace: Trace,
    /// Until when the client waits.
    pub ends_at: Instant,
    /// When its work began: the body was whole by then. Empty until the first call.
    pub work_began: OnceLock<Instant>,
    /// The body, where the handler reads it itself.
    pub incoming: Mutex<Option<Incoming>>,
}

impl Exchange {
    /// The door to the owners.
    #[must_use]
    pub fn client(&self) -> &Client {
        &self.edge.client
    }

    /// The call to make of it. All calls of one request share its time at the owners, of which a body that came slowly takes none.
    #[must_use]
    pub fn call(&self) -> Call {
        let work_max = self.client().node().limits.request_deadline;
        let deadline = self.ends_at.min(*self.work_began.get_or_init(Instant::now) + work_max);
        Call { principal: self.principal, deadline, if_match: None, idempotency: None, trace: Some(self.trace) }
    }

    /// The same request, when a long part of its work is behind it: what is left to do has the time of a new one, within the client's.
    #[must_use]
    pub fn late(&self) -> Self {
        Self {
            edge: self.edge.clone(),
            route: self.route,
            method: self.method.clone(),
            principal: self.principal,
            token: None,
            ids: self.ids.clone(),
            path: self.path.clone(),
            query: self.query.clone(),
            headers: self.headers.clone(),
            address: self.address,
            trace: self.trace,
            ends_at: self.ends_at,
            work_began: OnceLock::new(),
            incoming: Mutex::default(),
        }
    }

    /// The call of a write to something that exists: with the client's `If-Match`.
    ///
    /// # Errors
    /// `invalid_header`.
    pub fn change(&self) -> Result<Call, Refusal> {
        let refused = || Refusal::new(ErrorCode::InvalidHeader, "If-Match takes one entity tag as it was answered, such as \"3\", or *");
        let if_match = match self.headers.get(header::IF_MATCH).map(|value| value.as_bytes().trim_ascii()) {
            None | Some(b"*") => None,
            Some(tag) => {
                let tag = tag.strip_prefix(b"\"").and_then(|t| t.strip_suffix(b"\"")).ok_or_else(refused)?;
                // Behind the thing's own version may stand what the answer showed beside it.
                let digits = tag.split(|b| *b == b'-').next().unwrap_or_default();
                // Tags are compared as text: what parses as the same number ("+3", "03") is another tag.
                let version =
                    std::str::from_utf8(digits).ok().and_then(|d| d.parse().ok()).filter(|v: &u64| v.to_string().as_bytes() == digits);
                Some(version.ok_or_else(refused)?)
            }
        };
        Ok(Call { if_match, ..self.call() })
    }

    /// The call of a write that creates: with the client's `Idempotency-Key`, bound to path and body.
    ///
    /// # Errors
    /// `invalid_header`.
    pub fn create(&self, body: &[u8]) -> Result<Call, Refusal> {
        Ok(Call { idempotency: self.idempotency(body)?, ..self.call() })
    }

    /// The client's `Idempotency-Key`, bound to path and body.
    ///
    /// # Errors
    /// `invalid_header`.
    pub fn idempotency(&self, body: &[u8]) -> Result<Option<Idempotency>, Refusal> {
        let Some(key) = self.headers.get("idempotency-key") else { return Ok(None) };
        let visible = |b: &u8| (0x21..=0x7e).contains(b);
        if key.is_empty() || key.len() > Idempotency::KEY_BYTES_MAX || !key.as_bytes().iter().all(visible) {
            let detail = format!("Idempotency-Key takes 1 to {} visible ASCII characters", Idempotency::KEY_BYTES_MAX);
            return Err(Refusal::new(ErrorCode::InvalidHeader, detail));
        }
        let route = self.edge.route(self.route);
        Ok(Some(Idempotency {
            route: format!("{} {}", route.method, route.path),
            key: String::from_utf8_lossy(key.as_bytes()).into_owned(),
            fingerprint: Sha256::new_with_prefix(&self.path).chain_update([0]).chain_update(body).finalize().into(),
        }))
    }

    /// The parameters of the query string.
    ///
    /// # Errors
    /// `invalid_query`.
    pub fn params(&self) -> Result<Params<'_>, Refusal> {
        Params::parse(&self.query, self.route_row().params)
    }

    /// The name in the path, decoded; empty for routes without one.
    ///
    /// # Errors
    /// `invalid_field` when it is not text.
    pub fn name(&self) -> Result<Cow<'_, str>, Refusal> {
        let words = self.path.split('/').skip(1);
        let named = self.route_row().segments.iter().zip(words).find(|(segment, _)| matches!(segment, Segment::Name(_)));
        let word = named.map_or("", |(_, word)| word);
        percent_encoding::percent_decode_str(word)
            .decode_utf8()
            .map_err(|_| Refusal::field("what the path names is not percent-encoded UTF-8"))
    }

    /// The person who is signed in.
    ///
    /// # Errors
    /// `unauthenticated`.
    pub fn user(&self) -> Result<UserId, Refusal> {
        self.principal.user().ok_or_else(|| ErrorCode::Unauthenticated.into())
    }

    /// Who looks.
    #[must_use]
    pub fn viewer(&self) -> Viewer {
        Viewer { user: self.principal.user() }
    }

    fn route_row(&self) -> &Route {
        self.edge.route(self.route)
    }
}

/// Reads a JSON body, which is an object on every route.
///
/// # Errors
/// `malformed_body`, with the place.
pub fn read_json<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    // A parser of structs takes arrays as well, field by field, and an empty one for an update of nothing.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Refusal::new(ErrorCode::MalformedBody, "the body takes a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Refusal::new(ErrorCode::MalformedBody, cut(error.to_string())))
}

/// What the parser says may quote the client's own words; not too many of them.
fn cut(text: String) -> String {
    if text.chars().count() <= 200 { text } else { text.chars().take(200).chain("…".chars()).collect() }
}
