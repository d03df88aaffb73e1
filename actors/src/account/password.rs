//! New passwords: by whoever knows the one so far, by whoever reads the account's mail, and by an operator.

use super::{Accounts, Token};
use crate::{client::Call, owner::refusal_of};
use protocol::{
    Command, ErrorCode, Key, Kind, Principal, Refusal, Timestamp, UserId,
    account::{self, PASSWORD_CHARS_MAX, PasswordChange, PasswordReset, RESET_MS, Reset},
};

impl Accounts {
    /// Sets a new password, and ends all sessions but the token's.
    ///
    /// # Errors
    /// `invalid_field`; `bad_credentials` when the password so far is another one; `overloaded`.
    pub async fn change_password(&self, call: &Call, token: &Token, change: PasswordChange) -> Result<(), Refusal> {
        account::password(&change.new_password)?;
        let current = self.confirm(token.user, change.current_password).await?;
        let next = self.hashing.hash(change.new_password).await?;
        let command = account::Command::SetPassword { current, next, keep: token.hash };
        self.client.write(call, token.key(), Command::Account(command)).await.map(drop)
    }

    /// Checks the password of somebody who has a session. Answers the hash that it matched.
    ///
    /// # Errors
    /// `bad_credentials`; `overloaded`.
    pub async fn confirm(&self, user: UserId, password: String) -> Result<String, Refusal> {
        if password.chars().nth(PASSWORD_CHARS_MAX).is_some() {
            return Err(ErrorCode::BadCredentials.into());
        }
        let known = self.client.node().stores.users.account(user, Timestamp::now()).await.map_err(|e| refusal_of(&e))?;
        let stored = known.ok_or(ErrorCode::Unauthenticated)?.password_hash;
        if self.hashing.verify(password, stored.clone()).await? { Ok(stored) } else { Err(ErrorCode::BadCredentials.into()) }
    }

    /// Has a token mailed, if there is such an account. It says nothing about that, not even by the time it takes: the account is looked up behind
    /// the answer. If the process ends before that, nothing is mailed, and whoever waits asks again.
    ///
    /// # Errors
    /// `overloaded`, whoever is asked for.
    pub fn forgot(&self, email: String) -> Result<(), Refusal> {
        let place = self.asking.clone().try_acquire_owned().map_err(|_| ErrorCode::Overloaded)?;
        let accounts = self.clone();
        tokio::spawn(async move {
            let _held = place;
            if let Err(refusal) = accounts.ask_reset(&email).await {
                tracing::warn!(%refusal, "a new password was asked for, and could not be");
            }
        });
        Ok(())
    }

    async fn ask_reset(&self, email: &str) -> Result<(), Refusal> {
        let known = self.client.node().stores.users.credentials(email).await.map_err(|e| refusal_of(&e))?;
        let Some(known) = known else { return Ok(()) };
        match self.as_platform(known.user, account::Command::AskReset).await {
            // A banned account is not told apart from none.
            Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(()),
            answer => answer,
        }
    }

    /// Makes the token that is to be mailed; the one before it is worth nothing any more. `None` if there is no such account.
    ///
    /// # Errors
    /// When the account's owner is out of reach: a repetition is safe, and makes another token.
    pub async fn allow_reset(&self, user: UserId) -> Result<Option<String>, Refusal> {
        let (token, text) = Token::new(user);
        let reset = Reset { token_hash: token.hash, expires_at: Timestamp::now().plus_ms(RESET_MS) };
        match self.as_platform(user, account::Command::AllowReset(reset)).await {
            Ok(()) => Ok(Some(text)),
            Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(None),
            Err(refusal) => Err(refusal),
        }
    }

    /// Sets a new password with a mailed token, and ends all sessions.
    ///
    /// # Errors
    /// `bad_token`; `invalid_field`; `overloaded`.
    pub async fn reset_password(&self, reset: PasswordReset) -> Result<(), Refusal> {
        account::password(&reset.new_password)?;
        let token = Token::parse(reset.token.as_bytes()).ok_or(ErrorCode::BadToken)?;
        // Looked at before a password is hashed, so that guesses cost nothing but this look. The owner decides.
        let account = self.client.node().stores.users.account(token.user, Timestamp::now()).await.map_err(|e| refusal_of(&e))?;
        if !account.and_then(|account| account.reset).is_some_and(|reset| token.is(&reset.token_hash)) {
            return Err(ErrorCode::BadToken.into());
        }
        let next = self.hashing.hash(reset.new_password).await?;
        match self.as_platform(token.user, account::Command::UseReset { token_hash: token.hash, next }).await {
            Err(refusal) if refusal.code == ErrorCode::NotFound => Err(ErrorCode::BadToken.into()),
            answer => answer,
        }
    }

    /// Sets a new password and ends all sessions, for an operator.
    ///
    /// # Errors
    /// `invalid_field`; `not_found` also for an account that is banned.
    pub async fn rescue(&self, user: UserId, password: String) -> Result<(), Refusal> {
        account::password(&password)?;
        let next = self.hashing.hash(password).await?;
        self.as_platform(user, account::Command::Rescue { next }).await
    }

    async fn as_platform(&self, user: UserId, command: account::Command) -> Result<(), Refusal> {
        let call = self.client.call(Principal::Platform);
        self.client.write(&call, Key::new(Kind::Account, user), Command::Account(command)).await.map(drop)
    }
}
