//! Checks of field values, with the sentences that clients read.

use crate::error::Refusal;

/// Checks a text's length in characters, and that it has no control characters but line breaks and tabs.
pub(crate) fn text(name: &str, value: &str, range: std::ops::RangeInclusive<usize>) -> Result<(), Refusal> {
    let (least, most) = (*range.start(), *range.end());
    // A character has at most four bytes: bytes decide the far cases without counting.
    let length = if value.len() > most.saturating_mul(4) { usize::MAX } else { value.chars().count() };
    if !range.contains(&length) || (least > 0 && value.trim().is_empty()) {
        return Err(Refusal::field(format!("{name} takes {least} to {most} characters")));
    }
    if value.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        return Err(Refusal::field(format!("{name} holds a control character")));
    }
    Ok(())
}

/// Checks an optional text.
pub(crate) fn optional(name: &str, value: Option<&String>, most: usize) -> Result<(), Refusal> {
    value.map_or(Ok(()), |v| text(name, v, 0..=most))
}

/// Checks a list's length.
pub(crate) fn count(name: &str, length: usize, most: usize) -> Result<(), Refusal> {
    if length > most { Err(Refusal::field(format!("{name} takes at most {most} entries"))) } else { Ok(()) }
}

/// Checks an optional http(s) address or path on this platform.
pub(crate) fn address(name: &str, value: Option<&String>) -> Result<(), Refusal> {
    let Some(value) = value else { return Ok(()) };
    text(name, value, 0..=2048)?;
    let known = ["https://", "http://", "/"].iter().any(|p| value.starts_with(p)) || value.is_empty();
    if known && !value.contains(char::is_whitespace) {
        Ok(())
    } else {
        Err(Refusal::field(format!("{name} takes an http or https address")))
    }
}
