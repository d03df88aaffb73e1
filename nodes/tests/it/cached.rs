//! A cache in front of the platform: it answers what everybody may see without asking, and forgets it when it is not for everybody any more.

use crate::{
    cluster::Cluster,
    http::{Client, Request, delete, get, post, text},
    media::{image, path_of, upload},
    rank::promoted,
    server::{Server, eventually},
    store::Store,
};
use protocol::Role;
use serde_json::{Value, json};
use std::net::SocketAddr;
use testbed::varnish::Cache;

const TOKEN: &str = "a-token-of-the-tests";

/// As it ships, for a platform on this machine.
fn configuration(platform: SocketAddr) -> String {
    let shipped = include_str!("../../../deploy/cdn/varnish.vcl");
    let changed = shipped.replace("replace-this-token", TOKEN).replace("\"8000\"", &format!("\"{}\"", platform.port()));
    assert!(changed.contains(TOKEN) && changed.contains(&platform.port().to_string()));
    changed
}

fn setting(cache: &Cache) -> String {
    format!("media.cache_purge_url=http://{TOKEN}@{}/", cache.address())
}

/// What the cache answers: the status, and whether it asked nobody.
fn through(cache: &mut Client, address: &Value) -> (u16, bool) {
    let answer = cache.call(&get(path_of(address)));
    assert_eq!(answer.header("surrogate-key"), None, "that is between the two");
    (answer.status, answer.header("x-cache") == Some("hit"))
}

#[track_caller]
fn kept(cache: &mut Client, address: &Value) {
    assert_eq!(through(cache, address).0, 200);
    assert_eq!(through(cache, address), (200, true));
}

#[test]
fn what_is_removed_private_hidden_or_somebodys_who_is_banned_is_forgotten() {
    let mut cache = Cache::new();
    let server = Store::Postgres.with(&[&setting(&cache)]);
    let mut client = server.gateway();
    let [ada, bob, meg] = ["ada", "bob", "meg"].map(|name| client.register(name));
    let server = promoted(server, &[(&meg, Role::Moderator)], &[&setting(&cache)]);
    cache.start(&configuration(server.addr("gateway")));
    let (mut client, mut front) = (server.gateway(), Client::new(cache.address()));
    let mut file = |name: &str| client.call(&upload(name, &image(name), "public").by(&ada)).ok(201);
    let [removed, closed, hidden, banned] = ["exif1_small.jpg", "alpha_palette.png", "anim.gif", "progressive_444.jpg"].map(&mut file);
    for file in [&removed, &closed, &hidden, &banned] {
        kept(&mut front, &file["url"]);
        kept(&mut front, &file["responsiveSizes"]["small"]);
    }
    // The signed addresses of a private file are never kept.
    let diary = client.call(&upload("diary.jpg", &image("gray.jpg"), "private").by(&ada)).ok(201);
    assert_eq!([through(&mut front, &diary["url"]), through(&mut front, &diary["url"])], [(200, false); 2]);

    let id = |file: &Value| text(&file["id"]);
    let mut gone = |file: &Value| {
        eventually("it is forgotten", || {
            through(&mut front, &file["url"]).0 == 404 && through(&mut front, &file["responsiveSizes"]["small"]).0 == 404
        })
    };
    client.call(&delete(format!("/api/media/files/{}", id(&removed))).by(&ada)).ok(204);
    gone(&removed);
    client
        .call(&Request::new("PATCH", format!("/api/media/files/{}", id(&closed))).json(&json!({ "visibility": "private" })).by(&ada))
        .ok(200);
    gone(&closed);
    client
        .call(&post("/api/user/moderation/flags", json!({ "targetType": "file", "targetId": id(&hidden), "reason": "nudity" })).by(&bob))
        .ok(201);
    client.call(&post(format!("/api/user/moderation/cases/{}/decision", id(&hidden)), json!({ "action": "hide" })).by(&meg)).ok(200);
    gone(&hidden);
    kept(&mut front, &banned["url"]);
    server.data.databases.as_ref().expect("on PostgreSQL");
    let ban = json!({ "isActive": false, "reason": "spam" });
    client.call(&crate::http::put(format!("/api/user/users/{}/active", ada.id), ban).by(&meg)).ok(200);
    eventually("it is forgotten", || through(&mut front, &banned["url"]).0 == 404);
}

/// Whoever does not know the token cannot make the cache forget; and what it is to forget waits for it while it is away.
#[test]
fn only_the_platform_purges_and_a_cache_that_was_away_is_told() {
    let mut cache = Cache::new();
    let cluster = Cluster::with(2, &[&setting(&cache), "media.unused_kept_s=3600"]);
    let mut edges = cluster.edges();
    cache.start(&configuration(cluster.nodes[0].addr("gateway")));
    let mut front = Client::new(cache.address());
    let ada = edges[0].register("ada");
    let file = edges[0].call(&upload("photo.jpg", &image("exif1_small.jpg"), "public").by(&ada)).ok(201);
    kept(&mut front, &file["url"]);
    let purge = |token: &str| Request::new("PURGE", "/").header("surrogate-key", &text(&file["contentHash"])).token(token);
    assert_eq!(front.call(&purge("another token")).status, 403);
    kept(&mut front, &file["url"]);

    cache.stop();
    edges[1].call(&delete(format!("/api/media/files/{}", text(&file["id"]))).by(&ada)).ok(204);
    let told = |outcome: &str| -> u64 {
        let series = format!("media_cache_purges_total{{outcome=\"{outcome}\"}} ");
        let count = |server: &Server| {
            let metrics = server.client("admin").call(&get("/metrics")).text();
            metrics.lines().find_map(|line| line.strip_prefix(&*series)?.parse::<u64>().ok()).unwrap_or(0)
        };
        cluster.nodes.iter().map(count).sum()
    };
    eventually("nobody is there to be told", || told("failed") > 0);
    assert_eq!(told("done"), 0);
    cache.start(&configuration(cluster.nodes[0].addr("gateway")));
    eventually("it is told as soon as it is back", || told("done") == 1);
}
