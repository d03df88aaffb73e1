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
    pub payment_status: PaymentStatus,
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
    const ALL: [Self; 5] = [Self::Pending, Self::Confirmed, Self::Shipped, Self::Delivered, Self::Cancelled];

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

    /// What an order in this status may become by the hand of `side`. The seller leads it on its way, one step at a time; the buyer may withdraw until
    /// it is on the road, and the seller until it has arrived. What was delivered or cancelled stays so.
    #[must_use]
    pub const fn next(self, side: Side) -> &'static [Self] {
        match (self, side) {
            (Self::Pending, Side::Seller) => &[Self::Confirmed, Self::Cancelled],
            (Self::Confirmed, Side::Seller) => &[Self::Shipped, Self::Cancelled],
            (Self::Shipped, Side::Seller) => &[Self::Delivered, Self::Cancelled],
            (Self::Pending | Self::Confirmed, Side::Buyer) => &[Self::Cancelled],
            (Self::Shipped, Side::Buyer) | (Self::Delivered | Self::Cancelled, _) => &[],
        }
    }
}

impl std::str::FromStr for Status {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|s| s.name() == text).ok_or(UnknownName)
    }
}

/// Who of the two that an order is between.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[allow(missing_docs)]
pub enum Side {
    Buyer,
    Seller,
}

/// Whether an order was paid for. The platform moves no money: the seller says that it came, and cancelling what was paid says that it went back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum PaymentStatus {
    #[default]
    Pending,
    Paid,
    Refunded,
}

impl PaymentStatus {
    /// The word in rows and views.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Refunded => "refunded",
        }
    }
}

impl std::str::FromStr for PaymentStatus {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::Pending, Self::Paid, Self::Refunded].into_iter().find(|s| s.name() == text).ok_or(UnknownName)
    }
}

/// The body of `PUT /orders/:id/status`: one of the two at least.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "OrderChange", extend("minProperties" = 1)))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Change {
    /// What the order becomes.
    pub status: Option<Status>,
    /// `paid`, which is the seller's to say. Refunds come of cancelling.
    pub payment_status: Option<PaymentStatus>,
}

impl Change {
    /// Checks that something is asked for, and that it can be.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        match self {
            Self { status: None, payment_status: None } => {
                Err(Refusal::field("status takes pending, confirmed, shipped, delivered or cancelled"))
            }
            Self { payment_status: Some(PaymentStatus::Pending | PaymentStatus::Refunded), .. } => {
                Err(Refusal::field("paymentStatus takes paid; an order that was paid is refunded when it is cancelled"))
            }
            _ => Ok(()),
        }
    }
}

/// Writes to an order.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Leads it on, cancels it, or says that it was paid. Buyer and seller, each as [`Status::next`] says.
    Change(Change),
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
        validate_delivery(&self.shipping_address, self.payment_method.as_ref())
    }
}

/// Checks where an order goes, and how it is paid.
pub(crate) fn validate_delivery(shipping_address: &BTreeMap<String, String>, payment_method: Option<&String>) -> Result<(), Refusal> {
    validate::count("shippingAddress", shipping_address.len(), 20)?;
    for (name, value) in shipping_address {
        validate::text("shippingAddress", name, 1..=64)?;
        validate::text("shippingAddress", value, 0..=256)?;
    }
    validate::optional("paymentMethod", payment_method, 64)
}
