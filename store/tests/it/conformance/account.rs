//! Accounts and sessions.

use crate::make::*;
use protocol::account::{Session, TokenHash};
use protocol::user::User;
use protocol::{Key, Kind, Role, UserId};
use store::{CommitError, Expect, Stores, UsersWrite};

fn opening(user: UserId, session: &Session, ended: Vec<TokenHash>) -> store::Commit<UsersWrite> {
    commit(Key::new(Kind::Account, user), Expect::Any, UsersWrite::OpenSession { user, session: session.clone(), ended })
}

pub async fn a_new_account_is_at_version_1(stores: Stores) {
    let user = User { role: Role::Admin, ..person(&name()) };
    let write = registering(&user);
    let UsersWrite::Register { session, .. } = write.write.clone() else { unreachable!() };
    stores.users.commit(write).await.expect("registered");
    let account = stores.users.account(user.id, NOW).await.expect("a read").expect("an account");
    assert_eq!((account.role, account.password_hash.as_str(), account.version), (Role::Admin, "$argon2id$x", 1));
    assert_eq!(account.sessions, [session]);
    assert_eq!(stores.users.key_version(Key::new(Kind::Account, user.id)).await.expect("a version"), 1);
    assert_eq!(stores.users.account(UserId::new(), NOW).await.expect("a read"), None);
}

pub async fn credentials_are_found_without_regard_to_case(stores: Stores) {
    let user = User { email: "Ada@Example.org".to_owned(), ..person("ada") };
    stores.users.commit(registering(&user)).await.expect("registered");
    for email in ["Ada@Example.org", "ada@example.org", "ADA@EXAMPLE.ORG"] {
        let found = stores.users.credentials(email).await.expect("a read").expect("credentials");
        assert_eq!((found.user, found.password_hash.as_str()), (user.id, "$argon2id$x"));
    }
    for email in ["ada@example", "%@example.org", ""] {
        assert!(stores.users.credentials(email).await.expect("a read").is_none());
    }
}

pub async fn sessions_open_and_close(stores: Stores) {
    let user = somebody(&stores).await.id;
    let sessions = async || stores.users.account(user, NOW).await.expect("a read").expect("an account").sessions;
    let first = sessions().await.remove(0);
    let (second, third) = (session(2), session(3));
    assert_eq!(stores.users.commit(opening(user, &second, vec![])).await.expect("opened").version, 2);
    assert_eq!(sessions().await, [second.clone(), first.clone()]);
    let mut stale = opening(user, &third, vec![]);
    stale.expect = Expect::Version(1);
    assert!(matches!(stores.users.commit(stale).await, Err(CommitError::Conflict)));
    let mut replacing = opening(user, &third, vec![first.token_hash, [9; 32]]);
    replacing.expect = Expect::Version(2);
    stores.users.commit(replacing).await.expect("opened");
    assert_eq!(sessions().await, [third.clone(), second.clone()]);

    let close = |user, token_hash| {
        stores.users.commit(commit(Key::new(Kind::Account, user), Expect::Any, UsersWrite::CloseSession { user, token_hash }))
    };
    let other = somebody(&stores).await.id;
    close(other, third.token_hash).await.expect("nothing of theirs");
    assert_eq!(sessions().await.len(), 2, "nobody closes another's session");
    close(user, third.token_hash).await.expect("closed");
    close(user, third.token_hash).await.expect("closing what is not there is no error");
    assert_eq!(sessions().await, [second]);
    assert_eq!(stores.users.account(user, NOW).await.expect("a read").expect("an account").version, 5);

    let nobody = UserId::new();
    assert!(matches!(stores.users.commit(opening(nobody, &session(4), vec![])).await, Err(CommitError::Missing("user"))));
    assert_eq!(stores.users.key_version(Key::new(Kind::Account, nobody)).await.expect("a version"), 0);
}

pub async fn expired_sessions_are_not_seen(stores: Stores) {
    let user = somebody(&stores).await.id;
    let first = stores.users.account(user, NOW).await.expect("a read").expect("an account").sessions.remove(0);
    let count = async |now| stores.users.account(user, now).await.expect("a read").expect("an account").sessions.len();
    assert_eq!(count(first.expires_at.plus_ms(-1)).await, 1);
    assert_eq!(count(first.expires_at).await, 0);
    // The next one that is opened clears away what expired.
    let mut later = opening(user, &session(5), vec![]);
    later.now = first.expires_at;
    stores.users.commit(later).await.expect("opened");
    assert_eq!(count(NOW).await, 1);
}

pub async fn an_inactive_account_is_not_there(stores: Stores) {
    let user = somebody(&stores).await;
    let banned = User { is_active: false, version: 2, ..user.clone() };
    let mut write = saving(&banned, UsersWrite::Save);
    write.touches = vec![store::Touch::Key(Key::new(Kind::Account, user.id))];
    stores.users.commit(write).await.expect("saved");
    assert_eq!(stores.users.account(user.id, NOW).await.expect("a read"), None);
    assert!(!stores.users.user(user.id).await.expect("a read").expect("the person").is_active);
    let back = User { version: 3, ..user.clone() };
    stores.users.commit(saving(&back, UsersWrite::Save)).await.expect("saved");
    let account = stores.users.account(user.id, NOW).await.expect("a read").expect("an account");
    assert_eq!((account.version, account.sessions.len()), (2, 1));
}
