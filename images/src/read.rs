//! Numbers and pieces of a file, which ends somewhere.

use crate::Error;

/// `length` bytes from `at`.
pub(crate) fn piece(bytes: &[u8], at: usize, length: usize) -> Result<&[u8], Error> {
    at.checked_add(length).and_then(|end| bytes.get(at..end)).ok_or(Error::Truncated)
}

fn array<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Error> {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().ok_or(Error::Truncated)
}

pub(crate) fn byte(bytes: &[u8], at: usize) -> Result<u8, Error> {
    bytes.get(at).copied().ok_or(Error::Truncated)
}

pub(crate) fn be16(bytes: &[u8], at: usize) -> Result<u16, Error> {
    array(bytes, at).map(u16::from_be_bytes)
}

pub(crate) fn be32(bytes: &[u8], at: usize) -> Result<u32, Error> {
    array(bytes, at).map(u32::from_be_bytes)
}

pub(crate) fn le16(bytes: &[u8], at: usize) -> Result<u16, Error> {
    array(bytes, at).map(u16::from_le_bytes)
}

pub(crate) fn le24(bytes: &[u8], at: usize) -> Result<u32, Error> {
    array(bytes, at).map(|[a, b, c]| u32::from_le_bytes([a, b, c, 0]))
}

pub(crate) fn le32(bytes: &[u8], at: usize) -> Result<u32, Error> {
    array(bytes, at).map(u32::from_le_bytes)
}

/// A chunk's range: `length` bytes from `at`, as positions.
pub(crate) fn span(bytes: &[u8], at: usize, length: u32) -> Result<std::ops::Range<usize>, Error> {
    let end = usize::try_from(length).ok().and_then(|length| at.checked_add(length)).filter(|end| *end <= bytes.len());
    end.map(|end| at..end).ok_or(Error::Truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lies_beyond_the_end_is_cut_off() {
        let bytes = [1, 2, 3, 4];
        assert_eq!((be16(&bytes, 2), be32(&bytes, 0), le24(&bytes, 1)), (Ok(0x0304), Ok(0x0102_0304), Ok(0x04_0302)));
        assert_eq!(
            (be16(&bytes, 3), be32(&bytes, 1), byte(&bytes, 4)),
            (Err(Error::Truncated), Err(Error::Truncated), Err(Error::Truncated))
        );
        assert_eq!((le16(&bytes, usize::MAX), piece(&bytes, 2, usize::MAX)), (Err(Error::Truncated), Err(Error::Truncated)));
        assert_eq!((span(&bytes, 1, 3), span(&bytes, 1, u32::MAX)), (Ok(1..4), Err(Error::Truncated)));
    }
}
