//! Which part of some bytes a client wants (RFC 9110, 14).

use http::{HeaderMap, header};
use std::ops::Range;

/// What of a number of bytes is to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// All of them: nothing else was asked for, or what was asked for is not understood.
    All,
    /// These.
    Part(Range<u64>),
    /// None of those that were asked for are there.
    Nothing,
}

/// Reads the Range header for `size` bytes under a strong entity tag. One range is heeded; of several, the whole is sent, which is always allowed.
#[must_use]
pub fn wanted(request: &HeaderMap, etag: &str, size: u64) -> Wanted {
    let text = |name| request.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let Some(range) = text(header::RANGE).and_then(|value| value.trim().strip_prefix("bytes=")) else { return Wanted::All };
    // A part of another version is of no use to who has the rest of this one. A date is no strong validator of ours.
    if text(header::IF_RANGE).is_some_and(|tag| tag.trim() != etag) {
        return Wanted::All;
    }
    let Some((first, last)) = range.split_once('-').filter(|_| !range.contains(',')) else { return Wanted::All };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u64>().ok()).flatten();
    match (first.trim(), last.trim()) {
        ("", "") => Wanted::All,
        ("", suffix) => match number(suffix) {
            Some(0) => Wanted::Nothing,
            Some(_) if size == 0 => Wanted::Nothing,
            Some(length) => Wanted::Part(size.saturating_sub(length)..size),
            None => Wanted::All,
        },
        (first, last) => {
            let end = if last.is_empty() { Some(size) } else { number(last).map(|last| last.saturating_add(1).min(size)) };
            match (number(first), end) {
                (Some(first), Some(_)) if first >= size => Wanted::Nothing,
                (Some(first), Some(end)) if first < end => Wanted::Part(first..end),
                _ => Wanted::All,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(range: &str, size: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, range.parse().expect("a value"));
        wanted(&headers, "\"a\"", size)
    }

    #[test]
    fn one_range_is_heeded_and_nonsense_is_not() {
        assert_eq!(wanted(&HeaderMap::new(), "\"a\"", 10), Wanted::All);
        assert_eq!(of("bytes=2-4", 10), Wanted::Part(2..5));
        assert_eq!(of("bytes=2-", 10), Wanted::Part(2..10));
        assert_eq!(of("bytes=-3", 10), Wanted::Part(7..10));
        assert_eq!(of("bytes=-30", 10), Wanted::Part(0..10));
        assert_eq!(of("bytes=0-99", 10), Wanted::Part(0..10));
        assert_eq!(of(&format!("bytes=0-{}", u64::MAX), 10), Wanted::Part(0..10));
        for nothing in ["bytes=10-", "bytes=10-12", "bytes=-0"] {
            assert_eq!(of(nothing, 10), Wanted::Nothing, "{nothing}");
        }
        assert_eq!((of("bytes=0-", 0), of("bytes=-1", 0)), (Wanted::Nothing, Wanted::Nothing));
        for other in
            ["bytes=4-2", "bytes=a-b", "bytes=1-2,4-5", "bytes=-", "bytes=+1-2", "lines=1-2", "bytes", "bytes=99999999999999999999-"]
        {
            assert_eq!(of(other, 10), Wanted::All, "{other}");
        }
    }

    #[test]
    fn a_part_of_another_version_is_not_sent() {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, "bytes=2-4".parse().expect("a value"));
        headers.insert(header::IF_RANGE, "\"a\"".parse().expect("a value"));
        assert_eq!(wanted(&headers, "\"a\"", 10), Wanted::Part(2..5));
        assert_eq!(wanted(&headers, "\"b\"", 10), Wanted::All);
    }
}
