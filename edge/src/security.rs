//! The headers that every answer carries, whoever made it: prebuilt, so that they cost a snapshot's answer about 0.1 µs together.

use http::{HeaderMap, HeaderName, HeaderValue, Response, header};

/// JSON is no document: nothing in it is to be loaded, run or framed, should a browser ever take it for one.
const CONTENT_SECURITY_POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Ids and search words stand in paths and queries: no other site is told them.
const NO_REFERRER: HeaderValue = HeaderValue::from_static("no-referrer");
/// Two years, as browsers' preload lists ask for.
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");

/// How many headers [`Headers::put_on`] adds at most, for whoever makes room.
pub(crate) const COUNT_MAX: usize = 4;

/// The headers of this edge.
#[derive(Clone, Debug)]
pub(crate) struct Headers {
    is_https: bool,
}

impl Headers {
    /// `public_url` says whether clients reach the platform by TLS, be it ours or a proxy's.
    pub(crate) fn new(public_url: &str) -> Self {
        Self { is_https: public_url.starts_with("https://") }
    }

    /// Adds the headers. A policy that an answer has already is its own: a page needs another one than JSON.
    pub(crate) fn put_on<B>(&self, response: &mut Response<B>) {
        let headers = response.headers_mut();
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        put_if_absent(headers, header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY);
        headers.insert(header::REFERRER_POLICY, NO_REFERRER);
        if self.is_https {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HSTS);
        }
    }
}

fn put_if_absent(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    if let header::Entry::Vacant(place) = headers.entry(name) {
        place.insert(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_on(public_url: &str, own_policy: Option<&'static str>) -> HeaderMap {
        let mut response = Response::new(());
        if let Some(policy) = own_policy {
            response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
        }
        Headers::new(public_url).put_on(&mut response);
        assert!(response.headers().len() <= COUNT_MAX);
        response.into_parts().0.headers
    }

    #[test]
    fn strict_transport_is_asked_for_where_there_is_transport_security() {
        assert!(!put_on("http://localhost:8000", None).contains_key("strict-transport-security"));
        assert_eq!(put_on("https://connect.example.org", None)["strict-transport-security"], HSTS);
    }

    #[test]
    fn a_page_keeps_its_own_policy() {
        assert_eq!(put_on("http://localhost", None)["content-security-policy"], CONTENT_SECURITY_POLICY);
        assert_eq!(put_on("http://localhost", Some("default-src 'self'"))["content-security-policy"], "default-src 'self'");
    }
}
