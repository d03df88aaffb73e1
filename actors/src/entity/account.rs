//! Accounts: role, open sessions, and what a new password can be set with. The hashes stay with the owner but for those of sessions; no view holds them.

use super::{Asked, Decision, Entity, Plan, QueryError};
use crate::node::Node;
use protocol::audit::{Entry, action};
use protocol::{
    Audience, Command, ErrorCode, Fact, Kind, Outcome, Principal, Query, Refusal, Reply, Timestamp, UserId, View,
    account::{self, Device, RESET_EVERY_MS, RESET_MS, Reset, SESSIONS_MAX, Session, SignIn, TokenHash},
};
use std::sync::Arc;
use store::{AccountRow, Expect, StoreError, Task, Touch, UsersWrite, Write};
use subtle::ConstantTimeEq;
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

    /// Only the next owner is given it: the second level does not keep accounts.
    fn freeze(state: &AccountRow) -> Option<Box<[u8]>> {
        Some(postcard::to_stdvec(&(&state.password_hash, &state.reset)).expect("texts serialise").into())
    }

    fn thaw(view: &View, frozen: &[u8]) -> Option<AccountRow> {
        let Fact::Account { role, sessions } = &view.fact else { return None };
        let (password_hash, reset): (String, Option<Reset>) = postcard::from_bytes(frozen).ok()?;
        Some(AccountRow { role: *role, password_hash, sessions: sessions.clone(), reset, version: view.version })
    }

    async fn query(_: &Arc<Node>, _: Uuid, _: Arc<AccountRow>, _: Query) -> Result<View, QueryError> {
        Err(QueryError::unknown())
    }

    fn decide(state: Option<&AccountRow>, asked: &Asked, command: account::Command) -> Result<Decision<AccountRow>, Refusal> {
        let state = state.ok_or(ErrorCode::NotFound)?;
        let user = UserId(asked.id);
        match command {
            account::Command::Open { session, password_hash } => {
                open(state, asked, SignIn { session, device: Device::default(), password_hash })
            }
            account::Command::SignIn(sign_in) => open(state, asked, *sign_in),
            account::Command::Close(token_hash) => {
                asked.only(user)?;
                match state.sessions.iter().any(|session| session.token_hash == token_hash) {
                    true => Ok(close(state, user, token_hash)),
                    false => Ok(nothing()),
                }
            }
            account::Command::End(id) => {
                asked.only(user)?;
                let session = state.sessions.iter().find(|session| session.id() == id).ok_or(ErrorCode::NotFound)?;
                Ok(close(state, user, session.token_hash))
            }
            account::Command::EndOthers(keep) => {
                asked.only(user)?;
                let next = AccountRow { sessions: kept(state, Some(keep)), ..state.clone() };
                if next.sessions.len() == state.sessions.len() {
                    return Ok(nothing());
                }
                Ok(plan(next, UsersWrite::EndSessions { user, keep: Some(keep) }, Outcome::Done))
            }
            account::Command::SetPassword { current, next, keep } => {
                asked.only(user)?;
                if current != state.password_hash {
                    return Err(ErrorCode::BadCredentials.into());
                }
                Ok(set_password(state, user, next, Some(keep)))
            }
            account::Command::AskReset => {
                platform(asked)?;
                // Only the newest token works: whoever could have mail sent without end would keep the person from using any.
                let fresh = |reset: &Reset| reset.expires_at > asked.now.plus_ms(RESET_MS - RESET_EVERY_MS);
                if state.reset.as_ref().is_some_and(fresh) {
                    return Ok(nothing());
                }
                Ok(plan(state.clone(), UsersWrite::Ask { user, task: Task::MailReset }, Outcome::Done))
            }
            account::Command::AllowReset(reset) => {
                platform(asked)?;
                let next = AccountRow { reset: Some(reset.clone()), ..state.clone() };
                Ok(plan(next, UsersWrite::AllowReset { user, reset }, Outcome::Done))
            }
            account::Command::UseReset { token_hash, next } => {
                platform(asked)?;
                let sound = |reset: &Reset| bool::from(reset.token_hash.ct_eq(&token_hash)) && reset.expires_at > asked.now;
                if !state.reset.as_ref().is_some_and(sound) {
                    return Err(ErrorCode::BadToken.into());
                }
                Ok(set_password(state, user, next, None))
            }
            account::Command::Rescue { next } => {
                platform(asked)?;
                let entry = Entry::new(None, action::RESET_PASSWORD, ("user", asked.id), asked.now);
                let Decision::Commit(plan) = set_password(state, user, next, None) else { return Err(ErrorCode::Internal.into()) };
                Ok(Plan { touches: vec![Touch::Audit(Box::new(entry))], ..*plan }.into())
            }
        }
    }
}

