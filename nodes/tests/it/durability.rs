//! What was acknowledged outlives the process, however it ends.

use crate::{
    http::{Client, PATIENCE, Person, Request, get, items, post, put, text},
    server::Server,
    store::{Data, Store, on_both_stores},
};
use serde_json::{Value, json};
use std::{
    collections::HashMap,
    sync::mpsc::{Receiver, Sender, channel},
    thread::{self, JoinHandle},
};

on_both_stores! {
    acknowledged_writes_survive_every_end,
    a_create_with_a_key_has_one_effect_across_a_kill,
}

/// A write that was answered with success.
enum Acknowledged {
    Post(Value),
    Comment(Value),
    Order(Value),
    Bio(u64),
    Account(Person),
}

/// Makes the nth write, and says what is kept of its answer.
type NextWrite = Box<dyn Fn(u64) -> (Request, fn(Value) -> Acknowledged) + Send>;

/// Writes again and again, until the server is gone.
fn writer(mut client: Client, acknowledged: Sender<Acknowledged>, next: NextWrite) -> JoinHandle<()> {
    thread::spawn(move || {
        for number in 0.. {
            let (request, kept) = next(number);
            let Ok(answer) = client.try_call(&request) else { return };
            assert!((200..300).contains(&answer.status), "{} {}: {answer}", request.method, request.path);
            if acknowledged.send(kept(answer.json())).is_err() {
                return;
            }
        }
    })
}

struct World {
    ada: Person,
    bob: Person,
    post: String,
    product: String,
}

const STOCK: u64 = 100_000;

fn world(client: &mut Client) -> World {
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let written = post("/api/content/posts", json!({"content": "the first"})).by(&ada);
    let written = text(&client.call(&written).ok(201)["id"]);
    let product = post("/api/shop/products", json!({"name": "lamp", "price": "1.10", "stock": STOCK})).by(&ada);
    let product = text(&client.call(&product).ok(201)["id"]);
    World { ada, bob, post: written, product }
}

/// Everybody writes until `count` writes were acknowledged; then `end` comes. Gives all that was acknowledged, in order for each writer.
fn write_until(end: fn(Server) -> Data, server: Server, world: &World, (round, count): (u64, usize)) -> (Data, Vec<Acknowledged>) {
    let (sender, acknowledged): (_, Receiver<Acknowledged>) = channel();
    let start = |next: NextWrite| writer(server.gateway(), sender.clone(), next);
    let World { ada, bob, post: first, product } = world;
    let (author, commenter, buyer, owner) = (ada.clone(), bob.clone(), bob.clone(), ada.clone());
    let (comments, product) = (format!("/api/content/posts/{first}/comments"), product.clone());
    let writers = [
        start(Box::new(move |n| (post("/api/content/posts", json!({"content": format!("{round}/{n}")})).by(&author), Acknowledged::Post))),
        start(Box::new(move |n| {
            (post(comments.clone(), json!({"content": format!("{round}/{n}")})).by(&commenter), Acknowledged::Comment)
        })),
        start(Box::new(move |n| {
            (post("/api/shop/orders", json!({"productId": product, "quantity": 1 + n % 3})).by(&buyer), Acknowledged::Order)
        })),
        start(Box::new(move |n| {
            let update = put(format!("/api/user/profile/{}", owner.id), json!({"bio": (round * 1_000_000 + n).to_string()}));
            (update.by(&owner), |user| Acknowledged::Bio(text(&user["bio"]).parse().expect("a number")))
        })),
        start(Box::new(move |n| {
            let name = format!("r{round}-{n}");
            let account = json!({"username": name, "email": format!("{name}@example.org"), "password": "a long password"});
            (post("/api/user/register", account), |opened| {
                Acknowledged::Account(Person { id: text(&opened["user"]["id"]), token: text(&opened["token"]) })
            })
        })),
    ];
    drop(sender);
    let mut kept: Vec<Acknowledged> = Vec::new();
    while kept.len() < count {
        kept.push(acknowledged.recv_timeout(PATIENCE).expect("writes are acknowledged"));
    }
    let data = end(server);
    for writer in writers {
        writer.join().expect("no write was refused");
    }
    kept.extend(acknowledged.iter());
    (data, kept)
}

