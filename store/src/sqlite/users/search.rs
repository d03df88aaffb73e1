//! Finding people: the index of their words, and pages of those found. What is found in which order is said in [`protocol::people`].
//!
//! The index gives people of a tier in the order of their place without a sort, so a page costs what it shows and what it passes over, however many
//! fit. Tiers are asked one after the other, best first, each without those that are in a better one.

use super::read::user;
use super::write::changed;
use crate::Ids;
use crate::sqlite::column::{Columns, execute, list, optional, statements};
use crate::sqlite::fault::Fault;
use protocol::people::{Document, Search, Tier, strength, within};
use protocol::user::User;
use protocol::{Position, UserId};
use rusqlite::{Connection, Result, Row, params};
use uuid::Uuid;

statements! {
    INDEXED = "SELECT place, serial, username, name, skills, work, about, location FROM person_search WHERE person_id = ?1";
    NEXT_SERIAL = "SELECT coalesce(max(serial), 0) + 1 FROM person_search";
    INSERT_DOCUMENT = "INSERT INTO person_search (place, person_id, serial, username, name, skills, work, about, location)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    UPDATE_DOCUMENT = "UPDATE person_search SET place = ?1, username = ?3, name = ?4, skills = ?5, work = ?6, about = ?7, location = ?8
                       WHERE person_id = ?2";
    DELETE_DOCUMENT = "DELETE FROM person_search WHERE person_id = ?1";
    ALL = "SELECT place, person_id FROM person_search WHERE place < ?1 ORDER BY place DESC LIMIT ?2";
    FOUND = "SELECT rowid, person_id FROM person_text WHERE person_text MATCH ?3 AND rowid < ?1 ORDER BY rowid DESC LIMIT ?2";
}

/// Brings the index up to a person's row, which was written in this transaction.
pub(super) fn index(db: &Connection, person: &User) -> std::result::Result<(), Fault> {
    let id = person.id.0.as_bytes();
    let known = optional(db, INDEXED, [id], indexed)?;
    let Some(document) = Document::of(person) else {
        if known.is_some() {
            execute(db, DELETE_DOCUMENT, [id])?;
        }
        return Ok(());
    };
    let Document { username, name, skills, work, about, location } = &document;
    let strength = strength(person);
    match known {
        Some((place, serial, before)) if place == within(strength, serial) && before == document => Ok(()),
        Some((_, serial, _)) => {
            let row = params![within(strength, serial), id, username, name, skills, work, about, location];
            changed(execute(db, UPDATE_DOCUMENT, row)?, "user")
        }
        None => {
            let serial: i64 = db.prepare_cached(NEXT_SERIAL)?.query_row([], |row| row.get(0))?;
            Ok(insert(db, person, &document, serial)?)
        }
    }
}

fn insert(db: &Connection, person: &User, document: &Document, serial: i64) -> Result<()> {
    let Document { username, name, skills, work, about, location } = document;
    let place = within(strength(person), serial);
    let row = params![place, person.id.0.as_bytes(), serial, username, name, skills, work, about, location];
    execute(db, INSERT_DOCUMENT, row).map(drop)
}

/// Indexes a person under the number that they had elsewhere.
pub(in crate::sqlite) fn number(db: &Connection, id: Uuid, serial: i64) -> Result<()> {
    let person = user(db, UserId(id))?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
    Document::of(&person).map_or(Ok(()), |document| insert(db, &person, &document, serial))
}

fn indexed(row: &Row<'_>) -> Result<(i64, i64, Document)> {
    let mut columns = Columns::of(row);
    let (place, serial) = (columns.take()?, columns.take()?);
    let document = Document {
        username: columns.take()?,
        name: columns.take()?,
        skills: columns.take()?,
        work: columns.take()?,
        about: columns.take()?,
        location: columns.take()?,
    };
    Ok((place, serial, document))
}

