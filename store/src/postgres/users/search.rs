//! Finding people: the index of their words, and pages of those found. What is found in which order is said in [`protocol::people`].
//!
//! All words of a person are in one text vector, each behind a letter that says where it is from: so the beginning of a word, in some of the places,
//! is a prefix of a lexeme, and one index answers every tier. Tiers are asked one after the other, best first, each without those that are in a
//! better one.

use crate::postgres::column::{Columns, params, statements};
use crate::postgres::database::Database;
use crate::postgres::fault::Fault;
use crate::postgres::transaction::Step;
use crate::metric::Operation;
use crate::{Ids, StoreError, UsersWrite};
use protocol::Position;
use protocol::people::{Document, Search, Tier, strength};
use protocol::user::User;
use tokio_postgres::Row;

/// Bytes of a word that are compared. A lexeme takes 2046 at most; words of a language are shorter than this.
const WORD_BYTES_MAX: usize = 128;

statements! {
    UPSERT_DOCUMENT = "INSERT INTO person_search (person_id, strength, words) VALUES ($1, $2, array_to_tsvector($3))
                       ON CONFLICT (person_id) DO UPDATE SET strength = excluded.strength, words = excluded.words
                       WHERE (person_search.strength, person_search.words) IS DISTINCT FROM (excluded.strength, excluded.words)";
    DELETE_DOCUMENT = "DELETE FROM person_search WHERE person_id = $1";
    ALL = "SELECT place, person_id FROM person_search WHERE place < $1 ORDER BY place DESC LIMIT $2";
    FOUND = "SELECT place, person_id FROM person_search WHERE words @@ $3::text::tsquery AND place < $1 ORDER BY place DESC LIMIT $2";
}

/// Where words are from: the letter before each lexeme.
const USERNAME: char = 'u';
const NAME: char = 'n';
const SKILLS: char = 's';
const WORK: char = 'w';
const ABOUT: char = 'a';
const LOCATION: char = 'l';

/// Brings the index up to a person's row, which is written in the same transaction.
pub(super) fn index(person: &User) -> Step<'_> {
    match Document::of(person) {
        Some(document) => Step::new(UPSERT_DOCUMENT, params![person.id.0, i64::from(strength(person)), lexemes(&document)]),
        None => Step::new(DELETE_DOCUMENT, params![person.id.0]),
    }
}

fn lexemes(document: &Document) -> Vec<String> {
    let Document { username, name, skills, work, about, location } = document;
    let parts = [(USERNAME, username), (NAME, name), (SKILLS, skills), (WORK, work), (ABOUT, about), (LOCATION, location)];
    parts.into_iter().flat_map(|(from, text)| text.split(' ').filter(|word| !word.is_empty()).map(move |word| lexeme(from, word))).collect()
}

fn lexeme(from: char, word: &str) -> String {
    format!("{from}{}", &word[..word.floor_char_boundary(WORD_BYTES_MAX)])
}

/// A page of people, best first.
pub(super) async fn search(db: &Database<UsersWrite>, search: &Search) -> Result<Ids, StoreError> {
    let limit = usize::from(search.page.limit.max(1));
    let mut rows: Vec<Position> = Vec::new();
    for (tier, expression) in tiers(search) {
        let below = search.page.after.map_or(Some(i64::MAX), |after| tier.below(after.sort));
        let Some(below) = below.filter(|_| rows.len() <= limit) else { continue };
        // One more than is wanted, which shows whether there is a next page.
        let wanted = (limit + 1 - rows.len()) as i64;
        let place = |row: &Row| -> Result<Position, Fault> {
            let mut columns = Columns::of(row);
            Ok(Position { sort: tier.place(columns.take()?), id: columns.id()? })
        };
        rows.extend(match expression {
            Some(expression) => db.list(Operation::Search, FOUND, &[&below, &wanted, &expression], place).await?,
            None => db.list(Operation::Search, ALL, &[&below, &wanted], place).await?,
        });
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().copied() } else { None };
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

/// What each tier asks the index for, best first; nothing to ask where everybody fits.
fn tiers(search: &Search) -> Vec<(Tier, Option<String>)> {
    let filters: Vec<_> = [(SKILLS, &search.skill), (LOCATION, &search.location)]
        .into_iter()
        .filter(|(_, words)| !words.is_empty())
        .map(|(from, words)| all(&[from], words))
        .collect();
    if !search.asks() {
        let expression = if filters.is_empty() { None } else { Some(filters.join(" & ")) };
        return vec![(Tier::Anywhere, expression)];
    }
    let (mut tiers, mut better) = (Vec::new(), Vec::new());
    for tier in Tier::BEST_FIRST {
        let Some(fits) = fits(tier, search) else { continue };
        let others = better.iter().map(|better| format!("!{better}"));
        let expression = [fits.clone()].into_iter().chain(others).chain(filters.iter().cloned()).collect::<Vec<_>>().join(" & ");
        tiers.push((tier, Some(expression)));
        better.push(fits);
    }
    tiers
}

/// Who fits a tier or a better one of its sort, in brackets; `None` if the question cannot have any.
fn fits(tier: Tier, search: &Search) -> Option<String> {
    let words = |from: &[char]| (!search.words.is_empty()).then(|| all(from, &search.words));
    match tier {
        Tier::Username => search.username.as_ref().map(|name| format!("({})", quoted(USERNAME, name))),
        Tier::Beginning => search.username.as_ref().map(|name| format!("({}:*)", quoted(USERNAME, name))),
        Tier::Name => words(&[NAME]),
        Tier::Skills => words(&[NAME, SKILLS]),
        Tier::Work => words(&[NAME, SKILLS, WORK]),
        Tier::Anywhere => words(&[NAME, SKILLS, WORK, ABOUT]),
    }
}

/// Each of the words begins a word from one of these places.
fn all(from: &[char], words: &[String]) -> String {
    let begins = |word: &String| from.iter().map(|from| format!("{}:*", quoted(*from, word))).collect::<Vec<_>>().join(" | ");
    let words: Vec<_> = words.iter().map(|word| format!("({})", begins(word))).collect();
    format!("({})", words.join(" & "))
}

/// A lexeme as a query writes it: within quotes nothing of it means anything.
fn quoted(from: char, word: &str) -> String {
    format!("'{}'", lexeme(from, word).replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Page;

    #[test]
    fn what_is_asked_for_is_quoted() {
        let search = Search { words: vec!["a'b".to_owned(), "c\\".to_owned()], ..Search::default() };
        let name = "(('na''b':*) & ('nc\\\\':*))";
        assert_eq!(tiers(&search)[0], (Tier::Name, Some(name.to_owned())));
        assert!(tiers(&search)[1].1.as_ref().is_some_and(|e| e.ends_with(&format!(" & !{name}"))));
        assert_eq!(tiers(&Search { page: Page::default(), ..Search::default() }), [(Tier::Anywhere, None)]);
    }
}
