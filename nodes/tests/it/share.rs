//! Shares and bookmarks, over HTTP.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    store::{Store, on_both_stores},
};
use serde_json::{Value, json};

on_both_stores! {
    a_share_shows_the_post_and_is_counted_once,
    a_share_shows_nothing_to_whom_the_post_is_not_for,
    bookmarks_are_one_s_own_and_show_what_one_may_see,
    hashtags_and_words_find_posts_whatever_is_asked,
}

#[track_caller]
fn write(client: &mut Client, by: &Person, content: &str, visibility: &str) -> String {
    let body = json!({"content": content, "visibility": visibility});
    text(&client.call(&post("/api/content/posts", body).by(by)).ok(201)["id"])
}

fn share(id: &str, body: Value) -> Request {
    post(format!("/api/content/posts/{id}/share"), body)
}

fn one(id: &str) -> Request {
    get(format!("/api/content/posts/{id}"))
}

fn befriend(client: &mut Client, a: &Person, b: &Person) {
    for (one, other) in [(a, b), (b, a)] {
        client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", other.id)).by(one)).ok(200);
    }
}

fn a_share_shows_the_post_and_is_counted_once(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let id = write(&mut client, &ada, "hello", "public");
    let request = share(&id, json!({"content": "look"})).by(&bob).key("share-1");
    let made = client.call(&request).ok(201);
    assert_eq!((&made["parentId"], &made["parent"]["content"], &made["content"]), (&json!(id), &json!("hello"), &json!("look")));
    for _ in 0..3 {
        assert_eq!(client.call(&request).ok(201)["id"], made["id"], "the same request is the same share");
    }
    client.call(&share(&id, json!({"content": "other"})).by(&bob).key("share-1")).ok(422);
    assert_eq!(client.call(&one(&id)).ok(200)["sharesCount"], 1);

    // In the list and alone it shows the post as it is now.
    client.call(&put(format!("/api/content/posts/{id}"), json!({"content": "edited"})).by(&ada)).ok(200);
    let shared = text(&made["id"]);
    assert_eq!(client.call(&one(&shared)).ok(200)["parent"]["content"], "edited");
    let list = client.call(&get(format!("/api/content/users/{}/posts", bob.id))).ok(200);
    assert_eq!(items(&list)[0]["parent"]["content"], "edited");
    let tag = client.call(&one(&shared)).etag();
    client.call(&one(&shared).header("if-none-match", &tag)).ok(304);
    client.call(&put(format!("/api/content/posts/{id}"), json!({"content": "again"})).by(&ada)).ok(200);
    assert_eq!(client.call(&one(&shared).header("if-none-match", &tag)).ok(200)["parent"]["content"], "again");
    let tag = client.call(&one(&shared)).etag();
    client.call(&put(format!("/api/content/posts/{shared}"), json!({"content": "see"})).by(&bob).header("if-match", &tag)).ok(200);
    client.call(&put(format!("/api/content/posts/{shared}"), json!({"content": "saw"})).by(&bob).header("if-match", &tag)).ok(412);

    // A share without words stands for what it shares.
    let bare = text(&client.call(&share(&id, json!({})).by(&ada)).ok(201)["id"]);
    let of_bare = client.call(&share(&bare, json!({})).by(&bob)).ok(201);
    assert_eq!(of_bare["parentId"], json!(id));
    assert_eq!(client.call(&one(&id)).ok(200)["sharesCount"], 3);
    assert_eq!(client.call(&share(&shared, json!({})).by(&ada)).ok(201)["parentId"], json!(shared));

    client.call(&delete(format!("/api/content/posts/{shared}")).by(&bob)).ok(204);
    client.call(&delete(format!("/api/content/posts/{shared}")).by(&bob)).ok(404);
    assert_eq!(client.call(&one(&id)).ok(200)["sharesCount"], 2);
    client.call(&delete(format!("/api/content/posts/{id}")).by(&ada)).ok(204);
    assert_eq!(client.call(&one(&bare)).ok(200)["parent"], Value::Null, "what was deleted is shown nowhere");
    client.call(&share(&id, json!({})).by(&bob)).ok(404);
}

fn a_share_shows_nothing_to_whom_the_post_is_not_for(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let (ada, bob, eve) = (client.register("ada"), client.register("bob"), client.register("eve"));
    befriend(&mut client, &ada, &bob);
    let friendly = write(&mut client, &ada, "among friends", "friends");
    for visibility in ["public", "friends"] {
        let refused = client.call(&share(&friendly, json!({"visibility": visibility})).by(&bob)).ok(403);
        assert_eq!(refused["code"], "share_too_wide");
    }
    client.call(&post("/api/content/posts", json!({"content": "x", "parentId": friendly})).by(&bob)).ok(403);
    let own = text(&client.call(&share(&friendly, json!({"visibility": "private"})).by(&bob)).ok(201)["id"]);
    client.call(&put(format!("/api/content/posts/{own}"), json!({"visibility": "public"})).by(&bob)).ok(403);
    assert_eq!(client.call(&one(&friendly).by(&bob)).ok(200)["sharesCount"], 0, "a hidden share is not told of by a count");
    client.call(&share(&friendly, json!({"visibility": "friends"})).by(&ada)).ok(201);
    client.call(&share(&friendly, json!({})).by(&eve)).ok(404);

    // What becomes hidden later is hidden in its shares, too, for whom it is hidden from.
    let open = write(&mut client, &ada, "to everyone", "public");
    let shared = text(&client.call(&share(&open, json!({"content": "see"})).by(&bob)).ok(201)["id"]);
    let parent = |client: &mut Client, by: Option<&Person>| {
        let request = by.map_or(one(&shared), |by| one(&shared).by(by));
        client.call(&request).ok(200)["parent"]["content"].clone()
    };
    assert_eq!(parent(&mut client, None), "to everyone");
    client.call(&put(format!("/api/content/posts/{open}"), json!({"visibility": "friends"})).by(&ada)).ok(200);
    assert_eq!([parent(&mut client, None), parent(&mut client, Some(&eve))], [Value::Null, Value::Null]);
    assert_eq!([parent(&mut client, Some(&bob)), parent(&mut client, Some(&ada))], ["to everyone", "to everyone"]);
    let list = client.call(&get("/api/content/posts/search?q=see").by(&eve)).ok(200);
    assert_eq!((items(&list).len(), &items(&list)[0]["parent"]), (1, &Value::Null));
}

