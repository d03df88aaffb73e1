//! The front-end, at the gateway: its page for every screen, and its files, out of the binary.
//!
//! Files have a hash of their content in their names and may be kept for ever; the page names them, and is asked for again each time. All of it was compressed
//! when it was built.

use crate::{
    problem::{self, trace_id},
    respond::is_current,
};
use bytes::Bytes;
use foldhash::fast::FixedState;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use protocol::ErrorCode;
use std::hash::{BuildHasher, Hasher};
use web::Asset;

/// What the page may do: its own files and the API, pictures that it is about to send (`blob:`), blurs of others (`data:`). Nothing in it is inline.
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; media-src 'self'; connect-src 'self'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
/// No other site's window can reach into this one.
const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
/// What the page does not use, whoever manages to run something in it.
const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");

/// An address never means other bytes, so nobody need ask again.
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// It may be kept, and must be asked for: the next release is seen at the next visit.
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");

/// Answers what belongs to the front-end; `None` where something else has to.
///
/// A path that is nobody's is not found; to somebody who is about to read a page, that is said by the page.
pub(crate) fn answer(method: &Method, path: &str, request: &HeaderMap) -> Option<Response<Bytes>> {
    let (asset, status) = match web::find(path).filter(|_| path != web::page().path) {
        Some(asset) => (asset, StatusCode::OK),
        None if web::is_screen(path) => (web::page(), StatusCode::OK),
        None if reads_pages(request) && !is_others(path) => (web::page(), StatusCode::NOT_FOUND),
        None => return None,
    };
    if !matches!(*method, Method::GET | Method::HEAD) {
        if status != StatusCode::OK {
            return None;
        }
        let mut response = problem::response(&ErrorCode::MethodNotAllowed.into(), &trace_id(request));
        response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
        return Some(response);
    }
    Some(file(asset, status, request))
}

/// What the gateway has beside the front-end, and what looks like a file: that one is missing is no page's business.
fn is_others(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    matches!(first, "api" | "docs" | "health" | "metrics" | "assets") || path.rsplit('/').next().is_some_and(|last| last.contains('.'))
}

fn reads_pages(request: &HeaderMap) -> bool {
    let accepts = request.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|range| range.trim_start().starts_with("text/html"))
}

fn file(asset: &'static Asset, status: StatusCode, request: &HeaderMap) -> Response<Bytes> {
    let (encoding, bytes) = encoded(asset, request);
    let mut response = Response::new(Bytes::from_static(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.media_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
    }
    if asset.media_type.starts_with("text/html") {
        headers.insert(header::CONTENT_SECURITY_POLICY, PAGE_POLICY);
        headers.insert(OPENER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(PERMISSIONS_POLICY, HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"));
    }
    if asset.is_immutable() {
        headers.insert(header::CACHE_CONTROL, FOR_EVER);
        return response;
    }
    headers.insert(header::CACHE_CONTROL, ASK_AGAIN);
    let etag = etag(bytes);
    if let Ok(value) = HeaderValue::try_from(etag.as_str()) {
        headers.insert(header::ETAG, value);
    }
    if status == StatusCode::OK && is_current(request, etag.as_bytes()) {
        headers.remove(header::CONTENT_TYPE);
        headers.remove(header::CONTENT_ENCODING);
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        *response.body_mut() = Bytes::new();
    }
    response
}

/// Made of what is sent: two encodings of one page are two things to whoever keeps them (RFC 9110, 8.8.3). The page has less than 2 kB.
fn etag(bytes: &[u8]) -> String {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(bytes);
    format!("\"{:016x}\"", hasher.finish())
}

/// The smallest form that the client takes.
fn encoded(asset: &Asset, request: &HeaderMap) -> (Option<&'static str>, &'static [u8]) {
    let takes = |coding: &str| {
        let codings = request.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
        codings.flat_map(|value| value.split(',')).any(|entry| {
            let mut parts = entry.split(';').map(str::trim);
            let is_it = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
            // `q=0` says that it is not wanted (RFC 9110, 12.4.2).
            is_it && !parts.any(|part| part.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0)))
        })
    };
    match (asset.brotli, asset.gzip) {
        (Some(bytes), _) if takes("br") => (Some("br"), bytes),
        (_, Some(bytes)) if takes("gzip") => (Some("gzip"), bytes),
        _ => (None, asset.bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect()
    }

    #[test]
    fn the_smallest_form_that_is_taken_is_sent() {
        static ASSET: Asset =
            Asset { path: "/assets/a.js", media_type: "text/javascript", bytes: b"aaaa", brotli: Some(b"b"), gzip: Some(b"gg") };
        let sent = |accepts: &'static str| encoded(&ASSET, &headers(&[(header::ACCEPT_ENCODING, accepts)])).0;
        assert_eq!(sent("gzip, deflate, br, zstd"), Some("br"));
        assert_eq!(sent("gzip"), Some("gzip"));
        assert_eq!(sent("br;q=0, GZIP;q=0.5"), Some("gzip"));
        assert_eq!((sent("br;q=0"), sent("identity"), sent("brotli"), sent(";;,=")), (None, None, None, None));
        assert_eq!(encoded(&ASSET, &HeaderMap::new()), (None, &b"aaaa"[..]));
    }

    #[test]
    fn the_page_answers_for_screens_and_to_readers_and_for_nothing_of_others() {
        let reader = headers(&[(header::ACCEPT, "text/html,application/xhtml+xml,*/*;q=0.8")]);
        let status = |path: &str, request: &HeaderMap| answer(&Method::GET, path, request).map(|response| response.status().as_u16());
        assert_eq!((status("/", &HeaderMap::new()), status("/people/1", &HeaderMap::new())), (Some(200), Some(200)));
        assert_eq!((status("/nowhere", &reader), status("/nowhere", &HeaderMap::new())), (Some(404), None));
        for path in ["/api", "/api/user/nothing", "/health/x", "/docs/x", "/metrics", "/openapi.json", "/assets/x.js", "/robots.txt"] {
            assert_eq!(status(path, &reader), None, "{path}");
        }
        let post = answer(&Method::POST, "/", &reader).expect("it is ours");
        assert_eq!((post.status().as_u16(), &post.headers()[header::ALLOW]), (405, &HeaderValue::from_static("GET, HEAD")));
        assert!(answer(&Method::POST, "/nowhere", &reader).is_none());
    }
}
