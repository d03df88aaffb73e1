//! Accounts and sessions.

use crate::make::*;
use protocol::account::{Device, Reset, Session, TokenHash};
use protocol::user::User;
use protocol::{Key, Kind, Role, Timestamp, UserId};
use store::{CommitError, Errand, Expect, Stores, Task, UsersWrite};

fn opening(user: UserId, session: &Session, ended: Vec<TokenHash>) -> store::Commit<UsersWrite> {
    commit(Key::new(Kind::Account, user), Expect::Any, UsersWrite::OpenSession { user, session: session.clone(), device: device(1), ended })
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
    for name in ["Ada", "aDA", "ADA@example.org"] {
        assert_eq!(stores.users.named(name).await.expect("a read"), Some(user.id));
    }
    for nobody in ["ad", "%", "", "bob"] {
        assert_eq!(stores.users.named(nobody).await.expect("a read"), None);
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

/// A write to an account that commutes.
async fn write(stores: &Stores, user: UserId, write: UsersWrite, now: Timestamp) -> Result<u64, CommitError> {
    let commit = store::Commit { now, ..commit(Key::new(Kind::Account, user), Expect::Any, write) };
    stores.users.commit(commit).await.map(|committed| committed.version)
}

pub async fn sessions_say_where_they_were_opened(stores: Stores) {
    let user = somebody(&stores).await.id;
    let (known, unknown) = (session(2), session(3));
    stores.users.commit(opening(user, &known, vec![])).await.expect("opened");
    let anonymous = UsersWrite::OpenSession { user, session: unknown.clone(), device: Device::default(), ended: vec![] };
    write(&stores, user, anonymous, NOW).await.expect("opened");
    stores.users.session_seen(known.token_hash, NOW.plus_ms(5)).await.expect("noted");
    stores.users.session_seen([9; 32], NOW).await.expect("a session that is gone is no error");
    let rows = stores.users.sessions(user, NOW).await.expect("a read");
    assert_eq!(rows.len(), 3);
    assert_eq!((&rows[0].session, &rows[0].device, rows[0].seen_at), (&unknown, &Device::default(), None));
    assert_eq!((&rows[1].session, &rows[1].device, rows[1].seen_at), (&known, &device(1), Some(NOW.plus_ms(5))));
    assert_eq!(rows[2].device, device(0), "registering opens one, too");
    let later = stores.users.sessions(user, unknown.expires_at).await.expect("a read");
    assert_eq!(later, [], "none of them lasts so long");
    assert_eq!(stores.users.sessions(UserId::new(), NOW).await.expect("a read"), []);
}

pub async fn all_sessions_end_but_one(stores: Stores) {
    let (user, other) = (somebody(&stores).await.id, somebody(&stores).await.id);
    let kept = session(2);
    for session in [&kept, &session(3), &session(4)] {
        stores.users.commit(opening(user, session, vec![])).await.expect("opened");
    }
    let sessions = async |user| stores.users.account(user, NOW).await.expect("a read").expect("an account").sessions;
    write(&stores, user, UsersWrite::EndSessions { user, keep: Some(kept.token_hash) }, NOW).await.expect("ended");
    assert_eq!(sessions(user).await, [kept]);
    write(&stores, user, UsersWrite::EndSessions { user, keep: None }, NOW).await.expect("ended");
    assert_eq!((sessions(user).await.len(), sessions(other).await.len()), (0, 1), "nobody else's");
}

pub async fn a_new_password_ends_what_the_old_one_opened(stores: Stores) {
    let user = somebody(&stores).await.id;
    let kept = session(2);
    stores.users.commit(opening(user, &kept, vec![])).await.expect("opened");
    let reset = Reset { token_hash: [5; 32], expires_at: NOW.plus_ms(9) };
    write(&stores, user, UsersWrite::AllowReset { user, reset }, NOW).await.expect("allowed");
    let set = |hash: &str, keep| UsersWrite::SetPassword { user, password_hash: hash.to_owned(), keep };
    write(&stores, user, set("$new", Some(kept.token_hash)), NOW).await.expect("set");
    let account = stores.users.account(user, NOW).await.expect("a read").expect("an account");
    assert_eq!((account.password_hash.as_str(), &account.sessions[..], account.reset), ("$new", &[kept][..], None));
    let errand = Errand { user, task: Task::MailPasswordChanged, asked_at: NOW, failures: 0 };
    assert_eq!(stores.users.errands(NOW, 10).await.expect("a read"), [errand], "they are told by mail");
    write(&stores, user, set("$newer", None), NOW).await.expect("set");
    assert_eq!(stores.users.account(user, NOW).await.expect("a read").expect("an account").sessions, []);
    let nobody = UserId::new();
    let nobodys = UsersWrite::SetPassword { user: nobody, password_hash: String::new(), keep: None };
    assert!(matches!(write(&stores, nobody, nobodys, NOW).await, Err(CommitError::Missing("user"))));
}

pub async fn the_newest_reset_counts(stores: Stores) {
    let user = somebody(&stores).await.id;
    let reset = |n: u8| Reset { token_hash: [n; 32], expires_at: NOW.plus_ms(n.into()) };
    for n in [1, 2] {
        write(&stores, user, UsersWrite::AllowReset { user, reset: reset(n) }, NOW).await.expect("allowed");
        assert_eq!(stores.users.account(user, NOW).await.expect("a read").expect("an account").reset, Some(reset(n)));
    }
    let nobody = UserId::new();
    let nobodys = UsersWrite::AllowReset { user: nobody, reset: reset(1) };
    assert!(matches!(write(&stores, nobody, nobodys, NOW).await, Err(CommitError::Missing("user"))));
}

pub async fn errands_are_run_until_they_are_done(stores: Stores) {
    let (ada, bob) = (somebody(&stores).await.id, somebody(&stores).await.id);
    let at = |ms| NOW.plus_ms(ms);
    let ask = async |user, ms| write(&stores, user, UsersWrite::Ask { user, task: Task::MailReset }, at(ms)).await.expect("asked");
    let due = async |ms, limit| stores.users.errands(at(ms), limit).await.expect("a read");
    let errand = |user, asked_ms, failures| Errand { user, task: Task::MailReset, asked_at: at(asked_ms), failures };
    ask(ada, 1).await;
    ask(bob, 2).await;
    assert_eq!(due(0, 10).await, []);
    assert_eq!(due(5, 10).await, [errand(ada, 1, 0), errand(bob, 2, 0)], "the longest due first");
    assert_eq!(due(5, 1).await, [errand(ada, 1, 0)]);

    stores.users.errand_failed(errand(ada, 1, 0), at(100)).await.expect("put off");
    assert_eq!(due(99, 10).await, [errand(bob, 2, 0)]);
    assert_eq!(due(100, 10).await, [errand(bob, 2, 0), errand(ada, 1, 1)]);
    // Asked for again while it was run: what the run came to is no answer to that.
    ask(ada, 3).await;
    for stale in [1, 1] {
        stores.users.errand_done(errand(ada, stale, 1)).await.expect("noted");
        stores.users.errand_failed(errand(ada, stale, 1), at(1000)).await.expect("noted");
    }
    assert_eq!(due(5, 10).await, [errand(bob, 2, 0), errand(ada, 3, 0)]);
    stores.users.errand_done(errand(bob, 2, 0)).await.expect("done");
    stores.users.errand_done(errand(ada, 3, 0)).await.expect("done");
    assert_eq!(due(10_000, 10).await, []);
}

pub async fn who_departs_leaves_an_empty_row(stores: Stores) {
    let mut user = somebody(&stores).await;
    let (name, email) = (user.username.clone(), user.email.clone());
    user.version = 2;
    stores.users.commit(saving(&user, |u| UsersWrite::AddSkill(u, skill("Rust")))).await.expect("added");
    write(&stores, user.id, UsersWrite::Ask { user: user.id, task: Task::MailReset }, NOW).await.expect("asked");
    let gone = user.departed(NOW);
    stores.users.commit(saving(&gone, UsersWrite::Depart)).await.expect("departed");
    assert_eq!(stores.users.user(user.id).await.expect("a read"), Some(gone));
    assert_eq!(stores.users.account(user.id, NOW).await.expect("a read"), None);
    assert!(stores.users.credentials(&email).await.expect("a read").is_none());
    assert_eq!(stores.users.sessions(user.id, NOW).await.expect("a read"), []);
    let errand = Errand { user: user.id, task: Task::Erase, asked_at: NOW, failures: 0 };
    assert_eq!(stores.users.errands(NOW, 10).await.expect("a read"), [errand], "no mail any more");
    let next = User { username: name, email, ..person("next") };
    stores.users.commit(registering(&next)).await.expect("name and address are free");
}
