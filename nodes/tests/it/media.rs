//! Files, as those who send and see them notice: the images of `images/tests/corpus` and whatever else people upload.

use crate::{
    http::{Answer, Client, Person, Request, delete, get, items, text},
    refusal::refused,
    server::{Server, eventually},
    store::{Store, on_both_stores},
};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::Command,
};

on_both_stores! {
    defect_01_an_image_has_all_of_its_sizes_when_its_upload_is_answered,
    private_files_are_for_their_owner_and_by_signed_addresses,
    the_same_content_is_kept_once_and_goes_with_its_last_file,
    images_that_a_killed_process_left_are_made_by_the_next_one,
    galleries_are_paged_and_show_what_their_viewers_may_see,
    what_moderators_hide_is_shown_to_nobody,
}

const BOUNDARY: &str = "a-boundary";

/// An upload of a file by that name.
pub fn upload(name: &str, content: &[u8], visibility: &str) -> Request {
    let head =
        format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"file\"; filename=\"{name}\"\r\nContent-Type: image/jpeg\r\n\r\n");
    let rest = format!("\r\n--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"visibility\"\r\n\r\n{visibility}\r\n--{BOUNDARY}--\r\n");
    let body = [head.as_bytes(), content, rest.as_bytes()].concat();
    Request::new("POST", "/api/media/upload").text(&format!("multipart/form-data; boundary={BOUNDARY}"), body)
}

/// A small file that everybody may see, another one each time.
pub fn note() -> Request {
    upload("note.txt", uuid::Uuid::now_v7().to_string().as_bytes(), "public")
}

pub fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../images/tests/corpus").join(name)
}

pub fn image(name: &str) -> Vec<u8> {
    std::fs::read(corpus(name)).expect("a file of the corpus")
}

/// What an address leads to: the gateway's own paths follow its origin.
#[track_caller]
pub fn follow(client: &mut Client, address: &Value) -> Answer {
    client.call(&get(path_of(address)))
}

#[track_caller]
pub fn path_of(address: &Value) -> String {
    let address = text(address);
    format!("/{}", address.splitn(4, '/').nth(3).expect("an absolute address"))
}

/// Files below a folder.
pub fn objects(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths.flat_map(|path| if path.is_dir() { objects(&path) } else { vec![path] }).collect()
}

fn defect_01_an_image_has_all_of_its_sizes_when_its_upload_is_answered(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    // Turned by a quarter, by what EXIF says; and a comment that says where it was taken.
    let mut photo = image("exif6_small.jpg");
    let secret = b"taken at the secret place";
    let comment = [&[0xFF, 0xFE, 0, u8::try_from(secret.len() + 2).expect("short")], &secret[..]].concat();
    photo.splice(2..2, comment);
    for (name, content) in [("beach.jpg", photo), ("anim.gif", image("anim.gif")), ("alpha.png", image("alpha_palette.png"))] {
        let answer = client.call(&upload(name, &content, "public").by(&ada));
        let file = answer.ok(201);
        assert_eq!((&file["status"], &file["type"], &file["originalName"]), (&json!("ready"), &json!("image"), &json!(name)), "{file}");
        assert!(text(&file["blurPlaceholder"]).starts_with("data:image/webp;base64,") && file["dominantColor"]["r"].is_u64(), "{file}");
        assert!(answer.header("location").is_some_and(|location| location.ends_with(&text(&file["id"]))), "{answer}");

        let own = follow(&mut client, &file["url"]);
        let shown = images::inspect(&own.body, &images::Limits::default()).expect("it is an image");
        let (width, height) = shown.upright_size();
        assert_eq!((file["metadata"]["width"].as_u64(), file["metadata"]["height"].as_u64()), (Some(width.into()), Some(height.into())));
        assert!(
            own.body.len() <= content.len() && !own.body.windows(secret.len()).any(|part| part == secret),
            "{name} tells where it was taken"
        );
        let optimized = follow(&mut client, &file["optimizedUrl"]);
        assert!(optimized.status == 200 && optimized.body.len() <= own.body.len(), "{name}: the optimised file is larger");
        for (size, side) in [("thumbnail", 150), ("small", 400), ("medium", 800), ("large", 1920)] {
            let variant = follow(&mut client, &file["responsiveSizes"][size]);
            assert_eq!((variant.status, variant.header("content-type")), (200, Some("image/webp")), "{name} {size}");
            let made = images::inspect(&variant.body, &images::Limits::default()).expect("it is an image");
            let expected = side.min(width.max(height));
            assert_eq!(made.width.max(made.height), expected, "{name} {size}");
            assert_eq!(made.width > made.height, width > height, "{name} {size} stands upright");
        }
        assert_eq!(file["thumbnailUrl"], file["responsiveSizes"]["thumbnail"]);
        let again = client.call(&get(format!("/api/media/files/id/{}", text(&file["id"])))).ok(200);
        assert_eq!(again, file, "it is what the upload was answered");
    }
}

