//! Posts: lists that ignored their page, answers that stayed old, and searches that told too much.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    store::{Store, on_both_stores},
};
use serde_json::{Value, json};

on_both_stores! {
    defect_04_page_two_is_not_page_one,
    defect_05_a_write_shows_in_the_next_read_of_everything,
    defect_08_search_finds_nothing_that_the_caller_may_not_see,
}

#[track_caller]
fn write(client: &mut Client, by: &Person, content: &str, visibility: &str) -> String {
    let body = json!({"content": content, "visibility": visibility});
    text(&client.call(&post("/api/content/posts", body).by(by)).ok(201)["id"])
}

fn befriend(client: &mut Client, a: &Person, b: &Person) {
    for (one, other) in [(a, b), (b, a)] {
        client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", other.id)).by(one)).ok(200);
    }
}

/// Every list of posts in which a post of `author` with the word and the hashtag "lighthouse" may appear, for `reader`.
fn lists(author: &Person, reader: Option<&Person>) -> Vec<Request> {
    let lists = [
        "/api/content/public/posts?limit=50".to_owned(),
        format!("/api/content/users/{}/posts?limit=50", author.id),
        "/api/content/posts/search?q=lighthouse&limit=50".to_owned(),
        "/api/content/hashtags/lighthouse/posts?limit=50".to_owned(),
    ];
    let of_reader = reader.map(|reader| format!("/api/content/feed/{}?limit=50", reader.id));
    lists.into_iter().chain(of_reader).map(|list| reader.map_or(get(list.clone()), |reader| get(list.clone()).by(reader))).collect()
}

fn defect_04_page_two_is_not_page_one(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let mut written: Vec<String> = (0..9).map(|n| write(&mut client, &ada, &format!("#lighthouse {n}"), "public")).collect();
    for id in &written {
        client.call(&post("/api/content/bookmarks", json!({"postId": id})).by(&ada)).ok(201);
    }
    written.reverse();
    for list in [
        "/api/content/public/posts".to_owned(),
        format!("/api/content/users/{}/posts", ada.id),
        "/api/content/hashtags/lighthouse/posts".to_owned(),
        format!("/api/content/feed/{}", ada.id),
    ] {
        assert_eq!(client.walk(Some(&ada), &format!("{list}?limit=4")), (written.clone(), 3), "{list}");
    }
    assert_eq!(client.walk(None, "/api/content/posts/search?q=lighthouse&limit=4"), (written.clone(), 3));
    assert_eq!(client.walk(None, "/api/content/posts/search?q=7&limit=4"), (vec![written[1].clone()], 1), "q is not ignored either");
    let (bookmarks, pages) = client.walk(Some(&ada), "/api/content/bookmarks?limit=4");
    assert_eq!((bookmarks.len(), bookmarks.iter().collect::<std::collections::HashSet<_>>().len(), pages), (9, 9, 3));
}

