//! Files whose bytes are in a bucket of S3, which is there, away, slow, or another's; and what nodes of a cluster make of them together.

use crate::{
    cluster::Cluster,
    http::{Client, get, items, post, text},
    media::{follow, image, path_of, upload},
    refusal::refused,
    server::{Server, eventually},
};
use image::{ImageFormat, RgbImage};
use serde_json::{Value, json};
use std::{io::Cursor, sync::mpsc, thread};
use testbed::s3;

/// The settings of a server whose bucket this is.
fn on(bucket: &str) -> [String; 2] {
    // Less than the default, for what is not there; longer than a busy machine takes.
    [format!("media.storage_url={bucket}"), "media.storage_timeout_ms=2000".to_owned()]
}

fn server(bucket: &str) -> Server {
    Server::with(&on(bucket).each_ref().map(String::as_str))
}

/// An image that no other number has.
fn picture(number: u8) -> Vec<u8> {
    let pixel =
        |x: u32, y: u32| image::Rgb([x, y, x * y / 64 + u32::from(number) * 5].map(|part| u8::try_from(part % 256).expect("a byte")));
    let mut file = Cursor::new(Vec::new());
    RgbImage::from_fn(320, 240, pixel).write_to(&mut file, ImageFormat::Png).expect("it is written");
    file.into_inner()
}

