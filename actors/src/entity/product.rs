//! Products: price, stock, and the orders that take from it.

use super::{Asked, Decision, Entity, Plan, QueryError, family, heard, json, touch};
use crate::{node::Node, snapshot::Snapshot, visibility::moderates};
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, Money, OrderId, Outcome, ProductId, Query, Refusal, Reply, UserId, View,
    checkout::Reserved,
    order::{NewOrder, Order, PaymentStatus, Status},
    product::{self, NewProduct, Rating, Reserve},
};
use std::sync::Arc;
use store::{Expect, ShopWrite, StoreError, Touch, Write};
use uuid::Uuid;

/// The owner of products.
pub struct Product;

/// The product of a snapshot: the owner's state; or from what another node answered all but its rating, which that tells rounded.
pub(crate) fn of(snapshot: &Snapshot) -> Option<Arc<product::Product>> {
    snapshot.state::<Product>().or_else(|| serde_json::from_slice(&snapshot.view.body).ok())
}

impl Entity for Product {
    const KIND: Kind = Kind::Product;
    type State = product::Product;
    type Command = product::Command;

    fn command(command: Command) -> Option<product::Command> {
        if let Command::Product(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<product::Product>, StoreError> {
        node.stores.shop.product(ProductId(id)).await
    }

    fn version(state: &product::Product) -> u64 {
        state.version
    }

    fn bytes(state: &product::Product) -> usize {
        let texts = [&state.description, &state.category];
        size_of::<product::Product>()
            + state.name.len()
            + texts.iter().map(|t| t.as_ref().map_or(0, String::len)).sum::<usize>()
            + state.images.iter().map(|i| 24 + i.len()).sum::<usize>()
    }

    fn view(state: &product::Product) -> View {
        let body = if state.deleted { bytes::Bytes::new() } else { json(state) };
        View { version: state.version, audience: state.audience(), body, fact: Fact::By(state.seller_id) }
    }

    /// The view tells the rating rounded.
    fn freeze(state: &product::Product) -> Option<Box<[u8]>> {
        let rating = (state.rating.sum, state.rating.count);
        (!state.deleted).then(|| postcard::to_stdvec(&rating).expect("numbers serialise").into())
    }

    fn thaw(view: &View, frozen: &[u8]) -> Option<product::Product> {
        let (sum, count) = postcard::from_bytes(frozen).ok()?;
        let shown: product::Product = serde_json::from_slice(&view.body).ok()?;
        Some(product::Product { rating: Rating { sum, count }, ..shown })
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<product::Product>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(state: Option<&product::Product>, asked: &Asked, command: product::Command) -> Result<Decision<product::Product>, Refusal> {
        if let product::Command::Create(new) = command {
            return create(state, asked, new);
        }
        let state = state.filter(|s| !s.deleted).ok_or(ErrorCode::NotFound)?;
        match command {
            product::Command::Create(_) => Err(ErrorCode::BadFrame.into()),
            product::Command::Update(update) => {
                asked.only(state.seller_id)?;
                update.validate()?;
                let mut next = next(state, asked);
                update.apply(&mut next);
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: json(&next) };
                Ok(save(state, next, reply))
            }
            product::Command::Delete => {
                if !moderates(&asked.principal) {
                    asked.only(state.seller_id)?;
                }
                let next = product::Product { deleted: true, ..next(state, asked) };
                let reply = Reply { outcome: Outcome::Done, version: next.version, body: bytes::Bytes::new() };
                Ok(save(state, next, reply))
            }
            product::Command::Order(new) => order(state, asked, new),
            product::Command::Reserve(line) => reserve(state, asked, line),
            product::Command::Moderate(verdict) => {
                asked.only_platform()?;
                // Nobody edited it.
                let next = product::Product { hidden: verdict.hidden, updated_at: state.updated_at, ..next(state, asked) };
                let touches = list_touches(Some(state), &next);
                let write = Write::Shop(ShopWrite::Moderate(Box::new(next.clone()), verdict));
                Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply: heard(), unchanged: Some(heard()) }.into())
            }
        }
    }
}

