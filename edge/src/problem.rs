//! Refusals as `application/problem+json` (RFC 9457): the one table from error code to HTTP status.

use crate::server::ResponseBody;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use protocol::{ErrorCode, Refusal, Trace};
use schemars::JsonSchema;
use serde::Serialize;
use uuid::Uuid;

/// The HTTP status of a code. Total: a new code does not compile without one.
#[must_use]
pub const fn status(code: ErrorCode) -> StatusCode {
    use ErrorCode as E;
    match code {
        E::MalformedBody | E::InvalidField | E::InvalidId | E::InvalidCursor | E::InvalidQuery | E::InvalidHeader => {
            StatusCode::BAD_REQUEST
        }
        E::BadToken | E::MalformedRequest => StatusCode::BAD_REQUEST,
        E::Unauthenticated | E::BadCredentials => StatusCode::UNAUTHORIZED,
        E::Forbidden | E::ShareTooWide | E::CrossSite => StatusCode::FORBIDDEN,
        E::NotFound | E::UnknownRoute => StatusCode::NOT_FOUND,
        E::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
        E::BodyTooSlow | E::HeadTooSlow => StatusCode::REQUEST_TIMEOUT,
        E::UsernameTaken
        | E::EmailTaken
        | E::Conflict
        | E::OutOfStock
        | E::NotForSale
        | E::LimitReached
        | E::IdempotencyInFlight
        | E::WrongStatus
        | E::PriceRaised => StatusCode::CONFLICT,
        E::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
        E::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        E::TargetTooLong => StatusCode::URI_TOO_LONG,
        E::BodyTooLarge | E::QuotaExceeded => StatusCode::PAYLOAD_TOO_LARGE,
        E::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
        E::IdempotencyMismatch | E::BadImage => StatusCode::UNPROCESSABLE_ENTITY,
        E::BadRange => StatusCode::RANGE_NOT_SATISFIABLE,
        E::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
        E::Overloaded | E::Unavailable | E::OutcomeUnknown | E::Expired | E::NotOwner => StatusCode::SERVICE_UNAVAILABLE,
        E::BadFrame | E::Internal => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// The body of a refusal.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Problem")]
pub(crate) struct Problem<'a> {
    /// Always `about:blank`: `code` tells problems apart.
    r#type: &'static str,
    /// The status in words.
    title: &'static str,
    /// The status.
    status: u16,
    /// What programs match on; docs/errors.md lists them.
    code: &'static str,
    /// One sentence for people.
    detail: &'a str,
    /// Finds the request in the logs.
    trace_id: &'a str,
}

/// Makes the response for a refusal. `trace_id` finds the request in the logs.
#[must_use]
pub fn response(refusal: &Refusal, trace_id: &str) -> Response<Bytes> {
    let status = status(refusal.code);
    let problem = Problem {
        r#type: "about:blank",
        title: status.canonical_reason().unwrap_or("Refused"),
        status: status.as_u16(),
        code: refusal.code.name(),
        detail: &refusal.detail,
        trace_id,
    };
    let body = serde_json::to_vec(&problem).unwrap_or_default();
    let mut response = Response::new(Bytes::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    match status {
        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(refusal.retry_after_s.max(1)));
        }
        StatusCode::UNAUTHORIZED => {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        _ => {}
    }
    response
}

/// As [`response`], for the transport.
#[must_use]
pub(crate) fn refuse(refusal: &Refusal, trace_id: &str) -> Response<ResponseBody> {
    response(refusal, trace_id).map(ResponseBody::Full)
}

/// The trace id of a request: the client's, if it sent a W3C `traceparent`, or a new one.
pub(crate) fn trace_id(headers: &HeaderMap) -> String {
    trace(headers).id()
}

/// The trace of a request: the client's, or a new one.
pub(crate) fn trace(headers: &HeaderMap) -> Trace {
    sent_trace(headers).unwrap_or_else(|| Trace { trace_id: Uuid::new_v4().as_u128(), parent_id: 0, flags: 0 })
}

/// The trace that a client says its request is part of.
pub(crate) fn sent_trace(headers: &HeaderMap) -> Option<Trace> {
    Trace::parse(headers.get("traceparent")?.to_str().ok()?)
}

/// docs/errors.md, whole. A test keeps the file equal to it.
#[must_use]
pub fn reference() -> String {
    let mut text = String::from(
        "# Errors\n\n\
         Every refusal is `application/problem+json` (RFC 9457) with `type`, `title`, `status`, `code`, `detail` and `traceId`. Programs match on\n\
         `code`; `detail` is one sentence for people and safe to show; `traceId` finds the request in the logs. Answers with 503 and 429 carry\n\
         `Retry-After`. This page is generated from the table of codes: `cargo xtask docs`.\n\n\
         | code | status | meaning | is a repetition safe? |\n|---|---|---|---|\n",
    );
    for code in ErrorCode::ALL {
        text.push_str(&format!("| `{}` | {} | {} | {} |\n", code.name(), status(*code).as_u16(), code.meaning(), code.retry()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_codes_are_the_codes() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/errors.md");
        let documented = std::fs::read_to_string(file).unwrap_or_default();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, reference()).expect("docs/errors.md can be written");
        } else {
            assert_eq!(documented, reference(), "run `cargo xtask docs`");
        }
    }
}