/// The status and the body that a command of curl is answered.
pub fn curl(arguments: &[&str]) -> (String, Value) {
    let done = Command::new("curl").args(["-sS", "-w", "\n%{http_code}"]).args(arguments).output().expect("curl is installed");
    let said = String::from_utf8(done.stdout).expect("text");
    let (body, status) = said.rsplit_once('\n').expect("a status");
    (status.to_owned(), serde_json::from_str::<Value>(body).unwrap_or_default())
}

#[test]
fn the_former_systems_own_commands_work_as_they_stand() {
    let server = Server::start();
    let ada = server.gateway().register("ada");
    let origin = format!("http://{}", server.addr("media"));
    for path in ["/health", "/health/ready", "/metrics", "/public/files"] {
        assert_eq!(curl(&[&format!("{origin}{path}")]).0, "200", "{path}");
    }
    let (authorization, file) =
        (format!("authorization: Bearer {}", ada.token), format!("file=@{}", corpus("progressive_444.jpg").display()));
    let upload = format!("{origin}/upload");
    let (status, file) =
        curl(&["-X", "POST", &upload, "-F", &file, "-F", "userId=user-id", "-F", "visibility=public", "-H", &authorization]);
    assert_eq!((status.as_str(), &file["status"]), ("201", &json!("ready")), "{file}");
    let (_, listed) = curl(&[&format!("{origin}/public/files")]);
    assert_eq!(items(&listed), &[file]);
}

#[test]
fn an_upload_need_not_be_waited_for() {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let photo = upload("photo.jpg", &image("progressive_444.jpg"), "public").by(&ada);
    let answer = client.call(&photo.header("prefer", "respond-async"));
    let file = answer.ok(202);
    assert_eq!(
        (&file["status"], &file["optimizedUrl"], answer.header("retry-after")),
        (&json!("pending"), &Value::Null, Some("1")),
        "{file}"
    );
    assert_eq!(follow(&mut client, &file["url"]).status, 200, "the file itself is there");
    let place = path_of(&json!(answer.header("location").expect("a place to look")));
    eventually("its variants are there", || client.call(&get(place.clone())).ok(200)["status"] == "ready");
    let file = client.call(&get(place)).ok(200);
    assert_eq!(follow(&mut client, &file["responsiveSizes"]["large"]).status, 200);
}

