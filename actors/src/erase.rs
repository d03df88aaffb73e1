//! Forgetting somebody who left: what they made, everywhere.
//!
//! Their row in the users database was emptied when they left, in one transaction, and from then on nobody saw anything of theirs. What is left are rows
//! of others' databases. Those that an owner holds go through the owner, as if the person had deleted them; what only the person could see is
//! removed from the store. Each step may be repeated: whatever is gone is not found again.

use crate::{belonging::Belonging, client::Client, node::Node, owner::refusal_of};
use protocol::{
    Command, ErrorCode, Key, Kind, Page, Principal, Refusal, Reply, Role, UserId, cart, file, follow, post, product, review, wishlist,
};
use std::sync::Arc;
use uuid::Uuid;

/// Rows taken from the store at a time.
const BATCH: u16 = Page::LIMIT_MAX;

/// Removes what somebody made. Orders stay, for those with whom they were made: they name a person who is nobody any more.
///
/// # Errors
/// When a database or an owner is out of reach: what is done is done, and a repetition goes on.
pub(crate) async fn erase(node: &Arc<Node>, user: UserId) -> Result<(), Refusal> {
    let eraser = Eraser { client: Client::new(node.clone()), node, user };
    for what in Belonging::ALL {
        eraser.list(what).await?;
    }
    eraser.comments().await?;
    eraser.reactions().await?;
    eraser.votes().await?;
    eraser.baskets().await?;
    // What is on posts that are gone has no owner that would find it, and nobody who would see it.
    node.stores.content.forget(user).await.map_err(|error| refusal_of(&error))
}

struct Eraser<'n> {
    client: Client,
    node: &'n Arc<Node>,
    user: UserId,
}

impl Eraser<'_> {
    /// Has an owner do something. What it does not find is gone already.
    async fn write(&self, principal: Principal, key: Key, command: Command) -> Result<(), Refusal> {
        gone(self.client.write(&self.client.call(principal), key, command).await)
    }

    /// Ends what a list names, each by its own owner. The list loses its rows meanwhile, which moves no position.
    async fn list(&self, what: Belonging) -> Result<(), Refusal> {
        let mut page = Page::first(BATCH);
        loop {
            let found = what.page(&self.node.stores, self.user, page).await.map_err(|error| refusal_of(&error))?;
            for id in found.ids {
                self.end(what, id).await?;
            }
            match found.next {
                Some(next) => page.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    async fn end(&self, what: Belonging, id: Uuid) -> Result<(), Refusal> {
        let own = Key::new(Kind::Follows, self.user);
        let follows = |command| Command::Follows(command);
        let (principal, key, command) = match what {
            Belonging::Posts => (Principal::Platform, Key::new(Kind::Post, id), Command::Post(post::Command::Delete)),
            Belonging::Products => (Principal::Platform, Key::new(Kind::Product, id), Command::Product(product::Command::Delete)),
            Belonging::Reviews => (Principal::Platform, Key::new(Kind::Review, id), Command::Review(review::Command::Delete)),
            Belonging::Files => (Principal::Platform, Key::new(Kind::File, id), Command::File(file::Command::Delete)),
            Belonging::Following => (as_user(self.user), own, follows(follow::Command::Unfollow(UserId(id)))),
            Belonging::Followers => (as_user(UserId(id)), Key::new(Kind::Follows, id), follows(follow::Command::Unfollow(self.user))),
            Belonging::Blocks => (as_user(self.user), own, follows(follow::Command::Unblock(UserId(id)))),
        };
        self.write(principal, key, command).await
    }

    async fn comments(&self) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let batch = self.node.stores.content.comments_by(self.user, after, BATCH).await.map_err(|error| refusal_of(&error))?;
            for comment in &batch {
                let delete = post::Command::DeleteComment { id: comment.id, author: self.user };
                self.write(Principal::Platform, Key::new(Kind::Post, comment.post_id), Command::Post(delete)).await?;
            }
            after = batch.last().map(|comment| comment.id);
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Takes back that they found reviews helpful.
    async fn votes(&self) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let batch = self.node.stores.shop.voted(self.user, after, BATCH).await.map_err(|error| refusal_of(&error))?;
            for id in &batch {
                let command = Command::Review(review::Command::Helpful(false));
                self.write(as_user(self.user), Key::new(Kind::Review, *id), command).await?;
            }
            after = batch.last().copied();
            if after.is_none() {
                return Ok(());
            }
        }
    }

    /// Empties cart and wishlist. A checkout of it that nobody drives any more is released when its time is up, and forgotten after a day.
    async fn baskets(&self) -> Result<(), Refusal> {
        let me = as_user(self.user);
        self.write(me, Key::new(Kind::Cart, self.user), Command::Cart(cart::Command::Clear)).await?;
        let wishes = self.node.stores.shop.wishes(self.user).await.map_err(|error| refusal_of(&error))?;
        for wish in wishes {
            let remove = Command::Wishlist(wishlist::Command::Remove(wish.product_id));
            self.write(me, Key::new(Kind::Wishlist, self.user), remove).await?;
        }
        Ok(())
    }

    async fn reactions(&self) -> Result<(), Refusal> {
        let mut after = None;
        loop {
            let batch = self.node.stores.content.reacted(self.user, after, BATCH).await.map_err(|error| refusal_of(&error))?;
            for post in &batch {
                self.write(as_user(self.user), Key::new(Kind::Post, *post), Command::Post(post::Command::React(None))).await?;
            }
            after = batch.last().copied();
            if after.is_none() {
                return Ok(());
            }
        }
    }
}

/// On behalf of somebody whose session nobody has.
const fn as_user(id: UserId) -> Principal {
    Principal::User { id, role: Role::User }
}

fn gone(answer: Result<Reply, Refusal>) -> Result<(), Refusal> {
    match answer {
        Err(refusal) if refusal.code != ErrorCode::NotFound => Err(refusal),
        _ => Ok(()),
    }
}
