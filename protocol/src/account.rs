//! Accounts: credentials and sessions.

use crate::{
    error::{ErrorCode, Refusal},
    id::{SessionId, UserId},
    time::Timestamp,
    validate,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Open sessions that one account may have; opening one more ends the oldest.
pub const SESSIONS_MAX: usize = 32;
/// Shortest password, in characters. Length is the only rule (NIST SP 800-63B, 5.1.1).
pub const PASSWORD_CHARS_MIN: usize = 8;
/// Longest password, in characters: bounds the hashing work.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// Longest name of a client that is kept, in characters; the rest is cut off.
pub const USER_AGENT_CHARS_MAX: usize = 200;
/// How long a token for a new password is good, in milliseconds: an hour.
pub const RESET_MS: i64 = 60 * 60 * 1000;

/// How soon after one such token another one may be mailed, in milliseconds: two minutes.
pub const RESET_EVERY_MS: i64 = 2 * 60 * 1000;

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

impl Session {
    /// What its owner calls it by. Half of the hash of a random token says nothing about the token, and is unique among an account's few sessions.
    #[must_use]
    pub fn id(&self) -> SessionId {
        let (half, _) = self.token_hash.split_first_chunk::<16>().expect("a hash has 32 bytes");
        SessionId(Uuid::new_v8(*half))
    }
}

/// Where a session was opened, for its owner to know it again. Kept beside the session, and in no view.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Device {
    /// What the client calls itself; at most [`USER_AGENT_CHARS_MAX`] characters.
    pub user_agent: Option<String>,
    /// The neighbourhood of its address, such as `203.0.113.0/24`.
    pub network: Option<String>,
}

/// A session, as its owner is shown it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Session"))]
#[serde(rename_all = "camelCase")]
pub struct SessionView {
    /// Ends it.
    pub id: SessionId,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to about an hour.
    pub last_seen_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Timestamp,
    /// What the client called itself.
    pub user_agent: Option<String>,
    /// The neighbourhood of the client's address.
    pub network: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// A mailed token with which its holder may set a new password, once.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Reset {
    /// SHA-256 of the token, which has 256 random bits.
    pub token_hash: TokenHash,
    /// From then on it is refused.
    pub expires_at: Timestamp,
}

/// The body of `POST /register`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Registration {
    /// 3 to 32 letters, digits, `_`, `.`, `-`; unique without regard to case.
    #[cfg_attr(feature = "schema", schemars(length(min = 3, max = 32), regex(pattern = "^[A-Za-z0-9_.-]+$")))]
    pub username: String,
    /// An address; unique without regard to case.
    #[cfg_attr(feature = "schema", schemars(email, length(max = 254)))]
    pub email: String,
    /// [`PASSWORD_CHARS_MIN`] to [`PASSWORD_CHARS_MAX`] characters.
    #[cfg_attr(feature = "schema", schemars(length(min = PASSWORD_CHARS_MIN, max = PASSWORD_CHARS_MAX)))]
    pub password: String,
    /// Given name, at most 64 characters.
    pub first_name: Option<String>,
    /// Family name, at most 64 characters.
    pub last_name: Option<String>,
    /// Whether the session is to be a cookie, which no script can read, and not a token in the answer.
    #[serde(default)]
    pub cookie: bool,
}

/// The body of `POST /login`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Login {
    /// The account's address.
    pub email: String,
    /// Its password.
    pub password: String,
    /// Whether the session is to be a cookie, which no script can read, and not a token in the answer.
    #[serde(default)]
    pub cookie: bool,
}

/// The body of `PUT /password`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordChange {
    /// The password so far.
    pub current_password: String,
    /// [`PASSWORD_CHARS_MIN`] to [`PASSWORD_CHARS_MAX`] characters.
    pub new_password: String,
}

/// The body of `POST /password/forgot`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Forgotten {
    /// The account's address.
    pub email: String,
}

/// The body of `POST /password/reset`.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PasswordReset {
    /// The token that was mailed.
    pub token: String,
    /// [`PASSWORD_CHARS_MIN`] to [`PASSWORD_CHARS_MAX`] characters.
    pub new_password: String,
}

