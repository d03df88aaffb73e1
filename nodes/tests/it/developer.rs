//! What works on a developer's own machine (`--dev`), and what does not even there.

use crate::{
    http::{get, items, post, text},
    media::{corpus, curl},
    refusal::refused,
    server::Server,
};
use serde_json::{Value, json};

/// The commands that former clients' documents show, each with its service's own listener.
#[test]
fn former_clients_documents_work_as_they_stand() {
    let server = Server::with(&["node.dev=true"]);
    let at = |listener: &str, path: &str| format!("http://{}{path}", server.addr(listener));
    for listener in ["gateway", "user", "content", "media", "shop"] {
        for path in ["/health", "/health/ready", "/metrics"] {
            assert_eq!(curl(&[&at(listener, path)]).0, "200", "{listener} {path}");
        }
    }
    for service in ["users", "content", "media", "shop"] {
        assert_eq!(curl(&[&at("gateway", &format!("/api/{service}/health"))]).0, "200", "{service}");
    }
    assert_eq!(curl(&[&at("media", "/public/files")]), ("200".to_owned(), json!({"items": [], "nextCursor": null})));
    let upload = |name: &str| {
        let file = format!("file=@{}", corpus(name).display());
        curl(&["-X", "POST", &at("media", "/upload"), "-F", &file, "-F", "userId=user-id", "-F", "visibility=public"])
    };
    let ((status, one), (_, other)) = (upload("exif1_small.jpg"), upload("alpha_palette.png"));
    assert_eq!((status.as_str(), &one["status"], &one["userId"]), ("201", &json!("ready"), &other["userId"]), "{one} {other}");
    assert_eq!(items(&curl(&[&at("media", "/public/files")]).1), &[other, one.clone()]);
    let demo = server.gateway().call(&get(format!("/api/user/profile/{}", text(&one["userId"])))).ok(200);
    assert_eq!(demo["username"], "demo");
}

#[test]
fn without_a_session_nothing_but_that_works_and_only_there() {
    let server = Server::with(&["node.dev=true"]);
    let mut client = server.gateway();
    let ada = client.register("ada");
    let origin = format!("http://{}", server.addr("media"));
    let (upload, file) = (format!("{origin}/upload"), format!("file=@{}", corpus("gray.jpg").display()));
    let code = |more: &[&str]| {
        let (status, body) = curl(&[&["-X", "POST", upload.as_str(), "-F", file.as_str()][..], more].concat());
        (status, body["code"].clone(), body)
    };
    let is = |(status, code, _): &(String, Value, Value), expected: (&str, &str)| {
        (status.as_str(), code.as_str()) == (expected.0, Some(expected.1))
    };
    let named = format!("userId={}", ada.id);
    for (what, more, expected) in [
        ("in another's name", ["-F", &named], ("403", "forbidden")),
        ("by a page of another site", ["-H", "Origin: https://elsewhere.example"], ("403", "cross_site")),
        ("with a session that is none", ["-H", "Authorization: Bearer nonsense"], ("401", "unauthenticated")),
    ] {
        let answer = code(&more);
        assert!(is(&answer, expected), "{what}: {answer:?}");
    }
    let (status, _, made) = code(&[]);
    assert_eq!(status, "201", "{made}");
    refused(&client.call(&crate::http::delete(format!("/api/media/files/{}", text(&made["id"])))), 401, "unauthenticated");
    refused(&client.call(&post("/api/content/posts", json!({ "content": "hello" }))), 401, "unauthenticated");
    let demo = json!({ "username": "demo", "email": "demo@example.org", "password": "a long password" });
    refused(&client.call(&post("/api/user/register", demo)), 409, "username_taken");

    let strict = Server::start();
    let upload = format!("http://{}/upload", strict.addr("media"));
    let (status, body) = curl(&["-X", "POST", &upload, "-F", &file, "-F", "userId=user-id", "-F", "visibility=public"]);
    assert_eq!((status.as_str(), &body["code"]), ("401", &json!("unauthenticated")));
}
