//! Checkouts: all of a cart becomes orders, or nothing of it.
//!
//! A checkout is a row of its own that outlives whoever drives it. It begins as `reserving` with its lines; each line is set aside at its product's
//! owner; then the checkout is confirmed, which makes all its orders in one transaction, or released, which gives all that was set aside back in one.
//! Nothing can be set aside for it before or after, so whatever crashes in between, what is left is a checkout that has not ended: somebody drives it
//! on, or it is released when its time is up.

use crate::{
    error::Refusal,
    id::{CartItemId, CheckoutId, OrderId, ProductId, UserId},
    money::Money,
    order::{Order, validate_delivery},
    principal::UnknownName,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How long a checkout may hold what it set aside, in milliseconds. Long enough for whoever drives it to fail and be asked again; short enough that
/// what a crash left is for sale again in a minute.
pub const HELD_MS: i64 = 60_000;

/// The body of `POST /cart/checkout`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "CheckoutRequest"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Request {
    /// At most 20 entries; no key is required.
    pub shipping_address: BTreeMap<String, String>,
    /// At most 64 characters.
    pub payment_method: Option<String>,
}

impl Request {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate_delivery(&self.shipping_address, self.payment_method.as_ref())
    }
}

/// A line of a cart as it is checked out.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Line {
    /// The cart's line, which the orders take with them.
    pub item: CartItemId,
    /// Of which product.
    pub product: ProductId,
    /// How many.
    pub quantity: u32,
    /// The highest price for a piece that the buyer agreed to.
    pub price_max: Money,
    /// The currency of that price.
    pub currency: String,
}

/// Where a checkout is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum State {
    /// Lines are being set aside.
    Reserving,
    /// It became orders.
    Confirmed,
    /// Nothing became of it, and nothing is set aside for it.
    Released,
}

impl State {
    /// The word in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Reserving => "reserving",
            Self::Confirmed => "confirmed",
            Self::Released => "released",
        }
    }
}

impl std::str::FromStr for State {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Reserving, Self::Confirmed, Self::Released].into_iter().find(|s| s.name() == text).ok_or(UnknownName)
    }
}

/// A checkout.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkout {
    /// Its id; made of the client's idempotency key, where there is one, so that a repetition finds it.
    pub id: CheckoutId,
    /// Whose cart.
    pub user_id: UserId,
    /// Of the client's request, where it has an idempotency key.
    pub fingerprint: Option<[u8; 32]>,
    /// Where it is.
    pub state: State,
    /// What is ordered, at most [`crate::cart::ITEMS_MAX`].
    pub lines: Vec<Line>,
    /// Where the orders go, and how they are paid.
    pub request: Request,
    /// What the client is answered once it is confirmed: JSON of [`Answer`]; empty before.
    pub answer: bytes::Bytes,
    /// When it is released if it has not ended by then.
    pub expires_at: Timestamp,
    /// When it began.
    pub created_at: Timestamp,
    /// Its version. [`State::Reserving`] lasts for exactly one version.
    pub version: u64,
}

/// What became of a cart.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Checkout"))]
#[serde(rename_all = "camelCase")]
pub struct Answer<'a> {
    /// The checkout.
    pub id: CheckoutId,
    /// An order a line, in the cart's order.
    pub orders: &'a [Order],
    /// What is to be paid, by currency.
    pub totals: Vec<Total>,
    /// When.
    pub created_at: Timestamp,
}

/// A sum of one currency. It may be above what one price or order may be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Total {
    pub currency: String,
    #[serde(serialize_with = "crate::money::sum")]
    #[cfg_attr(feature = "schema", schemars(with = "String"))]
    pub amount: i64,
}

impl Total {
    /// Adds an amount to the sum of its currency; sums stand in the order in which their currencies came.
    pub fn add(totals: &mut Vec<Self>, currency: &str, cents: i64) {
        match totals.iter_mut().find(|total| total.currency == currency) {
            Some(total) => total.amount = total.amount.saturating_add(cents),
            None => totals.push(Self { currency: currency.to_owned(), amount: cents }),
        }
    }
}

/// Writes to a checkout.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Begins it under the key's id; one that is under way, or became orders, stays as it is.
    Begin {
        /// Of the client's request, where it has an idempotency key: another one is refused.
        fingerprint: Option<[u8; 32]>,
        /// What is ordered.
        lines: Vec<Line>,
        /// Where it goes.
        request: Request,
    },
    /// Makes the orders of all that is set aside for it, which must be all of its lines.
    Confirm {
        /// What is set aside, in the order of the lines.
        reserved: Vec<Reserved>,
    },
    /// Gives all back. The buyer, or the platform when its time is up.
    Release {
        /// The version at which it began: a later beginning is not meant.
        begun: u64,
    },
}

/// What a line came to at its product's owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reserved {
    /// Of which product.
    pub product: ProductId,
    /// Whose it is.
    pub seller: UserId,
    /// How many.
    pub quantity: u32,
    /// The price for a piece.
    pub price: Money,
    /// Its currency.
    pub currency: String,
}

/// The order of a line. Ids are made when the orders are.
#[must_use]
pub fn order_of(reserved: &Reserved, total_amount: Money, checkout: &Checkout, now: Timestamp) -> Order {
    Order {
        id: OrderId::new(),
        buyer_id: checkout.user_id,
        seller_id: reserved.seller,
        product_id: reserved.product,
        quantity: reserved.quantity,
        total_amount,
        currency: reserved.currency.clone(),
        status: Default::default(),
        shipping_address: checkout.request.shipping_address.clone(),
        payment_method: checkout.request.payment_method.clone(),
        payment_status: Default::default(),
        created_at: now,
        updated_at: now,
        version: 1,
    }
}
