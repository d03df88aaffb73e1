//! What is somebody's, by list: for its export, and to erase it.

use protocol::{Page, UserId};
use store::{Ids, StoreError, Stores};

/// A list of ids of what a person made, or of whom they are related to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Belonging {
    /// Posts that are not deleted.
    Posts,
    /// Products that are not deleted.
    Products,
    /// What they think of products.
    Reviews,
    /// Files.
    Files,
    /// Whom they follow.
    Following,
    /// Who follows them.
    Followers,
    /// Whom they block.
    Blocks,
}

impl Belonging {
    /// Every list.
    pub(crate) const ALL: [Self; 7] =
        [Self::Posts, Self::Products, Self::Reviews, Self::Files, Self::Following, Self::Followers, Self::Blocks];

    /// A page of the list. Positions do not move when rows come and go.
    pub(crate) async fn page(self, stores: &Stores, user: UserId, page: Page) -> Result<Ids, StoreError> {
        match self {
            Self::Posts => stores.content.timeline(user, page).await,
            Self::Products => stores.shop.seller_products(user, page).await,
            Self::Reviews => stores.shop.reviews_by(user, page).await,
            Self::Files => stores.media.files_of(user, page).await,
            Self::Following => Ok(stores.users.follow_page(user, false, page).await?.0),
            Self::Followers => Ok(stores.users.follow_page(user, true, page).await?.0),
            Self::Blocks => Ok(stores.users.blocked(user, page).await?.0),
        }
    }
}
