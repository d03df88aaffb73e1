//! Mail that the platform writes to a person. What carries it is the node's: [`Mailer`].

use futures_util::future::BoxFuture;

/// A mail of plain text.
#[derive(Clone, PartialEq, Eq)]
pub struct Mail {
    /// To whom: an address that was checked when its account was made.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The text, in lines. It may hold a token.
    pub text: String,
}

impl std::fmt::Debug for Mail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The text may hold a token, and the address is a person's.
        f.debug_struct("Mail").field("subject", &self.subject).finish_non_exhaustive()
    }
}

/// Why a mail did not leave. Neither holds what was in it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum MailError {
    /// Whoever carries mail will never take this one.
    #[error("the mail is refused for good: {0}")]
    Refused(String),
    /// A repetition may help. The mail may have left all the same.
    #[error("the mail did not leave: {0}")]
    Unavailable(String),
}

/// Carries mail.
pub trait Mailer: Send + Sync + 'static {
    /// Hands a mail over to be delivered. Takes no longer than a minute.
    fn send(&self, mail: Mail) -> BoxFuture<'_, Result<(), MailError>>;
}

/// What mail says, and where it leads.
#[derive(Debug, Clone)]
pub struct Letters {
    /// Origin of the platform's pages, without a slash at its end.
    pub public_url: String,
}

impl Letters {
    /// The mail that carries a token for a new password. The token stands behind the `#`, which browsers send to no server and to no other page.
    #[must_use]
    pub fn reset(&self, to: &str, username: &str, token: &str) -> Mail {
        let site = &self.public_url;
        let text = format!(
            "Somebody, you we hope, asked to set a new password for {username} at {site}.\n\n\
             To set one, open this within an hour:\n\n{site}/reset-password#token={token}\n\n\
             It works once, and only the newest such mail works. If you did not ask, do nothing: your password stays as it is.\n"
        );
        Mail { to: to.to_owned(), subject: "Set a new password".to_owned(), text }
    }

    /// The mail that says that there is a new password.
    #[must_use]
    pub fn password_changed(&self, to: &str, username: &str) -> Mail {
        let site = &self.public_url;
        let text = format!(
            "The password of {username} at {site} was changed, and sessions elsewhere were ended.\n\n\
             If that was not you, set a new password at once: {site}/forgot-password\n"
        );
        Mail { to: to.to_owned(), subject: "Your password was changed".to_owned(), text }
    }
}
