//! Who may do and see what.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    refusal::{path_of, refused},
    server::{FEEDS, Server},
};
use edge::route::{Auth, Input};
use serde_json::{Value, json};

/// A server with three people: Bob follows Ada, and Eve is a stranger to both.
struct Town {
    _server: Server,
    client: Client,
    ada: Person,
    bob: Person,
    eve: Person,
}

fn town() -> Town {
    town_with(&[])
}

fn town_with(settings: &[&str]) -> Town {
    let server = Server::with(settings);
    let mut client = server.gateway();
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| client.register(name));
    follow(&mut client, &bob, &ada);
    Town { _server: server, client, ada, bob, eve }
}

#[track_caller]
fn follow(client: &mut Client, by: &Person, whom: &Person) {
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", whom.id)).by(by)).ok(200);
}

#[track_caller]
fn write(client: &mut Client, by: &Person, body: Value) -> String {
    text(&client.call(&post("/api/content/posts", body).by(by)).ok(201)["id"])
}

#[track_caller]
fn sell(client: &mut Client, by: &Person, body: Value) -> String {
    text(&client.call(&post("/api/shop/products", body).by(by)).ok(201)["id"])
}

#[test]
fn every_route_asks_for_the_session_that_its_row_says() {
    let Town { _server, mut client, ada, bob, .. } = town();
    client.call(&Request::new("POST", "/api/user/logout").by(&bob)).ok(204);
    let ended = bob;
    let eve = client.call(&post("/api/user/login", json!({"email": "eve@example.org", "password": "a long password"}))).ok(200);
    let eve = Person { id: text(&eve["user"]["id"]), token: text(&eve["token"]) };
    let never = "A".repeat(ada.token.len());
    let mut seen = 0;
    for route in edge::route::table() {
        let methods = ["GET", "POST", "PUT", "PATCH", "DELETE"];
        let method = methods.into_iter().find(|method| *method == route.method.as_str()).expect("a known method");
        let path = path_of(&route, &ada.id);
        let request = || match route.input {
            Input::Json(_) => Request::new(method, path.clone()).json(&json!({})),
            Input::Multipart => Request::new(method, path.clone()).text("multipart/form-data; boundary=x", "--x--\r\n"),
            Input::None => Request::new(method, path.clone()),
        };
        seen += 1;
        if path.ends_with("/logout") {
            refused(&client.call(&request()), 401, "unauthenticated");
            continue;
        }
        for (token, is_sent) in [(None, false), (Some("nonsense"), true), (Some(never.as_str()), true), (Some(ended.token.as_str()), true)]
        {
            let answer = client.call(&token.map_or_else(request, |token| request().token(token)));
            match route.auth {
                Auth::Open => assert_ne!(answer.status, 401, "{method} {path}"),
                Auth::Optional => assert_eq!(answer.status == 401, is_sent, "{method} {path}: {answer}"),
                Auth::Token | Auth::Subject | Auth::Rank(_) => refused(&answer, 401, "unauthenticated"),
            }
        }
        if matches!(route.auth, Auth::Subject | Auth::Rank(_)) {
            refused(&client.call(&request().by(&eve)), 403, "forbidden");
        }
        let own = client.call(&request().by(&ada)).status;
        // One id stands for everything: what it does not name is not found, what it names are people, and nobody follows or blocks themselves.
        let to_oneself = own == 403 && (path.ends_with("/follow") || path.ends_with("/block") || matches!(route.auth, Auth::Rank(_)));
        let of_nothing = own == 409 && path.ends_with("/cart/checkout");
        assert!(matches!(own, 200..=204 | 400 | 404) || to_oneself || of_nothing, "{method} {path} of one's own: {own}");
    }
    assert!(seen > 30, "the whole table");
}

