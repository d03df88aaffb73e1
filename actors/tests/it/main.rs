//! What the owner actors promise, on the real store: each module is one promise. Faults of the store come from `harness::faults`; nothing here sleeps.

mod harness;

mod account;
mod changed;
mod checkout;
mod count;
mod dependency;
mod feed;
mod herd;
mod hidden;
mod list;
mod membership;
mod moderation;
mod outbox;
mod overload;
mod panic;
mod passivation;
mod people;
mod share;
mod staleness;
mod stock;
mod write_protocol;
