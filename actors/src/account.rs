//! Registration, login, logout, and who a token is.

use crate::client::{Call, Client};
use crate::snapshot::Snapshot;
use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::{SaltString, rand_core::OsRng},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use protocol::{
    Command, ErrorCode, Fact, Key, Kind, Principal, Query, Refusal, Timestamp, UserId,
    account::{self, Login, PASSWORD_CHARS_MAX, Registration, Session, TokenHash},
    user::{self, NewUser},
};
use rand::RngCore;
use sha2::{Digest, Sha256};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Bytes of a token: the user's id, which finds the owner, and 32 random ones.
const TOKEN_BYTES: usize = 16 + 32;
/// Characters of a token.
pub const TOKEN_CHARS: usize = TOKEN_BYTES / 3 * 4;

/// A session token as the client holds it.
#[derive(Clone, Copy)]
pub struct Token {
    user: UserId,
    hash: TokenHash,
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

    fn new(user: UserId) -> (Self, String) {
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

    /// Who this token is by the account's snapshot, if the session is open.
    #[must_use]
    pub fn principal(&self, account: &Snapshot) -> Option<Principal> {
        let Fact::Account { role, sessions } = &account.view.fact else { return None };
        let open = sessions.iter().find(|s| bool::from(s.token_hash.ct_eq(&self.hash)))?;
        (open.expires_at > Timestamp::now()).then_some(Principal::User { id: self.user, role: *role })
    }
}

/// A session that was opened.
pub struct Opened {
    /// The client's secret; it is not stored.
    pub token: String,
    /// JSON of the person, as they see themselves.
    pub user: bytes::Bytes,
}

/// The accounts of a node. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    client: Client,
    hashing: Arc<Hashing>,
}

struct Hashing {
    argon2: Argon2<'static>,
    /// Passwords that may be hashed at once …
    permits: Arc<Semaphore>,
    /// … and those, waiting ones included, beyond which requests are refused.
    places: Arc<Semaphore>,
    /// Verified when there is no such account, so that the answer takes as long.
    nobody: String,
}

impl Accounts {
    /// Makes the accounts of a node.
    ///
    /// # Errors
    /// When the configured argon2 parameters are out of their ranges.
    pub fn new(client: Client) -> Result<Self, argon2::Error> {
        let limits = &client.node().limits;
        let params = Params::new(limits.argon2_memory_kib, limits.argon2_passes, 1, None)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let nobody = hash(&argon2, b"nobody has this password").map_err(|_| argon2::Error::SaltTooShort)?;
        let hashing = Hashing {
            permits: Arc::new(Semaphore::new(limits.hashing_permits)),
            places: Arc::new(Semaphore::new(limits.hashing_permits + limits.hashing_waiting_max)),
            argon2,
            nobody,
        };
        Ok(Self { client, hashing: Arc::new(hashing) })
    }

