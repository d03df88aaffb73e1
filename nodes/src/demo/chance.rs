//! Where chance comes from: one seed, and from it a strand of random numbers for each decision, whatever was decided before.
//!
//! So the third post of the tenth person is the same text however many others there are and in whatever order they are asked for.

use rand::{SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;

/// What is being decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Strand {
    /// Who somebody is, and what they care about.
    Identity,
    /// The rest of their profile.
    Profile,
    /// Whom they follow.
    Follows,
    /// Who vouches for a skill.
    Endorsements,
    /// How much they write and sell.
    Volume,
    /// The text of a post.
    Post,
    /// What is said below it.
    Comments,
    /// A product.
    Product,
    /// Who buys it.
    Orders,
    /// In which order things come.
    Order,
    /// When things came, and their ids, where no server gives them.
    Time,
}

/// All strands of one seed.
#[derive(Debug, Clone)]
pub struct Chance(ChaCha8Rng);

impl Chance {
    /// The strands of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// The numbers that decide `strand` of the `nth` thing of a person.
    pub fn of(&self, strand: Strand, person: u32, nth: u16) -> ChaCha8Rng {
        let mut numbers = self.0.clone();
        numbers.set_stream((strand as u64) << 48 | u64::from(nth) << 32 | u64::from(person));
        numbers
    }
}

/// One of several, each as likely.
pub fn one_of<T: Copy>(of: &[T], numbers: &mut ChaCha8Rng) -> T {
    *of.choose(numbers).expect("lists of the demo's words are never empty: the tests read them all")
}
