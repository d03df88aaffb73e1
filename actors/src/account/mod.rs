//! Registration, login, sessions, and who a token is.
//!
//! [`token`]: what a client shows. [`hashing`]: passwords, bounded. [`password`]: how one is changed, or set when it was forgotten.

mod hashing;
mod password;
mod token;

pub use token::{TOKEN_CHARS, Token};

use crate::client::{Call, Client};
use crate::export::view_of;
use crate::owner::refusal_of;
use hashing::Hashing;
use protocol::{
    Command, ErrorCode, Key, Kind, Principal, Query, Refusal, SessionId, Timestamp, UserId,
    account::{self, Device, Login, PASSWORD_CHARS_MAX, Registration, Session, SessionView, SignIn},
    user::{self, NewUser},
};
use quick_cache::sync::Cache;
use std::{net::IpAddr, sync::Arc};
use store::SessionRow;
use tokio::sync::Semaphore;
use uuid::Uuid;

/// Requests for a forgotten password that are worked on behind their answers.
const ASKING_MAX: usize = 64;
/// Exports put together at a time: each takes up to 32 MiB.
const EXPORTING_MAX: usize = 2;
/// Sessions of which this node remembers that their use was noted.
const SEEN_MAX: usize = 65_536;
/// How coarsely the use of a session is noted: within an hour nothing is written again.
const SEEN_EVERY_MS: i64 = 60 * 60 * 1000;

/// A session that was opened.
pub struct Opened {
    /// The client's secret; it is not stored.
    pub token: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// JSON of the person, as they see themselves.
    pub user: bytes::Bytes,
}

/// The accounts of a node. Cheap to clone.
#[derive(Clone)]
pub struct Accounts {
    client: Client,
    hashing: Arc<Hashing>,
    asking: Arc<Semaphore>,
    exporting: Arc<Semaphore>,
    seen: Arc<Cache<u64, i64>>,
}

impl Accounts {
    /// Makes the accounts of a node.
    ///
    /// # Errors
    /// When the configured argon2 parameters are out of their ranges.
    pub fn new(client: Client) -> Result<Self, argon2::Error> {
        let hashing = Hashing::new(&client.node().limits)?;
        let (asking, exporting) = (Arc::new(Semaphore::new(ASKING_MAX)), Arc::new(Semaphore::new(EXPORTING_MAX)));
        Ok(Self { client, hashing, asking, exporting, seen: Arc::new(Cache::new(SEEN_MAX)) })
    }

    /// Passwords that this node hashed, to set or to verify them.
    #[must_use]
    pub fn passwords_hashed(&self) -> u64 {
        self.hashing.done()
    }

