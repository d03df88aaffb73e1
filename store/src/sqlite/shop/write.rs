//! Writes of the shop database.

use super::{basket, review};
use crate::sqlite::column::{Columns, execute, int, json, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use crate::sqlite::transaction::{Rows, raise};
use crate::sqlite::verdict;
use crate::{CommitError, ShopWrite};
use protocol::order::Order;
use protocol::product::Product;
use protocol::{Key, Kind, Timestamp};
use rusqlite::{Connection, params};

statements! {
    INSERT_PRODUCT = "INSERT INTO product (id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active,
                        rating_sum, rating_count, created_at, updated_at, version, deleted)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, 0, ?12, ?13, ?14, ?15)";
    UPDATE_PRODUCT = "UPDATE product SET name = ?2, description = ?3, price_cents = ?4, currency = ?5, images = ?6, category = ?7, stock = ?8,
                        is_public = ?9, is_active = ?10, updated_at = ?11, version = ?12, deleted = ?13
                      WHERE id = ?1 AND version = ?12 - 1";
    INSERT_ORDER = "INSERT INTO product_order (id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address,
                      payment_method, payment_status, created_at, updated_at, version)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    UPDATE_ORDER = "UPDATE product_order SET status = ?2, payment_status = ?3, updated_at = ?4, version = ?5 WHERE id = ?1 AND version = ?5 - 1";
    PRODUCT_VERSION = "SELECT version FROM product WHERE id = ?1";
    ORDER_VERSION = "SELECT version FROM product_order WHERE id = ?1";
    REVIEW_VERSION = "SELECT version FROM product_review WHERE id = ?1";
}

impl Rows for ShopWrite {
    fn row(&self) -> Option<(Key, u64)> {
        match self {
            Self::CreateProduct(product)
            | Self::SaveProduct(product)
            | Self::PlaceOrder(product, _)
            | Self::Reserve(product, ..)
            | Self::Moderate(product, _) => Some((Key::new(Kind::Product, product.id), product.version)),
            Self::SaveOrder(order) | Self::CancelOrder(order) => Some((Key::new(Kind::Order, order.id), order.version)),
            Self::CreateReview(review)
            | Self::SaveReview(review, _)
            | Self::RemoveReview(review)
            | Self::VoteReview { review, .. }
            | Self::ModerateReview(review, ..) => Some((Key::new(Kind::Review, review.id), review.version)),
            Self::BeginCheckout(checkout) | Self::ConfirmCheckout(checkout, _) | Self::ReleaseCheckout(checkout) => {
                Some((Key::new(Kind::Checkout, checkout.id), checkout.version))
            }
            // Carts and wishlists have rows of lines, and none of their own.
            Self::SaveCartItem(..) | Self::RemoveCartItem(..) | Self::ClearCart(_) | Self::AddWish(..) | Self::RemoveWish(..) => None,
            Self::Reindex(..) => None,
        }
    }

    fn apply(&self, db: &Connection, now: Timestamp) -> Result<(), Fault> {
        match self {
            Self::CreateProduct(product) => insert_product(db, product),
            Self::SaveProduct(product) => save(db, product),
            // Nobody else writes here: what things are found by is always up to them.
            Self::Reindex(..) => Ok(()),
            Self::PlaceOrder(product, order) => {
                save(db, product)?;
                insert_order(db, order)
            }
            Self::SaveOrder(order) | Self::CancelOrder(order) => save_order(db, order),
            Self::SaveCartItem(person, item) => basket::save_item(db, *person, item),
            Self::RemoveCartItem(person, item) => basket::remove_item(db, *person, *item),
            Self::ClearCart(person) => basket::clear(db, *person),
            Self::AddWish(person, item) => basket::add_wish(db, *person, item),
            Self::RemoveWish(person, product) => basket::remove_wish(db, *person, *product),
            Self::CreateReview(new) => review::insert(db, new),
            Self::SaveReview(next, _) => review::save(db, next),
            Self::RemoveReview(next) => review::remove(db, next),
            Self::VoteReview { review: next, by, add } => review::vote(db, next, (*by, *add), now),
            Self::BeginCheckout(checkout) => basket::begin(db, checkout),
            Self::Reserve(product, checkout, begun, line) => {
                basket::reserve(db, *checkout, *begun, line)?;
                save(db, product)
            }
            Self::ConfirmCheckout(checkout, orders) => {
                basket::save(db, checkout)?;
                checkout.lines.iter().zip(orders).try_for_each(|(line, order)| {
                    basket::take(db, checkout, line, order)?;
                    insert_order(db, order)
                })
            }
            Self::ReleaseCheckout(checkout) => basket::save(db, checkout),
            Self::Moderate(product, verdict) => {
                verdict::hear(db, product.id.0, *verdict)?;
                save(db, product)
            }
            Self::ModerateReview(next, _, verdict) => {
                verdict::hear(db, next.id.0, *verdict)?;
                review::save(db, next)
            }
        }
    }

