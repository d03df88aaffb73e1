//! The index of people: equal to the people, whatever was written, and made where it is missing.

use super::*;
use crate::make::*;
use protocol::people::Search;
use protocol::{Page, UserId};
use store::{Stores, UsersWrite};

async fn found(stores: &Stores, text: &str) -> Vec<UserId> {
    let search = Search::new(Some(text), None, None, Page::default()).expect("a question");
    stores.users.search(search).await.expect("a page").ids.into_iter().map(UserId).collect()
}

fn db(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join("users.db")).expect("a database")
}

#[tokio::test]
async fn a_database_from_before_the_index_is_indexed_when_it_is_opened() {
    let dir = tempfile::tempdir().expect("a directory");
    let sqlite = open(dir.path());
    let (ada, bob) = (somebody(&sqlite.stores()).await, somebody(&sqlite.stores()).await);
    sqlite.close();
    db(dir.path()).execute("DELETE FROM person_search", []).expect("no index");
    db(dir.path()).execute("UPDATE person SET bio = 'weaver', is_active = id <> ?1", [bob.id.0.as_bytes()]).expect("changed");
    let sqlite = open(dir.path());
    assert_eq!(found(&sqlite.stores(), "weaver").await, [ada.id]);
    sqlite.close();
}

#[tokio::test]
async fn words_and_people_are_kept_equal() {
    let dir = tempfile::tempdir().expect("a directory");
    let sqlite = open(dir.path());
    let stores = sqlite.stores();
    let mut people = Vec::new();
    for _ in 0..5 {
        people.push(somebody(&stores).await);
    }
    for round in 0..20_usize {
        let user = &mut people[round % 5];
        user.version += 1;
        user.bio = Some(format!("round {round}, weaving"));
        user.is_active = round % 3 != 0;
        if round % 4 == 1 {
            let skill = skill(&format!("skill {round}"));
            user.skills.push(protocol::user::Skill { endorsements: round as u32, ..skill.clone() });
            stores.users.commit(saving(user, |user| UsersWrite::AddSkill(user, skill))).await.expect("learnt");
        } else {
            stores.users.commit(saving(user, UsersWrite::Save)).await.expect("saved");
        }
    }
    let active = people.iter().filter(|user| user.is_active).count();
    assert_eq!(found(&stores, "weaving").await.len(), active);
    sqlite.close();
    // SQLite's own comparison of the words with the rows that they are of.
    db(dir.path()).execute("INSERT INTO person_text (person_text, rank) VALUES ('integrity-check', 1)", []).expect("they are equal");
}
