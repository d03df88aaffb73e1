//! Wishlists: products that a person wants to find again.

use crate::{id::ProductId, time::Timestamp};
use serde::{Deserialize, Serialize};

/// Products on one wishlist.
pub const ITEMS_MAX: usize = 500;

/// A product on a wishlist.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "WishlistItem"))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Item {
    pub product_id: ProductId,
    pub created_at: Timestamp,
}

/// A person's wishlist.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wishlist {
    /// What is on it, newest first, at most [`ITEMS_MAX`].
    pub items: Vec<Item>,
    /// Its version.
    pub version: u64,
}

/// The body of `POST /wishlist`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Wish {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<crate::UserId>,
    pub product_id: ProductId,
}

/// Writes to a wishlist. The person only.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Puts a product on it; again is no error.
    Add(Wish),
    /// Takes one off; again is no error.
    Remove(ProductId),
}
