//! Orders.

use crate::{
    error::Refusal,
    id::{OrderId, ProductId, UserId},
    money::Money,
    principal::UnknownName,
    time::Timestamp,
    validate,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most pieces in one order.
pub const QUANTITY_MAX: u32 = 10_000;

/// An order of one product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Order {
    pub id: OrderId,
    pub buyer_id: UserId,
    pub seller_id: UserId,
    pub product_id: ProductId,
    pub quantity: u32,
    pub total_amount: Money,
    pub currency: String,
    pub status: Status,
    pub shipping_address: BTreeMap<String, String>,
    pub payment_method: Option<String>,
    pub payment_status: String,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

/// Where an order is on its way.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "OrderStatus"))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum Status {
    #[default]
    Pending,
    Confirmed,
    Shipped,
    Delivered,
    Cancelled,
}

impl Status {
    /// The status's name in rows and views.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Confirmed => "confirmed",
            Self::Shipped => "shipped",
            Self::Delivered => "delivered",
            Self::Cancelled => "cancelled",
        }
    }
}

impl std::str::FromStr for Status {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Pending, Self::Confirmed, Self::Shipped, Self::Delivered, Self::Cancelled]
            .into_iter()
            .find(|s| s.name() == text)
            .ok_or(UnknownName)
    }
}

/// The body of `POST /orders`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewOrder {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub buyer_id: Option<UserId>,
    pub product_id: ProductId,
    /// 1 to [`QUANTITY_MAX`].
    #[serde(default = "one")]
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = QUANTITY_MAX)))]
    pub quantity: u32,
    /// At most 20 entries; no key is required.
    #[serde(default)]
    pub shipping_address: BTreeMap<String, String>,
    /// At most 64 characters.
    #[serde(default)]
    pub payment_method: Option<String>,
}

const fn one() -> u32 {
    1
}

impl NewOrder {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        if !(1..=QUANTITY_MAX).contains(&self.quantity) {
            return Err(Refusal::field(format!("quantity takes 1 to {QUANTITY_MAX}")));
        }
        validate::count("shippingAddress", self.shipping_address.len(), 20)?;
        for (name, value) in &self.shipping_address {
            validate::text("shippingAddress", name, 1..=64)?;
            validate::text("shippingAddress", value, 0..=256)?;
        }
        validate::optional("paymentMethod", self.payment_method.as_ref(), 64)
    }
}
