//! Accounts: credentials and sessions.

use crate::{error::Refusal, id::UserId, time::Timestamp, validate};
use serde::{Deserialize, Serialize};

/// Open sessions that one account may have; opening one more ends the oldest.
pub const SESSIONS_MAX: usize = 32;
/// Shortest password, in characters. Length is the only rule (NIST SP 800-63B, 5.1.1).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in characters: bounds the hashing work.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// SHA-256 of a session token. The token itself is never stored; it has 256 random bits, so a plain hash suffices.
pub type TokenHash = [u8; 32];

/// An open session.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Session {
    /// Finds the session.
    pub token_hash: TokenHash,
    /// From then on it is refused.
    pub expires_at: Timestamp,
    /// When it was opened.
    pub created_at: Timestamp,
}

/// The body of `POST /register`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// 3 to 32 letters, digits, `_`, `.`, `-`; unique without regard to case.
    pub username: String,
    /// An address; unique without regard to case.
    pub email: String,
    /// [`PASSWORD_CHARS_MIN`] to [`PASSWORD_CHARS_MAX`] characters.
    pub password: String,
    /// Given name, at most 64 characters.
    pub first_name: Option<String>,
    /// Family name, at most 64 characters.
    pub last_name: Option<String>,
}

/// The body of `POST /login`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The account's address.
    pub email: String,
    /// Its password.
    pub password: String,
}

impl Registration {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`, naming the first field that is out of its range.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::text("username", &self.username, 3..=32)?;
        if !self.username.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b)) {
            return Err(Refusal::field("username takes letters, digits, '_', '.' and '-'"));
        }
        validate::text("email", &self.email, 3..=254)?;
        let parts = self.email.split_once('@');
        if !parts.is_some_and(|(name, host)| !name.is_empty() && !host.is_empty() && !host.contains('@'))
            || self.email.contains(|c: char| c.is_whitespace() || c.is_control())
        {
            return Err(Refusal::field("email takes an address such as name@example.org"));
        }
        password(&self.password)?;
        validate::optional("firstName", self.first_name.as_ref(), 64)?;
        validate::optional("lastName", self.last_name.as_ref(), 64)
    }
}

/// Checks a new password: only its length counts.
///
/// # Errors
/// `invalid_field`.
pub fn password(password: &str) -> Result<(), Refusal> {
    let length = password.chars().take(PASSWORD_CHARS_MAX + 1).count();
    if (PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&length) {
        Ok(())
    } else {
        Err(Refusal::field(format!("password takes {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters")))
    }
}

/// Writes to an account.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Opens a session for somebody whose password was verified against `password_hash`; refused if that changed since.
    Open {
        /// The new session.
        session: Session,
        /// The hash that the password matched.
        password_hash: String,
    },
    /// Ends a session. Ending one that is not there is no error.
    Close(TokenHash),
}

/// What a login looks up: read from the store each time, never cached.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose they are.
    pub user: UserId,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
}
