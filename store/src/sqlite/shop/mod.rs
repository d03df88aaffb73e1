//! The shop database: products and orders.

pub(super) mod selection;
pub(super) mod write;

use super::column::{Columns, TOP, by_id, cut, fetch, list, optional, statements};
use super::database::Database;
use super::metric::Operation;
use crate::{Commit, CommitError, Committed, Ids, Shop, ShopWrite, StoreError};
use async_trait::async_trait;
use protocol::order::Order;
use protocol::product::{Product, Selection};
use protocol::{OrderId, Page, Position, ProductId, UserId};
use rusqlite::{Result, Row};

statements! {
    PRODUCT = "SELECT id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active,
                 created_at, updated_at, version, deleted, EXISTS (SELECT 1 FROM verdict WHERE verdict.id = product.id AND verdict.hidden = 1)
               FROM product WHERE id = ?1";
    SELLER_PRODUCTS = "SELECT id FROM product WHERE seller_id = ?1 AND deleted = 0 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    BUYER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                      payment_status, created_at, updated_at, version
                    FROM product_order WHERE buyer_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    SELLER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                       payment_status, created_at, updated_at, version
                     FROM product_order WHERE seller_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    ORDER_PRODUCT = "SELECT product_id FROM product_order WHERE id = ?1";
}

#[async_trait]
impl Shop for Database<ShopWrite> {
    async fn product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.read(Operation::Product, move |db| optional(db, PRODUCT, [id.0.as_bytes()], product)).await
    }

    async fn products(&self, selection: Selection) -> Result<Ids, StoreError> {
        self.read(Operation::Products, move |db| selection::products(db, &selection)).await
    }

    async fn seller_products(&self, seller: UserId, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::SellerProducts, move |db| {
            let after = page.after.unwrap_or(TOP).id;
            let rows = list(db, SELLER_PRODUCTS, (seller.0.as_bytes(), after.as_bytes(), fetch(page)), |row| Columns::of(row).id())?;
            let (ids, next) = cut(rows, page, |id| by_id(*id));
            Ok(Ids { ids, next })
        })
        .await
    }

    async fn orders(&self, person: UserId, buyer: bool, page: Page) -> Result<(Vec<Order>, Option<Position>), StoreError> {
        self.read(Operation::Orders, move |db| {
            let sql = if buyer { BUYER_ORDERS } else { SELLER_ORDERS };
            let after = page.after.unwrap_or(TOP).id;
            let rows = list(db, sql, (person.0.as_bytes(), after.as_bytes(), fetch(page)), order)?;
            Ok(cut(rows, page, |order| by_id(order.id.0)))
        })
        .await
    }

    async fn order_product(&self, id: OrderId) -> Result<Option<ProductId>, StoreError> {
        self.read(Operation::OrderProduct, move |db| {
            optional(db, ORDER_PRODUCT, [id.0.as_bytes()], |row| Columns::of(row).id().map(ProductId))
        })
        .await
    }

    async fn commit(&self, commit: Commit<ShopWrite>) -> Result<Committed, CommitError> {
        self.carry_out(commit).await
    }
}

fn product(row: &Row<'_>) -> Result<Product> {
    let mut columns = Columns::of(row);
    Ok(Product {
        id: ProductId(columns.id()?),
        seller_id: UserId(columns.id()?),
        name: columns.take()?,
        description: columns.take()?,
        price: columns.money()?,
        currency: columns.take()?,
        images: columns.json()?,
        category: columns.take()?,
        stock: columns.take()?,
        is_public: columns.take()?,
        is_active: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
        deleted: columns.take()?,
        hidden: columns.take()?,
    })
}

fn order(row: &Row<'_>) -> Result<Order> {
    let mut columns = Columns::of(row);
    Ok(Order {
        id: OrderId(columns.id()?),
        buyer_id: UserId(columns.id()?),
        seller_id: UserId(columns.id()?),
        product_id: ProductId(columns.id()?),
        quantity: columns.take()?,
        total_amount: columns.money()?,
        currency: columns.take()?,
        status: columns.word()?,
        shipping_address: columns.json()?,
        payment_method: columns.take()?,
        payment_status: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
    })
}