#[test]
fn a_bucket_holds_what_is_uploaded_for_as_long_as_somebody_has_it() {
    let storage = s3::Server::own();
    let [url, timeout] = on(&storage.bucket("media"));
    let server = Server::with(&[&url, &timeout, "media.unused_kept_s=1"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let photo = client.call(&upload("photo.jpg", &image("progressive_444.jpg"), "public").by(&ada)).ok(201);
    let sizes = photo["responsiveSizes"].as_object().expect("sizes");
    for address in sizes.values().chain([&photo["url"], &photo["optimizedUrl"]]) {
        assert_eq!(follow(&mut client, address).status, 200, "{address}");
    }
    // Several parts, of which each is a request.
    let film: Vec<u8> = (0..20_000_000_u32).map(|at| u8::try_from(at % 251).expect("a byte")).collect();
    let file = client.call(&upload("film.bin", &film, "public").by(&ada)).ok(201);
    assert!(follow(&mut client, &file["url"]).body == film, "what comes back is what was sent");
    let part = client.call(&get(path_of(&file["url"])).header("range", "bytes=15999990-16000009"));
    assert_eq!((part.status, &part.body[..]), (206, &film[15_999_990..16_000_010]));

    // What the platform forgot, the bucket forgets, and the same content can come back.
    let all = objects(&storage, "media");
    assert!((6..=7).contains(&all), "the photo, its sizes, and the film: {all}");
    let thumbnail = photo["thumbnailUrl"].clone();
    client.call(&crate::http::delete(format!("/api/media/files/{}", text(&photo["id"]))).by(&ada)).ok(204);
    refused(&follow(&mut client, &thumbnail), 404, "not_found");
    eventually("its bytes are removed", || objects(&storage, "media") == 1);
    let back = client.call(&upload("photo.jpg", &image("progressive_444.jpg"), "public").by(&ada)).ok(201);
    assert_eq!((&back["contentHash"], follow(&mut client, &back["thumbnailUrl"]).status), (&photo["contentHash"], 200));
}

/// How many objects there are in a folder, `bucket/path`.
fn objects(storage: &s3::Server, folder: &str) -> usize {
    let listed: Value = serde_json::from_str(&storage.listing(folder)).unwrap_or_default();
    let Some(entries) = listed["Entries"].as_array() else { return 0 };
    let count = |entry: &Value| {
        let is_folder = entry["Mode"].as_u64().is_some_and(|mode| mode >> 31 & 1 == 1);
        if is_folder { objects(storage, text(&entry["FullPath"]).trim_start_matches("/buckets/")) } else { 1 }
    };
    entries.iter().map(count).sum()
}

#[test]
fn a_bucket_that_is_gone_or_hangs_costs_uploads_only_and_nothing_is_half_kept() {
    let mut storage = s3::Server::new();
    let server = server(&storage.bucket_by("secret", "media"));
    let mut client = server.gateway();
    let ada = client.register("ada");
    let photo = |name: &str| upload(name, &image("exif1_small.jpg"), "public").by(&ada);
    let listed = |client: &mut Client| items(&client.call(&get(format!("/api/media/files/{}", ada.id)).by(&ada)).ok(200)).len();
    let is_degraded = |client: &mut Client| {
        let ready = client.call(&get("/health/ready")).ok(200);
        ready["status"] == "degraded" && ready["checks"]["object_storage"]["healthy"] == false
    };
    let post = post("/api/content/posts", json!({ "content": "all else goes on" })).by(&ada);

    refused(&client.call(&photo("gone.jpg")), 503, "unavailable");
    client.call(&post).ok(201);
    eventually("readiness says so", || is_degraded(&mut client));
    storage.start();
    storage.bucket("media");
    eventually("uploads are taken as soon as it is there", || client.call(&photo("there.jpg")).status == 201);
    eventually("readiness has nothing to say", || client.call(&get("/health/ready")).ok(200)["status"] == "healthy");
    let kept = listed(&mut client);

    storage.hang();
    refused(&client.call(&upload("hung.png", &picture(1), "public").by(&ada)), 503, "unavailable");
    client.call(&post).ok(201);
    assert_eq!(listed(&mut client), kept);
    eventually("readiness says so again", || is_degraded(&mut client));
    storage.go_on();
    let other = upload("back.png", &picture(2), "public").by(&ada);
    eventually("uploads are taken again", || client.call(&other).status == 201);
    let files = client.call(&get(format!("/api/media/files/{}", ada.id)).by(&ada)).ok(200);
    assert!(items(&files).len() > kept);
    for file in items(&files) {
        assert_eq!(follow(&mut client, &file["responsiveSizes"]["large"]).status, 200, "each file has its bytes: {file}");
    }
}

#[test]
fn a_bucket_that_refuses_is_said_to_and_keeps_nothing() {
    let storage = s3::Server::own();
    let server = server(&storage.bucket_by("another-secret", "media"));
    let mut client = server.gateway();
    let ada = client.register("ada");
    refused(&client.call(&upload("photo.jpg", &image("exif1_small.jpg"), "public").by(&ada)), 503, "unavailable");
    let mut said = Value::Null;
    eventually("readiness says so", || {
        said = client.call(&get("/health/ready")).ok(200);
        said["checks"]["object_storage"]["healthy"] == false
    });
    assert!(!said.to_string().contains("another-secret"), "{said}");
    assert_eq!(items(&client.call(&get(format!("/api/media/files/{}", ada.id)).by(&ada)).ok(200)).len(), 0);
}

/// Each node takes uploads, works on them and serves them, whichever of the two they came to; what the dead one had begun the other one ends.
#[test]
fn a_node_that_dies_amid_many_uploads_leaves_none_unfinished() {
    const UPLOADS: u8 = 50;
    let storage = s3::Server::own();
    let settings = on(&storage.bucket("media"));
    let mut cluster = Cluster::with(2, &[&settings[0], "media.workers=1", "media.uploads_max=64"]);
    let mut edges = cluster.edges();
    let ada = edges[0].register("ada");
    let send = |edge: &mut Client, number: u8| {
        let upload = upload(&format!("{number}.png"), &picture(number), "public").key(&format!("upload-{number}"));
        let answer = edge.try_call(&upload.by(&ada).header("prefer", "respond-async"));
        answer.is_ok_and(|answer| matches!(answer.status, 201 | 202))
    };
    let (mut to_staying, dying) = (cluster.nodes[0].gateway(), cluster.nodes.pop().expect("two nodes"));
    let (answered, answers) = mpsc::channel();
    // Half of them come to the node that dies, in the middle of which it does.
    let unanswered: Vec<u8> = thread::scope(|scope| {
        let mut to_dying = dying.gateway();
        let here = scope.spawn(move || (0..UPLOADS / 2).filter(|number| !send(&mut to_staying, *number)).collect::<Vec<_>>());
        let there = scope.spawn(move || {
            let is_lost = |number: &u8| {
                let is_taken = send(&mut to_dying, *number);
                let _ = answered.send(is_taken);
                !is_taken
            };
            (UPLOADS / 2..UPLOADS).filter(is_lost).collect::<Vec<_>>()
        });
        let before = answers.iter().take(usize::from(UPLOADS / 4)).filter(|is_taken| *is_taken).count();
        dying.kill();
        assert_eq!(before, usize::from(UPLOADS / 4), "it took them while it lived");
        here.join().expect("no panic").into_iter().chain(there.join().expect("no panic")).collect()
    });
    assert!(!unanswered.is_empty(), "it died before it had taken all");
    // Who had no answer asks again, elsewhere.
    for number in unanswered {
        eventually("it is taken", || send(&mut edges[0], number));
    }
    let list = format!("/api/media/files/{}?limit=100", ada.id);
    let mut files = Value::Null;
    eventually("all of them are ready", || {
        files = edges[0].call(&get(list.clone()).by(&ada)).ok(200);
        items(&files).len() == usize::from(UPLOADS) && items(&files).iter().all(|file| file["status"] == "ready")
    });
    let mut names: Vec<_> = items(&files).iter().map(|file| text(&file["originalName"])).collect();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), usize::from(UPLOADS), "each of them once");
    for address in items(&files).iter().flat_map(|file| file["responsiveSizes"].as_object().expect("sizes").values()) {
        assert_eq!(follow(&mut edges[0], address).status, 200, "{address}");
    }
}
