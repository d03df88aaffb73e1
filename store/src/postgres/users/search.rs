//! Finding people: the index of their words, and pages of those found. What is found in which order is said in [`protocol::people`].
//!
//! Each tier is a query of its own for at most a page, without those that are in a better tier: so the server can choose to walk people in the order
//! of their place where most fit, and to look the words up where few do.

use crate::metric::Operation;
use crate::postgres::column::{Asked, Columns, params, statements};
use crate::postgres::database::Database;
use crate::postgres::fault::Fault;
use crate::postgres::transaction::Step;
use crate::postgres::transfer::Found;
use crate::postgres::words;
use crate::{Ids, StoreError, UsersWrite};
use protocol::Position;
use protocol::people::{Document, Search, Tier, strength};
use protocol::user::User;
use std::fmt::Write;

statements! {
    INDEX = "INSERT INTO person_search AS s (person_id, strength, username, words, location)
             VALUES ($1, $2, $3, $4::text::tsvector, $5::text::tsvector)
             ON CONFLICT (person_id) DO UPDATE
             SET strength = excluded.strength, username = excluded.username, words = excluded.words, location = excluded.location
             WHERE (s.strength, s.username, s.words, s.location)
               IS DISTINCT FROM (excluded.strength, excluded.username, excluded.words, excluded.location)";
    INDEX_NUMBERED = "INSERT INTO person_search (person_id, serial, strength, username, words, location) OVERRIDING SYSTEM VALUE
                      VALUES ($1, $2, $3, $4, $5::text::tsvector, $6::text::tsvector)";
    LEAVE_OUT = "DELETE FROM person_search WHERE person_id = $1";
}

/// Brings the index up to a person's row, which was written in this transaction.
pub(super) fn index<'w>(person: &User) -> Step<'w> {
    let Some(document) = Document::of(person) else { return Step::new(LEAVE_OUT, params![person.id.0]) };
    let (words, location) = lexemes(&document);
    Step::new(INDEX, params![person.id.0, i16::from(strength(person)), document.username, words, location])
}

/// What a person is found by, and where they are.
fn lexemes(document: &Document) -> (String, String) {
    let Document { username: _, name, skills, work, about, location } = document;
    let [name, skills, work, about, location] =
        [name, skills, work, about, location].map(|text| text.split_whitespace().collect::<Vec<_>>());
    (words::lexemes([('a', name), ('b', skills), ('c', work), ('d', about)]), words::lexemes([('a', location)]))
}

/// Indexes people under the numbers that they had elsewhere.
pub(in crate::postgres) const FOUND: Found = Found {
    thing: super::read::PERSON,
    insert: INDEX_NUMBERED,
    row: |rows, serial| {
        let Some(person) = super::read::user(rows)? else { return Err(Fault::Corrupt("a person who is found is not there".to_owned())) };
        let Some(document) = Document::of(&person) else { return Ok(None) };
        let (words, location) = lexemes(&document);
        Ok(Some(params![person.id.0, serial, i16::from(strength(&person)), document.username, words, location]))
    },
};

/// A page of people, best first.
pub(super) async fn search(db: &Database<UsersWrite>, search: &Search) -> Result<Ids, StoreError> {
    let limit = usize::from(search.page.limit.max(1));
    let mut rows = db
        .search(Operation::Search, &ask(search), |row| {
            let mut columns = Columns::of(row);
            Ok(Position { sort: columns.take()?, id: columns.id()? })
        })
        .await?;
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = if more { rows.last().copied() } else { None };
    Ok(Ids { ids: rows.into_iter().map(|row| row.id).collect(), next })
}

fn ask(search: &Search) -> Asked {
    let mut asked = Asked::default();
    let limit = asked.value(i64::from(search.page.limit.max(1)) + 1);
    let mut filters = String::new();
    if !search.skill.is_empty() {
        let words = asked.value(words::begun(&search.skill, "b"));
        write!(filters, " AND words @@ {words}::text::tsquery").expect("a string takes any text");
    }
    if !search.location.is_empty() {
        let words = asked.value(words::begun(&search.location, "a"));
        write!(filters, " AND location @@ {words}::text::tsquery").expect("a string takes any text");
    }
    let (mut tiers, mut better) = (Vec::new(), String::new());
    for tier in Tier::BEST_FIRST {
        let Some(fits) = fits(tier, search, &mut asked) else { continue };
        // A tier that was passed asks for nobody.
        let below = asked.value(search.page.after.map_or(Some(i64::MAX), |after| tier.below(after.sort)).unwrap_or(0));
        let first = tier.place(0);
        tiers.push(format!(
            "(SELECT {first} | place AS sort, person_id FROM person_search WHERE place < {below} AND {fits}{better}{filters} \
             ORDER BY place DESC LIMIT {limit})"
        ));
        write!(better, " AND NOT {fits}").expect("a string takes any text");
    }
    asked.sql = format!("SELECT sort, person_id FROM ({}) AS found ORDER BY sort DESC LIMIT {limit}", tiers.join(" UNION ALL "));
    asked
}

/// Who fits a tier or a better one of its sort; `None` if the question cannot have any.
fn fits(tier: Tier, search: &Search, asked: &mut Asked) -> Option<String> {
    let parts = match tier {
        Tier::Username => return search.username.clone().map(|name| format!("username = {}", asked.value(name))),
        Tier::Beginning => {
            return search.username.clone().map(|name| {
                // Usernames are ASCII: what begins so lies before the name with a character behind all of them.
                let (from, to) = (asked.value(name.clone()), asked.value(format!("{name}\u{7f}")));
                format!("(username >= {from} AND username < {to})")
            });
        }
        Tier::Anywhere if !search.asks() => return Some("true".to_owned()),
        Tier::Name => "a",
        Tier::Skills => "ab",
        Tier::Work => "abc",
        Tier::Anywhere => "abcd",
    };
    (!search.words.is_empty()).then(|| format!("words @@ {}::text::tsquery", asked.value(words::begun(&search.words, parts))))
}

/// A search of every shape, for words that few have.
#[cfg(test)]
pub(in crate::postgres) fn searches() -> Vec<Asked> {
    // Words that few have, and that begin no others: for a common one it may be right to walk the people in their order.
    let some = |is_asked: bool, word: &str| if is_asked { vec![word.to_owned()] } else { Vec::new() };
    let shapes = (0..16_u8).map(|bits| Search {
        username: (bits & 1 != 0).then(|| "person77".to_owned()),
        words: some(bits & 2 != 0, "ada4777"),
        skill: some(bits & 4 != 0, "skill2777"),
        location: some(bits & 8 != 0, "place2777"),
        ..Search::default()
    });
    shapes.map(|search| ask(&search)).collect()
}
