//! Finding people, judged on a small labelled set: what people type, and whom they mean.

use crate::make::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use protocol::found::FoundBy;
use protocol::people::{Document, Search};
use protocol::user::{Skill, User};
use protocol::{Page, Query, UserId};
use std::collections::BTreeMap;
use store::{Stores, UsersWrite};

/// Username, first and last name, skills with endorsements, company and title, what they say of themselves, location.
type Label = (&'static str, &'static str, &'static [(&'static str, u32)], &'static str, &'static str, &'static str);

const PEOPLE: [Label; 10] = [
    ("ada", "Ada Lovelace", &[("Analysis", 5), ("Mathematics", 0)], "Countess", "Poetical science, and the analytical engine.", "London"),
    ("Grace", "Grace Hopper", &[("COBOL", 9), ("Compilers", 0)], "US Navy", "It is easier to ask forgiveness.", "New York, USA"),
    ("Ada.Yonath", "Ada Yonath", &[("Crystallography", 2)], "Weizmann Institute", "Ribosomes.", "Rehovot, Israel"),
    ("adamsmith", "Adam Smith", &[("Economics", 1)], "University of Glasgow", "The wealth of nations.", "Edinburgh"),
    ("linus", "Linus Torvalds", &[("C", 40), ("Git", 30)], "Linux Foundation", "Just for fun.", "Portland, USA"),
    ("jose", "José García", &[("Rust", 3), ("C++", 1)], "Software Engineer", "Compiladores y café.", "Málaga, España"),
    ("zoe", "Zoë Müller", &[("Rust", 12), ("Go", 0)], "Straßenbahn AG", "Trams.", "Köln, Deutschland"),
    ("rusty", "Rusty Nail", &[("Carpentry", 0)], "", "I repair boats.", "London, UK"),
    ("marie", "Marie Curie", &[("Chemistry", 7), ("Physics", 7)], "Sorbonne", "Worked with Ada on rust removal.", "Paris"),
    ("yamada", "太郎 山田", &[("Rust", 1)], "", "こんにちは", "東京"),
];

struct Town {
    stores: Stores,
    names: BTreeMap<UserId, String>,
}

async fn town(stores: Stores) -> Town {
    let mut names = BTreeMap::new();
    for (username, name, skills, work, about, location) in PEOPLE {
        let (first, last) = name.split_once(' ').expect("two names");
        let mut user = person(username);
        (user.first_name, user.last_name, user.bio) = (Some(first.to_owned()), Some(last.to_owned()), Some(about.to_owned()));
        (user.profile.job_title, user.profile.location) = (Some(work.to_owned()), Some(location.to_owned()));
        stores.users.commit(registering(&user)).await.expect("registered");
        for (name, endorsements) in skills {
            learn(&stores, &mut user, Skill { endorsements: *endorsements, ..skill(name) }).await;
        }
        names.insert(user.id, username.to_owned());
    }
    Town { stores, names }
}

/// Adds a skill that is endorsed already: for the index it is what the person's row says.
async fn learn(stores: &Stores, user: &mut User, skill: Skill) {
    user.version += 1;
    user.skills.push(skill.clone());
    stores.users.commit(saving(user, |user| UsersWrite::AddSkill(user, skill))).await.expect("learnt");
}

impl Town {
    /// Whom a question finds, in order: the same in pages of any size.
    async fn found(&self, text: &str, skill: &str, location: &str) -> Vec<&str> {
        let given = |text: &'static str, value| if value == text { None } else { Some(value) };
        let search = |page| Search::new(given("", text), given("", skill), given("", location), page);
        let mut found: Option<Vec<UserId>> = None;
        for limit in [100, 1, 3] {
            let Some(_) = search(Page::default()) else { return Vec::new() };
            let read = async |page| {
                let ids = self.stores.users.search(search(page).expect("a question")).await.expect("a page");
                (ids.ids, ids.next)
            };
            let pages: Vec<_> = walk(limit, read).await.into_iter().map(UserId).collect();
            assert_eq!(&pages, found.get_or_insert_with(|| pages.clone()), "{text:?} in pages of {limit}");
        }
        let found = found.unwrap_or_default();
        for id in &found {
            let person = self.stores.users.user(*id).await.expect("a read").expect("a person");
            let query = Query::People(search(Page::default()).expect("a question"));
            assert!(FoundBy::of_people(&Document::of(&person)).is_none_or(|found| found.concerns(&query)), "{query:?} finds {person:?}");
        }
        found.iter().map(|id| self.names[id].as_str()).collect()
    }
}