fn private_files_are_for_their_owner_and_by_signed_addresses(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    let file = client.call(&upload("diary.png", &image("alpha_palette.png"), "private").by(&ada)).ok(201);
    let place = format!("/api/media/files/id/{}", text(&file["id"]));
    assert_eq!(client.call(&get(place.clone()).by(&ada)).header("cache-control"), Some("no-store"));
    for request in [get(place.clone()), get(place.clone()).by(&bob), delete(format!("/api/media/files/{}", text(&file["id"]))).by(&bob)] {
        refused(&client.call(&request), 404, "not_found");
    }
    for address in [&file["url"], &file["optimizedUrl"], &file["responsiveSizes"]["small"]] {
        let signed = follow(&mut client, address);
        assert_eq!((signed.status, signed.header("cache-control")), (200, Some("private, no-store")), "{address}");
        let path = path_of(address);
        let (bare, query) = path.split_once('?').expect("it is signed");
        for unsigned in
            [bare.to_owned(), format!("{path}x"), format!("{}?{query}", bare.replace("small", "large").replace("original", "thumbnail"))]
        {
            if unsigned != path {
                refused(&client.call(&get(unsigned)), 404, "not_found");
            }
        }
    }
    let patch = |visibility: &str| {
        Request::new("PATCH", format!("/api/media/files/{}", text(&file["id"]))).json(&json!({ "visibility": visibility }))
    };
    refused(&client.call(&patch("public").by(&bob)), 404, "not_found");
    let shown = client.call(&patch("public").by(&ada)).ok(200);
    let open = follow(&mut client, &shown["url"]);
    assert_eq!((open.status, open.header("cache-control")), (200, Some("public, max-age=31536000, immutable")));
    assert!(!text(&shown["url"]).contains("signature") && items(&client.call(&get("/api/media/public/files")).ok(200)).len() == 1);
    client.call(&patch("private").by(&ada)).ok(200);
    refused(&follow(&mut client, &shown["url"]), 404, "not_found");
    assert_eq!(items(&client.call(&get("/api/media/public/files")).ok(200)).len(), 0);
}

fn the_same_content_is_kept_once_and_goes_with_its_last_file(store: Store) {
    let server = store.with(&["media.unused_kept_s=1"]);
    let folder = server.data.path().join("data/media");
    let mut client = server.gateway();
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    let photo = image("exif1_small.jpg");
    let one = client.call(&upload("one.jpg", &photo, "public").by(&ada)).ok(201);
    let kept = objects(&folder);
    assert!((5..=6).contains(&kept.len()), "the original, four sizes, and the full size unless that is larger: {kept:?}");
    let other = client.call(&upload("other.jpg", &photo, "public").by(&bob)).ok(201);
    assert_eq!((&other["contentHash"], &other["url"]), (&one["contentHash"], &one["url"]));
    assert_ne!(one["id"], other["id"]);
    assert_eq!(objects(&folder), kept, "once");

    client.call(&delete(format!("/api/media/files/{}", text(&one["id"]))).by(&ada)).ok(204);
    assert_eq!(follow(&mut client, &one["thumbnailUrl"]).status, 200, "the other file has it");
    client.call(&delete(format!("/api/media/files/{}", text(&other["id"]))).by(&bob)).ok(204);
    refused(&follow(&mut client, &one["thumbnailUrl"]), 404, "not_found");
    refused(&client.call(&get(format!("/api/media/files/id/{}", text(&other["id"]))).by(&bob)), 404, "not_found");
    eventually("nothing of it is kept", || objects(&folder).is_empty());

    let back = client.call(&upload("back.jpg", &photo, "public").by(&ada)).ok(201);
    assert_eq!(back["contentHash"], one["contentHash"]);
    assert_eq!(follow(&mut client, &back["responsiveSizes"]["large"]).status, 200);
}