#[test]
fn nobody_acts_in_anothers_name() {
    let Town { _server, mut client, ada, bob, eve } = town();
    let written = write(&mut client, &ada, json!({"content": "hello", "userId": ada.id}));
    let lamp = sell(&mut client, &ada, json!({"name": "lamp", "price": 1, "stock": 5, "sellerId": ada.id}));
    for (path, body) in [
        ("/api/content/posts".to_owned(), json!({"content": "x", "userId": ada.id})),
        (format!("/api/content/posts/{written}/comments"), json!({"content": "x", "userId": ada.id})),
        ("/api/shop/products".to_owned(), json!({"name": "x", "price": 1, "sellerId": ada.id})),
        ("/api/shop/orders".to_owned(), json!({"productId": lamp, "buyerId": ada.id})),
    ] {
        refused(&client.call(&post(path, body).by(&bob)), 403, "forbidden");
    }

    let comment = post(format!("/api/content/posts/{written}/comments"), json!({"content": "mine", "userId": bob.id})).by(&bob);
    let comment = text(&client.call(&comment).ok(201)["id"]);
    let skill = post(format!("/api/user/users/{}/skills", ada.id), json!({"name": "Rust"})).by(&ada);
    let skill = text(&client.call(&skill).ok(201)["id"]);
    for request in [
        put(format!("/api/content/posts/{written}"), json!({"content": "defaced"})),
        delete(format!("/api/content/posts/{written}")),
        put(format!("/api/shop/products/{lamp}"), json!({"price": "0.01"})),
        delete(format!("/api/shop/products/{lamp}")),
        delete(format!("/api/content/comments/{comment}")),
        delete(format!("/api/user/skills/{skill}")),
        put(format!("/api/user/profile/{}", ada.id), json!({"bio": "defaced"})),
    ] {
        refused(&client.call(&request.by(&eve)), 403, "forbidden");
    }
    // Nor does one vouch for oneself.
    refused(&client.call(&Request::new("POST", format!("/api/user/skills/{skill}/endorse")).by(&ada)), 403, "forbidden");
    // A post's author keeps order below it, and a comment's author takes their own back.
    client.call(&delete(format!("/api/content/comments/{comment}")).by(&ada)).ok(204);
    let post = client.call(&get(format!("/api/content/posts/{written}"))).ok(200);
    assert_eq!((&post["content"], &post["commentsCount"]), (&json!("hello"), &json!(0)));
}

#[test]
fn nobody_sets_what_is_not_theirs_to_set() {
    let Town { _server, mut client, ada, .. } = town();
    let written = write(&mut client, &ada, json!({"content": "hello"}));
    let lamp = sell(&mut client, &ada, json!({"name": "lamp", "price": 1}));
    let profile = format!("/api/user/profile/{}", ada.id);
    let account = json!({"username": "mallory", "email": "m@example.org", "password": "a long password"});
    let with = |mut body: Value, field: &str, value: Value| {
        body[field] = value;
        body
    };
    for (field, value) in
        [("role", json!("admin")), ("isActive", json!(true)), ("id", json!(ada.id)), ("passwordHash", json!("x")), ("version", json!(9))]
    {
        refused(&client.call(&post("/api/user/register", with(account.clone(), field, value.clone()))), 400, "malformed_body");
        refused(&client.call(&put(profile.clone(), with(json!({"bio": "x"}), field, value)).by(&ada)), 400, "malformed_body");
    }
    for (field, value) in [
        ("email", json!("x@example.org")),
        ("username", json!("admin")),
        ("skills", json!([])),
        ("createdAt", json!("2020-01-01T00:00:00Z")),
    ] {
        refused(&client.call(&put(profile.clone(), with(json!({}), field, value)).by(&ada)), 400, "malformed_body");
    }
    for (field, value) in
        [("likesCount", json!(1000)), ("commentsCount", json!(1)), ("version", json!(9)), ("id", json!(ada.id)), ("deleted", json!(true))]
    {
        refused(
            &client.call(&post("/api/content/posts", with(json!({"content": "x"}), field, value.clone())).by(&ada)),
            400,
            "malformed_body",
        );
        refused(&client.call(&put(format!("/api/content/posts/{written}"), with(json!({}), field, value)).by(&ada)), 400, "malformed_body");
    }
    refused(&client.call(&put(format!("/api/content/posts/{written}"), json!({"userId": ada.id})).by(&ada)), 400, "malformed_body");
    refused(&client.call(&put(format!("/api/shop/products/{lamp}"), json!({"sellerId": ada.id})).by(&ada)), 400, "malformed_body");
    for (field, value) in [("totalAmount", json!("0.01")), ("status", json!("delivered")), ("price", json!(0)), ("sellerId", json!(ada.id))]
    {
        refused(&client.call(&post("/api/shop/orders", with(json!({"productId": lamp}), field, value)).by(&ada)), 400, "malformed_body");
    }
    let me = client.call(&get("/api/user/me").by(&ada)).ok(200);
    assert_eq!((&me["role"], &me["version"], &me["isActive"]), (&json!("user"), &json!(1), &json!(true)), "nothing of it was done");
    // The person who was refused does not exist.
    refused(
        &client.call(&post("/api/user/login", json!({"email": "m@example.org", "password": "a long password"}))),
        401,
        "bad_credentials",
    );
}

