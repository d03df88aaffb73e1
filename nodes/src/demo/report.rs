//! What whoever waits for demo data is told: how far they are, and in the end how much there is and how to look at it.

use super::PASSWORD;
use protocol::UserId;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// Time between two reports of one step.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being made.
    pub step: &'static str,
    /// How many of them there are …
    pub done: u64,
    /// … of how many.
    pub of: u64,
}

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} of {}", self.step, self.done, self.of)
    }
}

/// Reports every two seconds, and at the end of a step.
pub(super) struct Report<F> {
    tell: F,
    told_at: Instant,
}

impl<F: FnMut(Progress)> Report<F> {
    pub(super) fn new(tell: F) -> Self {
        Self { tell, told_at: Instant::now() }
    }

    pub(super) fn step(&mut self, step: &'static str, done: u64, of: u64) {
        if done == of || self.told_at.elapsed() >= REPORT_EVERY {
            self.told_at = Instant::now();
            (self.tell)(Progress { step, done, of });
        }
    }
}

/// How much there is of everything.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Counts {
    pub people: u64,
    pub skills: u64,
    pub follows: u64,
    pub posts: u64,
    pub comments: u64,
    pub endorsements: u64,
    pub products: u64,
    pub orders: u64,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { people, skills, follows, posts, comments, endorsements, products, orders } = self;
        write!(f, "{people} people with {skills} skills, {follows} follows, {posts} posts with {comments} comments, ")?;
        write!(f, "{endorsements} endorsements, {products} products with {orders} orders")
    }
}

/// Somebody to sign in as.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct First {
    pub id: UserId,
    pub name: String,
    pub email: String,
}

/// What was made. Its text is several lines: how much, whom to sign in as, and three commands that show something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// How much there is.
    pub counts: Counts,
    /// The best known of the people.
    pub first: First,
    /// Where the platform answers.
    pub base_url: String,
    /// How long it took.
    pub took: Duration,
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { counts, first: First { id, name, email }, base_url, took } = self;
        writeln!(f, "Made {counts} in {:.0} s.\n", took.as_secs_f64())?;
        writeln!(
            f,
            "Sign in as {name}: {email} with the password {PASSWORD}, which is everybody's. Look around while `lets-connect` serves:\n"
        )?;
        writeln!(f, "  curl '{base_url}/api/shop/public/products?limit=3'")?;
        writeln!(f, "  curl '{base_url}/api/user/profile/{id}'")?;
        let body = format!(r#"-H 'content-type: application/json' -d '{{"email":"{email}","password":"{PASSWORD}"}}'"#);
        let login = format!("curl -s '{base_url}/api/user/login' {body}");
        let token = format!(r#"{login} | sed 's/.*"token":"\([^"]*\)".*/\1/'"#);
        write!(f, r#"  curl '{base_url}/api/content/feed/{id}?limit=3' -H "authorization: Bearer $({token})""#)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_told_at_its_end() {
        let mut told = Vec::new();
        let mut report = Report::new(|progress: Progress| told.push(progress.to_string()));
        (1..=500).for_each(|done| report.step("people", done, 500));
        assert_eq!(told, ["people: 500 of 500"]);
    }
}
