//! Writes of the shop database.

use crate::postgres::column::{At, int, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Rows, Step, require};
use crate::{CommitError, ShopWrite};
use protocol::order::Order;
use protocol::product::Product;
use protocol::{Key, Kind, Timestamp};
use tokio_postgres::Row;
use tokio_postgres::types::Json;

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
}

impl Rows for ShopWrite {
    fn row(&self) -> Option<(Key, u64)> {
        let (Self::CreateProduct(product) | Self::SaveProduct(product) | Self::PlaceOrder(product, _)) = self;
        Some((Key::new(Kind::Product, product.id), product.version))
    }

    fn steps(&self, _: Timestamp, _: &[Row]) -> Result<Vec<Step<'_>>, Fault> {
        Ok(match self {
            Self::CreateProduct(product) => vec![insert_product(product)],
            Self::SaveProduct(product) => vec![save(product)],
            Self::PlaceOrder(product, order) => vec![save(product), insert_order(order)],
        })
    }
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
        &*order.payment_status,
        At(order.created_at),
        At(order.updated_at),
        int(order.version)
    ];
    Step::new(INSERT_ORDER, row).orphan("product")
}
