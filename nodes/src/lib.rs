//! The binary `lets-connect`: its configuration, log and command line.

pub mod cli;
pub mod config;
pub mod telemetry;
