//! The closed list of refusals. The edge maps each code to one HTTP status; docs/errors.md is generated from both.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($name:ident, $text:literal, $retry:literal, $meaning:literal;)*) => {
        /// Why a request was refused. Closed: clients may match on it, and a new code is a new release of the API.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum ErrorCode { $(#[doc = $meaning] $name,)* }

        impl ErrorCode {
            /// Every code, in the order of docs/errors.md.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$name),*];

            /// The code's name on the wire.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it means and what to do, for strangers to read.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)* }
            }

            /// Whether sending the same request again is safe, and when it may help.
            #[must_use]
            pub const fn retry(self) -> &'static str {
                match self { $(Self::$name => $retry,)* }
            }
        }
    };
}

codes! {
    MalformedBody, "malformed_body", "no", "The body is not the JSON that this route takes. The detail names the place; mend the body.";
    InvalidField, "invalid_field", "no", "A field's value is out of its range or form. The detail names the field and what it takes.";
    InvalidId, "invalid_id", "no", "An id in the path is not a UUID.";
    InvalidCursor, "invalid_cursor", "no", "The cursor was not made by this list. Start again from the first page.";
    InvalidQuery, "invalid_query", "no", "A query parameter is unknown, repeated or out of range. The detail names it.";
    InvalidHeader, "invalid_header", "no", "A header that this route reads (If-Match, Idempotency-Key, Authorization …) is malformed. The detail names it.";
    UnsupportedMediaType, "unsupported_media_type", "no", "The body's Content-Type is not one that this route takes. Send application/json.";
    BodyTooLarge, "body_too_large", "no", "The body is over the route's limit, which the detail names.";
    BodyTooSlow, "body_too_slow", "yes", "The body came slower than the minimum rate, or not whole within the request's time.";
    Unauthenticated, "unauthenticated", "no", "The route needs a valid session token: sign in, and send it as `Authorization: Bearer …`.";
    BadCredentials, "bad_credentials", "no", "The name or the password is wrong.";
    Forbidden, "forbidden", "no", "The session is valid, but its subject may not do this.";
    NotFound, "not_found", "no", "There is no such thing, or the caller may not know of it.";
    UnknownRoute, "unknown_route", "no", "No route has this path.";
    MethodNotAllowed, "method_not_allowed", "no", "The path exists, but not with this method; `Allow` lists those it has.";
    UsernameTaken, "username_taken", "no", "Somebody has this username.";
    EmailTaken, "email_taken", "no", "An account has this address: sign in instead.";
    Conflict, "conflict", "after reading again", "The thing was changed at the same time, repeatedly, or already is what was asked for.";
    OutOfStock, "out_of_stock", "no", "Fewer pieces are in stock than were ordered. Nothing was ordered.";
    NotForSale, "not_for_sale", "no", "The product is not for sale to this buyer.";
    LimitReached, "limit_reached", "no", "A limit on how many of these one may have is reached. The detail names it.";
    IdempotencyMismatch, "idempotency_mismatch", "no", "This Idempotency-Key was used with another body. Use a new key for a new request.";
    IdempotencyInFlight, "idempotency_in_flight", "yes", "The first request with this Idempotency-Key has not finished. Repeat it later with the same key.";
    PreconditionFailed, "precondition_failed", "after reading again", "The version in If-Match is not the current one. Nothing was changed.";
    TooManyRequests, "too_many_requests", "after Retry-After", "The caller is over a rate limit.";
    Overloaded, "overloaded", "after Retry-After", "The platform is at its limit and did nothing.";
    Unavailable, "unavailable", "after Retry-After", "Something that the request needs (a database, an owner that restarts) is away. Nothing was changed.";
    OutcomeUnknown, "outcome_unknown", "with the same Idempotency-Key", "The write may or may not have happened. Read, or repeat it with the same Idempotency-Key.";
    Expired, "expired", "after Retry-After", "The request's time ran out before it was begun. Nothing was changed.";
    NotOwner, "not_owner", "yes", "Between nodes: the receiver does not own the key's slot. Clients never see it.";
    BadFrame, "bad_frame", "no", "Between nodes: the frame could not be read. Clients never see it.";
    Internal, "internal", "yes", "A fault of the platform; it was logged under the traceId.";
    CrossSite, "cross_site", "no", "A request that a cookie authenticates came from a page of another site, or does not say from where: send Origin, or a bearer token.";
    BadToken, "bad_token", "no", "The token to set a new password is used, too old, or not the newest. Ask for another one.";
    MalformedRequest, "malformed_request", "no", "What came on the connection is no HTTP request. The connection is closed.";
    TargetTooLong, "target_too_long", "no", "The request's path and query are longer than any that is read. The connection is closed.";
    HeadTooLarge, "head_too_large", "no", "The request's line and headers together are over their limit. Send fewer or shorter headers; the connection is closed.";
    HeadTooSlow, "head_too_slow", "yes", "The request's line and headers did not come whole within their time. The connection is closed.";
    ShareTooWide, "share_too_wide", "no", "The share would be for more people than may see the post that it shares. Share it for fewer.";
    WrongStatus, "wrong_status", "after reading again", "The order's status does not allow this. The detail says what it allows, and to whom.";
    PriceRaised, "price_raised", "after reading again", "The product costs more than when it was put into the cart. Read the cart, and set the line's quantity to accept the new price.";
    BadImage, "bad_image", "no", "The image is damaged, cut off, or more than may be processed. The detail says which; nothing was kept of it.";
    BadRange, "range_not_satisfiable", "no", "None of the bytes that the Range header asks for are there. The detail says how many there are.";
    QuotaExceeded, "quota_exceeded", "no", "The file is more than its owner may still store. The detail says how much is stored and allowed: remove files, or ask the operator for more.";
}

/// A refusal: a code for machines and a detail for people.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, thiserror::Error)]
#[error("{}: {detail}", code.name())]
pub struct Refusal {
    /// Why.
    pub code: ErrorCode,
    /// One sentence that is safe for strangers and says what to do.
    pub detail: std::borrow::Cow<'static, str>,
    /// Seconds after which a repetition may help, where that is known; 0 where it is not. Only for codes that say "after Retry-After".
    pub retry_after_s: u32,
}

impl Refusal {
    /// Refuses with `code`, explained by `detail`.
    pub fn new(code: ErrorCode, detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self { code, detail: detail.into(), retry_after_s: 0 }
    }

    /// The refusal with the time to wait, which is at least a second.
    #[must_use]
    pub fn after(self, seconds: u64) -> Self {
        Self { retry_after_s: u32::try_from(seconds).unwrap_or(u32::MAX).max(1), ..self }
    }

    /// Refuses a field.
    pub fn field(detail: impl Into<std::borrow::Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::InvalidField, detail)
    }
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Self {
        Self::new(code, code.meaning())
    }
}