/// Indexes everybody, where a database has people and no index: it is from before there was one.
pub(in crate::sqlite) fn complete(db: &Connection) -> Result<()> {
    let missing = "SELECT NOT EXISTS (SELECT 1 FROM person_search) AND EXISTS (SELECT 1 FROM person WHERE is_active = 1)";
    if !db.query_row(missing, [], |row| row.get(0))? {
        return Ok(());
    }
    let transaction = db.unchecked_transaction()?;
    let people = list(&transaction, "SELECT id FROM person ORDER BY id", [], super::read::user_id)?;
    for id in &people {
        if let Some(person) = user(&transaction, *id)? {
            index(&transaction, &person).map_err(|fault| match fault {
                Fault::Sql(error) => error,
                Fault::Refused(refusal) => rusqlite::Error::ToSqlConversionFailure(Box::new(refusal)),
            })?;
        }
    }
    tracing::info!(people = people.len(), "indexed people for the search");
    transaction.commit()
}

/// A page of people, best first.
pub(super) fn search(db: &Connection, search: &Search) -> Result<Ids> {
    let limit = usize::from(search.page.limit.max(1));
    let mut rows: Vec<Position> = Vec::new();
    for (tier, expression) in tiers(search) {
        let below = search.page.after.map_or(Some(i64::MAX), |after| tier.below(after.sort));
        let Some(below) = below.filter(|_| rows.len() <= limit) else { continue };
        // One more than is wanted, which shows whether there is a next page.
        let wanted = (limit + 1 - rows.len()) as i64;
        let place = |row: &Row<'_>| {
            let mut columns = Columns::of(row);
            Ok(Position { sort: tier.place(columns.take()?), id: columns.id()? })
        };
        rows.extend(match expression {
            Some(expression) => list(db, FOUND, (below, wanted, expression), place)?,
            None => list(db, ALL, (below, wanted), place)?,
        });
    }
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().copied() } else { None };
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

/// What each tier asks the index for, best first; nothing to ask where everybody fits.
fn tiers(search: &Search) -> Vec<(Tier, Option<String>)> {
    let filters: Vec<_> = [("skills", &search.skill), ("location", &search.location)]
        .into_iter()
        .filter(|(_, words)| !words.is_empty())
        .map(|(column, words)| all(column, words))
        .collect();
    if !search.asks() {
        let expression = if filters.is_empty() { None } else { Some(filters.join(" AND ")) };
        return vec![(Tier::Anywhere, expression)];
    }
    let mut tiers = Vec::new();
    let mut better = Vec::new();
    for tier in Tier::BEST_FIRST {
        let Some(fits) = fits(tier, search) else { continue };
        let mut expression = fits.clone();
        if !better.is_empty() {
            expression = format!("({expression} NOT ({}))", better.join(" OR "));
        }
        for filter in &filters {
            expression = format!("({expression} AND {filter})");
        }
        tiers.push((tier, Some(expression)));
        better.push(fits);
    }
    tiers
}

/// Who fits a tier or a better one of its sort; `None` if the question cannot have any.
fn fits(tier: Tier, search: &Search) -> Option<String> {
    let words = |columns: &str| (!search.words.is_empty()).then(|| all(columns, &search.words));
    match tier {
        Tier::Username => search.username.as_ref().map(|name| format!("(username : {})", quoted(name))),
        Tier::Beginning => search.username.as_ref().map(|name| format!("(username : {} *)", quoted(name))),
        Tier::Name => words("name"),
        Tier::Skills => words("name skills"),
        Tier::Work => words("name skills work"),
        Tier::Anywhere => words("name skills work about"),
    }
}

/// Each of the words begins a word in one of the columns.
fn all(columns: &str, words: &[String]) -> String {
    let words: Vec<_> = words.iter().map(|word| format!("{} *", quoted(word))).collect();
    format!("({{{columns}}} : ({}))", words.join(" AND "))
}

/// A word as the index's language writes it: within quotes nothing of it means anything.
fn quoted(word: &str) -> String {
    format!("\"{}\"", word.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Page;

    #[test]
    fn what_is_asked_for_is_quoted() {
        let search = Search { words: vec!["a\"b".to_owned(), "NOT".to_owned()], ..Search::default() };
        let (_, expression) = tiers(&search).pop().expect("a tier");
        assert!(expression.is_some_and(|e| e.starts_with("(({name skills work about} : (\"a\"\"b\" * AND \"NOT\" *)) NOT (")));
        assert_eq!(tiers(&Search { page: Page::default(), ..Search::default() }), [(Tier::Anywhere, None)]);
    }
}
