//! Cross-origin requests: which web sites' scripts may use the API with their visitors' sessions.
//!
//! Only origins that the operator listed, each by name: a session may come as a cookie, and with those a wildcard would hand every visitor's account
//! to every site. Without a list nothing is added to any answer, and browsers keep other sites out by themselves.

use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

/// What a listed origin's scripts may send …
const ALLOW_HEADERS: HeaderValue =
    HeaderValue::from_static("authorization, content-type, idempotency-key, if-match, if-none-match, traceparent");
/// … and see, beside what every script may.
const EXPOSE_HEADERS: HeaderValue = HeaderValue::from_static("allow, etag, ratelimit, ratelimit-policy, retry-after, traceresponse");
/// Seconds for which a browser need not ask again. Chromium keeps an answer for two hours at most; ten minutes let a changed list take effect.
const MAX_AGE_S: HeaderValue = HeaderValue::from_static("600");
const ORIGIN: HeaderValue = HeaderValue::from_static("origin");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The origins whose scripts may use the API.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cors {
    origins: Vec<HeaderValue>,
}

impl Cors {
    /// Takes the allowed origins, as browsers write them: `https://app.example.org`. What no header can carry is left out.
    pub(crate) fn new(origins: &[String]) -> Self {
        Self { origins: origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect() }
    }

    /// Whether any origin is listed; without one nothing else here need be asked.
    pub(crate) fn is_on(&self) -> bool {
        !self.origins.is_empty()
    }

    /// The request's origin, if it is listed. Compared byte by byte: browsers write scheme and host in lower case.
    pub(crate) fn allowed(&self, request: &HeaderMap) -> Option<HeaderValue> {
        let origin = request.get(header::ORIGIN)?;
        self.origins.iter().find(|known| *known == origin).cloned()
    }

    /// Lets scripts of `allowed` read an answer, and tells caches that it depends on who asks.
    pub(crate) fn put_on<B>(&self, response: &mut Response<B>, allowed: Option<HeaderValue>) {
        if !self.is_on() {
            return;
        }
        let headers = response.headers_mut();
        headers.append(header::VARY, ORIGIN);
        if let Some(origin) = allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSE_HEADERS);
        }
    }
}

/// Whether a browser asks what it may ask (Fetch standard, 4.8).
pub(crate) fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS && headers.contains_key(header::ORIGIN) && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

/// The answer to a preflight: `methods` are those of the path's routes.
pub(crate) fn preflight<B: Default>(methods: HeaderValue) -> Response<B> {
    let mut response = Response::new(B::default());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
    headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOW_HEADERS);
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE_S);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cors() -> Cors {
        Cors::new(&["https://app.example.org".to_owned(), "http://localhost:3000".to_owned()])
    }

    fn from(origin: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ORIGIN, HeaderValue::from_static(origin))])
    }

    #[test]
    fn only_listed_origins_are_let_in_and_by_name() {
        assert!(cors().allowed(&from("https://app.example.org")).is_some() && cors().allowed(&from("http://localhost:3000")).is_some());
        for stranger in [
            "https://app.example.org.evil.example",
            "https://app.example.org:8443",
            "http://app.example.org",
            "https://evil.example",
            "null",
            "*",
        ] {
            assert_eq!(cors().allowed(&from(stranger)), None, "{stranger}");
        }
        assert_eq!(cors().allowed(&HeaderMap::new()), None);
    }

    #[test]
    fn caches_are_told_that_answers_differ_also_where_nobody_is_let_in() {
        let put_on = |cors: &Cors, origin| {
            let mut response = Response::new(());
            cors.put_on(&mut response, cors.allowed(&from(origin)));
            response.into_parts().0.headers
        };
        let listed = put_on(&cors(), "https://app.example.org");
        assert_eq!(
            (&listed["vary"], &listed["access-control-allow-origin"]),
            (&ORIGIN, &"https://app.example.org".parse().expect("a value"))
        );
        let stranger = put_on(&cors(), "https://evil.example");
        assert_eq!((stranger.len(), &stranger["vary"]), (1, &ORIGIN));
        assert!(put_on(&Cors::default(), "https://app.example.org").is_empty());
    }
}
