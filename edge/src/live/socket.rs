//! Streams over a WebSocket (RFC 6455).

use super::{
    Mark, Place, Signed, Stream,
    drive::{Heard, Outlet, Reason, drive},
    event::{self, Event, Said},
};
use crate::{dispatch::Edge, server::ResponseBody};
use actors::account::Token;
use futures_util::{SinkExt, StreamExt};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use protocol::{ErrorCode, Refusal};
use std::{sync::Arc, time::Duration};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message,
        handshake::derive_accept_key,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

/// How long a client has to say who it is, where the request did not tell.
pub(super) const SIGN_IN_MAX: Duration = Duration::from_secs(5);
/// The longest message of a client: as many subjects as a stream may have fit.
const MESSAGE_BYTES_MAX: usize = 8 * 1024;
/// What a socket buffers in each direction before it asks the system; and what it may hold at most when the client takes nothing.
const BUFFER_BYTES: usize = 4 * 1024;
const BUFFER_BYTES_MAX: usize = 64 * 1024;
/// Pings and pongs of a client between two of ours, at most: each costs an answer.
const CONTROLS_MAX: u32 = 100;
/// How long a client has to answer that it closes, too.
const CLOSE_MAX: Duration = Duration::from_secs(1);

/// The answer that makes a WebSocket of the connection.
///
/// # Errors
/// `invalid_header` when the request does not ask for one.
pub(crate) fn accept(method: &Method, request: &HeaderMap) -> Result<Response<ResponseBody>, Refusal> {
    let has = |name: &header::HeaderName, word: &str| {
        let values = request.get_all(name).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    let asks = *method == Method::GET
        && has(&header::CONNECTION, "upgrade")
        && has(&header::UPGRADE, "websocket")
        && has(&header::SEC_WEBSOCKET_VERSION, "13");
    let Some(key) = request.get(header::SEC_WEBSOCKET_KEY).filter(|_| asks) else {
        let detail =
            "this is for WebSockets (Upgrade: websocket, Sec-WebSocket-Version: 13, over HTTP/1.1); /api/live/events has the same without";
        return Err(Refusal::new(ErrorCode::InvalidHeader, detail));
    };
    let accept = HeaderValue::try_from(derive_accept_key(key.as_bytes())).map_err(|_| ErrorCode::InvalidHeader)?;
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// Serves a socket from its upgrade on, for whoever the request said, or the socket's first message says.
pub(crate) async fn serve(edge: Arc<Edge>, upgrade: OnUpgrade, mut place: Place, (signed, mark): (Option<Signed>, Option<Mark>)) {
    // If the client is gone already, there is nobody to tell.
    let Ok(upgraded) = upgrade.await else { return };
    let config = WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(BUFFER_BYTES_MAX)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    let socket = WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
    let mut socket = Socket { socket, is_alive: true, controls: 0 };
    let opened = match signed {
        Some(signed) => Ok(signed),
        None => match tokio::time::timeout(SIGN_IN_MAX, socket.sign_in(&edge, &mut place)).await {
            Ok(signed) => signed,
            Err(_) => Err(Reason::Unauthenticated),
        },
    };
    let stream = match opened {
        Ok(signed) => Stream::open(edge, signed, mark).await.map_err(|refusal| Reason::Refused(refusal.code)),
        Err(reason) => Err(reason),
    };
    match stream {
        Ok(stream) => drive(stream, socket, place).await,
        Err(reason) => {
            place.live.metrics.begun(Socket::TRANSPORT);
            place.live.metrics.ended(Socket::TRANSPORT, reason);
            drop(place);
            socket.close(reason).await;
        }
    }
}

struct Socket {
    socket: WebSocketStream<TokioIo<Upgraded>>,
    /// Whether anything came since the client was last asked for a sign of life.
    is_alive: bool,
    /// Pings and pongs that came since then.
    controls: u32,
}

impl Socket {
    /// The first message, which must be a token.
    async fn sign_in(&mut self, edge: &Edge, place: &mut Place) -> Result<Signed, Reason> {
        let token = match self.hear().await {
            Heard::Said(Said::Token(token)) => Token::parse(token.as_bytes()).ok_or(Reason::Unauthenticated)?,
            Heard::Said(_) | Heard::Nonsense(_) => return Err(Reason::Unauthenticated),
            Heard::Over(reason) => return Err(reason),
        };
        let principal = edge.accounts.authenticate(&token).await.map_err(|refusal| Reason::Refused(refusal.code))?;
        let viewer = principal.and_then(|principal| principal.user()).ok_or(Reason::Unauthenticated)?;
        place.sign_in(viewer).map_err(|refusal| Reason::Refused(refusal.code))?;
        Ok(Signed { viewer, token })
    }
}

impl Outlet for Socket {
    const TRANSPORT: &'static str = "websocket";

    async fn give(&mut self, events: &[Event], cursor: &str) -> Result<(), Reason> {
        for event in events {
            self.socket.feed(Message::text(event::message(event, cursor))).await.map_err(|_| Reason::Left)?;
        }
        self.socket.flush().await.map_err(|_| Reason::Left)
    }

    async fn hear(&mut self) -> Heard {
        loop {
            let message = self.socket.next().await;
            self.is_alive = true;
            match message {
                Some(Ok(Message::Text(text))) => {
                    return serde_json::from_str(&text).map_or_else(|error| Heard::Nonsense(error.to_string()), Heard::Said);
                }
                // What answers a ping is sent by the next read.
                Some(Ok(Message::Ping(_) | Message::Pong(_))) if self.controls < CONTROLS_MAX => self.controls += 1,
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => return Heard::Over(Reason::Refused(ErrorCode::TooManyRequests)),
                Some(Ok(Message::Binary(_) | Message::Frame(_))) => return Heard::Over(Reason::Garbage),
                Some(Err(tungstenite::Error::Capacity(_) | tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_))) => {
                    return Heard::Over(Reason::Garbage);
                }
                Some(Ok(Message::Close(_)) | Err(_)) | None => return Heard::Over(Reason::Left),
            }
        }
    }

    async fn probe(&mut self) -> Result<(), Reason> {
        self.controls = 0;
        if !std::mem::take(&mut self.is_alive) {
            return Err(Reason::Slow);
        }
        let ping = self.socket.send(Message::Ping(bytes::Bytes::new()));
        match tokio::time::timeout(super::drive::TAKE_MAX, ping).await {
            Ok(sent) => sent.map_err(|_| Reason::Left),
            Err(_) => Err(Reason::Slow),
        }
    }

    async fn close(mut self, reason: Reason) {
        if reason == Reason::Left {
            return;
        }
        let word = reason.word();
        let end = Message::text(event::message(&Event::End { reason: word }, ""));
        let frame = CloseFrame { code: code(reason), reason: word.into() };
        let _ = tokio::time::timeout(CLOSE_MAX, async {
            self.socket.send(end).await?;
            self.socket.close(Some(frame)).await?;
            while self.socket.next().await.transpose()?.is_some() {}
            Ok::<_, tungstenite::Error>(())
        })
        .await;
    }
}

/// The close code of a reason: what it is by the standard (RFC 6455, 7.4.1, and IANA's list), or 4000 and what the status over HTTP would be.
fn code(reason: Reason) -> CloseCode {
    match reason {
        Reason::Left => CloseCode::Normal,
        Reason::Restart => CloseCode::Restart,
        Reason::Garbage => CloseCode::Policy,
        Reason::Slow => CloseCode::Library(4408),
        Reason::Unauthenticated | Reason::SessionEnded => CloseCode::Library(4401),
        Reason::Refused(ErrorCode::Overloaded | ErrorCode::Unavailable) => CloseCode::Again,
        Reason::Refused(code) => CloseCode::Library(4000 + crate::problem::status(code).as_u16()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_asks_for_a_socket_gets_one() {
        let mut asks = HeaderMap::new();
        let headers = [
            ("connection", "keep-alive, Upgrade"),
            ("upgrade", "websocket"),
            ("sec-websocket-version", "13"),
            ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ];
        for (name, value) in headers {
            asks.insert(name, HeaderValue::from_static(value));
        }
        let accepted = accept(&Method::GET, &asks).expect("it asks");
        // The example of RFC 6455, 1.3.
        assert_eq!(accepted.headers()[header::SEC_WEBSOCKET_ACCEPT], "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for (name, _) in headers {
            let mut without = asks.clone();
            without.remove(name);
            assert_eq!(accept(&Method::GET, &without).expect_err("it does not").code, ErrorCode::InvalidHeader, "{name}");
        }
    }

    #[test]
    fn close_codes_are_legal_and_tell_reasons_apart() {
        let codes = Reason::ALL.map(code);
        assert!(codes.iter().all(|code| code.is_allowed()));
        assert_eq!(u16::from(code(Reason::Refused(ErrorCode::LimitReached))), 4409);
        assert_eq!([Reason::Restart, Reason::SessionEnded].map(|reason| u16::from(code(reason))), [1012, 4401]);
    }
}
