//! Lists of people who are searched for: kept as long as they are right, and not longer.

use crate::harness::{Platform, as_user, first, json, make::*};
use actors::{
    entity::family,
    read::{self, Viewer},
};
use protocol::{
    Command, Key, Kind, Query, SkillId, UserId,
    people::Search,
    user::{self, Level, NewSkill},
};

impl Platform {
    /// Whom a search finds, as everybody sees them.
    async fn found(&self, text: &str) -> Vec<UserId> {
        let search = Search::new(Some(text), None, None, first(100)).expect("a question");
        let of = (Key::new(Kind::PeopleList, family::PEOPLE), Query::People(search));
        let list = |sight: &mut read::Sight<'_>| read::list(sight, Viewer { user: None }, of.clone(), Kind::User);
        let rows = read::complete(&self.client, &self.anonymous(), list).await.expect("a list");
        rows.rows.iter().map(|row| UserId(row.key.id)).collect()
    }

    async fn learn(&self, person: UserId, name: &str) -> SkillId {
        let command = Command::User(user::Command::AddSkill(NewSkill { name: name.to_owned(), level: Level::Expert }));
        SkillId(made(&self.write(person, Key::new(Kind::User, person), command).await.expect("learnt")))
    }

    async fn endorse(&self, by: UserId, person: UserId, skill: SkillId) {
        let command = Command::User(user::Command::Endorse(skill));
        self.client.write(&self.client.call(as_user(by)), Key::new(Kind::User, person), command).await.expect("endorsed");
    }

    async fn says(&self, person: UserId, text: &str) {
        self.write(person, Key::new(Kind::User, person), bio(text)).await.expect("saved");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_searched_is_found_as_soon_as_it_is_acknowledged() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    assert_eq!(platform.found("weaver").await, []);
    platform.says(ada, "A weaver.").await;
    assert_eq!(platform.found("weaver").await, [ada]);
    platform.learn(bob, "Weaver's knots").await;
    assert_eq!(platform.found("weaver").await, [bob, ada], "a skill counts for more than a word");
    platform.says(ada, "A spinner.").await;
    assert_eq!(platform.found("weaver").await, [bob]);
    let new = platform.person().await;
    let name = new.0.simple().to_string();
    assert_eq!(platform.found(&name).await, [new], "somebody who just registered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_is_asked_for_again_only_when_it_may_be_another() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    let (weaving, knots) = (platform.learn(ada, "weaving").await, platform.learn(bob, "weaving").await);
    let fans = [platform.person().await, platform.person().await, platform.person().await];
    assert_eq!(platform.found("weaving").await, [bob, ada]);
    let asked = || platform.faults.calls("search");
    let before = asked();

    // What nobody is found by leaves the list as it is, and its rows are as they are now.
    let avatar = user::Update { avatar: protocol::Patch::Set("/a.webp".to_owned()), ..Default::default() };
    let command = Command::User(user::Command::Update(Box::new(avatar)));
    platform.write(ada, Key::new(Kind::User, ada), command).await.expect("saved");
    assert_eq!(platform.found("WEAVING").await, [bob, ada], "the same question in other letters");
    assert_eq!(asked(), before);
    assert_eq!(json(&platform.view(Key::new(Kind::User, ada)).await.expect("a person"))["avatar"], "/a.webp");

    // Places move when endorsements double: 0, 1, 2 to 3.
    platform.endorse(fans[0], ada, weaving).await;
    assert_eq!(platform.found("weaving").await, [ada, bob]);
    platform.endorse(fans[0], bob, knots).await;
    platform.endorse(fans[1], bob, knots).await;
    assert_eq!(platform.found("weaving").await, [bob, ada]);
    let moved = asked();
    assert_eq!(moved, before + 2);
    platform.endorse(fans[2], bob, knots).await;
    assert_eq!(platform.found("weaving").await, [bob, ada]);
    assert_eq!(asked(), moved, "a third endorsement moves nobody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_leaves_alone_what_it_does_not_concern() {
    let platform = Platform::start().await;
    let (ada, bob) = (platform.person().await, platform.person().await);
    platform.says(ada, "Weaves cloth.").await;
    platform.says(bob, "Grows roses.").await;
    let asked = || platform.faults.calls("search");
    assert_eq!((platform.found("cloth").await, platform.found("roses").await), (vec![ada], vec![bob]));
    let looked = || platform.faults.calls("key_version.people_list");
    let (before, looked_before) = (asked(), looked());
    assert!(looked_before > 0, "it was looked at which generation the list has");
    for text in ["Weaves cloth and silk.", "Weaves silk.", "Weaves."] {
        platform.says(ada, text).await;
        assert_eq!(platform.found("roses").await, [bob]);
    }
    assert_eq!(asked(), before, "nobody came to roses, and nobody left them");
    assert_eq!(looked(), looked_before, "each move is the next one");
    assert_eq!(platform.found("cloth").await, []);
    assert_eq!(platform.found("silk").await, []);
    platform.says(ada, "Weaves roses into cloth.").await;
    assert_eq!(platform.found("roses").await, [bob, ada]);
    assert_eq!(platform.found("rose").await, [bob, ada], "words begin so");
    platform.says(bob, "Grows tulips.").await;
    assert_eq!(platform.found("rose").await, [ada]);
}