/// Every key in a value, at whatever depth.
fn keys(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                found.push(key.clone());
                keys(value, found);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| keys(value, found)),
        _ => {}
    }
}

#[test]
fn a_profile_shows_no_contacts_and_no_secrets_to_anyone() {
    let Town { _server, mut client, ada, bob, .. } = town();
    let secrets =
        json!({"bio": "hello", "profile": {"phoneNumber": "+44 20 7946 0000", "dateOfBirth": "1815-12-10", "location": "London"}});
    let updated = client.call(&put(format!("/api/user/profile/{}", ada.id), secrets).by(&ada)).ok(200);
    assert_eq!(updated["profile"]["phoneNumber"], "+44 20 7946 0000", "the person sees their own");
    let skill = post(format!("/api/user/users/{}/skills", ada.id), json!({"name": "Rust"})).by(&ada);
    let skill = text(&client.call(&skill).ok(201)["id"]);
    client.call(&Request::new("POST", format!("/api/user/skills/{skill}/endorse")).by(&bob)).ok(201);

    let people = [
        get(format!("/api/user/profile/{}", ada.id)),
        get(format!("/api/user/profile/{}", ada.id)).by(&ada),
        get(format!("/api/user/users/{}/followers", ada.id)).by(&bob),
        get(format!("/api/user/users/{}/following", bob.id)).by(&ada),
        get(format!("/api/user/skills/{skill}/endorsements")).by(&ada),
        get(format!("/api/user/users/{}/skills", ada.id)),
    ];
    for request in people {
        let answer = client.call(&request);
        let mut found = Vec::new();
        keys(&answer.ok(200), &mut found);
        for secret in ["email", "phoneNumber", "dateOfBirth", "password", "passwordHash", "token", "tokenHash", "sessions"] {
            assert!(!found.contains(&secret.to_owned()), "{secret} in {}: {answer}", request.path);
        }
        for secret in ["@example.org", "7946", "1815", "argon2"] {
            assert!(!answer.text().contains(secret), "{secret} in {}", request.path);
        }
    }
    let me = client.call(&get("/api/user/me").by(&ada));
    assert_eq!((&me.ok(200)["email"], me.text().contains("argon2")), (&json!("ada@example.org"), false));
}