    fn ripple(&self, db: &Connection) -> Result<Vec<Key>, Fault> {
        let verify = |order: &Order| review::verify(db, order.product_id, order.buyer_id);
        let keys = match self {
            Self::PlaceOrder(_, order) => verify(order)?.into_iter().collect(),
            Self::ConfirmCheckout(_, orders) => orders.iter().filter_map(|order| verify(order).transpose()).collect::<Result<_, _>>()?,
            Self::CancelOrder(order) => {
                let restocked = basket::restock(db, order.product_id, order.quantity)?;
                verify(order)?.into_iter().chain([restocked]).collect()
            }
            Self::ReleaseCheckout(checkout) => basket::give_back(db, checkout.id)?,
            Self::CreateReview(new) => review::rate(db, new.product_id, new.rating.into(), 1)?,
            // What is hidden is in no rating.
            Self::SaveReview(next, _) | Self::RemoveReview(next) if next.hidden => Vec::new(),
            Self::ModerateReview(next, was_hidden, _) => match (was_hidden, next.hidden) {
                (false, true) => review::rate(db, next.product_id, -i64::from(next.rating), -1)?,
                (true, false) => review::rate(db, next.product_id, next.rating.into(), 1)?,
                _ => Vec::new(),
            },
            Self::SaveReview(next, before) => review::rate(db, next.product_id, i64::from(next.rating) - i64::from(*before), 0)?,
            Self::RemoveReview(next) => review::rate(db, next.product_id, -i64::from(next.rating), -1)?,
            _ => Vec::new(),
        };
        Ok(keys)
    }

    fn touch(&self, db: &Connection, key: Key) -> rusqlite::Result<u64> {
        let sql = match key.kind {
            Kind::Product => PRODUCT_VERSION,
            Kind::Order => ORDER_VERSION,
            Kind::Review => REVIEW_VERSION,
            _ => return raise(db, key, 1),
        };
        // What has a row is touched by having it written.
        db.prepare_cached(sql)?.query_row([key.id.as_bytes()], |row| Columns::of(row).count())
    }
}

/// A new product.
pub(in crate::sqlite) fn insert_product(db: &Connection, product: &Product) -> Result<(), Fault> {
    let row = params![
        product.id.0.as_bytes(),
        product.seller_id.0.as_bytes(),
        product.name,
        product.description,
        product.price.cents(),
        product.currency,
        json(&product.images),
        product.category,
        product.stock,
        product.is_public,
        product.is_active,
        product.created_at.0,
        product.updated_at.0,
        int(product.version),
        product.deleted
    ];
    execute(db, INSERT_PRODUCT, row).map(drop).map_err(|error| insert_refused(error, &[]))
}

/// Replaces a product's row, if it has the version before.
fn save(db: &Connection, product: &Product) -> Result<(), Fault> {
    let row = params![
        product.id.0.as_bytes(),
        product.name,
        product.description,
        product.price.cents(),
        product.currency,
        json(&product.images),
        product.category,
        product.stock,
        product.is_public,
        product.is_active,
        product.updated_at.0,
        int(product.version),
        product.deleted
    ];
    if execute(db, UPDATE_PRODUCT, row)? == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}

fn insert_order(db: &Connection, order: &Order) -> Result<(), Fault> {
    let row = params![
        order.id.0.as_bytes(),
        order.buyer_id.0.as_bytes(),
        order.seller_id.0.as_bytes(),
        order.product_id.0.as_bytes(),
        order.quantity,
        order.total_amount.cents(),
        order.currency,
        order.status.name(),
        json(&order.shipping_address),
        order.payment_method,
        order.payment_status.name(),
        order.created_at.0,
        order.updated_at.0,
        int(order.version)
    ];
    let refused = |error| if is_orphan(&error) { CommitError::Missing("product").into() } else { insert_refused(error, &[]) };
    execute(db, INSERT_ORDER, row).map(drop).map_err(refused)
}

/// Replaces what can change of an order, if it has the version before.
fn save_order(db: &Connection, order: &Order) -> Result<(), Fault> {
    let (status, payment) = (order.status.name(), order.payment_status.name());
    let saved = execute(db, UPDATE_ORDER, (order.id.0.as_bytes(), status, payment, order.updated_at.0, int(order.version)))?;
    if saved == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}
