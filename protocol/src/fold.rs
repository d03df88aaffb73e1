//! Words as searches compare them. What is indexed and what is asked for go through the same function, so every database agrees on it.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// What accents are when letters are taken apart: the block of combining diacritical marks, which searches in posts leave out.
pub const ACCENTS: std::ops::RangeInclusive<char> = '\u{300}'..='\u{36f}';
/// Longest word, in characters; what is behind is cut off, in texts and in questions alike.
pub const WORD_CHARS_MAX: usize = 32;

/// The words of a text, without regard to case, accents and compatibility forms: `"Łódź, ﬁne O’Brien"` is `lodz`, `fine`, `obrien`.
///
/// Letters and digits make words, with signs at their end that names of skills have (`c++`, `c#`); an apostrophe is left out; everything else
/// separates. Scripts that are written without spaces are cut into characters.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    // Nothing in ASCII is composed of anything, and most texts are ASCII: asking the tables of Unicode for each letter was a fifth of what a changed profile takes.
    if text.is_ascii() { cut(text.chars()) } else { cut(text.nfkd().filter(|c| !is_combining_mark(*c))) }
}

/// The words of letters that were taken apart.
fn cut(letters: impl Iterator<Item = char>) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = Word::default();
    let mut folded = letters.filter(|c| !matches!(c, '\'' | '’' | 'ʼ')).peekable();
    while let Some(c) = folded.next() {
        // The blocks of these scripts hold signs, too, such as the middle dot between names.
        if is_written_without_spaces(c) && c.is_alphanumeric() {
            word.end(&mut words);
            word.push(c);
            word.end(&mut words);
        } else if c.is_alphanumeric() {
            match plain(c) {
                Some(plain) => plain.chars().for_each(|c| word.push(c)),
                None => c.to_lowercase().filter(|c| !is_combining_mark(*c)).for_each(|c| word.push(c)),
            }
        } else if matches!(c, '+' | '#') && word.chars > 0 && !folded.peek().is_some_and(|next| next.is_alphanumeric()) {
            word.push(c);
        } else {
            word.end(&mut words);
        }
    }
    word.end(&mut words);
    words
}

#[derive(Default)]
struct Word {
    text: String,
    chars: usize,
}

impl Word {
    fn push(&mut self, c: char) {
        if self.chars < WORD_CHARS_MAX {
            self.text.push(c);
            self.chars += 1;
        }
    }

    fn end(&mut self, words: &mut Vec<String>) {
        if self.chars > 0 {
            words.push(std::mem::take(self).text);
        }
    }
}

/// Letters that Unicode does not take apart, though people who lack them on their keyboard do.
const fn plain(c: char) -> Option<&'static str> {
    Some(match c {
        'ß' | 'ẞ' => "ss",
        'ø' | 'Ø' => "o",
        'ł' | 'Ł' => "l",
        'đ' | 'Đ' | 'ð' | 'Ð' => "d",
        'æ' | 'Æ' => "ae",
        'œ' | 'Œ' => "oe",
        'þ' | 'Þ' => "th",
        'ı' => "i",
        _ => return None,
    })
}

/// Han, Hiragana and Katakana.
const fn is_written_without_spaces(c: char) -> bool {
    matches!(c, '\u{3041}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2fa1f}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn words_are_as_people_type_them() {
        for (text, expected) in [
            ("Ada LOVELACE", "ada lovelace"),
            ("Łódź, ﬁne O’Brien", "lodz fine obrien"),
            ("José-María Ñandú", "jose maria nandu"),
            ("Straße Ærø ŒUVRE İstanbul", "strasse aero oeuvre istanbul"),
            ("C++ (and C#), .NET; a+b #rust", "c++ and c# net a b rust"),
            ("山田太郎 ABC", "山 田 太 郎 abc"),
            ("  🦀 -- \" ' * ( ) : ^ \u{0} ", ""),
            ("･山・田゠", "山 田"),
            ("Ελλάδα Москва", "ελλαδα москва"),
        ] {
            assert_eq!(words(text).join(" "), expected, "{text}");
        }
        assert_eq!(words(&"x".repeat(100)), ["x".repeat(WORD_CHARS_MAX)]);
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing(text in "\\PC{0,60}") {
            let once = words(&text);
            prop_assert_eq!(words(&once.join(" ")), once);
        }

        #[test]
        fn ascii_is_folded_as_any_text_is(text in "[ -~\t\n]{0,80}") {
            prop_assert_eq!(words(&text), cut(text.nfkd().filter(|c| !is_combining_mark(*c))));
        }

        #[test]
        fn any_text_folds_to_short_words_without_quotes_or_spaces(text in any::<String>()) {
            for word in words(&text) {
                prop_assert!((1..=WORD_CHARS_MAX).contains(&word.chars().count()));
                prop_assert!(word.chars().all(|c| c.is_alphanumeric() || matches!(c, '+' | '#')), "{word:?}");
            }
        }
    }
}