/// The posts that somebody sees, wherever posts are shown.
#[track_caller]
fn sees(client: &mut Client, who: Option<&Person>, author: &Person, id: &str) -> [bool; 4] {
    let by = |request: Request| who.map_or(request.clone(), |person| request.by(person));
    let mut listed = |path: String| {
        let page = client.call(&by(get(path))).ok(200);
        items(&page).iter().any(|post| post["id"] == id)
    };
    let public = listed("/api/content/public/posts?limit=100".into());
    let of_author = listed(format!("/api/content/users/{}/posts?limit=100", author.id));
    let in_feed = who.is_some_and(|person| listed(format!("/api/content/feed/{}?limit=100", person.id)));
    let alone = client.call(&by(get(format!("/api/content/posts/{id}"))));
    if alone.status != 200 {
        refused(&alone, 404, "not_found");
        refused(&client.call(&by(get(format!("/api/content/posts/{id}/comments")))), 404, "not_found");
    }
    [alone.status == 200, of_author, in_feed, public]
}

#[test]
fn posts_are_seen_by_whom_they_are_for_however_feeds_are_made() {
    for settings in FEEDS {
        posts_are_seen_by_whom_they_are_for(town_with(settings));
    }
}

fn posts_are_seen_by_whom_they_are_for(town: Town) {
    const NOBODY: [bool; 4] = [false; 4];
    let Town { _server, mut client, ada, bob, eve } = town;
    let public = write(&mut client, &ada, json!({"content": "to all"}));
    let friends = write(&mut client, &ada, json!({"content": "to friends", "visibility": "friends"}));
    let private = write(&mut client, &ada, json!({"content": "to me", "visibility": "private"}));
    let draft = write(&mut client, &ada, json!({"content": "not yet", "isPublished": false}));
    for who in [None, Some(&bob), Some(&eve)] {
        let follows = who.is_some_and(|person| person.id == bob.id);
        assert_eq!(sees(&mut client, who, &ada, &public), [true, true, follows, true]);
        for hidden in [&friends, &private, &draft] {
            assert_eq!(sees(&mut client, who, &ada, hidden), NOBODY);
        }
    }
    for own in [&friends, &private, &draft] {
        assert_eq!(sees(&mut client, Some(&ada), &ada, own), [true, true, true, false]);
    }

    // A stranger learns nothing by trying to change, answer or delete what they may not see.
    let below = post(format!("/api/content/posts/{private}/comments"), json!({"content": "note to self"})).by(&ada);
    let comment = text(&client.call(&below).ok(201)["id"]);
    for request in [
        put(format!("/api/content/posts/{private}"), json!({"content": "x"})),
        delete(format!("/api/content/posts/{private}")),
        post(format!("/api/content/posts/{private}/comments"), json!({"content": "x"})),
        delete(format!("/api/content/comments/{comment}")),
    ] {
        refused(&client.call(&request.by(&eve)), 404, "not_found");
    }

    // Friends are people who follow each other, from the moment that they do.
    follow(&mut client, &ada, &bob);
    assert_eq!(sees(&mut client, Some(&bob), &ada, &friends), [true, true, true, false]);
    assert_eq!(sees(&mut client, Some(&eve), &ada, &friends), NOBODY);
    let answered = post(format!("/api/content/posts/{friends}/comments"), json!({"content": "a friend's"})).by(&bob);
    let answered = text(&client.call(&answered).ok(201)["id"]);
    client.call(&delete(format!("/api/user/users/{}/follow", bob.id)).by(&ada)).ok(200);
    assert_eq!(sees(&mut client, Some(&bob), &ada, &friends), NOBODY);
    // What one wrote oneself can still be taken back.
    client.call(&delete(format!("/api/content/comments/{answered}")).by(&bob)).ok(204);

    // Publishing, hiding and deleting hold at once.
    let to = |id: &str, change: Value| put(format!("/api/content/posts/{id}"), change);
    client.call(&to(&draft, json!({"isPublished": true})).by(&ada)).ok(200);
    assert_eq!(sees(&mut client, Some(&bob), &ada, &draft), [true; 4]);
    client.call(&to(&draft, json!({"visibility": "private"})).by(&ada)).ok(200);
    assert_eq!(sees(&mut client, Some(&bob), &ada, &draft), NOBODY);
    client.call(&delete(format!("/api/content/posts/{public}")).by(&ada)).ok(204);
    assert_eq!(sees(&mut client, Some(&bob), &ada, &public), NOBODY);
    assert_eq!(sees(&mut client, Some(&ada), &ada, &public), NOBODY);
    // Unfollowing empties the feed.
    let late = write(&mut client, &ada, json!({"content": "late"}));
    assert_eq!(sees(&mut client, Some(&bob), &ada, &late), [true; 4]);
    client.call(&delete(format!("/api/user/users/{}/follow", ada.id)).by(&bob)).ok(200);
    assert_eq!(sees(&mut client, Some(&bob), &ada, &late), [true, true, false, true]);
}

