//! What every store must do, and what each does beyond that.

mod conformance;
mod make;
mod postgres;
mod redis;
mod sqlite;
mod transfer;
