//! Reviews, and what they make of their product's rating.

use crate::sqlite::column::{BOTTOM, Columns, TOP, by_id, cut, execute, fetch, int, list, optional, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use crate::{CommitError, Ids};
use protocol::review::Review;
use protocol::{Key, Kind, Page, ProductId, ReviewId, Timestamp, UserId};
use rusqlite::{Connection, Result, params};
use uuid::Uuid;

statements! {
    REVIEW = "SELECT id, product_id, user_id, rating, title, review_text, helpful_count, verified_purchase, created_at, updated_at, version,
                EXISTS (SELECT 1 FROM verdict WHERE verdict.id = product_review.id AND verdict.hidden = 1)
              FROM product_review WHERE id = ?1";
    REVIEWS = "SELECT id FROM product_review WHERE product_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    REVIEWS_BY = "SELECT id FROM product_review WHERE user_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    VOTED = "SELECT review_id FROM review_vote WHERE user_id = ?1 AND review_id > ?2 ORDER BY review_id LIMIT ?3";
    INSERT_REVIEW = "INSERT INTO product_review (id, product_id, user_id, rating, title, review_text, helpful_count, verified_purchase, created_at,
                       updated_at, version)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0,
                       EXISTS (SELECT 1 FROM product_order WHERE buyer_id = ?3 AND product_id = ?2 AND status <> 'cancelled'), ?7, ?8, ?9)";
    UPDATE_REVIEW = "UPDATE product_review SET rating = ?2, title = ?3, review_text = ?4, helpful_count = ?5, updated_at = ?6, version = ?7
                     WHERE id = ?1 AND version = ?7 - 1";
    DELETE_VOTES = "DELETE FROM review_vote WHERE review_id = ?1";
    DELETE_REVIEW = "DELETE FROM product_review WHERE id = ?1 AND version = ?2 - 1";
    ADD_VOTE = "INSERT INTO review_vote (review_id, user_id, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (review_id, user_id) DO NOTHING";
    REMOVE_VOTE = "DELETE FROM review_vote WHERE review_id = ?1 AND user_id = ?2";
    RATE = "UPDATE product SET rating_sum = rating_sum + ?2, rating_count = rating_count + ?3,
              rating_rank = (1500 + (rating_sum + ?2) * 100) / (5 + rating_count + ?3), version = version + 1
            WHERE id = ?1";
    VERIFY = "UPDATE product_review SET verified_purchase = NOT verified_purchase, version = version + 1
              WHERE product_id = ?1 AND user_id = ?2 AND verified_purchase <>
                EXISTS (SELECT 1 FROM product_order WHERE buyer_id = ?2 AND product_id = ?1 AND status <> 'cancelled')
              RETURNING id";
}

/// A review.
pub(super) fn review(db: &Connection, id: ReviewId) -> Result<Option<Review>> {
    optional(db, REVIEW, [id.0.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok(Review {
            id: ReviewId(columns.id()?),
            product_id: ProductId(columns.id()?),
            user_id: UserId(columns.id()?),
            rating: columns.take()?,
            title: columns.take()?,
            review_text: columns.take()?,
            helpful_count: columns.take()?,
            verified_purchase: columns.take()?,
            created_at: columns.time()?,
            updated_at: columns.time()?,
            version: columns.count()?,
            hidden: columns.take()?,
        })
    })
}

/// A product's reviews, newest first.
pub(super) fn reviews(db: &Connection, product: ProductId, page: Page) -> Result<Ids> {
    newest_first(db, REVIEWS, product.0, page)
}

/// A person's reviews, newest first.
pub(super) fn reviews_by(db: &Connection, person: UserId, page: Page) -> Result<Ids> {
    newest_first(db, REVIEWS_BY, person.0, page)
}

/// Reviews behind `after` that a person finds helpful, by id.
pub(super) fn voted(db: &Connection, person: UserId, after: Option<ReviewId>, limit: u16) -> Result<Vec<ReviewId>> {
    let after = after.map_or(BOTTOM.id, |id| id.0);
    list(db, VOTED, (person.0.as_bytes(), after.as_bytes(), limit), |row| Columns::of(row).id().map(ReviewId))
}

fn newest_first(db: &Connection, sql: &str, of: Uuid, page: Page) -> Result<Ids> {
    let after = page.after.unwrap_or(TOP).id;
    let rows = list(db, sql, (of.as_bytes(), after.as_bytes(), fetch(page)), |row| Columns::of(row).id())?;
    let (ids, next) = cut(rows, page, |id| by_id(*id));
    Ok(Ids { ids, next })
}

/// A new review. Whether its author bought the product is what their orders say.
pub(super) fn insert(db: &Connection, review: &Review) -> std::result::Result<(), Fault> {
    let row = params![
        review.id.0.as_bytes(),
        review.product_id.0.as_bytes(),
        review.user_id.0.as_bytes(),
        review.rating,
        review.title,
        review.review_text,
        review.created_at.0,
        review.updated_at.0,
        int(review.version)
    ];
    let refused = |error| match is_orphan(&error) {
        true => CommitError::Missing("product").into(),
        // The index over product and author names its last column.
        false => insert_refused(error, &[("user_id", "review")]),
    };
    execute(db, INSERT_REVIEW, row).map(drop).map_err(refused)
}

/// Replaces a review's row, if it has the version before. Whether it is by a buyer is not the decision's to say.
pub(super) fn save(db: &Connection, review: &Review) -> std::result::Result<(), Fault> {
    let row = params![
        review.id.0.as_bytes(),
        review.rating,
        review.title,
        review.review_text,
        review.helpful_count,
        review.updated_at.0,
        int(review.version)
    ];
    if execute(db, UPDATE_REVIEW, row)? == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}

/// Removes a review with its votes, if it has the version before `review.version`.
pub(super) fn remove(db: &Connection, review: &Review) -> std::result::Result<(), Fault> {
    execute(db, DELETE_VOTES, [review.id.0.as_bytes()])?;
    let removed = execute(db, DELETE_REVIEW, (review.id.0.as_bytes(), int(review.version)))?;
    if removed == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}

/// Gives or takes back a vote.
pub(super) fn vote(db: &Connection, review: &Review, (by, add): (UserId, bool), now: Timestamp) -> std::result::Result<(), Fault> {
    save(db, review)?;
    let (id, by) = (review.id.0.as_bytes(), by.0.as_bytes());
    let changed = if add { execute(db, ADD_VOTE, (id, by, now.0))? } else { execute(db, REMOVE_VOTE, (id, by))? };
    if changed == 0 { Err(CommitError::Unchanged.into()) } else { Ok(()) }
}

/// Adds so many stars of so many more reviews to a product's rating; names the product.
pub(super) fn rate(db: &Connection, product: ProductId, stars: i64, reviews: i64) -> Result<Vec<Key>> {
    if (stars, reviews) == (0, 0) {
        return Ok(Vec::new());
    }
    execute(db, RATE, (product.0.as_bytes(), stars, reviews))?;
    Ok(vec![Key::new(Kind::Product, product)])
}

/// Has the review that a buyer wrote of a product, if there is one, say what their orders say now; names it if that is new.
pub(super) fn verify(db: &Connection, product: ProductId, buyer: UserId) -> Result<Option<Key>> {
    let changed = optional(db, VERIFY, (product.0.as_bytes(), buyer.0.as_bytes()), |row| Columns::of(row).id())?;
    Ok(changed.map(|id| Key::new(Kind::Review, id)))
}
