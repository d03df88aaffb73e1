//! Carts. A cart holds what its person means to buy and at which price they saw it; what a product costs now, and whether it is there, is said by
//! the product when the cart is read (`read::shop`) and decided by its owner when the cart is checked out.

use super::{Asked, Decision, Entity, Plan, QueryError, json};
use crate::node::Node;
use protocol::{
    Audience, CartItemId, Command, ErrorCode, Fact, Key, Kind, Outcome, Query, Refusal, Reply, UserId, View,
    cart::{self, ITEMS_MAX, NewItem, Seen, validate_quantity},
    order::QUANTITY_MAX,
};
use std::sync::Arc;
use store::{Expect, ShopWrite, StoreError, Write};
use uuid::Uuid;

/// The owner of carts.
pub struct Cart;

impl Entity for Cart {
    const KIND: Kind = Kind::Cart;
    type State = cart::Cart;
    type Command = cart::Command;

    fn command(command: Command) -> Option<cart::Command> {
        if let Command::Cart(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<cart::Cart>, StoreError> {
        // The version first: a line that comes in between is read, and the version says at least as much.
        let version = node.stores.shop.key_version(Key::new(Kind::Cart, id)).await?;
        let items = node.stores.shop.cart(UserId(id)).await?;
        Ok(Some(cart::Cart { items, version }))
    }

    fn version(state: &cart::Cart) -> u64 {
        state.version
    }

    fn bytes(state: &cart::Cart) -> usize {
        // Twice: the view's fact is a copy.
        2 * (size_of::<cart::Cart>() + state.items.len() * (size_of::<cart::Item>() + 3))
    }

    fn view(state: &cart::Cart) -> View {
        let fact = Fact::Cart(state.items.clone());
        View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<cart::Cart>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(state: Option<&cart::Cart>, asked: &Asked, command: cart::Command) -> Result<Decision<cart::Cart>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        let me = asked.only(UserId(asked.id))?;
        match command {
            cart::Command::Add { item, seen } => add(state, asked, item, seen),
            cart::Command::Set { item, quantity, seen } => set(state, asked, (item, quantity), seen),
            cart::Command::Remove(id) => {
                line(state, id)?;
                let items = state.items.iter().filter(|item| item.id != id).cloned().collect();
                Ok(plan(state, items, ShopWrite::RemoveCartItem(me, id), nothing()))
            }
            cart::Command::Clear if state.items.is_empty() => Ok(Decision::Answer(nothing())),
            cart::Command::Clear => Ok(plan(state, Vec::new(), ShopWrite::ClearCart(me), nothing())),
        }
    }
}

fn nothing() -> Reply {
    Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() }
}

fn line(state: &cart::Cart, id: CartItemId) -> Result<&cart::Item, Refusal> {
    state.items.iter().find(|item| item.id == id).ok_or_else(|| ErrorCode::NotFound.into())
}

fn plan(state: &cart::Cart, items: Vec<cart::Item>, write: ShopWrite, reply: Reply) -> Decision<cart::Cart> {
    let next = Some(cart::Cart { items, version: state.version + 1 });
    let (write, expect) = (Write::Shop(write), Expect::Version(state.version));
    Plan { write, expect, touches: Vec::new(), next, reply, unchanged: None }.into()
}

fn add(state: &cart::Cart, asked: &Asked, new: NewItem, seen: Seen) -> Result<Decision<cart::Cart>, Refusal> {
    let me = asked.user_named(new.user_id)?;
    validate_quantity(new.quantity)?;
    let mut items = state.items.clone();
    let (outcome, item) = match items.iter().position(|item| item.product_id == new.product_id) {
        Some(at) => {
            let before = &items[at];
            let quantity = before.quantity.saturating_add(new.quantity);
            if quantity > QUANTITY_MAX {
                return Err(Refusal::field(format!("quantity: the cart has {} of it, and takes {QUANTITY_MAX}", before.quantity)));
            }
            let item = cart::Item { quantity, price: seen.price, currency: seen.currency, updated_at: asked.now, ..before.clone() };
            items[at] = item.clone();
            (Outcome::Done, item)
        }
        None if items.len() >= ITEMS_MAX => {
            return Err(Refusal::new(ErrorCode::LimitReached, format!("a cart has at most {ITEMS_MAX} lines")));
        }
        None => {
            let item = cart::Item {
                id: CartItemId::new(),
                product_id: new.product_id,
                quantity: new.quantity,
                price: seen.price,
                currency: seen.currency,
                created_at: asked.now,
                updated_at: asked.now,
            };
            items.push(item.clone());
            (Outcome::Created, item)
        }
    };
    let reply = Reply { outcome, version: 0, body: json(&item) };
    Ok(plan(state, items, ShopWrite::SaveCartItem(me, item), reply))
}

fn set(state: &cart::Cart, asked: &Asked, (id, quantity): (CartItemId, u32), seen: Option<Seen>) -> Result<Decision<cart::Cart>, Refusal> {
    validate_quantity(quantity)?;
    let before = line(state, id)?;
    let seen = seen.unwrap_or_else(|| Seen { price: before.price, currency: before.currency.clone() });
    let after = cart::Item { quantity, price: seen.price, currency: seen.currency, updated_at: asked.now, ..before.clone() };
    let items = state.items.iter().map(|item| if item.id == id { after.clone() } else { item.clone() }).collect();
    let reply = Reply { outcome: Outcome::Done, version: 0, body: json(&after) };
    Ok(plan(state, items, ShopWrite::SaveCartItem(UserId(asked.id), after), reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Money, Principal, ProductId, Role, Timestamp};

    fn decide(state: &cart::Cart, (of, by): (UserId, UserId), command: cart::Command) -> Result<cart::Cart, ErrorCode> {
        let asked = Asked {
            id: of.0,
            principal: Principal::User { id: by, role: Role::Admin },
            now: Timestamp(9),
            quota: protocol::file::Quota::NONE,
        };
        match Cart::decide(Some(state), &asked, command) {
            Ok(Decision::Commit(plan)) => Ok(plan.next.expect("a next state")),
            Ok(Decision::Answer(_)) => Ok(state.clone()),
            Err(refusal) => Err(refusal.code),
        }
    }

    fn seen(cents: i64) -> Seen {
        Seen { price: Money::from_cents(cents).expect("a price"), currency: "USD".into() }
    }

    fn add(product_id: ProductId, quantity: u32, cents: i64) -> cart::Command {
        cart::Command::Add { item: NewItem { user_id: None, product_id, quantity }, seen: seen(cents) }
    }

    #[test]
    fn a_product_has_one_line_at_the_price_last_seen() {
        let (me, lamp) = (UserId::new(), ProductId::new());
        let cart = decide(&cart::Cart::default(), (me, me), add(lamp, 2, 100)).expect("added");
        let cart = decide(&cart, (me, me), add(lamp, 3, 120)).expect("added");
        assert_eq!((cart.items.len(), cart.items[0].quantity, cart.items[0].price.cents(), cart.version), (1, 5, 120, 2));
        let id = cart.items[0].id;
        let set = |quantity, seen| decide(&cart, (me, me), cart::Command::Set { item: id, quantity, seen });
        assert_eq!(set(1, Some(seen(90))).map(|cart| (cart.items[0].quantity, cart.items[0].price.cents())), Ok((1, 90)));
        assert_eq!(set(1, None).map(|cart| cart.items[0].price.cents()), Ok(120), "what is gone keeps its price");
        assert_eq!(set(0, None), Err(ErrorCode::InvalidField));
        assert_eq!(decide(&cart, (me, me), add(lamp, QUANTITY_MAX - 4, 100)), Err(ErrorCode::InvalidField));
        assert_eq!(decide(&cart, (me, me), cart::Command::Remove(CartItemId::new())), Err(ErrorCode::NotFound));
        assert_eq!(decide(&cart, (me, me), cart::Command::Remove(id)).map(|cart| cart.items.len()), Ok(0));
    }

    #[test]
    fn a_cart_is_its_persons_and_has_an_end() {
        let me = UserId::new();
        let mut cart = cart::Cart::default();
        for _ in 0..ITEMS_MAX {
            cart = decide(&cart, (me, me), add(ProductId::new(), 1, 100)).expect("added");
        }
        assert_eq!(decide(&cart, (me, me), add(ProductId::new(), 1, 100)), Err(ErrorCode::LimitReached));
        assert!(decide(&cart, (me, me), add(cart.items[7].product_id, 1, 100)).is_ok());
        assert_eq!(decide(&cart, (me, UserId::new()), cart::Command::Clear), Err(ErrorCode::Forbidden));
        assert_eq!(decide(&cart, (me, me), cart::Command::Clear).map(|cart| cart.items.len()), Ok(0));
    }
}
