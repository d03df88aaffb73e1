//! On whose behalf a request is made.

use crate::id::UserId;
use serde::{Deserialize, Serialize};

/// What a person may do beyond their own things. Ordered: a later role outranks an earlier one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// An ordinary member.
    #[default]
    User,
    /// May hide content and ban users.
    Moderator,
    /// May do everything, set roles included.
    Admin,
}

impl Role {
    /// The role's name in rows and views.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Moderator => "moderator",
            Self::Admin => "admin",
        }
    }
}

impl std::str::FromStr for Role {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Self, UnknownName> {
        [Self::User, Self::Moderator, Self::Admin].into_iter().find(|r| r.name() == text).ok_or(UnknownName)
    }
}

/// A word in a row that this release does not know.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("unknown name")]
pub struct UnknownName;

/// The authenticated origin of a request. Set by the edge from a session, never from a header or body of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Principal {
    /// No token was given.
    Anonymous,
    /// The subject of a valid session.
    User {
        /// Who it is.
        id: UserId,
        /// Their role when the session was checked.
        role: Role,
    },
    /// The platform itself: outbox delivery, maintenance, the command line.
    Platform,
}

impl Principal {
    /// The person, if there is one.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        if let Self::User { id, .. } = self { Some(*id) } else { None }
    }

    /// Whether this is the person `id`.
    #[must_use]
    pub fn is(&self, id: UserId) -> bool {
        self.user() == Some(id)
    }
}
