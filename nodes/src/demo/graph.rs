//! Who follows whom: a few are followed by very many, most by a few, and friends follow each other.
//!
//! Whoever came earlier is better known, as in preferential attachment. A person picks by Zipf's law among all, or among those who share their main
//! interest; some of the picked follow back, the well-known rarely.

use super::chance::{Chance, Strand};
use rand::Rng;
use rand_distr::{Distribution, LogNormal, Zipf};

/// Zipf's exponent: at 1000 people the best known is followed by about two in five, at 100,000 by one in four.
const FAME_EXPONENT: f64 = 0.85;
/// The median and spread of how many people somebody picks: exp of a normal distribution, here 8 in the middle and 12 on average.
const PICKS: (f64, f64) = (2.1, 0.9);
const PICKS_MIN: usize = 3;
/// Nobody follows more than this, by own choice or back.
const FOLLOWING_MAX: usize = 400;
/// The share of picks among those with the same interest.
const SHARED_INTEREST: f64 = 0.4;
/// How likely somebody follows back, and how likely one of the well-known, who are the first hundredth.
const FOLLOWS_BACK: (f64, f64) = (0.35, 0.04);
/// Draws for one pick: late ones are mostly people who are followed already.
const DRAWS_PER_PICK: usize = 4;

/// For each person a list of others, ascending.
#[derive(Debug, PartialEq, Eq)]
struct Lists {
    starts: Vec<usize>,
    ends: Vec<u32>,
}

impl Lists {
    /// From pairs that ascend.
    fn new(count: u32, pairs: &[(u32, u32)]) -> Self {
        let mut starts = Vec::with_capacity(count as usize + 1);
        let mut at = 0;
        for person in 0..=count {
            at += pairs[at..].iter().take_while(|(from, _)| *from < person).count();
            starts.push(at);
        }
        Self { starts, ends: pairs.iter().map(|(_, to)| *to).collect() }
    }

    fn of(&self, person: u32) -> &[u32] {
        let person = person as usize;
        &self.ends[self.starts[person]..self.starts[person + 1]]
    }
}

/// The follow graph of people `0..count`.
#[derive(Debug, PartialEq, Eq)]
pub struct Graph {
    following: Lists,
    followers: Lists,
}

impl Graph {
    /// Draws the graph of people with these main interests.
    pub fn draw(chance: &Chance, topics: &[u8]) -> Self {
        let count = u32::try_from(topics.len()).expect("people are counted in u32");
        let mut pairs = pairs(chance, topics);
        pairs.sort_unstable();
        pairs.dedup();
        let mut kept = (u32::MAX, 0);
        pairs.retain(|(follower, _)| {
            kept = if kept.0 == *follower { (*follower, kept.1 + 1) } else { (*follower, 1) };
            kept.1 <= FOLLOWING_MAX
        });
        let following = Lists::new(count, &pairs);
        pairs.iter_mut().for_each(|pair| *pair = (pair.1, pair.0));
        pairs.sort_unstable();
        Self { following, followers: Lists::new(count, &pairs) }
    }

    /// Whom a person follows, ascending.
    pub fn following(&self, person: u32) -> &[u32] {
        self.following.of(person)
    }

    /// Who follows a person, ascending.
    pub fn followers(&self, person: u32) -> &[u32] {
        self.followers.of(person)
    }

    /// Those who follow a person and are followed back.
    pub fn friends(&self, person: u32) -> Vec<u32> {
        let following = self.following(person);
        self.followers(person).iter().copied().filter(|other| following.binary_search(other).is_ok()).collect()
    }

    /// Every follow, as (follower, followee), ascending.
    pub fn pairs(&self) -> impl Iterator<Item = (u32, u32)> {
        let people = 0..u32::try_from(self.following.starts.len() - 1).expect("people are counted in u32");
        people.flat_map(|follower| self.following(follower).iter().map(move |followee| (follower, *followee)))
    }

    /// How many follows there are.
    pub fn len(&self) -> usize {
        self.following.ends.len()
    }
}

