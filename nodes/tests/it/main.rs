//! The real binary, judged from outside: what the platform's users, and whoever runs it, would notice.

mod acceptance;
mod access;
mod account;
mod backup;
mod certs;
mod cluster;
mod concurrent;
mod conditional;
mod description;
mod doctor;
mod durability;
mod foreign;
mod found;
mod fuzz;
mod gateway;
mod http;
mod lifecycle;
mod matrix;
mod media;
mod model;
mod moderation;
mod operate;
mod paging;
#[cfg(feature = "sabotage")]
mod panic;
mod postgres;
mod rank;
mod readme;
mod redis;
mod refusal;
mod server;
mod share;
mod slow;
mod store;
mod thread;
mod transfer;
