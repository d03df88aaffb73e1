//! Reading an answer, however its bytes are cut on the way.

use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::response::{Framing, Head};
use super::{Error, RESPONSE_BYTES_MAX, Response};

const BUFFER_BYTES: usize = 16 * 1024;

/// What was read of a connection: at most one answer.
#[derive(Debug)]
pub(super) struct Incoming {
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

impl Default for Incoming {
    fn default() -> Self {
        Self { buffer: Vec::with_capacity(BUFFER_BYTES), decoded: Vec::new(), answer: None }
    }
}

impl Incoming {
    /// Whether the last answer said that the connection ends with it.
    pub(super) fn is_last(&self) -> bool {
        self.answer.as_ref().is_some_and(|answer| answer.head.closes)
    }

    /// Reads one whole answer into the buffer.
    pub(super) async fn receive(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<(), Error> {
        self.buffer.clear();
        self.decoded.clear();
        self.answer = None;
        let head = loop {
            let at_end = self.fill(stream).await?;
            if let Some(head) = Head::parse(&self.buffer)? {
                break head;
            }
            if at_end {
                return Err(if self.buffer.is_empty() { Error::Closed } else { Error::Malformed("cut off in its head") });
            }
        };
        let body = match head.framing {
            Framing::Length(length) => self.read_length(stream, head.bytes, length).await?,
            Framing::Chunked => self.read_chunks(stream, head.bytes).await?,
            Framing::UntilClose => self.read_until_close(stream).await?,
        };
        self.answer = Some(Answer { head, body });
        Ok(())
    }

    /// The answer that [`Incoming::receive`] read.
    pub(super) fn response(&self) -> Response<'_> {
        let Answer { head, body } = self.answer.as_ref().expect("an answer was received");
        let body = match *body {
            Body::InBuffer { end } => &self.buffer[head.bytes..end],
            Body::Decoded => &self.decoded,
        };
        Response { head, head_bytes: &self.buffer[..head.bytes], body }
    }

    /// Reads once; true at the end of the stream.
    async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<bool, Error> {
        if self.buffer.len() >= RESPONSE_BYTES_MAX {
            return Err(Error::TooLarge);
        }
        match stream.read_buf(&mut self.buffer).await {
            Ok(bytes) => Ok(bytes == 0),
            // A reset before any byte is how a close looks when it crosses our request.
            Err(fault) if self.buffer.is_empty() && fault.kind() == std::io::ErrorKind::ConnectionReset => Err(Error::Closed),
            Err(fault) => Err(Error::Io(fault)),
        }
    }

    async fn read_length(&mut self, stream: &mut (impl AsyncRead + Unpin), start: usize, length: usize) -> Result<Body, Error> {
        let end = start.checked_add(length).filter(|end| *end <= RESPONSE_BYTES_MAX).ok_or(Error::TooLarge)?;
        while self.buffer.len() < end {
            if self.fill(stream).await? {
                return Err(Error::Malformed("body shorter than its content-length"));
            }
        }
        if self.buffer.len() > end {
            return Err(Error::Malformed("bytes after the body"));
        }
        Ok(Body::InBuffer { end })
    }

    async fn read_until_close(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> Result<Body, Error> {
        while !self.fill(stream).await? {}
        Ok(Body::InBuffer { end: self.buffer.len() })
    }

    async fn read_chunks(&mut self, stream: &mut (impl AsyncRead + Unpin), start: usize) -> Result<Body, Error> {
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
            if self.fill(stream).await? {
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
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt as _;

    /// What is made of an answer whose bytes arrive at most `cut` at a time: status, body, and whether it is the last.
    fn read_answer(answer: &[u8], cut: usize) -> Result<(u16, Vec<u8>, bool), Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut server, mut client) = tokio::io::duplex(cut);
            let mut incoming = Incoming::default();
            let serve = async {
                // The client may have seen enough before all is sent.
                let _ = server.write_all(answer).await;
                drop(server);
            };
            let read = async {
                let received = incoming.receive(&mut client).await;
                drop(client);
                received
            };
            tokio::join!(serve, read).1?;
            let response = incoming.response();
            Ok((response.status(), response.body().to_vec(), incoming.is_last()))
        })
    }

    fn with_head(headers: &str, body: &str) -> Vec<u8> {
        format!("HTTP/1.1 200 OK\r\n{headers}\r\n{body}").into_bytes()
    }

    #[test]
    fn reads_every_framing_however_it_is_cut() {
        let chunks = "3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n";
        let answers = [
            (with_head("content-length: 5\r\n", "hello"), false),
            (with_head("transfer-encoding: chunked\r\n", &format!("{chunks}\r\n")), false),
            (with_head("transfer-encoding: chunked\r\n", &format!("{chunks}x-trailer: 1\r\n\r\n")), false),
            (with_head("connection: close\r\ncontent-length: 5\r\n", "hello"), true),
            (with_head("", "hello"), true),
        ];
        for (answer, is_last) in answers {
            for cut in [1, 2, 3, 7, 10_000] {
                let read = read_answer(&answer, cut).unwrap();
                assert_eq!(read, (200, b"hello".to_vec(), is_last), "{} by {cut}", String::from_utf8_lossy(&answer));
            }
        }
    }

    #[test]
    fn tells_what_is_wrong() {
        for cut in [1, 10_000] {
            let read = |headers, body| read_answer(&with_head(headers, body), cut);
            assert!(matches!(read_answer(b"", cut), Err(Error::Closed)));
            assert!(matches!(read_answer(b"HTTP/1.1 200", cut), Err(Error::Malformed(_))));
            assert!(matches!(read_answer(b"SMTP ready\r\n\r\n", cut), Err(Error::Malformed(_))));
            assert!(matches!(read("content-length: 6\r\n", "hello"), Err(Error::Malformed(_))));
            assert!(matches!(read("content-length: 99999999999\r\n", ""), Err(Error::TooLarge)));
            assert!(matches!(read("transfer-encoding: chunked\r\n", "zz\r\n"), Err(Error::Malformed(_))));
            assert!(matches!(read("transfer-encoding: chunked\r\n", "5\r\nhel"), Err(Error::Malformed(_))));
            assert!(matches!(read("transfer-encoding: chunked\r\n", "fffffffff\r\n"), Err(Error::TooLarge)));
        }
        assert!(matches!(read_answer(&with_head("content-length: 1\r\n", "hello"), 10_000), Err(Error::Malformed(_))));
    }

    proptest! {
        #[test]
        fn never_panics(framing in 0..3_usize, body in proptest::collection::vec(any::<u8>(), 0..200), cut in 1..300_usize) {
            let headers = ["content-length: 20\r\n", "transfer-encoding: chunked\r\n", ""][framing];
            let mut answer = with_head(headers, "");
            answer.extend_from_slice(&body);
            let _ = read_answer(&answer, cut);
        }

        #[test]
        fn chunks_make_up_the_body(pieces in proptest::collection::vec("[a-z\r\n]{1,40}", 0..6), cut in 1..60_usize) {
            let chunks: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
            let answer = with_head("transfer-encoding: chunked\r\n", &format!("{chunks}0\r\n\r\n"));
            prop_assert_eq!(read_answer(&answer, cut).unwrap().1, pieces.concat().into_bytes());
        }
    }
}