/// What everybody picks, and who follows back; with repetitions, in no order.
fn pairs(chance: &Chance, topics: &[u8]) -> Vec<(u32, u32)> {
    let mut circles = vec![Vec::<u32>::new(); 1 + topics.iter().copied().max().map_or(0, usize::from)];
    for (person, topic) in (0..).zip(topics) {
        circles[usize::from(*topic)].push(person);
    }
    let zipf = |people: usize| Zipf::new((people as f64).max(1.0), FAME_EXPONENT).expect("at least one person, and a positive exponent");
    let (all, by_circle) = (zipf(topics.len()), circles.iter().map(|circle| zipf(circle.len())).collect::<Vec<_>>());
    let picks = LogNormal::new(PICKS.0, PICKS.1).expect("a finite spread");
    let well_known = (topics.len() / 100) as u32;

    let mut pairs = Vec::new();
    let mut picked = Vec::new();
    for (person, topic) in (0..).zip(topics) {
        let numbers = &mut chance.of(Strand::Follows, person, 0);
        let (circle, circle_zipf) = (&circles[usize::from(*topic)], &by_circle[usize::from(*topic)]);
        let wanted = (picks.sample(numbers) as usize).clamp(PICKS_MIN, FOLLOWING_MAX).min(topics.len() - 1);
        picked.clear();
        for _ in 0..wanted * DRAWS_PER_PICK {
            if picked.len() == wanted {
                break;
            }
            let other = match numbers.random_bool(SHARED_INTEREST) {
                true => circle[rank(circle_zipf, numbers)],
                false => rank(&all, numbers) as u32,
            };
            if other != person && !picked.contains(&other) {
                picked.push(other);
            }
        }
        for other in &picked {
            pairs.push((person, *other));
            if numbers.random_bool(if *other < well_known { FOLLOWS_BACK.1 } else { FOLLOWS_BACK.0 }) {
                pairs.push((*other, person));
            }
        }
    }
    pairs
}

/// A place from 0 on, the first the likeliest.
fn rank(zipf: &Zipf<f64>, numbers: &mut impl Rng) -> usize {
    zipf.sample(numbers) as usize - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draw(seed: u64, count: u32) -> Graph {
        let topics: Vec<_> = (0..count).map(|person| (person % 7) as u8).collect();
        Graph::draw(&Chance::new(seed), &topics)
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(draw(1, 500), draw(1, 500));
        assert_ne!(draw(1, 500), draw(2, 500));
    }

    #[test]
    fn nobody_follows_themselves_or_anybody_twice() {
        for count in [1, 2, 3, 10, 2000] {
            let graph = draw(3, count);
            let pairs: Vec<_> = graph.pairs().collect();
            assert_eq!(pairs.len(), graph.len());
            assert!(pairs.iter().all(|(follower, followee)| follower != followee && *followee < count));
            assert!(pairs.is_sorted_by(|a, b| a < b), "ascending without repetition");
        }
    }

    #[test]
    fn both_directions_tell_the_same() {
        let graph = draw(4, 300);
        let mut turned: Vec<_> =
            (0..300).flat_map(|followee| graph.followers(followee).iter().map(move |follower| (*follower, followee))).collect();
        turned.sort_unstable();
        assert_eq!(turned, graph.pairs().collect::<Vec<_>>());
        assert!((0..300).all(|person| graph.friends(person).iter().all(|friend| graph.friends(*friend).contains(&person))));
    }

    #[test]
    fn a_few_are_followed_by_very_many_and_everybody_follows_somebody() {
        let (graph, count) = (draw(5, 10_000), 10_000);
        let mut followers: Vec<_> = (0..count).map(|person| graph.followers(person).len()).collect();
        followers.sort_unstable_by(|a, b| b.cmp(a));
        let top: usize = followers[..100].iter().sum();
        assert!(top * 100 >= graph.len() * 15, "the first hundredth has {top} of {}", graph.len());
        assert!(followers[5000] <= 12, "half have at most a dozen: {}", followers[5000]);
        assert!((0..count).all(|person| (PICKS_MIN..=FOLLOWING_MAX).contains(&graph.following(person).len())));
        let mutual: usize = (0..count).map(|person| graph.friends(person).len()).sum();
        assert!(mutual * 10 >= graph.len(), "at least a tenth is mutual: {mutual} of {}", graph.len());
    }
}
