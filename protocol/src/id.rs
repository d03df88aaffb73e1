//! Newtype ids. New ids are UUIDv7 (RFC 9562), so that keyset pages over ids run in order of creation.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// Makes a new time-ordered id; ids made by one process strictly increase.
            #[must_use]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::new()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Uuid {
                id.0
            }
        }
    )*};
}

ids! {
    /// A person.
    UserId;
    /// A skill that a person claims.
    SkillId;
    /// A post.
    PostId;
    /// A comment on a post.
    CommentId;
    /// A product for sale.
    ProductId;
    /// An order of one product.
    OrderId;
    /// A post that somebody keeps.
    BookmarkId;
    /// A file in the media library.
    MediaId;
    /// An entry of the audit log.
    AuditId;
    /// An open session: made of its token's hash, by [`crate::account::Session::id`].
    SessionId;
    /// A line of a cart.
    CartItemId;
    /// An attempt to order all of a cart.
    CheckoutId;
    /// A review of a product.
    ReviewId;
    /// That somebody flagged something.
    FlagId;
}