pub async fn people_are_found_as_they_are_meant(stores: Stores) {
    let town = town(stores).await;
    let everybody = ["linus", "marie", "zoe", "Grace", "jose", "ada", "Ada.Yonath", "yamada", "adamsmith", "rusty"];
    let labelled: [(&str, &str, &str, &[&str]); 28] = [
        ("ada", "", "", &["ada", "Ada.Yonath", "adamsmith", "marie"]),
        ("@ADA", "", "", &["ada", "Ada.Yonath", "adamsmith", "marie"]),
        ("ada.y", "", "", &["Ada.Yonath"]),
        ("lovelace ada", "", "", &["ada"]),
        ("ada analysis", "", "", &["ada"]),
        ("smith", "", "", &["adamsmith"]),
        ("yonath", "", "", &["Ada.Yonath"]),
        ("rust", "", "", &["rusty", "zoe", "jose", "yamada", "marie"]),
        ("garcia", "", "", &["jose"]),
        ("GARCÍA José", "", "", &["jose"]),
        ("zoe muller", "", "", &["zoe"]),
        ("strassenbahn", "", "", &["zoe"]),
        ("engineer rust", "", "", &["jose"]),
        ("c++", "", "", &["jose"]),
        ("analytical engine", "", "", &["ada"]),
        ("compil", "", "", &["Grace", "jose"]),
        ("山田", "", "", &["yamada"]),
        ("太", "", "", &["yamada"]),
        ("boats rust", "", "", &["rusty"]),
        ("nobody at all", "", "", &[]),
        ("", "rust", "", &["zoe", "jose", "yamada"]),
        ("", "RUST c++", "", &["jose"]),
        ("", "", "london", &["ada", "rusty"]),
        ("", "", "usa", &["linus", "Grace"]),
        ("", "rust", "koln", &["zoe"]),
        ("marie", "physics", "paris", &["marie"]),
        ("ada", "", "paris", &["marie"]),
        ("", "", "", &everybody),
    ];
    for (text, skill, location, expected) in labelled {
        assert_eq!(town.found(text, skill, location).await, expected, "q={text:?} skill={skill:?} location={location:?}");
    }
}

pub async fn any_question_has_an_answer(stores: Stores) {
    let town = town(stores).await;
    let long = "ada ".repeat(2500);
    for hostile in [
        "\"",
        "ada\" OR name : \"x",
        "ada* NOT *",
        "name : ada",
        "{name} : ada",
        "^ada",
        "NEAR(a b, 2)",
        "a AND",
        "'; DROP TABLE person; --",
        "🦀",
        "ad\u{0}a",
        "-ada",
        "%",
        "_",
        "ada:*",
        "a & b | !c",
        "()",
        &long,
    ] {
        town.found(hostile, "", "").await;
        town.found("ada", hostile, hostile).await;
    }
    assert_eq!(town.found("🦀", "", "").await, Vec::<&str>::new(), "nobody fits what is no word");
    assert_eq!(town.found(&long, "", "").await[0], "ada");
    let mut runner = TestRunner::new(Config { cases: 200, failure_persistence: None, ..Config::default() });
    tokio::task::block_in_place(|| {
        let runtime = tokio::runtime::Handle::current();
        runner.run(&("\\PC{0,24}", any::<String>()), |(text, filter)| {
            runtime.block_on(town.found(&text, &filter, ""));
            Ok(())
        })
    })
    .expect("any question has an answer");
}

pub async fn what_people_change_is_found_as_it_is_now(stores: Stores) {
    let town = town(stores).await;
    let id = |name: &str| *town.names.iter().find(|(_, n)| *n == name).expect("somebody").0;
    let mut ada = town.stores.users.user(id("ada")).await.expect("a read").expect("a person");
    (ada.bio, ada.version) = (Some("Weaving patterns.".to_owned()), ada.version + 1);
    town.stores.users.commit(saving(&ada, UsersWrite::Save)).await.expect("saved");
    assert_eq!(town.found("weaving", "", "").await, ["ada"]);
    assert_eq!(town.found("analytical", "", "").await, Vec::<&str>::new());

    // For the index, endorsements are what the person's row says.
    ada.skills[0].endorsements = 5;
    let rust = Skill { endorsements: 0, ..skill("Rust") };
    learn(&town.stores, &mut ada, rust.clone()).await;
    assert_eq!(town.found("", "rust", "").await, ["zoe", "jose", "ada", "yamada"]);
    // An endorsement moves somebody when it doubles: 5 to 8, and not before.
    for (by, expected) in
        [(6, ["zoe", "jose", "ada", "yamada"]), (7, ["zoe", "jose", "ada", "yamada"]), (8, ["zoe", "ada", "jose", "yamada"])]
    {
        ada.version += 1;
        ada.skills[0].endorsements = by;
        let (skill, endorser) = (ada.skills[0].id, somebody(&town.stores).await.id);
        let write = |user| UsersWrite::Endorse { user, skill, by: endorser, add: true, at: NOW };
        town.stores.users.commit(saving(&ada, write)).await.expect("endorsed");
        assert_eq!(town.found("", "rust", "").await, expected, "{by} endorsements");
    }

    (ada.is_active, ada.version) = (false, ada.version + 1);
    town.stores.users.commit(saving(&ada, UsersWrite::Suspend)).await.expect("banned");
    assert_eq!(town.found("weaving", "", "").await, Vec::<&str>::new());
    (ada.is_active, ada.version) = (true, ada.version + 1);
    town.stores.users.commit(saving(&ada, UsersWrite::Save)).await.expect("the ban ends");
    assert_eq!(town.found("weaving", "", "").await, ["ada"]);

    ada.version += 1;
    ada.skills.retain(|skill| skill.id != rust.id);
    town.stores.users.commit(saving(&ada, |user| UsersWrite::RemoveSkill(user, rust.id))).await.expect("forgotten");
    assert_eq!(town.found("", "rust", "").await, ["zoe", "jose", "yamada"]);

    // What is refused changes nothing.
    ada.bio = Some("Refused.".to_owned());
    assert!(town.stores.users.commit(saving(&ada, UsersWrite::Save)).await.is_err());
    assert_eq!(town.found("refused", "", "").await, Vec::<&str>::new());
}
