//! The HTTP edge: routes translate, and ask the [`Client`](actors::Client).
//!
//! * [`server`]: the transport — accept loop, deadlines, bounds, TLS. It knows HTTP, not the platform.
//! * [`route`]: the one route table: method, path, who may call it, limits, handler. [`dispatch`]: from a request to its answer, and the fast
//!   path; `lookup` finds the row, `admission` lets into work, [`session`] says who asks, `intake` reads the body.
//! * [`handler`]: one file a service; each handler with its fast path. [`exchange`]: what a handler is given.
//! * [`rate`]: how much one caller may ask. `cors`, `security`: the headers that answers carry for browsers.
//! * `demo`: whose name works without a session on a developer's own machine.
//! * [`address`]: where a request comes from, behind trusted proxies or not. [`attempt`]: who guesses passwords.
//! * [`respond`], [`problem`]: answers and refusals as HTTP. [`cursor`]: opaque cursors and query strings.
//! * `site`: the front-end, out of the binary.
//! * [`openapi`]: the API's description, made from the route table, and the page that shows it.
//! * [`live`]: streams of what moves, over WebSockets and as server-sent events.
//! * [`metrics`], [`health`], [`system`]: what operators see. `overview`: what admins see of it in the front-end.

pub mod address;
mod admission;
pub mod attempt;
mod cors;
pub mod cursor;
mod demo;
pub mod dispatch;
pub mod exchange;
pub mod handler;
pub mod health;
mod intake;
pub mod live;
mod lookup;
pub mod media;
pub mod metrics;
pub mod openapi;
mod overview;
mod pace;
pub mod problem;
pub mod rate;
pub mod respond;
pub mod route;
mod security;
pub mod server;
pub mod session;
mod site;
mod stale;
pub mod system;
pub mod trace;

pub use dispatch::{Edge, Options, Scope};