#[test]
fn products_that_are_not_offered_are_the_sellers_alone() {
    let Town { _server, mut client, ada, bob, .. } = town();
    let hidden = sell(&mut client, &ada, json!({"name": "hidden", "price": 1, "stock": 5, "isPublic": false}));
    let paused = sell(&mut client, &ada, json!({"name": "paused", "price": 1, "stock": 5, "isActive": false}));
    for id in [&hidden, &paused] {
        refused(&client.call(&get(format!("/api/shop/public/products/{id}"))), 404, "not_found");
        refused(&client.call(&post("/api/shop/orders", json!({"productId": id})).by(&bob)), 404, "not_found");
        refused(&client.call(&put(format!("/api/shop/products/{id}"), json!({"price": 2})).by(&bob)), 404, "not_found");
        refused(&client.call(&delete(format!("/api/shop/products/{id}")).by(&bob)), 404, "not_found");
    }
    assert!(items(&client.call(&get("/api/shop/public/products")).ok(200)).is_empty());
    let own = client.call(&get(format!("/api/shop/products/seller/{}", ada.id)).by(&ada)).ok(200);
    assert_eq!(items(&own).len(), 2);

    client.call(&put(format!("/api/shop/products/{hidden}"), json!({"isPublic": true})).by(&ada)).ok(200);
    client.call(&get(format!("/api/shop/public/products/{hidden}"))).ok(200);
    let order = client.call(&post("/api/shop/orders", json!({"productId": hidden})).by(&bob)).ok(201);
    for (side, person) in [("buyer", &bob), ("seller", &ada)] {
        let orders = client.call(&get(format!("/api/shop/orders/{side}/{}", person.id)).by(person)).ok(200);
        assert_eq!(items(&orders)[0]["id"], order["id"]);
    }
    client.call(&delete(format!("/api/shop/products/{hidden}")).by(&ada)).ok(204);
    refused(&client.call(&get(format!("/api/shop/public/products/{hidden}"))), 404, "not_found");
    refused(&client.call(&post("/api/shop/orders", json!({"productId": hidden})).by(&bob)), 404, "not_found");
}

#[test]
fn a_session_ends_when_it_is_ended_and_not_with_others() {
    let Town { _server, mut client, ada, .. } = town();
    let login = post("/api/user/login", json!({"email": "ADA@example.org", "password": "a long password"}));
    let second = text(&client.call(&login).ok(200)["token"]);
    assert_ne!(ada.token, second);
    client.call(&Request::new("POST", "/api/user/logout").by(&ada)).ok(204);
    refused(&client.call(&get("/api/user/me").by(&ada)), 401, "unauthenticated");
    refused(&client.call(&get(format!("/api/content/feed/{}", ada.id)).by(&ada)), 401, "unauthenticated");
    client.call(&get("/api/user/me").token(&second)).ok(200);
    // One session more than an account may have ends the oldest.
    let newest: Vec<String> = (0..32).map(|_| text(&client.call(&login).ok(200)["token"])).collect();
    refused(&client.call(&get("/api/user/me").token(&second)), 401, "unauthenticated");
    client.call(&get("/api/user/me").token(&newest[0])).ok(200);
}
