use clap::ValueEnum;
use serde::Serialize;

/// One kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Operation {
    /// A person's public profile.
    Profile,
    /// The first page of one's own feed, with a token.
    Feed,
    /// A product.
    Product,
    /// The first page of the product list.
    ProductList,
    /// A post.
    Post,
    /// The first page of everybody's public posts.
    PostList,
    /// Publishing a post.
    CreatePost,
    /// Changing one's own profile.
    ChangeProfile,
    /// Products by a word.
    ProductSearch,
    /// People by a word.
    PeopleSearch,
    /// Public posts by a word.
    PostSearch,
    /// Changing the price of a product of one's own.
    ChangeProduct,
    /// The product that everybody wants.
    HotProduct,
    /// Ordering it, each time with another idempotency key.
    Order,
    /// What one has bought, with a token.
    OrderList,
    /// The one whom everybody follows publishes a post.
    Announce,
    /// Their profile.
    HotProfile,
    /// A post of theirs.
    HotPost,
    /// A picture that nobody has uploaded before, which all variants are made of.
    Upload,
    /// A variant of a picture.
    Picture,
    /// The first page of everybody's public files.
    FileList,
}

impl Operation {
    /// Whether 409 is an answer of it like any other: who comes when all is sold is told so, and that is no error of the platform.
    pub fn may_be_declined(self) -> bool {
        self == Self::Order
    }
}

/// A named mix of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scenario {
    /// Visitors without an account: profiles, products, lists, posts
    Browse,
    /// Profiles only
    Profile,
    /// Feed pages only, each viewer with a token
    Feed,
    /// Products and their list
    Products,
    /// Publishing posts only
    Post,
    /// What members do: feeds, profiles, products, now and then a post or a changed profile
    Mixed,
    /// The same with searches, and prices that change; on data of its own only
    Whole,
    /// Everybody reads one product and orders it; when it is sold out, orders are declined (409), which counts as answered
    FlashSale,
    /// One person whom all others follow posts; all read their feeds, that person's profile and posts
    Celebrity,
    /// Pictures are uploaded, and looked at in all sizes; uploads are work: mind the rate
    Upload,
}

impl Scenario {
    /// What it consists of: parts per hundred.
    pub fn mix(self) -> &'static [(Operation, u32)] {
        use Operation::*;
        match self {
            Self::Browse => &[(Profile, 40), (Product, 25), (ProductList, 10), (Post, 15), (PostList, 10)],
            Self::Profile => &[(Profile, 100)],
            Self::Feed => &[(Feed, 100)],
            Self::Products => &[(Product, 80), (ProductList, 20)],
            Self::Post => &[(CreatePost, 100)],
            Self::Mixed => &[
                (Feed, 35),
                (Profile, 30),
                (Product, 15),
                (Post, 10),
                (ProductList, 3),
                (PostList, 2),
                (CreatePost, 3),
                (ChangeProfile, 2),
            ],
            Self::Whole => &[
                (Feed, 30),
                (Profile, 25),
                (Product, 15),
                (Post, 10),
                (ProductList, 6),
                (PostList, 2),
                (ProductSearch, 5),
                (PeopleSearch, 2),
                (PostSearch, 2),
                (CreatePost, 1),
                (ChangeProfile, 1),
                (ChangeProduct, 1),
            ],
            Self::FlashSale => &[(HotProduct, 60), (Order, 15), (OrderList, 5), (Product, 10), (ProductList, 5), (Profile, 5)],
            Self::Celebrity => &[(Feed, 50), (HotPost, 20), (HotProfile, 18), (Announce, 2), (Profile, 5), (Post, 5)],
            Self::Upload => &[(Upload, 50), (Picture, 30), (FileList, 5), (Profile, 15)],
        }
    }
}

impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Profile => "profile",
            Self::Feed => "feed",
            Self::Product => "product",
            Self::ProductList => "product-list",
            Self::Post => "post",
            Self::PostList => "post-list",
            Self::CreatePost => "create-post",
            Self::ChangeProfile => "change-profile",
            Self::ProductSearch => "product-search",
            Self::PeopleSearch => "people-search",
            Self::PostSearch => "post-search",
            Self::ChangeProduct => "change-product",
            Self::HotProduct => "hot-product",
            Self::Order => "order",
            Self::OrderList => "order-list",
            Self::Announce => "announce",
            Self::HotProfile => "hot-profile",
            Self::HotPost => "hot-post",
            Self::Upload => "upload",
            Self::Picture => "picture",
            Self::FileList => "file-list",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mix_is_whole() {
        for scenario in Scenario::value_variants() {
            let total: u32 = scenario.mix().iter().map(|(_, weight)| weight).sum();
            assert_eq!(total, 100, "{scenario:?}");
        }
    }
}
