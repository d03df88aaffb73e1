//! Reviews, and what they make of their product's rating.
//!
//! Whether a review is by a buyer is what orders say, and both are written by different owners. Each locks the product's row before it looks:
//! whoever comes second sees what the first one wrote.

use crate::CommitError;
use crate::postgres::column::{At, Columns, int, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Question, Step, require};
use crate::postgres::verdict;
use protocol::moderation::Verdict;
use protocol::order::Order;
use protocol::review::Review;
use protocol::{ProductId, ReviewId, Timestamp, UserId};
use tokio_postgres::Row;
use uuid::Uuid;

statements! {
    REVIEW = "SELECT id, product_id, user_id, rating, title, review_text, helpful_count, verified_purchase, created_at, updated_at, version,
                EXISTS (SELECT 1 FROM verdict WHERE verdict.id = product_review.id AND verdict.hidden)
              FROM product_review WHERE id = $1";
    REVIEWS = "SELECT id FROM product_review WHERE product_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    REVIEWS_BY = "SELECT id FROM product_review WHERE user_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    VOTED = "SELECT review_id FROM review_vote WHERE user_id = $1 AND review_id > $2 ORDER BY review_id LIMIT $3";
    INSERT_REVIEW = "INSERT INTO product_review (id, product_id, user_id, rating, title, review_text, helpful_count, verified_purchase, created_at,
                       updated_at, version)
                     VALUES ($1, $2, $3, $4, $5, $6, 0,
                       EXISTS (SELECT 1 FROM product_order WHERE buyer_id = $3 AND product_id = $2 AND status <> 'cancelled'), $7, $8, $9)";
    UPDATE_REVIEW = require!("UPDATE product_review SET rating = $2, title = $3, review_text = $4, helpful_count = $5, updated_at = $6, version = $7
                     WHERE id = $1 AND version + 1 = $7 RETURNING 1");
    DELETE_VOTES = "DELETE FROM review_vote WHERE review_id = $1";
    DELETE_REVIEW = require!("DELETE FROM product_review WHERE id = $1 AND version + 1 = $2 RETURNING 1");
    ADD_VOTE = require!("INSERT INTO review_vote (review_id, user_id, created_at) VALUES ($1, $2, $3)
                 ON CONFLICT (review_id, user_id) DO NOTHING RETURNING 1");
    REMOVE_VOTE = require!("DELETE FROM review_vote WHERE review_id = $1 AND user_id = $2 RETURNING 1");
    /// The listing follows, where there is one.
    RATE = "WITH rated AS (
              UPDATE product SET rating_sum = rating_sum + $2, rating_count = rating_count + $3, version = version + 1 WHERE id = $1
              RETURNING id, rating_rank
            )
            UPDATE product_listing AS l SET rating_rank = rated.rating_rank FROM rated WHERE l.product_id = rated.id";
    /// Reviews that an order makes a buyer's.
    UNVERIFIED = "SELECT id FROM product_review WHERE user_id = $1 AND product_id = ANY($2) AND NOT verified_purchase ORDER BY id";
    /// A review that is not a buyer's any more, or is still, without this order.
    VERIFIED_BY = "SELECT id FROM product_review WHERE user_id = $1 AND product_id = $2 AND verified_purchase <>
                     EXISTS (SELECT 1 FROM product_order WHERE buyer_id = $1 AND product_id = $2 AND status <> 'cancelled' AND id <> $3)";
    /// Has the reviews that a buyer wrote of these products say what their orders say now. Refused if others change than were seen.
    VERIFY = "WITH changed AS (
                UPDATE product_review AS r SET verified_purchase = NOT verified_purchase, version = version + 1
                WHERE user_id = $1 AND product_id = ANY($2) AND verified_purchase <>
                  EXISTS (SELECT 1 FROM product_order WHERE buyer_id = $1 AND product_id = r.product_id AND status <> 'cancelled')
                RETURNING id
              )
              SELECT CASE WHEN (SELECT coalesce(array_agg(id ORDER BY id), '{}') FROM changed) <> $3::uuid[] THEN refuse('') END";
}

pub(super) fn review(row: &Row) -> Result<Review, Fault> {
    let mut columns = Columns::of(row);
    Ok(Review {
        id: ReviewId(columns.id()?),
        product_id: ProductId(columns.id()?),
        user_id: UserId(columns.id()?),
        rating: columns.byte()?,
        title: columns.take()?,
        review_text: columns.take()?,
        helpful_count: columns.small()?,
        verified_purchase: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
        hidden: columns.take()?,
    })
}

