//! A plain HTTP/1.1 client over a socket: a test decides every byte that is sent, and sees how a connection ends.

use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Longer than anything here takes: a test that meets it hangs, and fails.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A request with its headers as they are sent. `host` and `content-length` are added.
#[derive(Clone)]
pub struct Request {
    pub method: &'static str,
    pub path: String,
    headers: String,
    body: Vec<u8>,
}

pub fn get(path: impl Into<String>) -> Request {
    Request::new("GET", path)
}

pub fn post(path: impl Into<String>, body: Value) -> Request {
    Request::new("POST", path).json(&body)
}

pub fn put(path: impl Into<String>, body: Value) -> Request {
    Request::new("PUT", path).json(&body)
}

pub fn delete(path: impl Into<String>) -> Request {
    Request::new("DELETE", path)
}

impl Request {
    pub fn new(method: &'static str, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: String::new(), body: Vec::new() }
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        let _ = write!(self.headers, "{name}: {value}\r\n");
        self
    }

    /// The same question with another method.
    pub fn method(self, method: &'static str) -> Self {
        Self { method, ..self }
    }

    pub fn by(self, person: &Person) -> Self {
        self.token(&person.token)
    }

    pub fn token(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub fn key(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    pub fn json(self, body: &Value) -> Self {
        self.text("application/json", body.to_string())
    }

    pub fn text(self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..self.header("content-type", content_type) }
    }

    /// The head, for a body that is sent later.
    pub fn head(&self) -> String {
        let length = if self.body.is_empty() && matches!(self.method, "GET" | "HEAD" | "DELETE") {
            String::new()
        } else {
            format!("content-length: {}\r\n", self.body.len())
        };
        format!("{} {} HTTP/1.1\r\nhost: test\r\n{}{length}\r\n", self.method, self.path, self.headers)
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.head().into_bytes(), self.body.clone()].concat()
    }

    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

/// One answer.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The headers, without those that differ between two answers to the same question.
    pub fn lasting_headers(&self) -> Vec<(String, String)> {
        self.headers.iter().filter(|(name, _)| name != "date").cloned().collect()
    }

    #[track_caller]
    pub fn etag(&self) -> String {
        self.header("etag").unwrap_or_else(|| panic!("no entity tag: {self}")).to_owned()
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self}"))
    }

    /// Demands a status, and gives the body.
    #[track_caller]
    pub fn ok(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self}");
        if self.body.is_empty() { Value::Null } else { self.json() }
    }

    fn closes(&self) -> bool {
        self.header("connection") == Some("close")
    }
}

impl std::fmt::Display for Answer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {:?} {}", self.status, self.headers, self.text())
    }
}

/// Somebody with an account.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub token: String,
}

/// A connection to one listener; a new one when the server ended the last in words.
pub struct Client {
    addr: SocketAddr,
    wire: Option<BufReader<TcpStream>>,
}

impl Client {
    pub fn new(addr: SocketAddr) -> Self {
        Self { addr, wire: None }
    }

    /// Sends a request and reads its answer.
    #[track_caller]
    pub fn call(&mut self, request: &Request) -> Answer {
        self.try_call(request).unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.path))
    }

    /// As [`Client::call`], for servers that may be killed meanwhile.
    pub fn try_call(&mut self, request: &Request) -> io::Result<Answer> {
        self.send(&request.bytes())?;
        self.answer(request.method)
    }

    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let wire = match &mut self.wire {
            Some(wire) => wire,
            none => none.insert(BufReader::new(connect(self.addr)?)),
        };
        wire.get_mut().write_all(bytes)
    }

    /// Reads the answer to a request of `method`, and passes over interim ones.
    pub fn answer(&mut self, method: &str) -> io::Result<Answer> {
        let Some(wire) = &mut self.wire else { return Err(io::ErrorKind::NotConnected.into()) };
        let mut answer = read_head(wire)?;
        while answer.status < 200 {
            answer = read_head(wire)?;
        }
        if answer.header("content-type") == Some("text/event-stream") {
            // It goes on without an end, and is of no use for anything else.
            self.wire = None;
            return Ok(answer);
        }
        if method != "HEAD" && !matches!(answer.status, 204 | 304) {
            let length = answer.header("content-length").and_then(|length| length.parse().ok());
            answer.body = vec![0; length.ok_or_else(|| io::Error::other(format!("no length: {answer}")))?];
            wire.read_exact(&mut answer.body)?;
        }
        if answer.closes() {
            self.wire = None;
        }
        Ok(answer)
    }

    /// Reads an interim answer's status.
    pub fn interim(&mut self) -> io::Result<u16> {
        let wire = self.wire.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        read_head(wire).map(|head| head.status)
    }

    /// Whether nothing comes for so long.
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        let Some(wire) = &mut self.wire else { return false };
        wire.get_ref().set_read_timeout(Some(time)).expect("a socket");
        let read = wire.fill_buf().map(<[u8]>::len);
        wire.get_ref().set_read_timeout(Some(PATIENCE)).expect("a socket");
        read.is_err_and(|error| matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut))
    }

    /// Reads what still comes until the server closes, orderly or not.
    pub fn until_closed(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        if let Some(mut wire) = self.wire.take()
            && let Err(error) = wire.read_to_end(&mut rest)
        {
            assert!(
                !matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
                "the server does not close the connection"
            );
        }
        rest
    }

    /// Registers somebody of that name.
    #[track_caller]
    pub fn register(&mut self, name: &str) -> Person {
        let email = format!("{name}@example.org");
        let body = serde_json::json!({ "username": name, "email": email, "password": "a long password" });
        let opened = self.call(&post("/api/user/register", body)).ok(201);
        Person { id: text(&opened["user"]["id"]), token: text(&opened["token"]) }
    }

    /// The ids of a list, page by page until there is no cursor any more, and how many pages there were.
    #[track_caller]
    pub fn walk(&mut self, person: Option<&Person>, list: &str) -> (Vec<String>, usize) {
        self.walk_from(String::new(), person, list)
    }

    /// As [`Client::walk`], from a cursor on.
    #[track_caller]
    pub fn walk_from(&mut self, mut cursor: String, person: Option<&Person>, list: &str) -> (Vec<String>, usize) {
        let (mut ids, mut pages) = (Vec::new(), 0);
        loop {
            let path = if cursor.is_empty() { list.to_owned() } else { format!("{list}&cursor={cursor}") };
            let request = person.map_or(get(path.clone()), |person| get(path).by(person));
            let page = self.call(&request).ok(200);
            ids.extend(items(&page).iter().map(|item| text(&item["id"])));
            pages += 1;
            assert!(pages < 1000, "{list} does not end");
            match page["nextCursor"].as_str() {
                Some(next) => next.clone_into(&mut cursor),
                None => return (ids, pages),
            }
        }
    }
}

fn connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn read_head(wire: &mut BufReader<TcpStream>) -> io::Result<Answer> {
    let mut line = String::new();
    if wire.read_line(&mut line)? == 0 {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status line: {line:?}")))?;
    let mut headers = Vec::new();
    loop {
        line.clear();
        wire.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
            None => return Ok(Answer { status, headers, body: Vec::new() }),
        }
    }
}

/// A JSON text.
#[track_caller]
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// The rows of a page.
#[track_caller]
pub fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap_or_else(|| panic!("no page: {page}"))
}
