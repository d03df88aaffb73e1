//! The trace of a request: whose it is, whether it is taken, and the span that all that is done for it is within.
//!
//! Of one that is not taken there is the id alone, for the log and for refusals: the client's, if it sent one. Whether one is taken nobody outside decides,
//! or strangers could have all of theirs taken: only what a trusted proxy says counts, and that only where it is said to be its own word.

use crate::{address::Network, problem, route::Route};
use actors::trace::{self, Cause, TAKEN};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use protocol::Trace;
use std::net::IpAddr;
use tracing::{Span, error_span, field};

/// Where an answer says what was taken of it ([Trace Context, level 2](https://www.w3.org/TR/trace-context-2/#traceresponse-header)).
const TRACERESPONSE: HeaderName = HeaderName::from_static("traceresponse");

/// Which requests' traces are taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Sampling {
    /// One in so many of those of which no trusted proxy says anything; 0 for none.
    pub one_in: u32,
    /// Whether trusted proxies say it: they must not pass on what their clients say.
    pub trusts_proxies: bool,
}

impl Sampling {
    /// Whether this one's is.
    fn takes(self, caller: Option<Trace>, is_trusted: impl FnOnce() -> bool) -> bool {
        match caller.filter(|_| self.trusts_proxies && is_trusted()) {
            Some(caller) => caller.is_sampled(),
            None => self.one_in > 0 && rand::random_range(0..self.one_in) == 0,
        }
    }
}

/// A request's trace.
pub(crate) struct Traced {
    /// What is done for the request is done for this.
    pub(crate) cause: Cause,
    /// What other nodes go on with.
    pub(crate) trace: Trace,
}

impl Traced {
    /// Begins a trace that is taken; `None` for one that is not. `peer` is the other end of the connection.
    pub(crate) fn taken(sampling: Sampling, headers: &HeaderMap, route: &Route, (peer, trusted): (IpAddr, &[Network])) -> Option<Self> {
        let caller = problem::sent_trace(headers);
        let is_trusted = || trusted.iter().any(|network| network.holds(peer.to_canonical()));
        if !sampling.takes(caller, is_trusted) {
            return None;
        }
        let path = format!("{}{}", route.service.prefix(), route.path);
        let span = error_span!(
            target: TAKEN,
            "request",
            otel.name = %format_args!("{} {path}", route.method),
            otel.kind = "server",
            otel.status_code = field::Empty,
            http.request.method = route.method.as_str(),
            http.route = path,
            http.response.status_code = field::Empty,
            trace_id = field::Empty,
        );
        let caller = caller.map(|caller| Trace { flags: caller.flags | Trace::SAMPLED, ..caller });
        let trace = trace::join(&span, caller)?;
        span.record("trace_id", trace.id());
        Some(Self { cause: Cause::new(trace.trace_id, span), trace })
    }

    /// Notes the id of a trace that is not taken.
    pub(crate) fn noted(headers: &HeaderMap) -> Self {
        let trace = Trace { flags: 0, ..problem::trace(headers) };
        Self { cause: Cause::new(trace.trace_id, Span::none()), trace }
    }

    /// Notes how the request was answered, and tells the client what was taken.
    pub(crate) fn answered<B>(&self, response: &mut Response<B>) {
        if !self.trace.is_sampled() {
            return;
        }
        let span = self.cause.span();
        span.record("http.response.status_code", response.status().as_u16());
        if response.status().is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
        if let Ok(value) = HeaderValue::try_from(self.trace.to_string()) {
            response.headers_mut().insert(TRACERESPONSE, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_does_not_decide_what_is_taken_and_a_trusted_proxy_does() {
        let caller = |flags| Some(Trace { trace_id: 1, parent_id: 2, flags });
        let (none, all) = (Sampling { one_in: 0, trusts_proxies: true }, Sampling { one_in: 1, trusts_proxies: true });
        assert!(!none.takes(caller(1), || false), "a stranger asks for it");
        assert!(all.takes(caller(0), || false), "a stranger asks not to be seen");
        assert!(none.takes(caller(1), || true) && !all.takes(caller(0), || true));
        assert!(!none.takes(None, || true) && all.takes(None, || true));
        // Most proxies pass on what their clients say.
        let by_default = Sampling { trusts_proxies: false, ..none };
        assert!(!by_default.takes(caller(1), || true));
    }
}
