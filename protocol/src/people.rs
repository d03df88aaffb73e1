//! Finding people: what is searched, and in which order people are found. Every database ranks by this page.
//!
//! A person is found if all words of the question begin words of theirs. Who fits best comes first, by [`Tier`]; then whose skills are endorsed more
//! ([`strength`]); then who joined later. So a person's place is one number:
//!
//! ```text
//! tier (3 bits) · strength (8 bits) · serial number of the person in the index (48 bits)
//! ```

use crate::{fold, page::Page, user::User};
use serde::{Deserialize, Serialize};

/// Words of a question that are looked for; those behind are left out.
pub const WORDS_MAX: usize = 8;
/// Longest username, in characters.
const USERNAME_CHARS_MAX: usize = 32;
/// Bits of the serial number.
const SERIAL_BITS: u32 = 48;
/// Bits of the place within a tier: strength and serial number.
const WITHIN_BITS: u32 = 56;

/// How well a person fits, from least to best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Tier {
    /// The words are anywhere in what is searched; or no words were asked for.
    Anywhere = 0,
    /// The words are in names, skills, company and job title.
    Work = 1,
    /// The words are in names and skills.
    Skills = 2,
    /// The words are in the first and last name, and the parts of the username.
    Name = 3,
    /// The question is how the username begins.
    Beginning = 4,
    /// The question is the username.
    Username = 5,
}

impl Tier {
    /// Every tier, best first.
    pub const BEST_FIRST: [Self; 6] = [Self::Username, Self::Beginning, Self::Name, Self::Skills, Self::Work, Self::Anywhere];

    /// The place of somebody in this tier, as a page's position sorts it.
    #[must_use]
    pub const fn place(self, within: i64) -> i64 {
        ((self as i64) << WITHIN_BITS) | within
    }

    /// Below which place within this tier a page goes on that ended at `place`; `None` if the tier was passed.
    #[must_use]
    pub const fn below(self, place: i64) -> Option<i64> {
        let (tier, within) = (place >> WITHIN_BITS, place & ((1 << WITHIN_BITS) - 1));
        if tier < self as i64 {
            None
        } else if tier == self as i64 {
            Some(within)
        } else {
            Some(i64::MAX)
        }
    }
}

/// The place of somebody within a tier. Serial numbers count people in the index, from 1.
#[must_use]
pub const fn within(strength: u8, serial: i64) -> i64 {
    ((strength as i64) << SERIAL_BITS) | serial
}

/// How much a person's skills are endorsed, in powers of two: 0, 1, 2 to 3, 4 to 7 … So one endorsement among many moves nobody's place, and lists stay
/// as they are.
#[must_use]
pub fn strength(user: &User) -> u8 {
    let endorsements: u64 = user.skills.iter().map(|skill| u64::from(skill.endorsements)).sum();
    // At most 64.
    (u64::BITS - endorsements.leading_zeros()) as u8
}

/// What is searched of a person: words, folded, with spaces between.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// In lower case, as it is.
    pub username: String,
    /// First and last name, and the parts of the username.
    pub name: String,
    /// Names of skills.
    pub skills: String,
    /// Company and job title.
    pub work: String,
    /// Biography and interests.
    pub about: String,
    /// Location.
    pub location: String,
}

impl Document {
    /// What is searched of `user`; `None` if they are not to be found.
    #[must_use]
    pub fn of(user: &User) -> Option<Self> {
        fn folded<'t>(texts: impl IntoIterator<Item = &'t String>) -> String {
            texts.into_iter().flat_map(|text| fold::words(text)).collect::<Vec<_>>().join(" ")
        }
        let profile = &user.profile;
        user.is_active.then(|| Self {
            username: user.username.to_lowercase(),
            name: folded(user.first_name.iter().chain(&user.last_name).chain([&user.username])),
            skills: folded(user.skills.iter().map(|skill| &skill.name)),
            work: folded(profile.company.iter().chain(&profile.job_title)),
            about: folded(user.bio.iter().chain(&profile.interests)),
            location: folded(&profile.location),
        })
    }
}