/// A new review. Whether its author bought the product is what their orders say.
pub(super) fn insert(review: &Review) -> Vec<Step<'_>> {
    let row = params![
        review.id.0,
        review.product_id.0,
        review.user_id.0,
        i16::from(review.rating),
        &review.title,
        &review.review_text,
        At(review.created_at),
        At(review.updated_at),
        int(review.version)
    ];
    let inserted = Step::new(INSERT_REVIEW, row).taken(&[("product_review_author", "review")]).orphan("product");
    vec![rate(review.product_id, review.rating.into(), 1), inserted]
}

/// Replaces a review's row, if it has the version before. Whether it is by a buyer is not the decision's to say.
pub(super) fn save(review: &Review) -> Step<'_> {
    let row = params![
        review.id.0,
        i16::from(review.rating),
        &review.title,
        &review.review_text,
        i64::from(review.helpful_count),
        At(review.updated_at),
        int(review.version)
    ];
    Step::or(UPDATE_REVIEW, row, CommitError::Conflict)
}

/// Replaces a review that gave so many stars before. What is hidden is in no rating.
pub(super) fn save_rated(review: &Review, before: u8) -> Vec<Step<'_>> {
    let is_rated = review.rating != before && !review.hidden;
    let rated = is_rated.then(|| rate(review.product_id, i64::from(review.rating) - i64::from(before), 0));
    rated.into_iter().chain([save(review)]).collect()
}

/// Replaces a review that a verdict hides or shows; what is hidden is in no rating.
pub(super) fn moderate(review: &Review, was_hidden: bool, verdict: Verdict) -> Vec<Step<'_>> {
    let stars = i64::from(review.rating);
    let rated = match (was_hidden, review.hidden) {
        (false, true) => Some(rate(review.product_id, -stars, -1)),
        (true, false) => Some(rate(review.product_id, stars, 1)),
        _ => None,
    };
    rated.into_iter().chain([verdict::hear(review.id.0, verdict), save(review)]).collect()
}

/// Removes a review with its votes, if it has the version before `review.version`.
pub(super) fn remove(review: &Review) -> Vec<Step<'_>> {
    let rated = (!review.hidden).then(|| rate(review.product_id, -i64::from(review.rating), -1));
    let removed = Step::or(DELETE_REVIEW, params![review.id.0, int(review.version)], CommitError::Conflict);
    rated.into_iter().chain([Step::new(DELETE_VOTES, params![review.id.0]), removed]).collect()
}

/// Gives or takes back a vote.
pub(super) fn vote(review: &Review, (by, add): (UserId, bool), now: Timestamp) -> Vec<Step<'_>> {
    let vote = match add {
        true => Step::or(ADD_VOTE, params![review.id.0, by.0, At(now)], CommitError::Unchanged),
        false => Step::or(REMOVE_VOTE, params![review.id.0, by.0], CommitError::Unchanged),
    };
    vec![save(review), vote]
}

/// Adds so many stars of so many more reviews to a product's rating. It locks the product, so it stands before what asks for orders.
fn rate<'w>(product: ProductId, stars: i64, reviews: i64) -> Step<'w> {
    Step::new(RATE, params![product.0, stars, reviews])
}

/// Asks which reviews these new orders of one buyer make a buyer's: mostly none, since people buy before they judge.
pub(super) fn made_true_by<'w>(orders: &[Order]) -> Option<Question<'w>> {
    let buyer = orders.first()?.buyer_id;
    Some(Question { sql: UNVERIFIED, values: params![buyer.0, products(orders)], is_mostly_empty: true })
}

/// Asks which review is not what its author's orders say once this one is cancelled.
pub(super) fn made_false_by<'w>(order: &Order) -> Question<'w> {
    Question { sql: VERIFIED_BY, values: params![order.buyer_id.0, order.product_id.0, order.id.0], is_mostly_empty: true }
}

/// Has a buyer's reviews say what their orders say; `seen` are those that change by that.
pub(super) fn verify<'w>(orders: &[Order], seen: Vec<Uuid>) -> Option<Step<'w>> {
    let buyer = orders.first()?.buyer_id;
    Some(Step::as_seen(VERIFY, params![buyer.0, products(orders), seen]))
}

fn products(orders: &[Order]) -> Vec<Uuid> {
    orders.iter().map(|order| order.product_id.0).collect()
}
