//! Cases, flags, and verdicts on what they are about.

use crate::make::*;
use protocol::comment::Comment;
use protocol::moderation::{Appeal, Case, Decided, FLAGS_OPEN_MAX, Flag, Reason, Status, Target, Verdict};
use protocol::post::Post;
use protocol::product::{Product, Rating};
use protocol::review::Review;
use protocol::user::User;
use protocol::{CommentId, FlagId, Key, Kind, PostId, ProductId, ReviewId, Timestamp, UserId};
use std::collections::BTreeMap;
use store::{Commit, CommitError, Committed, ContentWrite, Expect, ShopWrite, Stores, UsersWrite};
use uuid::Uuid;

fn case(target: Target, author: UserId) -> Case {
    Case {
        target,
        author,
        status: Status::Open,
        hidden: false,
        flags: 1,
        reasons: BTreeMap::from([(Reason::Spam, 1)]),
        decided: None,
        appeal: None,
        opened_at: NOW,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

fn about_a_post() -> Case {
    case(Target::Post(PostId::new()), UserId::new())
}

fn flag(reporter_id: UserId) -> Flag {
    Flag { id: FlagId::new(), reporter_id, reason: Reason::Spam, note: Some("look: 'this'".to_owned()), created_at: NOW }
}

fn saving_case(case: &Case, write: impl FnOnce(Box<Case>) -> UsersWrite) -> Commit<UsersWrite> {
    commit(Key::new(Kind::Case, case.target.id()), Expect::Row, write(Box::new(case.clone())))
}

async fn flagged(stores: &Stores, case: &Case, flag: Flag) -> Result<Committed, CommitError> {
    stores.users.commit(saving_case(case, |case| UsersWrite::Flag { case, flag })).await
}

async fn read(stores: &Stores, id: Uuid) -> Option<Case> {
    stores.users.case(id).await.expect("a read")
}

pub async fn a_case_is_read_as_written(stores: Stores) {
    let targets = [
        Target::Post(PostId::new()),
        Target::Comment(CommentId::new(), PostId::new()),
        Target::Product(ProductId::new()),
        Target::User(UserId::new()),
        Target::Review(ReviewId::new()),
    ];
    for target in targets {
        let first = case(target, UserId::new());
        assert_eq!(read(&stores, target.id()).await, None);
        flagged(&stores, &first, flag(UserId::new())).await.expect("flagged");
        assert_eq!(read(&stores, target.id()).await.as_ref(), Some(&first));

        let decided = Some(Decided { by: UserId::new(), note: Some("no".to_owned()), at: NOW.plus_ms(1) });
        let hidden = Case { status: Status::Hidden, hidden: true, decided, updated_at: NOW.plus_ms(2), version: 2, ..first.clone() };
        let conflict = stores.users.commit(saving_case(&Case { version: 3, ..hidden.clone() }, UsersWrite::Decide)).await;
        assert!(matches!(conflict, Err(CommitError::Conflict)));
        let again = flagged(&stores, &first, flag(UserId::new())).await;
        assert!(matches!(again, Err(CommitError::Conflict)), "there is one already");
        stores.users.commit(saving_case(&hidden, UsersWrite::Decide)).await.expect("decided");
        assert_eq!(read(&stores, target.id()).await.as_ref(), Some(&hidden));

        let appeal = Some(Appeal { note: "please".to_owned(), created_at: NOW.plus_ms(3) });
        let reasons = BTreeMap::from([(Reason::Fraud, 7), (Reason::Other, 2)]);
        let open = Case { status: Status::Open, appeal, reasons, opened_at: NOW.plus_ms(3), flags: 9, version: 3, ..hidden };
        stores.users.commit(saving_case(&open, UsersWrite::SaveCase)).await.expect("appealed");
        assert_eq!(read(&stores, target.id()).await.as_ref(), Some(&open));
    }
}

pub async fn a_person_flags_a_thing_once_until_a_decision(stores: Stores) {
    let (first, reporter) = (about_a_post(), UserId::new());
    let id = first.target.id();
    let one = flag(reporter);
    flagged(&stores, &first, one.clone()).await.expect("flagged");
    let second = Case { flags: 2, version: 2, ..first.clone() };
    assert!(matches!(flagged(&stores, &second, flag(reporter)).await, Err(CommitError::Unchanged)));
    assert_eq!(read(&stores, id).await.as_ref(), Some(&first), "and nothing of it stays");
    let other = flag(UserId::new());
    flagged(&stores, &second, other.clone()).await.expect("flagged by another one");

    let dismissed = Case { status: Status::Dismissed, version: 3, ..second };
    stores.users.commit(saving_case(&dismissed, UsersWrite::Decide)).await.expect("decided");
    let anew = flag(reporter);
    flagged(&stores, &Case { version: 4, ..first }, anew.clone()).await.expect("flagged anew");
    assert_eq!(stores.users.flags(id, 10).await.expect("flags"), [anew.clone(), other, one]);
    assert_eq!(stores.users.flags(id, 1).await.expect("flags"), [anew]);
    assert_eq!(stores.users.flags(Uuid::now_v7(), 10).await.expect("flags"), []);
}

pub async fn so_many_flags_of_a_person_wait_at_most(stores: Stores) {
    let reporter = UserId::new();
    let mut last = about_a_post();
    for _ in 0..FLAGS_OPEN_MAX {
        last = about_a_post();
        flagged(&stores, &last, flag(reporter)).await.expect("flagged");
    }
    let more = about_a_post();
    assert!(matches!(flagged(&stores, &more, flag(reporter)).await, Err(CommitError::Full("flags"))));
    assert_eq!(read(&stores, more.target.id()).await, None);
    flagged(&stores, &more, flag(UserId::new())).await.expect("others may");
    let dismissed = Case { status: Status::Dismissed, version: 2, ..last };
    stores.users.commit(saving_case(&dismissed, UsersWrite::Decide)).await.expect("decided");
    flagged(&stores, &Case { version: 2, flags: 2, ..more }, flag(reporter)).await.expect("there is room");
}

pub async fn the_queue_is_by_priority_and_ones_own_by_age(stores: Stores) {
    let (author, mut cases) = (UserId::new(), Vec::new());
    for n in 0..12_u32 {
        let at = NOW.plus_ms((n / 3).into());
        let status = [Status::Open, Status::Open, Status::Hidden, Status::Dismissed][n as usize % 4];
        // Instants and counts repeat.
        let one = Case { flags: n % 3, opened_at: at, created_at: at, updated_at: at, status, author, ..about_a_post() };
        flagged(&stores, &one, flag(UserId::new())).await.expect("flagged");
        cases.push(one);
    }
    flagged(&stores, &Case { status: Status::Restored, ..about_a_post() }, flag(UserId::new())).await.expect("another one's");
    let id = |case: &Case| case.target.id();
    let all = walk(100, async |page| queue(&stores, None, page).await).await;
    for (status, count) in [(None, 13), (Some(Status::Open), 6), (Some(Status::Hidden), 3), (Some(Status::Restored), 1)] {
        let mut expected: Vec<_> = cases.iter().filter(|case| status.is_none_or(|status| case.status == status)).collect();
        expected.sort_by_key(|case| std::cmp::Reverse((case.priority(), id(case))));
        for limit in [1, 2, 5, 13] {
            let found = walk(limit, async |page| queue(&stores, status, page).await).await;
            let own: Vec<_> = found.iter().copied().filter(|found| cases.iter().any(|case| id(case) == *found)).collect();
            assert_eq!(own, expected.iter().map(|case| id(case)).collect::<Vec<_>>(), "{status:?} by pages of {limit}");
            assert_eq!(found.len(), count, "{status:?}");
        }
    }
    assert!(cases.iter().filter(|case| case.status == Status::Open).all(|case| all[..6].contains(&id(case))), "open ones stand first");

    cases.sort_by_key(|case| std::cmp::Reverse((case.created_at, id(case))));
    for limit in [1, 5, 12] {
        let own = walk(limit, async |page| {
            let found = stores.users.cases_of(author, page).await.expect("a page");
            (found.ids, found.next)
        });
        assert_eq!(own.await, cases.iter().map(id).collect::<Vec<_>>());
    }
}

async fn queue(stores: &Stores, status: Option<Status>, page: protocol::Page) -> (Vec<Uuid>, Option<protocol::Position>) {
    let found = stores.users.cases(status, page).await.expect("a page");
    (found.ids, found.next)
}

/// Hears verdicts of one thing: newer ones count, others change nothing. `hear` writes the thing's next row, `hidden` reads it.
async fn in_order(mut hear: impl AsyncFnMut(Verdict) -> Result<Committed, CommitError>, hidden: impl AsyncFn() -> bool) {
    let verdict = |hidden, case_version| Verdict { hidden, case_version };
    assert!(!hidden().await);
    hear(verdict(true, 4)).await.expect("it is the first");
    assert!(hidden().await);
    for (old, version) in [(false, 2), (false, 4), (true, 4)] {
        assert!(matches!(hear(verdict(old, version)).await, Err(CommitError::Unchanged)));
        assert!(hidden().await);
    }
    hear(verdict(false, 5)).await.expect("it is newer");
    assert!(!hidden().await);
    assert!(matches!(hear(verdict(true, 4)).await, Err(CommitError::Unchanged)));
    assert!(!hidden().await);
}

pub async fn older_verdicts_are_not_heard(stores: Stores) {
    let mut on = post(UserId::new());
    stores.content.commit(creating(&on)).await.expect("posted");
    let id = on.id;
    let hear = async |verdict: Verdict| {
        let next = Post { hidden: verdict.hidden, version: on.version + 1, ..on.clone() };
        let heard = stores.content.commit(saving_post(&next, |post| ContentWrite::Moderate(post, verdict))).await?;
        on = next;
        Ok(heard)
    };
    in_order(hear, async || stores.content.post(id).await.expect("a read").expect("the post").hidden).await;
    assert_eq!(
        stores.content.post(id).await.expect("a read").as_ref(),
        Some(&on),
        "nothing else changed, and nothing by what was not heard"
    );

    let mut lamp = product(UserId::new(), 1250);
    stores.shop.commit(selling(&lamp, ShopWrite::CreateProduct)).await.expect("offered");
    let id = lamp.id;
    let hear = async |verdict: Verdict| {
        let next = Product { hidden: verdict.hidden, version: lamp.version + 1, ..lamp.clone() };
        let heard = stores.shop.commit(selling(&next, |product| ShopWrite::Moderate(product, verdict))).await?;
        lamp = next;
        Ok(heard)
    };
    in_order(hear, async || stores.shop.product(id).await.expect("a read").expect("the product").hidden).await;
    assert_eq!(stores.shop.product(id).await.expect("a read").as_ref(), Some(&lamp));

    let mut user = somebody(&stores).await;
    let id = user.id;
    let hear = async |verdict: Verdict| {
        let next = User { is_active: !verdict.hidden, version: user.version + 1, ..user.clone() };
        let heard = stores.users.commit(saving(&next, |user| UsersWrite::Moderate(user, verdict))).await?;
        user = next;
        Ok(heard)
    };
    in_order(hear, async || !stores.users.is_active(id).await.expect("a read")).await;
    let account = stores.users.account(id, Timestamp(0)).await.expect("a read").expect("an account");
    assert_eq!(account.sessions, [], "whoever is hidden is signed out");
}

pub async fn a_hidden_review_is_in_no_rating(stores: Stores) {
    let lamp = product(UserId::new(), 1250);
    stores.shop.commit(selling(&lamp, ShopWrite::CreateProduct)).await.expect("offered");
    let mut one = review(&lamp, UserId::new(), 2);
    for review in [&one, &review(&lamp, UserId::new(), 5)] {
        stores.shop.commit(reviewing(review, ShopWrite::CreateReview)).await.expect("reviewed");
    }
    let id = one.id;
    let rating = async || stores.shop.product(lamp.id).await.expect("a read").expect("the product").rating;
    let both = Rating { sum: 7, count: 2 };
    assert_eq!(rating().await, both);
    let hear = async |verdict: Verdict| {
        let next = Review { hidden: verdict.hidden, version: one.version + 1, ..one.clone() };
        let was_hidden = one.hidden;
        let heard = stores.shop.commit(reviewing(&next, |review| ShopWrite::ModerateReview(review, was_hidden, verdict))).await?;
        one = next;
        Ok(heard)
    };
    let hidden = async || {
        let hidden = stores.shop.review(id).await.expect("a read").expect("the review").hidden;
        assert_eq!(rating().await, if hidden { Rating { sum: 5, count: 1 } } else { both });
        hidden
    };
    in_order(hear, hidden).await;

    // What its author does to it meanwhile does not count either.
    let verdict = Verdict { hidden: true, case_version: 6 };
    one = Review { hidden: true, version: one.version + 1, ..one };
    stores.shop.commit(reviewing(&one, |review| ShopWrite::ModerateReview(review, false, verdict))).await.expect("hidden");
    one = Review { rating: 1, version: one.version + 1, ..one };
    stores.shop.commit(reviewing(&one, |review| ShopWrite::SaveReview(review, 2))).await.expect("saved");
    assert_eq!(rating().await, Rating { sum: 5, count: 1 });
    let verdict = Verdict { hidden: false, case_version: 7 };
    one = Review { hidden: false, version: one.version + 1, ..one };
    stores.shop.commit(reviewing(&one, |review| ShopWrite::ModerateReview(review, true, verdict))).await.expect("shown");
    assert_eq!(rating().await, Rating { sum: 6, count: 2 });
    let verdict = Verdict { hidden: true, case_version: 8 };
    one = Review { hidden: true, version: one.version + 1, ..one };
    stores.shop.commit(reviewing(&one, |review| ShopWrite::ModerateReview(review, false, verdict))).await.expect("hidden");
    stores.shop.commit(reviewing(&Review { version: one.version + 1, ..one }, ShopWrite::RemoveReview)).await.expect("removed");
    assert_eq!(rating().await, Rating { sum: 5, count: 1 });
}

pub async fn a_hidden_comment_keeps_its_words_and_is_not_answered(stores: Stores) {
    let mut on = post(UserId::new());
    stores.content.commit(creating(&on)).await.expect("posted");
    let (post_id, said) = (on.id, comment(on.id, NOW));
    let mut next = Post { version: 2, comments_count: 1, ..on };
    stores.content.commit(saving_post(&next, |post| ContentWrite::AddComment(post, said.clone()))).await.expect("commented");
    let hear = async |verdict: Verdict| {
        let after = Post { version: next.version + 1, ..next.clone() };
        let write = |post| ContentWrite::ModerateComment(post, said.id, verdict);
        let heard = stores.content.commit(saving_post(&after, write)).await?;
        next = after;
        Ok(heard)
    };
    let hidden = async || {
        let one = stores.content.comment(said.id).await.expect("a read").expect("the comment");
        let (listed, _) = stores.content.comments(post_id, None, protocol::Page::default()).await.expect("a page");
        assert_eq!(listed, std::slice::from_ref(&one));
        assert_eq!(Comment { hidden: false, ..one.clone() }, said);
        one.hidden
    };
    in_order(hear, hidden).await;

    let at = |version| Verdict { hidden: true, case_version: version };
    on = Post { version: next.version + 1, ..next };
    stores.content.commit(saving_post(&on, |post| ContentWrite::ModerateComment(post, said.id, at(6)))).await.expect("hidden");
    let answer = Comment { parent_id: Some(said.id), ..comment(post_id, NOW) };
    let after = Post { version: on.version + 1, comments_count: 2, ..on };
    let answered = stores.content.commit(saving_post(&after, |post| ContentWrite::AddComment(post, answer))).await;
    assert!(matches!(answered, Err(CommitError::Missing("comment"))));
    // Its author may take it back; then there is nothing to hide.
    stores.content.commit(saving_post(&after, |post| ContentWrite::RemoveComment(post, said.id))).await.expect("removed");
    assert_eq!(stores.content.comment(said.id).await.expect("a read"), None);
    let last = Post { version: after.version + 1, ..after };
    let late = stores.content.commit(saving_post(&last, |post| ContentWrite::ModerateComment(post, said.id, at(7)))).await;
    assert!(matches!(late, Err(CommitError::Missing("comment"))));
}
