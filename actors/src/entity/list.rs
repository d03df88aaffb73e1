//! Lists: pages of rows or ids under a generation. The state is the generation alone; it is read before any query, and moves only when
//! membership or order does, so a page of an older generation is unreachable, not expired.

use super::{Asked, Decision, Entity, QueryError, family, json};
use crate::node::Node;
use protocol::{Audience, Command, Fact, Key, Kind, ProductId, Query, Refusal, UserId, View};
use std::{convert::Infallible, sync::Arc};
use store::{Ids, StoreError};
use uuid::Uuid;

/// A list's generation.
pub struct Generation(u64);

/// Declares the owner of one kind of lists.
macro_rules! list {
    ($(#[$doc:meta])* $name:ident, $kind:expr, $fetch:ident) => {
        $(#[$doc])*
        pub struct $name;

        impl Entity for $name {
            const KIND: Kind = $kind;
            type State = Generation;
            type Command = Infallible;

            fn command(_: Command) -> Option<Infallible> {
                None
            }

            async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<Generation>, StoreError> {
                node.stores.domain(Self::KIND).key_version(Key::new(Self::KIND, id)).await.map(|version| Some(Generation(version)))
            }

            fn version(state: &Generation) -> u64 {
                state.0
            }

            fn view(state: &Generation) -> View {
                View { version: state.0, audience: Audience::Platform, body: bytes::Bytes::new(), fact: Fact::None }
            }

            fn freeze(_: &Generation) -> Option<Box<[u8]>> {
                Some(Box::default())
            }

            fn thaw(view: &View, _: &[u8]) -> Option<Generation> {
                Some(Generation(view.version))
            }

            async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Generation>, query: Query) -> Result<View, QueryError> {
                let (audience, body, fact) = $fetch(node, id, query).await?;
                Ok(View { version: state.0, audience, body, fact })
            }

            fn decide(_: Option<&Generation>, _: &Asked, command: Infallible) -> Result<Decision<Generation>, Refusal> {
                match command {}
            }
        }
    };
}

list!(
    /// Lists of public products.
    ProductList, Kind::ProductList, products
);
list!(
    /// Lists of public posts.
    PostList, Kind::PostList, posts
);
list!(
    /// Lists of people who are searched for.
    PeopleList, Kind::PeopleList, people
);
list!(
    /// The products of a seller.
    SellerProducts, Kind::SellerProducts, seller_products
);
list!(
    /// The orders of a buyer.
    BuyerOrders, Kind::BuyerOrders, buyer_orders
);
list!(
    /// The orders of a seller.
    SellerOrders, Kind::SellerOrders, seller_orders
);

list!(
    /// The posts of a hashtag.
    Hashtag, Kind::Hashtag, tagged
);

list!(
    /// The reviews of a product.
    Reviews, Kind::Reviews, reviews
);

list!(
    /// Lists of moderation's cases.
    CaseList, Kind::CaseList, cases
);

list!(
    /// Lists of public files.
    FileList, Kind::FileList, files
);
list!(
    /// The files of a person.
    UserFiles, Kind::UserFiles, user_files
);

type Fetched = Result<(Audience, bytes::Bytes, Fact), QueryError>;

fn ids(found: Ids) -> Fetched {
    Ok((Audience::Platform, bytes::Bytes::new(), Fact::Ids { ids: found.ids, next: found.next, total: None }))
}

async fn products(node: &Node, _: Uuid, query: Query) -> Fetched {
    let Query::Products(selection) = query else { return Err(QueryError::unknown()) };
    ids(node.stores.shop.products(selection).await?)
}

async fn posts(node: &Node, _: Uuid, query: Query) -> Fetched {
    let content = &node.stores.content;
    match query {
        Query::Posts(page) => ids(content.public_posts(page).await?),
        Query::Trending { today, limit } => {
            Ok((Audience::Everyone, json(&content.trending(today, limit).await?), Fact::Rows { next: None, total: None }))
        }
        Query::PostSearch { words, of, page } => {
            // As they are now: at least as new as the version that was asked for.
            let friends = match of {
                Some((viewer, _)) => node.stores.users.relations(viewer).await?.friends,
                None => Vec::new(),
            };
            ids(content.search(words, of.map(|(viewer, _)| viewer), friends.into(), page).await?)
        }
        _ => Err(QueryError::unknown()),
    }
}

async fn tagged(node: &Node, _: Uuid, query: Query) -> Fetched {
    let Query::Tagged(tag, page) = query else { return Err(QueryError::unknown()) };
    ids(node.stores.content.tagged(tag, page).await?)
}

async fn people(node: &Node, _: Uuid, query: Query) -> Fetched {
    let Query::People(search) = query else { return Err(QueryError::unknown()) };
    ids(node.stores.users.search(search).await?)
}

async fn seller_products(node: &Node, seller: Uuid, query: Query) -> Fetched {
    let Query::Posts(page) = query else { return Err(QueryError::unknown()) };
    ids(node.stores.shop.seller_products(UserId(seller), page).await?)
}

async fn buyer_orders(node: &Node, buyer: Uuid, query: Query) -> Fetched {
    orders(node, buyer, true, query).await
}

async fn seller_orders(node: &Node, seller: Uuid, query: Query) -> Fetched {
    orders(node, seller, false, query).await
}

async fn orders(node: &Node, person: Uuid, buyer: bool, query: Query) -> Fetched {
    let Query::Orders(page) = query else { return Err(QueryError::unknown()) };
    let (rows, next) = node.stores.shop.orders(UserId(person), buyer, page).await?;
    Ok((Audience::Only(UserId(person)), json(&rows), Fact::Rows { next, total: None }))
}

async fn reviews(node: &Node, product: Uuid, query: Query) -> Fetched {
    let Query::Reviews(page) = query else { return Err(QueryError::unknown()) };
    ids(node.stores.shop.reviews(ProductId(product), page).await?)
}

async fn files(node: &Node, _: Uuid, query: Query) -> Fetched {
    let Query::Files(page) = query else { return Err(QueryError::unknown()) };
    ids(node.stores.media.public_files(page).await?)
}

async fn user_files(node: &Node, user: Uuid, query: Query) -> Fetched {
    let Query::Files(page) = query else { return Err(QueryError::unknown()) };
    ids(node.stores.media.files_of(UserId(user), page).await?)
}

async fn cases(node: &Node, id: Uuid, query: Query) -> Fetched {
    let Query::Cases(status, page) = query else { return Err(QueryError::unknown()) };
    let users = &node.stores.users;
    ids(if id == family::CASES { users.cases(status, page).await? } else { users.cases_of(UserId(id), page).await? })
}
