//! Carts, their checkout, and wishlists.

use crate::CommitError;
use crate::sqlite::column::{Columns, execute, int, json, list, optional, statements};
use crate::sqlite::fault::{Fault, insert_refused, is_orphan};
use protocol::checkout::{Checkout, Line, Reserved};
use protocol::order::Order;
use protocol::product::STOCK_MAX;
use protocol::{CartItemId, CheckoutId, Key, Kind, ProductId, Timestamp, UserId, cart, wishlist};
use rusqlite::{Connection, Result, Row, params};

/// Checkouts that one transaction forgets: other writes wait no longer than these take.
pub(super) const FORGET_MAX: usize = 1000;

statements! {
    CART = "SELECT id, product_id, quantity, price_cents, currency, created_at, updated_at FROM cart_item WHERE user_id = ?1 ORDER BY id";
    SAVE_ITEM = "INSERT INTO cart_item (id, user_id, product_id, quantity, price_cents, currency, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                 ON CONFLICT (id) DO UPDATE SET quantity = excluded.quantity, price_cents = excluded.price_cents, currency = excluded.currency,
                   updated_at = excluded.updated_at";
    REMOVE_ITEM = "DELETE FROM cart_item WHERE id = ?1 AND user_id = ?2";
    CLEAR_CART = "DELETE FROM cart_item WHERE user_id = ?1";
    TAKE_ITEM = "DELETE FROM cart_item WHERE id = ?1 AND user_id = ?2 AND product_id = ?3 AND quantity = ?4";
    WISHES = "SELECT product_id, created_at FROM wishlist_item WHERE user_id = ?1 ORDER BY created_at DESC, product_id DESC LIMIT ?2";
    ADD_WISH = "INSERT INTO wishlist_item (user_id, product_id, created_at) VALUES (?1, ?2, ?3) ON CONFLICT (user_id, product_id) DO NOTHING";
    REMOVE_WISH = "DELETE FROM wishlist_item WHERE user_id = ?1 AND product_id = ?2";
    CHECKOUT = "SELECT id, user_id, fingerprint, state, lines, request, answer, expires_at, created_at, version FROM checkout WHERE id = ?1";
    INSERT_CHECKOUT = "INSERT INTO checkout (id, user_id, fingerprint, state, lines, request, answer, expires_at, created_at, version)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
    UPDATE_CHECKOUT = "UPDATE checkout SET fingerprint = ?2, state = ?3, lines = ?4, request = ?5, answer = ?6, expires_at = ?7, created_at = ?8,
                         version = ?9
                       WHERE id = ?1 AND version = ?9 - 1";
    RESERVING = "SELECT 1 FROM checkout WHERE id = ?1 AND version = ?2 AND state = 'reserving'";
    CHECKOUTS_DUE = "SELECT id, version FROM checkout WHERE state = 'reserving' AND expires_at <= ?1 ORDER BY expires_at LIMIT ?2";
    FORGET_CHECKOUTS = "DELETE FROM checkout WHERE rowid IN
                          (SELECT rowid FROM checkout WHERE state <> 'reserving' AND created_at < ?1 ORDER BY created_at LIMIT ?2)";
    RESERVED = "SELECT product_id, seller_id, quantity, price_cents, currency FROM reservation WHERE checkout_id = ?1 ORDER BY product_id";
    IS_RESERVED = "SELECT 1 FROM reservation WHERE checkout_id = ?1 AND product_id = ?2";
    RESERVE = "INSERT INTO reservation (checkout_id, product_id, seller_id, quantity, price_cents, currency) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    TAKE_RESERVED = "DELETE FROM reservation WHERE checkout_id = ?1 AND product_id = ?2 AND seller_id = ?3 AND quantity = ?4
                       AND price_cents * quantity = ?5 AND currency = ?6";
    GIVE_BACK = "DELETE FROM reservation WHERE checkout_id = ?1 RETURNING product_id, quantity";
    RESTOCK = "UPDATE product SET stock = min(stock + ?2, ?3), version = version + 1 WHERE id = ?1";
}