    /// Who a token is. `None` if it is not an open session's.
    ///
    /// # Errors
    /// When the account's owner is out of reach: a repetition is safe.
    pub async fn authenticate(&self, token: &Token) -> Result<Option<Principal>, Refusal> {
        match self.client.view(&self.client.call(Principal::Platform), token.key()).await {
            Ok(account) => Ok(token.principal(&account).inspect(|_| self.note(token))),
            Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Notes that the session is in use, behind the request and at most once an hour. It is for its owner to tell sessions apart: nothing depends on
    /// it, and a note that fails is not repeated.
    pub fn note(&self, token: &Token) {
        let (head, _) = token.hash.split_first_chunk().expect("a hash has 32 bytes");
        let (session, now) = (u64::from_le_bytes(*head), Timestamp::now());
        // Each session has an hour of its own, so that they are not all written when the clock strikes.
        let hour = (now.0 + (session % SEEN_EVERY_MS.unsigned_abs()).cast_signed()) / SEEN_EVERY_MS;
        if self.seen.get(&session) == Some(hour) {
            return;
        }
        self.seen.insert(session, hour);
        let (users, hash) = (self.client.node().stores.users.clone(), token.hash);
        tokio::spawn(async move {
            if let Err(error) = users.session_seen(hash, now).await {
                tracing::debug!(%error, "the use of a session was not noted");
            }
        });
    }

    /// Creates an account and its first session. `repeated` says that the client may be repeating itself (it sent an Idempotency-Key): then an
    /// account that has this name, address and password already is theirs, and gets a session.
    ///
    /// # Errors
    /// `invalid_field`, `username_taken`, `email_taken`; `overloaded` when too many passwords are being hashed.
    pub async fn register(&self, call: &Call, new: Registration, (device, repeated): (Device, bool)) -> Result<Opened, Refusal> {
        let email = account::normal_email(&new.email);
        let new = Registration { email, ..new };
        new.validate()?;
        if call.principal != Principal::Platform {
            account::not_reserved(&new.username)?;
        }
        let password = new.password.clone();
        let password_hash = self.hashing.hash(password.clone()).await?;
        let id = UserId::new();
        let (token, text) = Token::new(id);
        let session = self.session(token);
        let expires_at = session.expires_at;
        let command = user::Command::Register(Box::new(NewUser {
            username: new.username.clone(),
            email: new.email.clone(),
            first_name: new.first_name,
            last_name: new.last_name,
            password_hash,
            session,
            device: device.clone(),
        }));
        match self.client.write(call, Key::new(Kind::User, id), Command::User(command)).await {
            Ok(reply) => Ok(Opened { token: text, expires_at, user: reply.body }),
            Err(refusal) if repeated && matches!(refusal.code, ErrorCode::UsernameTaken | ErrorCode::EmailTaken) => {
                let login = Login { email: new.email, password, cookie: new.cookie };
                self.again(call, &new.username, login, device).await.map_err(|_| refusal)
            }
            Err(refusal) => Err(refusal),
        }
    }

    async fn again(&self, call: &Call, username: &str, login: Login, device: Device) -> Result<Opened, Refusal> {
        let opened = self.login(call, login, device).await?;
        let user: serde_json::Value = serde_json::from_slice(&opened.user).map_err(|_| ErrorCode::Internal)?;
        if user["username"] == username { Ok(opened) } else { Err(ErrorCode::Conflict.into()) }
    }

    /// Opens a session.
    ///
    /// # Errors
    /// `bad_credentials`, after the same time for known and unknown accounts; `overloaded`.
    pub async fn login(&self, call: &Call, login: Login, device: Device) -> Result<Opened, Refusal> {
        if login.password.chars().nth(PASSWORD_CHARS_MAX).is_some() {
            return Err(ErrorCode::BadCredentials.into());
        }
        let users = &self.client.node().stores.users;
        let known = users.credentials(login.email.trim()).await.map_err(|e| refusal_of(&e))?;
        let stored = known.as_ref().map_or_else(|| self.hashing.nobody.clone(), |c| c.password_hash.clone());
        let right = self.hashing.verify(login.password, stored).await?;
        let Some(credentials) = known.filter(|_| right) else { return Err(ErrorCode::BadCredentials.into()) };
        let (token, text) = Token::new(credentials.user);
        let session = self.session(token);
        let expires_at = session.expires_at;
        let open = account::Command::SignIn(Box::new(SignIn { session, device, password_hash: credentials.password_hash }));
        let platform = Call { principal: Principal::Platform, ..call.clone() };
        self.client.write(&platform, token.key(), Command::Account(open)).await.map_err(|refusal| match refusal.code {
            // A banned account is not told apart from a wrong password.
            ErrorCode::NotFound => ErrorCode::BadCredentials.into(),
            _ => refusal,
        })?;
        let me = self.client.query(&platform, Key::new(Kind::User, credentials.user), Query::Me).await?;
        Ok(Opened { token: text, expires_at, user: me.view.body.clone() })
    }

    /// Ends the token's session, on all nodes before this returns.
    ///
    /// # Errors
    /// When the account's owner is out of reach: a repetition is safe.
    pub async fn logout(&self, call: &Call, token: &Token) -> Result<(), Refusal> {
        self.client.write(call, token.key(), Command::Account(account::Command::Close(token.hash))).await.map(drop)
    }

    /// The open sessions of a person, newest first; `own` is the one that asks. Read from the store: a session is opened or ended there before anybody is told.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn sessions(&self, user: UserId, own: Option<&Token>) -> Result<Vec<SessionView>, Refusal> {
        let rows = self.client.node().stores.users.sessions(user, Timestamp::now()).await.map_err(|e| refusal_of(&e))?;
        let is_own = |row: &SessionRow| own.is_some_and(|own| own.is(&row.session.token_hash));
        Ok(rows.into_iter().map(|row| (is_own(&row), row)).map(|(current, row)| view_of(row, current)).collect())
    }

    /// Whether the account of this email address, if there is one, has an open session in this neighbourhood. It takes as long if there is none.
    ///
    /// # Errors
    /// When the store is away.
    pub async fn is_near(&self, email: &str, network: &str) -> Result<bool, Refusal> {
        let known = self.client.node().stores.users.credentials(email.trim()).await.map_err(|e| refusal_of(&e))?;
        let sessions = self.sessions(known.map_or(UserId(Uuid::nil()), |known| known.user), None).await?;
        Ok(sessions.iter().any(|session| session.network.as_deref() == Some(network)))
    }

    /// Everything of a person, as a JSON document for them.
    ///
    /// # Errors
    /// `overloaded` when others are put together for so long that this one does not get its turn in time; a repetition is safe.
    pub async fn export(&self, call: &Call, user: UserId) -> Result<bytes::Bytes, Refusal> {
        let _held = tokio::time::timeout_at(call.deadline.into(), self.exporting.acquire()).await.map_err(|_| ErrorCode::Overloaded)?;
        crate::export::export(&self.client, call, user).await
    }

    /// Has a person leave for good, who gave their password: signed out, seen by nobody and without a name once this returns, and erased soon after.
    ///
    /// # Errors
    /// `bad_credentials`; `overloaded`.
    pub async fn leave(&self, call: &Call, user: UserId, (password, from): (String, Option<IpAddr>)) -> Result<(), Refusal> {
        self.confirm(user, password).await?;
        self.client.write(call, Key::new(Kind::User, user), Command::User(user::Command::Leave { from })).await.map(drop)
    }

    /// Ends one of the caller's own sessions, on all nodes before this returns.
    ///
    /// # Errors
    /// `not_found` if it is not open.
    pub async fn end_session(&self, call: &Call, user: UserId, session: SessionId) -> Result<(), Refusal> {
        self.client.write(call, Key::new(Kind::Account, user), Command::Account(account::Command::End(session))).await.map(drop)
    }

    /// Ends all of the caller's own sessions but the token's, on all nodes before this returns.
    ///
    /// # Errors
    /// When the account's owner is out of reach: a repetition is safe.
    pub async fn end_other_sessions(&self, call: &Call, token: &Token) -> Result<(), Refusal> {
        self.client.write(call, token.key(), Command::Account(account::Command::EndOthers(token.hash))).await.map(drop)
    }

    fn session(&self, token: Token) -> Session {
        let created_at = Timestamp::now();
        let lifetime = i64::try_from(self.client.node().limits.session_lifetime.as_millis()).unwrap_or(i64::MAX);
        Session { token_hash: token.hash, expires_at: created_at.plus_ms(lifetime), created_at }
    }
}
