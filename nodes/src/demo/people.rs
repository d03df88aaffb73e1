//! Who the demo's people are: names from many places, one main interest and some others, a profile, skills.

use super::{
    MAIL_HOST,
    chance::{Chance, Strand, one_of},
    text::{Said, Topic, WORDS},
};
use protocol::user::{Level, NewSkill, Profile};
use rand::{Rng, seq::IteratorRandom, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, HashMap, HashSet};

/// The seed whose people have usernames without a mark of their seed.
const PLAIN_SEED: u64 = 1;
/// Longest username, in characters.
const USERNAME_CHARS_MAX: usize = 32;
/// Characters kept for the number that tells namesakes apart.
const NUMBER_CHARS_MAX: usize = 6;
/// Topics that one person cares about.
const TOPICS_MAX: usize = 4;

/// What is known of everyone at once.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Identity {
    culture: u8,
    given: &'static str,
    family: &'static str,
    username: String,
    topic: u8,
}

/// All people of a seed: the first of more people are the same people.
#[derive(Debug)]
pub struct People {
    chance: Chance,
    identities: Vec<Identity>,
}

/// One person in full.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Person {
    pub username: String,
    pub email: String,
    pub first_name: String,
    pub last_name: String,
    pub bio: String,
    pub profile: Profile,
    pub skills: Vec<NewSkill>,
}

impl People {
    /// Draws `count` people.
    pub fn draw(chance: &Chance, seed: u64, count: u32) -> Self {
        let mark = if seed == PLAIN_SEED { String::new() } else { format!("-{}", base36(seed)) };
        let mut names = Usernames { mark, taken: HashSet::new(), namesakes: HashMap::new() };
        let identities = (0..count).map(|index| identity(&mut chance.of(Strand::Identity, index, 0), &mut names)).collect();
        Self { chance: chance.clone(), identities }
    }

    /// How many there are.
    pub fn count(&self) -> u32 {
        u32::try_from(self.identities.len()).expect("they were drawn by a u32")
    }

    /// Everyone's main interest, as its place among the topics.
    pub fn topics(&self) -> impl Iterator<Item = u8> {
        self.identities.iter().map(|identity| identity.topic)
    }

    /// What a person is interested in, the main interest first.
    pub fn interests(&self, index: u32) -> Vec<&'static Topic> {
        let main = &WORDS.topics[usize::from(self.identities[index as usize].topic)];
        let numbers = &mut self.chance.of(Strand::Identity, index, 1);
        let others = WORDS.topics.iter().filter(|topic| topic.name != main.name);
        let count = one_of(&[1, 1, 2, 2, TOPICS_MAX - 1], numbers);
        let mut others = others.choose_multiple(numbers, count);
        others.shuffle(numbers);
        std::iter::once(main).chain(others).collect()
    }

    /// A person's name as one writes it.
    pub fn name(&self, index: u32) -> String {
        let identity = &self.identities[index as usize];
        format!("{} {}", identity.given, family(identity))
    }

    /// A person in full.
    pub fn person(&self, index: u32) -> Person {
        let identity = &self.identities[index as usize];
        let numbers = &mut self.chance.of(Strand::Profile, index, 0);
        let interests = self.interests(index);
        Person {
            username: identity.username.clone(),
            email: format!("{}@{MAIL_HOST}", identity.username),
            first_name: identity.given.to_owned(),
            last_name: family(identity),
            bio: bio(&interests, numbers),
            profile: profile(identity, &interests, numbers),
            skills: skills(&interests, numbers),
        }
    }

    /// Where a person gets their orders.
    pub fn address(&self, index: u32, numbers: &mut ChaCha8Rng) -> BTreeMap<String, String> {
        let place = one_of(&WORDS.cultures[usize::from(self.identities[index as usize].culture)].places, numbers);
        let (city, country) = place.split_once(", ").unwrap_or((place, place));
        let street = format!("{} {} Street", numbers.random_range(1..=180), one_of(WORDS.any("street"), numbers));
        let fields = [("name", self.name(index)), ("street", street), ("city", city.to_owned()), ("country", country.to_owned())];
        fields.into_iter().map(|(field, value)| (field.to_owned(), value)).collect()
    }
}

