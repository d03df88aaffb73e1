//! Carts, their checkout, and wishlists.

use super::product::create;
use crate::make::*;
use protocol::checkout::{Checkout, HELD_MS, State};
use protocol::order::Order;
use protocol::product::Product;
use protocol::{CheckoutId, Key, Kind, Money, ProductId, Timestamp, UserId, cart, wishlist};
use store::{CommitError, Effect, ShopWrite, Stores};

pub async fn a_cart_is_read_as_written(stores: Stores) {
    let (me, other) = (UserId::new(), UserId::new());
    let (lamp, chair) = (product(UserId::new(), 1250), product(UserId::new(), 9900));
    create(&stores, &lamp).await;
    create(&stores, &chair).await;
    let mut items = vec![cart_item(&lamp, 1), cart_item(&chair, 2)];
    for (version, item) in items.iter().enumerate() {
        let committed = stores.shop.commit(carting(me, version as u64, ShopWrite::SaveCartItem(me, item.clone()))).await.expect("added");
        assert_eq!(committed.version, version as u64 + 1);
    }
    assert_eq!(stores.shop.cart(me).await.expect("a read"), items);
    assert_eq!(stores.shop.cart(other).await.expect("a read"), []);
    items[0] = cart::Item { quantity: 7, price: Money::MAX, currency: "PLN".to_owned(), updated_at: NOW.plus_ms(1), ..items[0].clone() };
    stores.shop.commit(carting(me, 2, ShopWrite::SaveCartItem(me, items[0].clone()))).await.expect("changed");
    assert_eq!(stores.shop.cart(me).await.expect("a read"), items);
    let stale = stores.shop.commit(carting(me, 2, ShopWrite::ClearCart(me))).await;
    assert!(matches!(stale, Err(CommitError::Conflict)), "{stale:?}");
    let nothing = cart::Item { id: protocol::CartItemId::new(), product_id: ProductId::new(), ..items[0].clone() };
    let missing = stores.shop.commit(carting(me, 3, ShopWrite::SaveCartItem(me, nothing))).await;
    assert!(matches!(missing, Err(CommitError::Missing("product"))), "{missing:?}");
    let foreign = stores.shop.commit(carting(other, 0, ShopWrite::RemoveCartItem(other, items[0].id))).await;
    assert!(matches!(foreign, Err(CommitError::Unchanged)), "{foreign:?}");
    stores.shop.commit(carting(me, 3, ShopWrite::RemoveCartItem(me, items[0].id))).await.expect("removed");
    assert_eq!(stores.shop.cart(me).await.expect("a read"), items[1..]);
    stores.shop.commit(carting(me, 4, ShopWrite::ClearCart(me))).await.expect("emptied");
    assert_eq!(stores.shop.cart(me).await.expect("a read"), []);
}

pub async fn wishes_come_and_go(stores: Stores) {
    let me = UserId::new();
    let lamp = product(UserId::new(), 1250);
    create(&stores, &lamp).await;
    let chair = product(UserId::new(), 1250);
    create(&stores, &chair).await;
    let wish = |product: &Product, at| wishlist::Item { product_id: product.id, created_at: NOW.plus_ms(at) };
    let on = |version, write| {
        let key = Key::new(Kind::Wishlist, me);
        stores.shop.commit(commit(key, store::Expect::Version(version), write))
    };
    on(0, ShopWrite::AddWish(me, wish(&lamp, 1))).await.expect("added");
    on(1, ShopWrite::AddWish(me, wish(&chair, 2))).await.expect("added");
    assert!(matches!(on(2, ShopWrite::AddWish(me, wish(&lamp, 3))).await, Err(CommitError::Unchanged)));
    let nothing = wishlist::Item { product_id: ProductId::new(), created_at: NOW };
    assert!(matches!(on(2, ShopWrite::AddWish(me, nothing)).await, Err(CommitError::Missing("product"))));
    assert_eq!(stores.shop.wishes(me).await.expect("a read"), [wish(&chair, 2), wish(&lamp, 1)]);
    on(2, ShopWrite::RemoveWish(me, lamp.id)).await.expect("removed");
    assert!(matches!(on(3, ShopWrite::RemoveWish(me, lamp.id)).await, Err(CommitError::Unchanged)));
    assert_eq!(stores.shop.wishes(me).await.expect("a read"), [wish(&chair, 2)]);
}

/// Two products of two sellers in a cart, and a checkout of it that has set both aside.
struct Reserving {
    buyer: UserId,
    products: [Product; 2],
    items: Vec<cart::Item>,
    checkout: Checkout,
}

