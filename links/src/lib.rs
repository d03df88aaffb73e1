//! Links between nodes: bytes of one node's port to another's, over mutual TLS, on ractor_cluster.
//!
//! * [`links`]: the door. Whom to link to, calls, probes, announcements; what is told comes out as [`Event`]s.
//! * `listener`, `dialler`: how streams come about. `credentials`: certificates, exchanged while the node runs.
//! * `stream`, `greeting`, `queue`: what ractor_cluster reads and writes, watched: names are proven before it hears them, silence and stalls have an end,
//!   what waits is counted.
//! * `link`, `port`: a call's way there, and what answers at the other end. [`limit`]: every bound.
//!
//! What it promises: one link a pair of members, tried for as long as both are; an answer or an error to every call, by its deadline; a peer that hangs
//! costs [`Limits::calls_max`] waiting calls and [`Limits::queued_bytes_max`] of memory. What it does not: that a call is carried out once, or in order.
//! Why it is as it is: docs/adr/0010.

mod credentials;
mod dialler;
mod error;
mod greeting;
pub mod limit;
mod link;
pub mod links;
mod listener;
mod member;
mod port;
mod queue;
mod shared;
mod stream;

pub use credentials::{CredentialsError, Files};
pub use error::LinkError;
pub use limit::Limits;
pub use links::{Config, Cookie, CookieError, LinkLoad, LinkStatus, Links, StartError};
pub use member::{Address, AddressError, Member};
pub use port::{Incoming, Serve};
pub use shared::Event;
