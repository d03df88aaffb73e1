//! Entity tags: what did not change is not sent again, and nobody overwrites what they have not seen.

use crate::{
    http::{Client, Person, Request, delete, get, post, put, text},
    refusal::refused,
    server::Server,
};
use serde_json::json;

struct Stage {
    _server: Server,
    client: Client,
    ada: Person,
    bob: Person,
    post: String,
    product: String,
}

fn stage() -> Stage {
    let server = Server::start();
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    client.call(&Request::new("PUT", format!("/api/user/users/{}/follow", ada.id)).by(&bob)).ok(200);
    let written = text(&client.call(&post("/api/content/posts", json!({"content": "hello"})).by(&ada)).ok(201)["id"]);
    let product = text(&client.call(&post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": 9})).by(&ada)).ok(201)["id"]);
    client.call(&post(format!("/api/user/users/{}/skills", ada.id), json!({"name": "Rust"})).by(&ada)).ok(201);
    client.call(&post("/api/shop/orders", json!({"productId": product})).by(&bob)).ok(201);
    Stage { _server: server, client, ada, bob, post: written, product }
}

/// Every read there is, by name.
fn reads(stage: &Stage) -> Vec<(&'static str, Request)> {
    let Stage { ada, bob, post, product, .. } = stage;
    vec![
        ("profile", get(format!("/api/user/profile/{}", ada.id))),
        ("me", get("/api/user/me").by(ada)),
        ("skills", get(format!("/api/user/users/{}/skills", ada.id))),
        ("followers", get(format!("/api/user/users/{}/followers", ada.id)).by(bob)),
        ("following", get(format!("/api/user/users/{}/following", bob.id)).by(bob)),
        ("post", get(format!("/api/content/posts/{post}"))),
        ("post to Bob", get(format!("/api/content/posts/{post}")).by(bob)),
        ("comments", get(format!("/api/content/posts/{post}/comments"))),
        ("feed", get(format!("/api/content/feed/{}", bob.id)).by(bob)),
        ("public posts", get("/api/content/public/posts")),
        ("posts of Ada", get(format!("/api/content/users/{}/posts", ada.id))),
        ("products", get("/api/shop/public/products")),
        ("products by price", get("/api/shop/public/products?sort=price_asc")),
        ("product", get(format!("/api/shop/public/products/{product}"))),
        ("products of Ada", get(format!("/api/shop/products/seller/{}", ada.id)).by(ada)),
        ("bought", get(format!("/api/shop/orders/buyer/{}", bob.id)).by(bob)),
        ("sold", get(format!("/api/shop/orders/seller/{}", ada.id)).by(ada)),
    ]
}

#[test]
fn every_read_has_a_tag_and_is_not_sent_twice() {
    let mut stage = stage();
    for (name, request) in reads(&stage) {
        let client = &mut stage.client;
        // Cold, then from memory: the same.
        let (cold, answer) = (client.call(&request), client.call(&request));
        assert_eq!((answer.ok(200), answer.lasting_headers()), (cold.ok(200), cold.lasting_headers()), "{name}");
        let etag = answer.etag();
        assert!(etag.len() > 2 && etag.starts_with('"') && etag.ends_with('"'), "a strong tag: {etag}");
        let caching = answer.header("cache-control").expect("said").to_owned();
        assert!(caching == "public, no-cache" || caching == "private, no-cache", "{name}: {caching}");
        for tag in [etag.clone(), format!("W/{etag}"), format!("\"other\", {etag}"), "*".to_owned()] {
            let same = client.call(&request.clone().header("if-none-match", &tag));
            assert_eq!((same.status, same.body.len(), same.etag()), (304, 0, etag.clone()), "{name} {tag}");
            assert_eq!(same.header("cache-control"), Some(caching.as_str()));
        }
        client.call(&request.clone().header("if-none-match", "\"other\"")).ok(200);

        let head = client.call(&request.clone().method("HEAD"));
        assert_eq!((head.status, head.lasting_headers()), (200, answer.lasting_headers()), "HEAD of {name}");
        assert_eq!(client.call(&request.clone().method("HEAD").header("if-none-match", &etag)).status, 304);
        // What comes next on the connection is not mistaken for a body.
        client.call(&request).ok(200);
    }
    for request in [get("/api/user/profile/nobody"), get("/api/user/me"), get("/nowhere")] {
        let (answer, head) = (stage.client.call(&request), stage.client.call(&request.method("HEAD")));
        assert_eq!((head.status, head.header("content-type")), (answer.status, Some("application/problem+json")));
    }
}

/// What is for one person must not be kept where another's requests pass.
#[test]
fn what_depends_on_the_caller_is_private() {
    let mut stage = stage();
    let client = &mut stage.client;
    let own = post("/api/content/posts", json!({"content": "x", "visibility": "friends"})).by(&stage.ada);
    let own = text(&client.call(&own).ok(201)["id"]);
    let mut caching = |request: Request| client.call(&request).header("cache-control").unwrap_or_default().to_owned();
    for request in [
        get("/api/user/me").by(&stage.ada),
        get(format!("/api/content/posts/{own}")).by(&stage.ada),
        get(format!("/api/content/posts/{own}/comments")).by(&stage.ada),
        get(format!("/api/content/users/{}/posts", stage.ada.id)).by(&stage.ada),
        get(format!("/api/content/feed/{}", stage.ada.id)).by(&stage.ada),
        get(format!("/api/shop/orders/seller/{}", stage.ada.id)).by(&stage.ada),
    ] {
        assert_eq!(caching(request.clone()), "private, no-cache", "{}", request.path);
    }
    let login = post("/api/user/login", json!({"email": "ada@example.org", "password": "a long password"}));
    for request in [login, get("/nowhere"), post("/api/content/posts", json!({"content": "x"})).by(&stage.ada)] {
        assert_eq!(caching(request.clone()), "no-store", "{}", request.path);
    }
}

#[test]
fn a_write_changes_the_tags_of_what_it_changes_and_no_others() {
    let mut stage = stage();
    let tags = |stage: &mut Stage| -> Vec<(&'static str, Option<String>)> {
        let reads = reads(stage);
        reads.into_iter().map(|(name, request)| (name, stage.client.call(&request).header("etag").map(str::to_owned))).collect()
    };
    let Stage { ada, bob, post: written, product, .. } = &stage;
    let (profile, written) = (format!("/api/user/profile/{}", ada.id), format!("/api/content/posts/{written}"));
    let posts: &[&str] = &["post", "post to Bob", "comments", "feed", "public posts", "posts of Ada"];
    let products: &[&str] = &["products", "products by price", "product", "products of Ada"];
    let steps = [
        (put(profile, json!({"bio": "x"})).by(ada), vec!["profile", "me", "skills", "following"]),
        (put(written.clone(), json!({"content": "y"})).by(ada), posts.to_vec()),
        (post(format!("{written}/comments"), json!({"content": "x"})).by(bob), posts.to_vec()),
        (put(format!("/api/shop/products/{product}"), json!({"price": 2})).by(ada), products.to_vec()),
        (post("/api/shop/orders", json!({"productId": product})).by(bob), [products, &["bought", "sold"]].concat()),
        (delete(written).by(ada), posts.to_vec()),
    ];
    let mut before = tags(&mut stage);
    for (write, expected) in steps {
        let status = stage.client.call(&write).status;
        assert!((200..300).contains(&status), "{} {}: {status}", write.method, write.path);
        let after = tags(&mut stage);
        let changed: Vec<_> = before.iter().zip(&after).filter(|(old, new)| old != new).map(|((name, _), _)| *name).collect();
        assert_eq!(changed, expected, "after {} {}", write.method, write.path);
        before = after;
    }
}

#[test]
fn a_write_on_what_has_changed_is_refused_and_changes_nothing() {
    let mut stage = stage();
    let client = &mut stage.client;
    let resources = [
        (
            format!("/api/user/profile/{}", stage.ada.id),
            format!("/api/user/profile/{}", stage.ada.id),
            json!({"bio": "one"}),
            json!({"bio": "two"}),
        ),
        (
            format!("/api/content/posts/{}", stage.post),
            format!("/api/content/posts/{}", stage.post),
            json!({"content": "one"}),
            json!({"content": "two"}),
        ),
        (
            format!("/api/shop/public/products/{}", stage.product),
            format!("/api/shop/products/{}", stage.product),
            json!({"name": "one"}),
            json!({"name": "two"}),
        ),
    ];
    for (read, write, one, two) in resources {
        let seen = client.call(&get(read.clone())).etag();
        let first = client.call(&put(write.clone(), one).by(&stage.ada).header("if-match", &seen));
        first.ok(200);
        let now = first.etag();
        assert_eq!(client.call(&get(read.clone())).etag(), now, "the answer's tag is the next read's");
        let before = client.call(&get(read.clone())).ok(200);
        refused(&client.call(&put(write.clone(), two.clone()).by(&stage.ada).header("if-match", &seen)), 412, "precondition_failed");
        assert_eq!(client.call(&get(read.clone())).ok(200), before);
        client.call(&put(write.clone(), two.clone()).by(&stage.ada).header("if-match", "*")).ok(200);
        client.call(&put(write.clone(), two).by(&stage.ada)).ok(200);
        if !read.contains("profile") {
            refused(&client.call(&delete(write.clone()).by(&stage.ada).header("if-match", &now)), 412, "precondition_failed");
            let last = client.call(&get(read.clone())).etag();
            client.call(&delete(write).by(&stage.ada).header("if-match", &last)).ok(204);
            refused(&client.call(&get(read).header("if-none-match", &last)), 404, "not_found");
        }
    }
}
