//! Reviews of products.

use crate::{
    error::Refusal,
    id::{ProductId, ReviewId, UserId},
    moderation::Verdict,
    patch::Patch,
    time::Timestamp,
    validate,
    view::Audience,
};
use serde::{Deserialize, Serialize};

/// A review. There is one a person and product.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Review {
    pub id: ReviewId,
    pub product_id: ProductId,
    pub user_id: UserId,
    /// 1 to 5 stars.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 5)))]
    pub rating: u8,
    pub title: Option<String>,
    pub review_text: Option<String>,
    pub helpful_count: u32,
    /// Whether the person has an order of the product that is not cancelled. The store derives it from the orders; no client can say it.
    pub verified_purchase: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
    /// Hidden by moderators: only its author may see it, and it is not in the product's rating. Shown where it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
}

impl Review {
    /// Who may see it.
    #[must_use]
    pub const fn audience(&self) -> Audience {
        if self.hidden { Audience::Only(self.user_id) } else { Audience::Everyone }
    }
}

/// The body of `POST /products/:id/reviews`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewReview {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// 1 to 5.
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 5)))]
    pub rating: u8,
    /// At most 200 characters.
    #[serde(default)]
    pub title: Option<String>,
    /// At most 5,000 characters.
    #[serde(default)]
    pub review_text: Option<String>,
}

/// The body of `PUT /reviews/:id`: the fields present are changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ReviewUpdate"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Update {
    #[cfg_attr(feature = "schema", schemars(range(min = 1, max = 5)))]
    pub rating: Option<u8>,
    pub title: Patch<String>,
    pub review_text: Patch<String>,
}

fn check(rating: Option<u8>, title: Option<&String>, review_text: Option<&String>) -> Result<(), Refusal> {
    if rating.is_some_and(|stars| !(1..=5).contains(&stars)) {
        return Err(Refusal::field("rating takes 1 to 5"));
    }
    validate::optional("title", title, 200)?;
    validate::optional("reviewText", review_text, 5_000)
}

impl NewReview {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        check(Some(self.rating), self.title.as_ref(), self.review_text.as_ref())
    }
}

impl Update {
    /// Checks every field that is present.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        check(self.rating, self.title.value(), self.review_text.value())
    }

    /// Carries the update out on `review`.
    pub fn apply(self, review: &mut Review) {
        review.rating = self.rating.unwrap_or(review.rating);
        self.title.apply(&mut review.title);
        self.review_text.apply(&mut review.review_text);
    }
}

/// What a vote came to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Vote {
    pub review_id: ReviewId,
    /// Whether the caller finds it helpful now.
    pub helpful: bool,
    pub helpful_count: u32,
}

/// Writes to a review.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Writes it under the key's id; the caller becomes its author.
    Create {
        /// Of which product.
        product: ProductId,
        /// Whose product it is: nobody reviews their own.
        seller: UserId,
        /// The review.
        new: NewReview,
    },
    /// Changes the fields present. The author only.
    Update(Update),
    /// Takes it back. The author or a moderator.
    Delete,
    /// Finds it helpful (`true`) or not any more. Anybody but the author; again is no error.
    Helpful(bool),
    /// Hides it, or ends that. The platform only.
    Moderate(Verdict),
}
