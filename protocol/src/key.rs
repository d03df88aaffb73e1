//! Keys: the name of everything that an owner actor holds.

use crate::slot::Slot;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $code:literal, $text:literal;)*) => {
        /// What sort of entity a key names. The codes are stable: they are in frames and in databases.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[serde(try_from = "u8", into = "u8")]
        #[repr(u8)]
        pub enum Kind { $($(#[$doc])* $name = $code,)* }

        impl Kind {
            /// Every kind, in order of code.
            pub const ALL: &'static [Kind] = &[$(Kind::$name),*];

            /// The kind's name in logs, metrics and commands.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Kind::$name => $text,)* }
            }
        }

        impl TryFrom<u8> for Kind {
            type Error = UnknownKind;
            fn try_from(code: u8) -> Result<Self, UnknownKind> {
                match code { $($code => Ok(Kind::$name),)* other => Err(UnknownKind(other)) }
            }
        }
    };
}

kinds! {
    /// A person's profile and skills; the id is the user's.
    User = 1, "user";
    /// A person's credentials and sessions; the id is the user's.
    Account = 2, "account";
    /// Whom a person follows and how many follow; the id is the user's.
    Follows = 3, "follows";
    /// A person's own posts, newest first; the id is the author's. It creates posts.
    Timeline = 4, "timeline";
    /// A person's home feed; the id is the viewer's.
    Feed = 5, "feed";
    /// One post with its counters and comments.
    Post = 6, "post";
    /// One product with its price and stock. It creates orders.
    Product = 7, "product";
    /// The orders that a person placed; the id is the buyer's.
    BuyerOrders = 8, "buyer_orders";
    /// The orders that a person received; the id is the seller's.
    SellerOrders = 9, "seller_orders";
    /// The products that a person sells; the id is the seller's.
    SellerProducts = 10, "seller_products";
    /// A family of product lists; the id is the family's.
    ProductList = 11, "product_list";
    /// A family of post lists; the id is the family's.
    PostList = 12, "post_list";
    /// One uploaded file.
    File = 14, "file";
    /// The files of a person; the id is the person's.
    UserFiles = 15, "user_files";
    /// A family of lists of files; the id is the family's.
    FileList = 16, "file_list";
    /// Content that files have, by which of them it may be seen; the id is made of its hash.
    Content = 19, "content";
    /// Public posts with a hashtag; the id is made of the word.
    Hashtag = 17, "hashtag";
    /// The posts that a person keeps; the id is the person's.
    Bookmarks = 18, "bookmarks";
    /// A family of lists of people; the id is the family's.
    PeopleList = 13, "people_list";
    /// One order with its status.
    Order = 20, "order";
    /// What a person means to buy; the id is the person's.
    Cart = 21, "cart";
    /// One attempt to order all of a cart.
    Checkout = 22, "checkout";
    /// The reviews of a product; the id is the product's.
    Reviews = 23, "reviews";
    /// One review with its helpful votes.
    Review = 26, "review";
    /// What a person wishes for; the id is the person's.
    Wishlist = 27, "wishlist";
    /// What was flagged, with what came of it; the id is the flagged thing's.
    Case = 30, "case";
    /// A list of cases: the queue, whose id is its family's, or those about what is a person's, whose id is the person's.
    CaseList = 31, "case_list";
}

impl Kind {
    /// One more than the highest code: the length of a table indexed by [`Kind::index`].
    pub const TABLE: usize = 32;

    /// The kind as an index below [`Kind::TABLE`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

impl From<Kind> for u8 {
    fn from(kind: Kind) -> u8 {
        kind as u8
    }
}

/// A kind code that this release does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown kind {0}")]
pub struct UnknownKind(pub u8);

/// The name of one owned thing. Each cached thing has exactly one key, and each key exactly one owner.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Key {
    /// What it is.
    pub kind: Kind,
    /// Which one it is.
    pub id: Uuid,
}

impl Key {
    /// Names the entity `id` of `kind`.
    #[must_use]
    pub fn new(kind: Kind, id: impl Into<Uuid>) -> Self {
        Self { kind, id: id.into() }
    }

    /// The slot whose owner owns this key.
    #[must_use]
    pub const fn slot(&self) -> Slot {
        Slot::of(self.id)
    }
}

impl std::fmt::Display for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.kind.name(), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_round_trip_and_fit_the_table() {
        for kind in Kind::ALL {
            assert_eq!(Kind::try_from(u8::from(*kind)).ok(), Some(*kind));
            assert!(kind.index() < Kind::TABLE);
        }
        assert!(Kind::try_from(0).is_err() && Kind::try_from(200).is_err());
    }
}
