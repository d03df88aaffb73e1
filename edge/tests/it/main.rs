//! Tests of the edge over real sockets.

mod deadline;
mod drain;
mod last_word;
mod metrics;
mod protocol;
mod refusal;
mod shared;
mod wire;
