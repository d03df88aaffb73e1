//! Flags, the moderators' queue, decisions and appeals, over HTTP. That nothing hidden is shown to others by any list of posts is `found`'s.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    rank::promoted,
    refusal::refused,
    server::Server,
    store::{Store, on_both_stores},
};
use protocol::{Role, moderation::FLAGS_OPEN_MAX};
use serde_json::{Value, json};

on_both_stores! {
    what_is_flagged_is_decided_on_appealed_against_and_restored,
    a_hidden_comment_is_a_tombstone_until_it_is_restored,
    a_hidden_product_is_not_sold_and_comes_back,
    a_hidden_review_is_neither_read_nor_counted,
    hiding_somebody_is_a_ban,
    moderators_decide_below_their_own_rank_only,
    flags_and_queues_have_their_forms_and_limits,
    a_decision_outlives_a_kill,
}

/// Ada and Bob and Eve are members; there are two moderators and an admin.
struct Town {
    server: Server,
    client: Client,
    ada: Person,
    bob: Person,
    eve: Person,
    moderator: Person,
    second: Person,
    admin: Person,
}

fn town(store: Store) -> Town {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, bob, eve, moderator, second, admin] = ["ada", "bob", "eve", "mona", "moderna", "rita"].map(|name| client.register(name));
    let ranks = [(&moderator, Role::Moderator), (&second, Role::Moderator), (&admin, Role::Admin)];
    let server = promoted(server, &ranks, &[]);
    Town { client: server.gateway(), server, ada, bob, eve, moderator, second, admin }
}

#[track_caller]
fn written(client: &mut Client, by: &Person, content: &str) -> String {
    text(&client.call(&post("/api/content/posts", json!({ "content": content })).by(by)).ok(201)["id"])
}

fn flag(target_type: &str, id: &str, reason: &str) -> Request {
    post("/api/user/moderation/flags", json!({"targetType": target_type, "targetId": id, "reason": reason, "note": "see for yourself"}))
}

fn decide(id: &str, action: &str) -> Request {
    post(format!("/api/user/moderation/cases/{id}/decision"), json!({"action": action, "note": "house rules"}))
}

fn appeal(id: &str, note: &str) -> Request {
    post(format!("/api/user/moderation/cases/{id}/appeal"), json!({ "note": note }))
}

fn case(id: &str) -> Request {
    get(format!("/api/user/moderation/cases/{id}"))
}

#[track_caller]
fn queue(client: &mut Client, by: &Person, status: &str) -> Vec<String> {
    client.walk(Some(by), &format!("/api/user/moderation/queue?limit=2{status}")).0
}