async fn reserving(stores: &Stores) -> Reserving {
    let buyer = UserId::new();
    let mut products = [product(UserId::new(), 1250), product(UserId::new(), 300)];
    let mut items = Vec::new();
    for (version, product) in products.iter().enumerate() {
        create(stores, product).await;
        items.push(cart_item(product, 2 + version as u32));
        let save = ShopWrite::SaveCartItem(buyer, items[version].clone());
        stores.shop.commit(carting(buyer, version as u64, save)).await.expect("added");
    }
    let checkout = checkout(buyer, &items);
    stores.shop.commit(checking_out(&checkout, ShopWrite::BeginCheckout)).await.expect("begun");
    for (product, item) in products.iter_mut().zip(&items) {
        *product = Product { stock: product.stock - item.quantity, version: 2, ..product.clone() };
        stores.shop.commit(set_aside(product, &checkout, item.quantity)).await.expect("set aside");
    }
    Reserving { buyer, products, items, checkout }
}

fn set_aside(product: &Product, checkout: &Checkout, quantity: u32) -> store::Commit<ShopWrite> {
    selling(product, |next| ShopWrite::Reserve(next, checkout.id, checkout.version, reserved(product, quantity)))
}

fn orders(world: &Reserving) -> Vec<Order> {
    let order = |(product, item): (&Product, &cart::Item)| Order {
        quantity: item.quantity,
        total_amount: product.price.times(item.quantity).expect("a sum"),
        ..order(product, world.buyer)
    };
    world.products.iter().zip(&world.items).map(order).collect()
}

async fn stocks(stores: &Stores, world: &Reserving) -> Vec<u32> {
    let mut stocks = Vec::new();
    for product in &world.products {
        stocks.push(stores.shop.product(product.id).await.expect("a read").expect("the product").stock);
    }
    stocks
}

fn ended(checkout: &Checkout, state: State) -> Checkout {
    Checkout { state, answer: bytes::Bytes::from_static(b"{}"), version: checkout.version + 1, ..checkout.clone() }
}

pub async fn a_confirmed_checkout_takes_all_with_it(stores: Stores) {
    let world = reserving(&stores).await;
    assert_eq!(stores.shop.checkout(world.checkout.id).await.expect("a read"), Some(world.checkout.clone()));
    assert_eq!(stores.shop.checkout(CheckoutId::new()).await.expect("a read"), None);
    let set_aside_now = stores.shop.reserved(world.checkout.id).await.expect("a read");
    let mut expected = vec![reserved(&world.products[0], 2), reserved(&world.products[1], 3)];
    expected.sort_by_key(|line| line.product);
    assert_eq!(set_aside_now, expected);
    // Again is no second time.
    let again = Product { version: 3, stock: 0, ..world.products[0].clone() };
    assert!(matches!(stores.shop.commit(set_aside(&again, &world.checkout, 2)).await, Err(CommitError::Unchanged)));
    assert_eq!(stocks(&stores, &world).await, [8, 7]);

    let (confirmed, orders) = (ended(&world.checkout, State::Confirmed), orders(&world));
    let confirm = || stores.shop.commit(checking_out(&confirmed, |c| ShopWrite::ConfirmCheckout(c, orders.clone())));
    confirm().await.expect("confirmed");
    assert!(matches!(confirm().await, Err(CommitError::Conflict)));
    assert_eq!(stores.shop.checkout(confirmed.id).await.expect("a read"), Some(confirmed.clone()));
    assert_eq!(stores.shop.reserved(confirmed.id).await.expect("a read"), []);
    assert_eq!(stores.shop.cart(world.buyer).await.expect("a read"), []);
    assert_eq!(stocks(&stores, &world).await, [8, 7], "the stock was taken when the lines were set aside");
    let (mut placed, _) = stores.shop.orders(world.buyer, true, Default::default()).await.expect("a page");
    placed.sort_by_key(|order| order.id);
    assert_eq!(placed, orders);
}

pub async fn a_released_checkout_gives_all_back(stores: Stores) {
    let world = reserving(&stores).await;
    let released = ended(&world.checkout, State::Released);
    let committed = stores.shop.commit(checking_out(&released, ShopWrite::ReleaseCheckout)).await.expect("released");
    for product in &world.products {
        let told = Effect::Changed { key: Key::new(Kind::Product, product.id), version: 3 };
        assert!(committed.effects.iter().any(|row| row.effect == told), "{committed:?}");
    }
    assert_eq!(stocks(&stores, &world).await, [10, 10]);
    assert_eq!(stores.shop.reserved(released.id).await.expect("a read"), []);
    assert_eq!(stores.shop.cart(world.buyer).await.expect("a read"), world.items);
    let again = Checkout { version: 2, ..released.clone() };
    assert!(matches!(stores.shop.commit(checking_out(&again, ShopWrite::ReleaseCheckout)).await, Err(CommitError::Conflict)));
    assert_eq!(stocks(&stores, &world).await, [10, 10]);
    // It can begin again, as the next version.
    let anew = Checkout { state: State::Reserving, version: 3, ..world.checkout.clone() };
    stores.shop.commit(checking_out(&anew, ShopWrite::BeginCheckout)).await.expect("begun again");
    assert_eq!(stores.shop.checkout(anew.id).await.expect("a read"), Some(anew));
}

