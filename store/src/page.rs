//! Pages of lists, the same on every store.

use protocol::{Page, Position};
use uuid::Uuid;

/// Where a list that descends begins.
pub(crate) const TOP: Position = Position { sort: i64::MAX, id: Uuid::max() };
/// Where a list that ascends begins.
pub(crate) const BOTTOM: Position = Position { sort: i64::MIN, id: Uuid::nil() };

/// How many rows a query for a page asks for: one more than wanted, which shows whether there is a next page.
pub(crate) fn fetch(page: Page) -> i64 {
    i64::from(page.limit.max(1)) + 1
}

/// Cuts the surplus row off, and says where the next page begins if it was there.
pub(crate) fn cut<T>(mut rows: Vec<T>, page: Page, position: impl Fn(&T) -> Position) -> (Vec<T>, Option<Position>) {
    let limit = usize::from(page.limit.max(1));
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().map(position) } else { None };
    (rows, next)
}

/// The position of a row in a list that sorts by id alone.
pub(crate) const fn by_id(id: Uuid) -> Position {
    Position { sort: 0, id }
}
