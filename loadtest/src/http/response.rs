use std::ops::Range;

use super::Error;

/// The most header fields an answer may have.
const HEADERS_MAX: usize = 64;

/// Whether the server itself said that an answer may be behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labelled {
    /// No label: the answer claims to be current.
    Current,
    /// An `Age` header, or a `Cache-Status` that says `stale`.
    Stale,
}

/// How the body's end is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

/// What was read of a response's head; ranges point into the connection's buffer.
#[derive(Clone, Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) bytes: usize,
    pub(super) framing: Framing,
    pub(super) closes: bool,
    pub(super) labelled: Labelled,
    pub(super) etag: Option<Range<usize>>,
}

impl Head {
    /// Reads a head; `None` while it is incomplete.
    pub(super) fn parse(buffer: &[u8]) -> Result<Option<Self>, Error> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        let bytes = match parsed.parse(buffer) {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(_) => return Err(Error::Malformed("head")),
        };
        let status = parsed.code.ok_or(Error::Malformed("no status"))?;
        if status < 200 {
            return Err(Error::Malformed("an informational answer that nobody asked for"));
        }
        let mut head = Self {
            status,
            bytes,
            framing: Framing::UntilClose,
            closes: parsed.version == Some(0),
            labelled: Labelled::Current,
            etag: None,
        };
        for field in parsed.headers.iter() {
            head.note(buffer, field)?;
        }
        if status == 204 || status == 304 {
            head.framing = Framing::Length(0);
        }
        head.closes |= head.framing == Framing::UntilClose;
        Ok(Some(head))
    }

    fn note(&mut self, buffer: &[u8], field: &httparse::Header<'_>) -> Result<(), Error> {
        let is = |name: &str| field.name.eq_ignore_ascii_case(name);
        // The length tells most names apart without a comparison.
        match field.name.len() {
            3 if is("age") => self.labelled = Labelled::Stale,
            4 if is("etag") => {
                let start = field.value.as_ptr().addr() - buffer.as_ptr().addr();
                self.etag = Some(start..start + field.value.len());
            }
            10 if is("connection") => self.closes |= contains(field.value, b"close"),
            12 if is("cache-status") && contains(field.value, b"stale") => self.labelled = Labelled::Stale,
            14 if is("content-length") && self.framing != Framing::Chunked => {
                let text = str::from_utf8(field.value).map_err(|_| Error::Malformed("content-length"))?;
                let length = text.trim().parse().map_err(|_| Error::Malformed("content-length"))?;
                self.framing = Framing::Length(length);
            }
            17 if is("transfer-encoding") => {
                if !contains(field.value, b"chunked") {
                    return Err(Error::Malformed("transfer-encoding"));
                }
                self.framing = Framing::Chunked;
            }
            _ => {}
        }
        Ok(())
    }
}

fn contains(value: &[u8], word: &[u8]) -> bool {
    value.windows(word.len()).any(|window| window.eq_ignore_ascii_case(word))
}

/// An answer, as long as its connection is not used again.
#[derive(Clone, Copy, Debug)]
pub struct Response<'a> {
    pub(super) head: &'a Head,
    pub(super) head_bytes: &'a [u8],
    pub(super) body: &'a [u8],
}

impl<'a> Response<'a> {
    /// The status code, 200 to 999.
    pub fn status(&self) -> u16 {
        self.head.status
    }

    /// The body, with any transfer coding removed.
    pub fn body(&self) -> &'a [u8] {
        self.body
    }

    /// Whether the server labelled the answer as possibly behind.
    pub fn labelled(&self) -> Labelled {
        self.head.labelled
    }

    /// The version in an `ETag` of the form `"17"`, `"v17"` or the weak forms of both; `None` for any other.
    pub fn etag_version(&self) -> Option<u64> {
        let raw = str::from_utf8(self.head_bytes.get(self.head.etag.clone()?)?).ok()?;
        let opaque = raw.trim().trim_start_matches("W/").strip_prefix('"')?.strip_suffix('"')?;
        opaque.strip_prefix('v').unwrap_or(opaque).parse().ok()
    }

    /// All header fields in order, for reports; values that are not text are left out.
    pub fn headers(&self) -> Vec<(String, String)> {
        let mut fields = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut parsed = httparse::Response::new(&mut fields);
        if parsed.parse(self.head_bytes).is_err() {
            return Vec::new();
        }
        let text = |field: &httparse::Header<'_>| {
            let value = str::from_utf8(field.value).ok()?;
            Some((field.name.to_ascii_lowercase(), value.to_owned()))
        };
        parsed.headers.iter().filter_map(text).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().expect("a whole head")
    }

    #[test]
    fn finds_the_end_of_the_body() {
        assert_eq!(head("HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n").framing, Framing::Length(12));
        assert_eq!(head("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 1\r\n\r\n").framing, Framing::Chunked);
        assert_eq!(head("HTTP/1.1 304 Not Modified\r\ncontent-length: 90\r\n\r\n").framing, Framing::Length(0));
        let open = head("HTTP/1.0 200 OK\r\n\r\n");
        assert_eq!((open.framing, open.closes), (Framing::UntilClose, true));
        assert!(head("HTTP/1.1 200 OK\r\nconnection: Close\r\ncontent-length: 0\r\n\r\n").closes);
    }

    #[test]
    fn reads_versions_and_labels() {
        let version = |etag: &str| {
            let text = format!("HTTP/1.1 200 OK\r\netag: {etag}\r\ncontent-length: 0\r\n\r\n");
            let head = head(&text);
            Response { head: &head, head_bytes: text.as_bytes(), body: b"" }.etag_version()
        };
        assert_eq!(version("\"17\""), Some(17));
        assert_eq!(version("W/\"v18\""), Some(18));
        assert_eq!(version("\"3fa9\""), None);
        assert_eq!(version("17"), None);
        let stale = "HTTP/1.1 200 OK\r\ncache-status: lc; fwd=stale\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(head(stale).labelled, Labelled::Stale);
        let hit = "HTTP/1.1 200 OK\r\ncache-status: lc; hit\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(head(hit).labelled, Labelled::Current);
        assert_eq!(head("HTTP/1.1 200 OK\r\nage: 4\r\ncontent-length: 0\r\n\r\n").labelled, Labelled::Stale);
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::parse(&bytes);
            let mut framed = b"HTTP/1.1 200 OK\r\n".to_vec();
            framed.extend_from_slice(&bytes);
            let _ = Head::parse(&framed);
        }
    }
}