/// Family names of several words stand as one in the file.
fn family(identity: &Identity) -> String {
    identity.family.replace('_', " ")
}

fn identity(numbers: &mut ChaCha8Rng, names: &mut Usernames) -> Identity {
    let culture = numbers.random_range(0..WORDS.cultures.len());
    let (given, family) = (one_of(&WORDS.cultures[culture].given, numbers), one_of(&WORDS.cultures[culture].family, numbers));
    let topic = numbers.random_range(0..WORDS.topics.len());
    let (first, last) = (ascii(given), ascii(family));
    let initial = |name: &str| name[..1].to_owned();
    let base = match numbers.random_range(0..12) {
        0..4 => format!("{first}.{last}"),
        4 | 5 => format!("{first}_{last}"),
        6 | 7 => format!("{first}{last}"),
        8 => format!("{last}.{first}"),
        9 => format!("{}.{last}", initial(&first)),
        10 => format!("{first}{}", initial(&last)),
        _ => format!("{first}.{}", one_of(&WORDS.topics[topic].handles, numbers)),
    };
    let username = names.take(&base, numbers.random_range(50..110) % 100);
    let index = |place: usize| u8::try_from(place).expect("there are fewer cultures and topics than 256");
    Identity { culture: index(culture), given, family, username, topic: index(topic) }
}

/// Usernames that are taken.
struct Usernames {
    /// Ends each of them, so that people of different seeds can live together.
    mark: String,
    taken: HashSet<String>,
    /// The number that a name's next namesake gets.
    namesakes: HashMap<String, u32>,
}

impl Usernames {
    /// A free username from `base`: itself, or with a year of birth, or with a number.
    fn take(&mut self, base: &str, year: u32) -> String {
        let mut base = base.to_owned();
        base.truncate(USERNAME_CHARS_MAX - NUMBER_CHARS_MAX - self.mark.len());
        let mark = &self.mark;
        let plain = [format!("{base}{mark}"), format!("{base}{year:02}{mark}")];
        let number = self.namesakes.entry(base.clone()).or_insert(100);
        let numbered = std::iter::from_fn(|| {
            *number += 1;
            Some(format!("{base}{number}{mark}"))
        });
        let free = plain.into_iter().chain(numbered).find(|name| !self.taken.contains(name)).expect("numbers do not end");
        self.taken.insert(free.clone());
        free
    }
}

fn base36(mut number: u64) -> String {
    let mut digits = Vec::new();
    while digits.is_empty() || number > 0 {
        digits.push(char::from_digit((number % 36) as u32, 36).expect("less than 36"));
        number /= 36;
    }
    digits.into_iter().rev().collect()
}

/// A name in lower-case ASCII letters, as people write it in a username. Letters that no name here has are left out.
fn ascii(name: &str) -> String {
    name.chars().flat_map(char::to_lowercase).filter_map(ascii_letter).collect()
}

fn ascii_letter(letter: char) -> Option<char> {
    const MARKED: [(&str, char); 13] = [
        ("àáâãäåąạảầặ", 'a'),
        ("ç", 'c'),
        ("đ", 'd'),
        ("èéêềễ", 'e'),
        ("ğ", 'g'),
        ("ìíıị", 'i'),
        ("ł", 'l'),
        ("ñń", 'n'),
        ("óôõöơọồỗ", 'o'),
        ("śş", 's'),
        ("ùúüũưứ", 'u'),
        ("ýỳ", 'y'),
        ("źż", 'z'),
    ];
    match letter {
        'a'..='z' => Some(letter),
        _ => MARKED.iter().find(|(letters, _)| letters.contains(letter)).map(|(_, plain)| *plain),
    }
}

