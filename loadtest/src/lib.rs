//! Load, proof and measurement for the platform, over HTTP only.
//!
//! - [`run`]: an open-loop driver; latency counts from the moment a request was due.
//! - [`check`]: the history checker; do reads ever miss an acknowledged write?
//! - [`bench`]: server CPU time per request, side by side with raw hyper in one run.
//! - [`hits`]: how much of a load the caches answer, and what that is worth.
//! - [`flood`]: more than a server can do, and how it refuses the rest.
//! - [`herd`], [`race`], [`slow`]: a thousand readers of one cold key, a thousand buyers of ten things, a thousand
//!   clients that dawdle.
//!
//! [`http`] is the client that they share and [`api`] the only place that knows the platform's paths. Nothing here
//! depends on the platform's crates: what a client cannot see, these tools cannot see either.

#![cfg_attr(test, allow(clippy::unwrap_used))]

pub mod api;
pub mod bench;
pub mod check;
pub mod flood;
pub mod herd;
pub mod hits;
pub mod http;
pub mod json;
pub mod platform;
pub mod process;
pub mod prometheus;
pub mod race;
pub mod report;
pub mod run;
pub mod slow;
pub mod text;
