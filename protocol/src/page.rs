//! Keyset pages: a position in a list that does not move when rows come and go.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Where a page ended: the sort value and the id of its last row. Lists that sort by id alone leave `sort` at 0.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub struct Position {
    /// The sort value: cents, milliseconds or a count, as the list sorts.
    pub sort: i64,
    /// Breaks ties; unique in the list.
    pub id: Uuid,
}

/// A request for the rows behind a position.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Page {
    /// The position behind which to begin; `None` is the beginning.
    pub after: Option<Position>,
    /// Rows wanted, `1..=Page::LIMIT_MAX`.
    pub limit: u16,
}

impl Page {
    /// Rows in a page when the caller does not say.
    pub const LIMIT_DEFAULT: u16 = 20;
    /// The most rows that one page has.
    pub const LIMIT_MAX: u16 = 100;

    /// The first page of `limit` rows.
    #[must_use]
    pub const fn first(limit: u16) -> Self {
        Self { after: None, limit }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::first(Self::LIMIT_DEFAULT)
    }
}
