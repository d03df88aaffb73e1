//! Deterministic English-looking text of a wished length, for posts, biographies and descriptions.

use rand::Rng;
use rand::seq::IndexedRandom as _;

#[rustfmt::skip]
const WORDS: &[&str] = &[
    "a", "about", "after", "again", "all", "along", "and", "another", "around", "because", "before", "bicycle",
    "book", "bread", "bridge", "build", "café", "city", "coffee", "could", "day", "early", "evening", "every",
    "field", "first", "found", "friend", "from", "garden", "good", "great", "had", "harbour", "have", "home", "hope",
    "idea", "in", "into", "just", "kitchen", "late", "learn", "letter", "light", "little", "long", "look", "made",
    "market", "morning", "mountain", "music", "naïve", "near", "never", "new", "next", "notebook", "of", "old", "on",
    "one", "open", "our", "paper", "people", "photo", "place", "plan", "question", "quiet", "rain", "read", "river",
    "road", "room", "school", "sea", "share", "short", "small", "song", "start", "station", "still", "story",
    "street", "summer", "table", "talk", "thank", "that", "the", "there", "this", "through", "time", "today",
    "together", "tomorrow", "train", "tree", "under", "until", "very", "walk", "was", "water", "we", "week", "went",
    "when", "window", "winter", "with", "wonder", "work", "world", "write", "year", "yesterday", "you", "young",
];

/// The words of which texts are made.
pub fn words() -> impl Iterator<Item = &'static str> {
    WORDS.iter().copied()
}

/// Sentences of at least `chars_min` characters; they end with the sentence that reaches it.
pub fn prose(rng: &mut impl Rng, chars_min: usize) -> String {
    let mut text = String::with_capacity(chars_min + 80);
    while text.len() < chars_min {
        let words = rng.random_range(4..14);
        for index in 0..words {
            let word = WORDS.choose(rng).expect("the list has words");
            if index > 0 {
                text.push(' ');
                text.push_str(word);
                continue;
            }
            if !text.is_empty() {
                text.push(' ');
            }
            let mut letters = word.chars();
            text.extend(letters.next().into_iter().flat_map(char::to_uppercase).chain(letters));
        }
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng as _;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn same_seed_same_text() {
        let write = |seed| prose(&mut ChaCha8Rng::seed_from_u64(seed), 200);
        assert_eq!(write(1), write(1));
        assert_ne!(write(1), write(2));
        assert!(write(1).len() >= 200 && write(1).len() < 400);
    }
}
