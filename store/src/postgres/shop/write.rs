//! Writes of the shop database.
//!
//! Rows are locked in one order, whoever writes: a checkout or order, then products by id, then reviews.

use super::{basket, review, search};
use crate::postgres::column::{At, Columns, int, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Question, Rows, Step, as_they_were, require, same, touching};
use crate::postgres::verdict;
use crate::{CommitError, ShopWrite};
use protocol::checkout::Reserved;
use protocol::order::Order;
use protocol::product::Product;
use protocol::{Key, Kind, Timestamp};
use std::slice;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

statements! {
    INSERT_PRODUCT = "INSERT INTO product (id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active,
                        created_at, updated_at, version, deleted)
                      VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)";
    UPDATE_PRODUCT = require!("UPDATE product SET name = $2, description = $3, price_cents = $4, currency = $5, images = $6, category = $7, stock = $8,
                        is_public = $9, is_active = $10, updated_at = $11, version = $12, deleted = $13
                      WHERE id = $1 AND version + 1 = $12 RETURNING 1");
    INSERT_ORDER = "INSERT INTO product_order (id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address,
                      payment_method, payment_status, created_at, updated_at, version)
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";
    SAME_PRODUCTS = same!("product");
    UPDATE_ORDER = require!("UPDATE product_order SET status = $2, payment_status = $3, updated_at = $4, version = $5
                    WHERE id = $1 AND version + 1 = $5 RETURNING 1");
}

// The statement below has the numbers.
const _: () = assert!(Kind::Product as u8 == 7 && Kind::Order as u8 == 20 && Kind::Review as u8 == 26);

impl Rows for ShopWrite {
    const VERSIONS: (Kind, &str) = (Kind::Product, "SELECT id, version FROM product WHERE id = ANY($1)");

    const TOUCH: &str = touching!(
        "7, 20, 26",
        "SELECT 7::smallint AS kind, id, version FROM product WHERE id IN (SELECT id FROM touch WHERE kind = 7)
         UNION ALL SELECT 20, id, version FROM product_order WHERE id IN (SELECT id FROM touch WHERE kind = 20)
         UNION ALL SELECT 26, id, version FROM product_review WHERE id IN (SELECT id FROM touch WHERE kind = 26)"
    );

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

