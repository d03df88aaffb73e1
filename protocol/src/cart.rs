//! Carts: what a person means to buy.

use crate::{
    error::Refusal,
    id::{CartItemId, ProductId, UserId},
    money::Money,
    order::QUANTITY_MAX,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

/// Lines of one cart, and so of one checkout.
pub const ITEMS_MAX: usize = 100;

/// A line of a cart: one a product. What the product costs now is the product's to say; the line holds what the person has seen.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CartItem"))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Item {
    pub id: CartItemId,
    pub product_id: ProductId,
    /// 1 to [`QUANTITY_MAX`].
    pub quantity: u32,
    /// The price for a piece when its owner last set the line: what they agreed to pay at most.
    pub price: Money,
    pub currency: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A person's cart.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Cart {
    /// Its lines, oldest first, at most [`ITEMS_MAX`].
    pub items: Vec<Item>,
    /// Its version.
    pub version: u64,
}

/// The body of `POST /cart`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "NewCartItem"))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewItem {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<UserId>,
    pub product_id: ProductId,
    /// 1 to [`QUANTITY_MAX`]; added to what the cart has of the product.
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = QUANTITY_MAX)))]
    pub quantity: u32,
}

const fn one() -> u32 {
    1
}

/// The body of `PUT /cart/:itemId`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Quantity {
    /// 1 to [`QUANTITY_MAX`].
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = QUANTITY_MAX)))]
    pub quantity: u32,
}

/// Checks a quantity.
///
/// # Errors
/// `invalid_field`.
pub fn validate_quantity(quantity: u32) -> Result<(), Refusal> {
    if (1..=QUANTITY_MAX).contains(&quantity) { Ok(()) } else { Err(Refusal::field(format!("quantity takes 1 to {QUANTITY_MAX}"))) }
}

/// A price that was shown to the person.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[allow(missing_docs)]
pub struct Seen {
    pub price: Money,
    pub currency: String,
}

/// Writes to a cart. The person only.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Puts so many more of a product into it, at the price that it has now.
    Add {
        /// What and how many.
        item: NewItem,
        /// The product's price now.
        seen: Seen,
    },
    /// Sets a line's quantity, and accepts the price that the product has now, if it has one.
    Set {
        /// Which line.
        item: CartItemId,
        /// 1 to [`QUANTITY_MAX`].
        quantity: u32,
        /// The product's price now; `None` when it is not for sale any more.
        seen: Option<Seen>,
    },
    /// Takes a line out.
    Remove(CartItemId),
    /// Takes all out.
    Clear,
}
