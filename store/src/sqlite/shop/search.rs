//! Lists of products by their words.
//!
//! The index (`product_text`) is asked for words, never for a scan. What fits best comes in tiers, each a question of its own to the index and newest
//! first in itself: a name that begins with the words, one that has them all, one that has words beginning with them all; then name and category
//! together; then the description, too. So a page costs what it shows, however much fits, and its place in the list does not depend on how common
//! a word is today.

use crate::Ids;
use crate::sqlite::column::{Columns, cut, execute, list, statements};
use protocol::product::{SEARCH_WORDS_MAX, Selection, Sort};
use protocol::{Page, Position};
use rusqlite::{Connection, Result};
use uuid::Uuid;

statements! {
    // Parameters: the question (1), the row of the index behind which to begin (2), category or null (3), the range of prices (4, 5), how many (6).
    MATCHES = "SELECT listing.number, listing.product_id, listing.price_cents, listing.rating_rank
               FROM product_text CROSS JOIN product_listing AS listing ON listing.number = product_text.rowid
               WHERE product_text MATCH ?1 AND product_text.rowid < ?2 AND (?3 IS NULL OR listing.category = ?3)
                 AND listing.price_cents BETWEEN ?4 AND ?5
               ORDER BY product_text.rowid DESC LIMIT ?6";
    LIST = "INSERT INTO product_listing (number, product_id, category, price_cents, rating_rank)
            SELECT ?1, id, category, price_cents, rating_rank FROM product WHERE id = ?2";
    LIST_WORDS = "INSERT INTO product_text (rowid, name, category, description) SELECT ?1, name, category, description FROM product WHERE id = ?2";
}

/// Products that a list in another order than by how well they fit is sorted from: the newest so many that fit. Sorting them takes a few
/// milliseconds; a word that fits more says little.
const SORTED_MAX: usize = 10_000;
/// Bits of a position's sort value that say where in a tier it is; the tier is above them. There are never so many rows.
const NUMBER_BITS: u32 = 48;

/// A product that fits.
struct Match {
    number: i64,
    id: Uuid,
    price_cents: i64,
    rating_rank: i64,
}

/// Lists a product under the number that it had elsewhere. (Triggers list those that are written here.)
pub(in crate::sqlite) fn number(db: &Connection, id: Uuid, number: i64) -> Result<()> {
    if execute(db, LIST, (number, id.as_bytes()))? == 0 {
        return Err(rusqlite::Error::QueryReturnedNoRows);
    }
    execute(db, LIST_WORDS, (number, id.as_bytes())).map(drop)
}

/// A page of the products that everyone may see, and that have the words of `text`. A text without any fits nothing.
pub(super) fn products(db: &Connection, selection: &Selection, text: &str) -> Result<Ids> {
    let words = words(text);
    if words.is_empty() {
        return Ok(Ids::default());
    }
    match selection.sort {
        Sort::Relevance => by_fit(db, selection, &tiers(&words)),
        _ => sorted(db, selection, &anywhere(&words)),
    }
}

fn by_fit(db: &Connection, selection: &Selection, tiers: &[String]) -> Result<Ids> {
    let (page, skip) = (selection.page, selection.skip as usize);
    let wanted = skip + usize::from(page.limit.max(1)) + 1;
    let (first, mut before) = page.after.map_or((0, i64::MAX), |after| (tier_of(after), number_of(after)));
    let mut rows: Vec<Position> = Vec::new();
    for (tier, question) in tiers.iter().enumerate().skip(first) {
        let found = matches(db, selection, (question, before), wanted - rows.len())?;
        rows.extend(found.into_iter().map(|found| place(tier, &found)));
        before = i64::MAX;
        if rows.len() == wanted {
            break;
        }
    }
    Ok(ids(rows.into_iter().skip(skip).collect(), page))
}

fn place(tier: usize, found: &Match) -> Position {
    Position { sort: ((tier as i64) << NUMBER_BITS) | found.number, id: found.id }
}

/// A position comes from a client: whatever is in it, these are numbers that can be asked for.
fn tier_of(position: Position) -> usize {
    usize::try_from(position.sort >> NUMBER_BITS).unwrap_or(usize::MAX)
}

fn number_of(position: Position) -> i64 {
    position.sort & ((1 << NUMBER_BITS) - 1)
}

