//! Views: what an owner publishes for everyone to read without asking it.

use crate::{
    account::Session, bookmark::Bookmark, cart, file, follow::Relations, id::PostId, id::UserId, moderation::Target, page::Position,
    principal::Role, wishlist,
};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// An immutable rendering of an entity, or of one page of it, at a version.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct View {
    /// The owner key's version that this shows. Versions of one key only grow.
    pub version: u64,
    /// Who may see `body`.
    pub audience: Audience,
    /// JSON, ready to send; empty where the view is only for the platform.
    pub body: Bytes,
    /// What the platform's own code needs to know of it.
    pub fact: Fact,
}

/// Who may see a view.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Audience {
    /// Anyone.
    Everyone,
    /// This person, and those whom they follow and who follow them.
    Friends(UserId),
    /// This person only.
    Only(UserId),
    /// Nobody: it was deleted. The id is never used again, so this may be cached for ever.
    Gone,
    /// The platform's own code only.
    Platform,
}

/// Typed content of a view, for visibility, routing and hydration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Fact {
    /// Nothing beyond the body.
    None,
    /// The sessions of an account.
    Account {
        /// The account's role.
        role: Role,
        /// Open sessions, at most [`crate::account::SESSIONS_MAX`].
        sessions: Vec<Session>,
    },
    /// Whom a person follows.
    Follows(Box<Relations>),
    /// Ids to be hydrated, in order, and where the page ended. `next` is `None` at the list's end.
    Ids {
        /// The rows.
        ids: Vec<Uuid>,
        /// Where the next page begins.
        next: Option<Position>,
        /// How many rows the whole list has, where that is known cheaply.
        total: Option<u64>,
    },
    /// A page whose rows are in the body, a JSON array.
    Rows {
        /// Where the next page begins.
        next: Option<Position>,
        /// How many rows the whole list has, where that is known cheaply.
        total: Option<u64>,
    },
    /// Who wrote the thing (a post), sells it (a product) or is shown by it (a person): whoever may not see them does not see it.
    By(UserId),
    /// A page whose rows are in the body, a JSON array, and by different people: so that it can be cut for each viewer.
    Authored {
        /// Of each row, in order: who wrote it, and where in the body it ends.
        rows: Vec<(UserId, u32)>,
        /// Where the next page begins.
        next: Option<Position>,
        /// How many rows the whole list has, where that is known cheaply.
        total: Option<u64>,
    },
    /// A post that shares another one.
    Share {
        /// Who shares.
        author: UserId,
        /// What.
        parent: PostId,
        /// Without words of their own: it is the other post that such a share stands for.
        bare: bool,
    },
    /// A page of bookmarks, to be hydrated with their posts.
    Bookmarks {
        /// The rows.
        rows: Vec<Bookmark>,
        /// Where the next page begins.
        next: Option<Position>,
    },
    /// Who placed an order, and who received it: nobody else may know of it.
    Between {
        /// Who placed it.
        buyer: UserId,
        /// Who received it.
        seller: UserId,
    },
    /// The lines of a cart, oldest first, at most [`cart::ITEMS_MAX`].
    Cart(Vec<cart::Item>),
    /// What somebody wishes for, newest first, at most [`wishlist::ITEMS_MAX`].
    Wishes(Vec<wishlist::Item>),
    /// A case.
    Case {
        /// What it is about.
        target: Target,
        /// Who is behind that.
        author: UserId,
    },
    /// A file: whose it is, and where its bytes are.
    File(Box<file::Place>),
    /// What some bytes are, and whose files have them.
    Content(Box<file::Content>),
}

impl View {
    /// About how many bytes it takes in a frame, and rather more.
    #[must_use]
    pub fn bytes_about(&self) -> usize {
        const ID: usize = 16;
        // An id, numbers and times, and what is written of a text.
        const ROW: usize = 160;
        let fact = match &self.fact {
            Fact::Account { sessions, .. } => sessions.len() * ROW,
            Fact::Follows(relations) => (relations.following.len() + relations.friends.len() + relations.hidden.len()) * (ID + 1) + ROW,
            Fact::Ids { ids, .. } => ids.len() * (ID + 1) + ROW,
            Fact::Authored { rows, .. } => rows.len() * (ID + 6) + ROW,
            Fact::Bookmarks { rows, .. } => rows.len() * ROW,
            Fact::Cart(items) => items.len() * ROW,
            Fact::Wishes(items) => items.len() * ROW,
            Fact::Content(content) => content.public_by.len() * (ID + 1) + 2 * ROW,
            Fact::None
            | Fact::Rows { .. }
            | Fact::By(_)
            | Fact::Share { .. }
            | Fact::Between { .. }
            | Fact::Case { .. }
            | Fact::File(_) => ROW,
        };
        self.body.len() + fact + ROW
    }
}

impl Fact {
    /// Whether it is a share.
    #[must_use]
    pub const fn shares(&self) -> bool {
        matches!(self, Self::Share { .. })
    }

    /// Who wrote or sells the thing, if it is somebody's.
    #[must_use]
    pub const fn by(&self) -> Option<UserId> {
        match self {
            Self::By(person) | Self::Share { author: person, .. } => Some(*person),
            Self::File(place) => Some(place.by),
            _ => None,
        }
    }
}
