//! What a server asks of the code that answers requests.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use http::header::RETRY_AFTER;
use http::{HeaderValue, Request, Response, StatusCode};

use super::{RequestBody, ResponseBody};

/// Answers the requests of every listener.
///
/// A request whose answer is at hand costs no future, no timer and no allocation here: return [`Answer::Ready`].
///
/// To refuse a request before its body was read, drop the body and answer: the server sends the response, then discards input
/// within the limits, so that a client that is still sending sees the response and not a reset.
pub trait Service: Send + Sync + 'static {
    /// The work behind [`Answer::Later`].
    type Future: Future<Output = Response<ResponseBody>> + Send + 'static;

    /// Answers one request. Runs on the connection's task: it must not block. A panic is answered by [`Fault::Panicked`].
    fn call(&self, request: Request<RequestBody>, peer: &Peer) -> Answer<Self::Future>;

    /// Makes the response for a request that the server itself had to end; without an implementation of its own, one without a
    /// body. It should be whole ([`ResponseBody::Full`]): where no HTTP is spoken yet or any more, nothing else can be sent.
    fn fault(&self, fault: Fault) -> Response<ResponseBody> {
        let mut response = Response::new(ResponseBody::empty());
        *response.status_mut() = fault.status();
        if response.status() == StatusCode::SERVICE_UNAVAILABLE {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// A request's answer, at hand or to be worked for.
#[derive(Debug)]
pub enum Answer<F> {
    /// The response.
    Ready(Response<ResponseBody>),
    /// The response when `future` is done. If it takes longer than `within` (`None`: [`Limits::request_max`](super::Limits)) it is
    /// dropped and the client gets [`Fault::Overdue`]'s response.
    Later {
        /// The work; dropped without being finished when the client leaves, the time is up, or the server drains.
        future: F,
        /// The time until the response's head; its body may take longer.
        within: Option<Duration>,
    },
}

/// Why the server ended a request by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The work took longer than it may; what it did is unknown, so only an idempotent request may be repeated.
    Overdue,
    /// The service panicked; the connection, or with HTTP/2 the other streams, go on.
    Panicked,
    /// What came is no HTTP request. The connection ends.
    Garbled,
    /// The request's target is longer than any that is read. The connection ends.
    TargetTooLong,
    /// The request's head is over its limit in bytes. The connection ends.
    HeadTooLarge,
    /// The request's head was begun and did not end in time. The connection ends.
    HeadTooSlow,
    /// The listener has as many connections as it may have; this one ends before anything was read.
    Crowded,
}

impl Fault {
    /// The status of the response.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Garbled => StatusCode::BAD_REQUEST,
            Self::HeadTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Panicked => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Overdue | Self::Crowded => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Who is asking, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The other end of the TCP connection: a proxy, if there is one.
    pub addr: SocketAddr,
    /// The listener's place in the list that was bound.
    pub listener: usize,
    /// Whether the connection is TLS.
    pub tls: bool,
}

/// Makes a [`Service`] of an async function.
pub fn service_fn<C, F>(call: C) -> ServiceFn<C>
where
    C: Fn(Request<RequestBody>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    ServiceFn { call }
}

/// A [`Service`] made by [`service_fn`].
#[derive(Clone, Copy, Debug)]
pub struct ServiceFn<C> {
    call: C,
}

impl<C, F> Service for ServiceFn<C>
where
    C: Fn(Request<RequestBody>, Peer) -> F + Send + Sync + 'static,
    F: Future<Output = Response<ResponseBody>> + Send + 'static,
{
    type Future = F;

    fn call(&self, request: Request<RequestBody>, peer: &Peer) -> Answer<F> {
        Answer::Later { future: (self.call)(request, *peer), within: None }
    }
}