fn what_is_flagged_is_decided_on_appealed_against_and_restored(store: Store) {
    let Town { server: _server, mut client, ada, bob, eve, moderator, second, admin } = town(store);
    let id = written(&mut client, &ada, "buy my thing");
    let path = format!("/api/content/posts/{id}");
    let lists = ["/api/content/public/posts?limit=10".to_owned(), format!("/api/content/users/{}/posts?limit=10", ada.id)];

    let made = client.call(&flag("post", &id, "spam").by(&bob)).ok(201);
    assert_eq!(made, json!({"id": id, "targetType": "post", "targetId": id, "flagged": true}));
    assert_eq!(client.call(&flag("post", &id, "abuse").by(&bob)).ok(200), made, "again is no error, and no other flag");
    client.call(&flag("post", &id, "fraud").by(&eve)).ok(201);
    refused(&client.call(&flag("post", &id, "spam").by(&ada)), 403, "forbidden");

    // The queue shows what it is about, and tells nobody but moderators who flagged it.
    refused(&client.call(&get("/api/user/moderation/queue").by(&ada)), 403, "forbidden");
    let page = client.call(&get("/api/user/moderation/queue").by(&moderator)).ok(200);
    let row = &items(&page)[0];
    assert_eq!((&row["id"], &row["status"], &row["flags"]), (&json!(id), &json!("open"), &json!(2)));
    assert_eq!((&row["reasons"], &row["target"]["content"]), (&json!({"spam": 1, "fraud": 1}), &json!("buy my thing")));
    client.call(&put(path.clone(), json!({"content": "buy it!"})).by(&ada)).ok(200);
    let page = client.call(&get("/api/user/moderation/queue").by(&moderator)).ok(200);
    assert_eq!(items(&page)[0]["target"]["content"], "buy it!", "as it is now");
    let record = client.call(&case(&id).by(&moderator)).ok(200);
    let reporters: Vec<_> = record["reports"].as_array().expect("reports").iter().map(|report| &report["reporterId"]).collect();
    assert_eq!(reporters, [&json!(eve.id), &json!(bob.id)]);
    let own = client.call(&case(&id).by(&ada)).ok(200);
    assert!(own.get("reports").is_none() && !own.to_string().contains(&bob.id), "{own}");
    refused(&client.call(&case(&id).by(&bob)), 404, "not_found");
    refused(&client.call(&appeal(&id, "no!").by(&bob)), 404, "not_found");
    refused(&client.call(&appeal(&id, "no!").by(&ada)), 409, "conflict");

    // Hidden: in the next answer of everything, for everybody but its author.
    client.call(&decide(&id, "hide").by(&bob)).ok(403);
    let decided = client.call(&decide(&id, "hide").by(&moderator)).ok(200);
    assert_eq!((&decided["status"], &decided["hidden"], &decided["decisionNote"]), (&json!("hidden"), &json!(true), &json!("house rules")));
    for by in [&bob, &moderator, &admin] {
        refused(&client.call(&get(path.clone()).by(by)), 404, "not_found");
    }
    refused(&client.call(&get(path.clone())), 404, "not_found");
    refused(&client.call(&flag("post", &id, "spam").by(&bob)), 404, "not_found");
    for list in &lists {
        assert!(!client.walk(Some(&bob), list).0.contains(&id), "{list}");
    }
    let shown = client.call(&get(path.clone()).by(&ada)).ok(200);
    assert_eq!((&shown["content"], &shown["hidden"]), (&json!("buy it!"), &json!(true)));
    assert_eq!(client.walk(Some(&ada), &lists[1]).0, std::slice::from_ref(&id));
    let mine = client.call(&get("/api/user/moderation/mine").by(&ada)).ok(200);
    assert_eq!((&items(&mine)[0]["id"], &items(&mine)[0]["hidden"]), (&json!(id), &json!(true)));
    assert!(!mine.to_string().contains(&moderator.id), "who decided is not told: {mine}");
    assert_eq!(client.call(&get("/api/user/moderation/mine").by(&bob)).ok(200)["items"], json!([]));
    assert_eq!((queue(&mut client, &second, "&status=open"), queue(&mut client, &second, "&status=hidden")), (vec![], vec![id.clone()]));

    // One appeal, which is the same appeal however often it is sent; it reopens the case.
    let request = appeal(&id, "it is art").by(&ada).key("appeal-1");
    let appealed = client.call(&request).ok(201);
    assert_eq!((&appealed["status"], &appealed["appeal"]["note"]), (&json!("open"), &json!("it is art")));
    assert_eq!(client.call(&request).ok(201), appealed);
    refused(&client.call(&appeal(&id, "really").by(&ada)), 409, "conflict");
    assert_eq!(queue(&mut client, &second, "&status=open"), std::slice::from_ref(&id));
    refused(&client.call(&get(path.clone()).by(&bob)), 404, "not_found");
    let restored = client.call(&decide(&id, "restore").by(&second)).ok(200);
    assert_eq!((&restored["status"], &restored["hidden"]), (&json!("restored"), &json!(false)));
    let shown = client.call(&get(path)).ok(200);
    assert_eq!((&shown["content"], shown.get("hidden")), (&json!("buy it!"), None));
    for list in &lists {
        assert!(client.walk(Some(&bob), list).0.contains(&id), "{list}");
    }

    // Each decision is in the log, with who made it.
    let log = client.call(&get(format!("/api/user/audit?target={id}")).by(&admin)).ok(200);
    let deeds: Vec<_> = items(&log).iter().map(|entry| (&entry["action"], &entry["actorId"])).collect();
    assert_eq!(deeds, [(&json!("post.restore"), &json!(second.id)), (&json!("post.hide"), &json!(moderator.id))]);
    assert_eq!(items(&log)[0]["details"]["reason"], "house rules");
}

