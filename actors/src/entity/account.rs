//! Accounts: role and open sessions. The password hash stays with the owner; no view holds it.

use super::{Asked, Decision, Entity, Plan, QueryError};
use crate::node::Node;
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, Outcome, Principal, Query, Refusal, Reply, Timestamp, UserId, View,
    account::{self, SESSIONS_MAX, Session},
};
use std::sync::Arc;
use store::{AccountRow, Expect, StoreError, UsersWrite, Write};
use uuid::Uuid;

/// The owner of accounts.
pub struct Account;

impl Entity for Account {
    const KIND: Kind = Kind::Account;
    type State = AccountRow;
    type Command = account::Command;

    fn command(command: Command) -> Option<account::Command> {
        if let Command::Account(command) = command { Some(command) } else { None }
    }

    async fn load(node: &Arc<Node>, id: Uuid) -> Result<Option<AccountRow>, StoreError> {
        node.stores.users.account(UserId(id), Timestamp::now()).await
    }

    fn version(state: &AccountRow) -> u64 {
        state.version
    }

    fn bytes(state: &AccountRow) -> usize {
        // Twice the sessions: they are in the view's fact, too.
        size_of::<AccountRow>() + state.password_hash.len() + 2 * state.sessions.len() * size_of::<Session>()
    }

    fn view(state: &AccountRow) -> View {
        let fact = Fact::Account { role: state.role, sessions: state.sessions.clone() };
        View { version: state.version, audience: Audience::Platform, body: bytes::Bytes::new(), fact }
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<AccountRow>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(state: Option<&AccountRow>, asked: &Asked, command: account::Command) -> Result<Decision<AccountRow>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        let user = UserId(asked.id);
        match command {
            account::Command::Open { session, password_hash } => {
                if asked.principal != Principal::Platform || password_hash != state.password_hash {
                    return Err(ErrorCode::BadCredentials.into());
                }
                let mut sessions: Vec<_> = state.sessions.iter().filter(|s| s.expires_at > asked.now).cloned().collect();
                sessions.insert(0, session.clone());
                let ended = sessions.split_off(sessions.len().min(SESSIONS_MAX)).into_iter().map(|s| s.token_hash).collect();
                Ok(plan(state, sessions, UsersWrite::OpenSession { user, session, ended }, Outcome::Created))
            }
            account::Command::Close(token_hash) => {
                asked.only(user)?;
                let mut sessions = state.sessions.clone();
                sessions.retain(|s| s.token_hash != token_hash);
                if sessions.len() == state.sessions.len() {
                    return Ok(Decision::Answer(Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() }));
                }
                Ok(plan(state, sessions, UsersWrite::CloseSession { user, token_hash }, Outcome::Done))
            }
        }
    }
}

fn plan(state: &AccountRow, sessions: Vec<Session>, write: UsersWrite, outcome: Outcome) -> Decision<AccountRow> {
    let version = state.version + 1;
    let next = AccountRow { sessions, version, ..state.clone() };
    let reply = Reply { outcome, version, body: bytes::Bytes::new() };
    Plan {
        write: Write::Users(write),
        expect: Expect::Version(state.version),
        touches: Vec::new(),
        next: Some(next),
        reply,
        unchanged: None,
    }
    .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Role;

    fn row(sessions: usize) -> AccountRow {
        let session = |n: usize| Session { token_hash: [n as u8; 32], expires_at: Timestamp(100), created_at: Timestamp(n as i64) };
        AccountRow { role: Role::User, password_hash: "hash".into(), sessions: (0..sessions).map(session).collect(), version: 5 }
    }

    fn open(state: &AccountRow, hash: &str, principal: Principal) -> Result<Decision<AccountRow>, Refusal> {
        let session = Session { token_hash: [255; 32], expires_at: Timestamp(1000), created_at: Timestamp(50) };
        let asked = Asked { id: Uuid::now_v7(), principal, now: Timestamp(50) };
        Account::decide(Some(state), &asked, account::Command::Open { session, password_hash: hash.into() })
    }

    #[test]
    fn one_session_more_than_allowed_ends_the_oldest() {
        let Ok(Decision::Commit(plan)) = open(&row(SESSIONS_MAX), "hash", Principal::Platform) else { panic!("refused") };
        let Plan { next, write, .. } = *plan;
        let next = next.expect("a next state");
        assert_eq!(next.sessions.len(), SESSIONS_MAX);
        assert_eq!(next.sessions[0].token_hash, [255; 32]);
        assert!(matches!(write, Write::Users(UsersWrite::OpenSession { ended, .. }) if ended == [[SESSIONS_MAX as u8 - 1; 32]]));
    }

    #[test]
    fn a_session_opens_only_for_a_password_that_was_verified() {
        assert!(open(&row(0), "an older hash", Principal::Platform).is_err());
        assert!(open(&row(0), "hash", Principal::User { id: UserId::new(), role: Role::Admin }).is_err());
    }
}