/// A person's cart, oldest line first.
pub(super) fn cart(db: &Connection, person: UserId) -> Result<Vec<cart::Item>> {
    list(db, CART, [person.0.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok(cart::Item {
            id: CartItemId(columns.id()?),
            product_id: ProductId(columns.id()?),
            quantity: columns.take()?,
            price: columns.money()?,
            currency: columns.take()?,
            created_at: columns.time()?,
            updated_at: columns.time()?,
        })
    })
}

/// What a person wishes for, newest first.
pub(super) fn wishes(db: &Connection, person: UserId) -> Result<Vec<wishlist::Item>> {
    list(db, WISHES, (person.0.as_bytes(), wishlist::ITEMS_MAX as i64), |row| {
        let mut columns = Columns::of(row);
        Ok(wishlist::Item { product_id: ProductId(columns.id()?), created_at: columns.time()? })
    })
}

/// A checkout.
pub(super) fn checkout(db: &Connection, id: CheckoutId) -> Result<Option<Checkout>> {
    optional(db, CHECKOUT, [id.0.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok(Checkout {
            id: CheckoutId(columns.id()?),
            user_id: UserId(columns.id()?),
            fingerprint: columns.take()?,
            state: columns.word()?,
            lines: columns.json()?,
            request: columns.json()?,
            answer: columns.take::<Vec<u8>>()?.into(),
            expires_at: columns.time()?,
            created_at: columns.time()?,
            version: columns.count()?,
        })
    })
}

/// What is set aside for a checkout.
pub(super) fn reserved(db: &Connection, id: CheckoutId) -> Result<Vec<Reserved>> {
    list(db, RESERVED, [id.0.as_bytes()], |row: &Row<'_>| {
        let mut columns = Columns::of(row);
        Ok(Reserved {
            product: ProductId(columns.id()?),
            seller: UserId(columns.id()?),
            quantity: columns.take()?,
            price: columns.money()?,
            currency: columns.take()?,
        })
    })
}

/// Checkouts that should have ended by `now`.
pub(super) fn checkouts_due(db: &Connection, now: Timestamp, limit: u32) -> Result<Vec<(CheckoutId, u64)>> {
    list(db, CHECKOUTS_DUE, (now.0, limit), |row| {
        let mut columns = Columns::of(row);
        Ok((CheckoutId(columns.id()?), columns.count()?))
    })
}

/// Removes up to [`FORGET_MAX`] checkouts that began before then and have ended; answers how many. Nothing refers to them: what was set aside for
/// one is gone when it ends.
pub(super) fn forget_checkouts(db: &Connection, before: Timestamp) -> Result<usize> {
    execute(db, FORGET_CHECKOUTS, (before.0, FORGET_MAX as i64))
}

pub(super) fn save_item(db: &Connection, person: UserId, item: &cart::Item) -> std::result::Result<(), Fault> {
    let row = params![
        item.id.0.as_bytes(),
        person.0.as_bytes(),
        item.product_id.0.as_bytes(),
        item.quantity,
        item.price.cents(),
        item.currency,
        item.created_at.0,
        item.updated_at.0
    ];
    execute(db, SAVE_ITEM, row).map(drop).map_err(of_product)
}

/// What it means that a row which names a product was refused.
fn of_product(error: rusqlite::Error) -> Fault {
    if is_orphan(&error) { CommitError::Missing("product").into() } else { insert_refused(error, &[]) }
}

pub(super) fn remove_item(db: &Connection, person: UserId, item: CartItemId) -> std::result::Result<(), Fault> {
    changed(execute(db, REMOVE_ITEM, (item.0.as_bytes(), person.0.as_bytes()))?)
}

pub(super) fn clear(db: &Connection, person: UserId) -> std::result::Result<(), Fault> {
    Ok(execute(db, CLEAR_CART, [person.0.as_bytes()]).map(drop)?)
}

pub(super) fn add_wish(db: &Connection, person: UserId, item: &wishlist::Item) -> std::result::Result<(), Fault> {
    let row = (person.0.as_bytes(), item.product_id.0.as_bytes(), item.created_at.0);
    changed(execute(db, ADD_WISH, row).map_err(of_product)?)
}

