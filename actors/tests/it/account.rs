//! Who is who: sessions are opened, found and ended, and nobody learns which accounts there are.

use crate::harness::{Platform, Setup, as_user, refused, within};
use actors::account::{Accounts, Opened, Token};
use protocol::{
    ErrorCode, Principal, Refusal, UserId,
    account::{Device, Login, Registration, SESSIONS_MAX},
};
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct horse battery";

fn registration(name: &str) -> Registration {
    Registration {
        username: name.to_owned(),
        email: format!("{name}@example.org"),
        password: PASSWORD.to_owned(),
        first_name: None,
        last_name: None,
        cookie: false,
    }
}

/// A registration of somebody who does not repeat themselves.
fn once() -> (Device, bool) {
    (Device::default(), false)
}

fn login(name: &str, password: &str) -> Login {
    Login { email: format!("{name}@example.org"), password: password.to_owned(), cookie: false }
}

fn token(opened: &Opened) -> Token {
    Token::parse(opened.token.as_bytes()).expect("a token")
}

fn user(opened: &Opened) -> UserId {
    let body: serde_json::Value = serde_json::from_slice(&opened.user).expect("JSON");
    body["id"].as_str().expect("an id").parse().expect("a UUID")
}

async fn log_in(platform: &Platform, name: &str, password: &str) -> Result<Opened, Refusal> {
    within("a login", platform.accounts.login(&platform.anonymous(), login(name, password), Device::default())).await
}

