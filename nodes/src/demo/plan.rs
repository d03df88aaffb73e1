//! Everything that the demo's people will do, decided before any of it is done: people, the graph, posts with what is said below them, vouching,
//! products with their orders.

use super::{
    DemoOptions,
    chance::{Chance, Strand, one_of},
    graph::Graph,
    people::People,
    text::{Said, Topic, WORDS},
};
use protocol::{Money, post::Visibility, product::NewProduct};
use rand::{Rng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// Most posts of one person.
const POSTS_MAX: f64 = 40.0;
/// The tail of posts per person: the smaller, the more the busiest write.
const POSTS_TAIL: f64 = 1.25;
/// What the first hundredth, whom many follow, post at least, so that every feed has something to show.
const POSTS_OF_KNOWN_MIN: u16 = 5;
const COMMENTS_MAX: usize = 8;
const ENDORSEMENTS_MAX: usize = 20;
/// The share of people who sell.
const SELLERS: f64 = 0.2;

/// What will be done.
#[derive(Debug)]
pub struct Plan {
    chance: Chance,
    /// Who there is.
    pub people: People,
    /// Who follows whom.
    pub graph: Graph,
}

/// A post, and what is said below it, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Post {
    pub content: String,
    pub visibility: Visibility,
    pub comments: Vec<Comment>,
}

/// What somebody says below a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Who.
    pub by: u32,
    /// What.
    pub content: String,
    /// Which of the post's comments it answers.
    pub answers: Option<usize>,
}

/// A product, and who buys it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Product {
    pub new: NewProduct,
    pub orders: Vec<Order>,
}

/// Somebody buys some of a product; there is enough for all of its orders.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Order {
    pub buyer: u32,
    pub quantity: u32,
    pub shipping_address: BTreeMap<String, String>,
    pub payment_method: String,
}

impl Plan {
    /// Draws the plan.
    pub fn draw(options: &DemoOptions) -> anyhow::Result<Self> {
        let users = options.checked()?;
        let chance = Chance::new(options.seed);
        let people = People::draw(&chance, options.seed, users);
        let graph = Graph::draw(&chance, &people.topics().collect::<Vec<_>>());
        Ok(Self { chance, people, graph })
    }

    /// The numbers that decide `strand` of a person's `nth` thing.
    pub fn numbers(&self, strand: Strand, person: u32, nth: u16) -> ChaCha8Rng {
        self.chance.of(strand, person, nth)
    }

    /// Items in the order in which they come about: things of different people between each other.
    pub fn mixed<T>(&self, items: impl Iterator<Item = T>) -> Vec<T> {
        let mut items: Vec<_> = items.collect();
        items.shuffle(&mut self.chance.of(Strand::Order, 0, 0));
        items
    }

    /// How many posts a person writes.
    pub fn posts(&self, person: u32) -> u16 {
        let numbers = &mut self.chance.of(Strand::Volume, person, 0);
        let pareto = (1.0 - numbers.random::<f64>()).powf(-1.0 / POSTS_TAIL);
        let posts = (pareto * 1.4 - 1.0).min(POSTS_MAX) as u16;
        if person <= self.people.count() / 100 { posts.max(POSTS_OF_KNOWN_MIN) } else { posts }
    }

    /// A person's `nth` post.
    pub fn post(&self, person: u32, nth: u16) -> Post {
        let numbers = &mut self.chance.of(Strand::Post, person, nth);
        let visibility = match numbers.random_range(0..100) {
            0..88 => Visibility::Public,
            88..97 => Visibility::Friends,
            _ => Visibility::Private,
        };
        let topic = self.about(person, numbers);
        let mut said = Said::default();
        let content = WORDS.post(topic, &mut said, numbers);
        let comments = self.comments((person, visibility), (topic, &said), &mut self.chance.of(Strand::Comments, person, nth));
        Post { content, visibility, comments }
    }

