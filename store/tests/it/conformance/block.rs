//! Who is hidden from whom, by their own will or by a ban.

use crate::make::*;
use protocol::follow::Relations;
use protocol::{Key, Kind, Page, Timestamp, UserId};
use store::{Commit, CommitError, Expect, Stores, Touch, UsersWrite};
use uuid::Uuid;

fn blocking(blocker: UserId, blocked: UserId, add: bool, at: Timestamp) -> Commit<UsersWrite> {
    let key = |id| Key::new(Kind::Follows, id);
    let mut commit = commit(key(blocker), Expect::Any, UsersWrite::Block { blocker, blocked, add, at });
    commit.touches = vec![Touch::Key(key(blocked))];
    commit
}

async fn relations(stores: &Stores, id: UserId) -> Relations {
    stores.users.relations(id).await.expect("a read")
}

async fn people<const N: usize>(stores: &Stores) -> [UserId; N] {
    let mut people = [UserId(Uuid::nil()); N];
    for person in &mut people {
        *person = somebody(stores).await.id;
    }
    people
}

pub async fn a_block_hides_both_and_ends_their_follows(stores: Stores) {
    let [a, b, c] = people(&stores).await;
    for (from, to) in [(a, b), (b, a), (a, c), (c, a), (c, b)] {
        stores.users.commit(following(from, to, true, NOW)).await.expect("followed");
    }
    stores.users.commit(blocking(a, b, true, NOW)).await.expect("blocked");
    let (of_a, of_b, of_c) = (relations(&stores, a).await, relations(&stores, b).await, relations(&stores, c).await);
    assert_eq!((of_a.following, of_a.friends, of_a.followers), (vec![c], vec![c], 1));
    assert_eq!((of_a.hidden, of_a.blocks), (vec![b], 1));
    assert_eq!((of_b.following, of_b.friends, of_b.followers), (vec![], vec![], 1));
    assert_eq!((of_b.hidden, of_b.blocks), (vec![a], 0), "whoever is blocked is hidden from, and blocks nobody");
    assert_eq!((of_c.following, of_c.hidden), (vec![a.min(b), a.max(b)], vec![]));
    for (id, followers, total) in [(a, true, 1), (a, false, 1), (b, true, 1), (b, false, 0)] {
        let (ids, counted) = stores.users.follow_page(id, followers, Page::default()).await.expect("a page");
        assert_eq!((ids.ids.len() as u64, counted), (total, total));
    }

    stores.users.commit(blocking(a, b, false, NOW)).await.expect("ended");
    let of_a = relations(&stores, a).await;
    assert_eq!((of_a.hidden, of_a.blocks, of_a.following), (vec![], 0, vec![c]), "follows do not come back");
}

pub async fn a_block_that_is_so_already_changes_nothing(stores: Stores) {
    let [a, b] = people(&stores).await;
    assert!(matches!(stores.users.commit(blocking(a, b, false, NOW)).await, Err(CommitError::Unchanged)));
    stores.users.commit(blocking(a, b, true, NOW)).await.expect("blocked");
    let before = relations(&stores, a).await;
    assert!(matches!(stores.users.commit(blocking(a, b, true, NOW)).await, Err(CommitError::Unchanged)));
    assert_eq!(relations(&stores, a).await, before);
    let nobody = UserId::new();
    assert!(matches!(stores.users.commit(blocking(a, nobody, true, NOW)).await, Err(CommitError::Missing(_))));
    assert!(matches!(stores.users.commit(blocking(nobody, a, true, NOW)).await, Err(CommitError::Missing(_))));
    assert_eq!(relations(&stores, a).await, before);
}

pub async fn nobody_follows_across_a_block(stores: Stores) {
    let [a, b] = people(&stores).await;
    stores.users.commit(blocking(a, b, true, NOW)).await.expect("blocked");
    for (from, to) in [(a, b), (b, a)] {
        assert!(matches!(stores.users.commit(following(from, to, true, NOW)).await, Err(CommitError::Missing(_))));
    }
    // Each has a say of their own: one end of two blocks leaves the other.
    stores.users.commit(blocking(b, a, true, NOW)).await.expect("blocked");
    stores.users.commit(blocking(a, b, false, NOW)).await.expect("ended");
    assert_eq!((relations(&stores, a).await.hidden, relations(&stores, b).await.hidden), (vec![b], vec![a]));
    assert!(matches!(stores.users.commit(following(a, b, true, NOW)).await, Err(CommitError::Missing(_))));
    stores.users.commit(blocking(b, a, false, NOW)).await.expect("ended");
    stores.users.commit(following(a, b, true, NOW)).await.expect("followed");
}

pub async fn blocks_are_paged_newest_first(stores: Stores) {
    let [a] = people(&stores).await;
    let mut expected = Vec::new();
    for n in 0..7 {
        let (other, at) = (somebody(&stores).await.id, NOW.plus_ms(n / 3));
        stores.users.commit(blocking(a, other, true, at)).await.expect("blocked");
        expected.push((at, other.0));
    }
    expected.sort_by(|a, b| b.cmp(a));
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    for limit in [1, 3, 7, 8] {
        let read = async |page| {
            let (ids, total) = stores.users.blocked(a, page).await.expect("a page");
            assert_eq!(total, 7);
            (ids.ids, ids.next)
        };
        assert_eq!(walk(limit, read).await, expected);
    }
    let hidden: Vec<_> = relations(&stores, a).await.hidden.into_iter().map(|id| id.0).collect();
    let mut sorted = expected;
    sorted.sort();
    assert_eq!(hidden, sorted, "hidden people are found by binary search");
}

pub async fn a_ban_is_known_and_ends_sessions(stores: Stores) {
    let mut user = somebody(&stores).await;
    assert!(stores.users.is_active(user.id).await.expect("a read"));
    assert!(!stores.users.is_active(UserId::new()).await.expect("a read"));
    assert_eq!(stores.users.inactive().await.expect("a read"), []);

    (user.is_active, user.version) = (false, 2);
    stores.users.commit(saving(&user, UsersWrite::Suspend)).await.expect("banned");
    assert!(!stores.users.is_active(user.id).await.expect("a read"));
    assert_eq!(stores.users.inactive().await.expect("a read"), [user.id]);
    assert_eq!(stores.users.account(user.id, NOW).await.expect("a read"), None);

    (user.is_active, user.version) = (true, 3);
    stores.users.commit(saving(&user, UsersWrite::Save)).await.expect("the ban ends");
    assert_eq!(stores.users.inactive().await.expect("a read"), []);
    let account = stores.users.account(user.id, NOW).await.expect("a read").expect("an account");
    assert_eq!(account.sessions, [], "the sessions of before are gone");
}
