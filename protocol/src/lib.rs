//! The platform's vocabulary: what nodes, actors, stores and edges say to each other.
//!
//! * [`id`], [`key`], [`slot`]: what an entity is called, who owns it, and what moves between nodes.
//! * [`command`], [`view`], [`page`]: what an owner is asked and what it answers.
//! * [`account`], [`user`], [`follow`], [`post`], [`comment`], [`reaction`], [`hashtag`], [`bookmark`], [`product`], [`order`], [`cart`],
//!   [`checkout`], [`review`], [`wishlist`], [`file`]: one file a domain, with its data, commands and limits.
//! * [`people`]: finding people, and who comes first; [`fold`]: words as searches compare them. [`audit`]: what was done by rank.
//! * [`moderation`]: flags, cases, decisions, appeals.
//! * [`error`]: the closed list of refusals. [`envelope`]: the frame between nodes. [`trace`]: what a request is part of.
//!
//! Nothing here does I/O, knows actors, HTTP or SQL, or depends on another crate of ours.

pub mod account;
pub mod audit;
pub mod bookmark;
pub mod cart;
pub mod checkout;
pub mod command;
pub mod comment;
pub mod envelope;
pub mod error;
pub mod file;
pub mod fold;
pub mod follow;
pub mod found;
pub mod hashtag;
pub mod id;
pub mod key;
pub mod moderation;
pub mod money;
pub mod order;
pub mod page;
pub mod patch;
pub mod people;
pub mod post;
pub mod principal;
pub mod product;
pub mod reaction;
pub mod review;
#[cfg(feature = "schema")]
mod schema;
pub mod slot;
pub mod time;
pub mod trace;
pub mod user;
mod validate;
pub mod view;
pub mod wishlist;
mod words;

pub use command::{Command, Idempotency, Outcome, Query, Reply};
pub use error::{ErrorCode, Refusal};
pub use id::*;
pub use key::{Key, Kind};
pub use money::Money;
pub use page::{Page, Position};
pub use patch::Patch;
pub use principal::{Principal, Role};
pub use slot::{Epoch, SLOTS, Slot};
pub use time::Timestamp;
pub use trace::Trace;
pub use view::{Audience, Fact, View};