fn next(state: &product::Product, asked: &Asked) -> product::Product {
    product::Product { version: state.version + 1, updated_at: asked.now, ..state.clone() }
}

fn save(before: &product::Product, next: product::Product, reply: Reply) -> Decision<product::Product> {
    let touches = list_touches(Some(before), &next);
    let write = Write::Shop(ShopWrite::SaveProduct(Box::new(next.clone())));
    Plan { write, expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into()
}

/// A list moves when what selects or sorts its rows does: not by stock, and by price only where price counts.
fn list_touches(before: Option<&product::Product>, after: &product::Product) -> Vec<Touch> {
    let listed = |p: &product::Product| p.audience() == Audience::Everyone;
    let selected = |p: &product::Product| (listed(p), p.name.clone(), p.description.clone(), p.category.clone());
    let ever_listed = listed(after) || before.is_some_and(listed);
    let moved = ever_listed && before.map(selected) != Some(selected(after));
    let priced = ever_listed && before.map(|p| p.price) != Some(after.price);
    let mut touches = Vec::new();
    if moved {
        touches.push(touch(Kind::ProductList, family::PRODUCTS));
    }
    if moved || priced {
        touches.push(touch(Kind::ProductList, family::PRODUCTS_BY_PRICE));
        // A list by rating can have a range of prices. Ratings are moved by reviews.
        touches.push(touch(Kind::ProductList, family::PRODUCTS_BY_RATING));
    }
    if before.map(|p| p.deleted) != Some(after.deleted) {
        touches.push(touch(Kind::SellerProducts, after.seller_id));
    }
    touches
}

fn create(state: Option<&product::Product>, asked: &Asked, new: NewProduct) -> Result<Decision<product::Product>, Refusal> {
    if state.is_some() {
        return Err(ErrorCode::Conflict.into());
    }
    let seller_id = asked.user_named(new.seller_id)?;
    new.validate()?;
    let product = product::Product {
        id: ProductId(asked.id),
        seller_id,
        name: new.name,
        description: new.description,
        price: new.price,
        currency: new.currency,
        images: new.images,
        category: new.category,
        stock: new.stock,
        is_public: new.is_public,
        is_active: new.is_active,
        rating: Rating::default(),
        created_at: asked.now,
        updated_at: asked.now,
        version: 1,
        deleted: false,
        hidden: false,
    };
    let reply = Reply { outcome: Outcome::Created, version: 1, body: json(&product) };
    let touches = list_touches(None, &product);
    let write = Write::Shop(ShopWrite::CreateProduct(Box::new(product.clone())));
    Ok(Plan { write, expect: Expect::Row, touches, next: Some(product), reply, unchanged: None }.into())
}

/// What is left once a buyer takes so many pieces.
fn taken(state: &product::Product, buyer: UserId, quantity: u32) -> Result<u32, Refusal> {
    if state.audience() != Audience::Everyone {
        return Err(if buyer == state.seller_id { ErrorCode::NotForSale } else { ErrorCode::NotFound }.into());
    }
    if buyer == state.seller_id {
        return Err(Refusal::new(ErrorCode::NotForSale, "nobody buys from themselves"));
    }
    let short = || Refusal::new(ErrorCode::OutOfStock, format!("{} in stock, {quantity} ordered", state.stock));
    state.stock.checked_sub(quantity).ok_or_else(short)
}

fn total(price: Money, quantity: u32) -> Result<Money, Refusal> {
    price.times(quantity).map_err(|e| Refusal::field(format!("quantity: {e}")))
}

fn order(state: &product::Product, asked: &Asked, new: NewOrder) -> Result<Decision<product::Product>, Refusal> {
    let buyer_id = asked.user_named(new.buyer_id)?;
    new.validate()?;
    let stock = taken(state, buyer_id, new.quantity)?;
    let order = Order {
        id: OrderId::new(),
        buyer_id,
        seller_id: state.seller_id,
        product_id: state.id,
        quantity: new.quantity,
        total_amount: total(state.price, new.quantity)?,
        currency: state.currency.clone(),
        status: Status::Pending,
        shipping_address: new.shipping_address,
        payment_method: new.payment_method,
        payment_status: PaymentStatus::Pending,
        created_at: asked.now,
        updated_at: asked.now,
        version: 1,
    };
    let next = product::Product { stock, ..next(state, asked) };
    let reply = Reply { outcome: Outcome::Created, version: 1, body: json(&order) };
    let touches = vec![touch(Kind::BuyerOrders, buyer_id), touch(Kind::SellerOrders, state.seller_id)];
    let write = Write::Shop(ShopWrite::PlaceOrder(Box::new(next.clone()), Box::new(order)));
    Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into())
}