fn images_that_a_killed_process_left_are_made_by_the_next_one(store: Store) {
    let server = store.with(&["media.workers=1"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let photos = ["progressive_444.jpg", "rgb16.png", "chelsea_icc.png", "displayp3.jpg", "rocket_444_icc.jpg", "2MP.webp", "cmyk_icc.jpg"];
    let uploads = photos.map(|name| upload(name, &image(name), "public").by(&ada).header("prefer", "respond-async"));
    let ids: Vec<_> = uploads.iter().map(|upload| text(&client.call(upload).ok(202)["id"])).collect();
    let server = Server::on(server.kill(), &[]);
    let mut client = server.gateway();
    let list = format!("/api/media/files/{}?limit=100", ada.id);
    eventually("all of them are ready", || {
        items(&client.call(&get(list.clone()).by(&ada)).ok(200)).iter().all(|file| file["status"] == "ready")
    });
    let files = client.call(&get(list).by(&ada)).ok(200);
    let mut known: Vec<_> = items(&files).iter().map(|file| text(&file["id"])).collect();
    known.reverse();
    assert_eq!(known, ids, "each of them once");
    for file in items(&files) {
        for address in file["responsiveSizes"].as_object().expect("sizes").values().chain([&file["optimizedUrl"]]) {
            assert_eq!(follow(&mut client, address).status, 200, "{file}");
        }
    }
}

fn galleries_are_paged_and_show_what_their_viewers_may_see(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    let mut ids = Vec::new();
    for number in 0..7 {
        let visibility = if number % 3 == 1 { "private" } else { "public" };
        let file = client.call(&upload("note.txt", format!("note {number}").as_bytes(), visibility).by(&ada)).ok(201);
        ids.push((text(&file["id"]), visibility));
    }
    ids.reverse();
    let all: Vec<_> = ids.iter().map(|(id, _)| id.clone()).collect();
    let public: Vec<_> = ids.iter().filter(|(_, visibility)| *visibility == "public").map(|(id, _)| id.clone()).collect();
    let own = format!("/api/media/files/{}?limit=2", ada.id);
    assert_eq!(client.walk(Some(&ada), &own).0, all);
    assert_eq!(client.walk(Some(&bob), &own).0, public);
    assert_eq!(client.walk(None, "/api/media/public/files?limit=2").0, public);
    client.call(&Request::new("PUT", format!("/api/user/users/{}/block", bob.id)).by(&ada)).ok(200);
    assert_eq!(client.walk(Some(&bob), &own).0, [] as [String; 0], "between them is a block");
}

fn what_moderators_hide_is_shown_to_nobody(store: Store) {
    let server = store.start();
    let mut client = server.gateway();
    let [ada, bob, meg] = ["ada", "bob", "meg"].map(|name| client.register(name));
    let server = crate::rank::promoted(server, &[(&meg, protocol::Role::Moderator)], &[]);
    let mut client = server.gateway();
    let file = client.call(&upload("photo.png", &image("alpha_palette.png"), "public").by(&ada)).ok(201);
    let id = text(&file["id"]);
    let flag = json!({ "targetType": "file", "targetId": id, "reason": "nudity" });
    client.call(&crate::http::post("/api/user/moderation/flags", flag).by(&bob)).ok(201);
    let decide =
        |action: &str| crate::http::post(format!("/api/user/moderation/cases/{id}/decision"), json!({ "action": action })).by(&meg);
    client.call(&decide("hide")).ok(200);
    refused(&client.call(&get(format!("/api/media/files/id/{id}")).by(&bob)), 404, "not_found");
    refused(&follow(&mut client, &file["url"]), 404, "not_found");
    assert_eq!(items(&client.call(&get("/api/media/public/files")).ok(200)).len(), 0);
    let own = client.call(&get(format!("/api/media/files/id/{id}")).by(&ada)).ok(200);
    assert_eq!(own["hidden"], true);
    client.call(&decide("restore")).ok(200);
    assert_eq!(follow(&mut client, &file["url"]).status, 200);
}

#[test]
fn bytes_are_served_in_parts_and_in_the_form_that_clients_take() {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    let file = client.call(&upload("photo.jpg", &image("progressive_444.jpg"), "public").by(&ada)).ok(201);
    let path = path_of(&file["url"]);
    let whole = client.call(&get(path.clone()));
    assert_eq!((whole.header("content-type"), whole.header("accept-ranges")), (Some("image/jpeg"), Some("bytes")));
    let part = client.call(&get(path.clone()).header("range", "bytes=10-19"));
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[10..20]));
    assert_eq!(part.header("content-range"), Some(&*format!("bytes 10-19/{}", whole.body.len())));
    let rest = client.call(&get(path.clone()).header("range", "bytes=-5").header("if-range", &whole.etag()));
    assert_eq!((rest.status, &rest.body[..]), (206, &whole.body[whole.body.len() - 5..]));
    assert_eq!(client.call(&get(path.clone()).header("range", "bytes=-5").header("if-range", "\"other\"")).body, whole.body);
    refused(&client.call(&get(path.clone()).header("range", "bytes=99999999-")), 416, "range_not_satisfiable");
    assert_eq!(client.call(&get(path.clone()).header("if-none-match", &whole.etag())).status, 304);
    let head = client.call(&get(path).method("HEAD"));
    assert_eq!((head.status, head.header("content-length")), (200, Some(&*whole.body.len().to_string())));

    let small = path_of(&file["responsiveSizes"]["small"]);
    let stem = small.strip_suffix(".webp").expect("WebP by default");
    let is = |answer: &Answer, mime: &str| {
        let format = images::inspect(&answer.body, &images::Limits::default()).map(|image| image.format.mime());
        answer.status == 200 && answer.header("content-type") == Some(mime) && format == Ok(mime)
    };
    for (extension, mime) in [("jpeg", "image/jpeg"), ("png", "image/png"), ("avif", "image/avif"), ("webp", "image/webp")] {
        let first = client.call(&get(format!("{stem}.{extension}")));
        assert!(is(&first, mime), "{extension}: {}", first.status);
        assert_eq!(client.call(&get(format!("{stem}.{extension}"))).body, first.body);
    }
    for (accept, mime) in
        [("image/avif,image/webp,*/*", "image/webp"), ("image/jpeg,image/png;q=0.5", "image/jpeg"), ("image/png", "image/png")]
    {
        let negotiated = client.call(&get(stem.to_owned()).header("accept", accept));
        assert!(is(&negotiated, mime) && negotiated.header("vary").is_some_and(|vary| vary.contains("accept")), "{accept}");
    }
    for unknown in ["huge.webp", "small.gif", "original.png", "original"] {
        let (base, _) = small.rsplit_once('/').expect("a path");
        refused(&client.call(&get(format!("{base}/{unknown}"))), 404, "not_found");
    }
}

