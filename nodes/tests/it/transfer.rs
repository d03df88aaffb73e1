//! A whole instance that moves from one store to the other and back, and what becomes of a document or an import that is not whole.

use crate::{
    http::{Person, get, post, put, text},
    server::{Process, Server, binary},
    store::{Data, Store},
};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Stdio},
};

fn command(arguments: &[&str], data: &Data) -> Command {
    let mut command = binary();
    command.args(arguments).arg("--data-dir").arg(data.path().join("data"));
    data.point(&mut command);
    command
}

/// Runs a command on data; gives whether it succeeded, and what it said.
fn run(arguments: &[&str], data: &Data) -> (bool, String) {
    let output = command(arguments, data).stdout(Stdio::piped()).output().expect("it starts");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[track_caller]
fn done(arguments: &[&str], data: &Data) -> String {
    let (done, said) = run(arguments, data);
    assert!(done, "{said}");
    said
}

#[track_caller]
fn refused(arguments: &[&str], data: &Data, why: &str) {
    let (done, said) = run(arguments, data);
    assert!(!done && said.contains(why), "{why:?} is not in\n{said}");
}

fn word(path: &Path) -> &str {
    path.to_str().expect("text")
}

/// All but the first line, which says when and by whom it was made.
fn rows(document: &Path) -> String {
    let document = fs::read_to_string(document).expect("readable");
    document.split_once('\n').expect("lines").1.to_owned()
}

#[track_caller]
fn same(one: &Path, other: &Path) {
    let (one, other) = (rows(one), rows(other));
    for (one, other) in one.lines().zip(other.lines()) {
        assert_eq!(one, other);
    }
    assert_eq!(one.len(), other.len());
}

/// People who did a little of everything; gives two of them, and what they read.
fn live(server: &Server) -> (Person, Person, Vec<String>) {
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let mut made = |path: &str, body: Value, by: &Person| text(&client.call(&post(path, body).by(by)).ok(201)["id"]);
    let lamp = made("/api/shop/products", json!({"name": "Brass lamp", "price": "12.50", "stock": 9, "category": "lamps"}), &ada);
    made("/api/shop/products", json!({"name": "Lamp oil", "price": 3, "stock": 5}), &bob);
    made("/api/shop/orders", json!({"productId": lamp, "quantity": 2, "shippingAddress": {"street": "1", "city": "London"}}), &bob);
    made("/api/shop/cart", json!({"productId": lamp, "quantity": 1}), &bob);
    made(&format!("/api/shop/products/{lamp}/reviews"), json!({"rating": 4, "title": "Bright"}), &bob);
    made("/api/user/users/me/skills".replace("me", &ada.id).as_str(), json!({"name": "Weaving", "level": "expert"}), &ada);
    client.call(&put(format!("/api/user/users/{}/follow", ada.id), json!({})).by(&bob)).ok(200);
    let mut made = |path: &str, body: Value, by: &Person| text(&client.call(&post(path, body).by(by)).ok(201)["id"]);
    let posts: Vec<_> = (0..5)
        .map(|n| made("/api/content/posts", json!({"content": format!("Glück {n} #engines")}), if n % 2 == 0 { &ada } else { &bob }))
        .collect();
    made(&format!("/api/content/posts/{}/comments", posts[0]), json!({"content": "good"}), &bob);
    made(&format!("/api/content/posts/{}/share", posts[0]), json!({"content": "see"}), &bob);
    made("/api/content/bookmarks", json!({"postId": posts[1]}), &ada);
    let flag = json!({"targetType": "post", "targetId": posts[3], "reason": "spam"});
    client.call(&post("/api/user/moderation/flags", flag).by(&ada)).ok(201);
    client.call(&put(format!("/api/content/posts/{}/reaction", posts[0]), json!({"type": "love"})).by(&bob)).ok(200);
    client
        .call(&put(format!("/api/user/profile/{}", ada.id), json!({"bio": "Poetical science", "profile": {"location": "London"}})).by(&ada))
        .ok(200);
    let reads = vec![
        format!("/api/user/profile/{}", ada.id),
        format!("/api/content/feed/{}?limit=2", bob.id),
        "/api/content/public/posts?limit=2".to_owned(),
        "/api/content/posts/search?q=gluck&limit=2".to_owned(),
        "/api/content/hashtags/engines/posts".to_owned(),
        "/api/content/bookmarks".to_owned(),
        format!("/api/content/posts/{}/comments", posts[0]),
        "/api/shop/public/products?search=lamp&limit=1".to_owned(),
        format!("/api/shop/products/{lamp}/reviews"),
        format!("/api/shop/orders/buyer/{}", bob.id),
        "/api/shop/cart".to_owned(),
        "/api/user/search?q=poetical&limit=1".to_owned(),
        format!("/api/user/users/{}/followers", ada.id),
        "/api/user/moderation/mine".to_owned(),
    ];
    (ada, bob, reads)
}

/// What both are answered, to the byte, with entity tags.
fn answers(server: &Server, people: [&Person; 2], reads: &[String]) -> Vec<String> {
    let mut client = server.gateway();
    let mut answers = Vec::new();
    for read in reads {
        for person in people {
            let answer = client.call(&get(read.clone()).by(person));
            // What is refused has a trace of its own.
            let body = if answer.status == 200 { answer.text() } else { String::new() };
            answers.push(format!("{read} {} {:?} {body}", answer.status, answer.header("etag")));
        }
    }
    assert!(answers.iter().filter(|answer| answer.contains(" 200 ")).count() > reads.len());
    answers
}

#[test]
fn an_instance_moves_to_the_other_store_and_back_and_answers_as_it_did() {
    for (from, to, back) in [(Store::Sqlite, Store::Postgres, Store::Sqlite), (Store::Postgres, Store::Sqlite, Store::Postgres)] {
        let server = from.start();
        let (ada, bob, reads) = live(&server);
        let before = answers(&server, [&ada, &bob], &reads);
        let data = server.stop();
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str| folder.path().join(name);
        let (first, second, third) = (file("first"), file("second"), file("third"));

        assert!(done(&["export", word(&first)], &data).contains("holds "), "it says what it did");
        assert_eq!(fs::metadata(&first).expect("a file").permissions().mode() & 0o777, 0o600, "it holds secrets");
        refused(&["export", word(&first)], &data, "is there already");
        refused(&["import", word(&first)], &data, "is not empty");

        let data = to.empty();
        assert!(done(&["import", word(&first)], &data).contains("imported "));
        done(&["export", word(&second)], &data);
        same(&first, &second);
        let elsewhere = back.empty();
        done(&["import", word(&second)], &elsewhere);
        done(&["export", word(&third)], &elsewhere);
        same(&first, &third);

        for data in [data, elsewhere] {
            let server = Server::on(data, &[]);
            for (now, before) in answers(&server, [&ada, &bob], &reads).iter().zip(&before) {
                assert_eq!(now, before);
            }
            // Sessions work, also to write; ids and versions go on where they were.
            let mut client = server.gateway();
            client.call(&post("/api/content/posts", json!({"content": "still here"})).by(&ada)).ok(201);
            client.call(&put(format!("/api/user/profile/{}", ada.id), json!({"bio": "and back"})).by(&ada)).ok(200);
            client.register("carol");
        }
    }
}

#[test]
fn an_export_of_a_server_at_work_is_of_one_instant() {
    for store in [Store::Sqlite, Store::Postgres] {
        const STOCK: u64 = 100_000;
        let server = store.start();
        let mut client = server.gateway();
        let (ada, bob) = (client.register("ada"), client.register("bob"));
        let lamp =
            text(&client.call(&post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": STOCK})).by(&ada)).ok(201)["id"]);
        let (folder, other) = (tempfile::tempdir().expect("a folder"), Store::Sqlite.empty());
        let file = folder.path().join("document");
        // Orders go on while the document is written: of each, it has both sides or none.
        let mut exporting = command(&["export", word(&file)], &server.data).stdout(Stdio::null()).spawn().expect("it starts");
        let mut orders = 0;
        while exporting.try_wait().expect("it can be waited for").is_none() || orders < 20 {
            client.call(&post("/api/shop/orders", json!({"productId": lamp, "quantity": 1})).by(&bob)).ok(201);
            orders += 1;
        }
        assert!(exporting.wait().expect("it ends").success());
        drop(server);
        done(&["import", word(&file)], &other);
        let server = Server::on(other, &[]);
        let mut client = server.gateway();
        let (placed, _) = client.walk(Some(&bob), &format!("/api/shop/orders/buyer/{}?limit=100", bob.id));
        let stock = client.call(&get(format!("/api/shop/public/products/{lamp}"))).ok(200)["stock"].as_u64().expect("a stock");
        assert_eq!(stock + placed.len() as u64, STOCK);
    }
}

/// Killed between two batches, which are some thousands of rows.
#[test]
fn an_import_that_was_killed_goes_on_and_nobody_serves_before_its_end() {
    let source = Store::Sqlite.empty();
    done(&["demo", "--bulk", "--users", "300"], &source);
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name);
    let (document, copy, pipe) = (file("document"), file("copy"), file("pipe"));
    done(&["export", word(&document)], &source);
    let whole = fs::read(&document).expect("readable");
    let half = whole[..whole.len() / 2].iter().rposition(|byte| *byte == b'\n').expect("lines") + 1;
    assert!(half > 1 << 20, "several batches");
    for store in [Store::Sqlite, Store::Postgres] {
        let data = store.empty();
        // Of a pipe that goes on being open it has read half when it is killed.
        let _ = fs::remove_file(&pipe);
        assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo starts").success());
        let importing = Process::spawn(command(&["import", word(&pipe)], &data));
        let mut writing = fs::OpenOptions::new().write(true).open(&pipe).expect("a pipe");
        // All but what a pipe and a batch hold has been read and written then.
        writing.write_all(&whole[..half]).expect("it reads");
        importing.signal(Signal::KILL);
        importing.ended();
        drop(writing);

        let (status, said) = Process::spawn(data.server(&[])).ended();
        assert!(!status.success() && said.contains("import into database users is unfinished"), "{said}");
        refused(&["user", "role", "ada", "admin"], &data, "is unfinished");
        refused(&["export", "-"], &data, "is unfinished");
        let said = done(&["import", word(&document)], &data);
        assert!(said.contains("of them were there"), "{said}");
        let _ = fs::remove_file(&copy);
        done(&["export", word(&copy)], &data);
        same(&document, &copy);
        let server = Server::on(data, &[]);
        assert!(!server.gateway().call(&get("/api/content/public/posts")).ok(200)["items"].as_array().expect("posts").is_empty());
        refused(&["import", word(&document)], &server.data, "in use by another process");
    }
}

#[test]
fn what_is_no_document_is_refused_with_its_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("document");
    let data = Store::Sqlite.empty();
    refused(&["import", word(&file)], &data, "cannot be read");
    for (text, why) in [
        ("", "does not begin with the header"),
        ("hello\n", "document:1: it is no line of an export"),
        ("{\"header\":{\"format\":9,\"release\":\"7.0.0\",\"madeAt\":\"2026-01-01T00:00:00Z\",\"schemas\":{}}}\n", "with that release"),
    ] {
        fs::write(&file, text).expect("writable");
        refused(&["import", word(&file)], &data, why);
    }
    refused(&["export", word(&folder.path().join("none/file"))], &data, "cannot be written");
    let nothing = Store::Sqlite.empty();
    refused(&["export", "-"], &nothing, "holds no databases");
}
