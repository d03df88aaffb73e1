//! By what something is found that came into a list that is searched, left it, or changed its place there: all other pages of the list stand.

use crate::{
    command::Query,
    fold::ACCENTS,
    people::{Document, Search},
};
use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// Words that one change names, at most; one that has more is a change of everything.
pub const WORDS_MAX: usize = 256;

/// All words by which a thing was found before a change, and is after it, with blanks between.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct FoundBy(Box<str>);

impl FoundBy {
    /// Of a post with these contents. `None` if that cannot be told: there are too many words, or signs of which not all stores make the same.
    #[must_use]
    pub fn of_texts<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<Self> {
        let mut words = String::new();
        for text in texts {
            ascii_words(text, &mut words)?;
        }
        Self::of(words)
    }

    /// Of a person, by what is, or was, searched of them. `None` if there are too many words.
    #[must_use]
    pub fn of_people<'d>(documents: impl IntoIterator<Item = &'d Document>) -> Option<Self> {
        let mut words = String::new();
        for Document { username, name, skills, work, about, location: _ } in documents {
            for text in [username, name, skills, work, about] {
                words.push_str(text);
                words.push(' ');
            }
        }
        Self::of(words)
    }

    fn of(words: String) -> Option<Self> {
        (words.split_whitespace().nth(WORDS_MAX).is_none()).then(|| Self(words.into()))
    }

    /// How many bytes it takes.
    #[must_use]
    pub const fn bytes(&self) -> usize {
        size_of::<Self>() + self.0.len()
    }

    /// Whether a page of the list may be another one after the change. `false` is certain.
    #[must_use]
    pub fn concerns(&self, query: &Query) -> bool {
        match query {
            Query::PostSearch { words, .. } => words.split_whitespace().all(|word| !word.is_ascii() || self.has(word)),
            Query::People(Search { username, words, .. }) => {
                let is_of_all = username.is_none() && words.is_empty();
                let fits = !words.is_empty() && words.iter().all(|word| self.has_begun(word));
                is_of_all || fits || username.as_ref().is_some_and(|name| self.has_begun(name))
            }
            _ => true,
        }
    }

    fn has(&self, word: &str) -> bool {
        self.0.split_whitespace().any(|known| known == word)
    }

    fn has_begun(&self, beginning: &str) -> bool {
        self.0.split_whitespace().any(|known| known.starts_with(beginning))
    }
}

/// The words of a text, or parts of words, that are of ASCII's letters and digits alone once accents are off. Every store that is asked for such a word finds
/// it as one of these, whatever else it makes of the text. `None` where a sign is in the text that is such letters to one store, and to another one not.
fn ascii_words(text: &str, words: &mut String) -> Option<()> {
    for sign in text.nfc() {
        words.push(plain(sign)?.map_or(' ', |letter| letter.to_ascii_lowercase()));
    }
    words.push(' ');
    Some(())
}

/// What a composed sign is without accents, if that is a letter or digit of ASCII's; `None` if it depends on who looks.
fn plain(sign: char) -> Option<Option<char>> {
    if sign.is_ascii() {
        return Some(Some(sign).filter(char::is_ascii_alphanumeric));
    }
    let mut parts = std::iter::once(sign).nfd();
    let base = parts.next().filter(char::is_ascii_alphanumeric);
    if base.is_some() {
        return (parts.all(|part| ACCENTS.contains(&part)) && sign.to_lowercase().count() == 1).then_some(base);
    }
    let is_doubtful = ACCENTS.contains(&sign) || std::iter::once(sign).nfkd().any(|part| part.is_ascii_alphanumeric());
    (!is_doubtful).then_some(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Page, UserId};

    fn words(text: &str) -> Option<Vec<String>> {
        let mut words = String::new();
        ascii_words(text, &mut words)?;
        Some(words.split_whitespace().map(str::to_owned).collect())
    }

    fn search(text: &str) -> Query {
        Query::PostSearch { words: crate::post::search_words(text), of: Some((UserId::new(), 3)), page: Page::default() }
    }

    fn people(text: Option<&str>, skill: Option<&str>) -> Query {
        Query::People(Search::new(text, skill, None, Page::default()).expect("a question"))
    }

    fn of_words(words: &[&str]) -> FoundBy {
        FoundBy::of(words.join(" ")).expect("few")
    }

    #[test]
    fn words_are_those_that_any_store_finds() {
        assert_eq!(words("The quick CAFÉ, cafe\u{301}! 5×5"), Some(["the", "quick", "cafe", "cafe", "5", "5"].map(str::to_owned).into()));
        assert_eq!(words("naïve日本 x–y it’s 🦀"), Some(["naive", "x", "y", "it", "s"].map(str::to_owned).into()));
        for doubtful in ["½ cup", "ﬁne", "Ⓐ", "5㎏", "İzmir", "q\u{301}x", "²", "№ 7", "ſ"] {
            assert_eq!(words(doubtful), None, "{doubtful}");
        }
        assert_eq!(words(""), Some(Vec::new()));
    }

    #[test]
    fn a_post_concerns_the_searches_whose_words_it_has() {
        let found = of_words(&["fox", "quick", "the"]);
        for (asked, concerns) in [
            ("fox", true),
            ("quick FOX", true),
            ("fo", false),
            ("foxes", false),
            ("fox slow", false),
            ("füchse", true),
            ("füchse slow", false),
        ] {
            assert_eq!(found.concerns(&search(asked)), concerns, "{asked}");
        }
        assert!(found.concerns(&Query::Posts(Page::default())), "of what is not searched nothing is known");
    }

    #[test]
    fn a_person_concerns_the_questions_whose_words_begin_theirs() {
        let found = of_words(&["ada", "ada_l", "c++", "engines", "lovelace"]);
        let asked = [
            (Some("ada"), true),
            (Some("love"), true),
            (Some("ada engine"), true),
            (Some("ada_"), true),
            (Some("c++"), true),
            (Some("adb"), false),
            (Some("ada smith"), false),
            (Some("lovelaces"), false),
            (None, true),
        ];
        for (text, concerns) in asked {
            assert_eq!(found.concerns(&people(text, text.is_none().then_some("rust"))), concerns, "{text:?}");
        }
        assert!(!found.concerns(&people(Some("bob"), Some("engines"))));
    }

    #[test]
    fn a_change_of_too_much_is_one_of_everything() {
        let long = "word ".repeat(WORDS_MAX);
        assert!(FoundBy::of(long.clone()).is_some());
        assert_eq!(FoundBy::of(long + "word"), None);
    }
}
