//! What is told, and to whom.

use super::{Events, Socket, Stream, follow, publish};
use crate::{
    http::{Request, delete, post, put, text},
    media::{image, upload},
    rank::promoted,
    store::{Store, on_both_stores},
};
use protocol::Role;
use serde_json::json;

on_both_stores! {
    a_post_is_told_to_its_followers_and_to_nobody_else,
    a_stream_goes_on_where_it_was,
    a_file_is_told_of_until_it_is_ready,
    what_was_asked_for_is_told_of_while_it_may_be_seen,
    a_session_that_ends_takes_its_streams_with_it,
}

/// Whoever may not hear of something is told of the next thing that they may: so it is known that nothing came before.
fn a_post_is_told_to_its_followers_and_to_nobody_else(store: Store) {
    for settings in [&[][..], &["feed.pull_threshold_followers=0"]] {
        let server = store.with(settings);
        let (mut client, addr) = (server.gateway(), server.addr("gateway"));
        let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| client.register(name));
        follow(&mut client, &bob, &ada);
        let mut of_bob: [Box<dyn Stream>; 2] = [Box::new(Events::open(addr, &bob, "")), Box::new(Socket::open(addr, &bob))];
        let mut of_eve = Events::open(addr, &eve, "");
        for _ in 0..3 {
            publish(&mut client, &ada, "private");
            publish(&mut client, &ada, "friends");
            let public = publish(&mut client, &ada, "public");
            for stream in &mut of_bob {
                let event = stream.expect_post(&public);
                assert_eq!((&event["userId"], &event["version"]), (&json!(ada.id), &json!(1)), "{event}");
            }
        }
        let own = publish(&mut client, &eve, "private");
        of_eve.expect_post(&own);
        // Friends see what is for friends, also what was posted a moment ago.
        follow(&mut client, &ada, &bob);
        let for_friends = publish(&mut client, &ada, "friends");
        for stream in &mut of_bob {
            stream.until("follows.changed");
            while stream.until("post.created")["postId"] != for_friends.as_str() {}
        }
        // With a block between the two nothing is.
        client.call(&put(format!("/api/user/users/{}/block", bob.id), json!({})).by(&ada)).ok(200);
        publish(&mut client, &ada, "public");
        let own = publish(&mut client, &bob, "public");
        of_bob.iter_mut().for_each(|stream| drop(stream.expect_post(&own)));
    }
}

fn a_stream_goes_on_where_it_was(store: Store) {
    let server = store.start();
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    follow(&mut client, &bob, &ada);
    let before = publish(&mut client, &ada, "public");
    let mut stream = Events::open(addr, &bob, "");
    let hello = stream.expect("hello");
    let first = publish(&mut client, &ada, "public");
    let last = text(&stream.expect_post(&first)["cursor"]);
    drop(stream);
    let missed: Vec<_> = (0..5).map(|_| publish(&mut client, &ada, "public")).collect();
    for mut stream in [Events::resume(addr, &bob, &last), Events::open(addr, &bob, &format!("?cursor={last}"))] {
        stream.expect("hello");
        let told: Vec<_> = std::iter::from_fn(|| (stream.next(super::SOON)).map(|event| text(&event["postId"]))).take(7).collect();
        assert!(told.ends_with(&missed), "{told:?}");
        assert!(told.starts_with(&[before.clone(), first.clone()]), "what was said shortly before may be said again: {told:?}");
    }
    // Without a cursor the client reads for itself what was before.
    let mut stream = Events::open(addr, &bob, "");
    stream.expect("hello");
    let next = publish(&mut client, &ada, "public");
    stream.expect_post(&next);
    let long_ago = (text(&hello["cursor"]).parse::<u64>().expect("a time") - 3_600_000).to_string();
    for cursor in [long_ago.as_str(), "garbage", "-1", "99999999999999999999"] {
        let mut stream = Events::resume(addr, &bob, cursor);
        stream.expect("hello");
        stream.expect("reset");
    }
    // More than is told one by one.
    let cursor = text(&hello["cursor"]);
    (0..101).for_each(|_| drop(publish(&mut client, &ada, "public")));
    let mut stream = Events::resume(addr, &bob, &cursor);
    stream.expect("hello");
    stream.expect("reset");
    let next = publish(&mut client, &ada, "public");
    assert_eq!(stream.expect("post.created")["postId"], next, "one reset is enough");
}

