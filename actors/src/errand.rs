//! Runs errands: what is done for a person after they were answered ([`store::errand`]).
//!
//! An errand is run at least once by the node that owns the person's slot, and again with growing pauses when it fails, up to a bound. Each is made
//! of owners' writes that may be repeated. A mail may be sent twice if the process ends between sending it and noting that: the second one carries
//! a token of its own, which is the one that works.

use crate::{
    account::Accounts,
    clock::by_the_clock,
    mail::{Letters, MailError, Mailer},
    node::Node,
    owner::refusal_of,
    supervisor::Child,
};
use futures_util::{StreamExt, stream};
use protocol::{Refusal, Slot, Timestamp, UserId};
use std::{sync::Arc, time::Duration};
use store::{Errand, StoreError, Task};

/// How often errands that are due are looked for.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Errands taken at a look …
const BATCH_MAX: u32 = 256;
/// … and of these, run at the same time.
const AT_ONCE_MAX: usize = 16;
/// Tries of an errand that may be given up. With the pauses below the last one is about two hours after the first.
const TRIES_MAX: u32 = 9;
/// The pause after the first failure, which doubles with each; and the longest.
const PAUSE_MS: i64 = 30_000;
const PAUSE_MAX_MS: i64 = 60 * 60 * 1000;

/// When erasing is repeated: no request that began before takes so long.
const AGAIN_MS: i64 = 2 * 60 * 1000;

/// What errands need.
pub struct Means {
    /// Whose errands: those of the slots that this node owns.
    pub node: Arc<Node>,
    /// Makes the tokens.
    pub accounts: Accounts,
    /// Carries mail.
    pub mailer: Arc<dyn Mailer>,
    /// What mail says.
    pub letters: Letters,
}

/// Why an errand is not done.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Refused(#[from] Refusal),
    #[error(transparent)]
    Mail(#[from] MailError),
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Refused(refusal_of(&error))
    }
}

impl Means {
    /// Runs what is due.
    async fn look(&self) -> Result<(), StoreError> {
        let due = self.node.stores.users.errands(Timestamp::now(), BATCH_MAX).await?;
        let own = due.into_iter().filter(|errand| self.node.ownership.serves(Slot::of(errand.user.0)));
        stream::iter(own).for_each_concurrent(AT_ONCE_MAX, |errand| self.attend(errand)).await;
        Ok(())
    }

    /// Runs an errand, and notes what it came to.
    async fn attend(&self, errand: Errand) {
        let users = &self.node.stores.users;
        let (task, user) = (errand.task.name(), errand.user);
        let noted = match self.run(&errand).await {
            Ok(true) => {
                self.node.metrics.errand(errand.task, "done");
                users.errand_done(errand).await
            }
            Ok(false) => users.errand_failed(errand, Timestamp::now().plus_ms(AGAIN_MS)).await,
            Err(failure) if is_final(&errand, &failure) => {
                self.node.metrics.errand(errand.task, "given_up");
                tracing::error!(%failure, task, %user, "an errand is given up");
                users.errand_done(errand).await
            }
            Err(failure) => {
                self.node.metrics.errand(errand.task, "failed");
                tracing::warn!(%failure, task, %user, failures = errand.failures + 1, "an errand failed; it will be tried again");
                users.errand_failed(errand, Timestamp::now().plus_ms(pause_ms(errand.failures))).await
            }
        };
        if let Err(error) = noted {
            tracing::warn!(%error, task, %user, "what an errand came to was not noted; it will be run again");
        }
    }

    /// Runs an errand; `false` if it is to be run once more, later.
    async fn run(&self, errand: &Errand) -> Result<bool, Failure> {
        match errand.task {
            Task::MailReset => self.mail_reset(errand.user).await.map(|()| true),
            Task::Erase => {
                crate::erase::erase(&self.node, errand.user).await?;
                // A request that began before the person left may still have written something.
                Ok(errand.failures > 0)
            }
            Task::MailPasswordChanged => {
                let Some(person) = self.node.stores.users.user(errand.user).await? else { return Ok(true) };
                self.mailer.send(self.letters.password_changed(&person.email, &person.username)).await?;
                Ok(true)
            }
        }
    }

    /// The token is made now and goes nowhere but into the mail: no table, queue or log ever holds it.
    async fn mail_reset(&self, user: UserId) -> Result<(), Failure> {
        let Some(person) = self.node.stores.users.user(user).await?.filter(|person| person.is_active) else { return Ok(()) };
        let Some(token) = self.accounts.allow_reset(user).await? else { return Ok(()) };
        Ok(self.mailer.send(self.letters.reset(&person.email, &person.username, &token)).await?)
    }
}

/// Whether an errand that failed is given up. What somebody left behind is erased sooner or later.
fn is_final(errand: &Errand, failure: &Failure) -> bool {
    if errand.task == Task::Erase {
        return false;
    }
    matches!(failure, Failure::Mail(MailError::Refused(_))) || errand.failures + 1 >= TRIES_MAX
}

/// How long an errand waits that failed before so often.
fn pause_ms(failures: u32) -> i64 {
    PAUSE_MS.checked_shl(failures).filter(|pause| *pause > 0).map_or(PAUSE_MAX_MS, |pause| pause.min(PAUSE_MAX_MS))
}

/// The errands' row of the supervision tree.
#[must_use]
pub fn runner(means: Arc<Means>) -> Child {
    by_the_clock("errands", LOOK_EVERY, move |_| {
        let means = means.clone();
        async move {
            if let Err(error) = means.look().await {
                tracing::warn!(%error, "errands were not looked for; trying again");
            }
            LOOK_EVERY
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_up_to_an_hour_and_tries_end() {
        assert_eq!((pause_ms(0), pause_ms(1), pause_ms(6)), (30_000, 60_000, 1_920_000));
        assert!([7, 8, 40, 63, 64, 1000].into_iter().all(|failures| pause_ms(failures) == PAUSE_MAX_MS));
        let errand = |failures| Errand { user: UserId::new(), task: Task::MailReset, asked_at: Timestamp(0), failures };
        let away = Failure::Mail(MailError::Unavailable(String::new()));
        assert!(!is_final(&errand(0), &away) && !is_final(&errand(TRIES_MAX - 2), &away) && is_final(&errand(TRIES_MAX - 1), &away));
        assert!(is_final(&errand(0), &Failure::Mail(MailError::Refused(String::new()))));
    }

    #[test]
    fn a_mail_is_not_shown_in_logs() {
        let mail = Letters { public_url: "https://connect.example".into() }.reset("ada@example.org", "ada", "the-token");
        let shown = format!("{mail:?}");
        assert!(!shown.contains("the-token") && !shown.contains("ada@"), "{shown}");
        assert!(mail.text.contains("https://connect.example/reset-password#token=the-token"));
    }
}
