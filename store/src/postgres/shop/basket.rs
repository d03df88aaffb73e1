//! Carts, their checkout, and wishlists.

use crate::CommitError;
use crate::postgres::column::{At, Columns, int, params, statements};
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Step, require};
use protocol::checkout::{Checkout, Line, Reserved};
use protocol::order::Order;
use protocol::product::STOCK_MAX;
use protocol::{CartItemId, CheckoutId, ProductId, UserId, cart, wishlist};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

/// Checkouts that one transaction forgets: other writes wait no longer than these take.
pub(super) const FORGET_MAX: i64 = 1000;

statements! {
    CART = "SELECT id, product_id, quantity, price_cents, currency, created_at, updated_at FROM cart_item WHERE user_id = $1 ORDER BY id";
    SAVE_ITEM = "INSERT INTO cart_item (id, user_id, product_id, quantity, price_cents, currency, created_at, updated_at)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
                 ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, price_cents = excluded.price_cents, currency = excluded.currency,
                   updated_at = excluded.updated_at";
    REMOVE_ITEM = require!("DELETE FROM cart_item WHERE id = $1 AND user_id = $2 RETURNING 1");
    CLEAR_CART = "DELETE FROM cart_item WHERE user_id = $1";
    TAKE_ITEM = require!("DELETE FROM cart_item WHERE id = $1 AND user_id = $2 AND product_id = $3 AND quantity = $4 RETURNING 1");
    WISHES = "SELECT product_id, created_at FROM wishlist_item WHERE user_id = $1 ORDER BY created_at DESC, product_id DESC LIMIT $2";
    ADD_WISH = require!("INSERT INTO wishlist_item (user_id, product_id, created_at) VALUES ($1, $2, $3)
                 ON CONFLICT (user_id, product_id) DO NOTHING RETURNING 1");
    REMOVE_WISH = require!("DELETE FROM wishlist_item WHERE user_id = $1 AND product_id = $2 RETURNING 1");
    CHECKOUT = "SELECT id, user_id, fingerprint, state, lines, request, answer, expires_at, created_at, version FROM checkout WHERE id = $1";
    INSERT_CHECKOUT = "INSERT INTO checkout (id, fingerprint, state, lines, request, answer, expires_at, created_at, version, user_id)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";
    UPDATE_CHECKOUT = require!("UPDATE checkout SET fingerprint = $2, state = $3, lines = $4, request = $5, answer = $6, expires_at = $7,
                         created_at = $8, version = $9
                       WHERE id = $1 AND version + 1 = $9 RETURNING 1");
    /// Who ends the checkout waits for this write, or this one for them.
    RESERVING = require!("SELECT 1 FROM checkout WHERE id = $1 AND version = $2 AND state = 'reserving' FOR SHARE");
    CHECKOUTS_DUE = "SELECT id, version FROM checkout WHERE state = 'reserving' AND expires_at <= $1 ORDER BY expires_at LIMIT $2";
    /// Nothing refers to them: what was set aside for one is gone when it ends.
    FORGET_CHECKOUTS = "WITH forgotten AS (
                          DELETE FROM checkout WHERE id = ANY (ARRAY (
                            SELECT id FROM checkout WHERE state <> 'reserving' AND created_at < $1 ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED))
                          RETURNING 1
                        ) SELECT count(*) FROM forgotten";
    RESERVED = "SELECT product_id, seller_id, quantity, price_cents, currency FROM reservation WHERE checkout_id = $1 ORDER BY product_id";
    NOT_RESERVED = require!("SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM reservation WHERE checkout_id = $1 AND product_id = $2)");
    RESERVE = "INSERT INTO reservation (checkout_id, product_id, seller_id, quantity, price_cents, currency) VALUES ($1, $2, $3, $4, $5, $6)";
    TAKE_RESERVED = require!("DELETE FROM reservation WHERE checkout_id = $1 AND product_id = $2 AND seller_id = $3 AND quantity = $4
                       AND price_cents * quantity = $5 AND currency = $6 RETURNING 1");
    /// Refused if it is of other products than were seen.
    GIVE_BACK = "WITH given AS (DELETE FROM reservation WHERE checkout_id = $1 RETURNING product_id)
                 SELECT CASE WHEN (SELECT coalesce(array_agg(product_id ORDER BY product_id), '{}') FROM given) <> $2::uuid[] THEN refuse('') END";
    RESTOCK = "UPDATE product SET stock = least(stock + $2, $3), version = version + 1 WHERE id = $1";
    LOCK_PRODUCTS = "SELECT 1 FROM product WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE";
}

pub(super) fn cart_item(row: &Row) -> Result<cart::Item, Fault> {
    let mut columns = Columns::of(row);
    Ok(cart::Item {
        id: CartItemId(columns.id()?),
        product_id: ProductId(columns.id()?),
        quantity: columns.small()?,
        price: columns.money()?,
        currency: columns.take()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
    })
}

pub(super) fn wish(row: &Row) -> Result<wishlist::Item, Fault> {
    let mut columns = Columns::of(row);
    Ok(wishlist::Item { product_id: ProductId(columns.id()?), created_at: columns.time()? })
}

pub(super) fn checkout(row: &Row) -> Result<Checkout, Fault> {
    let mut columns = Columns::of(row);
    Ok(Checkout {
        id: CheckoutId(columns.id()?),
        user_id: UserId(columns.id()?),
        fingerprint: columns.hash_or_none()?,
        state: columns.word()?,
        lines: columns.json()?,
        request: columns.json()?,
        answer: columns.take::<Vec<u8>>()?.into(),
        expires_at: columns.time()?,
        created_at: columns.time()?,
        version: columns.count()?,
    })
}

/// A line that is set aside for a checkout.
pub(super) fn reserved(row: &Row) -> Result<Reserved, Fault> {
    let mut columns = Columns::of(row);
    Ok(Reserved {
        product: ProductId(columns.id()?),
        seller: UserId(columns.id()?),
        quantity: columns.small()?,
        price: columns.money()?,
        currency: columns.take()?,
    })
}

pub(super) fn due(row: &Row) -> Result<(CheckoutId, u64), Fault> {
    let mut columns = Columns::of(row);
    Ok((CheckoutId(columns.id()?), columns.count()?))
}

pub(super) fn save_item(person: UserId, item: &cart::Item) -> Step<'_> {
    let row = params![
        item.id.0,
        person.0,
        item.product_id.0,
        i64::from(item.quantity),
        item.price.cents(),
        &*item.currency,
        At(item.created_at),
        At(item.updated_at)
    ];
    Step::new(SAVE_ITEM, row).orphan("product")
}

pub(super) fn remove_item<'w>(person: UserId, item: CartItemId) -> Step<'w> {
    Step::or(REMOVE_ITEM, params![item.0, person.0], CommitError::Unchanged)
}

pub(super) fn clear<'w>(person: UserId) -> Step<'w> {
    Step::new(CLEAR_CART, params![person.0])
}

pub(super) fn add_wish<'w>(person: UserId, item: &wishlist::Item) -> Step<'w> {
    Step::or(ADD_WISH, params![person.0, item.product_id.0, At(item.created_at)], CommitError::Unchanged).orphan("product")
}

pub(super) fn remove_wish<'w>(person: UserId, product: ProductId) -> Step<'w> {
    Step::or(REMOVE_WISH, params![person.0, product.0], CommitError::Unchanged)
}

pub(super) fn begin(checkout: &Checkout) -> Step<'_> {
    if checkout.version > 1 {
        return save(checkout);
    }
    let mut row = row(checkout);
    row.push(Box::new(checkout.user_id.0));
    Step::new(INSERT_CHECKOUT, row)
}

