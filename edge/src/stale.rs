//! What is answered while nobody can tell whether memory is still the truth: the database has been away for longer than the lease lasts.
//!
//! What everybody may see is shown from memory, and labelled (RFC 9111's `Age`, RFC 9211's `Cache-Status`), unless the client wants nothing of the
//! kind. Everything else is refused by its owner as `unavailable`.

use crate::route::{Fast, Glance};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use std::time::{Duration, Instant};

/// The answer of a fast path from memory whose lease has ended. Nobody is known then: sessions are not looked at.
pub(crate) fn answer(glance: &Glance<'_>, fast: Fast) -> Option<Response<Bytes>> {
    let age = glance.client.node().ownership.lapsed()?;
    if !is_wanted(glance.headers) {
        return None;
    }
    let lapsed = glance.client.of_the_lapsed();
    let mut response = fast(&Glance { client: &lapsed, principal: None, ..*glance })?;
    label(response.headers_mut(), age);
    Some(response)
}

/// How often what other nodes have is asked for: a page names its rows in the first round, and these what they need in the next ones.
const ROUNDS_MAX: usize = 6;

/// As [`answer`], also from what other nodes have in memory.
pub(crate) async fn answer_of_all(glance: &Glance<'_>, fast: Fast, deadline: Instant) -> Option<Response<Bytes>> {
    let age = glance.client.node().ownership.lapsed()?;
    if !is_wanted(glance.headers) {
        return None;
    }
    let lapsed = glance.client.of_the_lapsed();
    for _ in 0..ROUNDS_MAX {
        if let Some(mut response) = fast(&Glance { client: &lapsed, principal: None, ..*glance }) {
            label(response.headers_mut(), age);
            return Some(response);
        }
        if !lapsed.fetch_lapsed(deadline).await {
            return None;
        }
    }
    None
}

/// Whether the client takes what is stale: not if it asks for the origin's own word, or for what is so or so fresh at most.
fn is_wanted(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::CACHE_CONTROL).iter().filter_map(|value| value.to_str().ok());
    let mut directives = asked.flat_map(|value| value.split(',')).map(|directive| directive.trim().to_ascii_lowercase());
    !directives.any(|directive| directive == "no-cache" || directive == "no-store" || directive.starts_with("max-age"))
}

fn label(headers: &mut HeaderMap, age: Duration) {
    let seconds = age.as_secs();
    headers.insert(header::AGE, HeaderValue::from(seconds));
    let status = format!("lets-connect; hit; ttl=-{seconds}; detail=database-away");
    headers.insert("cache-status", HeaderValue::try_from(status).unwrap_or(HeaderValue::from_static("lets-connect; hit")));
    // Nobody between us and the client keeps it.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_insists_on_fresh_is_not_shown_what_is_stale() {
        let wants = |value: &'static str| is_wanted(&HeaderMap::from_iter([(header::CACHE_CONTROL, HeaderValue::from_static(value))]));
        assert!(is_wanted(&HeaderMap::new()) && wants("max-stale=60") && wants("no-transform"));
        assert!(!wants("no-cache") && !wants("No-Store") && !wants("foo, max-age=0"));
    }
}
