//! What the second level keeps, under which name and for how long: the one table.

use protocol::{Kind, Query};

macro_rules! strategies {
    ($($(#[$doc:meta])* $name:ident = $namespace:literal, $seconds:literal;)*) => {
        /// How one sort of answer is kept. Its time bounds memory, and the damage of a fault; what is fresh its owner knows.
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Strategy { $($(#[$doc])* $name),* }

        impl Strategy {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The part of a key that says what is kept there; also a label of metrics.
            #[must_use]
            pub const fn namespace(self) -> &'static str {
                match self { $(Self::$name => $namespace),* }
            }

            /// Seconds for which it is kept.
            #[must_use]
            pub const fn seconds(self) -> u32 {
                match self { $(Self::$name => $seconds),* }
            }
        }
    };
}

strategies! {
    /// People.
    Profile = "user:profile", 600;
    /// Who endorsed their skills.
    Skills = "user:skills", 600;
    /// Who is found among them.
    People = "user:search", 300;
    /// Everybody's newest posts.
    Feed = "post:feed", 120;
    /// Posts.
    Post = "post:detail", 300;
    /// The posts of a person.
    Timeline = "post:user", 300;
    /// Comments and their answers.
    Comments = "post:comments", 180;
    /// Products.
    Product = "shop:product", 900;
    /// Lists of products.
    Products = "shop:products", 600;
    /// Reviews of a product.
    Reviews = "shop:reviews", 300;
    /// Orders of a buyer or a seller.
    Orders = "shop:order", 300;
    /// Posts that are searched for, by words or by a hashtag.
    Search = "search", 300;
    /// Hashtags that are used much.
    Trending = "trending", 600;
}

/// How entities of this kind are kept; `None` if they are not. Whoever holds the credentials of an account, or is one person's alone and small (a cart,
/// a wish list), stays out: the store has it by one look at its key.
#[must_use]
pub const fn of_entity(kind: Kind) -> Option<Strategy> {
    match kind {
        Kind::User => Some(Strategy::Profile),
        Kind::Post => Some(Strategy::Post),
        Kind::Product => Some(Strategy::Product),
        _ => None,
    }
}

/// How this page of such an entity is kept; `None` if it is not: it takes the store no search (what a person reacted), or is looked at once (what is
/// older than memory holds of a home feed).
#[must_use]
pub const fn of_page(kind: Kind, query: &Query) -> Option<Strategy> {
    match (kind, query) {
        (Kind::User, Query::Endorsements(..)) => Some(Strategy::Skills),
        (Kind::PeopleList, Query::People(_)) => Some(Strategy::People),
        (Kind::PostList, Query::Posts(_)) => Some(Strategy::Feed),
        (Kind::Timeline, Query::Posts(_) | Query::PostsFor(..)) => Some(Strategy::Timeline),
        (Kind::Post, Query::Comments(_) | Query::Replies(..)) => Some(Strategy::Comments),
        (Kind::ProductList, Query::Products(_)) | (Kind::SellerProducts, Query::Posts(_)) => Some(Strategy::Products),
        (Kind::Reviews, Query::Reviews(_)) => Some(Strategy::Reviews),
        (Kind::BuyerOrders | Kind::SellerOrders, Query::Orders(_)) => Some(Strategy::Orders),
        (Kind::PostList, Query::PostSearch { .. }) | (Kind::Hashtag, Query::Tagged(..)) => Some(Strategy::Search),
        (Kind::PostList, Query::Trending { .. }) => Some(Strategy::Trending),
        _ => None,
    }
}