/// Takes pieces out of the stock for a checkout. What has been set aside already is not set aside twice: the store finds that out, and also that the
/// checkout has ended meanwhile.
fn reserve(state: &product::Product, asked: &Asked, line: Reserve) -> Result<Decision<product::Product>, Refusal> {
    let stock = taken(state, asked.user()?, line.quantity)?;
    if state.currency != line.currency || state.price > line.price_max {
        let detail =
            format!("it costs {} {}, and was put into the cart at {} {}", state.price, state.currency, line.price_max, line.currency);
        return Err(Refusal::new(ErrorCode::PriceRaised, detail));
    }
    total(state.price, line.quantity)?;
    let reserved = Reserved {
        product: state.id,
        seller: state.seller_id,
        quantity: line.quantity,
        price: state.price,
        currency: state.currency.clone(),
    };
    let next = product::Product { stock, ..next(state, asked) };
    let reply = Reply { outcome: Outcome::Done, version: next.version, body: bytes::Bytes::new() };
    let write = Write::Shop(ShopWrite::Reserve(Box::new(next.clone()), line.checkout, line.begun, reserved));
    Ok(Plan { write, expect: Expect::Row, touches: Vec::new(), next: Some(next), unchanged: Some(reply.clone()), reply }.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use protocol::{CheckoutId, Principal, Role, Timestamp};

    fn a_product(seller: UserId, stock: u32) -> product::Product {
        product::Product {
            id: ProductId::new(),
            seller_id: seller,
            name: "lamp".into(),
            description: None,
            price: Money::from_cents(1250).expect("a price"),
            currency: "USD".into(),
            images: Vec::new(),
            category: None,
            stock,
            is_public: true,
            is_active: true,
            rating: Rating::default(),
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            version: 1,
            deleted: false,
            hidden: false,
        }
    }

    fn decide(state: &product::Product, by: UserId, command: product::Command) -> Result<Plan<product::Product>, ErrorCode> {
        let asked = Asked {
            id: state.id.0,
            principal: Principal::User { id: by, role: Role::User },
            now: Timestamp(9),
            quota: protocol::file::Quota::NONE,
        };
        match Product::decide(Some(state), &asked, command) {
            Ok(Decision::Commit(plan)) => Ok(*plan),
            Ok(Decision::Answer(_)) => panic!("a write was expected"),
            Err(refusal) => Err(refusal.code),
        }
    }

    fn buy(state: &product::Product, quantity: u32) -> product::Command {
        let none = Default::default();
        product::Command::Order(NewOrder { buyer_id: None, product_id: state.id, quantity, shipping_address: none, payment_method: None })
    }

    proptest! {
        #[test]
        fn stock_and_sold_pieces_always_add_up(stock in 0..50u32, orders in prop::collection::vec(1..9u32, 0..40)) {
            let (seller, buyer) = (UserId::new(), UserId::new());
            let (mut state, mut sold) = (a_product(seller, stock), 0);
            for quantity in orders {
                match decide(&state, buyer, buy(&state, quantity)) {
                    Ok(plan) => { sold += quantity; state = plan.next.expect("a next state"); }
                    Err(code) => { prop_assert_eq!(code, ErrorCode::OutOfStock); prop_assert!(quantity > state.stock); }
                }
                prop_assert_eq!(state.stock + sold, stock);
            }
        }
    }

    #[test]
    fn lists_move_by_what_they_select_and_sort_by_only() {
        let seller = UserId::new();
        let lamp = a_product(seller, 5);
        let families = |update| decide(&lamp, seller, product::Command::Update(update)).expect("accepted").touches.len();
        let update = product::Update::default;
        assert_eq!(families(product::Update { stock: Some(1), ..update() }), 0);
        assert_eq!(families(product::Update { price: Some(Money::MAX), ..update() }), 2);
        assert_eq!(families(product::Update { name: Some("torch".into()), ..update() }), 3);
        assert_eq!(families(product::Update { is_active: Some(false), ..update() }), 3);
        assert!(decide(&lamp, UserId::new(), buy(&lamp, 1)).expect("accepted").touches.len() == 2);
    }

    #[test]
    fn a_hidden_product_is_its_sellers_and_comes_back_as_it_was() {
        let seller = UserId::new();
        let moderated = |state: &product::Product, hidden| {
            let verdict = protocol::moderation::Verdict { hidden, case_version: 2 };
            let asked = Asked { id: state.id.0, principal: Principal::Platform, now: Timestamp(9), quota: protocol::file::Quota::NONE };
            match Product::decide(Some(state), &asked, product::Command::Moderate(verdict)) {
                Ok(Decision::Commit(plan)) => plan,
                _ => panic!("the platform may"),
            }
        };
        let lamp = a_product(seller, 5);
        let hiding = moderated(&lamp, true);
        assert!(hiding.touches.contains(&touch(Kind::ProductList, family::PRODUCTS)), "the list of products loses it");
        let hidden = hiding.next.expect("a next state");
        assert_eq!(hidden.audience(), Audience::Only(seller));
        assert_eq!(decide(&hidden, UserId::new(), buy(&hidden, 1)).err(), Some(ErrorCode::NotFound), "nobody buys it");
        assert_eq!(moderated(&hidden, false).next, Some(product::Product { version: lamp.version + 2, ..lamp }));
        let verdict = protocol::moderation::Verdict { hidden: true, case_version: 9 };
        assert_eq!(decide(&hidden, seller, product::Command::Moderate(verdict)).err(), Some(ErrorCode::Forbidden));
    }

    #[test]
    fn what_is_not_for_sale_is_not_sold() {
        let (seller, buyer) = (UserId::new(), UserId::new());
        let hidden = product::Product { is_public: false, ..a_product(seller, 5) };
        assert_eq!(decide(&hidden, buyer, buy(&hidden, 1)).err(), Some(ErrorCode::NotFound));
        let lamp = a_product(seller, 5);
        assert_eq!(decide(&lamp, seller, buy(&lamp, 1)).err(), Some(ErrorCode::NotForSale));
        let dear = product::Product { price: Money::MAX, ..lamp };
        assert_eq!(decide(&dear, buyer, buy(&dear, 2)).err(), Some(ErrorCode::InvalidField));
    }

    #[test]
    fn a_line_is_set_aside_at_a_price_that_its_buyer_has_seen() {
        let (seller, buyer) = (UserId::new(), UserId::new());
        let lamp = a_product(seller, 5);
        let reserve = |quantity, cents, currency: &str| {
            let price_max = Money::from_cents(cents).expect("a price");
            let line = Reserve { checkout: CheckoutId::new(), begun: 1, quantity, price_max, currency: currency.into() };
            decide(&lamp, buyer, product::Command::Reserve(line)).map(|plan| {
                let Write::Shop(ShopWrite::Reserve(next, _, _, reserved)) = plan.write else { panic!("a reservation was expected") };
                (next.stock, reserved.price.cents())
            })
        };
        assert_eq!(reserve(5, 1250, "USD"), Ok((0, 1250)));
        assert_eq!(reserve(1, 2000, "USD"), Ok((4, 1250)), "whoever agreed to more pays what it costs");
        assert_eq!(reserve(1, 1249, "USD"), Err(ErrorCode::PriceRaised));
        assert_eq!(reserve(1, 1250, "EUR"), Err(ErrorCode::PriceRaised));
        assert_eq!(reserve(6, 1250, "USD"), Err(ErrorCode::OutOfStock));
    }
}
