//! The page that shows the description to people: one file, nothing loaded from elsewhere.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderValue, Response, header};
use sha2::{Digest, Sha256};

const PAGE: &str = include_str!("page.html");

/// The page. Its policy names its own style and script by their hashes, and lets it read the description, nothing else.
pub(crate) fn response() -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(PAGE.as_bytes()));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(policy) = HeaderValue::try_from(policy()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn policy() -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash(between("<style>", "</style>")),
        hash(between("<script>", "</script>"))
    )
}

/// What stands between two tags, byte for byte as browsers hash it.
fn between(begin: &str, end: &str) -> &'static str {
    PAGE.split_once(begin).and_then(|(_, rest)| rest.split_once(end)).map_or("", |(text, _)| text)
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_one_style_and_one_script_and_loads_nothing_else() {
        assert!(!between("<style>", "</style>").is_empty() && !between("<script>", "</script>").is_empty());
        assert_eq!((PAGE.matches("<style").count(), PAGE.matches("<script").count()), (1, 1));
        for elsewhere in ["http://", "https://", "src=", "<link", "style=", "onclick", "innerHTML", "@import", "url("] {
            assert!(!PAGE.contains(elsewhere), "{elsewhere}");
        }
    }
}
