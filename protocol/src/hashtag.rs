//! Hashtags: words that a post marks with `#`, by which public posts are found.

use crate::{error::Refusal, time::Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Longest hashtag, in characters. A longer word is none.
pub const HASHTAG_CHARS_MAX: usize = 50;
/// Hashtags that one post has; what it marks beyond these are words like any others.
pub const HASHTAGS_MAX: usize = 30;
/// Days that trends look back, today included.
pub const TREND_DAYS: i64 = 7;

/// A word by which posts are found: 1 to [`HASHTAG_CHARS_MAX`] letters, digits and `_` of any script, in lower case.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct Hashtag(String);

impl Hashtag {
    /// Reads a hashtag without its `#`, in any case.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn parse(text: &str) -> Result<Self, Refusal> {
        let refused = || Refusal::field(format!("a hashtag takes 1 to {HASHTAG_CHARS_MAX} letters, digits and _"));
        if text.chars().all(is_of_tag) { Self::folded(text).ok_or_else(refused) } else { Err(refused()) }
    }

    /// The word, without its `#`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// In lower case, if that is neither empty nor too long: a few letters become two.
    fn folded(word: &str) -> Option<Self> {
        // A character has at most four bytes: bytes decide the far cases without counting.
        if word.is_empty() || word.len() > HASHTAG_CHARS_MAX * 4 {
            return None;
        }
        let folded = word.to_lowercase();
        // Lower case can bring a mark that is no letter (İ): then it is not read again as it was written.
        let kept: String = folded.chars().filter(|c| is_of_tag(*c)).collect();
        (!kept.is_empty() && kept.chars().count() <= HASHTAG_CHARS_MAX).then_some(Self(kept))
    }
}

impl std::fmt::Display for Hashtag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

fn is_of_tag(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The first [`HASHTAGS_MAX`] hashtags of a text. A `#` within a word, an address or an entity (`a#b`, `/#top`, `&#39;`) marks none.
#[must_use]
pub fn hashtags(text: &str) -> BTreeSet<Hashtag> {
    let mut found = BTreeSet::new();
    let mut before = ' ';
    let mut rest = text;
    while let Some(at) = rest.find('#') {
        before = rest[..at].chars().next_back().unwrap_or(before);
        rest = &rest[at + 1..];
        let end = rest.find(|c: char| !is_of_tag(c)).unwrap_or(rest.len());
        if !is_of_tag(before) && !matches!(before, '#' | '&' | '/') {
            found.extend(Hashtag::folded(&rest[..end]));
        }
        if found.len() == HASHTAGS_MAX {
            break;
        }
        before = rest[..end].chars().next_back().unwrap_or('#');
        rest = &rest[end..];
    }
    found
}

/// The day of an instant, counted from 1970 in UTC: the bucket in which trends count it.
#[must_use]
pub const fn day_of(at: Timestamp) -> i64 {
    at.0.div_euclid(24 * 60 * 60 * 1000)
}

/// A hashtag that is used much these days.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Trend {
    /// Which.
    pub tag: Hashtag,
    /// Public posts with it that were written within the last [`TREND_DAYS`] days.
    pub post_count: u64,
    /// By what trends are sorted: a post of today counts 64, one of yesterday 32, and so on by halves.
    pub score: u64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Vec<String> {
        hashtags(text).iter().map(Hashtag::to_string).collect()
    }

    #[test]
    fn a_hashtag_is_a_marked_word_of_any_script() {
        assert_eq!(of("#Rust and #rust, #RUST!"), ["rust"]);
        assert_eq!(of("(#a)#b\n#c_1;#ÄÖ #日本 #2026"), ["2026", "a", "b", "c_1", "äö", "日本"]);
        assert_eq!(of("no# tag, a#b, ##c, https://example.org/#top, &#39; # d"), Vec::<String>::new());
        assert_eq!(of("#it's #one-two"), ["it", "one"]);
        assert_eq!(of("#ab#cd"), ["ab"], "a # within a word marks none");
    }

    #[test]
    fn limits_hold() {
        assert_eq!(of(&format!("#{}", "x".repeat(HASHTAG_CHARS_MAX))).len(), 1);
        assert_eq!(of(&format!("#{}", "x".repeat(HASHTAG_CHARS_MAX + 1))), Vec::<String>::new());
        let many: String = (100..200).map(|n| format!("#t{n} ")).collect();
        assert_eq!(of(&many).len(), HASHTAGS_MAX);
        for bad in ["", "#a", "a b", "a-b", "\0", &"x".repeat(51)] {
            assert!(Hashtag::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn days_are_whole_also_before_1970() {
        assert_eq!(
            [day_of(Timestamp(0)), day_of(Timestamp(86_399_999)), day_of(Timestamp(86_400_000)), day_of(Timestamp(-1))],
            [0, 0, 1, -1]
        );
    }

    proptest! {
        #[test]
        fn any_text_has_hashtags_that_can_be_asked_for(text in "(#|\\PC|İ|_|1){0,80}") {
            for tag in hashtags(&text) {
                prop_assert_eq!(Hashtag::parse(tag.as_str()), Ok(tag.clone()));
                let again = hashtags(&format!("#{tag}"));
                prop_assert!(again.contains(&tag));
            }
        }
    }
}