/// Everything that was acknowledged is there, and what belongs together agrees.
fn check(client: &mut Client, world: &World, acknowledged: &[Acknowledged]) {
    let World { ada, bob, post: first, product } = world;
    let rows = |client: &mut Client, list: String, by: &Person| -> HashMap<String, Value> {
        let (mut rows, mut cursor) = (HashMap::new(), String::new());
        loop {
            let page = client.call(&get(format!("{list}?limit=100{cursor}")).by(by)).ok(200);
            rows.extend(items(&page).iter().map(|row| (text(&row["id"]), row.clone())));
            match page["nextCursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return rows,
            }
        }
    };
    let posts = rows(client, format!("/api/content/users/{}/posts", ada.id), ada);
    let feed = rows(client, format!("/api/content/feed/{}", ada.id), ada);
    assert_eq!(posts, feed);
    let comments = rows(client, format!("/api/content/posts/{first}/comments"), bob);
    let orders = rows(client, format!("/api/shop/orders/buyer/{}", bob.id), bob);
    assert_eq!(orders, rows(client, format!("/api/shop/orders/seller/{}", ada.id), ada));
    let bio: u64 = text(&client.call(&get(format!("/api/user/profile/{}", ada.id))).ok(200)["bio"]).parse().expect("a number");
    for write in acknowledged {
        match write {
            Acknowledged::Post(row) => assert_eq!(posts.get(&text(&row["id"])), Some(row)),
            Acknowledged::Comment(row) => assert_eq!(comments.get(&text(&row["id"])), Some(row)),
            Acknowledged::Order(row) => assert_eq!(orders.get(&text(&row["id"])), Some(row)),
            Acknowledged::Bio(number) => assert!(bio >= *number, "{bio} is older than {number}"),
            Acknowledged::Account(person) => {
                assert_eq!(client.call(&get("/api/user/me").by(person)).ok(200)["id"], person.id);
            }
        }
    }
    let counted = client.call(&get(format!("/api/content/posts/{first}"))).ok(200);
    assert_eq!(counted["commentsCount"], comments.len());
    let sold: u64 = orders.values().filter_map(|order| order["quantity"].as_u64()).sum();
    let product = client.call(&get(format!("/api/shop/public/products/{product}"))).ok(200);
    assert_eq!(product["stock"], STOCK - sold, "pieces are in stock or in an order");
}

/// Neither when the process is killed, nor when it is asked to stop in the midst of it.
fn acknowledged_writes_survive_every_end(store: Store) {
    let mut server = store.start();
    let world = world(&mut server.gateway());
    let mut all = Vec::new();
    for (round, end) in (0..).zip([Server::kill, Server::stop, Server::kill]) {
        let (data, acknowledged) = write_until(end, server, &world, (round, 100));
        all.extend(acknowledged);
        server = Server::on(data, &[]);
        check(&mut server.gateway(), &world, &all);
    }
}

/// The moment, seen from the client, at which the process is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// The request was sent.
    Sent,
    /// The server has answered something that was sent later.
    Later,
    /// The server has answered, and the client has not read it.
    Answered,
}

fn a_create_with_a_key_has_one_effect_across_a_kill(store: Store) {
    let mut server = store.start();
    let world = world(&mut server.gateway());
    for (round, moment) in [Moment::Sent, Moment::Later, Moment::Answered, Moment::Sent, Moment::Later].into_iter().enumerate() {
        let lamp = post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": 10})).by(&world.ada);
        let lamp = text(&server.gateway().call(&lamp).ok(201)["id"]);
        let content = format!("only once {round}");
        let requests = [
            post("/api/shop/orders", json!({"productId": lamp, "quantity": 3})).by(&world.bob).key(&format!("order-{round}")),
            post("/api/content/posts", json!({"content": content})).by(&world.bob).key(&format!("post-{round}")),
            post(format!("/api/content/posts/{}/comments", world.post), json!({"content": content}))
                .by(&world.bob)
                .key(&format!("comment-{round}")),
        ];
        let mut clients: Vec<Client> = requests.iter().map(|_| server.gateway()).collect();
        for (client, request) in clients.iter_mut().zip(&requests) {
            client.send(&request.bytes()).expect("sent");
        }
        match moment {
            Moment::Sent => {}
            Moment::Later => {
                drop(server.gateway().call(&put(format!("/api/user/profile/{}", world.ada.id), json!({"bio": "x"})).by(&world.ada)).ok(200))
            }
            Moment::Answered => clients.iter_mut().for_each(|client| drop(client.answer("POST").expect("an answer").ok(201))),
        }
        server = Server::on(server.kill(), &[]);
        let mut client = server.gateway();
        for request in &requests {
            let (first, again) = (client.call(request).ok(201), client.call(request).ok(201));
            assert_eq!(first, again, "{moment:?}: the same thing");
        }
        let stock = client.call(&get(format!("/api/shop/public/products/{lamp}"))).ok(200);
        assert_eq!(stock["stock"], 7, "{moment:?}");
        let mut held = |list: String, field: &str, value: &str| {
            let page = client.call(&get(format!("{list}?limit=100")).by(&world.bob)).ok(200);
            items(&page).iter().filter(|row| row[field] == value).count()
        };
        assert_eq!(held(format!("/api/shop/orders/buyer/{}", world.bob.id), "productId", &lamp), 1, "{moment:?}");
        assert_eq!(held(format!("/api/content/users/{}/posts", world.bob.id), "content", &content), 1, "{moment:?}");
        assert_eq!(held(format!("/api/content/posts/{}/comments", world.post), "content", &content), 1, "{moment:?}");
    }
}

/// What is kept of a password and of a token cannot be used by whoever reads the files.
#[test]
fn the_files_hold_neither_passwords_nor_tokens() {
    let server = Server::start();
    let ada = server.gateway().register("ada");
    let directory = server.stop();
    let mut read = 0;
    for file in std::fs::read_dir(directory.path().join("data")).expect("a directory") {
        let path = file.expect("an entry").path();
        if path.is_dir() {
            continue;
        }
        let bytes = std::fs::read(path).expect("readable");
        let holds = |word: &[u8]| bytes.windows(word.len()).any(|window| window == word);
        assert!(!holds(b"a long password") && !holds(ada.token.as_bytes()));
        read += usize::from(holds(b"ada@example.org"));
    }
    assert!(read > 0, "these are the files");
}