    /// Who a token is. `None` if it is not an open session's.
    ///
    /// # Errors
    /// When the account's owner is out of reach: a repetition is safe.
    pub async fn authenticate(&self, token: &Token) -> Result<Option<Principal>, Refusal> {
        match self.client.view(&self.client.call(Principal::Platform), token.key()).await {
            Ok(account) => Ok(token.principal(&account)),
            Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Creates an account and its first session. `repeated` says that the client may be repeating itself (it sent an Idempotency-Key): then an
    /// account that has this name, address and password already is theirs, and gets a session.
    ///
    /// # Errors
    /// `invalid_field`, `username_taken`, `email_taken`; `overloaded` when too many passwords are being hashed.
    pub async fn register(&self, call: &Call, new: Registration, repeated: bool) -> Result<Opened, Refusal> {
        new.validate()?;
        let password = new.password.clone();
        let password_hash = self.hash(password.clone()).await?;
        let id = UserId::new();
        let (token, text) = Token::new(id);
        let command = user::Command::Register(Box::new(NewUser {
            username: new.username.clone(),
            email: new.email.clone(),
            first_name: new.first_name,
            last_name: new.last_name,
            password_hash,
            session: self.session(token),
        }));
        match self.client.write(call, Key::new(Kind::User, id), Command::User(command)).await {
            Ok(reply) => Ok(Opened { token: text, user: reply.body }),
            Err(refusal) if repeated && matches!(refusal.code, ErrorCode::UsernameTaken | ErrorCode::EmailTaken) => {
                self.again(call, &new.username, Login { email: new.email, password }).await.map_err(|_| refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn again(&self, call: &Call, username: &str, login: Login) -> Result<Opened, Refusal> {
        let opened = self.login(call, login).await?;
        let user: serde_json::Value = serde_json::from_slice(&opened.user).map_err(|_| ErrorCode::Internal)?;
        if user["username"] == username { Ok(opened) } else { Err(ErrorCode::Conflict.into()) }
    }

    /// Opens a session.
    ///
    /// # Errors
    /// `bad_credentials`, after the same time for known and unknown accounts; `overloaded`.
    pub async fn login(&self, call: &Call, login: Login) -> Result<Opened, Refusal> {
        if login.password.chars().nth(PASSWORD_CHARS_MAX).is_some() {
            return Err(ErrorCode::BadCredentials.into());
        }
        let users = &self.client.node().stores.users;
        let known = users.credentials(&login.email).await.map_err(|e| crate::owner::refusal_of(&e))?;
        let stored = known.as_ref().map_or_else(|| self.hashing.nobody.clone(), |c| c.password_hash.clone());
        let right = self.verify(login.password, stored).await?;
        let Some(credentials) = known.filter(|_| right) else { return Err(ErrorCode::BadCredentials.into()) };
        let (token, text) = Token::new(credentials.user);
        let open = account::Command::Open { session: self.session(token), password_hash: credentials.password_hash };
        let platform = Call { principal: Principal::Platform, ..call.clone() };
        self.client.write(&platform, token.key(), Command::Account(open)).await.map_err(|refusal| match refusal.code {
            // A banned account is not told apart from a wrong password.
            ErrorCode::NotFound => ErrorCode::BadCredentials.into(),
            _ => refusal,
        })?;
        let me = self.client.query(&platform, Key::new(Kind::User, credentials.user), Query::Me).await?;
        Ok(Opened { token: text, user: me.view.body.clone() })
    }

    /// Ends the token's session, on all nodes before this returns.
    ///
    /// # Errors
    /// When the account's owner is out of reach: a repetition is safe.
    pub async fn logout(&self, call: &Call, token: &Token) -> Result<(), Refusal> {
        self.client.write(call, token.key(), Command::Account(account::Command::Close(token.hash))).await.map(drop)
    }

    fn session(&self, token: Token) -> Session {
        let created_at = Timestamp::now();
        let lifetime = i64::try_from(self.client.node().limits.session_lifetime.as_millis()).unwrap_or(i64::MAX);
        Session { token_hash: token.hash, expires_at: created_at.plus_ms(lifetime), created_at }
    }

    async fn hash(&self, password: String) -> Result<String, Refusal> {
        self.on_pool(move |hashing| hash(&hashing.argon2, password.as_bytes())).await?.map_err(|_| ErrorCode::Internal.into())
    }

    async fn verify(&self, password: String, stored: String) -> Result<bool, Refusal> {
        self.on_pool(move |hashing| {
            PasswordHash::new(&stored).is_ok_and(|stored| hashing.argon2.verify_password(password.as_bytes(), &stored).is_ok())
        })
        .await
    }

    /// Runs hashing work on the blocking pool, at most so many at once; beyond the waiting places it is refused.
    async fn on_pool<T: Send + 'static>(&self, work: impl FnOnce(&Hashing) -> T + Send + 'static) -> Result<T, Refusal> {
        let hashing = self.hashing.clone();
        let place = hashing.places.clone().try_acquire_owned().map_err(|_| ErrorCode::Overloaded)?;
        let permit = hashing.permits.clone().acquire_owned().await.map_err(|_| ErrorCode::Unavailable)?;
        // The work cannot be called back once it was begun: it keeps its place also when the client has hung up.
        let work = move || {
            let _held = (place, permit);
            work(&hashing)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| ErrorCode::Internal.into())
    }
}

fn hash(argon2: &Argon2<'_>, password: &[u8]) -> Result<String, argon2::password_hash::Error> {
    Ok(argon2.hash_password(password, &SaltString::generate(&mut OsRng))?.to_string())
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