fn a_file_is_told_of_until_it_is_ready(store: Store) {
    let server = store.with(&["media.workers=1"]);
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let [ada, eve] = ["ada", "eve"].map(|name| client.register(name));
    let mut socket = Socket::open(addr, &ada);
    // Behind others of hers, so that it is not ready before it is asked for.
    let photos = ["2MP.webp", "chelsea_icc.png", "displayp3.jpg", "rgb16.png", "progressive_444.jpg"];
    let uploads = photos.map(|name| upload(name, &image(name), "private").by(&ada).header("prefer", "respond-async"));
    let [.., id] = uploads.map(|upload| text(&client.call(&upload).ok(202)["id"]));
    socket.say(&json!({ "subscribe": [{ "file": id }] }));
    let mut stream = Events::open(addr, &ada, &format!("?file={id}"));
    stream.expect("hello");
    assert_eq!(socket.expect("file.pending")["sizes"], json!([]));
    for stream in [&mut socket as &mut dyn Stream, &mut stream] {
        let mut sizes = 0;
        let ready = loop {
            let event = stream.next(crate::http::PATIENCE).expect("it comes to an end");
            let now = event["sizes"].as_array().expect("sizes").len();
            assert!(event["fileId"] == id.as_str() && now >= sizes, "{event}");
            sizes = now;
            match event["type"].as_str() {
                Some("file.pending") => {}
                _ => break event,
            }
        };
        assert_eq!(ready["type"], "file.ready");
        assert_eq!(ready["sizes"], json!(["thumbnail", "small", "medium", "large", "optimized"]));
    }
    // Others may not even know of it.
    let mut stranger = Events::open(addr, &eve, &format!("?file={id}"));
    stranger.expect("hello");
    assert_eq!(stranger.expect("error")["code"], "not_found");
    // What is no image after all.
    let broken = upload("photo.jpg", &image("progressive_444.jpg")[..2000], "public").by(&ada).header("prefer", "respond-async");
    let answer = client.call(&broken);
    if answer.status == 202 {
        socket.say(&json!({ "subscribe": [{ "file": answer.json()["id"] }] }));
        socket.until("file.failed");
    }
}

fn what_was_asked_for_is_told_of_while_it_may_be_seen(store: Store) {
    let server = store.start();
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| client.register(name));
    let published = publish(&mut client, &ada, "public");
    let product = json!({ "name": "lamp", "price": "1.00", "stock": 10 });
    let product = text(&client.call(&post("/api/shop/products", product).by(&ada)).ok(201)["id"]);
    let order = post("/api/shop/orders", json!({ "productId": product, "quantity": 2 })).by(&bob);
    let order = text(&client.call(&order).ok(201)["id"]);

    let mut stream = Events::open(addr, &bob, &format!("?post={published}&product={product}&order={order}"));
    stream.expect("hello");
    // How each is now comes first.
    let before = stream.expect("post.changed")["version"].as_u64();
    stream.expect("product.changed");
    assert_eq!(stream.expect("order.changed")["status"], "pending");
    client.call(&post(format!("/api/content/posts/{published}/comments"), json!({ "content": "indeed" })).by(&eve)).ok(201);
    let commented = stream.expect("post.changed");
    assert!(commented["version"].as_u64() > before && commented["postId"] == published.as_str(), "{commented}");
    client.call(&put(format!("/api/content/posts/{published}/reaction"), json!({ "type": "like" })).by(&eve));
    stream.expect("post.changed");
    client.call(&put(format!("/api/shop/orders/{order}/status"), json!({ "status": "confirmed" })).by(&ada)).ok(200);
    assert_eq!(stream.expect("order.changed")["status"], "confirmed");
    client.call(&put(format!("/api/shop/products/{product}"), json!({ "price": "2.00" })).by(&ada)).ok(200);
    stream.expect("product.changed");

    // An order is nobody's but its two sides'.
    let mut stranger = Socket::open(addr, &eve);
    stranger.say(&json!({ "subscribe": [{ "order": order }, { "post": order }, { "post": published }] }));
    assert_eq!(stranger.expect("error")["subject"]["order"], order.as_str());
    assert_eq!(stranger.expect("error")["code"], "not_found");
    stranger.expect("post.changed");
    stranger.say(&json!({ "unsubscribe": [{ "post": published }] }));

    // Hidden by a block, for one of them, and deleted for all.
    client.call(&put(format!("/api/user/users/{}/block", bob.id), json!({})).by(&ada)).ok(200);
    let mut gone: Vec<_> = (0..2).map(|_| stream.until("gone")["subject"].to_string()).collect();
    gone.sort_unstable();
    assert_eq!(gone, [json!({ "post": published }).to_string(), json!({ "product": product }).to_string()]);
    client.call(&delete(format!("/api/content/posts/{published}")).by(&ada)).ok(204);
    let own = publish(&mut client, &eve, "public");
    assert_eq!(stranger.expect("post.created")["postId"], own, "what is not asked for any more is not told");
}

fn a_session_that_ends_takes_its_streams_with_it(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, mallory, meg] = ["ada", "mallory", "meg"].map(|name| client.register(name));
    let server = promoted(server, &[(&meg, Role::Moderator)], &[]);
    let (mut client, addr) = (server.gateway(), server.addr("gateway"));
    let login = json!({ "email": "ada@example.org", "password": "a long password" });
    let again = text(&client.call(&post("/api/user/login", login)).ok(200)["token"]);
    let elsewhere = crate::http::Person { id: ada.id.clone(), token: again };

    let (mut events, mut socket, mut other) = (Events::open(addr, &ada, ""), Socket::open(addr, &ada), Socket::open(addr, &elsewhere));
    client.call(&Request::new("POST", "/api/user/logout").by(&ada)).ok(204);
    assert_eq!(events.until("end")["reason"], "session_ended");
    assert!(events.next(super::SOON).is_none(), "the answer is over");
    assert_eq!(socket.closed(), (4401, "session_ended".to_owned()));
    let own = publish(&mut client, &elsewhere, "public");
    other.expect_post(&own);

    let (mut events, mut socket) = (Events::open(addr, &mallory, ""), Socket::open(addr, &mallory));
    let ban = json!({ "isActive": false, "reason": "spam" });
    client.call(&put(format!("/api/user/users/{}/active", mallory.id), ban).by(&meg)).ok(200);
    assert_eq!(events.until("end")["reason"], "session_ended");
    assert_eq!(socket.closed().0, 4401);
}
