//! The audit log.

use crate::make::*;
use protocol::audit::{Entry, Filter, action};
use protocol::{Kind, Page, UserId};
use store::{CommitError, Effect, Stores, Touch, UsersWrite};

fn entry(actor: Option<UserId>, target: UserId) -> Entry {
    let entry = Entry::new(actor, action::BAN, ("user", target.0), NOW).with("reason", "spam: \"buy\"\n'now'");
    entry.from(Some("2001:db8::1".parse().expect("an address")))
}

async fn entries(stores: &Stores, filter: Filter) -> Vec<Entry> {
    let read = async |page| stores.users.audit(filter, page).await.expect("a page");
    walk(2, read).await
}

pub async fn a_deed_is_logged_with_the_commit_or_not_at_all(stores: Stores) {
    let (actor, mut user) = (somebody(&stores).await.id, somebody(&stores).await);
    let deed = entry(Some(actor), user.id);
    (user.is_active, user.version) = (false, 2);
    let mut commit = saving(&user, UsersWrite::Suspend);
    commit.touches = vec![Touch::Audit(Box::new(deed.clone())), Touch::Standing(user.id)];
    let committed = stores.users.commit(commit.clone()).await.expect("banned");
    let effects: Vec<_> = committed.effects.into_iter().map(|row| row.effect).collect();
    assert_eq!(effects, [Effect::Standing(user.id)], "what is done in the transaction needs no delivery");
    assert_eq!(entries(&stores, Filter::default()).await, std::slice::from_ref(&deed));

    commit.touches = vec![Touch::Audit(Box::new(entry(Some(actor), user.id)))];
    assert!(matches!(stores.users.commit(commit).await, Err(CommitError::Conflict)));
    assert_eq!(entries(&stores, Filter::default()).await, [deed]);
}

pub async fn other_databases_log_through_the_outbox(stores: Stores) {
    let (actor, author) = (somebody(&stores).await.id, somebody(&stores).await.id);
    let (post, deed) = (post(author), entry(Some(actor), author));
    let mut commit = creating(&post);
    commit.touches = vec![Touch::Audit(Box::new(deed.clone()))];
    let committed = stores.content.commit(commit).await.expect("posted");
    let effect = Effect::Audit { origin: Kind::Timeline, entry: Box::new(deed.clone()) };
    assert_eq!(committed.effects[0].effect, effect);
    assert_eq!(stores.content.outbox(None, 10).await.expect("effects")[0].effect, effect);
    // Delivered twice, it is one entry.
    for _ in 0..2 {
        stores.users.note(deed.clone()).await.expect("noted");
    }
    assert_eq!(entries(&stores, Filter::default()).await, [deed]);
}

pub async fn the_log_is_read_by_actor_and_target_newest_first(stores: Stores) {
    let [a, b, x, y] = [(); 4].map(|()| UserId::new());
    let mut written = Vec::new();
    for (actor, target) in [(Some(a), x), (Some(b), x), (Some(a), y), (None, x), (Some(a), x), (Some(b), y)] {
        let entry = entry(actor, target);
        stores.users.note(entry.clone()).await.expect("noted");
        written.insert(0, entry);
    }
    for actor in [None, Some(a), Some(b), Some(UserId::new())] {
        for target in [None, Some(x.0), Some(y.0)] {
            let fits = |e: &&Entry| actor.is_none_or(|a| e.actor_id == Some(a)) && target.is_none_or(|t| e.target_id == t);
            let expected: Vec<_> = written.iter().filter(fits).cloned().collect();
            assert_eq!(entries(&stores, Filter { actor, target }).await, expected);
        }
    }
    let (rows, next) = stores.users.audit(Filter::default(), Page::first(100)).await.expect("a page");
    assert_eq!((rows, next), (written, None));
}
