//! Writes of different owners at the same time, which one writer thread would put in a row: here the rows that they lock do.

use super::*;
use crate::make::*;
use protocol::product::Product;
use protocol::{Key, Kind, UserId};
use store::{CommitError, Expect, ShopWrite, Touch, UsersWrite};
use tokio::task::JoinSet;

/// Times that two meet. Without the locks, they pass each other within a few.
const ROUNDS: usize = 60;

/// Each follow locks two people's rows; whoever follows whom, in the same order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_who_follow_each_other_at_once_do_not_deadlock() {
    let opened = fresh().await;
    let stores = opened.stores();
    let people = [somebody(&stores).await.id, somebody(&stores).await.id, somebody(&stores).await.id];
    let mut writers = JoinSet::new();
    for (follower, followee) in [(0, 1), (1, 0), (1, 2), (2, 1), (0, 2), (2, 0)] {
        let (users, follower, followee) = (stores.users.clone(), people[follower], people[followee]);
        writers.spawn(async move {
            for round in 0..40 {
                users.commit(following(follower, followee, round % 2 == 0, NOW)).await.expect("committed");
            }
        });
    }
    writers.join_all().await;
    let deadlocks = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()";
    assert_eq!(opened.databases.sql("users", &[deadlocks]).trim(), "0");
}

/// One forbids the other, and neither owner has heard of the other's write.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_block_and_a_follow_at_once_never_both_stand() {
    let opened = fresh().await;
    let users = opened.stores().users;
    let (ada, bob) = (somebody(&opened.stores()).await.id, somebody(&opened.stores()).await.id);
    let block = |add| {
        let key = |id| Key::new(Kind::Follows, id);
        let mut commit = commit(key(bob), Expect::Any, UsersWrite::Block { blocker: bob, blocked: ada, add, at: NOW });
        commit.touches = vec![Touch::Key(key(ada))];
        users.commit(commit)
    };
    for round in 0..ROUNDS {
        let (followed, blocked) = tokio::join!(users.commit(following(ada, bob, true, NOW)), block(true));
        blocked.expect("blocked");
        assert!(matches!(followed, Ok(_) | Err(CommitError::Missing("user"))), "{followed:?}");
        let relations = users.relations(ada).await.expect("a read");
        assert_eq!((relations.following, relations.hidden), (vec![], vec![bob]), "round {round}");
        block(false).await.expect("ended");
    }
}

/// A review says that its author bought the product, whichever was written first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_purchase_and_a_review_at_once_agree() {
    let opened = fresh().await;
    let shop = opened.stores().shop;
    for round in 0..ROUNDS {
        let lamp = product(UserId::new(), 1250);
        shop.commit(selling(&lamp, ShopWrite::CreateProduct)).await.expect("created");
        let order = order(&lamp, UserId::new());
        let review = review(&lamp, order.buyer_id, 5);
        let sold = async {
            // The review counts as a version of the product, too: who loses decides again.
            for version in 2..4 {
                let next = Product { stock: 8, version, ..lamp.clone() };
                match shop.commit(selling(&next, |p| ShopWrite::PlaceOrder(p, Box::new(order.clone())))).await {
                    Err(CommitError::Conflict) => {}
                    outcome => return outcome.map(drop),
                }
            }
            Err(CommitError::Conflict)
        };
        let (sold, reviewed) = tokio::join!(sold, shop.commit(reviewing(&review, ShopWrite::CreateReview)));
        sold.expect("sold");
        reviewed.expect("reviewed");
        assert!(shop.review(review.id).await.expect("a read").expect("the review").verified_purchase, "round {round}");
    }
}

/// What is set aside while a checkout ends is either given back with it, or not set aside at all.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_comes_while_its_checkout_is_released_costs_no_piece() {
    let opened = fresh().await;
    let shop = opened.stores().shop;
    for round in 0..ROUNDS {
        let lamp = product(UserId::new(), 1250);
        shop.commit(selling(&lamp, ShopWrite::CreateProduct)).await.expect("created");
        let checkout = checkout(UserId::new(), &[cart_item(&lamp, 2)]);
        shop.commit(checking_out(&checkout, ShopWrite::BeginCheckout)).await.expect("begun");
        let taken = Product { stock: 8, version: 2, ..lamp.clone() };
        let reserve = selling(&taken, |next| ShopWrite::Reserve(next, checkout.id, checkout.version, reserved(&lamp, 2)));
        let released = protocol::checkout::Checkout { state: protocol::checkout::State::Released, version: 2, ..checkout.clone() };
        let (reserved, ended) = tokio::join!(shop.commit(reserve), shop.commit(checking_out(&released, ShopWrite::ReleaseCheckout)));
        ended.expect("released");
        assert!(matches!(reserved, Ok(_) | Err(CommitError::Missing("checkout"))), "{reserved:?}");
        assert_eq!(shop.product(lamp.id).await.expect("a read").expect("the product").stock, 10, "round {round}");
        assert_eq!(shop.reserved(checkout.id).await.expect("a read"), []);
    }
}