/// What only the platform's own code asks, after it checked what no owner can.
fn platform(asked: &Asked) -> Result<(), Refusal> {
    if asked.principal == Principal::Platform { Ok(()) } else { Err(ErrorCode::Forbidden.into()) }
}

fn open(state: &AccountRow, asked: &Asked, sign_in: SignIn) -> Result<Decision<AccountRow>, Refusal> {
    let SignIn { session, device, password_hash } = sign_in;
    if asked.principal != Principal::Platform || password_hash != state.password_hash {
        return Err(ErrorCode::BadCredentials.into());
    }
    let mut sessions: Vec<_> = state.sessions.iter().filter(|s| s.expires_at > asked.now).cloned().collect();
    sessions.insert(0, session.clone());
    let ended = sessions.split_off(sessions.len().min(SESSIONS_MAX)).into_iter().map(|s| s.token_hash).collect();
    let write = UsersWrite::OpenSession { user: UserId(asked.id), session, device, ended };
    Ok(plan(AccountRow { sessions, ..state.clone() }, write, Outcome::Created))
}

fn close(state: &AccountRow, user: UserId, token_hash: TokenHash) -> Decision<AccountRow> {
    let sessions = state.sessions.iter().filter(|session| session.token_hash != token_hash).cloned().collect();
    plan(AccountRow { sessions, ..state.clone() }, UsersWrite::CloseSession { user, token_hash }, Outcome::Done)
}

/// The sessions that go on.
fn kept(state: &AccountRow, keep: Option<TokenHash>) -> Vec<Session> {
    state.sessions.iter().filter(|session| Some(session.token_hash) == keep).cloned().collect()
}

/// A new password ends every session that the old one may have opened for somebody else.
fn set_password(state: &AccountRow, user: UserId, password_hash: String, keep: Option<TokenHash>) -> Decision<AccountRow> {
    let next = AccountRow { password_hash: password_hash.clone(), sessions: kept(state, keep), reset: None, ..state.clone() };
    plan(next, UsersWrite::SetPassword { user, password_hash, keep }, Outcome::Done)
}

fn nothing() -> Decision<AccountRow> {
    Decision::Answer(Reply { outcome: Outcome::Done, version: 0, body: bytes::Bytes::new() })
}

