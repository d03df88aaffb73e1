//! Live updates, as clients notice them: what is told, to whom, how soon, and how a stream ends.

mod bounds;
mod nodes;
mod told;

use crate::http::{Client, PATIENCE, Person, get, post, put, text};
use serde_json::{Value, json};
use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};
use tungstenite::{Error, HandshakeError, Message, WebSocket, client::IntoClientRequest, http};

/// Shorter than the time between two looks without being told (`live.ping_s`): what is told within it was heard of.
pub const SOON: Duration = Duration::from_secs(10);

/// Server-sent events.
pub struct Events {
    wire: TcpStream,
    read: Vec<u8>,
}

impl Events {
    /// Opens a stream with this query.
    #[track_caller]
    pub fn open(addr: SocketAddr, person: &Person, query: &str) -> Self {
        Self::ask(addr, &get(format!("/api/live/events{query}")).by(person).head())
    }

    /// As [`Events::open`], where an earlier one ended.
    #[track_caller]
    pub fn resume(addr: SocketAddr, person: &Person, last: &str) -> Self {
        Self::ask(addr, &get("/api/live/events").by(person).header("last-event-id", last).head())
    }

    #[track_caller]
    fn ask(addr: SocketAddr, head: &str) -> Self {
        let mut wire = TcpStream::connect(addr).expect("the server listens");
        wire.write_all(head.as_bytes()).expect("sent");
        let mut events = Self { wire, read: Vec::new() };
        let head = events.line(PATIENCE).expect("an answer");
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        events
    }

    /// The next line, as far as one comes in time. Sizes of chunks are lines, too.
    fn line(&mut self, within: Duration) -> Option<String> {
        let deadline = Instant::now() + within;
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return Some(String::from_utf8_lossy(&line).trim_end().to_owned());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.wire.set_read_timeout(Some(left)).expect("a socket");
            let mut bytes = [0; 4096];
            match self.wire.read(&mut bytes) {
                Ok(0) => return None,
                Ok(count) => self.read.extend(&bytes[..count]),
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return None,
            }
        }
    }
}

/// A WebSocket.
pub struct Socket {
    pub socket: WebSocket<TcpStream>,
}

impl Socket {
    /// Asks for one with these headers; the status where it is refused.
    pub fn ask(addr: SocketAddr, headers: &[(&'static str, &str)]) -> Result<Self, (u16, String)> {
        Self::ask_for(addr, "/api/live", headers)
    }

    fn ask_for(addr: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Result<Self, (u16, String)> {
        let mut request = format!("ws://{addr}{path}").into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, http::HeaderValue::from_str(value).expect("a header"));
        }
        let wire = TcpStream::connect(addr).expect("the server listens");
        wire.set_read_timeout(Some(PATIENCE)).expect("a socket");
        match tungstenite::client(request, wire) {
            Ok((socket, _)) => Ok(Self { socket }),
            Err(HandshakeError::Failure(Error::Http(answer))) => {
                let body = answer.body().as_deref().map(|body| String::from_utf8_lossy(body).into_owned());
                Err((answer.status().as_u16(), body.unwrap_or_default()))
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// Opens one with a session.
    #[track_caller]
    pub fn open(addr: SocketAddr, person: &Person) -> Self {
        let bearer = format!("Bearer {}", person.token);
        let mut socket = Self::ask(addr, &[("authorization", &bearer)]).unwrap_or_else(|(status, _)| panic!("refused with {status}"));
        socket.expect("hello");
        socket
    }

    pub fn say(&mut self, message: &Value) {
        self.socket.send(Message::text(message.to_string())).expect("sent");
    }

    /// The close code and its reason, once the server has closed.
    #[track_caller]
    pub fn closed(&mut self) -> (u16, String) {
        self.socket.get_ref().set_read_timeout(Some(PATIENCE)).expect("a socket");
        let deadline = Instant::now() + PATIENCE;
        loop {
            assert!(Instant::now() < deadline, "it is not closed");
            match self.socket.read() {
                Ok(Message::Close(frame)) => {
                    let frame = frame.expect("a reason");
                    return (frame.code.into(), frame.reason.to_string());
                }
                Ok(_) => {}
                Err(error) => panic!("it was cut off: {error}"),
            }
        }
    }
}

/// A stream, whichever way it comes.
pub trait Stream {
    /// The next event, signs of life left out; `None` if none comes in time, or the stream is over.
    fn next(&mut self, within: Duration) -> Option<Value>;

    /// Demands that the next event is of this type, and soon.
    #[track_caller]
    fn expect(&mut self, kind: &str) -> Value {
        let event = self.next(SOON).unwrap_or_else(|| panic!("no {kind} came"));
        assert_eq!(event["type"], kind, "{event}");
        event
    }

    /// Passes over events until one of this type.
    #[track_caller]
    fn until(&mut self, kind: &str) -> Value {
        loop {
            let event = self.next(SOON).unwrap_or_else(|| panic!("no {kind} came"));
            if event["type"] == kind {
                return event;
            }
        }
    }

    /// Demands that the next post that is told of is this one.
    #[track_caller]
    fn expect_post(&mut self, id: &str) -> Value {
        let event = self.until("post.created");
        assert_eq!(event["postId"], id, "{event}");
        event
    }
}

impl Stream for Events {
    fn next(&mut self, within: Duration) -> Option<Value> {
        let deadline = Instant::now() + within;
        loop {
            let line = self.line(deadline.saturating_duration_since(Instant::now()))?;
            let Some(data) = line.strip_prefix("data: ") else { continue };
            let event: Value = serde_json::from_str(data).expect("JSON");
            if event["type"] != "ping" {
                return Some(event);
            }
        }
    }
}

impl Stream for Socket {
    fn next(&mut self, within: Duration) -> Option<Value> {
        let deadline = Instant::now() + within;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.socket.get_ref().set_read_timeout(Some(left)).expect("a socket");
            match self.socket.read() {
                Ok(Message::Text(data)) => {
                    let event: Value = serde_json::from_str(&data).expect("JSON");
                    if event["type"] != "ping" {
                        return Some(event);
                    }
                }
                Ok(_) => {}
                Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                Err(_) => return None,
            }
        }
    }
}

#[track_caller]
pub fn publish(client: &mut Client, by: &Person, visibility: &str) -> String {
    let body = json!({ "content": "hello", "visibility": visibility });
    text(&client.call(&post("/api/content/posts", body).by(by)).ok(201)["id"])
}

#[track_caller]
pub fn follow(client: &mut Client, who: &Person, whom: &Person) {
    client.call(&put(format!("/api/user/users/{}/follow", whom.id), json!({})).by(who)).ok(200);
}