fn a_hidden_comment_is_a_tombstone_until_it_is_restored(store: Store) {
    let Town { server: _server, mut client, ada, bob, eve, moderator, .. } = town(store);
    let on = written(&mut client, &ada, "hello");
    let comments = format!("/api/content/posts/{on}/comments");
    let said = text(&client.call(&post(comments.clone(), json!({"content": "rubbish"})).by(&bob)).ok(201)["id"]);
    client.call(&flag("comment", &said, "abuse").by(&ada)).ok(201);
    client.call(&decide(&said, "hide").by(&moderator)).ok(200);
    for viewer in [&ada, &bob, &moderator] {
        let page = client.call(&get(comments.clone()).by(viewer)).ok(200);
        let row = &items(&page)[0];
        assert_eq!((&row["content"], &row["userId"], &row["hidden"]), (&json!(""), &Value::Null, &json!(true)));
    }
    refused(&client.call(&flag("comment", &said, "abuse").by(&eve)), 404, "not_found");
    refused(&client.call(&post(comments.clone(), json!({"content": "indeed", "parentId": said})).by(&eve)), 404, "not_found");
    // Those who are concerned still read what it was.
    for viewer in [&bob, &moderator] {
        assert_eq!(client.call(&case(&said).by(viewer)).ok(200)["target"]["content"], "rubbish");
    }
    assert_eq!(client.call(&get("/api/user/me/export").by(&bob)).ok(200)["comments"][0]["content"], "rubbish");
    client.call(&decide(&said, "restore").by(&moderator)).ok(200);
    let page = client.call(&get(comments.clone()).by(&eve)).ok(200);
    assert_eq!((&items(&page)[0]["content"], &items(&page)[0]["userId"]), (&json!("rubbish"), &json!(bob.id)));
    assert!(items(&page)[0].get("hidden").is_none());

    // What is gone is not decided back, and its case says so.
    client.call(&delete(format!("/api/content/comments/{said}")).by(&bob)).ok(204);
    client.call(&decide(&said, "hide").by(&moderator)).ok(200);
    assert_eq!(client.call(&case(&said).by(&moderator)).ok(200)["target"], Value::Null);
    refused(&client.call(&flag("comment", &said, "abuse").by(&eve)), 404, "not_found");
}

fn a_hidden_product_is_not_sold_and_comes_back(store: Store) {
    let Town { server: _server, mut client, ada, bob, moderator, .. } = town(store);
    let lamp = json!({"name": "lamp", "price": 1, "stock": 5});
    let lamp = text(&client.call(&post("/api/shop/products", lamp).by(&ada)).ok(201)["id"]);
    let path = format!("/api/shop/public/products/{lamp}");
    client.call(&flag("product", &lamp, "fraud").by(&bob)).ok(201);
    client.call(&get(path.clone())).ok(200);
    client.call(&decide(&lamp, "hide").by(&moderator)).ok(200);
    refused(&client.call(&get(path.clone())), 404, "not_found");
    refused(&client.call(&post("/api/shop/orders", json!({"productId": lamp})).by(&bob)), 404, "not_found");
    for list in [
        "/api/shop/public/products?limit=5",
        "/api/shop/public/products?sort=price_asc&limit=5",
        "/api/shop/public/products?search=lamp&limit=5",
    ] {
        assert_eq!(client.walk(None, list).0, [""; 0], "{list}");
    }
    let own = client.call(&get(format!("/api/shop/products/seller/{}", ada.id)).by(&ada)).ok(200);
    assert_eq!(items(&own)[0]["hidden"], true);
    client.call(&decide(&lamp, "restore").by(&moderator)).ok(200);
    assert_eq!(client.walk(None, "/api/shop/public/products?sort=price_asc&limit=5").0, std::slice::from_ref(&lamp));
    client.call(&post("/api/shop/orders", json!({"productId": lamp})).by(&bob)).ok(201);
}

