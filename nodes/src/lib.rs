//! The binary `lets-connect`: one node, from its configuration to its last answer.

mod caches;
pub mod certs;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod demo;
pub mod doctor;
pub mod health;
mod http;
pub mod mail;
pub mod node;
pub mod open_files;
pub mod operator;
mod profile;
mod prompt;
pub mod storage;
pub mod telemetry;
pub mod traces;
pub mod transfer;
pub mod tree;