pub(super) fn remove_wish(db: &Connection, person: UserId, product: ProductId) -> std::result::Result<(), Fault> {
    changed(execute(db, REMOVE_WISH, (person.0.as_bytes(), product.0.as_bytes()))?)
}

fn changed(rows: usize) -> std::result::Result<(), Fault> {
    if rows == 0 { Err(CommitError::Unchanged.into()) } else { Ok(()) }
}

pub(super) fn begin(db: &Connection, checkout: &Checkout) -> std::result::Result<(), Fault> {
    if checkout.version > 1 {
        return save(db, checkout);
    }
    let row = params![
        checkout.id.0.as_bytes(),
        checkout.user_id.0.as_bytes(),
        checkout.fingerprint,
        checkout.state.name(),
        json(&checkout.lines),
        json(&checkout.request),
        &checkout.answer[..],
        checkout.expires_at.0,
        checkout.created_at.0,
        int(checkout.version)
    ];
    execute(db, INSERT_CHECKOUT, row).map(drop).map_err(|error| insert_refused(error, &[]))
}

/// Replaces a checkout's row, if it has the version before.
pub(super) fn save(db: &Connection, checkout: &Checkout) -> std::result::Result<(), Fault> {
    let row = params![
        checkout.id.0.as_bytes(),
        checkout.fingerprint,
        checkout.state.name(),
        json(&checkout.lines),
        json(&checkout.request),
        &checkout.answer[..],
        checkout.expires_at.0,
        checkout.created_at.0,
        int(checkout.version)
    ];
    if execute(db, UPDATE_CHECKOUT, row)? == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) }
}

/// Sets a line aside: the stock was taken, or is about to be, in the same transaction. Whether the checkout still takes lines is asked here, so that
/// one which comes late finds a checkout that has ended, and takes nothing.
pub(super) fn reserve(db: &Connection, checkout: CheckoutId, begun: u64, line: &Reserved) -> std::result::Result<(), Fault> {
    let (id, product) = (checkout.0.as_bytes(), line.product.0.as_bytes());
    if optional(db, RESERVING, (id, int(begun)), |_| Ok(()))?.is_none() {
        return Err(CommitError::Missing("checkout").into());
    }
    if optional(db, IS_RESERVED, (id, product), |_| Ok(()))?.is_some() {
        return Err(CommitError::Unchanged.into());
    }
    let row = params![id, product, line.seller.0.as_bytes(), line.quantity, line.price.cents(), line.currency];
    execute(db, RESERVE, row).map(drop).map_err(of_product)
}

/// Takes what an order is made of: the pieces that were set aside for it, at its price, and its line in the cart.
pub(super) fn take(db: &Connection, checkout: &Checkout, line: &Line, order: &Order) -> std::result::Result<(), Fault> {
    let (id, product, user) = (checkout.id.0.as_bytes(), order.product_id.0.as_bytes(), checkout.user_id.0.as_bytes());
    let set_aside = params![id, product, order.seller_id.0.as_bytes(), order.quantity, order.total_amount.cents(), order.currency];
    if execute(db, TAKE_RESERVED, set_aside)? == 0 {
        return Err(CommitError::Missing("reservation").into());
    }
    if execute(db, TAKE_ITEM, (line.item.0.as_bytes(), user, line.product.0.as_bytes(), line.quantity))? == 0 {
        return Err(CommitError::Missing("cart item").into());
    }
    Ok(())
}

/// Gives back all that is set aside for a checkout; names the products whose stock it is in again.
pub(super) fn give_back(db: &Connection, checkout: CheckoutId) -> Result<Vec<Key>> {
    let given: Vec<(ProductId, u32)> = list(db, GIVE_BACK, [checkout.0.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok((ProductId(columns.id()?), columns.take()?))
    })?;
    given.into_iter().map(|(product, quantity)| restock(db, product, quantity)).collect()
}

/// Puts pieces into a product's stock, up to the most that it can be. Names the product.
pub(super) fn restock(db: &Connection, product: ProductId, quantity: u32) -> Result<Key> {
    execute(db, RESTOCK, (product.0.as_bytes(), quantity, STOCK_MAX))?;
    Ok(Key::new(Kind::Product, product))
}
