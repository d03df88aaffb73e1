//! What the transport says by itself, where no exchange of HTTP's is under way: the answer to bytes that are no request, to a head that is
//! too large or too slow, and to a connection beyond the cap.
//!
//! hyper answers the first two itself, with a head and nothing else, and asks nobody. So the socket (`stream.rs`) puts the service's own
//! answer in that head's place. hyper ends a connection after it in every case, and so the answer says.

use bytes::{BufMut, Bytes, BytesMut};
use http::{Response, StatusCode, header};
use time::{OffsetDateTime, format_description::BorrowedFormatItem, macros::format_description};

use super::connection::Shared;
use super::{Fault, ResponseBody, Service};

/// RFC 9110, section 5.6.7: IMF-fixdate.
const HTTP_DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// Longer than hyper's bare refusals are: a status line and at most three headers that it makes itself.
const BARE_BYTES_MAX: usize = 192;

/// The date's line, whose length is always the same, and the empty one behind it.
const DATE_LINES_BYTES: usize = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n".len();

/// Says the last that a client hears on its connection.
pub(super) trait LastWord: Send + Sync {
    /// A whole HTTP/1.1 response that ends the connection.
    fn last_word(&self, fault: Fault) -> Bytes;
}

impl<S: Service> LastWord for Shared<S> {
    fn last_word(&self, fault: Fault) -> Bytes {
        write(self.service.fault(fault))
    }
}

impl std::fmt::Debug for dyn LastWord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LastWord")
    }
}

/// Writes a response as HTTP/1.1 has it. A body that is not whole is left out.
fn write(response: Response<ResponseBody>) -> Bytes {
    let (head, body) = response.into_parts();
    let body = match body {
        ResponseBody::Full(body) => body,
        ResponseBody::Boxed(_) => Bytes::new(),
    };
    let mut bytes = BytesMut::with_capacity(512 + body.len());
    let reason = head.status.canonical_reason().unwrap_or("Refused");
    bytes.put_slice(format!("HTTP/1.1 {} {reason}\r\n", head.status.as_u16()).as_bytes());
    for (name, value) in head.headers.iter().filter(|(name, _)| !is_framing(name)) {
        bytes.put_slice(name.as_str().as_bytes());
        bytes.put_slice(b": ");
        bytes.put_slice(value.as_bytes());
        bytes.put_slice(b"\r\n");
    }
    if let Ok(now) = OffsetDateTime::now_utc().format(HTTP_DATE) {
        bytes.put_slice(format!("date: {now}\r\n").as_bytes());
    }
    bytes.put_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", body.len()).as_bytes());
    bytes.put_slice(&body);
    bytes.freeze()
}

/// Headers that are the transport's to set.
fn is_framing(name: &header::HeaderName) -> bool {
    *name == header::CONTENT_LENGTH || *name == header::TRANSFER_ENCODING || *name == header::CONNECTION || *name == header::DATE
}

/// Finds hyper's bare refusal at the end of what it writes: where it begins, and what it says.
///
/// Told apart from an answer of the service by what it has: no header but those that hyper adds by itself. Whatever is written is looked at,
/// so the first look is one comparison: where hyper writes no other header, its last two are these.
pub(super) fn bare_refusal(written: &[u8]) -> Option<(usize, Fault)> {
    let before_date = written.len().checked_sub(DATE_LINES_BYTES)?;
    if !written[..before_date].ends_with(b"\r\ncontent-length: 0\r\n") {
        return None;
    }
    let window_begins = written.len().saturating_sub(BARE_BYTES_MAX);
    let window = &written[window_begins..];
    let begins = window.windows(9).rposition(|word| word == b"HTTP/1.1 " || word == b"HTTP/1.0 ")?;
    let text = std::str::from_utf8(&window[begins..]).ok()?;
    let (status_line, headers) = text.strip_suffix("\r\n\r\n")?.split_once("\r\n")?;
    let made_by_hyper = |line: &str| ["content-length: 0", "connection: ", "date: "].iter().any(|own| line.starts_with(own));
    if !headers.split("\r\n").all(made_by_hyper) {
        return None;
    }
    let status = StatusCode::from_bytes(status_line.get(9..12)?.as_bytes()).ok()?;
    let faults = [Fault::Garbled, Fault::TargetTooLong, Fault::HeadTooLarge];
    let fault = faults.into_iter().find(|fault| fault.status() == status)?;
    Some((window_begins + begins, fault))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DATE: &str = "date: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n";

    fn found(written: &str) -> Option<(usize, Fault)> {
        bare_refusal(written.as_bytes())
    }

    #[test]
    fn hypers_own_refusals_are_found_alone_and_behind_an_answer() {
        let bare = format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n{DATE}");
        assert_eq!(found(&bare), Some((0, Fault::Garbled)));
        assert_eq!(found(&format!("{}{bare}", "x".repeat(1000))), Some((1000, Fault::Garbled)));
        let closing = format!("HTTP/1.0 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n{DATE}");
        assert_eq!(found(&closing), Some((0, Fault::HeadTooLarge)));
        assert_eq!(found(&format!("HTTP/1.1 414 URI Too Long\r\ncontent-length: 0\r\n{DATE}")), Some((0, Fault::TargetTooLong)));
    }

    #[test]
    fn answers_of_the_service_are_left_alone() {
        for answer in [
            String::new(),
            format!("HTTP/1.1 304 Not Modified\r\n{DATE}"),
            format!("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n{DATE}"),
            format!("HTTP/1.1 400 Bad Request\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n{DATE}"),
            format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 120\r\n{DATE}"),
            format!("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n{DATE}{{}}"),
            "HTTP/1.1 4\r\n\r\n".to_owned(),
        ] {
            assert_eq!(found(&answer), None, "{answer}");
        }
    }

    #[test]
    fn a_last_word_is_a_whole_response_that_ends_the_connection() {
        let mut response = Response::new(ResponseBody::from("{}"));
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        response.headers_mut().insert(header::RETRY_AFTER, header::HeaderValue::from_static("1"));
        let text = String::from_utf8(write(response).to_vec()).expect("text");
        assert!(text.starts_with("HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ndate: "), "{text}");
        assert!(text.ends_with(" GMT\r\ncontent-length: 2\r\nconnection: close\r\n\r\n{}"), "{text}");
    }
}
