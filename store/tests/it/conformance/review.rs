//! Reviews.

use super::order::placed;
use super::product::create;
use crate::make::*;
use protocol::order::{Order, Status};
use protocol::product::{Product, Rating};
use protocol::review::Review;
use protocol::{Key, Kind, ProductId, ReviewId, UserId};
use store::{CommitError, Effect, Ids, ShopWrite, Stores};

async fn rating(stores: &Stores, product: &Product) -> (Rating, u64) {
    let product = stores.shop.product(product.id).await.expect("a read").expect("the product");
    (product.rating, product.version)
}

async fn write(stores: &Stores, review: &Review) {
    stores.shop.commit(reviewing(review, ShopWrite::CreateReview)).await.expect("reviewed");
}

pub async fn reviews_make_the_rating(stores: Stores) {
    let lamp = product(UserId::new(), 1250);
    create(&stores, &lamp).await;
    let (five, two) = (review(&lamp, UserId::new(), 5), review(&lamp, UserId::new(), 2));
    let committed = stores.shop.commit(reviewing(&five, ShopWrite::CreateReview)).await.expect("reviewed");
    let told = Effect::Changed { key: Key::new(Kind::Product, lamp.id), version: 2 };
    assert!(committed.effects.iter().any(|row| row.effect == told), "{committed:?}");
    write(&stores, &two).await;
    assert_eq!(rating(&stores, &lamp).await, (Rating { sum: 7, count: 2 }, 3));
    assert_eq!(stores.shop.review(two.id).await.expect("a read"), Some(two.clone()));
    assert_eq!(stores.shop.review(ReviewId::new()).await.expect("a read"), None);

    let better = Review { rating: 4, title: None, review_text: Some("grew on me".to_owned()), version: 2, ..two };
    stores.shop.commit(reviewing(&better, |r| ShopWrite::SaveReview(r, 2))).await.expect("saved");
    assert_eq!(rating(&stores, &lamp).await, (Rating { sum: 9, count: 2 }, 4));
    let again = stores.shop.commit(reviewing(&better, |r| ShopWrite::SaveReview(r, 2))).await;
    assert!(matches!(again, Err(CommitError::Conflict)));
    let reworded = Review { title: Some("well".to_owned()), version: 3, ..better };
    stores.shop.commit(reviewing(&reworded, |r| ShopWrite::SaveReview(r, 4))).await.expect("saved");
    assert_eq!(rating(&stores, &lamp).await, (Rating { sum: 9, count: 2 }, 4), "words leave the product as it is");
    assert_eq!(stores.shop.review(reworded.id).await.expect("a read"), Some(reworded.clone()));

    // Whoever sells a piece meanwhile decides again, and keeps the rating.
    let stale = Product { stock: 1, version: 4, ..lamp.clone() };
    assert!(matches!(stores.shop.commit(selling(&stale, ShopWrite::SaveProduct)).await, Err(CommitError::Conflict)));
    let fresh = Product { stock: 1, version: 5, ..lamp.clone() };
    stores.shop.commit(selling(&fresh, ShopWrite::SaveProduct)).await.expect("saved");
    assert_eq!(rating(&stores, &lamp).await, (Rating { sum: 9, count: 2 }, 5));

    let removed = Review { version: 4, ..reworded };
    stores.shop.commit(reviewing(&removed, ShopWrite::RemoveReview)).await.expect("removed");
    assert!(matches!(stores.shop.commit(reviewing(&removed, ShopWrite::RemoveReview)).await, Err(CommitError::Conflict)));
    assert_eq!(rating(&stores, &lamp).await, (Rating { sum: 5, count: 1 }, 6));
    assert_eq!(stores.shop.review(removed.id).await.expect("a read"), None);
}

pub async fn one_person_reviews_a_product_once(stores: Stores) {
    let (lamp, chair) = (product(UserId::new(), 1250), product(UserId::new(), 1250));
    create(&stores, &lamp).await;
    create(&stores, &chair).await;
    let me = UserId::new();
    let first = review(&lamp, me, 5);
    write(&stores, &first).await;
    let second = stores.shop.commit(reviewing(&review(&lamp, me, 1), ShopWrite::CreateReview)).await;
    assert!(matches!(second, Err(CommitError::Taken("review"))), "{second:?}");
    assert_eq!(rating(&stores, &lamp).await.0, Rating { sum: 5, count: 1 });
    write(&stores, &review(&chair, me, 1)).await;
    let stray = Review { product_id: ProductId::new(), ..review(&lamp, me, 1) };
    let missing = stores.shop.commit(reviewing(&stray, ShopWrite::CreateReview)).await;
    assert!(matches!(missing, Err(CommitError::Missing("product"))), "{missing:?}");
    let removed = Review { version: 2, ..first };
    stores.shop.commit(reviewing(&removed, ShopWrite::RemoveReview)).await.expect("removed");
    write(&stores, &review(&lamp, me, 3)).await;
    assert_eq!(rating(&stores, &lamp).await.0, Rating { sum: 3, count: 1 });
}

