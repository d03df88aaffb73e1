//! What work is done for: which trace the log names, and the span that is within it if the trace is taken.
//!
//! Nearly no trace is taken, and a span whose only use is to tell the log which request it was cost three of a read's fifteen microseconds: the library keeps it in a table and writes
//! its fields down as text. So the id goes beside spans: it is the thread's while work is done, and in the meantime that of whoever waits and of tasks.

use pin_project_lite::pin_project;
use std::{
    cell::Cell,
    pin::Pin,
    task::{Context, Poll},
};
use tracing::{Instrument, Span, instrument::Instrumented, span::Entered};

thread_local! {
    /// 0 where nothing is known of a trace.
    static TRACE_ID: Cell<u128> = const { Cell::new(0) };
}

/// The id of the trace that is worked for now, on this thread.
#[must_use]
pub fn trace_id() -> Option<u128> {
    Some(TRACE_ID.get()).filter(|id| *id != 0)
}

/// What work is done for.
#[derive(Clone, Debug)]
pub struct Cause {
    trace_id: u128,
    span: Span,
}

impl Cause {
    /// A request with this trace, within this span; 0 and [`Span::none`] stand for nothing.
    #[must_use]
    pub const fn new(trace_id: u128, span: Span) -> Self {
        Self { trace_id, span }
    }

    /// Nothing that the log could name.
    #[must_use]
    pub const fn none() -> Self {
        Self::new(0, Span::none())
    }

    /// What is worked for now.
    #[must_use]
    pub fn current() -> Self {
        Self::new(TRACE_ID.get(), Span::current())
    }

    /// The span within.
    #[must_use]
    pub const fn span(&self) -> &Span {
        &self.span
    }

    /// Works for this until what is answered is dropped.
    #[must_use]
    pub fn enter(&self) -> Working<'_> {
        Working { _before: Before(TRACE_ID.replace(self.trace_id)), _span: self.span.enter() }
    }
}

/// Work for a [`Cause`], of this thread; dropped, it goes on with what it did before.
pub struct Working<'c> {
    _span: Entered<'c>,
    _before: Before,
}

/// What was worked for before, which is so again when this is dropped, by a panic, too.
struct Before(u128);

impl Drop for Before {
    fn drop(&mut self) {
        TRACE_ID.set(self.0);
    }
}

pin_project! {
    /// A future that works for a [`Cause`] whenever it is polled.
    pub struct Caused<F> {
        #[pin]
        future: Instrumented<F>,
        trace_id: u128,
    }
}

impl<F: Future> Future for Caused<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let _before = Before(TRACE_ID.replace(*this.trace_id));
        this.future.poll(cx)
    }
}

/// Gives futures their cause.
pub trait WithCause: Future + Sized {
    /// Works for this one.
    fn caused_by(self, cause: Cause) -> Caused<Self> {
        Caused { future: self.instrument(cause.span), trace_id: cause.trace_id }
    }

    /// Goes on for what is worked for now, wherever it is polled: for tasks.
    fn for_the_same(self) -> Caused<Self> {
        self.caused_by(Cause::current())
    }
}

impl<F: Future> WithCause for F {}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[tokio::test]
    async fn a_task_goes_on_for_whom_it_was_begun_and_nobody_else_works_for_them() {
        let (tell, told) = tokio::sync::oneshot::channel::<()>();
        let begun = Cause::new(7, Span::none());
        let task = {
            let _working = begun.enter();
            tokio::spawn(
                async {
                    let _ = told.await;
                    trace_id()
                }
                .for_the_same(),
            )
        };
        tokio::task::yield_now().await;
        assert_eq!(trace_id(), None, "the task waits, and this one has no cause");
        tell.send(()).expect("the task waits");
        assert_eq!(task.await.expect("no panic"), Some(7));
    }

    #[test]
    fn what_is_worked_for_ends_with_its_work_also_by_a_panic() {
        let (outer, inner) = (Cause::new(1, Span::none()), Cause::new(2, Span::none()));
        let _outer = outer.enter();
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let _inner = inner.enter();
            assert_eq!(trace_id(), Some(2));
            panic!("in the middle of it");
        }));
        assert!(panicked.is_err());
        assert_eq!(trace_id(), Some(1));
    }
}
