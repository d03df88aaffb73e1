//! Defects of the former system that concern people.

use crate::{
    http::{Client, Person, Request, delete, get, items, post, put, text},
    rank::promoted,
    refusal::refused,
    server::Server,
    store::{Store, on_both_stores},
};
use protocol::Role;
use serde_json::{Value, json};

on_both_stores! {
    defect_05_a_ban_shows_in_the_very_next_answer_of_everything,
    defect_06_ranks_are_given_by_admins_and_only_below_their_own,
    defect_06_nobody_reads_anothers_address_or_secrets,
    what_was_done_by_rank_is_logged_for_admins,
    a_block_hides_each_from_the_other_wherever_the_viewer_is_known,
    people_are_found_best_first_and_page_by_page,
}

/// Ada and Bob are members, Mod and Moderna moderators, Root is an admin.
struct Town {
    _server: Server,
    client: Client,
    ada: Person,
    bob: Person,
    moderator: Person,
    second: Person,
    admin: Person,
}

fn town(store: Store) -> Town {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, bob, moderator, second, admin] = ["ada", "bob", "mona", "moderna", "rosa"].map(|name| client.register(name));
    let ranks = [(&moderator, Role::Moderator), (&second, Role::Moderator), (&admin, Role::Admin)];
    let server = promoted(server, &ranks, &[]);
    Town { client: server.gateway(), _server: server, ada, bob, moderator, second, admin }
}

fn set_role(person: &Person, role: &str) -> Request {
    put(format!("/api/user/users/{}/role", person.id), json!({ "role": role }))
}

fn set_active(person: &Person, is_active: bool) -> Request {
    put(format!("/api/user/users/{}/active", person.id), json!({ "isActive": is_active, "reason": "spam" }))
}

/// Ids that a list shows to somebody, or to nobody in particular.
#[track_caller]
fn shown(client: &mut Client, list: &str, by: Option<&Person>) -> Vec<String> {
    client.walk(by, list).0
}

