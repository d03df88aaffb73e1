//! One connection: its protocol, its exchanges, and its end.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use http::header::CONNECTION;
use http::{HeaderValue, Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use hyper::server::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use pin_project_lite::pin_project;
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_rustls::TlsAcceptor;

use super::last_word::LastWord;
use super::limits::Limits;
use super::linger::Linger;
use super::request_body::IfUnread;
use super::response_body::OutgoingBody;
use super::roster::{Membership, Roster};
use super::stream::{Stream, Transport};
use super::vitals::{Active, Order, Stage, Vitals};
use super::{Answer, Fault, Peer, RequestBody, ResponseBody, Service};

/// Bytes buffered per HTTP/1 connection and direction, to which one frame of a response may come; a connection keeps what it once
/// needed. hyper's own limit is 400 KiB.
const HTTP1_BUFFER_BYTES: usize = 48 * 1024;
/// Bytes that an HTTP/2 client may have on the way to us, per stream and in all: 256 KiB fill 5 MB/s at a round trip of 50 ms, and
/// the total bounds what one connection that nobody reads from can make us hold.
const HTTP2_STREAM_WINDOW_BYTES: u32 = 256 * 1024;
const HTTP2_CONNECTION_WINDOW_BYTES: u32 = 512 * 1024;
/// Requests in flight on one HTTP/2 connection; RFC 9113, section 6.5.2, advises no fewer than 100.
const HTTP2_STREAMS_MAX: u32 = 128;
/// Streams that the client opened and reset before we looked at them (CVE-2023-44487, rapid reset): h2's own default, stated.
const HTTP2_PENDING_RESETS_MAX: usize = 20;
/// Streams that we had to reset for the client's errors; beyond it the connection ends (RUSTSEC-2024-0003).
const HTTP2_ERROR_RESETS_MAX: usize = 128;
/// Response bytes queued per HTTP/2 stream.
const HTTP2_SEND_BUFFER_BYTES: usize = 256 * 1024;
/// A ping after this time finds HTTP/2 peers that vanished without closing; they have `PING_ANSWER_MAX` to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_ANSWER_MAX: Duration = Duration::from_secs(10);

/// What the connections of a server share.
pub(super) struct Shared<S> {
    pub(super) service: S,
    pub(super) limits: Limits,
    pub(super) roster: Arc<Roster>,
    linger: Arc<Linger>,
    http1: http1::Builder,
    http2: http2::Builder<TokioExecutor>,
    /// Clients are asked to come back on another connection.
    pub(super) says_farewell: AtomicBool,
}

impl<S> Shared<S> {
    pub(super) fn new(service: S, limits: Limits, roster: Arc<Roster>) -> Self {
        let mut http1 = http1::Builder::new();
        http1
            // hyper's timer would be registered and dropped with each request, and cannot tell a late head from an idle connection.
            .header_read_timeout(None)
            // One copied write instead of a gathered one: 5 % less CPU per small response.
            .writev(false)
            .max_header_size(limits.head_bytes_max)
            .max_buf_size(HTTP1_BUFFER_BYTES.max(limits.head_bytes_max));
        let mut http2 = http2::Builder::new(TokioExecutor::new());
        http2
            .timer(TokioTimer::new())
            .keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_ANSWER_MAX)
            .max_header_list_size(u32::try_from(limits.head_bytes_max).unwrap_or(u32::MAX))
            .max_concurrent_streams(HTTP2_STREAMS_MAX)
            .max_pending_accept_reset_streams(HTTP2_PENDING_RESETS_MAX)
            .max_local_error_reset_streams(HTTP2_ERROR_RESETS_MAX)
            .initial_stream_window_size(HTTP2_STREAM_WINDOW_BYTES)
            .initial_connection_window_size(HTTP2_CONNECTION_WINDOW_BYTES)
            .max_send_buf_size(HTTP2_SEND_BUFFER_BYTES);
        Self { service, roster, linger: Linger::new(&limits), http1, http2, says_farewell: AtomicBool::new(false), limits }
    }
}

/// What the exchanges of one connection share.
pub(super) struct Link<S> {
    pub(super) shared: Arc<Shared<S>>,
    pub(super) vitals: Arc<Vitals>,
    pub(super) peer: Peer,
}

