//! Reactions and threads of comments, over HTTP.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    server::Server,
};
use serde_json::{Value, json};

fn react(post: &str, reaction: &str) -> Request {
    put(format!("/api/content/posts/{post}/reaction"), json!({"type": reaction}))
}

fn take_back(post: &str) -> Request {
    delete(format!("/api/content/posts/{post}/reaction"))
}

fn reactions(post: &str) -> Request {
    get(format!("/api/content/posts/{post}/reactions"))
}

#[track_caller]
fn written(client: &mut Client, by: &Person, visibility: &str) -> String {
    let body = json!({"content": "hello", "visibility": visibility});
    text(&client.call(&post("/api/content/posts", body).by(by)).ok(201)["id"])
}

#[track_caller]
fn version(client: &mut Client, by: &Person, id: &str) -> Value {
    client.call(&get(format!("/api/content/posts/{id}")).by(by)).ok(200)["version"].clone()
}

#[test]
fn a_person_has_one_reaction_to_a_post() {
    let server = Server::start();
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let id = written(&mut client, &ada, "public");
    assert_eq!(client.call(&reactions(&id)).ok(200), json!({"summary": {}, "total": 0}));

    let own = |reaction: &str| json!({"summary": {reaction: 1}, "total": 1, "own": reaction});
    assert_eq!(client.call(&react(&id, "like").by(&bob)).ok(200), own("like"));
    let before = version(&mut client, &ada, &id);
    assert_eq!(client.call(&react(&id, "like").by(&bob)).ok(200), own("like"), "again is no error");
    assert_eq!(version(&mut client, &ada, &id), before, "and changes nothing");
    assert_eq!(client.call(&react(&id, "wow").by(&bob)).ok(200), own("wow"), "another one replaces it");
    client.call(&react(&id, "love").by(&ada)).ok(200);

    assert_eq!(client.call(&reactions(&id)).ok(200), json!({"summary": {"love": 1, "wow": 1}, "total": 2}));
    assert_eq!(client.call(&reactions(&id).by(&ada)).ok(200)["own"], "love");
    let shown = client.call(&get(format!("/api/content/posts/{id}"))).ok(200);
    assert_eq!((&shown["likesCount"], &shown["reactions"]), (&json!(2), &json!({"love": 1, "wow": 1})));
    assert_eq!(shown["updatedAt"], shown["createdAt"], "nobody edited it");

    // A stranger's copy is not taken for a member's.
    let tag = client.call(&reactions(&id)).etag();
    client.call(&reactions(&id).header("if-none-match", &tag)).ok(304);
    client.call(&reactions(&id).by(&ada).header("if-none-match", &tag)).ok(200);

    assert_eq!(client.call(&take_back(&id).by(&bob)).ok(200), json!({"summary": {"love": 1}, "total": 1}));
    client.call(&take_back(&id).by(&bob)).ok(200);
    for bad in [json!({"type": "meh"}), json!({}), json!({"type": "like", "count": 9})] {
        client.call(&put(format!("/api/content/posts/{id}/reaction"), bad).by(&bob)).ok(400);
    }
    client.call(&react(&id, "like")).ok(401);
    let body = json!({"type": "like", "userId": ada.id});
    client.call(&put(format!("/api/content/posts/{id}/reaction"), body).by(&bob)).ok(403);
}

#[test]
fn nobody_reacts_to_what_they_may_not_see() {
    let server = Server::start();
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let hidden = written(&mut client, &ada, "private");
    for request in [react(&hidden, "like"), take_back(&hidden), reactions(&hidden)] {
        client.call(&request.by(&bob)).ok(404);
    }
    client.call(&reactions(&hidden)).ok(404);
    client.call(&react(&hidden, "like").by(&ada)).ok(200);
    assert_eq!(client.call(&reactions(&hidden).by(&ada)).ok(200)["total"], 1);

    // What one did one may take back, also when one is not let in any more.
    let open = written(&mut client, &ada, "public");
    client.call(&react(&open, "sad").by(&bob)).ok(200);
    client.call(&put(format!("/api/content/posts/{open}"), json!({"visibility": "private"})).by(&ada)).ok(200);
    client.call(&take_back(&open).by(&bob)).ok(200);
    client.call(&take_back(&open).by(&bob)).ok(404);
    client.call(&delete(format!("/api/content/posts/{open}")).by(&ada)).ok(204);
    client.call(&take_back(&open).by(&ada)).ok(404);
}

#[test]
fn comments_are_read_thread_by_thread() {
    let server = Server::start();
    let mut client = server.gateway();
    let (ada, bob, eve) = (client.register("ada"), client.register("bob"), client.register("eve"));
    let on = written(&mut client, &ada, "public");
    let comments = format!("/api/content/posts/{on}/comments");
    let mut say = |by: &Person, parent: Option<&str>| {
        let request = post(comments.clone(), json!({"content": "indeed", "parentId": parent})).by(by);
        text(&client.call(&request).ok(201)["id"])
    };
    let (first, second) = (say(&bob, None), say(&ada, None));
    let (answer, other) = (say(&ada, Some(&first)), say(&bob, Some(&first)));
    let deep = say(&bob, Some(&answer));
    let replies = |id: &str| format!("{comments}?parent={id}&limit=1");

    assert_eq!(client.walk(None, &format!("{comments}?limit=1")).0, [first.clone(), second.clone()]);
    assert_eq!(client.walk(None, &replies(&first)).0, [answer.clone(), other.clone()]);
    assert_eq!(client.walk(None, &replies(&answer)).0, std::slice::from_ref(&deep));
    let page = client.call(&get(comments.clone())).ok(200);
    assert_eq!((&items(&page)[0]["replyCount"], &items(&page)[1]["replyCount"], &page["total"]), (&json!(2), &json!(0), &json!(5)));
    let cursor = text(&client.call(&get(replies(&first))).ok(200)["nextCursor"]);
    client.call(&get(format!("{comments}?cursor={cursor}"))).ok(400);

    // A comment that was answered leaves a tombstone when it is deleted, and that goes with the last answer.
    let removal = |id: &str| delete(format!("/api/content/comments/{id}"));
    client.call(&removal(&first).by(&eve)).ok(403);
    client.call(&removal(&first).by(&bob)).ok(204);
    let page = client.call(&get(comments.clone())).ok(200);
    let tombstone = &items(&page)[0];
    assert_eq!((&tombstone["id"], &tombstone["content"], &tombstone["userId"]), (&json!(first), &json!(""), &Value::Null));
    assert_eq!((&tombstone["isDeleted"], &tombstone["replyCount"], &page["total"]), (&json!(true), &json!(2), &json!(4)));
    assert_eq!(client.walk(None, &replies(&first)).0, [answer.clone(), other.clone()], "answers stay");
    let late = json!({"content": "late", "parentId": first});
    client.call(&post(comments.clone(), late).by(&eve)).ok(404);
    for id in [&other, &deep, &answer] {
        client.call(&removal(id).by(&ada)).ok(204);
    }
    assert_eq!(client.walk(None, &format!("{comments}?limit=5")).0, std::slice::from_ref(&second));
    assert_eq!(client.call(&get(format!("/api/content/posts/{on}"))).ok(200)["commentsCount"], 1);

    // A thread is one of its post.
    let elsewhere = written(&mut client, &ada, "public");
    client.call(&get(format!("/api/content/posts/{elsewhere}/comments?parent={second}"))).ok(404);
    client.call(&get(format!("{comments}?parent=x"))).ok(400);
    client.call(&get(format!("{comments}?parent={elsewhere}"))).ok(404);
}
