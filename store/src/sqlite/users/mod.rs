//! The users database: people, accounts, relations.

pub(super) mod account;
pub(super) mod audit;
pub(super) mod block;
pub(super) mod case;
pub(super) mod read;
pub(super) mod search;
pub(super) mod write;

use super::column::snapshot;
use super::database::Database;
use super::metric::Operation;
use crate::{AccountRow, Commit, CommitError, Committed, Errand, Ids, SessionRow, StoreError, Users, UsersWrite};
use async_trait::async_trait;
use protocol::audit::{Entry, Filter};
use protocol::moderation::{Case, Flag, Status};
use protocol::people::Search;
use protocol::{
    Page, Position, SkillId, Timestamp, UserId,
    account::{Credentials, TokenHash},
    follow::Relations,
    user::User,
};
use uuid::Uuid;

/// The database's name.
pub(super) const DATABASE: &str = "users";

#[async_trait]
impl Users for Database<UsersWrite> {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.read(Operation::User, move |db| snapshot(db, |db| read::user(db, id))).await
    }

    async fn account(&self, id: UserId, now: Timestamp) -> Result<Option<AccountRow>, StoreError> {
        self.read(Operation::Account, move |db| snapshot(db, |db| read::account(db, id, now))).await
    }

    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, StoreError> {
        let folded = fold(email);
        self.read(Operation::Credentials, move |db| read::credentials(db, &folded)).await
    }

    async fn relations(&self, id: UserId) -> Result<Relations, StoreError> {
        self.read(Operation::Relations, move |db| snapshot(db, |db| read::relations(db, id))).await
    }

    async fn follow_page(&self, id: UserId, followers: bool, page: Page) -> Result<(Ids, u64), StoreError> {
        self.read(Operation::FollowPage, move |db| snapshot(db, |db| read::follow_page(db, id, followers, page))).await
    }

    async fn followers(&self, id: UserId, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError> {
        self.read(Operation::Followers, move |db| read::followers(db, id, after, limit)).await
    }

    async fn pulled(&self) -> Result<Vec<UserId>, StoreError> {
        self.read(Operation::Pulled, read::pulled).await
    }

    async fn skill_owner(&self, id: SkillId) -> Result<Option<UserId>, StoreError> {
        self.read(Operation::SkillOwner, move |db| read::skill_owner(db, id)).await
    }

    async fn endorsers(&self, id: SkillId, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::Endorsers, move |db| read::endorsers(db, id, page)).await
    }

    async fn endorsed(&self, id: SkillId, by: UserId) -> Result<bool, StoreError> {
        self.read(Operation::Endorsed, move |db| read::endorsed(db, id, by)).await
    }

    async fn blocked(&self, id: UserId, page: Page) -> Result<(Ids, u64), StoreError> {
        self.read(Operation::Blocked, move |db| snapshot(db, |db| block::blocked(db, id, page))).await
    }

    async fn inactive(&self) -> Result<Vec<UserId>, StoreError> {
        self.read(Operation::Inactive, read::inactive).await
    }

    async fn is_active(&self, id: UserId) -> Result<bool, StoreError> {
        self.read(Operation::IsActive, move |db| read::is_active(db, id)).await
    }

    async fn search(&self, search: Search) -> Result<Ids, StoreError> {
        self.read(Operation::Search, move |db| snapshot(db, |db| search::search(db, &search))).await
    }

    async fn audit(&self, filter: Filter, page: Page) -> Result<(Vec<Entry>, Option<Position>), StoreError> {
        self.read(Operation::Audit, move |db| audit::page(db, filter, page)).await
    }

    async fn note(&self, entry: Entry) -> Result<(), StoreError> {
        self.maintain(Operation::Note, move |db| audit::note(db, &entry)).await
    }

    async fn case(&self, id: Uuid) -> Result<Option<Case>, StoreError> {
        self.read(Operation::Case, move |db| case::case(db, id)).await
    }

    async fn flags(&self, id: Uuid, limit: u32) -> Result<Vec<Flag>, StoreError> {
        self.read(Operation::Flags, move |db| case::flags(db, id, limit)).await
    }

    async fn cases(&self, status: Option<Status>, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::Cases, move |db| case::queue(db, status, page)).await
    }

    async fn cases_of(&self, author: UserId, page: Page) -> Result<Ids, StoreError> {
        self.read(Operation::CasesOf, move |db| case::of(db, author, page)).await
    }

    async fn commit(&self, commit: Commit<UsersWrite>) -> Result<Committed, CommitError> {
        self.carry_out(commit).await
    }

    async fn named(&self, name: &str) -> Result<Option<UserId>, StoreError> {
        let folded = fold(name);
        self.read(Operation::Named, move |db| read::named(db, &folded)).await
    }

    async fn sessions(&self, id: UserId, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
        self.read(Operation::Sessions, move |db| account::sessions(db, id, now)).await
    }

    async fn session_seen(&self, token_hash: TokenHash, at: Timestamp) -> Result<(), StoreError> {
        self.maintain(Operation::SessionSeen, move |db| account::session_seen(db, &token_hash, at)).await
    }

    async fn errands(&self, now: Timestamp, limit: u32) -> Result<Vec<Errand>, StoreError> {
        self.read(Operation::Errands, move |db| account::errands(db, now, limit)).await
    }

    async fn errand_done(&self, errand: Errand) -> Result<(), StoreError> {
        self.maintain(Operation::ErrandDone, move |db| account::errand_done(db, &errand)).await
    }

    async fn errand_failed(&self, errand: Errand, due_at: Timestamp) -> Result<(), StoreError> {
        self.maintain(Operation::ErrandFailed, move |db| account::errand_failed(db, &errand, due_at)).await
    }
}

/// How usernames and email addresses are compared.
fn fold(text: &str) -> String {
    text.to_ascii_lowercase()
}
