//! Errands: what is done for a person after they were answered, such as a mail.
//!
//! An errand is a row that is written with what it follows from, in one transaction, so a crash loses none. It holds no secret and nothing that
//! could be out of date: only for whom and what; whoever runs it looks up the rest, and makes the tokens that a mail carries.

use protocol::{Timestamp, UserId, principal::UnknownName};

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// Mail a token with which a new password can be set.
    MailReset,
    /// Mail that there is a new password.
    MailPasswordChanged,
    /// Erase what somebody made who left.
    Erase,
}

impl Task {
    /// Every task.
    pub const ALL: [Self; 3] = [Self::MailReset, Self::MailPasswordChanged, Self::Erase];

    /// The task's name in rows, logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MailReset => "mail_reset",
            Self::MailPasswordChanged => "mail_password_changed",
            Self::Erase => "erase",
        }
    }
}

impl std::str::FromStr for Task {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL.into_iter().find(|task| task.name() == text).ok_or(UnknownName)
    }
}

/// An errand. A person has at most one of each task: asking again renews it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Errand {
    /// For whom.
    pub user: UserId,
    /// What.
    pub task: Task,
    /// When it was last asked for.
    pub asked_at: Timestamp,
    /// How often it failed since then.
    pub failures: u32,
}
