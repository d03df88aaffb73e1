use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::response::{Framing, Head};
use super::{Edge, Error, RESPONSE_BYTES_MAX, Response};

const BUFFER_BYTES: usize = 16 * 1024;

/// One keep-alive connection. An exchange that fails or is dropped half-way leaves it unusable: open another.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    decoded: Vec<u8>,
    answer: Option<Answer>,
}

/// The answer that the buffer holds now.
#[derive(Debug)]
struct Answer {
    head: Head,
    body: Body,
}

#[derive(Clone, Copy, Debug)]
enum Body {
    InBuffer { end: usize },
    Decoded,
}

impl Connection {
    /// Connects, without Nagle's delay.
    pub async fn open(edge: &Edge) -> Result<Self, Error> {
        let stream = TcpStream::connect(edge.address()).await.map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        Ok(Self { stream, buffer: Vec::with_capacity(BUFFER_BYTES), decoded: Vec::new(), answer: None })
    }

    /// Whether nothing speaks against sending another request: the server may have closed an idle connection.
    pub fn looks_open(&self) -> bool {
        let mut byte = [0; 1];
        let unread = self.stream.try_read(&mut byte);
        matches!(unread, Err(fault) if fault.kind() == std::io::ErrorKind::WouldBlock)
    }

    /// Whether the last answer said that the connection ends with it.
    pub fn is_spent(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.head.closes)
    }

    /// Sends a request and reads its answer. There is no deadline here: callers bound it.
    pub async fn exchange(&mut self, request: &[u8]) -> Result<Response<'_>, Error> {
        self.send(request).await?;
        self.receive().await?;
        Ok(self.response())
    }

    /// Sends bytes as they are.
    pub async fn send(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.answer = None;
        self.stream.write_all(bytes).await.map_err(Error::Io)
    }

    /// Reads one whole answer into the buffer.
    pub async fn receive(&mut self) -> Result<(), Error> {
        self.buffer.clear();
        self.decoded.clear();
        self.answer = None;
        let head = loop {
            let at_end = self.fill().await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
            if at_end {
                return Err(if self.buffer.is_empty() { Error::Closed } else { Error::Malformed("cut off in its head") });
            }
        };
        let body = match head.framing {
            Framing::Length(length) => self.read_length(head.bytes, length).await?,
            Framing::Chunked => self.read_chunks(head.bytes).await?,
            Framing::UntilClose => self.read_until_close().await?,
        };
        self.answer = Some(Answer { head, body });
        Ok(())
    }

    /// The answer that [`Connection::receive`] read.
    ///
    /// # Panics
    /// If nothing was received: a mistake of the caller, never of the server.
    pub fn response(&self) -> Response<'_> {
        let Answer { head, body } = self.answer.as_ref().expect("an answer was received");
        let body = match *body {
            Body::InBuffer { end } => &self.buffer[head.bytes..end],
            Body::Decoded => &self.decoded,
        };
        Response { head, head_bytes: &self.buffer[..head.bytes], body }
    }

    /// Reads once; true at the end of the stream.
    async fn fill(&mut self) -> Result<bool, Error> {
        if self.buffer.len() >= RESPONSE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(bytes) => Ok(bytes == 0),
            // A reset before any byte is how a close looks when it crosses our request.
            Err(fault) if self.buffer.is_empty() && fault.kind() == std::io::ErrorKind::ConnectionReset => Err(Error::Closed),
            Err(fault) => Err(Error::Io(fault)),
        }
    }

    async fn read_length(&mut self, start: usize, length: usize) -> Result<Body, Error> {
        let end = start.checked_add(length).filter(|end| *end <= RESPONSE_BYTES_MAX).ok_or(Error::TooLarge)?;
        while self.buffer.len() < end {
            if self.fill().await? {
                return Err(Error::Malformed("body shorter than its content-length"));
            }
        }
        if self.buffer.len() > end {
            return Err(Error::Malformed("bytes after the body"));
        }
        Ok(Body::InBuffer { end })
    }

    async fn read_until_close(&mut self) -> Result<Body, Error> {
        while !self.fill().await? {}
        Ok(Body::InBuffer { end: self.buffer.len() })
    }

    async fn read_chunks(&mut self, start: usize) -> Result<Body, Error> {
        let mut at = start;
        loop {
            let size = match httparse::parse_chunk_size(&self.buffer[at..]) {
                Ok(httparse::Status::Complete(size)) => Some(size),
                Ok(httparse::Status::Partial) => None,
                Err(_) => return Err(Error::Malformed("chunk size")),
            };
            if let Some((line_bytes, length)) = size {
                let length = usize::try_from(length).map_err(|_| Error::TooLarge)?;
                let end = (at + line_bytes).checked_add(length).filter(|end| *end <= RESPONSE_BYTES_MAX).ok_or(Error::TooLarge)?;
                if length == 0 && self.trailer_ended(at + line_bytes) {
                    return Ok(Body::Decoded);
                }
                if length > 0 && self.buffer.len() >= end + 2 {
                    self.decoded.extend_from_slice(&self.buffer[at + line_bytes..end]);
                    at = end + 2;
                    continue;
                }
            }
            if self.fill().await? {
                return Err(Error::Malformed("cut off in its chunks"));
            }
        }
    }

    fn trailer_ended(&self, at: usize) -> bool {
        let trailer = &self.buffer[at..];
        trailer.starts_with(b"\r\n") || trailer.windows(4).any(|window| window == b"\r\n\r\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::net::TcpListener;

    /// Serves `pieces` to one connection, one write each, and returns what the client made of them.
    async fn read_answer(pieces: &'static [&'static str]) -> Result<(u16, String, bool), Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let edge = Edge::from(listener.local_addr().unwrap());
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            let mut request = [0; 64];
            let _ = stream.read(&mut request).await.unwrap();
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let client = async {
            let mut connection = Connection::open(&edge).await?;
            let response = connection.exchange(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await?;
            let body = String::from_utf8_lossy(response.body()).into_owned();
            Ok((response.status(), body, !connection.is_spent()))
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn reads_a_body_by_length_in_pieces() {
        let answer = read_answer(&["HTTP/1.1 200 OK\r\ncontent-", "length: 5\r\n\r\nhe", "llo"]).await;
        assert_eq!(answer.unwrap(), (200, "hello".to_owned(), true));
    }

    #[tokio::test]
    async fn reads_chunks() {
        let pieces = &["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel\r", "\n2;x=y\r\nlo\r\n0\r\n", "\r\n"];
        assert_eq!(read_answer(pieces).await.unwrap(), (200, "hello".to_owned(), true));
    }

    #[tokio::test]
    async fn reads_until_close() {
        let answer = read_answer(&["HTTP/1.1 200 OK\r\n\r\n", "he", "llo"]).await;
        assert_eq!(answer.unwrap(), (200, "hello".to_owned(), false));
    }

    #[tokio::test]
    async fn tells_what_is_wrong() {
        assert!(matches!(read_answer(&[]).await, Err(Error::Closed)));
        assert!(matches!(read_answer(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhe"]).await, Err(Error::Malformed(_))));
        assert!(matches!(read_answer(&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nhe"]).await, Err(Error::Malformed(_))));
        assert!(matches!(read_answer(&["HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"]).await, Err(Error::TooLarge)));
        assert!(matches!(read_answer(&["HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"]).await, Err(Error::Malformed(_))));
    }
}
