//! The shop database: products, orders, carts and their checkout, reviews, wishlists.

pub(super) mod basket;
pub(super) mod review;
pub(super) mod search;
pub(super) mod selection;
pub(super) mod write;

use super::column::{At, BOTTOM, Columns, TOP, by_id, cut, fetch, statements};
use super::database::{Database, Values, count};
use super::fault::Fault;
use crate::metric::Operation;
use crate::{Commit, CommitError, Committed, Ids, Shop, ShopWrite, StoreError};
use async_trait::async_trait;
use protocol::checkout::{Checkout, Reserved};
use protocol::order::Order;
use protocol::product::{Product, Rating, Selection};
use protocol::review::Review;
use protocol::{CheckoutId, OrderId, Page, Position, ProductId, ReviewId, Timestamp, UserId, cart, wishlist};
use tokio_postgres::Row;
use uuid::Uuid;

statements! {
    PRODUCT = "SELECT id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active,
                 rating_sum, rating_count, created_at, updated_at, version, deleted,
                 EXISTS (SELECT 1 FROM verdict WHERE verdict.id = product.id AND verdict.hidden)
               FROM product WHERE id = $1";
    SELLER_PRODUCTS = "SELECT id FROM product WHERE seller_id = $1 AND NOT deleted AND id < $2 ORDER BY id DESC LIMIT $3";
    BUYER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                      payment_status, created_at, updated_at, version
                    FROM product_order WHERE buyer_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    SELLER_ORDERS = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
                       payment_status, created_at, updated_at, version
                     FROM product_order WHERE seller_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3";
    ORDER_PRODUCT = "SELECT product_id FROM product_order WHERE id = $1";
    ORDER = "SELECT id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_method,
               payment_status, created_at, updated_at, version
             FROM product_order WHERE id = $1";
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

    async fn order(&self, id: OrderId) -> Result<Option<Order>, StoreError> {
        self.optional(Operation::Order, ORDER, &[&id.0], order).await
    }

    async fn cart(&self, person: UserId) -> Result<Vec<cart::Item>, StoreError> {
        self.list(Operation::Cart, basket::CART, &[&person.0], basket::cart_item).await
    }

    async fn wishes(&self, person: UserId) -> Result<Vec<wishlist::Item>, StoreError> {
        self.list(Operation::Wishes, basket::WISHES, &[&person.0, &(wishlist::ITEMS_MAX as i64)], basket::wish).await
    }

    async fn review(&self, id: ReviewId) -> Result<Option<Review>, StoreError> {
        self.optional(Operation::Review, review::REVIEW, &[&id.0], review::review).await
    }

    async fn reviews(&self, product: ProductId, page: Page) -> Result<Ids, StoreError> {
        newest_first(self, (Operation::Reviews, review::REVIEWS), product.0, page).await
    }

    async fn reviews_by(&self, person: UserId, page: Page) -> Result<Ids, StoreError> {
        newest_first(self, (Operation::ReviewsBy, review::REVIEWS_BY), person.0, page).await
    }

    async fn voted(&self, person: UserId, after: Option<ReviewId>, limit: u16) -> Result<Vec<ReviewId>, StoreError> {
        let (after, limit) = (after.map_or(BOTTOM.id, |id| id.0), i64::from(limit));
        self.list(Operation::Voted, review::VOTED, &[&person.0, &after, &limit], |row| Columns::of(row).id().map(ReviewId)).await
    }

    async fn checkout(&self, id: CheckoutId) -> Result<Option<Checkout>, StoreError> {
        self.optional(Operation::Checkout, basket::CHECKOUT, &[&id.0], basket::checkout).await
    }

    async fn reserved(&self, id: CheckoutId) -> Result<Vec<Reserved>, StoreError> {
        self.list(Operation::Reserved, basket::RESERVED, &[&id.0], basket::reserved).await
    }

    async fn checkouts_due(&self, now: Timestamp, limit: u32) -> Result<Vec<(CheckoutId, u64)>, StoreError> {
        self.list(Operation::CheckoutsDue, basket::CHECKOUTS_DUE, &[&At(now), &i64::from(limit)], basket::due).await
    }

    async fn forget_checkouts(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut total = 0;
        loop {
            let values: Values<'_> = &[&At(before), &basket::FORGET_MAX];
            let forgotten = self.read(Operation::ForgetCheckouts, basket::FORGET_CHECKOUTS, values, count).await?;
            total += forgotten;
            if forgotten < basket::FORGET_MAX.unsigned_abs() {
                return Ok(total);
            }
        }
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
        rating: Rating { sum: columns.count()?, count: columns.count()? },
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
        deleted: columns.take()?,
        hidden: columns.take()?,
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
        payment_status: columns.word()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
    })
}

/// A page of ids of one thing or person.
async fn newest_first(
    db: &Database<ShopWrite>,
    (operation, sql): (Operation, &'static str),
    of: Uuid,
    page: Page,
) -> Result<Ids, StoreError> {
    let (after, limit) = (page.after.unwrap_or(TOP).id, fetch(page));
    let rows = db.list(operation, sql, &[&of, &after, &limit], |row| Columns::of(row).id()).await?;
    let (ids, next) = cut(rows, page, |id| by_id(*id));
    Ok(Ids { ids, next })
}
