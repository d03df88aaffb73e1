//! Checkouts: what becomes of one, decided purely. Who drives it is [`crate::checkout`].

use super::{Asked, Decision, Entity, Plan, QueryError, json, touch};
use crate::node::Node;
use protocol::{
    Audience, CheckoutId, Command, ErrorCode, Fact, Kind, Outcome, Principal, Query, Refusal, Reply, UserId, View,
    checkout::{self, Answer, Line, Reserved, State, Total, order_of},
};
use std::{collections::BTreeSet, sync::Arc};
use store::{Expect, ShopWrite, StoreError, Touch, Write};
use uuid::Uuid;

/// The owner of checkouts.
pub struct Checkout;

impl Entity for Checkout {
    const KIND: Kind = Kind::Checkout;
    type State = checkout::Checkout;
    type Command = checkout::Command;

    fn command(command: Command) -> Option<checkout::Command> {
        if let Command::Checkout(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<checkout::Checkout>, StoreError> {
        node.stores.shop.checkout(CheckoutId(id)).await
    }

    fn version(state: &checkout::Checkout) -> u64 {
        state.version
    }

    fn bytes(state: &checkout::Checkout) -> usize {
        let address: usize = state.request.shipping_address.iter().map(|(name, value)| 64 + name.len() + value.len()).sum();
        size_of::<checkout::Checkout>() + state.lines.len() * (size_of::<Line>() + 3) + address + state.answer.len()
    }

    fn view(state: &checkout::Checkout) -> View {
        View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact: Fact::None }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<checkout::Checkout>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(
        state: Option<&checkout::Checkout>,
        asked: &Asked,
        command: checkout::Command,
    ) -> Result<Decision<checkout::Checkout>, Refusal> {
        match command {
            checkout::Command::Begin { fingerprint, lines, request } => begin(state, asked, fingerprint, (lines, request)),
            checkout::Command::Confirm { reserved } => confirm(state.ok_or(ErrorCode::NotFound)?, asked, &reserved),
            checkout::Command::Release { begun } => release(state.ok_or(ErrorCode::NotFound)?, asked, begun),
        }
    }
}

/// What whoever drives a checkout is told: `Created` with the client's answer once it is confirmed; until then `Done` with its lines, at the version
/// at which it takes them.
fn told(state: &checkout::Checkout) -> Reply {
    match state.state {
        State::Confirmed => Reply { outcome: Outcome::Created, version: 0, body: state.answer.clone() },
        State::Reserving | State::Released => Reply { outcome: Outcome::Done, version: state.version, body: json(&state.lines) },
    }
}

fn begin(
    state: Option<&checkout::Checkout>,
    asked: &Asked,
    fingerprint: Option<[u8; 32]>,
    (lines, request): (Vec<Line>, checkout::Request),
) -> Result<Decision<checkout::Checkout>, Refusal> {
    let user_id = asked.user()?;
    if let Some(state) = state {
        asked.only(state.user_id)?;
        // One that came to nothing leaves nothing behind, not even what it was asked with.
        if state.state != State::Released {
            let same = state.fingerprint == fingerprint;
            return if same { Ok(Decision::Answer(told(state))) } else { Err(ErrorCode::IdempotencyMismatch.into()) };
        }
    }
    request.validate()?;
    if lines.is_empty() {
        return Err(Refusal::new(ErrorCode::Conflict, "the cart is empty"));
    }
    let next = checkout::Checkout {
        id: CheckoutId(asked.id),
        user_id,
        fingerprint,
        state: State::Reserving,
        lines,
        request,
        answer: bytes::Bytes::new(),
        expires_at: asked.now.plus_ms(checkout::HELD_MS),
        created_at: asked.now,
        version: state.map_or(0, |state| state.version) + 1,
    };
    let reply = told(&next);
    Ok(plan(ShopWrite::BeginCheckout(Box::new(next.clone())), Vec::new(), next, reply))
}

fn plan(write: ShopWrite, touches: Vec<Touch>, next: checkout::Checkout, reply: Reply) -> Decision<checkout::Checkout> {
    Plan { write: Write::Shop(write), expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into()
}

/// All that was set aside becomes orders. That it is set aside, and that the cart still has what was checked out, the store sees to.
fn confirm(state: &checkout::Checkout, asked: &Asked, reserved: &[Reserved]) -> Result<Decision<checkout::Checkout>, Refusal> {
    asked.only(state.user_id)?;
    match state.state {
        State::Confirmed => return Ok(Decision::Answer(told(state))),
        State::Released => return Err(Refusal::new(ErrorCode::Expired, "the checkout was given up, and nothing was ordered")),
        State::Reserving if asked.now >= state.expires_at => {
            return Err(Refusal::new(ErrorCode::Expired, "the checkout took too long, and nothing was ordered"));
        }
        State::Reserving => {}
    }
    let fits = |(line, reserved): (&Line, &Reserved)| {
        let agreed = reserved.price <= line.price_max && reserved.currency == line.currency;
        line.product == reserved.product && line.quantity == reserved.quantity && agreed
    };
    if state.lines.len() != reserved.len() || !state.lines.iter().zip(reserved).all(fits) {
        return Err(ErrorCode::Conflict.into());
    }
    let (mut orders, mut totals) = (Vec::with_capacity(reserved.len()), Vec::new());
    for line in reserved {
        let total = line.price.times(line.quantity).map_err(|e| Refusal::field(format!("quantity: {e}")))?;
        orders.push(order_of(line, total, state, asked.now));
        Total::add(&mut totals, &line.currency, total.cents());
    }
    let answer = json(&Answer { id: state.id, orders: &orders, totals, created_at: asked.now });
    let next = checkout::Checkout { state: State::Confirmed, answer, version: state.version + 1, ..state.clone() };
    let sellers: BTreeSet<UserId> = orders.iter().map(|order| order.seller_id).collect();
    let mut touches = vec![touch(Kind::Cart, state.user_id), touch(Kind::BuyerOrders, state.user_id)];
    touches.extend(sellers.into_iter().map(|seller| touch(Kind::SellerOrders, seller)));
    let reply = told(&next);
    Ok(plan(ShopWrite::ConfirmCheckout(Box::new(next.clone()), orders), touches, next, reply))
}

/// Whoever comes late is told how it ended: that is `Created` if it became orders, and version 0 if others released it.
fn release(state: &checkout::Checkout, asked: &Asked, begun: u64) -> Result<Decision<checkout::Checkout>, Refusal> {
    if asked.principal != Principal::Platform {
        asked.only(state.user_id)?;
    }
    if state.state != State::Reserving || state.version != begun {
        return Ok(Decision::Answer(Reply { version: 0, ..told(state) }));
    }
    let next = checkout::Checkout { state: State::Released, version: state.version + 1, ..state.clone() };
    let reply = told(&next);
    Ok(plan(ShopWrite::ReleaseCheckout(Box::new(next.clone())), Vec::new(), next, reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{CartItemId, Money, ProductId, Role, Timestamp};

    const NOW: Timestamp = Timestamp(1000);

    fn money(cents: i64) -> Money {
        Money::from_cents(cents).expect("a price")
    }

    fn a_line(quantity: u32) -> Line {
        Line { item: CartItemId::new(), product: ProductId::new(), quantity, price_max: money(100), currency: "USD".into() }
    }

    fn set_aside(line: &Line, cents: i64) -> Reserved {
        let (product, quantity, currency) = (line.product, line.quantity, line.currency.clone());
        Reserved { product, seller: UserId::new(), quantity, price: money(cents), currency }
    }

    struct Trial {
        id: Uuid,
        buyer: UserId,
        state: Option<checkout::Checkout>,
    }

    impl Trial {
        fn new() -> Self {
            Self { id: Uuid::now_v7(), buyer: UserId::new(), state: None }
        }

        fn asks(&mut self, now: Timestamp, principal: Principal, command: checkout::Command) -> Result<(Reply, usize), ErrorCode> {
            match Checkout::decide(self.state.as_ref(), &Asked { id: self.id, principal, now, quota: protocol::file::Quota::NONE }, command)
            {
                Ok(Decision::Answer(reply)) => Ok((reply, 0)),
                Ok(Decision::Commit(plan)) => {
                    self.state = plan.next;
                    Ok((plan.reply, plan.touches.len()))
                }
                Err(refusal) => Err(refusal.code),
            }
        }

        fn me(&self) -> Principal {
            Principal::User { id: self.buyer, role: Role::User }
        }

        fn begin(&mut self, fingerprint: u8, lines: &[Line]) -> Result<(Reply, usize), ErrorCode> {
            let (fingerprint, lines) = (Some([fingerprint; 32]), lines.to_vec());
            self.asks(NOW, self.me(), checkout::Command::Begin { fingerprint, lines, request: Default::default() })
        }

        fn confirm(&mut self, now: Timestamp, reserved: Vec<Reserved>) -> Result<(Reply, usize), ErrorCode> {
            self.asks(now, self.me(), checkout::Command::Confirm { reserved })
        }
    }

    #[test]
    fn what_is_all_set_aside_becomes_orders_once() {
        let mut trial = Trial::new();
        let lines = [a_line(2), a_line(3)];
        assert_eq!(trial.begin(1, &[]).err(), Some(ErrorCode::Conflict));
        let (begun, _) = trial.begin(1, &lines).expect("begun");
        assert_eq!((begun.outcome, begun.version, &begun.body), (Outcome::Done, 1, &json(&lines)));
        // Whoever repeats it meanwhile drives the same one, whatever is in the cart by then; another request may not have its key.
        assert_eq!(trial.begin(1, &[a_line(9)]).expect("the same").0, begun);
        assert_eq!(trial.begin(2, &lines).err(), Some(ErrorCode::IdempotencyMismatch));

        let both = vec![set_aside(&lines[0], 100), set_aside(&lines[1], 90)];
        assert_eq!(trial.confirm(NOW, both[..1].to_vec()).err(), Some(ErrorCode::Conflict));
        assert_eq!(trial.confirm(NOW, vec![set_aside(&lines[0], 101), both[1].clone()]).err(), Some(ErrorCode::Conflict));
        let late = NOW.plus_ms(checkout::HELD_MS);
        assert_eq!(trial.confirm(late, both.clone()).err(), Some(ErrorCode::Expired));
        let (confirmed, touched) = trial.confirm(late.plus_ms(-1), both.clone()).expect("confirmed");
        assert_eq!((confirmed.outcome, touched), (Outcome::Created, 4), "cart, own orders, and those of two sellers");
        let answer: serde_json::Value = serde_json::from_slice(&confirmed.body).expect("JSON");
        assert_eq!(answer["totals"], serde_json::json!([{ "currency": "USD", "amount": "4.70" }]));
        assert_eq!(answer["orders"].as_array().map(Vec::len), Some(2));
        // From now on every question has this answer.
        assert_eq!(trial.confirm(late, Vec::new()).expect("again").0, confirmed);
        assert_eq!(trial.begin(1, &[]).expect("again").0, confirmed);
        let release = checkout::Command::Release { begun: 1 };
        assert_eq!(trial.asks(late, Principal::Platform, release).expect("too late").0, confirmed);
    }

    #[test]
    fn what_was_released_can_begin_again_and_is_not_ended_twice() {
        let mut trial = Trial::new();
        let lines = [a_line(2)];
        trial.begin(1, &lines).expect("begun");
        let stranger = Principal::User { id: UserId::new(), role: Role::Admin };
        let release = |begun| checkout::Command::Release { begun };
        assert_eq!(trial.asks(NOW, stranger, release(1)).err(), Some(ErrorCode::Forbidden));
        assert_eq!(trial.asks(NOW, stranger, checkout::Command::Confirm { reserved: Vec::new() }).err(), Some(ErrorCode::Forbidden));
        trial.asks(NOW, Principal::Platform, release(1)).expect("released");
        assert_eq!(trial.confirm(NOW, vec![set_aside(&lines[0], 100)]).err(), Some(ErrorCode::Expired));
        let (again, _) = trial.begin(2, &lines).expect("begun again");
        assert_eq!((again.outcome, again.version), (Outcome::Done, 3));
        // A sweeper that means the first beginning leaves the second alone.
        trial.asks(NOW, Principal::Platform, release(1)).expect("answered");
        assert_eq!(trial.state.as_ref().map(|state| state.state), Some(State::Reserving));
    }
}
