//! Wishlists.

use super::{Asked, Decision, Entity, Plan, QueryError, json};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Key, Kind, Outcome, Query, Refusal, Reply, UserId, View,
    wishlist::{self, ITEMS_MAX},
};
use std::sync::Arc;
use store::{Expect, ShopWrite, StoreError, Write};
use uuid::Uuid;

/// The owner of wishlists.
pub struct Wishlist;

impl Entity for Wishlist {
    const KIND: Kind = Kind::Wishlist;
    type State = wishlist::Wishlist;
    type Command = wishlist::Command;

    fn command(command: Command) -> Option<wishlist::Command> {
        if let Command::Wishlist(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<wishlist::Wishlist>, StoreError> {
        // The version first: a wish that comes in between is read, and the version says at least as much.
        let version = node.stores.shop.key_version(Key::new(Kind::Wishlist, id)).await?;
        let items = node.stores.shop.wishes(UserId(id)).await?;
        Ok(Some(wishlist::Wishlist { items, version }))
    }

    fn version(state: &wishlist::Wishlist) -> u64 {
        state.version
    }

    fn bytes(state: &wishlist::Wishlist) -> usize {
        // Twice: the view's fact is a copy.
        2 * (size_of::<wishlist::Wishlist>() + state.items.len() * size_of::<wishlist::Item>())
    }

    fn view(state: &wishlist::Wishlist) -> View {
        let fact = Fact::Wishes(state.items.clone());
        View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<wishlist::Wishlist>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(
        state: Option<&wishlist::Wishlist>,
        asked: &Asked,
        command: wishlist::Command,
    ) -> Result<Decision<wishlist::Wishlist>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        let me = asked.only(UserId(asked.id))?;
        let known = |product| state.items.iter().find(|item| item.product_id == product);
        let (items, write, reply) = match command {
            wishlist::Command::Add(wish) => {
                asked.user_named(wish.user_id)?;
                if let Some(item) = known(wish.product_id) {
                    return Ok(Decision::Answer(Reply { outcome: Outcome::Done, version: 0, body: json(item) }));
                }
                if state.items.len() >= ITEMS_MAX {
                    return Err(Refusal::new(ErrorCode::LimitReached, format!("a wishlist has at most {ITEMS_MAX} products")));
                }
                let item = wishlist::Item { product_id: wish.product_id, created_at: asked.now };
                let mut items = state.items.clone();
                // Newest first, as the store sorts them: two in the same millisecond go by their products.
                items.insert(items.partition_point(|other| place(other) > place(&item)), item);
                let reply = Reply { outcome: Outcome::Created, version: 0, body: json(&item) };
                (items, ShopWrite::AddWish(me, item), reply)
            }
            wishlist::Command::Remove(product) => {
                let reply = Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() };
                if known(product).is_none() {
                    return Ok(Decision::Answer(reply));
                }
                let items = state.items.iter().filter(|item| item.product_id != product).copied().collect();
                (items, ShopWrite::RemoveWish(me, product), reply)
            }
        };
        let next = Some(wishlist::Wishlist { items, version: state.version + 1 });
        let (write, expect) = (Write::Shop(write), Expect::Version(state.version));
        Ok(Plan { write, expect, touches: Vec::new(), next, reply, unchanged: None }.into())
    }
}

/// Where a wish stands: the newest is the highest.
pub(crate) fn place(item: &wishlist::Item) -> (i64, Uuid) {
    (item.created_at.0, item.product_id.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Principal, ProductId, Role, Timestamp, wishlist::Wish};

    #[test]
    fn wishes_are_kept_once_newest_first_and_have_an_end() {
        let me = UserId::new();
        let decide = |state: &wishlist::Wishlist, now, command| {
            let asked = Asked {
                id: me.0,
                principal: Principal::User { id: me, role: Role::User },
                now: Timestamp(now),
                quota: protocol::file::Quota::NONE,
            };
            match Wishlist::decide(Some(state), &asked, command) {
                Ok(Decision::Commit(plan)) => Ok(plan.next.expect("a next state")),
                Ok(Decision::Answer(_)) => Ok(state.clone()),
                Err(refusal) => Err(refusal.code),
            }
        };
        let add = |product_id| wishlist::Command::Add(Wish { user_id: None, product_id });
        let mut list = wishlist::Wishlist::default();
        for now in 0..ITEMS_MAX as i64 {
            // The clock may stand still, and go back.
            list = decide(&list, now / 2 * 3 % 100, add(ProductId::new())).expect("added");
        }
        assert!(list.items.is_sorted_by_key(|item| std::cmp::Reverse(place(item))));
        assert_eq!(decide(&list, 1000, add(ProductId::new())), Err(ErrorCode::LimitReached));
        assert_eq!(decide(&list, 1000, add(list.items[9].product_id)), Ok(list.clone()));
        let removed = decide(&list, 1000, wishlist::Command::Remove(list.items[9].product_id)).expect("removed");
        assert_eq!((removed.items.len(), removed.version), (ITEMS_MAX - 1, list.version + 1));
    }
}
