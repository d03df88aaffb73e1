//! Moderation: flags, the cases that they make, decisions, appeals.
//!
//! A thing that was flagged has one case, whose id is the thing's. The case alone says whether the thing is hidden; the thing's owner is told so by a
//! [`Verdict`].

use crate::{
    command::Query,
    error::Refusal,
    id::{CommentId, FlagId, MediaId, PostId, ProductId, ReviewId, UserId},
    key::{Key, Kind},
    principal::Role,
    time::Timestamp,
    validate,
    words::words,
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, net::IpAddr};
use uuid::Uuid;

/// Longest note of a flag, decision or appeal, in characters.
pub const NOTE_CHARS_MAX: usize = 1000;
/// Flags of one person that wait for a decision.
pub const FLAGS_OPEN_MAX: u32 = 100;
/// Flags that a case shows to moderators: the newest.
pub const FLAGS_SHOWN_MAX: u32 = 100;

words! {
    /// What sort of thing a case is about.
    TargetType { Post = "post", Comment = "comment", Product = "product", User = "user", Review = "review", File = "file" }
}
words! {
    /// Why something was flagged.
    Reason { Spam = "spam", Abuse = "abuse", Nudity = "nudity", Violence = "violence", Fraud = "fraud", Other = "other" }
}
words! {
    /// Where a case stands.
    Status {
        /// It waits for a decision: on flags or, if the thing is hidden, on an appeal.
        Open = "open",
        /// The thing was hidden.
        Hidden = "hidden",
        /// The thing was hidden, and is shown again.
        Restored = "restored",
        /// The flags came to nothing.
        Dismissed = "dismissed",
    }
}
words! {
    /// What a moderator decides.
    Action {
        /// The thing is hidden, or stays so against an appeal.
        Hide = "hide",
        /// The thing is shown again, as it was.
        Restore = "restore",
        /// What the case waits for comes to nothing: flags, and the thing stays visible; or an appeal, and it stays hidden.
        Dismiss = "dismiss",
    }
}

/// The thing that a case is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Target {
    /// A post.
    Post(PostId),
    /// A comment, on this post.
    Comment(CommentId, PostId),
    /// A product.
    Product(ProductId),
    /// A person.
    User(UserId),
    /// A review of a product.
    Review(ReviewId),
    /// An uploaded file.
    File(MediaId),
}

impl Target {
    /// Its sort.
    #[must_use]
    pub const fn target_type(&self) -> TargetType {
        match self {
            Self::Post(_) => TargetType::Post,
            Self::Comment(..) => TargetType::Comment,
            Self::Product(_) => TargetType::Product,
            Self::User(_) => TargetType::User,
            Self::Review(_) => TargetType::Review,
            Self::File(_) => TargetType::File,
        }
    }

    /// Its id, which is its case's as well.
    #[must_use]
    pub const fn id(&self) -> Uuid {
        match self {
            Self::Post(id) => id.0,
            Self::Comment(id, _) => id.0,
            Self::Product(id) => id.0,
            Self::User(id) => id.0,
            Self::Review(id) => id.0,
            Self::File(id) => id.0,
        }
    }

    /// The key whose owner holds it.
    #[must_use]
    pub fn key(&self) -> Key {
        match *self {
            Self::Post(post) | Self::Comment(_, post) => Key::new(Kind::Post, post),
            Self::Product(id) => Key::new(Kind::Product, id),
            Self::User(id) => Key::new(Kind::User, id),
            Self::Review(id) => Key::new(Kind::Review, id),
            Self::File(id) => Key::new(Kind::File, id),
        }
    }

    /// The part of that key which it is, if it is not all of it.
    #[must_use]
    pub const fn part(&self) -> Option<Query> {
        if let Self::Comment(id, _) = self { Some(Query::Comment(*id)) } else { None }
    }
}

/// The body of `POST /moderation/flags`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewFlag {
    pub target_type: TargetType,
    pub target_id: Uuid,
    pub reason: Reason,
    /// For moderators only; at most [`NOTE_CHARS_MAX`] characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = NOTE_CHARS_MAX)))]
    pub note: Option<String>,
}

