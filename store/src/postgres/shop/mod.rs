//! The shop database: products and orders.

pub(super) mod selection;
pub(super) mod write;

use super::column::{Columns, TOP, by_id, cut, fetch, statements};
use super::database::Database;
use super::fault::Fault;
use crate::metric::Operation;
use crate::{Commit, CommitError, Committed, Ids, Shop, ShopWrite, StoreError};
use async_trait::async_trait;
use protocol::order::Order;
use protocol::product::{Product, Selection};
use protocol::{OrderId, Page, Position, ProductId, UserId};
use tokio_postgres::Row;

statements! {
    PRODUCT = "SELECT id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active,
                 created_at, updated_at, version, deleted
               FROM product WHERE id = $1";
    SELLER_PRODUCTS = "SELECT id FROM product WHERE seller_id = $1 AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3";
    BUYER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                      payment_status, created_at, updated_at, version
                    FROM product_order WHERE buyer_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    SELLER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                       payment_status, created_at, updated_at, version
                     FROM product_order WHERE seller_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    ORDER_PRODUCT = "SELECT product_id FROM product_order WHERE id = $1";
}

#[async_trait]
impl Shop for Database<ShopWrite> {
    async fn product(&self, id: ProductId) -> Result<Option<Product>, StoreError> {
        self.optional(Operation::Product, PRODUCT, &[&id.0], product).await
    }

    async fn products(&self, selection: Selection) -> Result<Ids, StoreError> {
        selection::products(self, &selection).await
    }

    async fn seller_products(&self, seller: UserId, page: Page) -> Result<Ids, StoreError> {
        let after = page.after.unwrap_or(TOP).id;
        let values = fetch(page);
        let rows =
            self.list(Operation::SellerProducts, SELLER_PRODUCTS, &[&seller.0, &after, &values], |row| Columns::of(row).id()).await?;
        let (ids, next) = cut(rows, page, |id| by_id(*id));
        Ok(Ids { ids, next })
    }

    async fn orders(&self, person: UserId, buyer: bool, page: Page) -> Result<(Vec<Order>, Option<Position>), StoreError> {
        let sql = if buyer { BUYER_ORDERS } else { SELLER_ORDERS };
        let after = page.after.unwrap_or(TOP).id;
        let rows = self.list(Operation::Orders, sql, &[&person.0, &after, &fetch(page)], order).await?;
        Ok(cut(rows, page, |order| by_id(order.id.0)))
    }

    async fn order_product(&self, id: OrderId) -> Result<Option<ProductId>, StoreError> {
        self.optional(Operation::OrderProduct, ORDER_PRODUCT, &[&id.0], |row| Columns::of(row).id().map(ProductId)).await
    }

    async fn commit(&self, commit: Commit<ShopWrite>) -> Result<Committed, CommitError> {
        self.carry_out(commit).await
    }
}

fn product(row: &Row) -> Result<Product, Fault> {
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
        stock: columns.small()?,
        is_public: columns.take()?,
        is_active: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
        deleted: columns.take()?,
    })
}

fn order(row: &Row) -> Result<Order, Fault> {
    let mut columns = Columns::of(row);
    Ok(Order {
        id: OrderId(columns.id()?),
        buyer_id: UserId(columns.id()?),
        seller_id: UserId(columns.id()?),
        product_id: ProductId(columns.id()?),
        quantity: columns.small()?,
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
