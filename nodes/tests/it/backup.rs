//! A copy of the embedded store that is taken while it is written, and what is made of it.

use crate::{
    http::{get, post, text},
    server::{Server, binary},
};
use serde_json::json;
use std::{fs, path::Path, process::Stdio, thread};
use tempfile::TempDir;

/// Runs a command on a data directory; gives whether it succeeded, and what it said.
fn run(arguments: &[&str], data: &Path) -> (bool, String) {
    let output = binary().args(arguments).arg("--data-dir").arg(data).stdout(Stdio::piped()).output().expect("it starts");
    (output.status.success(), String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned())
}

#[track_caller]
fn refused(arguments: &[&str], data: &Path, why: &str) {
    let (done, said) = run(arguments, data);
    assert!(!done && said.contains(why), "{why:?} is not in\n{said}");
}

fn word(path: &Path) -> &str {
    path.to_str().expect("text")
}

#[test]
fn a_backup_of_a_server_at_work_is_whole_and_becomes_a_server() {
    const STOCK: u64 = 100_000;
    let server = Server::start();
    let mut client = server.gateway();
    let (ada, bob) = (client.register("ada"), client.register("bob"));
    let lamp = text(&client.call(&post("/api/shop/products", json!({"name": "lamp", "price": 1, "stock": STOCK})).by(&ada)).ok(201)["id"]);
    let before = text(&client.call(&post("/api/content/posts", json!({"content": "before"})).by(&ada)).ok(201)["id"]);
    let folder = TempDir::new().expect("a folder");
    let (copy, data) = (folder.path().join("copy"), server.data.path().join("data"));

    // Orders go on while the copy is made: of each, it has both sides or none.
    let (done, said) = thread::scope(|scope| {
        let copying = scope.spawn(|| run(&["backup", word(&copy)], &data));
        let mut client = server.gateway();
        let mut orders = 0;
        while !copying.is_finished() || orders < 20 {
            client.call(&post("/api/shop/orders", json!({"productId": lamp, "quantity": 1})).by(&bob)).ok(201);
            orders += 1;
        }
        copying.join().expect("no panic")
    });
    assert!(done && said.contains("holds 4 databases"), "{said}");
    refused(&["backup", word(&copy)], &data, "is there already");
    refused(&["restore", word(&copy)], &data, "is there already");
    drop(server);

    let elsewhere = TempDir::new().expect("a folder");
    let (done, said) = run(&["restore", word(&copy)], &elsewhere.path().join("data"));
    assert!(done, "{said}");
    let server = Server::on(elsewhere, &[]);
    let mut client = server.gateway();
    assert_eq!(client.call(&get(format!("/api/content/posts/{before}"))).ok(200)["content"], "before");
    let (placed, _) = client.walk(Some(&bob), &format!("/api/shop/orders/buyer/{}?limit=100", bob.id));
    let stock = client.call(&get(format!("/api/shop/public/products/{lamp}"))).ok(200)["stock"].as_u64().expect("a stock");
    assert_eq!(stock + placed.len() as u64, STOCK);
    client.call(&post("/api/shop/orders", json!({"productId": lamp})).by(&bob)).ok(201);
}

#[test]
fn what_is_no_whole_backup_is_refused_and_leaves_nothing() {
    let folder = TempDir::new().expect("a folder");
    let place = |name: &str| folder.path().join(name);
    let (data, copy, restored) = (place("data"), place("copy"), place("restored"));
    refused(&["backup", word(&copy)], &data, "holds no databases");
    assert!(run(&["migrate"], &data).0 && run(&["backup", word(&copy)], &data).0);
    refused(&["restore", word(&data)], &restored, "is not a backup");

    let shop = copy.join("shop.db");
    let whole = fs::read(&shop).expect("readable");
    let mut torn = whole.clone();
    torn[5000] ^= 1;
    fs::write(&shop, torn).expect("writable");
    refused(&["restore", word(&copy)], &restored, "shop.db is not the file that was written");
    assert!(!restored.exists(), "there is all of it or nothing");
    fs::write(&shop, whole).expect("writable");

    let manifest = copy.join("backup.json");
    let text = fs::read_to_string(&manifest).expect("readable");
    for (broken, why) in [
        (text.replace("\"format\": 1", "\"format\": 2"), "format 2"),
        (text.replace("\"shop\"", "\"shed\""), "\"shed\""),
        ("{".to_owned(), "is not one"),
    ] {
        fs::write(&manifest, broken).expect("writable");
        refused(&["restore", word(&copy)], &restored, why);
    }
    fs::write(&manifest, text).expect("writable");
    fs::create_dir(&restored).expect("a folder");
    let (done, said) = run(&["restore", word(&copy)], &restored);
    assert!(done, "an empty folder is as good as none: {said}");
    assert!(run(&["migrate"], &restored).1.contains("up to date"));
    refused(&["backup", word(&place("other")), "--set", "postgres.url=postgres://a@b/c"], &data, "pg_dump");
}
