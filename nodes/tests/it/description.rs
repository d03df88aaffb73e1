//! The API's description, and the page that shows it.

use crate::{http::get, server::Server};
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

#[test]
fn the_description_is_served_on_every_port_and_names_what_is_there() {
    let server = Server::start();
    let answer = server.gateway().call(&get("/openapi.json"));
    let document = answer.ok(200);
    assert_eq!(document["openapi"], "3.1.0");
    assert!(document["paths"]["/api/user/profile/{userId}"]["get"].is_object(), "{document}");
    let again = get("/openapi.json").header("if-none-match", &answer.etag());
    assert_eq!(server.gateway().call(&again).status, 304);
    let of_shop = server.client("shop").call(&get("/openapi.json")).ok(200);
    assert!(of_shop["paths"]["/orders"]["post"].is_object() && of_shop["paths"]["/posts"].is_null(), "{of_shop}");
    assert_eq!(server.gateway().call(&get("/api/shop/openapi.json")).ok(200), of_shop);
    assert_eq!(server.client("admin").call(&get("/openapi.json")).status, 404);
}

/// A browser runs and applies only what the policy names: the page's own script and style, byte for byte.
#[test]
fn the_page_may_do_no_more_than_show_the_description() {
    let server = Server::start();
    let page = server.gateway().call(&get("/docs"));
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/html; charset=utf-8")));
    let (text, policy) = (page.text(), page.header("content-security-policy").expect("a policy").to_owned());
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let (_, rest) = text.split_once(&format!("<{tag}>")).expect("one");
        let (content, _) = rest.split_once(&format!("</{tag}>")).expect("one");
        let hash = STANDARD.encode(Sha256::digest(content));
        assert!(policy.contains(&format!("{directive} 'sha256-{hash}';")), "{policy}");
    }
    assert!(policy.starts_with("default-src 'none';") && policy.contains("connect-src 'self'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}