/// A question, as lists of people are kept by: two that find the same are the same.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
pub struct Search {
    /// The question, if it could be (the beginning of) a username.
    pub username: Option<String>,
    /// The question's words, at most [`WORDS_MAX`].
    pub words: Vec<String>,
    /// Words of which each begins a word of the person's skills.
    pub skill: Vec<String>,
    /// Words of which each begins a word of the person's location.
    pub location: Vec<String>,
    /// Which rows.
    pub page: Page,
}

impl Search {
    /// Reads a question; any text is safe to give. `None` if nobody can fit: there is a text without anything to look for in it.
    #[must_use]
    pub fn new(text: Option<&str>, skill: Option<&str>, location: Option<&str>, page: Page) -> Option<Self> {
        let (username, words) = (text.and_then(username), distinct(text));
        let (skill_words, location_words) = (distinct(skill), distinct(location));
        let empty = |text: Option<&str>, words: &[String]| text.is_some() && words.is_empty();
        if (username.is_none() && empty(text, &words)) || empty(skill, &skill_words) || empty(location, &location_words) {
            return None;
        }
        Some(Self { username, words, skill: skill_words, location: location_words, page })
    }

    /// Whether there is a question beside the filters.
    #[must_use]
    pub fn asks(&self) -> bool {
        self.username.is_some() || !self.words.is_empty()
    }
}

/// The words of a text, each once, in one order: it does not matter in which they were asked.
fn distinct(text: Option<&str>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in text.map(fold::words).unwrap_or_default() {
        if !words.contains(&word) && words.len() < WORDS_MAX {
            words.push(word);
        }
    }
    words.sort_unstable();
    words
}

/// A text as the beginning of a username; people write `@ada`, too.
fn username(text: &str) -> Option<String> {
    let text = text.trim();
    let text = text.strip_prefix('@').unwrap_or(text);
    let possible = (1..=USERNAME_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
    possible.then(|| text.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_question_is_the_same_however_it_is_typed() {
        let search = |text| Search::new(Some(text), None, None, Page::default());
        assert_eq!(search("Lovelace  Ada"), search("ada lovelace ADA"));
        assert_eq!(search("@Ada").and_then(|s| s.username), Some("ada".to_owned()));
        assert_eq!(search("ada lovelace").and_then(|s| s.username), None);
        assert_eq!(search(" \"🦀\" "), None, "nobody fits a question without words");
        assert!(search("...").is_some_and(|s| s.words.is_empty() && s.username.is_some()));
        assert_eq!(Search::new(None, None, None, Page::default()), Some(Search::default()));
        assert_eq!(Search::new(None, Some("?"), None, Page::default()), None);
        let (same, many) = ("word ".repeat(2000), (0..3000).map(|n| format!("w{n} ")).collect::<String>());
        assert_eq!(search(&same).map(|s| s.words.len()), Some(1));
        assert_eq!(search(&many).map(|s| s.words.len()), Some(WORDS_MAX));
    }

    proptest! {
        #[test]
        fn places_sort_by_tier_then_strength_then_serial(a in (0..6usize, 0..=64u8, 1..1i64 << 48), b in (0..6usize, 0..=64u8, 1..1i64 << 48)) {
            let place = |(tier, strength, serial): (usize, u8, i64)| Tier::BEST_FIRST[5 - tier].place(within(strength, serial));
            prop_assert_eq!(place(a).cmp(&place(b)), a.cmp(&b));
            let below = Tier::BEST_FIRST[5 - a.0].below(place(b));
            prop_assert_eq!(below.is_some_and(|below| within(a.1, a.2) < below), place(a) < place(b));
        }

        #[test]
        fn any_text_is_a_question_or_none(text in any::<String>()) {
            if let Some(search) = Search::new(Some(&text), None, None, Page::default()) {
                prop_assert!(search.asks() && search.words.len() <= WORDS_MAX);
            }
        }
    }
}