fn a_hidden_review_is_neither_read_nor_counted(store: Store) {
    let Town { server: _server, mut client, ada, bob, eve, moderator, .. } = town(store);
    let lamp = json!({"name": "lamp", "price": 1, "stock": 5});
    let lamp = text(&client.call(&post("/api/shop/products", lamp).by(&ada)).ok(201)["id"]);
    let reviews = format!("/api/shop/products/{lamp}/reviews");
    let judge = |rating: u8| post(reviews.clone(), json!({"rating": rating, "reviewText": "so-so"}));
    let poor = text(&client.call(&judge(1).by(&bob)).ok(201)["id"]);
    let good = text(&client.call(&judge(5).by(&eve)).ok(201)["id"]);
    let product = get(format!("/api/shop/public/products/{lamp}"));
    assert_eq!(client.call(&product).ok(200)["ratingAverage"], 3.0);
    client.call(&flag("review", &poor, "abuse").by(&ada)).ok(201);
    client.call(&decide(&poor, "hide").by(&moderator)).ok(200);
    let list = format!("{reviews}?limit=5");
    assert_eq!(client.walk(None, &list).0, std::slice::from_ref(&good));
    assert_eq!(client.walk(Some(&ada), &list).0, std::slice::from_ref(&good));
    assert_eq!(client.walk(Some(&bob), &list).0, [good.clone(), poor.clone()], "its author sees it, and that it is hidden");
    let own = client.call(&get(list.clone()).by(&bob)).ok(200);
    assert_eq!(items(&own)[1]["hidden"], true);
    let shown = client.call(&product).ok(200);
    assert_eq!((&shown["ratingAverage"], &shown["ratingCount"]), (&json!(5.0), &json!(1)));
    let helpful = Request::new("POST", format!("/api/shop/reviews/{poor}/helpful"));
    refused(&client.call(&helpful.by(&eve)), 404, "not_found");
    client.call(&decide(&poor, "restore").by(&moderator)).ok(200);
    assert_eq!(client.walk(None, &list).0, [good, poor]);
    assert_eq!(client.call(&product).ok(200)["ratingAverage"], 3.0);
}

fn hiding_somebody_is_a_ban(store: Store) {
    let Town { server: _server, mut client, ada, bob, moderator, admin, .. } = town(store);
    let id = written(&mut client, &ada, "hello");
    client.call(&flag("user", &ada.id, "abuse").by(&bob)).ok(201);
    client.call(&decide(&ada.id, "hide").by(&moderator)).ok(200);
    refused(&client.call(&get("/api/user/me").by(&ada)), 401, "unauthenticated");
    refused(&client.call(&get(format!("/api/user/profile/{}", ada.id))), 404, "not_found");
    refused(&client.call(&get(format!("/api/content/posts/{id}")).by(&bob)), 404, "not_found");
    assert_eq!(client.call(&case(&ada.id).by(&moderator)).ok(200)["target"]["username"], "ada");
    client.call(&decide(&ada.id, "restore").by(&moderator)).ok(200);
    client.call(&get(format!("/api/user/profile/{}", ada.id))).ok(200);
    client.call(&get(format!("/api/content/posts/{id}")).by(&bob)).ok(200);
    let log = client.call(&get(format!("/api/user/audit?target={}", ada.id)).by(&admin)).ok(200);
    assert_eq!(items(&log).iter().map(|entry| text(&entry["action"])).collect::<Vec<_>>(), ["user.unban", "user.ban"]);
}

fn moderators_decide_below_their_own_rank_only(store: Store) {
    let Town { server: _server, mut client, bob, moderator, second, admin, .. } = town(store);
    for (author, allowed) in [(&bob, vec![&moderator, &second, &admin]), (&second, vec![&admin]), (&admin, vec![])] {
        let id = written(&mut client, author, "hello");
        client.call(&flag("post", &id, "other").by(&moderator)).ok(201);
        for by in [&moderator, &second, &admin] {
            let may = allowed.iter().any(|person| person.id == by.id);
            let answer = client.call(&decide(&id, "hide").by(by));
            assert_eq!(answer.status, if may { 200 } else { 403 }, "{answer}");
        }
        // A moderator reads of their own case what any author does.
        if author.id == second.id {
            assert!(client.call(&case(&id).by(&second)).ok(200).get("reports").is_none());
        }
    }
}