/// A ban showed after ten minutes: until then caches went on.
fn defect_05_a_ban_shows_in_the_very_next_answer_of_everything(store: Store) {
    let Town { _server, mut client, ada, bob, moderator, .. } = town(store);
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", ada.id)).by(&bob)).ok(200);
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", bob.id)).by(&ada)).ok(200);
    let written = text(&client.call(&post("/api/content/posts", json!({"content": "buy!"})).by(&ada)).ok(201)["id"]);
    let lamp = text(&client.call(&post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": 5})).by(&ada)).ok(201)["id"]);
    let skill = post(format!("/api/user/users/{}/skills", ada.id), json!({"name": "Rust"})).by(&ada);
    let skill = text(&client.call(&skill).ok(201)["id"]);
    let of_bob = text(&client.call(&post("/api/content/posts", json!({"content": "news"})).by(&bob)).ok(201)["id"]);
    let comments = format!("/api/content/posts/{of_bob}/comments");
    let comment = text(&client.call(&post(comments.clone(), json!({"content": "buy!"})).by(&ada)).ok(201)["id"]);
    let lists = |ada: &Person, bob: &Person| {
        [
            (format!("/api/content/feed/{}?limit=10", bob.id), &written),
            ("/api/content/public/posts?limit=10".to_owned(), &written),
            ("/api/shop/public/products?limit=10".to_owned(), &lamp),
            (format!("/api/user/users/{}/followers?limit=10", bob.id), &ada.id),
            (format!("{comments}?limit=10"), &comment),
            ("/api/user/search?q=ada&limit=10".to_owned(), &ada.id),
            ("/api/user/search?skill=rust&limit=10".to_owned(), &ada.id),
        ]
        .map(|(path, id)| (path, id.clone()))
    };
    let things = [
        format!("/api/user/profile/{}", ada.id),
        format!("/api/user/users/{}/skills", ada.id),
        format!("/api/user/users/{}/followers", ada.id),
        format!("/api/content/posts/{written}"),
        format!("/api/content/users/{}/posts", ada.id),
        format!("/api/shop/public/products/{lamp}"),
    ];
    // All of it is warm, and tagged by the client.
    for (list, id) in lists(&ada, &bob) {
        assert!(shown(&mut client, &list, Some(&bob)).contains(&id), "{list}");
    }
    for thing in &things {
        client.call(&get(thing.clone()).by(&bob)).ok(200);
    }
    let tag = client.call(&get(things[0].clone())).header("etag").expect("a tag").to_owned();

    client.call(&set_active(&ada, false).by(&moderator)).ok(200);
    refused(&client.call(&get("/api/user/me").by(&ada)), 401, "unauthenticated");
    refused(&client.call(&get(format!("/api/content/feed/{}", ada.id)).by(&ada)), 401, "unauthenticated");
    refused(&client.call(&post("/api/content/posts", json!({"content": "more"})).by(&ada)), 401, "unauthenticated");
    let login = || post("/api/user/login", json!({"email": "ada@example.org", "password": "a long password"}));
    refused(&client.call(&login()), 401, "bad_credentials");
    for (list, id) in lists(&ada, &bob) {
        assert!(!shown(&mut client, &list, Some(&bob)).contains(&id), "{list}");
    }
    for thing in &things {
        refused(&client.call(&get(thing.clone()).by(&bob)), 404, "not_found");
    }
    refused(&client.call(&get(things[0].clone()).header("if-none-match", &tag)), 404, "not_found");
    let across = |method, path: String| Request::new(method, path).by(&bob);
    refused(&client.call(&across("POST", format!("/api/user/skills/{skill}/endorse"))), 404, "not_found");
    refused(&client.call(&across("PUT", format!("/api/user/users/{}/follow", ada.id))), 404, "not_found");
    refused(&client.call(&post("/api/shop/orders", json!({"productId": lamp})).by(&bob)), 404, "not_found");

    client.call(&set_active(&ada, true).by(&moderator)).ok(200);
    for (list, id) in lists(&ada, &bob) {
        assert!(shown(&mut client, &list, Some(&bob)).contains(&id), "{list}");
    }
    for thing in &things {
        client.call(&get(thing.clone()).by(&bob)).ok(200);
    }
    // The sessions of before stay ended; one signs in again.
    refused(&client.call(&get("/api/user/me").by(&ada)), 401, "unauthenticated");
    let token = text(&client.call(&login()).ok(200)["token"]);
    client.call(&get("/api/user/me").token(&token)).ok(200);
}

/// Any moderator could set any role, their own as well.
fn defect_06_ranks_are_given_by_admins_and_only_below_their_own(store: Store) {
    let Town { _server, mut client, ada, bob, moderator, second, admin } = town(store);
    for by in [&ada, &moderator] {
        for person in [&ada, &bob, &moderator, &second, &admin] {
            for role in ["user", "moderator", "admin"] {
                refused(&client.call(&set_role(person, role).by(by)), 403, "forbidden");
            }
        }
    }
    for (person, role) in [(&admin, "user"), (&admin, "admin"), (&ada, "admin")] {
        refused(&client.call(&set_role(person, role).by(&admin)), 403, "forbidden");
    }
    for person in [&moderator, &second, &admin] {
        refused(&client.call(&set_active(person, false).by(&moderator)), 403, "forbidden");
    }
    refused(&client.call(&set_active(&bob, false).by(&ada)), 403, "forbidden");
    refused(&client.call(&set_active(&admin, false).by(&admin)), 403, "forbidden");
    refused(&client.call(&set_role(&bob, "owner").by(&admin)), 400, "malformed_body");

    // What is given is there with the next request, and so is what is taken.
    client.call(&set_role(&ada, "moderator").by(&admin)).ok(200);
    client.call(&set_active(&bob, false).by(&ada)).ok(200);
    client.call(&set_active(&bob, true).by(&ada)).ok(200);
    client.call(&set_role(&ada, "user").by(&admin)).ok(200);
    refused(&client.call(&set_active(&bob, false).by(&ada)), 403, "forbidden");
    // On a version that is not the newest nothing is decided.
    let stale = set_role(&ada, "moderator").by(&admin).header("if-match", "\"1\"");
    refused(&client.call(&stale), 412, "precondition_failed");
}

/// Profiles and search showed addresses and secrets to everybody.
fn defect_06_nobody_reads_anothers_address_or_secrets(store: Store) {
    let Town { _server, mut client, ada, bob, moderator, admin, .. } = town(store);
    let private = json!({"profile": {"phoneNumber": "+44 20 7946", "dateOfBirth": "1815-12-10", "location": "London"}});
    client.call(&put(format!("/api/user/profile/{}", ada.id), private).by(&ada)).ok(200);
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", ada.id)).by(&bob)).ok(200);
    let answers = [
        get(format!("/api/user/profile/{}", ada.id)).by(&bob),
        get(format!("/api/user/profile/{}", ada.id)),
        get(format!("/api/user/profile/{}?via=owner", ada.id)).by(&bob),
        get(format!("/api/user/users/{}/following", bob.id)).by(&bob),
        set_role(&ada, "moderator").by(&admin),
        set_role(&ada, "user").by(&admin),
        set_active(&ada, true).by(&moderator),
        get("/api/user/audit").by(&admin),
        get("/api/user/search?q=ada"),
        get("/api/user/search?location=london").by(&bob),
    ];
    for request in answers {
        let (path, answer) = (request.path.clone(), client.call(&request).ok(200).to_string());
        for secret in ["ada@example.org", "7946", "1815", "email", "phoneNumber", "dateOfBirth", "argon2", "password", "token"] {
            assert!(!answer.contains(secret), "{path} tells {secret}: {answer}");
        }
    }
    // Nor is anybody found by them.
    for secret in ["ada%40example.org", "example.org", "7946", "1815-12-10", "argon2"] {
        assert_eq!(shown(&mut client, &format!("/api/user/search?q={secret}"), None), Vec::<String>::new());
    }
    let own = client.call(&get("/api/user/me").by(&ada)).ok(200);
    assert_eq!((&own["email"], &own["profile"]["phoneNumber"]), (&json!("ada@example.org"), &json!("+44 20 7946")));
}

fn what_was_done_by_rank_is_logged_for_admins(store: Store) {
    let Town { _server, mut client, ada, bob, moderator, admin, .. } = town(store);
    client.call(&set_active(&ada, false).by(&moderator)).ok(200);
    client.call(&set_role(&bob, "moderator").by(&admin)).ok(200);
    client.call(&set_active(&ada, true).by(&admin)).ok(200);
    // What was refused is not logged as done.
    refused(&client.call(&set_role(&admin, "user").by(&admin)), 403, "forbidden");
    for by in [&ada, &bob, &moderator] {
        assert!(matches!(client.call(&get("/api/user/audit").by(by)).status, 401 | 403));
    }
    let mut log = |query: &str| -> Vec<(Value, Value, Value)> {
        let page = client.call(&get(format!("/api/user/audit?{query}")).by(&admin)).ok(200);
        items(&page).iter().map(|e| (e["action"].clone(), e["actorId"].clone(), e["targetId"].clone())).collect()
    };
    let entry = |action: &str, by: &Person, to: &Person| (json!(action), json!(by.id), json!(to.id));
    let (unban, role, ban) = (entry("user.unban", &admin, &ada), entry("user.role", &admin, &bob), entry("user.ban", &moderator, &ada));
    assert_eq!(log(""), [unban.clone(), role.clone(), ban.clone()]);
    assert_eq!(log(&format!("actor={}", admin.id)), [unban.clone(), role.clone()]);
    assert_eq!(log(&format!("target={}", ada.id)), [unban.clone(), ban.clone()]);
    assert_eq!(log(&format!("target={}&actor={}", ada.id, moderator.id)), [ban]);
    let page = client.call(&get("/api/user/audit?limit=1").by(&admin)).ok(200);
    let first = &items(&page)[0];
    assert_eq!((&first["details"]["reason"], &first["ip"], &first["targetType"]), (&json!("spam"), &json!("127.0.0.1"), &json!("user")));
    let next = text(&page["nextCursor"]);
    let page = client.call(&get(format!("/api/user/audit?limit=1&cursor={next}")).by(&admin)).ok(200);
    let second = &items(&page)[0];
    assert_eq!(second["details"], json!({"from": "user", "to": "moderator"}));
    refused(&client.call(&get("/api/user/audit?actor=somebody").by(&admin)), 400, "invalid_query");
}

fn a_block_hides_each_from_the_other_wherever_the_viewer_is_known(store: Store) {
    let Town { _server, mut client, ada, bob, second, .. } = town(store);
    for (from, to) in [(&ada, &bob), (&bob, &ada), (&ada, &second), (&bob, &second)] {
        client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", to.id)).by(from)).ok(200);
    }
    let mut write = |by: &Person| text(&client.call(&post("/api/content/posts", json!({"content": "hello"})).by(by)).ok(201)["id"]);
    let (by_ada, by_bob, of_second) = (write(&ada), write(&bob), write(&second));
    for by in [&ada, &bob] {
        client.call(&post(format!("/api/content/posts/{of_second}/comments"), json!({"content": "hi"})).by(by)).ok(201);
    }
    let skill = text(&client.call(&post(format!("/api/user/users/{}/skills", bob.id), json!({"name": "Go"})).by(&bob)).ok(201)["id"]);
    let block = |method| Request::new(method, format!("/api/user/users/{}/block", bob.id)).by(&ada);
    for _ in 0..2 {
        assert_eq!(client.call(&block("PUT")).ok(200), json!({"userId": bob.id, "blocked": true}));
    }
    let own = client.call(&get("/api/user/blocks").by(&ada)).ok(200);
    assert_eq!((items(&own)[0]["username"].clone(), own["total"].clone()), (json!("bob"), json!(1)));
    assert_eq!(shown(&mut client, "/api/user/blocks?limit=5", Some(&bob)), Vec::<String>::new());

    for (viewer, other, post) in [(&ada, &bob, &by_bob), (&bob, &ada, &by_ada)] {
        for hidden in [
            format!("/api/content/posts/{post}"),
            format!("/api/content/posts/{post}/comments"),
            format!("/api/content/users/{}/posts", other.id),
            format!("/api/user/users/{}/followers", other.id),
            format!("/api/user/users/{}/following", other.id),
        ] {
            refused(&client.call(&get(hidden).by(viewer)), 404, "not_found");
        }
        refused(&client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", other.id)).by(viewer)), 404, "not_found");
        let feed = shown(&mut client, &format!("/api/content/feed/{}?limit=10", viewer.id), Some(viewer));
        assert!(!feed.contains(post) && feed.len() == 2, "{feed:?}");
        let people = shown(&mut client, "/api/user/search?limit=10", Some(viewer));
        assert!(people.contains(&viewer.id) && !people.contains(&other.id) && people.len() == 4, "{people:?}");
        let comments = shown(&mut client, &format!("/api/content/posts/{of_second}/comments?limit=10"), Some(viewer));
        assert_eq!(comments.len(), 1, "of both comments one's own");
        let fans = shown(&mut client, &format!("/api/user/users/{}/followers?limit=10", second.id), Some(viewer));
        assert_eq!(fans, std::slice::from_ref(&viewer.id));
    }
    refused(&client.call(&Request::new("POST", format!("/api/user/skills/{skill}/endorse")).by(&ada)), 404, "not_found");
    // A session that came as a cookie says as well who looks, also where everybody's answer is at hand.
    let by_cookie = get(format!("/api/content/posts/{by_bob}")).header("cookie", &format!("session={}", ada.token));
    client.call(&get(format!("/api/content/posts/{by_bob}"))).ok(200);
    refused(&client.call(&by_cookie), 404, "not_found");
    // Others, and whoever does not say who they are, see what they saw.
    client.call(&get(format!("/api/content/posts/{by_bob}"))).ok(200);
    client.call(&get(format!("/api/content/posts/{by_bob}")).by(&second)).ok(200);

    client.call(&delete(format!("/api/user/users/{}/block", bob.id)).by(&ada)).ok(200);
    client.call(&get(format!("/api/content/posts/{by_bob}")).by(&ada)).ok(200);
    let feed = shown(&mut client, &format!("/api/content/feed/{}?limit=10", ada.id), Some(&ada));
    assert_eq!(feed, [of_second, by_ada], "follows do not come back by themselves");
    refused(&client.call(&Request::new("PUT", format!("/api/user/users/{}/block", ada.id)).by(&ada)), 403, "forbidden");
    refused(&client.call(&Request::new("PUT", format!("/api/user/users/{}/block", protocol::UserId::new())).by(&ada)), 404, "not_found");
}

fn people_are_found_best_first_and_page_by_page(store: Store) {
    let Town { _server, mut client, ada, bob, second, .. } = town(store);
    let profile = |person: &Person, body: Value| put(format!("/api/user/profile/{}", person.id), body).by(person);
    client.call(&profile(&bob, json!({"bio": "Knows Ada.", "profile": {"location": "Köln"}}))).ok(200);
    client.call(&profile(&second, json!({"firstName": "Adà", "lastName": "García", "profile": {"location": "Málaga, España"}}))).ok(200);
    let (whole, _) = client.walk(None, "/api/user/search?q=ada&limit=100");
    assert_eq!(whole, [ada.id.clone(), second.id.clone(), bob.id.clone()], "username, name, biography");
    for limit in [1, 2] {
        let (paged, pages) = client.walk(Some(&bob), &format!("/api/user/search?q=ADA&limit={limit}"));
        assert_eq!((&paged, pages), (&whole, 3usize.div_ceil(limit)));
    }
    assert_eq!(shown(&mut client, "/api/user/search?q=garcia&location=malaga", None), std::slice::from_ref(&second.id));
    assert_eq!(shown(&mut client, "/api/user/search?q=garcia&location=paris", None), Vec::<String>::new());

    // The next answer is of now, and a client that has the newest is told so.
    let tag = client.call(&get("/api/user/search?q=koln&location=koln")).header("etag").expect("a tag").to_owned();
    let again = || get("/api/user/search?q=koln&location=koln").header("if-none-match", &tag);
    assert_eq!(client.call(&again()).status, 304);
    client.call(&profile(&bob, json!({"bio": "Lives in Köln."}))).ok(200);
    let found = client.call(&again()).ok(200);
    assert_eq!(items(&found)[0]["bio"], "Lives in Köln.");

    for hostile in
        ["%22", "ada%22%20OR%20name:%22x", "ada*)", "NEAR(a%20b)", "%F0%9F%A6%80", "%00", "-", "%25%25", "';--", &"a".repeat(4000)]
    {
        for parameter in ["q", "skill", "location"] {
            client.call(&get(format!("/api/user/search?{parameter}={hostile}"))).ok(200);
        }
    }
    refused(&client.call(&get(format!("/api/user/search?q={}", "a".repeat(10_000)))), 400, "invalid_query");
    refused(&client.call(&get("/api/user/search?q=a&limit=0")), 400, "invalid_query");
    refused(&client.call(&get("/api/user/search?name=a")), 400, "invalid_query");
    refused(&client.call(&get("/api/user/search?q=ada").token("nonsense")), 401, "unauthenticated");
}
