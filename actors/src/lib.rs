//! Owner actors: each entity has one owner, the owner's memory is the cache, and a write changes the cache by being handled.
//!
//! * [`client`]: the only door. Edges ask it; it finds the owner. [`read`]: answers that are put together from several owners' snapshots.
//! * [`region`]: which owner actor serves a key on this node. [`remote`]: the other nodes, and how their owners are asked. [`takeover`]: what is done for slots that became
//!   this node's.
//! * [`membership`]: this node's place in a cluster, and what runs its decisions.
//! * [`ownership`]: which slots this node holds, at which epoch, under which lease.
//! * [`owner`]: the generic shell of an owner actor. [`entity`]: one file a domain, with its pure decisions.
//! * [`snapshot`]: what owners published. [`outbox`]: what must follow a commit. [`foreign`]: what somebody else wrote. [`supervisor`]: who restarts what.
//! * [`live`]: who wants to hear when something moves, on this node and on others.
//! * [`visibility`]: who may see what (pure); `standing`: whom the platform hides from everybody.
//! * [`account`]: registration, login, sessions and passwords. [`errand`]: what follows an answer, such as a [`mail`]; `erase`: forgetting somebody;
//!   `export`: all that is somebody's.
//! * [`checkout`]: a cart becomes orders, all of it or nothing.
//! * [`media`]: uploads, the pool that makes variants of images, and where bytes are.
//! * [`count`]: what the edges of a cluster count together.
//! * [`directory`]: immutable look-ups from an id to its owner key.

pub mod account;
mod belonging;
pub mod checkout;
pub mod client;
pub mod clock;
pub mod dependency;
pub mod directory;
mod doubt;
pub mod entity;
mod erase;
pub mod errand;
mod export;
pub mod foreign;
pub mod hand_off;
pub mod live;
pub mod mail;
pub mod media;
pub mod membership;
pub mod metrics;
pub mod near;
pub mod node;
pub mod outbox;
pub mod owner;
pub mod ownership;
pub mod read;
pub mod region;
pub mod remote;
pub mod sabotage;
pub mod second_level;
pub mod snapshot;
mod standing;
pub mod supervisor;
pub mod takeover;
pub mod trace;
pub mod visibility;

pub use client::{Call, Client};
pub use node::{Limits, Node};
pub use owner::refusal_of;
pub use snapshot::Snapshot;
pub use store::{hashtag, redis::count};
