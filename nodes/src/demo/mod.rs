//! Demo data: people from many places who follow, write, vouch, sell and buy, in real sentences, the same for the same seed.
//!
//! What they do is decided first (`plan.rs`), from one seed and whole, by I/O-free code: who they are, whom they follow (a few are followed by
//! very many), what they write and say about it (`text/*.txt`), what they sell. Then it is done, one of two ways: through the public API of a
//! running platform, or by loading a store that nobody serves.

mod api;
mod bulk;
mod chance;
mod graph;
mod people;
mod plan;
mod report;
mod text;

pub use api::through_api;
pub use bulk::bulk;
pub use report::{Counts, First, Progress, Summary};

/// The password of every demo account. It is public: demo data do not belong on a platform that strangers reach.
pub const PASSWORD: &str = "demo-password";
/// The host of every demo account's address: `<username>@demo.example`, a name that is reserved for examples (RFC 2606).
pub const MAIL_HOST: &str = "demo.example";
/// Most people of one seed.
const USERS_MAX: u64 = 1_000_000;

/// What to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DemoOptions {
    /// People, 1 to 1,000,000.
    pub users: u64,
    /// The same seed and number of people make the same people, follows and texts; ids and times are the server's, if there is one.
    pub seed: u64,
}

impl From<&crate::cli::DemoOptions> for DemoOptions {
    fn from(options: &crate::cli::DemoOptions) -> Self {
        Self { users: options.users, seed: options.seed }
    }
}

impl DemoOptions {
    /// The number of people, if it is within its range.
    fn checked(&self) -> anyhow::Result<u32> {
        let users = u32::try_from(self.users).ok().filter(|users| (1..=USERS_MAX).contains(&u64::from(*users)));
        users.ok_or_else(|| anyhow::anyhow!("demo data take 1 to {USERS_MAX} people"))
    }
}