/// The body of a request that needs the password again, though there is a session.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Confirmation {
    /// The account's password.
    pub password: String,
}

/// What registering and signing in answer.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct SignedIn {
    /// The session's secret: send it as `Authorization: Bearer …`. It is not stored and cannot be asked for again. Whoever asked for a cookie is
    /// given that instead.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// The person, as they see themselves.
    pub user: crate::user::User,
}

impl Registration {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`, naming the first field that is out of its range.
    pub fn validate(&self) -> Result<(), Refusal> {
        username(&self.username)?;
        email(&self.email)?;
        password(&self.password)?;
        validate::optional("firstName", self.first_name.as_ref(), 64)?;
        validate::optional("lastName", self.last_name.as_ref(), 64)
    }
}

/// Checks the form of a username. ASCII alone: then no two names look alike but differ (Unicode TR 39), but for what a font does to `l` and `1`.
///
/// # Errors
/// `invalid_field`.
pub fn username(username: &str) -> Result<(), Refusal> {
    validate::text("username", username, 3..=32)?;
    let bytes = username.as_bytes();
    if !bytes.iter().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(b)) {
        return Err(Refusal::field("username takes letters, digits, '_', '.' and '-'"));
    }
    let ends = [bytes.first(), bytes.last()];
    if !ends.iter().flatten().all(|b| b.is_ascii_alphanumeric() || **b == b'_') {
        return Err(Refusal::field("username begins and ends with a letter, a digit or '_'"));
    }
    Ok(())
}

/// Names that nobody may register over the network: they would pass for the platform itself, or are words of its addresses. In lower case.
const RESERVED: [&str; 45] = [
    "about",
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "anonymous",
    "api",
    "assets",
    "billing",
    "blog",
    "contact",
    "deleted",
    "demo",
    "docs",
    "feed",
    "health",
    "help",
    "hostmaster",
    "info",
    "lets-connect",
    "letsconnect",
    "login",
    "logout",
    "mail",
    "me",
    "metrics",
    "mod",
    "moderator",
    "no-reply",
    "noreply",
    "null",
    "official",
    "postmaster",
    "register",
    "root",
    "security",
    "settings",
    "staff",
    "status",
    "support",
    "system",
    "team",
    "undefined",
    "webmaster",
];

/// Refuses names that would pass for the platform's own, whatever their case and punctuation.
///
/// # Errors
/// `username_taken`: the platform has it.
pub fn not_reserved(username: &str) -> Result<(), Refusal> {
    let bare = |name: &str| name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let wanted = bare(username);
    if RESERVED.iter().any(|reserved| bare(reserved) == wanted) { Err(ErrorCode::UsernameTaken.into()) } else { Ok(()) }
}

/// Checks the form of an address for mail: one `@`, a name of at most 64 bytes, and a host of letters, digits, dots and hyphens. Whether it receives
/// mail only mail can tell.
///
/// # Errors
/// `invalid_field`.
pub fn email(email: &str) -> Result<(), Refusal> {
    let refused = || Refusal::field("email takes an address such as name@example.org");
    validate::text("email", email, 3..=254)?;
    let (name, host) = email.split_once('@').ok_or_else(refused)?;
    // RFC 5321, 4.5.3.1.1 bounds the name; RFC 1035, 2.3.4 the labels. Letters beyond ASCII would give one address two forms.
    let sound_name = (1..=64).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_graphic() && !b"\"(),:;<>@[\\]".contains(&b));
    let label = |label: &str| {
        let inner = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        (1..=63).contains(&label.len()) && label.bytes().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    // Nobody has an address there (RFC 2606, 2), which is why people who left do.
    let is_somebodys = !host.to_ascii_lowercase().ends_with(DEPARTED_HOST);
    if sound_name && is_somebodys && host.split('.').all(label) { Ok(()) } else { Err(refused()) }
}

/// The host of addresses that stand for people who left.
pub const DEPARTED_HOST: &str = "deleted.invalid";

/// The one form of an address: its host in lower case, since hosts have no case (RFC 5321, 2.4). The name stays as its owner writes it; addresses
/// are compared without regard to case throughout.
#[must_use]
pub fn normal_email(email: &str) -> String {
    match email.trim().rsplit_once('@') {
        Some((name, host)) => format!("{name}@{}", host.to_ascii_lowercase()),
        None => email.to_owned(),
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
    /// As `Open`, and keeps where it was opened.
    SignIn(Box<SignIn>),
    /// Ends one of one's own sessions. `not_found` if it is not open.
    End(SessionId),
    /// Ends all of one's own sessions but the one of this token.
    EndOthers(TokenHash),
    /// Sets a new password, for somebody who proved to know the one so far; ends all other sessions, and a reset under way.
    SetPassword {
        /// The hash that the password so far matched; refused if it changed since.
        current: String,
        /// Hash of the new one, in PHC form.
        next: String,
        /// The session that goes on.
        keep: TokenHash,
    },
    /// Has a token mailed with which a new password can be set. The platform only.
    AskReset,
    /// Lets the holder of a token set a new password; the token before it is worth nothing any more. The platform only.
    AllowReset(Reset),
    /// Sets a new password with such a token, which is used up; ends all sessions. The platform only.
    UseReset {
        /// Of the token that was sent.
        token_hash: TokenHash,
        /// Hash of the new password, in PHC form.
        next: String,
    },
    /// Sets a new password and ends all sessions, for an operator. The platform only.
    Rescue {
        /// Hash of the new password, in PHC form.
        next: String,
    },
}

/// A session for somebody whose password was verified.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SignIn {
    /// The new session.
    pub session: Session,
    /// Where it is opened.
    pub device: Device,
    /// The hash that the password matched; refused if it changed since.
    pub password_hash: String,
}

/// What a login looks up: read from the store each time, never cached.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// Whose they are.
    pub user: UserId,
    /// An argon2id hash in PHC form.
    pub password_hash: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn usernames_are_plain_and_not_the_platforms() {
        for good in ["ada", "Ada_L", "a.b", "x-1", "_x_", "l33t"] {
            assert_eq!(username(good).and_then(|()| not_reserved(good)), Ok(()), "{good}");
        }
        for bad in ["ab", "аda", "ad\u{200d}a", "ada ", ".ada", "ada-", "ada@x", "ａｄａ", &"a".repeat(33)] {
            assert_eq!(username(bad).map_err(|refusal| refusal.code), Err(ErrorCode::InvalidField), "{bad}");
        }
        for taken in ["admin", "ADMIN", "ad_min", "no.reply", "Lets_Connect", "root"] {
            assert_eq!(not_reserved(taken).map_err(|refusal| refusal.code), Err(ErrorCode::UsernameTaken), "{taken}");
        }
    }

    #[test]
    fn addresses_have_one_form() {
        for good in ["a@b", "Ada.Lovelace+x@Example.ORG", "o'neil@mail.example.org", "a@xn--bcher-kva.example"] {
            assert_eq!(email(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "a@",
            "@b",
            "a@b@c",
            "a b@c",
            "a@b c",
            "a@b..c",
            "a@-b",
            "a@b-",
            "a@büch.er",
            "ä@b",
            "a\r\nbcc: x@y",
            "a@[::1]",
            "<a@b>",
            "a@Deleted.invalid",
        ] {
            assert!(email(bad).is_err(), "{bad}");
        }
        assert_eq!(normal_email(" Ada@Example.ORG "), "Ada@example.org");
    }

    #[test]
    fn a_session_is_called_by_half_a_hash() {
        let session = |n: u8| Session { token_hash: [n; 32], expires_at: Timestamp(1), created_at: Timestamp(0) };
        assert_eq!(session(7).id(), session(7).id());
        assert_ne!(session(7).id(), session(8).id());
        assert_eq!(session(7).id().0.get_version_num(), 8);
    }
}
