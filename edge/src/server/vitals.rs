//! What a connection tells about itself while it works, at the cost of a few relaxed stores.
//!
//! Connections only count; the sweep (`roster.rs`) looks at the counts and judges (`verdict.rs`). So a request that is answered at
//! once registers no timer and reads no clock for the sake of deadlines.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::{Poll, Waker};

use parking_lot::Mutex;

/// How far a connection has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Stage {
    /// The TLS handshake is under way.
    Handshake,
    /// HTTP/1, or not yet known.
    Http1,
    /// HTTP/2.
    Http2,
    /// The response is sent, our half is closed, and what the client still sends is discarded.
    Lingering,
    /// The connection was upgraded: it belongs to whoever asked for that.
    Detached,
}

/// What a connection is told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
#[repr(u8)]
pub(super) enum Order {
    /// Go on.
    Stay,
    /// Finish what is in flight, take nothing new, close.
    Leave,
    /// Close now.
    Close,
}

/// One connection's counters. Only the connection's own task writes those that are stored without a read-modify-write.
#[derive(Debug)]
pub(super) struct Vitals {
    stage: AtomicU8,
    order: AtomicU8,
    /// Requests handed to the service so far.
    requests: AtomicU64,
    /// Requests that wait for the service, and streamed responses that have not ended.
    active: AtomicU32,
    /// HTTP/2 response chunks that wait for the client's flow control.
    stalled: AtomicU32,
    written_bytes: AtomicU64,
    /// The socket took less than we had.
    write_blocked: AtomicBool,
    /// Bytes arrived that belong to no request yet.
    head_begun: AtomicBool,
    /// The connection is closed because a head that was begun did not end in time.
    head_overdue: AtomicBool,
    /// The last request's body was dropped before its end.
    body_abandoned: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Vitals {
    pub(super) fn new(stage: Stage) -> Arc<Self> {
        Arc::new(Self {
            stage: AtomicU8::new(stage as u8),
            order: AtomicU8::new(Order::Stay as u8),
            requests: AtomicU64::new(0),
            active: AtomicU32::new(0),
            stalled: AtomicU32::new(0),
            written_bytes: AtomicU64::new(0),
            write_blocked: AtomicBool::new(false),
            head_begun: AtomicBool::new(false),
            head_overdue: AtomicBool::new(false),
            body_abandoned: AtomicBool::new(false),
            waker: Mutex::new(None),
        })
    }

    pub(super) fn stage(&self) -> Stage {
        match self.stage.load(Relaxed) {
            0 => Stage::Handshake,
            1 => Stage::Http1,
            2 => Stage::Http2,
            3 => Stage::Lingering,
            _ => Stage::Detached,
        }
    }

    pub(super) fn enter(&self, stage: Stage) {
        self.stage.store(stage as u8, Relaxed);
    }

    pub(super) fn order(&self) -> Order {
        match self.order.load(Relaxed) {
            0 => Order::Stay,
            1 => Order::Leave,
            _ => Order::Close,
        }
    }

    /// Gives the order and wakes the connection; an order is never taken back.
    pub(super) fn give(&self, order: Order) {
        self.order.fetch_max(order as u8, Relaxed);
        // The lock orders this against `watch`: either the connection sees the order after it left its waker, or we see the waker.
        if let Some(waker) = self.waker.lock().as_ref() {
            waker.wake_by_ref();
        }
    }

    /// Leaves the waker of the task that has to see orders; orders must be looked at afterwards.
    pub(super) fn watch(&self, waker: &Waker) {
        *self.waker.lock() = Some(waker.clone());
    }

    /// Waits for [`Order::Close`].
    pub(super) async fn closed(&self) {
        poll_fn(|cx| {
            self.watch(cx.waker());
            match self.order() {
                Order::Close => Poll::Ready(()),
                Order::Stay | Order::Leave => Poll::Pending,
            }
        })
        .await;
    }

    pub(super) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// Counts a request whose head is complete.
    pub(super) fn request_begins(&self) {
        self.requests.store(self.requests.load(Relaxed) + 1, Relaxed);
        self.head_begun.store(false, Relaxed);
        self.body_abandoned.store(false, Relaxed);
    }

    pub(super) fn bytes_arrived(&self) {
        self.head_begun.store(true, Relaxed);
    }

    /// Notes, before the order to close, that it is for a head that was begun.
    pub(super) fn miss_head(&self) {
        self.head_overdue.store(true, Relaxed);
    }

    pub(super) fn is_head_overdue(&self) -> bool {
        self.head_overdue.load(Relaxed)
    }

    pub(super) fn bytes_left(&self, bytes: usize) {
        self.written_bytes.store(self.written_bytes.load(Relaxed) + bytes as u64, Relaxed);
        if self.write_blocked.load(Relaxed) {
            self.write_blocked.store(false, Relaxed);
        }
    }

    pub(super) fn write_blocks(&self) {
        self.write_blocked.store(true, Relaxed);
    }

    pub(super) fn abandon_body(&self) {
        self.body_abandoned.store(true, Relaxed);
    }

    pub(super) fn is_body_abandoned(&self) -> bool {
        self.body_abandoned.load(Relaxed)
    }

    /// Whether closing the socket now would throw unread input away, which resets the connection and can take our last response
    /// from the client.
    pub(super) fn has_unread_input(&self) -> bool {
        self.stage() == Stage::Http1 && (self.is_body_abandoned() || self.head_begun.load(Relaxed))
    }

    /// Notes that the connection waits for its next request: an abandoned body was swallowed after all.
    pub(super) fn settle(&self) {
        if self.is_body_abandoned() && self.active.load(Relaxed) == 0 && !self.write_blocked.load(Relaxed) {
            self.body_abandoned.store(false, Relaxed);
            self.head_begun.store(false, Relaxed);
        }
    }

    pub(super) fn sample(&self) -> Sample {
        let stage = self.stage();
        Sample {
            stage,
            order: self.order(),
            requests: self.requests(),
            is_active: self.active.load(Relaxed) > 0,
            is_head_begun: self.head_begun.load(Relaxed),
            written_bytes: self.written_bytes.load(Relaxed),
            is_write_blocked: self.write_blocked.load(Relaxed) || (stage == Stage::Http2 && self.stalled.load(Relaxed) > 0),
        }
    }
}

/// One look at a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) stage: Stage,
    pub(super) order: Order,
    pub(super) requests: u64,
    pub(super) is_active: bool,
    pub(super) is_head_begun: bool,
    pub(super) written_bytes: u64,
    pub(super) is_write_blocked: bool,
}

/// Keeps a connection counted as active while it lives.
#[derive(Debug)]
pub(super) struct Active {
    vitals: Arc<Vitals>,
    is_stalled: bool,
}

impl Active {
    pub(super) fn new(vitals: &Arc<Vitals>) -> Self {
        vitals.active.fetch_add(1, Relaxed);
        Self { vitals: Arc::clone(vitals), is_stalled: false }
    }

    /// Notes whether a chunk of this response waits to be taken.
    pub(super) fn set_stalled(&mut self, is_stalled: bool) {
        if is_stalled == self.is_stalled {
            return;
        }
        self.is_stalled = is_stalled;
        if is_stalled {
            self.vitals.stalled.fetch_add(1, Relaxed);
        } else {
            self.vitals.stalled.fetch_sub(1, Relaxed);
        }
    }
}

impl Drop for Active {
    fn drop(&mut self) {
        self.set_stalled(false);
        // What arrived meanwhile was this request's body. If the next request's first bytes came along, they are overlooked, and
        // that request has the idle limit instead of the shorter one for heads.
        self.vitals.head_begun.store(false, Relaxed);
        self.vitals.active.fetch_sub(1, Relaxed);
    }
}