/// Replaces a checkout's row, if it has the version before.
pub(super) fn save(checkout: &Checkout) -> Step<'_> {
    Step::or(UPDATE_CHECKOUT, row(checkout), CommitError::Conflict)
}

fn row(checkout: &Checkout) -> Vec<crate::postgres::column::Param<'_>> {
    params![
        checkout.id.0,
        checkout.fingerprint.as_ref().map(|hash| &hash[..]),
        checkout.state.name(),
        Json(&checkout.lines),
        Json(&checkout.request),
        &checkout.answer[..],
        At(checkout.expires_at),
        At(checkout.created_at),
        int(checkout.version)
    ]
}

/// Sets a line aside, around `save`, which takes the stock. Whether the checkout still takes lines is asked here, so that one which comes late finds
/// a checkout that has ended, and takes nothing.
pub(super) fn reserve<'w>(checkout: CheckoutId, begun: u64, line: &'w Reserved, save: Step<'w>) -> Vec<Step<'w>> {
    let Reserved { product, seller, quantity, price, currency } = line;
    let row = params![checkout.0, product.0, seller.0, i64::from(*quantity), price.cents(), &**currency];
    vec![
        Step::or(RESERVING, params![checkout.0, int(begun)], CommitError::Missing("checkout")),
        Step::or(NOT_RESERVED, params![checkout.0, product.0], CommitError::Unchanged),
        save,
        Step::new(RESERVE, row).orphan("product"),
    ]
}

/// Takes what an order is made of: the pieces that were set aside for it, at its price, and its line in the cart.
pub(super) fn take<'w>(checkout: &Checkout, line: &Line, order: &'w Order) -> [Step<'w>; 2] {
    let (quantity, total) = (i64::from(order.quantity), order.total_amount.cents());
    let set_aside = params![checkout.id.0, order.product_id.0, order.seller_id.0, quantity, total, &*order.currency];
    let item = params![line.item.0, checkout.user_id.0, line.product.0, i64::from(line.quantity)];
    [Step::or(TAKE_RESERVED, set_aside, CommitError::Missing("reservation")), Step::or(TAKE_ITEM, item, CommitError::Missing("cart item"))]
}

/// Gives back all that was seen to be set aside for a checkout, and puts it into stock again.
pub(super) fn give_back<'w>(checkout: CheckoutId, seen: &[Reserved]) -> Vec<Step<'w>> {
    // In order of the products, as they were asked for.
    let products: Vec<Uuid> = seen.iter().map(|line| line.product.0).collect();
    let given = Step::as_seen(GIVE_BACK, params![checkout.0, products]);
    std::iter::once(given).chain(seen.iter().map(|line| restock(line.product, line.quantity))).collect()
}

/// Puts pieces into a product's stock, up to the most that it can be.
pub(super) fn restock<'w>(product: ProductId, quantity: u32) -> Step<'w> {
    Step::new(RESTOCK, params![product.0, i64::from(quantity), i64::from(STOCK_MAX)])
}

/// Locks products in one order, whoever orders which.
pub(super) fn lock_products<'w>(orders: &[Order]) -> Step<'w> {
    Step::new(LOCK_PRODUCTS, params![orders.iter().map(|order| order.product_id.0).collect::<Vec<_>>()])
}
