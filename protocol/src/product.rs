//! Products and how lists of them are selected.

use crate::{
    error::Refusal,
    id::{ProductId, UserId},
    moderation::Verdict,
    money::Money,
    order::NewOrder,
    page::Page,
    patch::Patch,
    time::Timestamp,
    validate,
    view::Audience,
};
use serde::{Deserialize, Serialize};

/// Most pieces of a product that can be in stock.
pub const STOCK_MAX: u32 = 1_000_000_000;

/// A product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Product {
    pub id: ProductId,
    pub seller_id: UserId,
    pub name: String,
    pub description: Option<String>,
    pub price: Money,
    pub currency: String,
    pub images: Vec<String>,
    pub category: Option<String>,
    pub stock: u32,
    pub is_public: bool,
    pub is_active: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
    /// Hidden by moderators: only its seller may see it. Shown where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// A deleted product keeps its row: orders name it, and its id stays known as gone.
    #[serde(skip)]
    pub deleted: bool,
}

impl Product {
    /// Who may see it.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match (self.deleted, self.is_public && self.is_active && !self.hidden) {
            (true, _) => Audience::Gone,
            (_, true) => Audience::Everyone,
            (_, false) => Audience::Only(self.seller_id),
        }
    }
}

/// The body of `POST /products`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewProduct {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub seller_id: Option<UserId>,
    /// 1 to 200 characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = 200)))]
    pub name: String,
    /// At most 10,000 characters.
    #[serde(default)]
    pub description: Option<String>,
    pub price: Money,
    /// Three capital letters (ISO 4217).
    #[serde(default = "usd")]
    #[cfg_attr(feature = "schema", schemars(regex(pattern = "^[A-Z]{3}$")))]
    pub currency: String,
    /// At most 20 addresses.
    #[serde(default)]
    pub images: Vec<String>,
    /// At most 64 characters.
    #[serde(default)]
    pub category: Option<String>,
    /// At most [`STOCK_MAX`].
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(range(max = STOCK_MAX)))]
    pub stock: u32,
    #[serde(default = "yes")]
    pub is_public: bool,
    #[serde(default = "yes")]
    pub is_active: bool,
}

const fn yes() -> bool {
    true
}

fn usd() -> String {
    "USD".to_owned()
}

fn validate(
    name: Option<&String>,
    description: Option<&String>,
    currency: Option<&String>,
    category: Option<&String>,
) -> Result<(), Refusal> {
    name.map_or(Ok(()), |n| validate::text("name", n, 1..=200))?;
    validate::optional("description", description, 10_000)?;
    validate::optional("category", category, 64)?;
    if currency.is_some_and(|c| c.len() != 3 || !c.bytes().all(|b| b.is_ascii_uppercase())) {
        return Err(Refusal::field("currency takes three capital letters, such as USD"));
    }
    Ok(())
}

fn validate_images(images: &[String]) -> Result<(), Refusal> {
    validate::count("images", images.len(), 20)?;
    images.iter().try_for_each(|i| validate::address("images", Some(i)))
}

fn validate_stock(stock: u32) -> Result<(), Refusal> {
    if stock > STOCK_MAX { Err(Refusal::field(format!("stock takes 0 to {STOCK_MAX}"))) } else { Ok(()) }
}

impl NewProduct {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate(Some(&self.name), self.description.as_ref(), Some(&self.currency), self.category.as_ref())?;
        validate_images(&self.images)?;
        validate_stock(self.stock)
    }
}

/// The body of `PUT /products/:id`: the fields present are changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ProductUpdate"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Update {
    pub name: Option<String>,
    pub description: Patch<String>,
    pub price: Option<Money>,
    pub currency: Option<String>,
    pub images: Option<Vec<String>>,
    pub category: Patch<String>,
    pub stock: Option<u32>,
    pub is_public: Option<bool>,
    pub is_active: Option<bool>,
}

impl Update {
    /// Checks every field that is present.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate(self.name.as_ref(), self.description.value(), self.currency.as_ref(), self.category.value())?;
        validate_images(self.images.as_deref().unwrap_or_default())?;
        validate_stock(self.stock.unwrap_or(0))
    }

    /// Carries the update out on `product`.
    pub fn apply(self, product: &mut Product) {
        product.name = self.name.unwrap_or_else(|| std::mem::take(&mut product.name));
        self.description.apply(&mut product.description);
        product.price = self.price.unwrap_or(product.price);
        product.currency = self.currency.unwrap_or_else(|| std::mem::take(&mut product.currency));
        product.images = self.images.unwrap_or_else(|| std::mem::take(&mut product.images));
        self.category.apply(&mut product.category);
        product.stock = self.stock.unwrap_or(product.stock);
        product.is_public = self.is_public.unwrap_or(product.is_public);
        product.is_active = self.is_active.unwrap_or(product.is_active);
    }
}

/// Writes to a product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Creates it under the key's id; the caller becomes its seller.
    Create(NewProduct),
    /// Changes the fields present. The seller only.
    Update(Update),
    /// Takes it out of the shop. The seller or a moderator.
    Delete,
    /// Buys some of it: stock and order change together or not at all.
    Order(NewOrder),
    /// Hides it, or ends that. The platform only.
    Moderate(Verdict),
}

/// How a list of products is sorted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub enum Sort {
    /// Newest first.
    #[default]
    Newest,
    /// Cheapest first.
    PriceUp,
    /// Dearest first.
    PriceDown,
}

/// Which products a list shows.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Only of this category.
    pub category: Option<String>,
    /// Only whose name or description holds this text, without regard to case.
    pub search: Option<String>,
    /// Only from this price on, in cents.
    pub price_cents_min: Option<i64>,
    /// Only up to this price, in cents.
    pub price_cents_max: Option<i64>,
    /// In which order.
    pub sort: Sort,
    /// Which rows.
    pub page: Page,
    /// Rows to skip from the beginning, for the old `page=N`; 0 with a cursor.
    pub skip: u32,
}

impl Selection {
    /// Whether a change of price can change which rows this list has, or their order.
    #[must_use]
    pub fn depends_on_price(&self) -> bool {
        self.price_cents_min.is_some() || self.price_cents_max.is_some() || self.sort != Sort::Newest
    }
}