/// The body of `POST /moderation/cases/:id/decision`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewDecision {
    pub action: Action,
    /// The author may read it; at most [`NOTE_CHARS_MAX`] characters.
    #[serde(default)]
    #[cfg_attr(feature = "schema", schemars(length(max = NOTE_CHARS_MAX)))]
    pub note: Option<String>,
}

/// The body of `POST /moderation/cases/:id/appeal`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewAppeal {
    /// Why the thing should be shown again: 1 to [`NOTE_CHARS_MAX`] characters.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = NOTE_CHARS_MAX)))]
    pub note: String,
}

impl NewFlag {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::optional("note", self.note.as_ref(), NOTE_CHARS_MAX)
    }
}

impl NewDecision {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::optional("note", self.note.as_ref(), NOTE_CHARS_MAX)
    }
}

impl NewAppeal {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::text("note", &self.note, 1..=NOTE_CHARS_MAX)
    }
}

/// That somebody flagged something. Only moderators read it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Flag {
    /// Ordered by time.
    pub id: FlagId,
    /// Who.
    pub reporter_id: UserId,
    /// Why.
    pub reason: Reason,
    /// In their words.
    pub note: Option<String>,
    /// When.
    pub created_at: Timestamp,
}

/// What whoever flagged something is answered: they may not see the case.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Flagged {
    /// The case's, which is the thing's.
    pub id: Uuid,
    /// What sort of thing it is.
    pub target_type: TargetType,
    /// Which.
    pub target_id: Uuid,
    /// Whether the caller has flagged it.
    pub flagged: bool,
}

/// What only moderators see of a case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct CaseRecord {
    /// Who decided last.
    pub decided_by: Option<UserId>,
    /// Newest first, at most [`FLAGS_SHOWN_MAX`].
    pub reports: Vec<Flag>,
}

/// The last decision on a case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Decided {
    /// Who decided. Only moderators learn it.
    pub by: UserId,
    /// Their words to the author.
    pub note: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What the author said against the last hiding.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Appeal {
    /// Their words.
    pub note: String,
    /// When.
    pub created_at: Timestamp,
}

/// A case.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Case {
    /// What it is about.
    pub target: Target,
    /// Who wrote, sells or is the thing.
    pub author: UserId,
    /// Where it stands.
    pub status: Status,
    /// Whether the thing is hidden.
    pub hidden: bool,
    /// Flags that it waits with, or that the last decision was on.
    pub flags: u32,
    /// Why they did.
    pub reasons: BTreeMap<Reason, u32>,
    /// The last decision.
    pub decided: Option<Decided>,
    /// The appeal against the last hiding.
    pub appeal: Option<Appeal>,
    /// Since when it waits for a decision, or did until the last one.
    pub opened_at: Timestamp,
    /// When it was first flagged.
    pub created_at: Timestamp,
    /// When anything of it last changed.
    pub updated_at: Timestamp,
    /// Its version; from 1.
    pub version: u64,
}

/// What moderators and the author see of a case: neither who flagged the thing nor who decided.
#[derive(Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "Case"))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct PublicCase<'a> {
    pub id: Uuid,
    pub target_type: TargetType,
    pub target_id: Uuid,
    pub author_id: UserId,
    pub status: Status,
    pub hidden: bool,
    pub flags: u32,
    pub reasons: &'a BTreeMap<Reason, u32>,
    pub decision_note: Option<&'a str>,
    pub decided_at: Option<Timestamp>,
    pub appeal: Option<&'a Appeal>,
    pub opened_at: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
}

/// Milliseconds from 1970 until the year 2109: the width of an instant in [`Case::priority`].
const INSTANTS: i64 = 1 << 42;
/// Flags that count in [`Case::priority`]; they are above the instants.
const FLAGS_COUNTED_MAX: u32 = (1 << 20) - 1;