impl<S: Service> Link<S> {
    /// Serves a connection until it ends.
    pub(super) async fn run(self: Arc<Self>, tcp: TcpStream, tls: Option<TlsAcceptor>, membership: Membership) {
        let ended = match tls {
            None => self.run_plain(tcp, membership).await,
            Some(acceptor) => self.run_tls(tcp, acceptor, membership).await,
        };
        if let Err(error) = ended {
            tracing::debug!(peer = %self.peer.addr, error = %error, "connection failed");
        }
    }

    async fn run_plain(self: &Arc<Self>, tcp: TcpStream, membership: Membership) -> Result<(), EndError> {
        let is_http2 = tokio::select! {
            is_http2 = speaks_http2(&tcp) => is_http2?,
            () = self.vitals.closed() => return Ok(()),
        };
        self.run_http(tcp, is_http2, membership).await
    }

    async fn run_tls(self: &Arc<Self>, tcp: TcpStream, acceptor: TlsAcceptor, membership: Membership) -> Result<(), EndError> {
        let tls = tokio::select! {
            tls = acceptor.accept(tcp) => tls?,
            () = self.vitals.closed() => return Ok(()),
        };
        let is_http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
        self.run_http(tls, is_http2, membership).await
    }

    async fn run_http(self: &Arc<Self>, transport: impl Transport, is_http2: bool, membership: Membership) -> Result<(), EndError> {
        let shared = &self.shared;
        let words: Arc<dyn LastWord> = Arc::clone(shared) as Arc<dyn LastWord>;
        let stream = TokioIo::new(Stream::new(transport, Arc::clone(&self.vitals), Arc::clone(&shared.linger), words, membership));
        let exchanges = Exchanges { link: Arc::clone(self) };
        if is_http2 {
            self.vitals.enter(Stage::Http2);
            let connection = shared.http2.serve_connection(stream, exchanges);
            self.drive(connection).await
        } else {
            self.vitals.enter(Stage::Http1);
            let connection = shared.http1.serve_connection(stream, exchanges).with_upgrades();
            self.drive(connection).await
        }
    }

    /// Polls a connection until it ends or is told to close, and tells it when to leave.
    async fn drive(&self, connection: impl Leave) -> Result<(), EndError> {
        let mut connection = pin!(connection);
        let mut watching: Option<Waker> = None;
        let mut is_leaving = false;
        poll_fn(|cx| {
            if !watching.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                self.vitals.watch(cx.waker());
                watching = Some(cx.waker().clone());
            }
            loop {
                if let Poll::Ready(ended) = connection.as_mut().poll(cx) {
                    // If the socket lives on, it was upgraded.
                    self.vitals.enter(Stage::Detached);
                    return Poll::Ready(ended.map_err(EndError::from));
                }
                self.vitals.settle();
                match self.vitals.order() {
                    Order::Close => return Poll::Ready(Ok(())),
                    // hyper would drop a connection that has not begun its first request, though that may be on its way.
                    Order::Leave if !is_leaving && self.vitals.requests() > 0 => {
                        is_leaving = true;
                        connection.as_mut().leave();
                    }
                    Order::Leave | Order::Stay => return Poll::Pending,
                }
            }
        })
        .await
    }

    /// Prepares a response for the wire.
    fn finish(&self, mut response: Response<ResponseBody>) -> Response<OutgoingBody> {
        let is_leaving = self.vitals.order() == Order::Leave || self.shared.says_farewell.load(Relaxed);
        let is_last = is_leaving && self.vitals.stage() == Stage::Http1;
        if is_last && response.status() != StatusCode::SWITCHING_PROTOCOLS {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response.map(|body| OutgoingBody::new(body, || Active::new(&self.vitals)))
    }

    fn fault(&self, fault: Fault) -> Response<ResponseBody> {
        tracing::warn!(peer = %self.peer.addr, ?fault, "request ended by the server");
        self.shared.service.fault(fault)
    }
}

/// Why a connection ended badly: as a rule, for the client's sake.
#[derive(Debug, thiserror::Error)]
enum EndError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Http(#[from] hyper::Error),
}

/// Tells whether a plain connection opens with HTTP/2's preface ("prior knowledge", RFC 9113, section 3.3). No other method begins
/// with these three bytes, and they come in one segment, as part of 24.
async fn speaks_http2(tcp: &TcpStream) -> io::Result<bool> {
    let mut first = [0; 3];
    let count = tcp.peek(&mut first).await?;
    Ok(first[..count] == *b"PRI")
}

