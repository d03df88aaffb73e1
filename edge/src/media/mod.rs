//! Media on its way in and out, as HTTP has it.
//!
//! * [`intake`]: the body of an upload, from the connection to this machine's disk.
//! * [`address`]: where the bytes of a file are, and for how long.
//! * [`range`]: which part of them a client wants.

pub mod address;
pub mod intake;
pub mod range;