    fn question(&self) -> Option<Question<'_>> {
        match self {
            Self::PlaceOrder(_, order) => review::made_true_by(slice::from_ref(order)),
            Self::ConfirmCheckout(_, orders) => review::made_true_by(orders),
            Self::CancelOrder(order) => Some(review::made_false_by(order)),
            Self::ReleaseCheckout(checkout) => {
                Some(Question { sql: basket::RESERVED, values: params![checkout.id.0], is_mostly_empty: false })
            }
            _ => None,
        }
    }

    fn steps(&self, now: Timestamp, seen: &[Row]) -> Result<Vec<Step<'_>>, Fault> {
        Ok(match self {
            Self::CreateProduct(product) => vec![insert_product(product), search::list(product)],
            Self::SaveProduct(product) => vec![save(product), search::list(product)],
            Self::Reindex(products, gone) => {
                let same = as_they_were(SAME_PRODUCTS, products.iter().map(|product| (product.id.0, product.version)));
                [same].into_iter().chain(products.iter().map(search::list)).chain(gone.iter().map(|id| search::unlist(*id))).collect()
            }
            Self::Moderate(product, verdict) => vec![verdict::hear(product.id.0, *verdict), save(product)],
            // What a product is found by does not change when it is sold.
            Self::PlaceOrder(product, order) => {
                let verified = review::verify(slice::from_ref(order), ids(seen)?);
                [save(product), insert_order(order)].into_iter().chain(verified).collect()
            }
            Self::SaveOrder(order) => vec![save_order(order)],
            Self::CancelOrder(order) => {
                let verified = review::verify(slice::from_ref(order), ids(seen)?);
                [save_order(order), basket::restock(order.product_id, order.quantity)].into_iter().chain(verified).collect()
            }
            Self::SaveCartItem(person, item) => vec![basket::save_item(*person, item)],
            Self::RemoveCartItem(person, item) => vec![basket::remove_item(*person, *item)],
            Self::ClearCart(person) => vec![basket::clear(*person)],
            Self::AddWish(person, item) => vec![basket::add_wish(*person, item)],
            Self::RemoveWish(person, product) => vec![basket::remove_wish(*person, *product)],
            Self::CreateReview(new) => review::insert(new),
            Self::SaveReview(next, before) => review::save_rated(next, *before),
            Self::RemoveReview(next) => review::remove(next),
            Self::VoteReview { review: next, by, add } => review::vote(next, (*by, *add), now),
            Self::ModerateReview(next, was_hidden, verdict) => review::moderate(next, *was_hidden, *verdict),
            Self::BeginCheckout(checkout) => vec![basket::begin(checkout)],
            Self::Reserve(product, checkout, begun, line) => basket::reserve(*checkout, *begun, line, save(product)),
            Self::ConfirmCheckout(checkout, orders) => {
                let mut steps = vec![basket::save(checkout), basket::lock_products(orders)];
                for (line, order) in checkout.lines.iter().zip(orders) {
                    steps.extend(basket::take(checkout, line, order));
                    steps.push(insert_order(order));
                }
                steps.extend(review::verify(orders, ids(seen)?));
                steps
            }
            Self::ReleaseCheckout(checkout) => {
                [basket::save(checkout)].into_iter().chain(basket::give_back(checkout.id, &reserved(seen)?)).collect()
            }
        })
    }

    fn ripple(&self, seen: &[Row]) -> Result<Vec<Key>, Fault> {
        let product = |id| Key::new(Kind::Product, id);
        let reviews = || Ok::<_, Fault>(ids(seen)?.into_iter().map(|id| Key::new(Kind::Review, id)));
        Ok(match self {
            Self::PlaceOrder(..) | Self::ConfirmCheckout(..) => reviews()?.collect(),
            Self::CancelOrder(order) => reviews()?.chain([product(order.product_id)]).collect(),
            Self::ReleaseCheckout(_) => reserved(seen)?.into_iter().map(|line| product(line.product)).collect(),
            // What is hidden is in no rating.
            Self::SaveReview(review, _) | Self::RemoveReview(review) if review.hidden => Vec::new(),
            Self::ModerateReview(review, was_hidden, _) if review.hidden != *was_hidden => vec![product(review.product_id)],
            Self::CreateReview(review) | Self::RemoveReview(review) => vec![product(review.product_id)],
            Self::SaveReview(review, before) if review.rating != *before => vec![product(review.product_id)],
            _ => Vec::new(),
        })
    }
}

fn ids(seen: &[Row]) -> Result<Vec<Uuid>, Fault> {
    seen.iter().map(|row| Columns::of(row).id()).collect()
}

fn reserved(seen: &[Row]) -> Result<Vec<Reserved>, Fault> {
    seen.iter().map(basket::reserved).collect()
}

/// A new product.
fn insert_product(product: &Product) -> Step<'_> {
    let row = params![
        product.id.0,
        product.seller_id.0,
        &*product.name,
        &product.description,
        product.price.cents(),
        &*product.currency,
        Json(&product.images),
        &product.category,
        i64::from(product.stock),
        product.is_public,
        product.is_active,
        At(product.created_at),
        At(product.updated_at),
        int(product.version),
        product.deleted
    ];
    Step::new(INSERT_PRODUCT, row)
}

/// Replaces a product's row, if it has the version before.
fn save(product: &Product) -> Step<'_> {
    let row = params![
        product.id.0,
        &*product.name,
        &product.description,
        product.price.cents(),
        &*product.currency,
        Json(&product.images),
        &product.category,
        i64::from(product.stock),
        product.is_public,
        product.is_active,
        At(product.updated_at),
        int(product.version),
        product.deleted
    ];
    Step::or(UPDATE_PRODUCT, row, CommitError::Conflict)
}

fn insert_order(order: &Order) -> Step<'_> {
    let row = params![
        order.id.0,
        order.buyer_id.0,
        order.seller_id.0,
        order.product_id.0,
        i64::from(order.quantity),
        order.total_amount.cents(),
        &*order.currency,
        order.status.name(),
        Json(&order.shipping_address),
        &order.payment_method,
        order.payment_status.name(),
        At(order.created_at),
        At(order.updated_at),
        int(order.version)
    ];
    Step::new(INSERT_ORDER, row).orphan("product")
}

/// Replaces what can change of an order, if it has the version before.
fn save_order(order: &Order) -> Step<'_> {
    let row = params![order.id.0, order.status.name(), order.payment_status.name(), At(order.updated_at), int(order.version)];
    Step::or(UPDATE_ORDER, row, CommitError::Conflict)
}
