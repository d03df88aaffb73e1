//! What one person may have stored.

use crate::{
    http::{Client, Person, Request, delete, get, text},
    media::{objects, upload},
    refusal::refused,
    server::Server,
    store::{Store, on_both_stores},
};
use serde_json::{Value, json};

on_both_stores! {
    nobody_stores_more_than_their_quota,
    a_repeated_upload_needs_no_room,
    whoever_has_no_room_is_told_before_their_bytes_come,
}

const SETTINGS: [&str; 2] = ["media.quota_bytes=1000", "media.quota_files=4"];

/// A file of so many bytes, another one each time.
fn note(bytes: usize) -> Request {
    let words = uuid::Uuid::now_v7().to_string().repeat(bytes / 36 + 1);
    upload("note.txt", &words.as_bytes()[words.len() - bytes..], "private")
}

fn files(of: &Person) -> Request {
    get(format!("/api/media/files/{}", of.id))
}

#[track_caller]
fn usage(client: &mut Client, of: &Person) -> Value {
    client.call(&files(of).by(of)).ok(200)["usage"].clone()
}

fn used(files: u64, bytes: u64) -> Value {
    json!({ "files": files, "filesMax": 4, "bytes": bytes, "bytesMax": 1000 })
}

fn nobody_stores_more_than_their_quota(store: Store) {
    let server = store.with(&SETTINGS);
    let mut client = server.gateway();
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    assert_eq!(usage(&mut client, &ada), used(0, 0));
    let first = client.call(&note(600).by(&ada)).ok(201);

    // Each of them would fit alone.
    let answers = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..4)
            .map(|_| {
                let (mut client, request) = (server.gateway(), note(300).by(&ada));
                scope.spawn(move || client.call(&request))
            })
            .collect();
        tries.into_iter().map(|tried| tried.join().expect("it ends")).collect::<Vec<_>>()
    });
    let (kept, others): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 201);
    assert_eq!((kept.len(), others.len()), (1, 3), "{answers:?}");
    for answer in others {
        refused(answer, 413, "quota_exceeded");
        let expected = "you have stored 900 of 1000 bytes in 2 of 4 files, and this file has 300 bytes: remove files that you do not need";
        assert_eq!(answer.json()["detail"], expected);
    }
    assert_eq!(usage(&mut client, &ada), used(2, 900));
    for asked in [files(&ada), files(&ada).by(&bob)] {
        assert!(client.call(&asked).ok(200).get("usage").is_none(), "it is nobody else's business");
    }

    // It is each one's own, and of files as well as of bytes.
    for number in 1..=4 {
        client.call(&note(1).by(&bob)).ok(201);
        assert_eq!(usage(&mut client, &bob), used(number, number));
    }
    refused(&client.call(&note(1).by(&bob)), 413, "quota_exceeded");

    let server = Server::on(server.kill(), &SETTINGS);
    let mut client = server.gateway();
    assert_eq!(usage(&mut client, &ada), used(2, 900));
    client.call(&delete(format!("/api/media/files/{}", text(&first["id"]))).by(&ada)).ok(204);
    assert_eq!(usage(&mut client, &ada), used(1, 300));
    client.call(&note(700).by(&ada)).ok(201);
    let folder = server.data.path().join("data/media");
    let kept = objects(&folder);
    refused(&client.call(&note(1).by(&ada)), 413, "quota_exceeded");
    assert_eq!(objects(&folder), kept, "what is refused is not stored either");
}

fn a_repeated_upload_needs_no_room(store: Store) {
    let server = store.with(&SETTINGS);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let whole = note(1000).by(&ada).key("upload-1");
    let made = client.call(&whole).ok(201);
    // Their addresses are signed at another time.
    assert_eq!(client.call(&whole).ok(201)["id"], made["id"]);
    refused(&client.call(&note(1).by(&ada).key("upload-2")), 413, "quota_exceeded");
    assert_eq!(usage(&mut client, &ada), used(1, 1000));
}

fn whoever_has_no_room_is_told_before_their_bytes_come(store: Store) {
    let server = store.with(&SETTINGS);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let waits = |request: Request| request.by(&ada).header("expect", "100-continue");
    let first = waits(note(1000));
    client.send(first.head().as_bytes()).expect("sent");
    assert_eq!(client.interim().expect("it may come"), 100);
    client.send(first.body()).expect("sent");
    client.answer("POST").expect("an answer").ok(201);

    let mut client = server.gateway();
    client.send(waits(note(1)).head().as_bytes()).expect("sent");
    let answer = client.answer("POST").expect("an answer");
    refused(&answer, 413, "quota_exceeded");
    assert_eq!(answer.json()["detail"], "you have stored 1000 of 1000 bytes in 1 of 4 files: remove files that you do not need");
}
