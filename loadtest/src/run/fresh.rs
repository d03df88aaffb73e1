//! What of a prepared request is new each time it is sent: a key that nobody used, a picture that nobody uploaded.

use bytes::{Bytes, BytesMut};
use memchr::memmem;

/// Stands in a prepared request for digits that are written when it is sent.
pub const DIGITS: &str = "fresh-digits-16-";
/// Entries of a quantisation table that a number is written into, half a byte each.
const ENTRIES: usize = 16;
/// Behind the first entry, which is the one that eyes are quickest to miss.
const ENTRY_FIRST: usize = 1;

/// Where a request is new each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fresh {
    /// Sixteen hexadecimal digits begin here.
    Digits(usize),
    /// The entries of a JPEG's first quantisation table begin here. Each is raised by half a byte of the number: another picture with as many pixels, for which
    /// nothing is encoded again.
    Quantisation(usize),
}

impl Fresh {
    /// What of these bytes is new each time: [`DIGITS`], or the picture that a body is; `None` if nothing is.
    pub fn find(encoded: &[u8]) -> Option<Self> {
        if let Some(at) = memmem::find(encoded, DIGITS.as_bytes()) {
            return Some(Self::Digits(at));
        }
        let picture = memmem::find(encoded, b"\xff\xd8\xff")?;
        table(&encoded[picture..]).map(|at| Self::Quantisation(picture + at))
    }

    /// The request with this number in it.
    pub fn fill(self, encoded: &[u8], number: u64) -> Bytes {
        let mut filled = BytesMut::from(encoded);
        match self {
            Self::Digits(at) => filled[at..at + DIGITS.len()].copy_from_slice(format!("{number:016x}").as_bytes()),
            Self::Quantisation(at) => {
                for (entry, value) in filled[at + ENTRY_FIRST..][..ENTRIES].iter_mut().enumerate() {
                    let part = u8::try_from(number >> (4 * entry) & 0xf).expect("half a byte is one");
                    *value = value.saturating_add(part);
                }
            }
        }
        filled.freeze()
    }
}

/// Where the entries of the first quantisation table are: that of the picture itself, not of a smaller one that its EXIF carries.
fn table(jpeg: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        let [0xff, marker, high, low] = *jpeg.get(at..at + 4)? else { return None };
        let precision_and_number = *jpeg.get(at + 4)?;
        if marker == 0xdb && precision_and_number >> 4 == 0 {
            return (at + 5 + 64 <= jpeg.len()).then_some(at + 5);
        }
        at += 2 + usize::from(u16::from_be_bytes([high, low]));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::photo;
    use std::collections::HashSet;

    #[test]
    fn digits_are_new_each_time() {
        let request = format!("POST / HTTP/1.1\r\nidempotency-key: a-{DIGITS}\r\n\r\n");
        let fresh = Fresh::find(request.as_bytes()).unwrap();
        assert_eq!(fresh.fill(request.as_bytes(), 0xab), "POST / HTTP/1.1\r\nidempotency-key: a-00000000000000ab\r\n\r\n");
        assert_eq!(Fresh::find(b"GET / HTTP/1.1\r\n\r\n"), None);
    }

    #[test]
    fn a_picture_is_another_one_with_each_number() {
        for photo in photo::PHOTOS {
            let fresh = Fresh::find(photo).unwrap();
            let Fresh::Quantisation(at) = fresh else { panic!("{fresh:?}") };
            let others: HashSet<Bytes> = [0, 1, 0x10, u64::MAX, 7 << 60].map(|number| fresh.fill(photo, number)).into();
            assert_eq!(others.len(), 5);
            for other in others {
                assert_eq!((&other[..at], &other[at + 64..]), (&photo[..at], &photo[at + 64..]), "only the table differs");
            }
        }
    }
}