pub async fn nothing_is_set_aside_for_a_checkout_that_ended(stores: Stores) {
    let world = reserving(&stores).await;
    let late = Product { stock: 0, version: 2, ..product(UserId::new(), 100) };
    create(&stores, &Product { stock: 10, version: 1, ..late.clone() }).await;
    let missing = |outcome: Result<_, CommitError>| assert!(matches!(outcome, Err(CommitError::Missing("checkout"))), "{outcome:?}");
    let released = ended(&world.checkout, State::Released);
    stores.shop.commit(checking_out(&released, ShopWrite::ReleaseCheckout)).await.expect("released");
    missing(stores.shop.commit(set_aside(&late, &world.checkout, 1)).await.map(drop));
    // Nor for the beginning after it: who comes late means the one before.
    let anew = Checkout { state: State::Reserving, version: 3, ..world.checkout.clone() };
    stores.shop.commit(checking_out(&anew, ShopWrite::BeginCheckout)).await.expect("begun again");
    missing(stores.shop.commit(set_aside(&late, &world.checkout, 1)).await.map(drop));
    missing(stores.shop.commit(set_aside(&late, &checkout(world.buyer, &world.items), 1)).await.map(drop));
    assert_eq!(stores.shop.product(late.id).await.expect("a read").expect("the product").stock, 10);
}

pub async fn what_is_not_set_aside_or_not_in_the_cart_is_not_ordered(stores: Stores) {
    let world = reserving(&stores).await;
    let confirmed = ended(&world.checkout, State::Confirmed);
    let confirm = |orders: Vec<Order>| stores.shop.commit(checking_out(&confirmed, |c| ShopWrite::ConfirmCheckout(c, orders)));
    let mut dearer = orders(&world);
    dearer[1].total_amount = Money::MAX;
    let refused = confirm(dearer).await;
    assert!(matches!(refused, Err(CommitError::Missing("reservation"))), "{refused:?}");
    // Another tab changes the cart meanwhile.
    let changed = cart::Item { quantity: 9, ..world.items[1].clone() };
    stores.shop.commit(carting(world.buyer, 2, ShopWrite::SaveCartItem(world.buyer, changed.clone()))).await.expect("changed");
    let refused = confirm(orders(&world)).await;
    assert!(matches!(refused, Err(CommitError::Missing("cart item"))), "{refused:?}");
    assert_eq!(stores.shop.checkout(world.checkout.id).await.expect("a read"), Some(world.checkout.clone()));
    assert_eq!(stores.shop.orders(world.buyer, true, Default::default()).await.expect("a page"), (vec![], None));
    assert_eq!(stores.shop.reserved(world.checkout.id).await.expect("a read").len(), 2);
    assert_eq!(stores.shop.cart(world.buyer).await.expect("a read"), [world.items[0].clone(), changed]);
}

pub async fn overdue_checkouts_are_found_and_ended_ones_forgotten(stores: Stores) {
    let world = reserving(&stores).await;
    let due = async |at: Timestamp| stores.shop.checkouts_due(at, 10).await.expect("a read");
    assert_eq!(due(NOW.plus_ms(HELD_MS - 1)).await, []);
    assert_eq!(due(NOW.plus_ms(HELD_MS)).await, [(world.checkout.id, 1)]);
    assert_eq!(stores.shop.forget_checkouts(NOW.plus_ms(1)).await.expect("forgotten"), 0, "it has not ended");
    let released = ended(&world.checkout, State::Released);
    stores.shop.commit(checking_out(&released, ShopWrite::ReleaseCheckout)).await.expect("released");
    assert_eq!(due(NOW.plus_ms(HELD_MS)).await, []);
    assert_eq!(stores.shop.forget_checkouts(NOW).await.expect("forgotten"), 0, "it is not old");
    assert_eq!(stores.shop.forget_checkouts(NOW.plus_ms(1)).await.expect("forgotten"), 1);
    assert_eq!(stores.shop.checkout(released.id).await.expect("a read"), None);
}