    /// What a person speaks of this time: mostly of their main interest.
    fn about(&self, person: u32, numbers: &mut ChaCha8Rng) -> &'static Topic {
        let interests = self.people.interests(person);
        if numbers.random_bool(0.65) { interests[0] } else { one_of(&interests, numbers) }
    }

    fn comments(&self, (author, visibility): (u32, Visibility), (topic, said): (&Topic, &Said), numbers: &mut ChaCha8Rng) -> Vec<Comment> {
        let readers = match visibility {
            Visibility::Public => self.graph.followers(author).to_vec(),
            Visibility::Friends => self.graph.friends(author),
            Visibility::Private => Vec::new(),
        };
        let mut comments = Vec::<Comment>::new();
        let attention = (1.0 + readers.len() as f64).ln() * 1.2;
        for _ in 0..(attention * numbers.random::<f64>().powi(2)) as usize {
            let (by, content) = (one_of(&readers, numbers), WORDS.comment(topic, said, numbers));
            if comments.len() >= COMMENTS_MAX || comments.iter().any(|comment| comment.content == content) {
                continue;
            }
            comments.push(Comment { by, content, answers: None });
            if numbers.random_bool(0.3) {
                let answers = Some(comments.len() - 1);
                let content = WORDS.fill(topic, one_of(WORDS.any("reply"), numbers), &mut Said::default(), numbers);
                comments.push(Comment { by: author, content, answers });
            }
        }
        comments
    }

    /// Who vouches for a person's `nth` skill: some of those who follow them.
    pub fn endorsers(&self, person: u32, nth: u16) -> Vec<u32> {
        let numbers = &mut self.chance.of(Strand::Endorsements, person, nth);
        let followers = self.graph.followers(person);
        let familiar = (1.0 + followers.len() as f64).ln() * numbers.random::<f64>() * 1.2;
        let count = (familiar as usize).min(followers.len()).min(ENDORSEMENTS_MAX);
        rand::seq::index::sample(numbers, followers.len(), count).into_iter().map(|place| followers[place]).collect()
    }

    /// How many products a person offers. The first person always sells something.
    pub fn products(&self, person: u32) -> u16 {
        let numbers = &mut self.chance.of(Strand::Volume, person, 1);
        if !numbers.random_bool(SELLERS) && person > 0 {
            return 0;
        }
        one_of(&[1, 1, 1, 2, 2, 3, 4, 6], numbers)
    }

    /// A person's `nth` product.
    pub fn product(&self, person: u32, nth: u16) -> Product {
        let numbers = &mut self.chance.of(Strand::Product, person, nth);
        let topic = self.about(person, numbers);
        let good = one_of(&topic.goods, numbers);
        let mut said = Said::default();
        let name = WORDS.fill(topic, good.name, &mut said, numbers);
        let mut description = WORDS.fill(topic, good.about, &mut said, numbers);
        for (share, more) in [(0.4, &*topic.abouts), (0.6, WORDS.any("about"))] {
            if numbers.random_bool(share) {
                description = description + " " + &WORDS.fill(topic, one_of(more, numbers), &mut said, numbers);
            }
        }
        let new = NewProduct {
            seller_id: None,
            name,
            description: Some(description),
            price: price(good.cents, numbers),
            currency: "USD".to_owned(),
            images: Vec::new(),
            category: Some(topic.category.to_owned()),
            // One in twenty is sold out.
            stock: if numbers.random_bool(0.05) {
                0
            } else {
                (1.0 / (0.005 + numbers.random::<f64>())) as u32 + numbers.random_range(1..20)
            },
            is_public: numbers.random_bool(0.96),
            is_active: true,
        };
        let orders =
            if new.is_public { self.orders(person, new.stock, &mut self.chance.of(Strand::Orders, person, nth)) } else { Vec::new() };
        Product { new, orders }
    }

    fn orders(&self, seller: u32, mut stock: u32, numbers: &mut ChaCha8Rng) -> Vec<Order> {
        let mut orders = Vec::new();
        for _ in 0..(numbers.random::<f64>().powi(3) * 9.0) as usize {
            let (buyer, quantity) = (numbers.random_range(0..self.people.count()), one_of(&[1, 1, 1, 2, 3], numbers));
            if buyer == seller || quantity > stock {
                continue;
            }
            stock -= quantity;
            let shipping_address = self.people.address(buyer, numbers);
            let payment_method = one_of(WORDS.any("payment"), numbers).to_owned();
            orders.push(Order { buyer, quantity, shipping_address, payment_method });
        }
        orders
    }
}

