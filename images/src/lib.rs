//! Uploaded images, from bytes to bytes: no I/O, no threads, no clock.
//!
//! * [`sniff`]: what a file is, by content. [`inspect`]: what an image is, by its headers, within [`Limits`]: nothing is decoded for it.
//! * [`decode`]: pixels, in sRGB. [`Decoded::preview`]: the four sizes, a placeholder and a colour, which a user waits for. [`Decoded::optimized`]: the full
//!   size, which can come later. [`strip`]: the file as it was sent, without what its owner did not mean to publish.
//! * `format`: one file for each format, with its structure and its decoder. `colour`, `orientation`, `resize`, `encode`, `placeholder`: one stage each.
//! * [`Inspected::memory_bytes`]: what the stages cost at their peak, for a pool to be bounded by.
//!
//! What strangers sent is read by decoders in Rust only; C encodes pixels that are ours. Any bytes end in a result or an [`Error`]. Why it is as it is:
//! docs/adr/0013; how fast it is: docs/images.md.

mod bitmap;
mod colour;
mod encode;
mod error;
mod format;
mod inspect;
pub mod limit;
mod memory;
mod orientation;
mod pipeline;
mod placeholder;
mod read;
mod resize;
mod sniff;
mod strip;

pub use colour::Model;
pub use encode::Encoding;
pub use error::Error;
pub use inspect::{Inspected, inspect};
pub use limit::Limits;
pub use orientation::Orientation;
pub use pipeline::{Decoded, Optimized, Preview, Rendition, Stop, Variant, decode};
pub use placeholder::Colour;
pub use sniff::{Class, Format, Kind, sniff};
pub use strip::strip;

// Named for its feature alone: see the root Cargo.toml.
use libwebp_sys as _;
