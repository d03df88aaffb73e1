//! The users database: people, accounts, relations.

pub(super) mod account;
pub(super) mod audit;
pub(super) mod block;
pub(super) mod case;
pub(super) mod read;
pub(super) mod search;
pub(super) mod write;

use super::column::{At, BOTTOM, Columns, TOP, fetch};
use super::database::{Database, first};
use super::transaction::borrowed;
use crate::metric::Operation;
use crate::{AccountRow, Commit, CommitError, Committed, Errand, Ids, SessionRow, StoreError, Users, UsersWrite};
use async_trait::async_trait;
use protocol::account::{Credentials, SESSIONS_MAX, TokenHash};
use protocol::audit::{Entry, Filter};
use protocol::moderation::{Case, Flag, Status};
use protocol::people::Search;
use protocol::{Kind, Page, Position, SkillId, Timestamp, UserId, follow::Relations, user::User};
use tokio_postgres::Row;
use uuid::Uuid;

/// The database's name.
pub(super) const DATABASE: &str = "users";

#[async_trait]
impl Users for Database<UsersWrite> {
    async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        self.look_up(Operation::User, read::PERSON, &[&id.0], read::user).await
    }

    async fn account(&self, id: UserId, now: Timestamp) -> Result<Option<AccountRow>, StoreError> {
        let (kind, sessions_max) = (kind(Kind::Account), SESSIONS_MAX as i64);
        self.look_up(Operation::Account, read::ACCOUNT, &[&id.0, &At(now), &sessions_max, &kind], read::account).await
    }

    async fn credentials(&self, email: &str) -> Result<Option<Credentials>, StoreError> {
        self.optional(Operation::Credentials, read::CREDENTIALS, &[&fold(email)], read::credentials).await
    }

    async fn relations(&self, id: UserId) -> Result<Relations, StoreError> {
        let relations = self.read(Operation::Relations, read::RELATIONS, &[&id.0, &kind(Kind::Follows)], first(read::relations)).await?;
        Ok(relations.unwrap_or_default())
    }

    async fn follow_page(&self, id: UserId, followers: bool, page: Page) -> Result<(Ids, u64), StoreError> {
        let sql = if followers { read::FOLLOWERS_PAGE } else { read::FOLLOWING_PAGE };
        let after = page.after.unwrap_or(TOP);
        let values = (At(Timestamp(after.sort)), fetch(page));
        self.read(Operation::FollowPage, sql, &[&id.0, &values.0, &after.id, &values.1], |rows| read::follow_page(rows, page)).await
    }

    async fn followers(&self, id: UserId, after: Option<UserId>, limit: u32) -> Result<Vec<UserId>, StoreError> {
        let after = after.map_or(BOTTOM.id, |id| id.0);
        self.list(Operation::Followers, read::FOLLOWERS, &[&id.0, &after, &i64::from(limit)], read::user_id).await
    }

    async fn pulled(&self) -> Result<Vec<UserId>, StoreError> {
        self.list(Operation::Pulled, read::PULLED, &[], read::user_id).await
    }

    async fn skill_owner(&self, id: SkillId) -> Result<Option<UserId>, StoreError> {
        self.optional(Operation::SkillOwner, read::SKILL_OWNER, &[&id.0], read::user_id).await
    }

    async fn endorsers(&self, id: SkillId, page: Page) -> Result<Ids, StoreError> {
        let after = page.after.unwrap_or(TOP);
        let values = (At(Timestamp(after.sort)), fetch(page));
        self.read(Operation::Endorsers, read::ENDORSERS_PAGE, &[&id.0, &values.0, &after.id, &values.1], |rows| read::newest(rows, page))
            .await
    }

    async fn endorsed(&self, id: SkillId, by: UserId) -> Result<bool, StoreError> {
        let found = self.optional(Operation::Endorsed, read::ENDORSED, &[&id.0, &by.0], |row| Columns::of(row).take()).await?;
        Ok(found.unwrap_or(false))
    }

    async fn blocked(&self, id: UserId, page: Page) -> Result<(Ids, u64), StoreError> {
        let after = page.after.unwrap_or(TOP);
        let values = (At(Timestamp(after.sort)), fetch(page));
        let page_of = |rows: &[Row]| read::follow_page(rows, page);
        self.read(Operation::Blocked, block::BLOCKED_PAGE, &[&id.0, &values.0, &after.id, &values.1], page_of).await
    }

    async fn inactive(&self) -> Result<Vec<UserId>, StoreError> {
        self.list(Operation::Inactive, read::INACTIVE, &[], read::user_id).await
    }

    async fn is_active(&self, id: UserId) -> Result<bool, StoreError> {
        let found = self.optional(Operation::IsActive, read::IS_ACTIVE, &[&id.0], |row| Columns::of(row).take()).await?;
        Ok(found.unwrap_or(false))
    }

    async fn search(&self, search: Search) -> Result<Ids, StoreError> {
        search::search(self, &search).await
    }

    async fn audit(&self, filter: Filter, page: Page) -> Result<(Vec<Entry>, Option<Position>), StoreError> {
        audit::page(self, filter, page).await
    }

    async fn note(&self, entry: Entry) -> Result<(), StoreError> {
        let params = audit::row(&entry);
        self.read(Operation::Note, audit::INSERT_ENTRY, &borrowed(&params), |_| Ok(())).await
    }

    async fn case(&self, id: Uuid) -> Result<Option<Case>, StoreError> {
        self.optional(Operation::Case, case::CASE, &[&id], case::case).await
    }

    async fn flags(&self, id: Uuid, limit: u32) -> Result<Vec<Flag>, StoreError> {
        self.list(Operation::Flags, case::FLAGS, &[&id, &i64::from(limit)], case::flag).await
    }

    async fn cases(&self, status: Option<Status>, page: Page) -> Result<Ids, StoreError> {
        case::queue(self, status, page).await
    }

    async fn cases_of(&self, author: UserId, page: Page) -> Result<Ids, StoreError> {
        case::of(self, author, page).await
    }

    async fn commit(&self, commit: Commit<UsersWrite>) -> Result<Committed, CommitError> {
        self.carry_out(commit).await
    }

    async fn named(&self, name: &str) -> Result<Option<UserId>, StoreError> {
        self.optional(Operation::Named, read::NAMED, &[&fold(name)], read::user_id).await
    }

    async fn sessions(&self, id: UserId, now: Timestamp) -> Result<Vec<SessionRow>, StoreError> {
        self.list(Operation::Sessions, account::SESSIONS_SHOWN, &[&id.0, &At(now), &(SESSIONS_MAX as i64)], account::session).await
    }

    async fn session_seen(&self, token_hash: TokenHash, at: Timestamp) -> Result<(), StoreError> {
        self.read(Operation::SessionSeen, account::SEEN, &[&&token_hash[..], &At(at)], |_| Ok(())).await
    }

    async fn errands(&self, now: Timestamp, limit: u32) -> Result<Vec<Errand>, StoreError> {
        self.list(Operation::Errands, account::ERRANDS, &[&At(now), &i64::from(limit)], account::errand).await
    }

    async fn errand_done(&self, errand: Errand) -> Result<(), StoreError> {
        let Errand { user, task, asked_at, .. } = errand;
        self.read(Operation::ErrandDone, account::ERRAND_DONE, &[&user.0, &task.name(), &At(asked_at)], |_| Ok(())).await
    }

    async fn errand_failed(&self, errand: Errand, due_at: Timestamp) -> Result<(), StoreError> {
        let Errand { user, task, asked_at, .. } = errand;
        let values = (At(asked_at), At(due_at));
        self.read(Operation::ErrandFailed, account::ERRAND_FAILED, &[&user.0, &task.name(), &values.0, &values.1], |_| Ok(())).await
    }
}

/// How usernames and email addresses are compared.
fn fold(text: &str) -> String {
    text.to_ascii_lowercase()
}

fn kind(kind: Kind) -> i16 {
    i16::from(u8::from(kind))
}