pub async fn votes_are_counted_once(stores: Stores) {
    let lamp = product(UserId::new(), 1250);
    create(&stores, &lamp).await;
    let first = review(&lamp, UserId::new(), 5);
    write(&stores, &first).await;
    let (ada, bob) = (UserId::new(), UserId::new());
    let vote = |helpful_count, version, by, add| {
        let next = Review { helpful_count, version, ..first.clone() };
        stores.shop.commit(reviewing(&next, |review| ShopWrite::VoteReview { review, by, add }))
    };
    vote(1, 2, ada, true).await.expect("voted");
    vote(2, 3, bob, true).await.expect("voted");
    assert!(matches!(vote(3, 4, ada, true).await, Err(CommitError::Unchanged)));
    vote(1, 4, ada, false).await.expect("taken back");
    assert!(matches!(vote(0, 5, ada, false).await, Err(CommitError::Unchanged)));
    let counted = stores.shop.review(first.id).await.expect("a read").expect("the review");
    assert_eq!((counted.helpful_count, counted.version), (1, 4));
    // Its votes go with it, and hinder nothing.
    stores.shop.commit(reviewing(&Review { version: 5, ..first }, ShopWrite::RemoveReview)).await.expect("removed");
}

pub async fn purchases_are_what_orders_say(stores: Stores) {
    let (lamp, order) = placed(&stores, 10).await;
    let verified = async |id| stores.shop.review(id).await.expect("a read").map(|r| (r.verified_purchase, r.version));
    let (bought, not) = (review(&lamp, order.buyer_id, 5), review(&lamp, UserId::new(), 1));
    // What the decision says of it does not count.
    write(&stores, &Review { verified_purchase: false, ..bought.clone() }).await;
    write(&stores, &Review { verified_purchase: true, ..not.clone() }).await;
    assert_eq!((verified(bought.id).await, verified(not.id).await), (Some((true, 1)), Some((false, 1))));

    let cancelled = Order { status: Status::Cancelled, version: 2, ..order.clone() };
    let committed = stores.shop.commit(ordering(&cancelled, ShopWrite::CancelOrder)).await.expect("cancelled");
    assert_eq!(verified(bought.id).await, Some((false, 2)));
    let told = Effect::Changed { key: Key::new(Kind::Review, bought.id), version: 2 };
    assert!(committed.effects.iter().any(|row| row.effect == told), "{committed:?}");

    // Somebody buys what they have judged already.
    let (product, _) = (stores.shop.product(lamp.id).await.expect("a read").expect("the product"), ());
    let order = Order { id: protocol::OrderId::new(), buyer_id: not.user_id, ..order };
    let sold = Product { version: product.version + 1, ..product };
    stores.shop.commit(selling(&sold, |p| ShopWrite::PlaceOrder(p, Box::new(order)))).await.expect("ordered");
    assert_eq!(verified(not.id).await, Some((true, 2)));
    assert_eq!(verified(bought.id).await, Some((false, 2)), "another's order is another's");
}

pub async fn reviews_are_paged_newest_first(stores: Stores) {
    let (lamp, chair) = (product(UserId::new(), 1250), product(UserId::new(), 1250));
    create(&stores, &lamp).await;
    create(&stores, &chair).await;
    let mut expected = Vec::new();
    for n in 0..5 {
        let review = review(&lamp, UserId::new(), n + 1);
        write(&stores, &review).await;
        expected.insert(0, review.id.0);
    }
    for limit in [1, 2, 5, 6] {
        let read = walk(limit, async |page| {
            let Ids { ids, next } = stores.shop.reviews(lamp.id, page).await.expect("a page");
            (ids, next)
        });
        assert_eq!(read.await, expected, "by pages of {limit}");
    }
    assert_eq!(stores.shop.reviews(chair.id, Default::default()).await.expect("a page"), Ids::default());
}

pub async fn a_persons_reviews_and_votes_are_found(stores: Stores) {
    let (ada, bob) = (UserId::new(), UserId::new());
    let (mut written, mut voted) = (Vec::new(), Vec::new());
    for n in 0..5 {
        let lamp = product(UserId::new(), 1250);
        create(&stores, &lamp).await;
        let (hers, his) = (review(&lamp, ada, n + 1), review(&lamp, bob, 3));
        write(&stores, &hers).await;
        write(&stores, &his).await;
        let next = Review { helpful_count: 1, version: 2, ..his };
        let vote = reviewing(&next, |review| ShopWrite::VoteReview { review, by: ada, add: true });
        stores.shop.commit(vote).await.expect("voted");
        written.insert(0, hers.id.0);
        voted.push(next.id);
    }
    for limit in [1, 2, 5, 6] {
        let read = walk(limit, async |page| {
            let Ids { ids, next } = stores.shop.reviews_by(ada, page).await.expect("a page");
            (ids, next)
        });
        assert_eq!(read.await, written, "by pages of {limit}");
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let batch = stores.shop.voted(ada, after, limit).await.expect("a read");
            after = batch.last().copied();
            found.extend(batch);
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, voted, "by {limit}");
    }
    assert_eq!(stores.shop.voted(bob, None, 10).await.expect("a read"), []);
}
