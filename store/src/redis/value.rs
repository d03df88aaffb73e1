//! The bytes of a value: `schema (2) · version (8) · checksum (4) · payload`, numbers big-endian.
//!
//! They come from a place that anybody may have written to, or that lost half of them: what is not exactly what this release wrote under this name
//! is no value. The checksum covers the name, too, so what was copied to another name is none there.

use serde::{Serialize, de::DeserializeOwned};

/// The form of the payloads. To be raised with each change of a type in them: other releases' values are not read.
pub(super) const SCHEMA: u16 = 1;
/// The longest value that is kept. A page of a hundred posts of the usual length is a third of it.
pub(super) const BYTES_MAX: usize = 256 * 1024;

const HEADER: usize = 2 + 8 + 4;

/// Makes the value of `payload` at a version under a name; `None` if it is too long.
pub(super) fn encode<T: Serialize>(name: &str, version: u64, payload: &T) -> Option<Vec<u8>> {
    let bytes = postcard::to_extend(payload, vec![0; HEADER]).ok()?;
    (bytes.len() <= BYTES_MAX).then(|| seal(name, version, bytes))
}

fn seal(name: &str, version: u64, mut bytes: Vec<u8>) -> Vec<u8> {
    bytes[..2].copy_from_slice(&SCHEMA.to_be_bytes());
    bytes[2..10].copy_from_slice(&version.to_be_bytes());
    let sum = checksum(name, version, &bytes[HEADER..]);
    bytes[10..HEADER].copy_from_slice(&sum.to_be_bytes());
    bytes
}

/// The version and the payload of a value that was read under a name; `None` if it is none.
pub(super) fn decode<T: DeserializeOwned>(name: &str, bytes: &[u8]) -> Option<(u64, T)> {
    let (schema, rest) = bytes.split_first_chunk()?;
    let (version, rest) = rest.split_first_chunk()?;
    let (sum, payload) = rest.split_first_chunk()?;
    let version = u64::from_be_bytes(*version);
    let is_ours = u16::from_be_bytes(*schema) == SCHEMA && u32::from_be_bytes(*sum) == checksum(name, version, payload);
    let (payload, left) = postcard::take_from_bytes(is_ours.then_some(payload)?).ok()?;
    left.is_empty().then_some((version, payload))
}

fn checksum(name: &str, version: u64, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    [name.as_bytes(), &version.to_be_bytes(), payload].iter().for_each(|part| hasher.update(part));
    hasher.finalize()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    type Payload = (String, Vec<u64>);

    proptest! {
        #[test]
        fn what_was_written_is_read(name in ".{0,20}", version: u64, payload: Payload) {
            let bytes = encode(&name, version, &payload).expect("short");
            prop_assert_eq!(decode(&name, &bytes), Some((version, payload)));
        }

        #[test]
        fn a_changed_byte_or_another_name_is_no_value(payload: Payload, at: prop::sample::Index, by in 1u8..) {
            let mut bytes = encode("name", 7, &payload).expect("short");
            prop_assert_eq!(decode::<Payload>("other", &bytes), None);
            let at = at.index(bytes.len());
            bytes[at] ^= by;
            prop_assert_eq!(decode::<Payload>("name", &bytes), None);
        }

        #[test]
        fn any_bytes_are_borne(bytes: Vec<u8>) {
            let _ = decode::<Payload>("name", &bytes);
            // Also behind a header that is right, as somebody could make it who means harm.
            let sealed = seal("name", 7, [&[0; HEADER][..], &bytes].concat());
            let _ = decode::<Payload>("name", &sealed);
        }
    }

    #[test]
    fn what_is_too_long_is_not_kept() {
        assert!(encode("name", 1, &"x".repeat(BYTES_MAX)).is_none());
    }
}
