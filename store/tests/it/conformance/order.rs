//! Orders after they were placed.

use super::product::create;
use crate::make::*;
use protocol::order::{Order, PaymentStatus, Status};
use protocol::product::{Product, STOCK_MAX};
use protocol::{Key, Kind, OrderId, UserId};
use store::{CommitError, Effect, ShopWrite, Stores};

/// A lamp of which two pieces were ordered.
pub async fn placed(stores: &Stores, stock: u32) -> (Product, Order) {
    let lamp = Product { stock, ..product(UserId::new(), 1250) };
    create(stores, &lamp).await;
    let order = order(&lamp, UserId::new());
    let next = Product { stock: stock - 2, version: 2, ..lamp };
    stores.shop.commit(selling(&next, |p| ShopWrite::PlaceOrder(p, Box::new(order.clone())))).await.expect("ordered");
    (next, order)
}

pub async fn an_order_is_saved_version_by_version(stores: Stores) {
    let (_, order) = placed(&stores, 10).await;
    assert_eq!(stores.shop.order(order.id).await.expect("a read"), Some(order.clone()));
    assert_eq!(stores.shop.order(OrderId::new()).await.expect("a read"), None);
    let next =
        Order { status: Status::Shipped, payment_status: PaymentStatus::Paid, updated_at: NOW.plus_ms(5), version: 2, ..order.clone() };
    assert_eq!(stores.shop.commit(ordering(&next, ShopWrite::SaveOrder)).await.expect("saved").version, 2);
    assert!(matches!(stores.shop.commit(ordering(&next, ShopWrite::SaveOrder)).await, Err(CommitError::Conflict)));
    assert_eq!(stores.shop.order(order.id).await.expect("a read"), Some(next.clone()));
    let (rows, _) = stores.shop.orders(order.seller_id, false, Default::default()).await.expect("a page");
    assert_eq!(rows, [next]);
}

pub async fn a_cancelled_order_returns_its_pieces_once(stores: Stores) {
    let (lamp, order) = placed(&stores, 10).await;
    let cancelled = Order { status: Status::Cancelled, version: 2, ..order };
    let committed = stores.shop.commit(ordering(&cancelled, ShopWrite::CancelOrder)).await.expect("cancelled");
    let told = Effect::Changed { key: Key::new(Kind::Product, lamp.id), version: 3 };
    assert!(committed.effects.iter().any(|row| row.effect == told), "the product's owner hears of its version: {committed:?}");
    assert!(matches!(stores.shop.commit(ordering(&cancelled, ShopWrite::CancelOrder)).await, Err(CommitError::Conflict)));
    let restocked = stores.shop.product(lamp.id).await.expect("a read").expect("the product");
    assert_eq!((restocked.stock, restocked.version), (10, 3));
    // Whoever decided on the stock before that must decide again.
    let stale = Product { stock: 0, version: 3, ..lamp };
    assert!(matches!(stores.shop.commit(selling(&stale, ShopWrite::SaveProduct)).await, Err(CommitError::Conflict)));
    // A seller may have filled the shelf meanwhile: it holds no more than it can.
    let full = Product { stock: STOCK_MAX - 1, version: 4, ..restocked };
    stores.shop.commit(selling(&full, ShopWrite::SaveProduct)).await.expect("saved");
    let another = Order { id: OrderId::new(), version: 1, status: Status::Pending, ..cancelled };
    let sold = Product { version: 5, ..full };
    stores.shop.commit(selling(&sold, |p| ShopWrite::PlaceOrder(p, Box::new(another.clone())))).await.expect("ordered");
    let cancelled = Order { status: Status::Cancelled, version: 2, ..another };
    stores.shop.commit(ordering(&cancelled, ShopWrite::CancelOrder)).await.expect("cancelled");
    assert_eq!(stores.shop.product(sold.id).await.expect("a read").expect("the product").stock, STOCK_MAX);
}
