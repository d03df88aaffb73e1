//! Words of texts as search compares them, and how Postgres' text search is asked for them.
//!
//! They are made here, on both sides, so that what is found depends on no dictionary, no parser and no locale of the server.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use unicode_normalization::UnicodeNormalization;

/// Bytes of a word that are compared. An entry of the index has a limit of a third of a page; words of a language are shorter than this.
const WORD_BYTES_MAX: usize = 128;

/// The words of a text in order, without regard to case and accents: runs of letters and digits, as those of a query are
/// ([`search_words`](protocol::post::search_words)).
pub(super) fn in_order(text: &str) -> Vec<String> {
    let composed = text.nfc().collect::<String>().to_lowercase();
    let folded = composed.split(|c: char| !c.is_alphanumeric()).map(fold).filter(|word| !word.is_empty());
    folded.map(|word| word[..word.floor_char_boundary(WORD_BYTES_MAX)].to_owned()).collect()
}

/// The words of a text, each once.
pub(super) fn distinct(text: &str) -> BTreeSet<String> {
    in_order(text).into_iter().collect()
}

fn fold(word: &str) -> String {
    const ACCENTS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';
    word.nfkd().filter(|c| c.is_alphanumeric() && !ACCENTS.contains(c)).flat_map(char::to_lowercase).collect()
}

/// Words as a tsvector is written, each with the weights of the texts that it is in. Words are letters, digits, `+` and `#`: within quotes nothing of
/// them means anything. A weight is kept by position; where a word stands is not asked for.
pub(super) fn lexemes<'t, const N: usize>(texts: [(char, Vec<&'t str>); N]) -> String {
    let mut weights = BTreeMap::<&'t str, String>::new();
    for (place, (weight, words)) in (1..).zip(texts) {
        for word in words {
            let known = weights.entry(word).or_default();
            if !known.ends_with(weight) {
                let comma = if known.is_empty() { "" } else { "," };
                write!(known, "{comma}{place}{weight}").expect("a string takes any text");
            }
        }
    }
    weights.iter().map(|(word, weights)| format!("'{word}':{weights}")).collect::<Vec<_>>().join(" ")
}

/// Each of the words begins a word of one of these weights, as a tsquery is written.
pub(super) fn begun(words: &[String], weights: &str) -> String {
    words.iter().map(|word| format!("'{word}':*{weights}")).collect::<Vec<_>>().join(" & ")
}

/// Each of the words is a word of one of these weights, as a tsquery is written.
pub(super) fn whole(words: &[String], weights: &str) -> String {
    words.iter().map(|word| format!("'{word}':{weights}")).collect::<Vec<_>>().join(" & ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count_and_no_text_is_too_long() {
        let of = |text: &str| distinct(text).into_iter().collect::<Vec<_>>();
        assert_eq!(of("The quick CAFÉ, cafe\u{301}!"), ["cafe", "quick", "the"]);
        assert_eq!(of("日本語 ½ ﬀ Ⓐ"), ["12", "a", "ff", "日本語"]);
        assert_eq!(of("हिन्दी"), of(&protocol::post::search_words("हिन्दी")), "a query's words are a text's");
        assert_eq!(of("\"' -- \u{301}"), [] as [&str; 0]);
        assert_eq!(of(&"é".repeat(10_000))[0].len(), WORD_BYTES_MAX);
        assert!(of(&"語".repeat(10_000))[0].len() <= WORD_BYTES_MAX);
        assert_eq!(in_order("b A b"), ["b", "a", "b"]);
    }

    #[test]
    fn a_word_has_the_weight_of_each_text_that_it_is_in_once() {
        assert_eq!(lexemes([('A', vec!["ada", "ada", "c++"]), ('B', vec!["c++", "ada"])]), "'ada':1A,2B 'c++':1A,2B");
        assert_eq!(lexemes([('A', vec![])]), "");
        let words = ["desk".to_owned(), "lamp".to_owned()];
        assert_eq!((begun(&words, "AB").as_str(), whole(&words, "A").as_str()), ("'desk':*AB & 'lamp':*AB", "'desk':A & 'lamp':A"));
    }
}
