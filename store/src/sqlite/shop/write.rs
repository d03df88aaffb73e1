//! Writes of the shop database.

use crate::sqlite::column::{execute, int, json, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use crate::sqlite::transaction::Rows;
use crate::sqlite::verdict;
use crate::{CommitError, ShopWrite};
use protocol::order::Order;
use protocol::product::Product;
use protocol::{Key, Kind, Timestamp};
use rusqlite::{Connection, params};

statements! {
    INSERT_PRODUCT = "INSERT INTO product (id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active,
                        created_at, updated_at, version, deleted)
                      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)";
    UPDATE_PRODUCT = "UPDATE product SET name = ?2, description = ?3, price_cents = ?4, currency = ?5, images = ?6, category = ?7, stock = ?8,
                        is_public = ?9, is_active = ?10, updated_at = ?11, version = ?12, deleted = ?13
                      WHERE id = ?1 AND version = ?12 - 1";
    INSERT_ORDER = "INSERT INTO product_order (id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address,
                      payment_method, payment_status, created_at, updated_at, version)
                    VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
}

impl Rows for ShopWrite {
    fn row(&self) -> Option<(Key, u64)> {
        let (Self::CreateProduct(product) | Self::SaveProduct(product) | Self::PlaceOrder(product, _) | Self::Moderate(product, _)) = self;
        Some((Key::new(Kind::Product, product.id), product.version))
    }

    fn apply(&self, db: &Connection, _now: Timestamp) -> Result<(), Fault> {
        match self {
            Self::CreateProduct(product) => insert_product(db, product),
            Self::SaveProduct(product) => save(db, product),
            Self::PlaceOrder(product, order) => {
                save(db, product)?;
                insert_order(db, order)
            }
            Self::Moderate(product, verdict) => {
                verdict::hear(db, product.id.0, *verdict)?;
                save(db, product)
            }
        }
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
        order.payment_status,
        order.created_at.0,
        order.updated_at.0,
        int(order.version)
    ];
    let refused = |error| if is_orphan(&error) { CommitError::Missing("product").into() } else { insert_refused(error, &[]) };
    execute(db, INSERT_ORDER, row).map(drop).map_err(refused)
}
