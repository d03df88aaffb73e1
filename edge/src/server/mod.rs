//! The transport: our own accept loop over hyper, with a deadline or a bound on everything that a stranger can hold.
//!
//! ```text
//! listener.rs    bind all, then serve; accept, refuse beyond the cap, drain
//! connection.rs  one connection: HTTP/1 or HTTP/2, its exchanges, panics and deadlines of work
//! stream.rs      the socket: counted; closed in order   ── linger.rs discards input after a refusal, so that the client sees it
//! last_word.rs   what is said where no exchange is under way: 400, 408, 414, 431, 503
//! vitals.rs      the counters of a connection  ── roster.rs sweeps them ── verdict.rs judges
//! request_body.rs, response_body.rs            limits.rs: every limit   service.rs: what is served   tls.rs
//! ```
//!
//! A request that is answered at once costs, beyond hyper's own work, a few relaxed stores: no timer, no clock, no allocation, no
//! lock. Deadlines of connections are found by a sweep over their counters; deadlines of work and of bodies get a timer only when
//! they are first waited for.

mod connection;
mod last_word;
mod limits;
mod linger;
mod listener;
mod request_body;
mod response_body;
mod roster;
mod service;
mod stream;
mod tls;
mod verdict;
mod vitals;

pub use limits::{BodyLimits, Limits, Rate};
pub use listener::{BindError, Bound, Drained, ListenerSpec, Reserved};
pub use request_body::{BodyError, RequestBody};
pub use response_body::{ResponseBody, StreamError};
pub use roster::Stats;
pub use service::{Answer, Fault, Peer, Service, ServiceFn, service_fn};
pub use tls::{TlsError, tls};
pub use verdict::Reason;
