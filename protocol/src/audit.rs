//! The audit log: who did what by their rank, or from the command line.

use crate::{
    id::{AuditId, UserId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};
use uuid::Uuid;

/// The actions that are logged: `<what>.<deed>`. The log takes any text, so that a release can read the entries of others.
pub mod action {
    /// A person's role was set.
    pub const SET_ROLE: &str = "user.role";
    /// A person was banned.
    pub const BAN: &str = "user.ban";
    /// A ban was ended.
    pub const UNBAN: &str = "user.unban";
    /// Somebody left for good.
    pub const LEAVE: &str = "user.leave";
    // Moderation's decisions are named `<target type>.<action>`, such as `post.hide`; on people they are bans.
    /// A moderator looked at a file that is not for everybody, because a case is about it.
    pub const LOOK_AT_FILE: &str = "file.look";
    /// A new password was set, for somebody else.
    pub const RESET_PASSWORD: &str = "user.reset_password";
}

/// Something that somebody did. Entries are made in the transaction of the deed, or leave it through the outbox; they are never changed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "AuditEntry"))]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Ordered by time; an entry that is delivered twice is one.
    pub id: AuditId,
    /// Who did it; `None` is the command line.
    pub actor_id: Option<UserId>,
    /// What was done: see [`action`].
    pub action: String,
    /// To what sort of thing: `user`, `post`, `comment`, `product` …
    pub target_type: String,
    /// To which.
    pub target_id: Uuid,
    /// The circumstances by name, such as `from`, `to` and `reason`. Never a secret.
    pub details: BTreeMap<String, String>,
    /// Where the request came from.
    pub ip: Option<IpAddr>,
    /// When.
    pub created_at: Timestamp,
}

impl Entry {
    /// A deed without circumstances.
    #[must_use]
    pub fn new(actor_id: Option<UserId>, action: &str, (target_type, target_id): (&str, Uuid), created_at: Timestamp) -> Self {
        let (action, target_type) = (action.to_owned(), target_type.to_owned());
        Self { id: AuditId::new(), actor_id, action, target_type, target_id, details: BTreeMap::new(), ip: None, created_at }
    }

    /// With one more circumstance.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.details.insert(name.to_owned(), value.into());
        self
    }

    /// With the address of the request.
    #[must_use]
    pub fn from(self, ip: Option<IpAddr>) -> Self {
        Self { ip, ..self }
    }
}

/// Which entries are asked for: those that fit all that is set.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Filter {
    /// By whom.
    pub actor: Option<UserId>,
    /// To what.
    pub target: Option<Uuid>,
}