fn bookmarks_are_one_s_own_and_show_what_one_may_see(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let (first, second) = (write(&mut client, &ada, "one", "public"), write(&mut client, &ada, "two", "public"));
    let keep = |id: &str| post("/api/content/bookmarks", json!({"postId": id}));
    let made = client.call(&keep(&first).by(&bob).key("keep-1")).ok(201);
    assert_eq!(client.call(&keep(&first).by(&bob).key("keep-1")).ok(201), made, "the same request");
    assert_eq!(client.call(&keep(&first).by(&bob)).ok(200), made, "again is no error");
    let other = text(&client.call(&keep(&second).by(&bob)).ok(201)["id"]);
    let list = |client: &mut Client, by: &Person| {
        let page = client.call(&get("/api/content/bookmarks").by(by)).ok(200);
        items(&page).iter().map(|row| text(&row["post"]["content"])).collect::<Vec<_>>()
    };
    assert_eq!((list(&mut client, &bob), list(&mut client, &ada)), (vec!["two".to_owned(), "one".to_owned()], vec![]));
    let tag = client.call(&get("/api/content/bookmarks").by(&bob)).etag();
    client.call(&get("/api/content/bookmarks").by(&bob).header("if-none-match", &tag)).ok(304);

    client.call(&put(format!("/api/content/posts/{second}"), json!({"visibility": "private"})).by(&ada)).ok(200);
    assert_eq!(list(&mut client, &bob), ["one"]);
    client.call(&put(format!("/api/content/posts/{second}"), json!({"visibility": "public", "content": "2"})).by(&ada)).ok(200);
    assert_eq!(list(&mut client, &bob), ["2", "one"]);

    let gone = delete(format!("/api/content/bookmarks/{other}"));
    client.call(&gone.clone().by(&ada)).ok(404);
    client.call(&gone.clone().by(&bob)).ok(204);
    client.call(&gone.by(&bob)).ok(404);
    assert_eq!(list(&mut client, &bob), ["one"]);
    client.call(&keep("01900000-0000-7000-8000-000000000000").by(&bob)).ok(404);
    client.call(&get("/api/content/bookmarks")).ok(401);
    let named = json!({"postId": first, "userId": ada.id});
    client.call(&post("/api/content/bookmarks", named).by(&bob)).ok(403);
}

fn hashtags_and_words_find_posts_whatever_is_asked(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let id = write(&mut client, &ada, "Grüße aus #München, #日本 & co. OR \"NEAR\"", "public");
    for tag in ["m%C3%BCnchen", "M%C3%9CNCHEN", "%E6%97%A5%E6%9C%AC"] {
        assert_eq!(client.walk(None, &format!("/api/content/hashtags/{tag}/posts?limit=5")).0, std::slice::from_ref(&id), "{tag}");
    }
    for bad in ["%FF", "a-b", "%23a", "a%2Fb", &"x".repeat(51), "%00"] {
        assert_eq!(client.call(&get(format!("/api/content/hashtags/{bad}/posts"))).ok(400)["code"], "invalid_field", "{bad}");
    }
    let trends = client.call(&get("/api/content/hashtags/trending?limit=1")).ok(200);
    assert_eq!((items(&trends).len(), &trends["nextCursor"]), (1, &Value::Null));
    client.call(&get("/api/content/hashtags/trending?limit=0")).ok(400);

    for found in ["gr%C3%BC%C3%9Fe", "GRUSSE", "munchen", "or+near", "%22co%22", "co*", "%E6%97%A5%E6%9C%AC"] {
        let expected = if found == "GRUSSE" { 0 } else { 1 };
        assert_eq!(client.walk(None, &format!("/api/content/posts/search?limit=5&q={found}")).0.len(), expected, "{found}");
    }
    for nothing in ["", "%22", "*", "%00", "%F0%9F%A6%80", "+", "NOT", "content:co", "%27%3B--", "(((((", &"%22".repeat(1000)] {
        let page = client.call(&get(format!("/api/content/posts/search?q={nothing}"))).ok(200);
        assert_eq!(items(&page).len(), 0, "{nothing}");
    }
    client.call(&get("/api/content/posts/search")).ok(200);
    client.call(&get("/api/content/posts/search?q=co&cursor=x")).ok(400);
    client.call(&get("/api/content/posts/search?q=co").token("x")).ok(401);
}
