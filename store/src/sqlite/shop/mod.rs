//! The shop database: products, orders, carts and their checkout, reviews, wishlists.

pub(super) mod basket;
pub(super) mod review;
pub(super) mod search;
pub(super) mod selection;
pub(super) mod write;

use super::column::{Columns, TOP, by_id, cut, fetch, list, optional, statements};
use super::database::Database;
use super::metric::Operation;
use crate::{Commit, CommitError, Committed, Ids, Shop, ShopWrite, StoreError};
use async_trait::async_trait;
use protocol::checkout::{Checkout, Reserved};
use protocol::order::Order;
use protocol::product::{Product, Rating, Selection};
use protocol::review::Review;
use protocol::{CheckoutId, OrderId, Page, Position, ProductId, ReviewId, Timestamp, UserId, cart, wishlist};
use rusqlite::{Result, Row};

statements! {
    PRODUCT = "SELECT id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active,
                 rating_sum, rating_count, created_at, updated_at, version, deleted,
                 EXISTS (SELECT 1 FROM verdict WHERE verdict.id = product.id AND verdict.hidden = 1)
               FROM product WHERE id = ?1";
    SELLER_PRODUCTS = "SELECT id FROM product WHERE seller_id = ?1 AND deleted = 0 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    BUYER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                      payment_status, created_at, updated_at, version
                    FROM product_order WHERE buyer_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    SELLER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                       payment_status, created_at, updated_at, version
                     FROM product_order WHERE seller_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3";
    ORDER_PRODUCT = "SELECT product_id FROM product_order WHERE id = ?1";
    ORDER = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
               payment_status, created_at, updated_at, version
             FROM product_order WHERE id = ?1";
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

    async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.read(Operation::Order, move |db| optional(db, ORDER, [id.0.as_bytes()], order)).await
    }

    async fn cart(&self, person: UserId) -> Result<Vec<cart::Item>, StoreError> {
        self.read(Operation::Cart, move |db| basket::cart(db, person)).await
    }

    async fn wishes(&self, person: UserId) -> Result<Vec<wishlist::Item>, StoreError> {
        self.read(Operation::Wishes, move |db| basket::wishes(db, person)).await
    }

    async fn review(&self, id: ReviewId) -> Result<Option<Review>, StoreError> {
        self.read(Operation::Review, move |db| review::review(db, id)).await
    }

    async fn reviews(&self, product: ProductId, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::Reviews, move |db| review::reviews(db, product, page)).await
    }

    async fn reviews_by(&self, person: UserId, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::ReviewsBy, move |db| review::reviews_by(db, person, page)).await
    }

    async fn voted(&self, person: UserId, after: Option<ReviewId>, limit: u16) -> Result<Vec<ReviewId>, StoreError> {
        self.read(Operation::Voted, move |db| review::voted(db, person, after, limit)).await
    }

    async fn checkout(&self, id: CheckoutId) -> Result<Option<Checkout>, StoreError> {
        self.read(Operation::Checkout, move |db| basket::checkout(db, id)).await
    }

    async fn reserved(&self, id: CheckoutId) -> Result<Vec<Reserved>, StoreError> {
        self.read(Operation::Reserved, move |db| basket::reserved(db, id)).await
    }

    async fn checkouts_due(&self, now: Timestamp, limit: u32) -> Result<Vec<(CheckoutId, u64)>, StoreError> {
        self.read(Operation::CheckoutsDue, move |db| basket::checkouts_due(db, now, limit)).await
    }

    async fn forget_checkouts(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let forgotten = self.maintain(Operation::ForgetCheckouts, move |db| basket::forget_checkouts(db, before)).await?;
            total += forgotten as u64;
            if forgotten < basket::FORGET_MAX {
                return Ok(total);
            }
        }
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
        rating: Rating { sum: columns.count()?, count: columns.count()? },
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
        payment_status: columns.word()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
    })
}

#[cfg(test)]
mod tests {
    use crate::sqlite::migration::{SCHEMAS, bring_up};
    use rusqlite::Connection;

    /// A shop in memory, with a few products.
    pub(super) fn database() -> Connection {
        let mut db = Connection::open_in_memory().expect("memory");
        bring_up(&mut db, &SCHEMAS[2]).expect("migrations");
        for (number, name) in ["desk lamp", "Ⓐ lamp oil", "łódka 東京"].into_iter().enumerate() {
            let row = (uuid::Uuid::from_u128(number as u128 + 1).into_bytes(), name);
            db.execute(
                "INSERT INTO product (id, seller_id, name, price_cents, currency, images, stock, is_public, is_active, created_at, updated_at, version)
                 VALUES (?1, ?1, ?2, 100, 'USD', '[]', 1, 1, 1, 0, 0, 1)",
                row,
            )
            .expect("a product");
        }
        db
    }
}
