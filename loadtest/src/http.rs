//! A small HTTP/1.1 client for load: keep-alive, no pipelining, requests built once and sent many times.
//!
//! A general client spends more CPU on a request than the server under test does; this one writes prepared bytes and
//! reads only what a verdict needs. It speaks cleartext HTTP/1.1 and nothing else.

mod connection;
mod edge;
mod incoming;
mod link;
mod request;
mod response;

pub use connection::Connection;
pub use edge::Edge;
pub use link::Link;
pub use request::Request;
pub use response::{Labelled, Response};

/// The largest answer that is read, head and body together. Beyond it the exchange fails.
pub const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why an exchange brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No connection was made, so the server cannot have seen the request.
    #[error("cannot connect")]
    Connect(#[source] std::io::Error),
    /// The server closed the connection before the first byte of an answer.
    #[error("the server closed the connection without an answer")]
    Closed,
    /// The connection broke; the server may have acted on the request.
    #[error("the connection broke")]
    Io(#[source] std::io::Error),
    /// The answer is no HTTP/1.1 response that this client reads.
    #[error("malformed response: {0}")]
    Malformed(&'static str),
    /// The answer exceeds [`RESPONSE_BYTES_MAX`].
    #[error("response larger than {RESPONSE_BYTES_MAX} bytes")]
    TooLarge,
    /// The deadline passed; the server may have acted on the request.
    #[error("no answer within the deadline")]
    TimedOut,
}
