//! The real servers that tests run against, started by whoever needs one first, shared, and gone when nobody needs them any more.

pub mod postgres;
