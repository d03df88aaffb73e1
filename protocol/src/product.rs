//! Products and how lists of them are selected.

use crate::{
    error::Refusal,
    id::{CheckoutId, ProductId, UserId},
    moderation::Verdict,
    money::Money,
    order::NewOrder,
    page::Page,
    patch::Patch,
    time::Timestamp,
    validate,
    view::Audience,
};
use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};

/// Words of a search that count; more are not looked at.
pub const SEARCH_WORDS_MAX: usize = 12;
/// Most pieces of a product that can be in stock.
pub const STOCK_MAX: u32 = 1_000_000_000;

/// A product. It is JSON for clients and rows for the store; it never travels in frames. Read from JSON it has no rating, which is rounded there.
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
    #[serde(flatten, skip_deserializing)]
    pub rating: Rating,
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

/// What reviewers gave a product, as sum and number, so that no rounding adds up.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Rating {
    /// All stars together.
    pub sum: u64,
    /// How many reviews there are.
    pub count: u64,
}

impl Rating {
    /// The mean in hundredths of a star, rounded to the nearest; `None` without a review.
    #[must_use]
    pub const fn hundredths(self) -> Option<u64> {
        (self.sum * 100 + self.count / 2).checked_div(self.count)
    }

    /// What lists sort by: the mean in hundredths as if five more reviews had given three stars. So one enthusiast does not outweigh a hundred, and
    /// what nobody judged stands before what many found bad.
    #[must_use]
    pub const fn rank(self) -> u64 {
        (1500 + self.sum * 100) / (5 + self.count)
    }
}

/// `ratingAverage`, a number with at most two decimals or `null`, and `ratingCount`.
impl Serialize for Rating {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // A double nearest to so many hundredths is written with these two decimals.
        let average = self.hundredths().map(|hundredths| hundredths as f64 / 100.0);
        let mut fields = serializer.serialize_struct("Rating", 2)?;
        fields.serialize_field("ratingAverage", &average)?;
        fields.serialize_field("ratingCount", &self.count)?;
        fields.end()
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
    /// Sets some of it aside for a checkout of the caller's, until that confirms or releases it. Repeating it changes nothing.
    Reserve(Reserve),
    /// Hides it, or ends that. The platform only.
    Moderate(Verdict),
}

/// A line of a checkout, as its product's owner is asked to set it aside.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reserve {
    /// The checkout that it is for …
    pub checkout: CheckoutId,
    /// … and the version at which that began: one that has ended since takes no more lines.
    pub begun: u64,
    /// How many pieces.
    pub quantity: u32,
    /// The price for a piece that the buyer has seen: a higher one is refused.
    pub price_max: Money,
    /// The currency of that price.
    pub currency: String,
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
    /// Best judged first, by [`Rating::rank`].
    Rating,
    /// What fits the text best first; without a text, newest first.
    Relevance,
}

/// Which products a list shows.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Selection {
    /// Only of this category.
    pub category: Option<String>,
    /// Only in whose name, category or description each of these words begins one, without regard to case and accents; at most
    /// [`SEARCH_WORDS_MAX`] of them count.
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
        self.price_cents_min.is_some() || self.price_cents_max.is_some() || matches!(self.sort, Sort::PriceUp | Sort::PriceDown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratings_are_rounded_to_hundredths_and_ranked_by_how_many_judged() {
        let json = |sum, count| serde_json::to_string(&Rating { sum, count }).expect("JSON");
        assert_eq!(json(0, 0), r#"{"ratingAverage":null,"ratingCount":0}"#);
        assert_eq!(json(14, 3), r#"{"ratingAverage":4.67,"ratingCount":3}"#);
        assert_eq!(json(5, 1), r#"{"ratingAverage":5.0,"ratingCount":1}"#);
        let rank = |sum, count| Rating { sum, count }.rank();
        assert!(rank(490, 100) > rank(5, 1) && rank(5, 1) > rank(4, 1));
        assert!(rank(5, 1) > rank(0, 0) && rank(0, 0) > rank(1, 1));
    }
}