impl Case {
    /// What its author may see.
    #[must_use]
    pub fn public(&self) -> PublicCase<'_> {
        let id = self.target.id();
        PublicCase {
            id,
            target_type: self.target.target_type(),
            target_id: id,
            author_id: self.author,
            status: self.status,
            hidden: self.hidden,
            flags: self.flags,
            reasons: &self.reasons,
            decision_note: self.decided.as_ref().and_then(|decided| decided.note.as_deref()),
            decided_at: self.decided.as_ref().map(|decided| decided.at),
            appeal: self.appeal.as_ref(),
            opened_at: self.opened_at,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        }
    }

    /// Where it stands in the queue, the highest first: open cases by the number of their flags, and among equals the one that waits longest; behind
    /// them those that were decided, the last one first.
    #[must_use]
    pub fn priority(&self) -> i64 {
        let instant = |at: Timestamp| at.0.clamp(0, INSTANTS - 1);
        match self.status {
            Status::Open => i64::from(self.flags.min(FLAGS_COUNTED_MAX)) * INSTANTS + (INSTANTS - 1 - instant(self.opened_at)),
            Status::Hidden | Status::Restored | Status::Dismissed => instant(self.updated_at) - INSTANTS,
        }
    }

    /// What the thing's owner is to be told.
    #[must_use]
    pub const fn verdict(&self) -> Verdict {
        Verdict { hidden: self.hidden, case_version: self.version }
    }
}

/// Whether a thing is hidden, as its case says at a version. It may be delivered late and repeatedly: an owner that heard a newer one ignores it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Verdict {
    /// Whether only its author may see the thing.
    pub hidden: bool,
    /// The case's version.
    pub case_version: u64,
}

/// Writes to a case.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Somebody flags the thing, which they must be able to see; that is checked before it is sent. The first flag makes the case.
    Flag {
        /// What.
        target: Target,
        /// Who is behind it: immutable, so whoever looked it up may say it.
        author: UserId,
        /// Why.
        reason: Reason,
        /// In their words.
        note: Option<String>,
    },
    /// A moderator who outranks the author decides.
    Decide {
        /// What.
        decision: NewDecision,
        /// The author's rank, as whoever sends it found it.
        author_rank: Role,
        /// Where the request came from.
        from: Option<IpAddr>,
    },
    /// The author says why the thing should be shown again. Once a hiding.
    Appeal(NewAppeal),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(status: Status, flags: u32, at: i64) -> Case {
        let at = Timestamp(at);
        Case {
            target: Target::Post(PostId::new()),
            author: UserId::new(),
            status,
            hidden: false,
            flags,
            reasons: BTreeMap::from([(Reason::Spam, flags)]),
            decided: Some(Decided { by: UserId::new(), note: None, at }),
            appeal: None,
            opened_at: at,
            created_at: at,
            updated_at: at,
            version: 1,
        }
    }

    #[test]
    fn the_queue_is_of_the_most_flagged_and_then_of_who_waits_longest() {
        let now = 1_900_000_000_000;
        let queue = [
            case(Status::Open, u32::MAX, now),
            case(Status::Open, 7, now - 5),
            case(Status::Open, 7, now),
            case(Status::Open, 1, 0),
            case(Status::Open, 0, i64::MAX),
            case(Status::Dismissed, 9, now),
            case(Status::Hidden, 1, now - 1),
            case(Status::Restored, 0, i64::MIN),
        ];
        let priorities: Vec<_> = queue.iter().map(Case::priority).collect();
        assert!(priorities.is_sorted_by(|a, b| a > b), "{priorities:?}");
    }

    #[test]
    fn nobody_learns_from_a_case_who_flagged_or_decided() {
        let case = case(Status::Hidden, 2, 1);
        let body = serde_json::to_value(case.public()).expect("it is written");
        assert_eq!((&body["id"], &body["targetType"], &body["reasons"]["spam"]), (&body["targetId"], &"post".into(), &2.into()));
        assert!(!body.to_string().contains(&case.decided.expect("a decision").by.to_string()));
    }
}
