//! The words: sentences with slots, by topic, and how they become a text that does not repeat itself.
//!
//! The files beside this one hold them, one block a `[name]`, one list a `key: one / another`; a key that comes again adds to its list. In a sentence,
//! `{dish}` stands for one of the options of `slot dish`, the same one throughout a text; `{Dish}` begins with a capital; `{+dish}` is another
//! one than the text has; `{3-9}` is a number.

use super::chance::one_of;
use rand::{Rng, seq::IteratorRandom};
use rand_chacha::ChaCha8Rng;
use std::{collections::BTreeMap, sync::LazyLock};

/// Everything that the demo's people say and are called.
pub static WORDS: LazyLock<Words> = LazyLock::new(|| Words::read(TOPICS, ANY, NAMES));

const TOPICS: &[&str] = &[
    include_str!("text/birds.txt"),
    include_str!("text/books.txt"),
    include_str!("text/cooking.txt"),
    include_str!("text/cycling.txt"),
    include_str!("text/gardening.txt"),
    include_str!("text/music.txt"),
    include_str!("text/photography.txt"),
    include_str!("text/repair.txt"),
    include_str!("text/science.txt"),
    include_str!("text/software.txt"),
    include_str!("text/travel.txt"),
    include_str!("text/woodworking.txt"),
];
const ANY: &str = include_str!("text/any.txt");
const NAMES: &str = include_str!("text/names.txt");

/// Options stand in slots of options at most this deep.
const DEPTH_MAX: u8 = 3;

type List = Vec<&'static str>;

/// A named group of lists.
struct Block {
    name: &'static str,
    lists: BTreeMap<&'static str, List>,
}

impl Block {
    fn read(text: &'static str) -> Vec<Self> {
        let mut blocks = Vec::<Self>::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                blocks.push(Self { name, lists: BTreeMap::new() });
                continue;
            }
            let (key, values) = line.split_once(": ").expect("a line is `key: values`: the tests read them all");
            let block = blocks.last_mut().expect("a file begins with [name]: the tests read them all");
            block.lists.entry(key).or_default().extend(values.split(" / "));
        }
        blocks
    }

    fn take(&mut self, key: &str) -> List {
        self.lists.remove(key).unwrap_or_default()
    }

    /// What is left, by the name of its slot.
    fn slots(self) -> BTreeMap<&'static str, List> {
        self.lists.into_iter().map(|(key, options)| (key.strip_prefix("slot ").unwrap_or(key), options)).collect()
    }
}

/// A sentence with slots.
pub struct Sentence {
    text: &'static str,
    /// Those of the topic's slots that it fills; what every topic has does not count.
    slots: List,
}

impl Sentence {
    fn read(texts: List, slots: &BTreeMap<&'static str, List>) -> Vec<Self> {
        let own = |text: &'static str| {
            slots.keys().copied().filter(move |slot| names(text).any(|name| name.eq_ignore_ascii_case(slot))).collect()
        };
        texts.into_iter().map(|text| Self { text, slots: own(text) }).collect()
    }
}

/// The names in a sentence's braces.
fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name)
}

/// What is on offer, and for how much.
#[derive(Clone, Copy)]
pub struct Good {
    /// Its name, with slots.
    pub name: &'static str,
    /// What it is like, with slots.
    pub about: &'static str,
    /// The lowest and the highest price.
    pub cents: (i64, i64),
}

/// What people are interested in, and how they talk about it.
pub struct Topic {
    /// Its name, an interest.
    pub name: &'static str,
    /// The shop's category.
    pub category: &'static str,
    /// Hashtags, without the `#`.
    pub tags: List,
    /// Skills to have.
    pub skills: List,
    /// Jobs to hold.
    pub jobs: List,
    /// Words that usernames are made of.
    pub handles: List,
    /// Sentences about oneself.
    pub bios: List,
    /// Things for sale.
    pub goods: Vec<Good>,
    /// Sentences about a thing for sale.
    pub abouts: List,
    posts: List,
    more: Vec<Sentence>,
    comments: Vec<Sentence>,
    slots: BTreeMap<&'static str, List>,
}

impl Topic {
    fn read(mut block: Block) -> Self {
        let mut take = |key: &str| block.take(key);
        let (tags, skills, jobs, handles, bios, abouts) =
            (take("tag"), take("skill"), take("job"), take("handle"), take("bio"), take("about"));
        let category = *take("category").first().expect("a topic has a category: the tests read them all");
        let goods = take("good").into_iter().map(good).collect();
        let (posts, more, comments) = (take("post"), take("more"), take("comment"));
        let name = block.name;
        let slots = block.slots();
        let sentences = |texts| Sentence::read(texts, &slots);
        let (more, comments) = (sentences(more), sentences(comments));
        Self { name, category, tags, skills, jobs, handles, bios, goods, abouts, posts, more, comments, slots }
    }
}

fn good(line: &'static str) -> Good {
    let parts = line.split_once(' ').and_then(|(range, rest)| Some((range.split_once('-')?, rest.split_once(" -- ")?)));
    let ((low, high), (name, about)) = parts.expect("a good is `low-high name -- about`: the tests read them all");
    let cents = |text: &str| text.parse().expect("prices are numbers of cents: the tests read them all");
    Good { name, about, cents: (cents(low), cents(high)) }
}

/// People of one language.
pub struct Culture {
    /// Given names.
    pub given: List,
    /// Family names.
    pub family: List,
    /// Where many of them live.
    pub places: List,
}

impl Culture {
    fn read(mut block: Block) -> Self {
        let split = |list: List| list.into_iter().flat_map(str::split_whitespace).collect();
        Self { given: split(block.take("given")), family: split(block.take("family")), places: block.take("place") }
    }
}

