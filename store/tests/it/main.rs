//! What a store must do, and what the SQLite one does beyond that.

mod conformance;
mod make;
mod sqlite;
