//! People and skills.

use crate::make::*;
use protocol::user::{Profile, User};
use protocol::{Key, Kind, Role, SkillId, UserId};
use store::{CommitError, Stores, UsersWrite};

fn full() -> User {
    let text = |t: &str| Some(t.to_owned());
    User {
        first_name: text("Ada"),
        last_name: text("Ĺ"),
        bio: text("a\n'b' \"c\""),
        avatar: text("/a.png"),
        role: Role::Moderator,
        profile: Profile {
            phone_number: text("+1 23"),
            date_of_birth: text("1990-12-31"),
            location: text("Ål"),
            website: text("https://example.org"),
            company: text(""),
            job_title: text("engineer"),
            interests: vec!["tea, milk".to_owned(), "\u{1F600}".to_owned()],
            social_links: [("site".to_owned(), "https://example.org/?a=\"b\"".to_owned())].into(),
        },
        updated_at: NOW.plus_ms(1),
        ..person(&name())
    }
}

pub async fn a_person_is_read_as_written(stores: Stores) {
    let mut people = [full(), person(&name())];
    people[1].profile = Profile::default();
    for user in &people {
        let committed = stores.users.commit(registering(user)).await.expect("registered");
        assert_eq!((committed.version, committed.effects), (1, Vec::new()));
    }
    for user in people {
        assert_eq!(stores.users.user(user.id).await.expect("a read"), Some(user));
    }
    assert_eq!(stores.users.user(UserId::new()).await.expect("a read"), None);
}

pub async fn names_and_addresses_are_taken_without_regard_to_case(stores: Stores) {
    let first = person("Ada");
    stores.users.commit(registering(&first)).await.expect("registered");
    let mut same_name = person(&name());
    same_name.username = "aDA".to_owned();
    let mut same_address = person(&name());
    same_address.email = "ADA@Example.ORG".to_owned();
    assert!(matches!(stores.users.commit(registering(&same_name)).await, Err(CommitError::Taken("username"))));
    assert!(matches!(stores.users.commit(registering(&same_address)).await, Err(CommitError::Taken("email"))));

    let second = somebody(&stores).await;
    let rename = |username: &str, email: &str| {
        let next = User { username: username.to_owned(), email: email.to_owned(), version: 2, ..second.clone() };
        stores.users.commit(saving(&next, UsersWrite::Save))
    };
    assert!(matches!(rename("ADA", "b@example.org").await, Err(CommitError::Taken("username"))));
    assert!(matches!(rename("b", "aDa@example.org").await, Err(CommitError::Taken("email"))));
    assert_eq!(stores.users.user(second.id).await.expect("a read").expect("the person").version, 1);
    rename("bob", "Bob@example.org").await.expect("free");
    let _ = stores.users.credentials("bob@EXAMPLE.org").await.expect("a read").expect("the new address");
    assert!(stores.users.credentials(&second.email).await.expect("a read").is_none());
}

pub async fn a_refused_registration_leaves_nothing_behind(stores: Stores) {
    let first = somebody(&stores).await;
    let mut second = person(&name());
    second.email.clone_from(&first.email);
    let mut write = registering(&second);
    write.record = Some(record(second.id, "k"));
    assert!(matches!(stores.users.commit(write).await, Err(CommitError::Taken("email"))));
    assert_eq!(stores.users.user(second.id).await.expect("a read"), None);
    assert_eq!(stores.users.account(second.id, NOW).await.expect("a read"), None);
    assert_eq!(stores.users.key_version(Key::new(Kind::Account, second.id)).await.expect("a version"), 0);
    assert_eq!(stores.users.record(second.id, "create", "k").await.expect("a read"), None);
    // The id exists, under another name: the row is not the one that the write expects.
    let mut twin = person(&name());
    twin.id = first.id;
    assert!(matches!(stores.users.commit(registering(&twin)).await, Err(CommitError::Conflict)));
    second.email = "free@example.org".to_owned();
    stores.users.commit(registering(&second)).await.expect("the name is free still");
}

pub async fn a_person_is_saved_version_by_version(stores: Stores) {
    let user = somebody(&stores).await;
    let next = User { id: user.id, username: user.username, email: user.email, version: 2, ..full() };
    assert_eq!(stores.users.commit(saving(&next, UsersWrite::Save)).await.expect("saved").version, 2);
    assert_eq!(stores.users.user(user.id).await.expect("a read"), Some(next.clone()));
    assert!(matches!(stores.users.commit(saving(&next, UsersWrite::Save)).await, Err(CommitError::Conflict)));
    let third = User { version: 3, bio: None, ..next };
    assert_eq!(stores.users.commit(saving(&third, UsersWrite::Save)).await.expect("saved").version, 3);
    assert_eq!(stores.users.user(user.id).await.expect("a read"), Some(third));
}

