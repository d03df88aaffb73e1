//! Orders on their way. A product's owner makes them, because it holds the stock; from then on each order is its own owner's. What is cancelled goes
//! back into the product's stock in the same transaction: adding commutes with whatever the product's owner decides meanwhile.

use super::{Asked, Decision, Entity, Plan, QueryError, json, touch};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, OrderId, Outcome, Query, Refusal, Reply, View,
    order::{self, Change, PaymentStatus, Side, Status},
};
use std::sync::Arc;
use store::{Expect, ShopWrite, StoreError, Write};
use uuid::Uuid;

/// The owner of orders.
pub struct Order;

impl Entity for Order {
    const KIND: Kind = Kind::Order;
    type State = order::Order;
    type Command = order::Command;

    fn command(command: Command) -> Option<order::Command> {
        if let Command::Order(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<order::Order>, StoreError> {
        node.stores.shop.order(OrderId(id)).await
    }

    fn version(state: &order::Order) -> u64 {
        state.version
    }

    fn bytes(state: &order::Order) -> usize {
        let address: usize = state.shipping_address.iter().map(|(name, value)| 64 + name.len() + value.len()).sum();
        size_of::<order::Order>() + address + state.payment_method.as_ref().map_or(0, String::len)
    }

    fn view(state: &order::Order) -> View {
        let fact = Fact::Between { buyer: state.buyer_id, seller: state.seller_id };
        View { version: state.version, audience: Audience::Platform, body: json(state), fact }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<order::Order>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(state: Option<&order::Order>, asked: &Asked, command: order::Command) -> Result<Decision<order::Order>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        let user = asked.user()?;
        let side = match user {
            buyer if buyer == state.buyer_id => Side::Buyer,
            seller if seller == state.seller_id => Side::Seller,
            _ => return Err(ErrorCode::NotFound.into()),
        };
        let order::Command::Change(change) = command;
        change.validate()?;
        let next = changed(state, side, &change)?;
        if (next.status, next.payment_status) == (state.status, state.payment_status) {
            return Ok(Decision::Answer(Reply { outcome: Outcome::Done, version: state.version, body: json(state) }));
        }
        let next = order::Order { updated_at: asked.now, version: state.version + 1, ..next };
        let reply = Reply { outcome: Outcome::Done, version: next.version, body: json(&next) };
        let row = Box::new(next.clone());
        let cancelled = next.status == Status::Cancelled && state.status != Status::Cancelled;
        let write = Write::Shop(if cancelled { ShopWrite::CancelOrder(row) } else { ShopWrite::SaveOrder(row) });
        let touches = vec![touch(Kind::BuyerOrders, state.buyer_id), touch(Kind::SellerOrders, state.seller_id)];
        Ok(Plan { write, expect: Expect::Row, touches, next: Some(next), reply, unchanged: None }.into())
    }
}

/// What a change makes of an order. Asking for what already is changes nothing.
fn changed(state: &order::Order, side: Side, change: &Change) -> Result<order::Order, Refusal> {
    let mut next = state.clone();
    if let Some(status) = change.status.filter(|status| *status != state.status) {
        if !state.status.next(side).contains(&status) {
            return Err(not_from_here(state.status, side));
        }
        next.status = status;
    }
    if change.payment_status == Some(PaymentStatus::Paid) && state.payment_status != PaymentStatus::Paid {
        if side == Side::Buyer {
            return Err(Refusal::new(ErrorCode::Forbidden, "that an order was paid is its seller's to say"));
        }
        if next.status == Status::Cancelled || state.payment_status == PaymentStatus::Refunded {
            return Err(Refusal::new(ErrorCode::WrongStatus, "an order that was cancelled is not paid any more"));
        }
        next.payment_status = PaymentStatus::Paid;
    }
    if next.status == Status::Cancelled && next.payment_status == PaymentStatus::Paid {
        next.payment_status = PaymentStatus::Refunded;
    }
    Ok(next)
}

fn not_from_here(status: Status, side: Side) -> Refusal {
    let who = match side {
        Side::Buyer => "buyer",
        Side::Seller => "seller",
    };
    let allowed: Vec<_> = status.next(side).iter().map(|status| status.name()).collect();
    let can = if allowed.is_empty() { "cannot change that any more".to_owned() } else { format!("can make it {}", allowed.join(" or ")) };
    Refusal::new(ErrorCode::WrongStatus, format!("the order is {}: its {who} {can}", status.name()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Money, Principal, ProductId, Role, Timestamp, UserId};

    const ALL: [Status; 5] = [Status::Pending, Status::Confirmed, Status::Shipped, Status::Delivered, Status::Cancelled];

    fn an_order(status: Status, payment_status: PaymentStatus) -> order::Order {
        order::Order {
            id: OrderId::new(),
            buyer_id: UserId::new(),
            seller_id: UserId::new(),
            product_id: ProductId::new(),
            quantity: 2,
            total_amount: Money::MAX,
            currency: "USD".into(),
            status,
            shipping_address: Default::default(),
            payment_method: None,
            payment_status,
            created_at: Timestamp(1),
            updated_at: Timestamp(1),
            version: 3,
        }
    }

    fn decide(state: &order::Order, by: UserId, change: Change) -> Result<Decision<order::Order>, Refusal> {
        let asked = Asked {
            id: state.id.0,
            principal: Principal::User { id: by, role: Role::Moderator },
            now: Timestamp(9),
            quota: protocol::file::Quota::NONE,
        };
        Order::decide(Some(state), &asked, order::Command::Change(change))
    }

    fn to(status: Status) -> Change {
        Change { status: Some(status), payment_status: None }
    }

    /// Every status, side and wish: what the table says is done, what is already so is answered, and all else is refused with what is allowed.
    #[test]
    fn an_order_goes_one_way() {
        for (from, wish) in ALL.into_iter().flat_map(|from| ALL.map(|wish| (from, wish))) {
            let order = an_order(from, PaymentStatus::Pending);
            for (by, side) in [(order.buyer_id, Side::Buyer), (order.seller_id, Side::Seller)] {
                match decide(&order, by, to(wish)) {
                    Ok(Decision::Answer(reply)) => assert_eq!((from, reply.version), (wish, 3)),
                    Ok(Decision::Commit(plan)) => {
                        assert!(from.next(side).contains(&wish), "{from:?} to {wish:?} by {side:?}");
                        let returns = matches!(plan.write, Write::Shop(ShopWrite::CancelOrder(_)));
                        assert_eq!(returns, wish == Status::Cancelled);
                        assert_eq!(plan.touches.len(), 2, "both people's lists show it");
                    }
                    Err(refusal) => {
                        assert_eq!(refusal.code, ErrorCode::WrongStatus);
                        assert!(from != wish && !from.next(side).contains(&wish), "{from:?} to {wish:?} by {side:?}");
                        assert!(from.next(side).iter().all(|next| refusal.detail.contains(next.name())), "{refusal}");
                    }
                }
            }
        }
        assert!(Status::Shipped.next(Side::Buyer).is_empty() && Status::Shipped.next(Side::Seller).contains(&Status::Cancelled));
    }

    #[test]
    fn strangers_know_of_no_order_whatever_their_role() {
        let order = an_order(Status::Pending, PaymentStatus::Pending);
        assert_eq!(decide(&order, UserId::new(), to(Status::Cancelled)).err().map(|r| r.code), Some(ErrorCode::NotFound));
    }

    #[test]
    fn money_comes_by_the_sellers_word_and_goes_back_with_the_goods() {
        let paid = Change { status: None, payment_status: Some(PaymentStatus::Paid) };
        let next = |order: &order::Order, by, change| match decide(order, by, change) {
            Ok(Decision::Commit(plan)) => Ok(plan.next.expect("a next state")),
            Ok(Decision::Answer(_)) => Ok(order.clone()),
            Err(refusal) => Err(refusal.code),
        };
        let order = an_order(Status::Confirmed, PaymentStatus::Pending);
        assert_eq!(next(&order, order.buyer_id, paid.clone()), Err(ErrorCode::Forbidden));
        let order = next(&order, order.seller_id, paid.clone()).expect("paid");
        assert_eq!(order.payment_status, PaymentStatus::Paid);
        let order = next(&order, order.buyer_id, to(Status::Cancelled)).expect("cancelled");
        assert_eq!(order.payment_status, PaymentStatus::Refunded);
        assert_eq!(next(&order, order.seller_id, paid), Err(ErrorCode::WrongStatus));
        let both = Change { status: Some(Status::Confirmed), payment_status: Some(PaymentStatus::Paid) };
        let order = an_order(Status::Pending, PaymentStatus::Pending);
        let order = next(&order, order.seller_id, both).expect("both");
        assert_eq!((order.status, order.payment_status), (Status::Confirmed, PaymentStatus::Paid));
        let unpaid = an_order(Status::Pending, PaymentStatus::Pending);
        let cancelled = next(&unpaid, unpaid.buyer_id, to(Status::Cancelled)).expect("cancelled");
        assert_eq!(cancelled.payment_status, PaymentStatus::Pending, "nothing goes back that never came");
        assert_eq!(next(&unpaid, unpaid.seller_id, Change::default()), Err(ErrorCode::InvalidField));
    }
}
