//! The front-end, as browsers get it from the gateway.

use crate::{
    http::{Answer, Client, Request, get},
    refusal::refused,
    server::Server,
};

/// Asks as a browser does that is about to show a page.
fn visit(path: &str) -> Request {
    get(path).header("accept", "text/html,application/xhtml+xml,*/*;q=0.8").header("accept-encoding", "identity")
}

/// A file that the page names, with an extension.
fn named(page: &Answer, extension: &str) -> String {
    let text = page.text();
    let mut names = text.split('"').filter(|word| word.starts_with("/assets/") && word.ends_with(extension));
    names.next_back().unwrap_or_else(|| panic!("the page names a {extension}: is Node.js there? {page}")).to_owned()
}

#[track_caller]
fn is_page(answer: &Answer, status: u16) {
    assert_eq!(answer.status, status, "{answer}");
    assert_eq!(answer.header("content-type"), Some("text/html; charset=utf-8"), "{answer}");
    assert_eq!(answer.header("cache-control"), Some("no-cache"), "{answer}");
    let policy = answer.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';"), "{policy}");
    assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"), "{policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("vary", "accept-encoding"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{answer}");
    }
}

#[test]
fn each_screen_begins_with_the_page_and_what_is_no_screen_is_not_found() {
    let server = Server::start();
    let mut client = server.gateway();
    for path in ["/", "/media", "/people/01a218b8-a8f8-762a-9ea8-127f664ff49e/followers", "/reset-password", "/?utm_source=x"] {
        is_page(&client.call(&visit(path)), 200);
        // Whoever does not say what they read gets it as well.
        is_page(&client.call(&get(path)), 200);
    }
    let head = client.call(&visit("/").method("HEAD"));
    is_page(&head, 200);
    assert!(head.body.is_empty());
    // A reader is told by the page, a program by a problem; what belongs to others is never the page.
    is_page(&client.call(&visit("/no/such/screen")), 404);
    for path in
        ["/api", "/api/nothing", "/api/user/nothing", "/docs/nothing", "/health/nothing", "/assets/nothing-12345678.js", "/robots.txt"]
    {
        refused(&client.call(&visit(path)), 404, "unknown_route");
    }
    refused(&client.call(&get("/no/such/screen")), 404, "unknown_route");
    let post = client.call(&Request::new("POST", "/"));
    refused(&post, 405, "method_not_allowed");
    assert_eq!(post.header("allow"), Some("GET, HEAD"));
    client.call(&visit("/health/ready")).ok(200);
    assert_eq!(client.call(&visit("/docs")).status, 200);
    assert!(client.call(&visit("/openapi.json")).ok(200)["openapi"].is_string());
    // The services' own ports and operators' have none of it.
    for listener in ["user", "admin"] {
        refused(&server.client(listener).call(&visit("/media")), 404, "unknown_route");
    }
}

#[test]
fn the_page_is_asked_for_again_and_costs_nothing_while_it_is_the_same() {
    let server = Server::start();
    let mut client = server.gateway();
    let tag = |client: &mut Client, encoding: &str| {
        let answer = client.call(&get("/").header("accept-encoding", encoding));
        answer.header("etag").map(str::to_owned).unwrap_or_else(|| panic!("{answer}"))
    };
    let (plain, brotli) = (tag(&mut client, "identity"), tag(&mut client, "br"));
    assert_ne!(plain, brotli, "two encodings are two things to caches");
    let again = client.call(&get("/").header("accept-encoding", "br").header("if-none-match", &brotli));
    assert_eq!((again.status, again.body.len()), (304, 0), "{again}");
    assert_eq!(again.header("etag"), Some(brotli.as_str()));
    is_page(&client.call(&visit("/").header("if-none-match", "\"another\"")), 200);
}

#[test]
fn files_are_kept_for_ever_and_come_compressed() {
    let server = Server::start();
    let mut client = server.gateway();
    let page = client.call(&visit("/"));
    for (extension, media_type) in [(".js", "text/javascript; charset=utf-8"), (".css", "text/css; charset=utf-8")] {
        let path = named(&page, extension);
        let plain = client.call(&visit(&path));
        assert_eq!((plain.status, plain.header("content-encoding")), (200, None), "{plain}");
        for encoding in ["br", "gzip"] {
            let answer = client.call(&get(path.clone()).header("accept-encoding", encoding));
            assert_eq!((answer.status, answer.header("content-encoding")), (200, Some(encoding)), "{answer}");
            assert_eq!(answer.header("content-type"), Some(media_type));
            assert_eq!(answer.header("vary"), Some("accept-encoding"));
            assert_eq!(answer.header("cache-control"), Some("public, max-age=31536000, immutable"));
            assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
            assert!(answer.body.len() * 2 < plain.body.len(), "{path} by {encoding}: {} of {}", answer.body.len(), plain.body.len());
        }
        let head = client.call(&get(path).method("HEAD"));
        assert_eq!((head.status, head.body.len()), (200, 0));
    }
    let icon = client.call(&visit("/icon.svg"));
    assert_eq!((icon.status, icon.header("content-type"), icon.header("cache-control")), (200, Some("image/svg+xml"), Some("no-cache")));
}
