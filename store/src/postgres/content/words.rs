//! Words of texts as search compares them.

use std::collections::BTreeSet;
use unicode_normalization::UnicodeNormalization;

/// Bytes of a word that are compared. An entry of the index has a limit of a third of a page; words of a language are shorter than this.
const WORD_BYTES_MAX: usize = 128;

/// The words of a text, each once, without regard to case and accents: runs of letters and digits, as those of a query are
/// ([`search_words`](protocol::post::search_words)).
pub(super) fn words(text: &str) -> BTreeSet<String> {
    let composed = text.nfc().collect::<String>().to_lowercase();
    let folded = composed.split(|c: char| !c.is_alphanumeric()).map(fold).filter(|word| !word.is_empty());
    folded.map(|word| word[..word.floor_char_boundary(WORD_BYTES_MAX)].to_owned()).collect()
}

fn fold(word: &str) -> String {
    const ACCENTS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';
    word.nfkd().filter(|c| c.is_alphanumeric() && !ACCENTS.contains(c)).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_accents_do_not_count_and_no_text_is_too_long() {
        let of = |text: &str| words(text).into_iter().collect::<Vec<_>>();
        assert_eq!(of("The quick CAFÉ, cafe\u{301}!"), ["cafe", "quick", "the"]);
        assert_eq!(of("日本語 ½ ﬀ Ⓐ"), ["12", "a", "ff", "日本語"]);
        assert_eq!(of("हिन्दी"), of(&protocol::post::search_words("हिन्दी")), "a query's words are a text's");
        assert_eq!(of("\"' -- \u{301}"), [] as [&str; 0]);
        assert_eq!(of(&"é".repeat(10_000))[0].len(), WORD_BYTES_MAX);
        assert!(of(&"語".repeat(10_000))[0].len() <= WORD_BYTES_MAX);
    }
}
