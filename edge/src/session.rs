//! Who asks: from a request's headers to a principal. A client shows its session as a bearer token or, a browser, as a cookie.
//!
//! A cookie comes with every request that a browser sends here, also with one that another site's page made it send. So what a cookie authenticates
//! and may change something must come from the platform's own pages, or from an origin that the operator allows: [`same_site`].

use crate::{
    demo,
    dispatch::{Edge, Options},
    route::{Auth, Route},
};
use actors::account::{Opened, Token};
use http::{HeaderMap, HeaderValue, Method, header};
use protocol::{ErrorCode, Principal, Refusal, Timestamp, UserId, account::TokenHash};
use quick_cache::sync::Cache;
use uuid::Uuid;

/// The session cookie where the platform is reached by https. The prefix has browsers take it only with Secure, Path=/ and without Domain, so that
/// no sibling host can plant one (RFC 6265bis, 4.1.3.2).
const COOKIE_SECURE: &str = "__Host-session";
/// The session cookie where it is reached by plain http, as on loopback while developing: browsers refuse the other one there.
const COOKIE_PLAIN: &str = "session";

/// A token, and how it was shown.
#[derive(Clone, Copy)]
pub(crate) struct Shown {
    pub(crate) token: Token,
    by_cookie: bool,
}

/// The session token of a request: the bearer token, or else the cookie's.
///
/// # Errors
/// `unauthenticated` when there is something in the bearer token's place that is none. A cookie that is none is nobody's claim: browsers send old
/// ones unasked.
pub(crate) fn shown(headers: &HeaderMap, options: &Options) -> Result<Option<Shown>, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        let token = cookie(headers, cookie_name(options)).and_then(Token::parse);
        return Ok(token.map(|token| Shown { token, by_cookie: true }));
    };
    let token = value.as_bytes().split_at_checked(7).filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer ")).map(|(_, token)| token);
    let token = token.and_then(|text| Token::parse(text.trim_ascii())).ok_or(ErrorCode::Unauthenticated)?;
    Ok(Some(Shown { token, by_cookie: false }))
}

/// Whether a request says who asks, rightly or not. What shows only what everyone may see needs to know no more.
pub(crate) fn is_shown(headers: &HeaderMap, options: &Options) -> bool {
    !matches!(shown(headers, options), Ok(None))
}

/// The value of a cookie. Of two with one name the first counts, as everywhere.
fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h [u8]> {
    // HTTP/2 may split the header (RFC 9113, 8.2.3).
    let pairs = headers.get_all(header::COOKIE).iter().flat_map(|list| list.as_bytes().split(|b| *b == b';'));
    pairs.filter_map(|pair| pair.trim_ascii().strip_prefix(name.as_bytes())?.strip_prefix(b"=")).next()
}

fn cookie_name(options: &Options) -> &'static str {
    if is_secure(options) { COOKIE_SECURE } else { COOKIE_PLAIN }
}

fn is_secure(options: &Options) -> bool {
    options.public_url.starts_with("https://")
}

/// The header that has a browser keep the session.
pub(crate) fn keep(opened: &Opened, options: &Options) -> Option<HeaderValue> {
    let life_s = opened.expires_at.0.saturating_sub(Timestamp::now().0).max(0) / 1000;
    set_cookie(&opened.token, life_s, options)
}

/// The header that has a browser forget the session, if it sent one.
pub(crate) fn forget(headers: &HeaderMap, options: &Options) -> Option<HeaderValue> {
    cookie(headers, cookie_name(options))?;
    set_cookie("", 0, options)
}

fn set_cookie(value: &str, life_s: i64, options: &Options) -> Option<HeaderValue> {
    let (name, secure) = (cookie_name(options), if is_secure(options) { "; Secure" } else { "" });
    // Lax: a link from elsewhere finds its reader signed in, a form posted from elsewhere does not.
    let mut header = HeaderValue::try_from(format!("{name}={value}; Path=/; Max-Age={life_s}; HttpOnly; SameSite=Lax{secure}")).ok()?;
    header.set_sensitive(true);
    Some(header)
}

/// Whether a request says that a page of the platform, or of an allowed origin, made it: by `Origin`, or where that is not sent by `Referer`.
/// What says neither is refused: browsers send `Origin` with whatever may change something.
#[must_use]
pub fn same_site(headers: &HeaderMap, options: &Options) -> bool {
    let said = match headers.get(header::ORIGIN) {
        Some(origin) => origin.to_str().ok().map(str::to_owned),
        None => headers.get(header::REFERER).and_then(|page| page.to_str().ok()).and_then(origin_of),
    };
    said.is_some_and(|said| said == options.origin || options.cors_origins.contains(&said))
}

/// Whether a WebSocket may be opened. A browser lets any site's page open one to anywhere, with the cookie, and says by `Origin` which it was (RFC 6455, 10.2):
/// so that is looked at, also where the socket's first message says who it is. What is no browser sends neither.
///
/// # Errors
/// `cross_site`.
pub(crate) fn may_open_socket(headers: &HeaderMap, options: &Options) -> Result<(), Refusal> {
    let is_by_cookie = matches!(shown(headers, options), Ok(Some(Shown { by_cookie: true, .. })));
    let is_by_a_browser = is_by_cookie || headers.contains_key(header::ORIGIN);
    if is_by_a_browser && !same_site(headers, options) { Err(ErrorCode::CrossSite.into()) } else { Ok(()) }
}

