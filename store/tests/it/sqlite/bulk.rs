//! Bulk loading keeps what single writes keep.

use super::*;
use crate::make::*;
use protocol::post::Post;
use protocol::user::User;
use protocol::{Key, Kind, Page, UserId};
use store::sqlite::bulk::{Bulk, Follow};
use store::{CommitError, UsersWrite};

fn people(count: usize) -> Vec<(User, String)> {
    (0..count).map(|n| (person(&format!("person{n}")), "$argon2id$x".to_owned())).collect()
}

fn follow(follower: &User, followee: &User, at_ms: i64) -> Follow {
    Follow { follower: follower.id, followee: followee.id, at: NOW.plus_ms(at_ms) }
}

#[tokio::test]
async fn what_is_loaded_is_as_if_it_had_been_written() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut people = people(3);
    people[0].0.skills = vec![skill("tea")];
    let [a, b, c] = [&people[0].0, &people[1].0, &people[2].0];
    let posts = [post(a.id), post(b.id), post(a.id)];
    let comments = [comment(posts[0].id, NOW), comment(posts[0].id, NOW), comment(posts[1].id, NOW)];
    let products = [product(a.id, 100), product(a.id, 200)];

    let mut bulk = Bulk::open(dir.path()).expect("opened");
    bulk.users(&people).expect("loaded");
    let follows = [follow(a, b, 1), follow(b, a, 2), follow(c, a, 3), follow(c, a, 4)];
    assert_eq!(bulk.follows(&follows).expect("loaded"), 3);
    assert_eq!(bulk.follows(&follows[..1]).expect("loaded"), 0);
    bulk.posts(&posts).expect("loaded");
    bulk.comments(&comments).expect("loaded");
    bulk.products(&products).expect("loaded");
    bulk.close().expect("closed");

    let sqlite = open(dir.path());
    let stores = sqlite.stores();
    assert_eq!(stores.users.user(a.id).await.expect("a read").as_ref(), Some(a));
    assert_eq!(stores.users.account(a.id, NOW).await.expect("a read").expect("an account").version, 1);
    assert!(stores.users.credentials(&b.email).await.expect("a read").is_some());
    let relations = stores.users.relations(a.id).await.expect("a read");
    assert_eq!((relations.following, relations.friends, relations.followers, relations.version), (vec![b.id], vec![b.id], 2, 3));
    let (followers, total) = stores.users.follow_page(a.id, true, Page::default()).await.expect("a page");
    assert_eq!((followers.ids, total), (vec![c.id.0, b.id.0], 2));

    let first = Post { comments_count: 2, version: 3, ..posts[0].clone() };
    assert_eq!(stores.content.post(first.id).await.expect("a read"), Some(first.clone()));
    assert_eq!(stores.content.comments(first.id, None, Page::default()).await.expect("a page").0, comments[..2]);
    assert_eq!(stores.content.timeline(a.id, Page::default()).await.expect("a page").ids, [posts[2].id.0, posts[0].id.0]);
    assert_eq!(stores.content.key_version(Key::new(Kind::Timeline, a.id)).await.expect("a version"), 2);
    assert_eq!(stores.shop.product(products[1].id).await.expect("a read").as_ref(), Some(&products[1]));
    assert_eq!(stores.shop.key_version(Key::new(Kind::SellerProducts, a.id)).await.expect("a version"), 2);

    // And life goes on from there.
    stores.users.commit(following(a.id, c.id, true, NOW)).await.expect("followed");
    let next = User { version: 2, ..b.clone() };
    stores.users.commit(saving(&next, UsersWrite::Save)).await.expect("saved");
    let taken = User { username: "PERSON1".to_owned(), ..person("new") };
    assert!(matches!(stores.users.commit(registering(&taken)).await, Err(CommitError::Taken("username"))));
}

/// Loading puts indexes off; the schema afterwards is that of any other directory.
#[test]
fn the_schema_is_as_it_was() {
    let schema = |dir: &Path| -> Vec<(String, Option<String>)> {
        let db = rusqlite::Connection::open(dir.join("users.db")).expect("a database");
        let mut statement = db.prepare("SELECT name, sql FROM sqlite_schema ORDER BY name").expect("a schema");
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("rows");
        rows.collect::<Result<_, _>>().expect("rows")
    };
    let (loaded, fresh) = (tempfile::tempdir().expect("a directory"), tempfile::tempdir().expect("a directory"));
    open(fresh.path()).close();
    let known = people(2);
    let mut bulk = Bulk::open(loaded.path()).expect("opened");
    bulk.users(&known).expect("loaded");
    let refused = [follow(&known[0].0, &known[1].0, 0), follow(&known[0].0, &person("stranger"), 0)];
    assert!(bulk.follows(&refused).is_err());
    assert_eq!(bulk.follows(&refused[..1]).expect("loaded"), 1);
    bulk.close().expect("closed");
    assert_eq!(schema(loaded.path()), schema(fresh.path()));
}

#[tokio::test]
async fn a_batch_is_loaded_whole_or_not_at_all() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut bulk = Bulk::open(dir.path()).expect("opened");
    let known = people(2);
    bulk.users(&known).expect("loaded");
    let mut more = vec![(person("new"), String::new()), (User { username: "Person1".to_owned(), ..person("old") }, String::new())];
    assert!(matches!(bulk.users(&more), Err(CommitError::Taken("username"))));
    more[1].0 = User { id: known[0].0.id, ..person("other") };
    assert!(matches!(bulk.users(&more), Err(CommitError::Conflict)));
    let stranger = person("stranger");
    let follows = [follow(&known[0].0, &known[1].0, 0), follow(&known[0].0, &stranger, 0)];
    assert!(matches!(bulk.follows(&follows), Err(CommitError::Missing(_))));
    let on = post(UserId::new());
    bulk.posts(std::slice::from_ref(&on)).expect("loaded");
    let comments = [comment(on.id, NOW), comment(post(UserId::new()).id, NOW)];
    assert!(matches!(bulk.comments(&comments), Err(CommitError::Missing("post"))));
    bulk.close().expect("closed");

    let stores = open(dir.path()).stores();
    assert_eq!(stores.users.user(more[0].0.id).await.expect("a read"), None);
    assert_eq!(stores.users.relations(known[0].0.id).await.expect("a read"), protocol::follow::Relations::default());
    assert_eq!(stores.content.post(on.id).await.expect("a read"), Some(on.clone()));
    assert_eq!(stores.content.comments(on.id, None, Page::default()).await.expect("a page"), (vec![], None));
}
