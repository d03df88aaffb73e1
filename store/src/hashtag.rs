//! Names of hashtags' lists.

use protocol::hashtag::Hashtag;
use sha2::{Digest, Sha256};
use uuid::Uuid;

/// The id of the list of a hashtag's posts: the first half of the word's SHA-256. It must stay the same for ever, on every node and in every
/// database. Two words that share one would move each other's generation, and nothing else: a page names its word.
#[must_use]
pub fn id(tag: &Hashtag) -> Uuid {
    let hash: [u8; 32] = Sha256::digest(tag.as_str()).into();
    let (half, _) = hash.split_first_chunk::<16>().expect("32 bytes begin with 16");
    Uuid::from_bytes(*half)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_never_change() {
        let id = |text: &str| id(&Hashtag::parse(text).expect("a hashtag")).to_string();
        // echo -n rust | sha256sum
        assert_eq!(id("rust"), GOLDEN);
        assert_eq!(id("RUST"), GOLDEN);
        assert_ne!(id("rusty"), GOLDEN);
    }
    const GOLDEN: &str = "521fe5c9-ece1-aa1f-8b66-228171598263";
}