/// Who the token is, if its session is open.
async fn who(platform: &Platform, token: Token) -> Option<UserId> {
    within("a look at a token", platform.accounts.authenticate(&token)).await.expect("an answer").and_then(|principal| principal.user())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_lasts_from_login_to_logout() {
    let platform = Platform::start().await;
    let registered = platform.accounts.register(&platform.anonymous(), registration("ada"), once()).await.expect("registered");
    let ada = user(&registered);
    assert_eq!(who(&platform, token(&registered)).await, Some(ada));
    let opened = log_in(&platform, "ADA", PASSWORD).await.expect("signed in, whatever the case of the address");
    assert_eq!((user(&opened), who(&platform, token(&opened)).await), (ada, Some(ada)));
    assert_ne!(opened.token, registered.token);

    platform.accounts.logout(&platform.call(ada), &token(&registered)).await.expect("signed out");
    assert_eq!(who(&platform, token(&registered)).await, None, "at once");
    assert_eq!(who(&platform, token(&opened)).await, Some(ada), "the other session goes on");
    platform.accounts.logout(&platform.call(ada), &token(&registered)).await.expect("signing out twice is no error");
    // Nobody else ends it.
    let bob = platform.person().await;
    assert_eq!(refused(platform.accounts.logout(&platform.call(bob), &token(&opened)).await), ErrorCode::Forbidden);
    let platform = platform.restarted().await;
    assert_eq!(who(&platform, token(&registered)).await, None);
    assert_eq!(who(&platform, token(&opened)).await, Some(ada), "sessions outlive the process");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_open_session_is_nobody() {
    let mut setup = Setup::default();
    setup.limits.session_lifetime = Duration::ZERO;
    let platform = setup.start().await;
    let expired = platform.accounts.register(&platform.anonymous(), registration("ada"), once()).await.expect("registered");
    assert_eq!(who(&platform, token(&expired)).await, None, "it lasted for no time");
    let mut forged = expired.token.into_bytes();
    forged.reverse();
    if let Some(forged) = Token::parse(&forged) {
        assert_eq!(who(&platform, forged).await, None);
    }
    assert!(Token::parse(b"short").is_none());
    // An owner that is out of reach is not a "no".
    let other = Platform::start().await;
    let opened = other.accounts.register(&other.anonymous(), registration("ada"), once()).await.expect("registered");
    let other = other.restarted().await;
    other.faults.always("account", crate::harness::Act::Fail);
    assert_eq!(other.accounts.authenticate(&token(&opened)).await.err().map(|refusal| refusal.code), Some(ErrorCode::Unavailable));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_session_too_many_ends_the_oldest() {
    let platform = Platform::start().await;
    let mut sessions = vec![platform.accounts.register(&platform.anonymous(), registration("ada"), once()).await.expect("registered")];
    let ada = user(&sessions[0]);
    while sessions.len() < SESSIONS_MAX + 3 {
        sessions.push(log_in(&platform, "ada", PASSWORD).await.expect("signed in"));
    }
    let check = async |platform: &Platform| {
        for (number, opened) in sessions.iter().enumerate() {
            assert_eq!(who(platform, token(opened)).await, (number >= 3).then_some(ada), "session {number}");
        }
    };
    check(&platform).await;
    check(&platform.restarted().await).await;
}

/// Sessions that are opened and ended at once, from everywhere: each is as its own last answer says.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn sessions_do_not_disturb_each_other() {
    let platform = Platform::start().await;
    let ada = user(&platform.accounts.register(&platform.anonymous(), registration("ada"), once()).await.expect("registered"));
    let people: Vec<_> = (0..8)
        .map(|_| {
            let (accounts, client) = (platform.accounts.clone(), platform.client.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    let opened = accounts
                        .login(&client.call(Principal::Anonymous), login("ada", PASSWORD), Device::default())
                        .await
                        .expect("signed in");
                    let token = token(&opened);
                    assert!(accounts.authenticate(&token).await.expect("an answer").is_some_and(|principal| principal.is(ada)));
                    accounts.logout(&client.call(as_user(ada)), &token).await.expect("signed out");
                    assert!(accounts.authenticate(&token).await.expect("an answer").is_none(), "a session is still open after logout");
                }
            })
        })
        .collect();
    for person in people {
        within("somebody", person).await.expect("nobody fails");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_addresses_are_taken_once() {
    let platform = Platform::start().await;
    let register = |new, repeated: bool| {
        let call = platform.anonymous();
        let accounts = platform.accounts.clone();
        async move { accounts.register(&call, new, (Device::default(), repeated)).await }
    };
    let first = register(registration("ada"), false).await.expect("registered");
    let taken = |code| matches!(code, ErrorCode::UsernameTaken | ErrorCode::EmailTaken);
    assert!(taken(refused(register(registration("ada"), false).await)));
    let same_name = Registration { email: "lovelace@example.org".to_owned(), ..registration("ADA") };
    assert_eq!(refused(register(same_name, false).await), ErrorCode::UsernameTaken);
    let same_address = Registration { username: "lovelace".to_owned(), ..registration("ada") };
    assert_eq!(refused(register(same_address, false).await), ErrorCode::EmailTaken);
    // A client that repeats itself has registered; one with another password has not.
    let again = register(registration("ada"), true).await.expect("it is theirs");
    assert_eq!(user(&again), user(&first));
    let stranger = Registration { password: "another password".to_owned(), ..registration("ada") };
    assert!(taken(refused(register(stranger, true).await)));
    let short = Registration { password: "short".to_owned(), ..registration("bob") };
    assert_eq!(refused(register(short, false).await), ErrorCode::InvalidField);

    let racers: Vec<_> = (0..8).map(|_| tokio::spawn(register(registration("carol"), false))).collect();
    let mut registered = 0;
    for racer in racers {
        match within("a registration", racer).await.expect("no panic") {
            Ok(_) => registered += 1,
            Err(refusal) => assert!(taken(refusal.code)),
        }
    }
    assert_eq!(registered, 1);
}

/// A platform whose hashing takes long enough to be told from anything else.
async fn slow_hashing(permits: usize, waiting: usize) -> Platform {
    let mut setup = Setup::default();
    (setup.limits.argon2_memory_kib, setup.limits.argon2_passes) = (32 << 10, 6);
    (setup.limits.hashing_permits, setup.limits.hashing_waiting_max) = (permits, waiting);
    let platform = setup.start().await;
    platform.accounts.register(&platform.anonymous(), registration("ada"), once()).await.expect("registered");
    platform
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_password_and_no_account_look_the_same() {
    let platform = slow_hashing(1, 4).await;
    let begun = Instant::now();
    log_in(&platform, "ada", PASSWORD).await.expect("signed in");
    let hash = begun.elapsed();
    for (name, password) in [("ada", "a wrong password"), ("nobody", PASSWORD)] {
        let begun = Instant::now();
        let refusal = log_in(&platform, name, password).await.err().expect("refused");
        assert_eq!(refusal, ErrorCode::BadCredentials.into(), "the same words, too");
        assert!(begun.elapsed() > hash / 4, "{name}: no password was hashed");
    }
    assert_eq!(refused(log_in(&platform, "ada", &"x".repeat(300)).await), ErrorCode::BadCredentials);
}

/// Hashing that was begun goes on when its client hangs up, so it keeps its place: hanging up does not buy more of it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hashing_is_bounded_also_for_clients_that_hang_up() {
    let platform = slow_hashing(1, 0).await;
    let attempt = |accounts: Accounts| {
        let call = platform.anonymous();
        tokio::spawn(
            async move { accounts.login(&call, login("nobody", PASSWORD), Device::default()).await.err().map(|refusal| refusal.code) },
        )
    };
    let impatient = loop {
        let impatient = attempt(platform.accounts.clone());
        // If the next one is refused while this one waits, it is this one that is being hashed.
        if attempt(platform.accounts.clone()).await.expect("no panic") == Some(ErrorCode::Overloaded) && !impatient.is_finished() {
            break impatient;
        }
    };
    impatient.abort();
    assert!(impatient.await.expect_err("it was ended").is_cancelled());
    assert_eq!(attempt(platform.accounts.clone()).await.expect("no panic"), Some(ErrorCode::Overloaded), "the hashing goes on");
    // When it is done there is room again.
    loop {
        match log_in(&platform, "ada", PASSWORD).await {
            Ok(_) => break,
            Err(refusal) => assert_eq!(refusal.code, ErrorCode::Overloaded),
        }
    }
}
