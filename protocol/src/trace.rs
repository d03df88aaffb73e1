//! Where a request is in the traces of whoever asked for it ([W3C Trace Context](https://www.w3.org/TR/trace-context/)).

use serde::{Deserialize, Serialize};
use std::fmt;

/// A trace context: a trace, and the span in it that what follows is part of. Written and read as `traceparent` is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Trace {
    /// The trace's id, not zero.
    pub trace_id: u128,
    /// The caller's span; 0 where nobody took one.
    pub parent_id: u64,
    /// Bit 0: sampled.
    pub flags: u8,
}

impl Trace {
    /// The flag of a trace that is taken.
    pub const SAMPLED: u8 = 1;

    /// Reads the header `traceparent`. `None` for what is none: whoever gets that begins a trace of their own.
    ///
    /// Versions after the first may say more behind the flags, and never less.
    #[must_use]
    pub fn parse(header: &str) -> Option<Self> {
        let mut parts = header.split('-');
        let version = hex::<1>(parts.next()?).filter(|version| *version != 0xff)?;
        let (trace_id, parent_id, flags) = (hex::<16>(parts.next()?)?, hex::<8>(parts.next()?)?, hex::<1>(parts.next()?)?);
        if (version == 0 && parts.next().is_some()) || trace_id == 0 || parent_id == 0 {
            return None;
        }
        Some(Self { trace_id, parent_id: u64::try_from(parent_id).ok()?, flags: u8::try_from(flags).ok()? })
    }

    /// Whether spans of it are taken.
    #[must_use]
    pub const fn is_sampled(self) -> bool {
        self.flags & Self::SAMPLED != 0
    }

    /// The trace's id as 32 digits: what finds a request in logs.
    #[must_use]
    pub fn id(self) -> String {
        format!("{:032x}", self.trace_id)
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.parent_id, self.flags & Self::SAMPLED)
    }
}

/// A number of so many bytes as the header has it: all its digits, in lower case.
fn hex<const BYTES: usize>(text: &str) -> Option<u128> {
    let is_digit = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
    (text.len() == 2 * BYTES && text.bytes().all(is_digit)).then(|| u128::from_str_radix(text, 16).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXAMPLE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn what_is_written_is_read() {
        let trace = Trace { trace_id: 0x4bf9_2f35_77b3_4da6_a3ce_929d_0e0e_4736, parent_id: 0x00f0_67aa_0ba9_02b7, flags: 1 };
        assert_eq!(Trace::parse(EXAMPLE), Some(trace));
        assert_eq!(trace.to_string(), EXAMPLE);
        assert!(trace.is_sampled() && !Trace { flags: 2, ..trace }.is_sampled());
    }

    #[test]
    fn a_later_version_may_say_more_and_the_first_may_not() {
        assert!(Trace::parse("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-comes").is_some());
        assert!(Trace::parse(&format!("{EXAMPLE}-more")).is_none());
    }

    #[test]
    fn what_is_no_context_is_none() {
        for garbage in [
            "",
            "00",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e47-00f067aa0ba902b7-01",
            "00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-é",
        ] {
            assert_eq!(Trace::parse(garbage), None, "{garbage}");
        }
    }
}