/// The origin of a page's address, as browsers write it: without the port that its scheme stands for (RFC 6454, 6.2).
#[must_use]
pub fn origin_of(address: &str) -> Option<String> {
    let uri: http::Uri = address.parse().ok()?;
    let (scheme, host) = (uri.scheme_str()?, uri.host()?);
    let port = uri.port_u16().filter(|port| !matches!((scheme, port), ("https", 443) | ("http", 80)));
    let port = port.map_or_else(String::new, |port| format!(":{port}"));
    Some(format!("{scheme}://{host}{port}").to_ascii_lowercase())
}

/// Who asks, if that is known without waiting: the session's account is warm. `None` also where there is no session, or none that is open.
pub(crate) fn known(edge: &Edge, headers: &HeaderMap) -> Option<Principal> {
    let Shown { token, .. } = shown(headers, &edge.options).ok()??;
    let node = edge.client.node();
    let account = node.snapshots.get(&token.key(), &node.ownership)?;
    token.principal(&account).inspect(|_| edge.accounts.note(&token))
}

/// Tokens of other nodes' accounts that were good when they were last looked at, and whose they are. Nobody is let in by it: whom a request is
/// counted against has to be known before anybody is asked.
pub(crate) type Recognised = Cache<TokenHash, UserId>;

/// Entries of [`Recognised`], about 100 bytes each.
pub(crate) const RECOGNISED_MAX: usize = 65_536;

/// Whom a request is counted against, if its session is not of this node.
pub(crate) fn recognised(edge: &Edge, headers: &HeaderMap) -> Option<UserId> {
    edge.client.node().remote()?;
    edge.recognised.get(&shown(headers, &edge.options).ok()??.token.hash())
}

/// Who asks, as far as the route needs to know.
///
/// # Errors
/// `unauthenticated`, `forbidden`, `cross_site`; what the account's owner refuses when it is out of reach.
pub(crate) async fn principal(
    edge: &Edge,
    (route, method): (&Route, &Method),
    headers: &HeaderMap,
    subject: Option<Uuid>,
) -> Result<(Principal, Option<Token>), Refusal> {
    let auth = route.auth;
    if auth == Auth::Open {
        return Ok((Principal::Anonymous, None));
    }
    let shown = shown(headers, &edge.options)?;
    let Some(Shown { token, by_cookie }) = shown else {
        return match auth {
            Auth::Optional => Ok((Principal::Anonymous, None)),
            _ if route.is_for_demo => Box::pin(demo::principal(edge, headers)).await.map(|principal| (principal, None)),
            _ => Err(ErrorCode::Unauthenticated.into()),
        };
    };
    if by_cookie && !method.is_safe() && !same_site(headers, &edge.options) {
        return Err(ErrorCode::CrossSite.into());
    }
    let principal = match Box::pin(edge.accounts.authenticate(&token)).await? {
        Some(principal) => principal,
        None if by_cookie && auth == Auth::Optional => return Ok((Principal::Anonymous, None)),
        None => return Err(ErrorCode::Unauthenticated.into()),
    };
    if let (Some(user), Some(_)) = (principal.user(), edge.client.node().remote()) {
        edge.recognised.insert(token.hash(), user);
    }
    let allowed = match auth {
        Auth::Subject => principal.user().map(Uuid::from) == subject,
        Auth::Rank(least) => matches!(principal, Principal::User { role, .. } if role >= least),
        Auth::Open | Auth::Optional | Auth::Token => true,
    };
    if allowed { Ok((principal, Some(token))) } else { Err(ErrorCode::Forbidden.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cookie_is_found_among_others() {
        let find = |lists: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for list in lists {
                headers.append(header::COOKIE, HeaderValue::from_static(list));
            }
            cookie(&headers, "session").map(|value| String::from_utf8_lossy(value).into_owned())
        };
        assert_eq!(find(&["a=b; session=x; c=d"]).as_deref(), Some("x"));
        assert_eq!(find(&["a=b", "session=x"]).as_deref(), Some("x"));
        assert_eq!(find(&["session=x;session=y"]).as_deref(), Some("x"));
        assert_eq!(find(&["mysession=x; sessions=y; __Host-session=z"]), None);
        assert_eq!(find(&[]), None);
    }

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for (address, origin) in [
            ("https://Connect.example/", Some("https://connect.example")),
            ("https://connect.example:443", Some("https://connect.example")),
            ("http://localhost:8000/a?b", Some("http://localhost:8000")),
            ("http://[::1]:80/", Some("http://[::1]")),
            ("null", None),
            ("/a", None),
            ("", None),
        ] {
            assert_eq!(origin_of(address).as_deref(), origin, "{address}");
        }
    }

    proptest! {
        #[test]
        fn any_cookie_is_a_token_or_none(text in "[ -~]{0,90}") {
            let mut headers = HeaderMap::new();
            if let Ok(value) = HeaderValue::from_str(&text) {
                headers.insert(header::COOKIE, value);
                let _ = cookie(&headers, "session").and_then(Token::parse);
            }
        }
    }
}