/// A connection that can be asked to finish what it has and close.
trait Leave: Future<Output = hyper::Result<()>> {
    fn leave(self: Pin<&mut Self>);
}

impl<T: Transport, S: Service> Leave for http1::UpgradeableConnection<TokioIo<Stream<T>>, Exchanges<S>> {
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<T: Transport, S: Service> Leave for http2::Connection<TokioIo<Stream<T>>, Exchanges<S>, TokioExecutor> {
    fn leave(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

/// The service as hyper sees it on one connection.
struct Exchanges<S> {
    link: Arc<Link<S>>,
}

impl<S: Service> hyper::service::Service<Request<Incoming>> for Exchanges<S> {
    type Response = Response<OutgoingBody>;
    type Error = Infallible;
    type Future = Exchange<S>;

    fn call(&self, request: Request<Incoming>) -> Exchange<S> {
        let link = &*self.link;
        link.vitals.request_begins();
        let is_http2 = request.version() == Version::HTTP_2;
        let request = request.map(|body| {
            RequestBody::incoming(body, link.shared.limits.body, || match is_http2 {
                true => IfUnread::Discard(Arc::clone(&link.shared.linger)),
                false => IfUnread::Tell(Arc::clone(&link.vitals)),
            })
        });
        let service = &link.shared.service;
        match catch_unwind(AssertUnwindSafe(|| service.call(request, &link.peer))) {
            Ok(Answer::Ready(response)) => Exchange::Ready { response: Some(link.finish(response)) },
            Ok(Answer::Later { future, within }) => Exchange::Later {
                work: Work {
                    future: Some(future),
                    within: within.unwrap_or(link.shared.limits.request_max),
                    timer: None,
                    response: None,
                    _active: Active::new(&link.vitals),
                    link: Arc::clone(&self.link),
                },
            },
            Err(_) => Exchange::Ready { response: Some(link.finish(link.fault(Fault::Panicked))) },
        }
    }
}

pin_project! {
    /// One request on its way to its response.
    #[project = ExchangeProjection]
    enum Exchange<S: Service> {
        Ready {
            response: Option<Response<OutgoingBody>>,
        },
        Later {
            #[pin]
            work: Work<S>,
        },
    }
}

impl<S: Service> Future for Exchange<S> {
    type Output = Result<Response<OutgoingBody>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project() {
            ExchangeProjection::Ready { response } => Poll::Ready(Ok(response.take().expect("polled after its end"))),
            ExchangeProjection::Later { work } => work.poll(cx).map(Ok),
        }
    }
}

pin_project! {
    /// A request that its service works on.
    struct Work<S: Service> {
        #[pin]
        future: Option<S::Future>,
        within: Duration,
        timer: Option<Pin<Box<Sleep>>>,
        response: Option<Response<ResponseBody>>,
        link: Arc<Link<S>>,
        _active: Active,
    }
}

impl<S: Service> Work<S> {
    fn poll_response(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<ResponseBody>> {
        let this = self.project();
        let future = this.future.as_pin_mut().expect("polled after its end");
        match catch_unwind(AssertUnwindSafe(|| future.poll(cx))) {
            Ok(Poll::Ready(response)) => return Poll::Ready(response),
            Ok(Poll::Pending) => {}
            Err(_) => return Poll::Ready(this.link.fault(Fault::Panicked)),
        }
        // Most work is done at its first poll; only what is not gets a timer.
        let within = *this.within;
        let timer = this.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(within)));
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(this.link.fault(Fault::Overdue))
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Response<OutgoingBody>> {
        if self.response.is_none() {
            let response = ready!(self.as_mut().poll_response(cx));
            let mut this = self.as_mut().project();
            *this.response = Some(response);
            // With the work goes the request's body, if it was not read.
            this.future.set(None);
            if this.link.vitals.is_body_abandoned() {
                // hyper looks at a dropped body before it asks for the response: it swallows what little may be left, or else
                // announces `connection: close`. So it gets to look now that the body is dropped.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
        let this = self.project();
        let response = this.response.take().expect("stored above");
        Poll::Ready(this.link.finish(response))
    }
}
