//! Traces: how the spans of a request go on at another node, and come from whoever asked.
//!
//! A request has one span wherever it is worked on: at the edge that it came to, and at each node that this one asks on its behalf. What
//! is done for it — an owner asked, a key loaded, a statement sent — is a span within. They are spans of `tracing` all of them; those of traces that are taken are
//! exported by the binary's telemetry, which knows them by the first of them ([`TAKEN`]). Of the rest only the id is kept, for the log.
//!
//! An owner works for many at once, so whoever waits carries the span that it waits in (`owner::Waiter`); tasks take theirs along. What several wait for is
//! in the trace of the first.

use cluster::Boot;
use opentelemetry::{
    Context, SpanId, TraceFlags, TraceId,
    trace::{SpanContext, TraceContextExt, TraceState},
};
use protocol::{Key, Trace};
pub use store::cause::{Cause, WithCause, trace_id};
use tracing::{Span, debug_span, error_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The target of the span that a trace begins with on this node. Spans below one are taken too; all others are not.
pub const TAKEN: &str = "lets_connect::taken";

/// Puts a span into the trace of its caller, or begins a new one. Answers the context of what is done within; `None` where nothing takes traces. To be called
/// before the span is entered.
#[must_use]
pub fn join(span: &Span, caller: Option<Trace>) -> Option<Trace> {
    if let Some(Trace { trace_id, parent_id, flags }) = caller {
        let (trace, parent) = (TraceId::from(trace_id), SpanId::from(parent_id));
        let context = SpanContext::new(trace, parent, TraceFlags::new(flags), true, TraceState::NONE);
        // It fails where nothing takes traces, which is told below.
        let _ = span.set_parent(Context::new().with_remote_span_context(context));
    }
    context_of(span)
}

/// What is done now, for another node to go on with. `None` where the trace is not taken.
#[must_use]
pub fn current() -> Option<Trace> {
    context_of(&Span::current())
}

fn context_of(span: &Span) -> Option<Trace> {
    if span.is_disabled() {
        return None;
    }
    let context = span.context();
    let context = context.span().span_context().clone();
    context.is_valid().then(|| Trace {
        trace_id: u128::from_be_bytes(context.trace_id().to_bytes()),
        parent_id: u64::from_be_bytes(context.span_id().to_bytes()),
        flags: context.trace_flags().to_u8(),
    })
}

/// What another node asks for, and whose trace it is.
pub(crate) fn served(caller: Option<Trace>, key: &Key, what: &'static str) -> Cause {
    let Some(caller) = caller else { return Cause::none() };
    let name = format_args!("serve {what} {}", key.kind.name());
    if !caller.is_sampled() {
        return Cause::new(caller.trace_id, Span::none());
    }
    let span = error_span!(target: TAKEN, "served", otel.name = %name, otel.kind = "server", entity = %key.id, trace_id = caller.id());
    let _ = join(&span, Some(caller));
    Cause::new(caller.trace_id, span)
}

/// The span of asking an owner of this node, its mailbox included.
pub(crate) fn owner(what: &'static str, key: &Key) -> Span {
    debug_span!("owner", otel.name = %format_args!("{what} {}", key.kind.name()), entity = %key.id, slot = key.slot().number())
}

/// The span of asking another node.
pub(crate) fn call(what: &'static str, key: &Key, node: Boot) -> Span {
    let name = format_args!("ask {what} {}", key.kind.name());
    debug_span!("call", otel.name = %name, otel.kind = "client", entity = %key.id, node = %node)
}