fn bio(interests: &[&Topic], numbers: &mut ChaCha8Rng) -> String {
    let mut said = Said::default();
    let mut own = |topic: &Topic, numbers: &mut ChaCha8Rng| WORDS.fill(topic, one_of(&topic.bios, numbers), &mut said, numbers);
    let mut bio = own(interests[0], numbers);
    if numbers.random_bool(0.3) {
        bio = bio + " " + &own(interests[1], numbers);
    }
    if numbers.random_bool(0.4) {
        let text = one_of(WORDS.any("bio"), numbers);
        bio = bio + " " + &WORDS.fill(interests[0], text, &mut said, numbers);
    }
    bio
}

fn profile(identity: &Identity, interests: &[&Topic], numbers: &mut ChaCha8Rng) -> Profile {
    // Numbers that are set aside for fiction, in North America and in London.
    let phone = match numbers.random_bool(0.5) {
        true => format!("+1 202 555 01{:02}", numbers.random_range(0..100)),
        false => format!("+44 20 7946 0{:03}", numbers.random_range(0..1000)),
    };
    let born = format!("{}-{:02}-{:02}", numbers.random_range(1948..=2007), numbers.random_range(1..=12), numbers.random_range(1..=28));
    let home = if numbers.random_bool(0.8) { usize::from(identity.culture) } else { numbers.random_range(0..WORDS.cultures.len()) };
    let company = format!("{} {}", one_of(WORDS.any("company"), numbers), one_of(WORDS.any("trade"), numbers));
    let site = |host: &str| format!("https://{host}.example/{}", identity.username);
    let social_links =
        ["chat", "photos", "code"].into_iter().filter(|_| numbers.random_bool(0.2)).map(|name| (name.to_owned(), site(name))).collect();
    let mut sometimes = |share: f64, value: String| numbers.random_bool(share).then_some(value);
    Profile {
        phone_number: sometimes(0.5, phone),
        date_of_birth: sometimes(0.6, born),
        website: sometimes(0.25, site("pages")),
        company: sometimes(0.6, company),
        location: Some(one_of(&WORDS.cultures[home].places, numbers).to_owned()),
        job_title: Some(one_of(&interests[usize::from(numbers.random_bool(0.3))].jobs, numbers).to_owned()),
        interests: interests.iter().map(|topic| topic.name.to_owned()).collect(),
        social_links,
    }
}

fn skills(interests: &[&Topic], numbers: &mut ChaCha8Rng) -> Vec<NewSkill> {
    const LEVELS: [Level; 7] =
        [Level::Beginner, Level::Beginner, Level::Intermediate, Level::Intermediate, Level::Intermediate, Level::Advanced, Level::Expert];
    let known = interests.iter().take(2).flat_map(|topic| &topic.skills);
    let count = one_of(&[2, 3, 3, 4, 5], numbers);
    let mut known = known.choose_multiple(numbers, count);
    known.shuffle(numbers);
    known.into_iter().map(|name| NewSkill { name: (*name).to_owned(), level: one_of(&LEVELS, numbers) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_makes_a_username() {
        for culture in &WORDS.cultures {
            for name in culture.given.iter().chain(&culture.family) {
                let letters = name.chars().filter(|letter| letter.is_alphabetic()).count();
                assert_eq!(ascii(name).len(), letters, "{name} has a letter without a plain one");
            }
        }
    }

    #[test]
    fn the_largest_seed_leaves_room_for_a_name() {
        let mut names = Usernames { mark: format!("-{}", base36(u64::MAX)), taken: HashSet::new(), namesakes: HashMap::new() };
        let taken: Vec<_> = (0..200).map(|_| names.take("maximiliana.polishchuk-rousseau", 77)).collect();
        assert_eq!(taken.iter().collect::<HashSet<_>>().len(), 200, "namesakes are told apart");
        assert!(taken.iter().all(|name| name.len() <= USERNAME_CHARS_MAX && name.starts_with("maximilian")), "{taken:?}");
    }
}
