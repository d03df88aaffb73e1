//! From an id that a client names to the key whose owner holds the thing. These relations never change, so they may be cached without an
//! owner; what does not exist is not cached, since it may come to exist.

use protocol::{CommentId, OrderId, PostId, ProductId, SkillId, UserId};
use quick_cache::sync::Cache;
use store::{StoreError, Stores};

/// Entries of each kind that are kept: about 10 MB in all.
const ENTRIES_MAX: usize = 65_536;

/// The look-ups of one node.
pub struct Directory {
    skills: Cache<SkillId, UserId>,
    comments: Cache<CommentId, (PostId, UserId)>,
    orders: Cache<OrderId, ProductId>,
}

impl Default for Directory {
    fn default() -> Self {
        Self { skills: Cache::new(ENTRIES_MAX), comments: Cache::new(ENTRIES_MAX), orders: Cache::new(ENTRIES_MAX) }
    }
}

impl Directory {
    /// Whose skill it is.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn skill(&self, stores: &Stores, id: SkillId) -> Result<Option<UserId>, StoreError> {
        if let Some(known) = self.skills.get(&id) {
            return Ok(Some(known));
        }
        let found = stores.users.skill_owner(id).await?;
        found.inspect(|owner| self.skills.insert(id, *owner));
        Ok(found)
    }

    /// Which post a comment is on, and who wrote it.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn comment(&self, stores: &Stores, id: CommentId) -> Result<Option<(PostId, UserId)>, StoreError> {
        if let Some(known) = self.comments.get(&id) {
            return Ok(Some(known));
        }
        let found = stores.content.comment_place(id).await?;
        found.inspect(|place| self.comments.insert(id, *place));
        Ok(found)
    }

    /// Which product an order is of.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn order(&self, stores: &Stores, id: OrderId) -> Result<Option<ProductId>, StoreError> {
        if let Some(known) = self.orders.get(&id) {
            return Ok(Some(known));
        }
        let found = stores.shop.order_product(id).await?;
        found.inspect(|product| self.orders.insert(id, *product));
        Ok(found)
    }
}
