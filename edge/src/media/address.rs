//! Where the bytes of a file are: `<public_url>/api/media/media/<hash>/<variant>.<extension>`. Of a private file such an address is signed, and for a while.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::{BufMut, Bytes, BytesMut};
use protocol::{
    Timestamp,
    file::{ContentHash, Place, Rendered},
};
use ring::hmac;
use std::fmt::Write;

/// How long an address of a private file is worth something, in seconds.
pub const SIGNED_FOR_S: i64 = 300;
/// Bytes of a signature that an address has: 128 bits, which nobody guesses within its time.
const SIGNATURE_BYTES: usize = 16;

/// Makes addresses, and judges those that come back.
pub struct Addresses {
    /// What they begin with.
    prefix: String,
    key: hmac::Key,
}

/// The sizes that pages choose from, as answers name them.
const SIZES: [&str; 4] = ["thumbnail", "small", "medium", "large"];

impl Addresses {
    /// Makes addresses below `public_url`, signed with `key`.
    #[must_use]
    pub fn new(public_url: &str, key: &[u8; 32]) -> Self {
        Self { prefix: format!("{public_url}/api/media"), key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// Where a file is described.
    #[must_use]
    pub fn of_file(&self, id: protocol::MediaId) -> String {
        format!("{}/files/id/{id}", self.prefix)
    }

    /// A file's view with its addresses.
    #[must_use]
    pub fn complete(&self, view: &[u8], place: &Place, now: Timestamp) -> Bytes {
        let mut body = BytesMut::with_capacity(view.len() + 1024);
        body.put_slice(view.strip_suffix(b"}").unwrap_or_default());
        let original = format!("original.{}", place.extension);
        let own = self.quoted(place, &original, now);
        let has_sizes = place.rendered != Rendered::Nothing;
        let size = |name: &str| self.quoted(place, &format!("{name}.webp"), now);
        let optimized = match place.rendered {
            Rendered::Nothing | Rendered::Sizes => "null".to_owned(),
            Rendered::Smaller => self.quoted(place, "optimized.webp", now),
            Rendered::Original => own.clone(),
        };
        let sizes: Vec<_> = SIZES.iter().filter(|_| has_sizes).map(|name| (name, size(name))).collect();
        let thumbnail = sizes.first().map_or("null", |(_, address)| address);
        let responsive = match sizes.is_empty() {
            true => "null".to_owned(),
            false => format!("{{{}}}", sizes.iter().map(|(name, address)| format!("\"{name}\":{address}")).collect::<Vec<_>>().join(",")),
        };
        // Everything in it is hexadecimal, of the configuration, or from a closed list.
        let _ = write!(body, ",\"url\":{own},\"optimizedUrl\":{optimized},\"thumbnailUrl\":{thumbnail},\"responsiveSizes\":{responsive}}}");
        body.freeze()
    }

    fn quoted(&self, place: &Place, part: &str, now: Timestamp) -> String {
        let Self { prefix, .. } = self;
        let hash = place.hash;
        if place.is_open {
            return format!("\"{prefix}/media/{hash}/{part}\"");
        }
        let expires = now.0 / 1000 + SIGNED_FOR_S;
        let signature = URL_SAFE_NO_PAD.encode(&self.sign(hash, part, expires).as_ref()[..SIGNATURE_BYTES]);
        format!("\"{prefix}/media/{hash}/{part}?expires={expires}&signature={signature}\"")
    }

    /// Whether an address that was signed is worth something now.
    #[must_use]
    pub fn is_signed(&self, (hash, part): (ContentHash, &str), (expires, signature): (i64, &str), now: Timestamp) -> bool {
        let now = now.0 / 1000;
        // One that is worth something for longer was not made here, whatever it is signed with.
        if expires < now || expires > now + SIGNED_FOR_S + CLOCKS_APART_S {
            return false;
        }
        let mut sent = [0; SIGNATURE_BYTES];
        let length = URL_SAFE_NO_PAD.decode_slice(signature, &mut sent);
        let made = self.sign(hash, part, expires);
        length == Ok(SIGNATURE_BYTES) && bool::from(subtle::ConstantTimeEq::ct_eq(&sent[..], &made.as_ref()[..SIGNATURE_BYTES]))
    }

    fn sign(&self, hash: ContentHash, part: &str, expires: i64) -> hmac::Tag {
        hmac::sign(&self.key, format!("{hash}/{part}?{expires}").as_bytes())
    }
}

/// How far the clocks of two nodes may be apart.
const CLOCKS_APART_S: i64 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::UserId;
    use serde_json::Value;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn addresses() -> Addresses {
        Addresses::new("https://connect.example.org", &[7; 32])
    }

    fn shown(rendered: Rendered, is_open: bool) -> Value {
        let place = Place { by: UserId::new(), hash: ContentHash([3; 32]), extension: "jpeg".to_owned(), rendered, is_open };
        serde_json::from_slice(&addresses().complete(br#"{"id":1}"#, &place, NOW)).expect("JSON")
    }

    #[test]
    fn a_file_shows_what_there_is_of_it() {
        let base = format!("https://connect.example.org/api/media/media/{}", ContentHash([3; 32]));
        let whole = shown(Rendered::Smaller, true);
        assert_eq!((&whole["id"], &whole["url"]), (&1.into(), &format!("{base}/original.jpeg").into()));
        assert_eq!(whole["optimizedUrl"], format!("{base}/optimized.webp"));
        assert_eq!(whole["thumbnailUrl"], format!("{base}/thumbnail.webp"));
        assert_eq!(whole["responsiveSizes"]["large"], format!("{base}/large.webp"));
        assert_eq!(whole["responsiveSizes"].as_object().expect("an object").len(), 4);
        assert_eq!(shown(Rendered::Original, true)["optimizedUrl"], format!("{base}/original.jpeg"));
        assert_eq!(shown(Rendered::Sizes, true)["optimizedUrl"], Value::Null);
        let nothing = shown(Rendered::Nothing, true);
        assert_eq!([&nothing["thumbnailUrl"], &nothing["responsiveSizes"]], [&Value::Null; 2]);
    }

    #[test]
    fn a_signed_address_is_worth_something_for_a_while_and_for_itself_alone() {
        let address = shown(Rendered::Smaller, false)["thumbnailUrl"].as_str().expect("an address").to_owned();
        let (_, query) = address.split_once("?expires=").expect("it is signed");
        let (expires, signature) = query.split_once("&signature=").expect("it is signed");
        let expires: i64 = expires.parse().expect("a number");
        let holds = |part, expires, signature: &str, s| {
            addresses().is_signed((ContentHash([3; 32]), part), (expires, signature), NOW.plus_ms(s * 1000))
        };
        assert!(holds("thumbnail.webp", expires, signature, 0) && holds("thumbnail.webp", expires, signature, SIGNED_FOR_S));
        assert!(!holds("thumbnail.webp", expires, signature, SIGNED_FOR_S + 1), "its time is up");
        assert!(!holds("large.webp", expires, signature, 0) && !holds("thumbnail.webp", expires + 1, signature, 0));
        assert!(!holds("thumbnail.webp", expires, "", 0) && !holds("thumbnail.webp", expires, &signature[1..], 0));
        assert!(!holds("thumbnail.webp", i64::MAX, signature, 0));
        let other = Addresses::new("https://connect.example.org", &[8; 32]);
        assert!(!other.is_signed((ContentHash([3; 32]), "thumbnail.webp"), (expires, signature), NOW), "another instance's");
    }
}