pub async fn skills_come_and_go(stores: Stores) {
    let mut user = somebody(&stores).await;
    let (rust, tea) = (skill("Rust"), skill("tea"));
    for skill in [&rust, &tea] {
        user.version += 1;
        stores.users.commit(saving(&user, |u| UsersWrite::AddSkill(u, skill.clone()))).await.expect("added");
    }
    user.version += 1;
    let twice = saving(&user, |u| UsersWrite::AddSkill(u, skill("RUST")));
    assert!(matches!(stores.users.commit(twice).await, Err(CommitError::Taken("skill"))));
    let read = stores.users.user(user.id).await.expect("a read").expect("the person");
    assert_eq!((read.version, &read.skills[..]), (3, &[rust.clone(), tea.clone()][..]));
    assert_eq!(stores.users.skill_owner(rust.id).await.expect("a read"), Some(user.id));
    assert_eq!(stores.users.skill_owner(SkillId::new()).await.expect("a read"), None);

    // Another person may have it too, and cannot remove this one.
    let mut other = somebody(&stores).await;
    other.version = 2;
    stores.users.commit(saving(&other, |u| UsersWrite::AddSkill(u, skill("rust")))).await.expect("added");
    other.version = 3;
    let foreign = saving(&other, |u| UsersWrite::RemoveSkill(u, rust.id));
    assert!(matches!(stores.users.commit(foreign).await, Err(CommitError::Missing("skill"))));

    stores.users.commit(saving(&user, |u| UsersWrite::RemoveSkill(u, rust.id))).await.expect("removed");
    let read = stores.users.user(user.id).await.expect("a read").expect("the person");
    assert_eq!((read.version, &read.skills[..]), (4, &[tea][..]));
    assert_eq!(stores.users.skill_owner(rust.id).await.expect("a read"), None);
}

fn endorsing(user: &User, skill: SkillId, by: UserId, add: bool, at_ms: i64) -> store::Commit<UsersWrite> {
    saving(user, |user| UsersWrite::Endorse { user, skill, by, add, at: NOW.plus_ms(at_ms) })
}

pub async fn endorsements_are_counted(stores: Stores) {
    let mut user = somebody(&stores).await;
    let (rust, friend, stranger) = (skill("Rust"), UserId::new(), UserId::new());
    user.version = 2;
    stores.users.commit(saving(&user, |u| UsersWrite::AddSkill(u, rust.clone()))).await.expect("added");
    user.version = 3;
    let mut endorse = async |by, add| {
        let outcome = stores.users.commit(endorsing(&user, rust.id, by, add, 0)).await;
        user.version += u64::from(outcome.is_ok());
        outcome
    };
    endorse(friend, true).await.expect("endorsed");
    assert!(matches!(endorse(friend, true).await, Err(CommitError::Unchanged)));
    assert!(matches!(endorse(stranger, false).await, Err(CommitError::Unchanged)));
    endorse(stranger, true).await.expect("endorsed");
    endorse(friend, false).await.expect("taken back");
    let read = stores.users.user(user.id).await.expect("a read").expect("the person");
    assert_eq!((read.version, read.skills[0].endorsements), (5, 1));
    assert!(stores.users.endorsed(rust.id, stranger).await.expect("a read"));
    assert!(!stores.users.endorsed(rust.id, friend).await.expect("a read"));

    // Neither a skill that is not there, nor one of somebody else.
    assert!(matches!(stores.users.commit(endorsing(&user, SkillId::new(), friend, true, 0)).await, Err(CommitError::Missing("skill"))));
    let mut other = somebody(&stores).await;
    other.version = 2;
    assert!(matches!(stores.users.commit(endorsing(&other, rust.id, friend, true, 0)).await, Err(CommitError::Missing("skill"))));
    assert!(!stores.users.endorsed(rust.id, friend).await.expect("a read"));

    stores.users.commit(saving(&user, |u| UsersWrite::RemoveSkill(u, rust.id))).await.expect("removed");
    assert!(!stores.users.endorsed(rust.id, stranger).await.expect("a read"), "endorsements go with their skill");
}

pub async fn endorsers_are_paged_newest_first(stores: Stores) {
    let mut user = somebody(&stores).await;
    let rust = skill("Rust");
    user.version = 2;
    stores.users.commit(saving(&user, |u| UsersWrite::AddSkill(u, rust.clone()))).await.expect("added");
    let mut expected = Vec::new();
    for n in 0..11 {
        let (by, at_ms) = (UserId::new(), n / 4);
        user.version += 1;
        stores.users.commit(endorsing(&user, rust.id, by, true, at_ms)).await.expect("endorsed");
        expected.push((at_ms, by.0));
    }
    expected.sort_by(|a, b| b.cmp(a));
    let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
    for limit in [1, 2, 3, 10, 11, 12] {
        let read = walk(limit, async |page| {
            let ids = stores.users.endorsers(rust.id, page).await.expect("a page");
            (ids.ids, ids.next)
        });
        assert_eq!(read.await, expected, "by pages of {limit}");
    }
    assert_eq!(stores.users.endorsers(SkillId::new(), protocol::Page::default()).await.expect("a page"), store::Ids::default());
}
