//! Secrets that their holder shows: session tokens, and tokens to set a new password. Only their hash is stored.

use crate::snapshot::Snapshot;
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{Fact, Key, Kind, Principal, Timestamp, UserId, account::TokenHash};
use rand::RngCore;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use uuid::Uuid;

/// Bytes of a token: the user's id, which finds the owner, and 32 random ones.
const TOKEN_BYTES: usize = 16 + 32;
/// Characters of a token.
pub const TOKEN_CHARS: usize = TOKEN_BYTES / 3 * 4;

/// A token as the client holds it.
#[derive(Clone, Copy)]
pub struct Token {
    pub(super) user: UserId,
    pub(super) hash: TokenHash,
}

impl Token {
    /// Reads a token. Any text is safe to give.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let mut bytes = [0; TOKEN_BYTES];
        if text.len() != TOKEN_CHARS || URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()? != TOKEN_BYTES {
            return None;
        }
        let (user, _) = bytes.split_first_chunk::<16>()?;
        Some(Self { user: UserId(Uuid::from_bytes(*user)), hash: Sha256::digest(bytes).into() })
    }

    /// Makes a token, and its text, which is nowhere else.
    pub(super) fn new(user: UserId) -> (Self, String) {
        let mut bytes = [0; TOKEN_BYTES];
        bytes[..16].copy_from_slice(user.0.as_bytes());
        rand::rng().fill_bytes(&mut bytes[16..]);
        (Self { user, hash: Sha256::digest(bytes).into() }, URL_SAFE_NO_PAD.encode(bytes))
    }

    /// The key whose owner knows the session.
    #[must_use]
    pub fn key(&self) -> Key {
        Key::new(Kind::Account, self.user)
    }

    /// What is stored of it.
    #[must_use]
    pub const fn hash(&self) -> TokenHash {
        self.hash
    }

    /// Whether it is the token of this hash.
    #[must_use]
    pub fn is(&self, hash: &TokenHash) -> bool {
        self.hash.ct_eq(hash).into()
    }

    /// Who this token is by the account's snapshot, if the session is open.
    #[must_use]
    pub fn principal(&self, account: &Snapshot) -> Option<Principal> {
        let Fact::Account { role, sessions } = &account.view.fact else { return None };
        let open = sessions.iter().find(|session| self.is(&session.token_hash))?;
        (open.expires_at > Timestamp::now()).then_some(Principal::User { id: self.user, role: *role })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_token_names_its_user_and_is_not_what_is_stored() {
        let user = UserId::new();
        let (token, text) = Token::new(user);
        let read = Token::parse(text.as_bytes()).expect("a token");
        assert_eq!((read.user, read.hash, text.len()), (user, token.hash, TOKEN_CHARS));
        assert_ne!(text.as_bytes(), token.hash);
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_not(text in ".{0,80}") {
            let _ = Token::parse(text.as_bytes());
        }
    }
}