/// The newest that fit, in the order of the list.
fn sorted(db: &Connection, selection: &Selection, question: &str) -> Result<Ids> {
    let found = matches(db, selection, (question, i64::MAX), SORTED_MAX)?;
    let sort_value = |row: &Match| match selection.sort {
        Sort::PriceUp | Sort::PriceDown => row.price_cents,
        Sort::Rating => row.rating_rank,
        Sort::Newest | Sort::Relevance => 0,
    };
    let mut rows: Vec<Position> = found.iter().map(|row| Position { sort: sort_value(row), id: row.id }).collect();
    rows.sort_unstable();
    if selection.sort != Sort::PriceUp {
        rows.reverse();
    }
    let behind = |row: &Position, after: Position| if selection.sort == Sort::PriceUp { *row > after } else { *row < after };
    let begin = selection.page.after.map_or(0, |after| rows.partition_point(|row| !behind(row, after)));
    Ok(ids(rows.into_iter().skip(begin + selection.skip as usize).collect(), selection.page))
}

fn ids(rows: Vec<Position>, page: Page) -> Ids {
    let (rows, next) = cut(rows, page, |row| *row);
    Ids { ids: rows.into_iter().map(|row| row.id).collect(), next }
}

fn matches(db: &Connection, selection: &Selection, (question, before): (&str, i64), limit: usize) -> Result<Vec<Match>> {
    let (least, most) = (selection.price_cents_min.unwrap_or(i64::MIN), selection.price_cents_max.unwrap_or(i64::MAX));
    list(db, MATCHES, (question, before, &selection.category, least, most, limit as i64), |row| {
        let mut columns = Columns::of(row);
        Ok(Match { number: columns.take()?, id: columns.id()?, price_cents: columns.take()?, rating_rank: columns.take()? })
    })
}

/// The words of a text: its runs of letters and digits, as the index has them. Everything else only separates, so no text is an operator.
fn words(text: &str) -> Vec<&str> {
    text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).take(SEARCH_WORDS_MAX).collect()
}

/// One question a tier, best first; each leaves out what the one before it has.
fn tiers(words: &[&str]) -> Vec<String> {
    let (whole, begun) = (all(words, ""), anywhere(words));
    let steps = [
        format!("name : ^\"{}\"", words.join(" ")),
        format!("name : ({whole})"),
        format!("name : ({begun})"),
        format!("{{name category}} : ({begun})"),
        begun.clone(),
    ];
    let mut tiers = vec![steps[0].clone()];
    tiers.extend(steps.windows(2).map(|pair| format!("({}) NOT ({})", pair[1], pair[0])));
    tiers
}

/// What has a word beginning with each of these, wherever.
fn anywhere(words: &[&str]) -> String {
    all(words, " *")
}

fn all(words: &[&str], each: &str) -> String {
    words.iter().map(|word| format!("\"{word}\"{each}")).collect::<Vec<_>>().join(" AND ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_letters_and_digits() {
        assert_eq!(words("  100% wool, \"soft\"_warm*  -x NEAR(a)\0b"), ["100", "wool", "soft", "warm", "x", "NEAR", "a", "b"]);
        assert_eq!(words("łódka żagiel 東京"), ["łódka", "żagiel", "東京"]);
        assert_eq!(words(&"a ".repeat(50)).len(), SEARCH_WORDS_MAX);
        assert!(words("%^*()\"' \u{feff}").is_empty());
    }

    #[test]
    fn tiers_leave_out_what_came_before() {
        let tiers = tiers(&["desk", "lamp"]);
        assert_eq!(tiers[0], "name : ^\"desk lamp\"");
        assert_eq!(tiers[1], "(name : (\"desk\" AND \"lamp\")) NOT (name : ^\"desk lamp\")");
        assert_eq!(tiers[4], "(\"desk\" * AND \"lamp\" *) NOT ({name category} : (\"desk\" * AND \"lamp\" *))");
    }

    proptest! {
        #[test]
        fn any_text_and_position_can_be_asked_for(text in ".{0,60}", sort: i64, limit in 1..4u16, which in 0..5usize) {
            let db = super::super::tests::database();
            let sort_by = [Sort::Relevance, Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Rating][which];
            let page = Page { after: Some(Position { sort, id: Uuid::nil() }), limit };
            for page in [page, Page::first(limit)] {
                let selection = Selection { sort: sort_by, page, ..Selection::default() };
                prop_assert!(products(&db, &selection, &text).is_ok());
            }
        }
    }
}