/// A price in the range, the lower the likelier, that looks like one.
fn price((low, high): (i64, i64), numbers: &mut ChaCha8Rng) -> Money {
    let cents = low as f64 * (high as f64 / low as f64).powf(numbers.random());
    let units = (cents as i64 / 100).max(1);
    Money::from_cents(units * 100 + one_of(&[0, 50, 90], numbers)).expect("the tests read every range of prices")
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{account::Registration, comment::NewComment, post::NewPost, user::Update};
    use std::collections::HashSet;

    fn plan(seed: u64, users: u64) -> Plan {
        Plan::draw(&DemoOptions { users, seed }).expect("a sound plan")
    }

    /// Everything about everybody, as text.
    fn whole(plan: &Plan) -> String {
        let mut whole = format!("{:?}", plan.graph.pairs().collect::<Vec<_>>());
        for person in 0..plan.people.count() {
            whole += &format!("{:?}", plan.people.person(person));
            (0..plan.posts(person)).for_each(|nth| whole += &format!("{:?}", plan.post(person, nth)));
            (0..plan.products(person)).for_each(|nth| whole += &format!("{:?}", plan.product(person, nth)));
            (0..5).for_each(|nth| whole += &format!("{:?}", plan.endorsers(person, nth)));
        }
        whole
    }

    #[test]
    fn the_seed_decides_everything() {
        let first = whole(&plan(1, 200));
        assert_eq!(first, whole(&plan(1, 200)));
        assert_ne!(first, whole(&plan(2, 200)));
    }

    #[test]
    fn the_first_of_more_people_are_the_same_people() {
        let (few, many) = (plan(7, 50), plan(7, 500));
        for person in 0..50 {
            assert_eq!(few.people.person(person), many.people.person(person));
            let posts = few.posts(person).min(many.posts(person));
            (0..posts).for_each(|nth| assert_eq!(few.post(person, nth).content, many.post(person, nth).content));
            (0..few.products(person)).for_each(|nth| assert_eq!(few.product(person, nth).new, many.product(person, nth).new));
        }
    }

    #[test]
    fn people_of_different_seeds_can_live_together() {
        let names = |plan: Plan| (0..1000).map(|person| plan.people.person(person).username).collect::<HashSet<_>>();
        let [plain, two, many] = [1, 2, 36].map(|seed| names(plan(seed, 1000)));
        assert!(plain.is_disjoint(&two) && plain.is_disjoint(&many) && two.is_disjoint(&many));
    }

    #[test]
    fn ten_thousand_people_keep_the_platforms_limits() {
        let plan = plan(1, 10_000);
        let mut usernames = HashSet::new();
        for index in 0..plan.people.count() {
            let person = plan.people.person(index);
            let (registration, update) = super::super::api::bodies(&person);
            let registration: Registration = serde_json::from_value(registration).expect("a registration");
            registration.validate().unwrap_or_else(|refusal| panic!("{refusal}: {person:?}"));
            let update: Update = serde_json::from_value(update).expect("an update");
            update.validate().unwrap_or_else(|refusal| panic!("{refusal}: {person:?}"));
            let mut skills = HashSet::new();
            for skill in &person.skills {
                skill.validate().unwrap_or_else(|refusal| panic!("{refusal}: {person:?}"));
                assert!(skills.insert(skill.name.to_lowercase()), "{person:?} has a skill twice");
            }
            assert!(usernames.insert(person.username.to_lowercase()), "{person:?} has a namesake's username");
            (0..plan.products(index)).for_each(|nth| check_product(index, &plan.product(index, nth)));
            (0..plan.posts(index)).for_each(|nth| check_post(&plan, index, &plan.post(index, nth)));
        }
    }

    fn check_product(seller: u32, product: &Product) {
        product.new.validate().unwrap_or_else(|refusal| panic!("{refusal}: {product:?}"));
        let ordered: u32 = product.orders.iter().map(|order| order.quantity).sum();
        assert!(ordered <= product.new.stock && (ordered == 0 || product.new.is_public), "{product:?}");
        for order in &product.orders {
            assert_ne!(order.buyer, seller, "{product:?}");
            let (id, address, payment) = (Default::default(), order.shipping_address.clone(), Some(order.payment_method.clone()));
            let new = protocol::order::NewOrder {
                buyer_id: None,
                product_id: id,
                quantity: order.quantity,
                shipping_address: address,
                payment_method: payment,
            };
            new.validate().unwrap_or_else(|refusal| panic!("{refusal}: {order:?}"));
        }
    }

    fn check_post(plan: &Plan, author: u32, post: &Post) {
        let (content, visibility) = (post.content.clone(), post.visibility);
        let new: NewPost = serde_json::from_value(serde_json::json!({"content": content, "visibility": visibility})).expect("a post");
        new.validate().unwrap_or_else(|refusal| panic!("{refusal}: {post:?}"));
        for (place, comment) in post.comments.iter().enumerate() {
            let new = NewComment { user_id: None, content: comment.content.clone(), parent_id: None };
            new.validate().unwrap_or_else(|refusal| panic!("{refusal}: {comment:?}"));
            assert!(comment.answers.is_none_or(|answered| answered < place), "{post:?}");
            let sees = comment.by == author || plan.graph.followers(author).contains(&comment.by);
            let friend = plan.graph.following(author).contains(&comment.by);
            assert!(sees && (post.visibility == Visibility::Public || friend || comment.by == author), "{post:?}");
        }
    }

    #[test]
    fn texts_are_whole_and_hardly_repeat() {
        let plan = plan(1, 10_000);
        let texts: Vec<_> =
            (0..plan.people.count()).flat_map(|person| (0..plan.posts(person)).map(move |nth| (person, nth))).take(25_000).collect();
        assert_eq!(texts.len(), 25_000, "there are that many");
        let mut seen = HashSet::new();
        for (person, nth) in &texts {
            let content = plan.post(*person, *nth).content;
            assert!(!content.contains(['{', '}', '[', ']', '_', '/']), "{content}");
            assert!(!content.contains("  ") && content.starts_with(|first: char| !first.is_lowercase()), "{content}");
            let text = content.split(" #").next().unwrap_or_default();
            assert!(text.ends_with(['.', '!', '?', '"']), "{content}");
            seen.insert(content);
        }
        assert!(seen.len() * 1000 >= texts.len() * 995, "{} of {} differ", seen.len(), texts.len());
    }

    #[test]
    fn a_few_write_much_and_many_little() {
        let plan = plan(1, 10_000);
        let mut posts: Vec<_> = (0..plan.people.count()).map(|person| u32::from(plan.posts(person))).collect();
        posts.sort_unstable_by(|a, b| b.cmp(a));
        let (all, top) = (posts.iter().sum::<u32>(), posts[..1000].iter().sum::<u32>());
        assert!(top * 10 >= all * 4, "the busiest tenth wrote {top} of {all}");
        assert!(posts[5000] <= 2 && posts[9000] == 0, "half wrote {}, some nothing", posts[5000]);
    }
}