fn defect_05_a_write_shows_in_the_next_read_of_everything(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let (ada, bob, eve) = (client.register("ada"), client.register("bob"), client.register("eve"));
    befriend(&mut client, &ada, &bob);
    let shown = |client: &mut Client, reader: Option<&Person>, id: &str| -> Vec<bool> {
        let answers = lists(&ada, reader).into_iter().map(|list| client.call(&list).ok(200)).collect::<Vec<_>>();
        answers.iter().map(|page| items(page).iter().any(|item| item["id"] == id)).collect()
    };
    let trend = |client: &mut Client| -> u64 {
        let trends = client.call(&get("/api/content/hashtags/trending")).ok(200);
        items(&trends).iter().find(|trend| trend["tag"] == "lighthouse").map_or(0, |trend| trend["postCount"].as_u64().expect("a count"))
    };
    // All of it is warm, and says that there is nothing.
    for reader in [None, Some(&bob), Some(&eve)] {
        assert!(shown(&mut client, reader, "none").iter().all(|shown| !shown));
    }
    assert_eq!(trend(&mut client), 0);

    let id = write(&mut client, &ada, "A #Lighthouse", "public");
    let path = format!("/api/content/posts/{id}");
    assert_eq!(shown(&mut client, None, &id), [true; 4]);
    assert_eq!(shown(&mut client, Some(&bob), &id), [true; 5]);
    assert_eq!(trend(&mut client), 1);

    let mut change = |change: Value| client.call(&put(path.clone(), change).by(&ada)).ok(200);
    let edited = change(json!({"visibility": "friends"}));
    assert_ne!(edited["updatedAt"], edited["createdAt"]);
    // Public, hers, searched, by hashtag, in the feed.
    assert_eq!(shown(&mut client, None, &id), [false; 4]);
    assert_eq!(shown(&mut client, Some(&bob), &id), [false, true, true, false, true]);
    assert_eq!(shown(&mut client, Some(&eve), &id), [false; 5]);
    assert_eq!(trend(&mut client), 0);

    client.call(&Request::new("DELETE", format!("/api/user/users/{}/follow", bob.id)).by(&ada)).ok(200);
    assert_eq!(shown(&mut client, Some(&bob), &id), [false; 5], "friends no more");
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", bob.id)).by(&ada)).ok(200);
    assert_eq!(shown(&mut client, Some(&bob), &id), [false, true, true, false, true]);

    client.call(&put(path.clone(), json!({"visibility": "public", "content": "a tower"})).by(&ada)).ok(200);
    assert_eq!(shown(&mut client, Some(&bob), &id), [true, true, false, false, true], "other words");
    client.call(&put(path.clone(), json!({"content": "#lighthouse", "isPublished": false})).by(&ada)).ok(200);
    assert_eq!(shown(&mut client, Some(&bob), &id), [false; 5], "a draft");
    assert_eq!(shown(&mut client, Some(&ada), &id), [false, true, true, false, true], "is its author's");
    client.call(&put(path.clone(), json!({"isPublished": true})).by(&ada)).ok(200);
    assert_eq!((shown(&mut client, Some(&bob), &id), trend(&mut client)), (vec![true; 5], 1));
    client.call(&delete(path).by(&ada)).ok(204);
    assert_eq!((shown(&mut client, Some(&ada), &id), trend(&mut client)), (vec![false; 5], 0));
}

fn defect_08_search_finds_nothing_that_the_caller_may_not_see(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let (ada, bob, eve) = (client.register("ada"), client.register("bob"), client.register("eve"));
    befriend(&mut client, &ada, &bob);
    let open = write(&mut client, &ada, "the public lighthouse #lighthouse", "public");
    let hidden: Vec<String> =
        (0..30).map(|n| write(&mut client, &ada, &format!("the private lighthouse {n} #lighthouse"), "private")).collect();
    let friendly = write(&mut client, &ada, "the friendly lighthouse #lighthouse", "friends");
    let search = "/api/content/posts/search?q=lighthouse&limit=10";
    assert_eq!(client.walk(None, search), (vec![open.clone()], 1), "not even pages tell of what is hidden");
    assert_eq!(client.walk(Some(&eve), search), (vec![open.clone()], 1));
    assert_eq!(client.walk(Some(&bob), search), (vec![friendly.clone(), open.clone()], 1));
    assert_eq!(client.walk(Some(&ada), search).0.len(), 32);
    assert_eq!(client.walk(None, "/api/content/posts/search?q=private&limit=10"), (vec![], 1));

    // Neither lists nor counts do.
    for list in lists(&ada, Some(&eve)) {
        let page = client.call(&list).ok(200);
        assert_eq!((items(&page).len().min(1), &page["nextCursor"]), (items(&page).len(), &Value::Null), "{}", list.path);
        assert!(items(&page).iter().all(|item| item["id"] == *open));
    }
    assert_eq!(client.walk(Some(&eve), &format!("/api/content/users/{}/posts?limit=1", ada.id)), (vec![open.clone()], 1));
    let trends = client.call(&get("/api/content/hashtags/trending")).ok(200);
    assert_eq!((items(&trends).len(), &items(&trends)[0]["postCount"]), (1, &json!(1)));
    for id in [&hidden[0], &friendly] {
        for request in [
            get(format!("/api/content/posts/{id}")),
            get(format!("/api/content/posts/{id}/comments")),
            get(format!("/api/content/posts/{id}/reactions")),
            post(format!("/api/content/posts/{id}/comments"), json!({"content": "x"})),
            post(format!("/api/content/posts/{id}/share"), json!({})),
            post("/api/content/posts", json!({"content": "x", "parentId": id})),
            post("/api/content/bookmarks", json!({"postId": id})),
            put(format!("/api/content/posts/{id}/reaction"), json!({"type": "like"})),
            put(format!("/api/content/posts/{id}"), json!({"content": "x"})),
            delete(format!("/api/content/posts/{id}")),
        ] {
            client.call(&request.by(&eve)).ok(404);
        }
    }
}