fn flags_and_queues_have_their_forms_and_limits(store: Store) {
    let Town { server: _server, mut client, ada, bob, moderator, .. } = town(store);
    let private = json!({"content": "secret", "visibility": "private"});
    let private = text(&client.call(&post("/api/content/posts", private).by(&ada)).ok(201)["id"]);
    for (target_type, id) in
        [("post", &private), ("post", &ada.id), ("comment", &private), ("product", &private), ("review", &private), ("user", &private)]
    {
        refused(&client.call(&flag(target_type, id, "spam").by(&bob)), 404, "not_found");
    }
    refused(&client.call(&flag("user", &bob.id, "spam").by(&bob)), 403, "forbidden");
    refused(&client.call(&flag("user", &ada.id, "boredom").by(&bob)), 400, "malformed_body");
    refused(&client.call(&flag("wiki", &ada.id, "spam").by(&bob)), 400, "malformed_body");
    let long = json!({"targetType": "user", "targetId": ada.id, "reason": "spam", "note": "x".repeat(1001)});
    refused(&client.call(&post("/api/user/moderation/flags", long).by(&bob)), 400, "invalid_field");
    refused(&client.call(&decide(&ada.id, "hide").by(&moderator)), 404, "not_found");

    let ids: Vec<_> = (0..FLAGS_OPEN_MAX).map(|number| written(&mut client, &ada, &format!("post {number}"))).collect();
    for id in &ids {
        client.call(&flag("post", id, "spam").by(&bob)).ok(201);
    }
    refused(&client.call(&flag("user", &ada.id, "spam").by(&bob)), 409, "limit_reached");
    client.call(&flag("post", &ids[7], "spam").by(&moderator)).ok(201);
    // The most flagged one first, then those that wait longest.
    let mut expected = vec![ids[7].clone()];
    expected.extend(ids.iter().filter(|id| **id != ids[7]).cloned());
    let (found, _) = client.walk(Some(&moderator), "/api/user/moderation/queue?limit=30");
    assert_eq!(found[0], expected[0]);
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(found), sorted(expected.clone()));
    client.call(&decide(&ids[7], "dismiss").by(&moderator)).ok(200);
    refused(&client.call(&decide(&ids[7], "dismiss").by(&moderator)), 409, "conflict");
    assert_eq!(client.walk(Some(&moderator), "/api/user/moderation/queue?limit=30").0.last(), Some(&ids[7]), "decided ones stand last");
    client.call(&flag("user", &ada.id, "spam").by(&bob)).ok(201);

    let page = client.call(&get("/api/user/moderation/queue?status=open&limit=1").by(&moderator)).ok(200);
    let cursor = text(&page["nextCursor"]);
    client.call(&get(format!("/api/user/moderation/queue?status=open&cursor={cursor}")).by(&moderator)).ok(200);
    refused(&client.call(&get(format!("/api/user/moderation/queue?cursor={cursor}")).by(&moderator)), 400, "invalid_cursor");
    refused(&client.call(&get("/api/user/moderation/queue?status=lost").by(&moderator)), 400, "invalid_query");
}

/// What a decision means for the thing is carried out also if the process dies before it was: nothing acknowledged is lost.
fn a_decision_outlives_a_kill(store: Store) {
    let Town { server, mut client, ada, bob, moderator, .. } = town(store);
    let id = written(&mut client, &ada, "hello");
    client.call(&flag("post", &id, "spam").by(&bob)).ok(201);
    client.call(&decide(&id, "hide").by(&moderator)).ok(200);
    let server = Server::on(server.kill(), &[]);
    let mut client = server.gateway();
    refused(&client.call(&get(format!("/api/content/posts/{id}")).by(&bob)), 404, "not_found");
    assert_eq!(queue(&mut client, &moderator, "&status=hidden"), [id]);
}
