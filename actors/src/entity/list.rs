//! Lists: pages of rows or ids under a generation. The state is the generation; it is read before any query, and moves only when
//! membership or order does, so a page of an older generation is unreachable, not expired. Of a list that is searched, its owner remembers
//! by what the things are found that moved it last: a page that none of these concerns is one of this generation, too.

use super::{Absorbed, Asked, Decision, Entity, QueryError, family, json};
use crate::{node::Node, snapshot::Snapshot};
use protocol::{Audience, Command, Fact, Key, Kind, ProductId, Query, Refusal, UserId, View, envelope::Change, found::FoundBy};
use std::{convert::Infallible, sync::Arc};
use store::{Ids, StoreError};
use uuid::Uuid;

/// Moves that an owner remembers. Of some forty words each they are 80 KB. A page that is older than all of them is asked for anew.
const MOVES_MAX: usize = 256;

/// A list's generation.
pub struct Generation {
    number: u64,
    /// What led to it from the generations before, the last one last.
    moves: Vec<Arc<FoundBy>>,
}

impl Generation {
    /// One of which nothing is known of before.
    const fn first(number: u64) -> Self {
        Self { number, moves: Vec::new() }
    }

    fn after(&self, change: &Change) -> Absorbed<Self> {
        match change {
            Change::Found(number, found) if *number == self.number + 1 => {
                let forgotten = (self.moves.len() + 1).saturating_sub(MOVES_MAX);
                let moves = self.moves[forgotten..].iter().cloned().chain([Arc::new(found.clone())]).collect();
                Absorbed::Next(Self { number: *number, moves })
            }
            change => Absorbed::by_version(self.number, change),
        }
    }

    /// Whether a page of an older generation is the same in this one.
    fn has_page_of(&self, older: u64, query: &Query) -> bool {
        let since = self.number.checked_sub(older).and_then(|moves| self.moves.len().checked_sub(usize::try_from(moves).ok()?));
        since.is_some_and(|since| !self.moves[since..].iter().any(|found| found.concerns(query)))
    }
}

/// Whether a page of an older version of a list is the same in this one. `false` of what is no list.
pub(crate) fn has_page_of(list: &Snapshot, older: u64, query: &Query) -> bool {
    // All lists have the same state.
    list.state::<PostList>().is_some_and(|generation| generation.has_page_of(older, query))
}

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
                node.stores.domain(Self::KIND).key_version(Key::new(Self::KIND, id)).await.map(|version| Some(Generation::first(version)))
            }

            fn version(state: &Generation) -> u64 {
                state.number
            }

            fn bytes(state: &Generation) -> usize {
                size_of::<Generation>() + state.moves.iter().map(|found| size_of::<Arc<FoundBy>>() + found.bytes()).sum::<usize>()
            }

            fn view(state: &Generation) -> View {
                View { version: state.number, audience: Audience::Platform, body: bytes::Bytes::new(), fact: Fact::None }
            }

            fn freeze(_: &Generation) -> Option<Box<[u8]>> {
                Some(Box::default())
            }

            fn thaw(view: &View, _: &[u8]) -> Option<Generation> {
                Some(Generation::first(view.version))
            }

            async fn query(node: &Arc<Node>, id: Uuid, state: Arc<Generation>, query: Query) -> Result<View, QueryError> {
                let (audience, body, fact) = $fetch(node, id, query).await?;
                Ok(View { version: state.number, audience, body, fact })
            }

            fn decide(_: Option<&Generation>, _: &Asked, command: Infallible) -> Result<Decision<Generation>, Refusal> {
                match command {}
            }

            fn absorb(state: &Generation, change: &Change) -> Absorbed<Generation> {
                state.after(change)
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

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Page;

    fn asks_for(word: &str) -> Query {
        Query::PostSearch { words: word.to_owned(), of: None, page: Page::default() }
    }

    fn moved(to: u64, text: &str) -> Change {
        Change::Found(to, FoundBy::of_texts([text]).expect("few words"))
    }

    fn after(generation: &Generation, change: &Change) -> Generation {
        let Absorbed::Next(next) = generation.after(change) else { panic!("{change:?} is absorbed") };
        next
    }

    #[test]
    fn a_page_stands_until_somebody_moves_whom_it_concerns() {
        let first = Generation::first(7);
        let later = after(&after(&first, &moved(8, "likes engines")), &moved(9, "likes gardens"));
        for (word, pages) in [
            ("engines", [false, true, true]),
            ("gardens", [false, false, true]),
            ("rivers", [true, true, true]),
            ("likes", [false, false, true]),
        ] {
            assert_eq!([7, 8, 9].map(|older| later.has_page_of(older, &asks_for(word))), pages, "{word}");
        }
        assert!(!later.has_page_of(6, &asks_for("rivers")), "what was before is not known");
        assert!(!later.has_page_of(10, &asks_for("rivers")), "it is of a later one");
    }

    #[test]
    fn a_move_that_was_not_heard_of_makes_all_of_it_stale() {
        let first = Generation::first(7);
        assert!(matches!(first.after(&moved(9, "x")), Absorbed::Stale));
        assert!(matches!(first.after(&Change::Version(8)), Absorbed::Stale));
        assert!(matches!(first.after(&Change::Gone), Absorbed::Stale));
        assert!(matches!(first.after(&moved(7, "x")), Absorbed::Same));
        assert!(matches!(first.after(&Change::Version(7)), Absorbed::Same));
    }

    #[test]
    fn the_oldest_moves_are_forgotten() {
        let last = (1..=MOVES_MAX as u64 + 1).fold(Generation::first(0), |list, number| after(&list, &moved(number, "x")));
        assert_eq!(last.moves.len(), MOVES_MAX);
        assert!(last.has_page_of(1, &asks_for("rivers")) && !last.has_page_of(0, &asks_for("rivers")));
    }
}