/// Everything that was read.
pub struct Words {
    /// Topics, by name.
    pub topics: Vec<Topic>,
    /// Cultures.
    pub cultures: Vec<Culture>,
    /// Lists that belong to no topic, and the slots that every topic has.
    any: BTreeMap<&'static str, List>,
}

/// What a text has put into its slots.
#[derive(Debug, Clone, Default)]
pub struct Said(Vec<(String, String)>);

impl Said {
    fn get(&self, slot: &str) -> Option<&str> {
        self.0.iter().find(|(said, _)| said == slot).map(|(_, option)| option.as_str())
    }
}

impl Words {
    fn read(topics: &'static [&'static str], any: &'static str, names: &'static str) -> Self {
        Self {
            topics: topics.iter().flat_map(|text| Block::read(text)).map(Topic::read).collect(),
            cultures: Block::read(names).into_iter().map(Culture::read).collect(),
            any: Block::read(any).into_iter().flat_map(Block::slots).collect(),
        }
    }

    /// A list that belongs to no topic.
    pub fn any(&self, key: &str) -> &[&'static str] {
        self.any.get(key).expect("the code names only lists that there are: the tests use them all")
    }

    /// A sentence with its slots filled.
    pub fn fill(&self, topic: &Topic, text: &str, said: &mut Said, numbers: &mut ChaCha8Rng) -> String {
        let mut filled = String::with_capacity(text.len() * 2);
        self.fill_into(&mut filled, (topic, text), said, (numbers, 0));
        filled
    }

    fn fill_into(&self, to: &mut String, (topic, text): (&Topic, &str), said: &mut Said, (numbers, depth): (&mut ChaCha8Rng, u8)) {
        assert!(depth <= DEPTH_MAX, "an option that holds itself: {text}");
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            to.push_str(before);
            let (name, after) = after.split_once('}').expect("braces close: the tests read them all");
            rest = after;
            if let Some((low, high)) = range(name) {
                to.push_str(&numbers.random_range(low..=high).to_string());
                continue;
            }
            let another = name.strip_prefix('+');
            let name = another.unwrap_or(name);
            let slot = name.to_ascii_lowercase();
            let option = match said.get(&slot) {
                Some(option) if another.is_none() => option.to_owned(),
                known => {
                    let options =
                        topic.slots.get(&*slot).or_else(|| self.any.get(&*slot)).expect("a slot has options: the tests read them all");
                    let fresh = options.iter().filter(|option| Some(**option) != known).choose(numbers);
                    let mut option = String::new();
                    self.fill_into(&mut option, (topic, fresh.expect("a slot has several options")), said, (numbers, depth + 1));
                    if another.is_none() {
                        said.0.push((slot, option.clone()));
                    }
                    option
                }
            };
            if name.starts_with(char::is_uppercase) { capitalise(to, &option) } else { to.push_str(&option) }
        }
        to.push_str(rest);
    }

    /// What somebody posts about a topic: one to five sentences, sometimes tagged.
    pub fn post(&self, topic: &Topic, said: &mut Said, numbers: &mut ChaCha8Rng) -> String {
        let core = self.fill(topic, one_of(&topic.posts, numbers), said, numbers);
        let mut post = match numbers.random_bool(0.15) {
            true => self.fill(topic, one_of(self.any("open"), numbers), said, numbers) + " " + &core,
            false => core,
        };
        let paragraphs = numbers.random_bool(0.12);
        let mut more: Vec<_> = topic.more.iter().collect();
        for _ in 0..one_of(&[0, 1, 1, 1, 1, 1, 2, 2, 2, 3], numbers) {
            // A sentence that fills a slot again would repeat the phrase that stands in it.
            more.retain(|sentence| sentence.slots.iter().all(|slot| said.get(slot).is_none()));
            let Some(place) = (0..more.len()).choose(numbers) else { break };
            let sentence = more.swap_remove(place);
            post.push_str(if paragraphs { "\n\n" } else { " " });
            post.push_str(&self.fill(topic, sentence.text, said, numbers));
        }
        if numbers.random_bool(0.2) {
            post.push(' ');
            post.push_str(&self.fill(topic, one_of(self.any("close"), numbers), said, numbers));
        }
        if numbers.random_bool(0.3) {
            let tags = one_of(&[1, 1, 2], numbers);
            for tag in topic.tags.iter().choose_multiple(numbers, tags) {
                post.push_str(" #");
                post.push_str(tag);
            }
        }
        post
    }

    /// What somebody answers to a post of which `said` is left.
    pub fn comment(&self, topic: &Topic, said: &Said, numbers: &mut ChaCha8Rng) -> String {
        let fitting = topic.comments.iter().filter(|sentence| sentence.slots.iter().all(|slot| said.get(slot).is_some()));
        let text = match fitting.choose(numbers) {
            Some(sentence) if numbers.random_bool(0.6) => sentence.text,
            _ => one_of(self.any("comment"), numbers),
        };
        self.fill(topic, text, &mut said.clone(), numbers)
    }
}

fn range(name: &str) -> Option<(u32, u32)> {
    let (low, high) = name.split_once('-')?;
    Some((low.parse().ok()?, high.parse().ok()?))
}

fn capitalise(to: &mut String, option: &str) {
    let quote = if option.starts_with('"') { 1 } else { 0 };
    let (quote, option) = option.split_at(quote);
    to.push_str(quote);
    let mut letters = option.chars();
    to.extend(letters.next().into_iter().flat_map(char::to_uppercase));
    to.push_str(letters.as_str());
}