/// The write after which the account is as `next` says, but for its version.
fn plan(next: AccountRow, write: UsersWrite, outcome: Outcome) -> Decision<AccountRow> {
    let before = next.version;
    let next = AccountRow { version: before + 1, ..next };
    let reply = Reply { outcome, version: next.version, body: bytes::Bytes::new() };
    Plan { write: Write::Users(write), expect: Expect::Version(before), touches: Vec::new(), next: Some(next), reply, unchanged: None }
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Role;

    fn row(sessions: usize) -> AccountRow {
        let session = |n: usize| Session { token_hash: [n as u8; 32], expires_at: Timestamp(100), created_at: Timestamp(n as i64) };
        let sessions = (0..sessions).map(session).collect();
        AccountRow { role: Role::User, password_hash: "hash".into(), sessions, reset: None, version: 5 }
    }

    fn open(state: &AccountRow, hash: &str, principal: Principal) -> Result<Decision<AccountRow>, Refusal> {
        let session = Session { token_hash: [255; 32], expires_at: Timestamp(1000), created_at: Timestamp(50) };
        let asked = Asked { id: Uuid::now_v7(), principal, now: Timestamp(50), quota: protocol::file::Quota::NONE };
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

    fn decide(
        state: &AccountRow,
        (id, principal): (UserId, Principal),
        command: account::Command,
    ) -> Result<Decision<AccountRow>, ErrorCode> {
        Account::decide(Some(state), &Asked { id: id.0, principal, now: Timestamp(50), quota: protocol::file::Quota::NONE }, command)
            .map_err(|refusal| refusal.code)
    }

    fn next(decision: Result<Decision<AccountRow>, ErrorCode>) -> AccountRow {
        match decision.expect("accepted") {
            Decision::Commit(plan) => plan.next.expect("a next state"),
            Decision::Answer(_) => panic!("a write was expected"),
        }
    }

    #[test]
    fn a_new_password_ends_the_sessions_that_are_not_named() {
        let (id, state) = (UserId::new(), AccountRow { reset: Some(Reset { token_hash: [9; 32], expires_at: Timestamp(100) }), ..row(3) });
        let own = Principal::User { id, role: Role::User };
        let change = |current: &str| account::Command::SetPassword { current: current.into(), next: "new".into(), keep: [1; 32] };
        assert_eq!(decide(&state, (id, own), change("an older hash")).err(), Some(ErrorCode::BadCredentials));
        assert_eq!(decide(&state, (UserId::new(), own), change("hash")).err(), Some(ErrorCode::Forbidden));
        let changed = next(decide(&state, (id, own), change("hash")));
        assert_eq!((changed.password_hash.as_str(), changed.sessions.len(), changed.reset, changed.version), ("new", 1, None, 6));
        assert_eq!(changed.sessions[0].token_hash, [1; 32]);
    }

    #[test]
    fn a_reset_needs_the_newest_token_in_time_and_only_once() {
        let (id, state) = (UserId::new(), row(2));
        let allow = |state: &AccountRow, n: u8, expires_at| {
            let reset = Reset { token_hash: [n; 32], expires_at: Timestamp(expires_at) };
            next(decide(state, (id, Principal::Platform), account::Command::AllowReset(reset)))
        };
        let reset = |state: &AccountRow, n: u8, principal| {
            decide(state, (id, principal), account::Command::UseReset { token_hash: [n; 32], next: "new".into() })
        };
        let (first, expired) = (allow(&state, 1, 51), allow(&state, 1, 50));
        let second = allow(&first, 2, 51);
        assert_eq!(reset(&state, 1, Principal::Platform).err(), Some(ErrorCode::BadToken), "none was asked for");
        assert_eq!(reset(&expired, 1, Principal::Platform).err(), Some(ErrorCode::BadToken), "too old");
        assert_eq!(reset(&second, 1, Principal::Platform).err(), Some(ErrorCode::BadToken), "not the newest");
        assert_eq!(reset(&second, 2, Principal::User { id, role: Role::Admin }).err(), Some(ErrorCode::Forbidden));
        let used = next(reset(&second, 2, Principal::Platform));
        assert_eq!((used.password_hash.as_str(), used.sessions.len()), ("new", 0));
        assert_eq!(reset(&used, 2, Principal::Platform).err(), Some(ErrorCode::BadToken), "used up");
    }

    #[test]
    fn sessions_are_ended_by_their_account_alone() {
        let (id, state) = (UserId::new(), row(3));
        let own = Principal::User { id, role: Role::User };
        let session = state.sessions[1].id();
        let ended = next(decide(&state, (id, own), account::Command::End(session)));
        assert!(ended.sessions.len() == 2 && ended.sessions.iter().all(|s| s.id() != session));
        assert_eq!(decide(&ended, (id, own), account::Command::End(session)).err(), Some(ErrorCode::NotFound));
        assert_eq!(decide(&state, (UserId::new(), own), account::Command::End(session)).err(), Some(ErrorCode::Forbidden));
        let alone = next(decide(&state, (id, own), account::Command::EndOthers([2; 32])));
        assert_eq!(alone.sessions.iter().map(|s| s.token_hash[0]).collect::<Vec<_>>(), [2]);
        assert!(matches!(decide(&alone, (id, own), account::Command::EndOthers([2; 32])), Ok(Decision::Answer(_))));
    }
}