#[test]
fn what_is_no_image_is_kept_and_never_run() {
    let server = Server::start();
    let mut client = server.gateway();
    let ada = client.register("ada");
    for (name, content, class, mime) in [
        ("page.jpg", &b"<!DOCTYPE html><script>alert(1)</script>"[..], "other", "application/octet-stream"),
        ("picture.svg", b"<?xml version=\"1.0\"?><svg onload=\"alert(1)\"/>", "other", "application/octet-stream"),
        ("paper.txt", b"%PDF-1.7\n", "document", "application/pdf"),
        ("nothing", b"", "other", "application/octet-stream"),
    ] {
        let file = client.call(&upload(name, content, "public").by(&ada)).ok(201);
        assert_eq!((&file["type"], &file["mimeType"], &file["thumbnailUrl"]), (&json!(class), &json!(mime), &Value::Null), "{file}");
        let served = follow(&mut client, &file["url"]);
        assert_eq!((served.status, &served.body[..], served.header("content-type")), (200, content, Some(mime)), "{name}");
        let harmless = (served.header("content-disposition"), served.header("x-content-type-options"));
        assert_eq!(harmless, (Some("attachment"), Some("nosniff")), "{name}");
    }
}

#[test]
fn hostile_files_are_refused_and_leave_nothing() {
    let server = Server::with(&["media.upload_bytes_max=2MiB"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let mut cut = image("rgb16.png");
    cut.truncate(cut.len() / 2);
    for (name, content) in [("bomb_40000.png", image("bomb_40000.png")), ("truncated.jpg", image("truncated.jpg")), ("cut.png", cut)] {
        refused(&client.call(&upload(name, &content, "public").by(&ada)), 422, "bad_image");
    }
    let mut harmed = image("exif1_small.jpg");
    let middle = harmed.len() / 2;
    harmed[middle..].fill(0);
    let harmed = client.call(&upload("harmed.jpg", &harmed, "public").by(&ada));
    assert!(matches!(harmed.status, 201 | 422), "{harmed}");
    let large = vec![7; (2 << 20) + 1];
    refused(&client.call(&upload("large.bin", &large, "public").by(&ada)), 413, "body_too_large");
    let named = Request::new("POST", "/api/media/upload");
    refused(&client.call(&named.clone().json(&json!({})).by(&ada)), 415, "unsupported_media_type");
    refused(&client.call(&named.clone().text("multipart/form-data; boundary=x", "--x--\r\n").by(&ada)), 400, "malformed_body");
    refused(&client.call(&named.text("multipart/form-data", "--x--\r\n").by(&ada)), 400, "malformed_body");
    refused(&client.call(&upload("photo.jpg", &image("exif1_small.jpg"), "friends").by(&ada)), 400, "invalid_field");
    let kept = client.call(&get(format!("/api/media/files/{}", ada.id)).by(&ada)).ok(200);
    assert!(items(&kept).iter().all(|file| file["originalName"] == "harmed.jpg"), "{kept}");
    assert_eq!(objects(&server.data.path().join("data/spool")), [] as [PathBuf; 0]);
    client.call(&upload("fine.jpg", &image("exif1_small.jpg"), "public").by(&ada)).ok(201);
}

#[test]
fn an_upload_that_is_repeated_is_one_file() {
    let server = Server::start();
    let mut client = server.gateway();
    let [ada, bob] = ["ada", "bob"].map(|name| client.register(name));
    let photo = || upload("photo.jpg", &image("exif1_small.jpg"), "public").by(&ada).key("upload-1");
    let first = client.call(&photo()).ok(201);
    assert_eq!(client.call(&photo()).ok(201), first);
    refused(&client.call(&upload("photo.jpg", &image("exif1_small.jpg"), "private").by(&ada).key("upload-1")), 422, "idempotency_mismatch");
    assert_eq!(client.walk(Some(&ada), &format!("/api/media/files/{}?limit=5", ada.id)).0, [text(&first["id"])]);

    let named = |person: &Person| {
        let body = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"userId\"\r\n\r\n{}\r\n", person.id);
        let whole = String::from_utf8(upload("a.txt", b"hello", "public").body().to_vec()).expect("text");
        Request::new("POST", "/api/media/upload").text(&format!("multipart/form-data; boundary={BOUNDARY}"), body + &whole)
    };
    refused(&client.call(&named(&bob).by(&ada)), 403, "forbidden");
    assert_eq!(client.call(&named(&ada).by(&ada)).ok(201)["userId"], ada.id.as_str());
}

#[test]
fn while_object_storage_is_away_nothing_is_half_kept_and_the_rest_goes_on() {
    // Nobody listens there.
    let server = Server::with(&["media.storage_url=http://key:secret@127.0.0.1:1/media", "media.storage_timeout_ms=300"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let answer = client.call(&upload("photo.jpg", &image("exif1_small.jpg"), "public").by(&ada));
    refused(&answer, 503, "unavailable");
    let kept = client.call(&get(format!("/api/media/files/{}", ada.id)).by(&ada)).ok(200);
    assert_eq!(items(&kept).len(), 0, "{kept}");
    eventually("readiness says so", || {
        let ready = client.call(&get("/health/ready")).ok(200);
        ready["status"] == "degraded" && ready["checks"]["object_storage"]["healthy"] == false
    });
    client.call(&crate::http::post("/api/content/posts", json!({ "content": "all else goes on" })).by(&ada)).ok(201);
}
