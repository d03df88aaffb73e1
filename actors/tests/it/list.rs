//! Lists of products, posts and orders against a model: whatever was acknowledged is in the next page that is asked for, and nothing else.

use crate::harness::{Platform, Setup, json, make::*, within};
use actors::{
    Snapshot,
    entity::family,
    read::{self, Viewer},
};
use proptest::{prelude::*, test_runner::TestRunner};
use protocol::{
    Command, Key, Kind, Money, Page, Patch, Position, PostId, ProductId, Query, ReviewId, UserId,
    post::{self, NewPost, Visibility},
    product::{self, NewProduct, Rating, Selection, Sort},
    review::{self, NewReview},
};
use std::{collections::BTreeMap, sync::Arc};
use uuid::Uuid;

const SELLERS: usize = 3;
const CASES: u32 = 12;
const WORDS: [&str; 3] = ["lamp", "Chair", "table"];

/// Something that happens to what is listed.
#[derive(Clone, Debug)]
enum Step {
    Offer { seller: usize, fields: Fields },
    Change { product: usize, fields: Fields },
    Reprice { product: usize, cents: i64 },
    Withdraw { product: usize },
    Order { product: usize, buyer: usize },
    Judge { product: usize, rating: u8 },
    Post { author: usize, visibility: Visibility, published: bool },
    Edit { post: usize, visibility: Visibility, published: bool },
    Delete { post: usize },
}

/// What of a product decides on lists.
#[derive(Clone, Debug)]
struct Fields {
    name: &'static str,
    description: Option<&'static str>,
    category: Option<&'static str>,
    cents: i64,
    listed: bool,
}

/// What is read after a step: a selection, and how the posts are paged.
#[derive(Clone, Debug)]
struct Look {
    category: Option<&'static str>,
    search: Option<&'static str>,
    cents_min: Option<i64>,
    cents_max: Option<i64>,
    sort: Sort,
    limit: u16,
}

fn fields() -> impl Strategy<Value = Fields> {
    let word = || prop::sample::select(WORDS.to_vec());
    (word(), prop::option::of(word()), prop::option::of(word()), 1..5i64, prop::bool::weighted(0.8))
        .prop_map(|(name, description, category, units, listed)| Fields { name, description, category, cents: units * 100, listed })
}

fn visibility() -> impl Strategy<Value = Visibility> {
    prop::sample::select(vec![Visibility::Public, Visibility::Friends, Visibility::Private])
}

fn step() -> impl Strategy<Value = Step> {
    let person = 0..SELLERS;
    prop_oneof![
        3 => (person.clone(), fields()).prop_map(|(seller, fields)| Step::Offer { seller, fields }),
        3 => (any::<usize>(), fields()).prop_map(|(product, fields)| Step::Change { product, fields }),
        2 => (any::<usize>(), 1..5i64).prop_map(|(product, units)| Step::Reprice { product, cents: units * 100 }),
        1 => any::<usize>().prop_map(|product| Step::Withdraw { product }),
        2 => (any::<usize>(), person.clone()).prop_map(|(product, buyer)| Step::Order { product, buyer }),
        2 => (any::<usize>(), 1..=5u8).prop_map(|(product, rating)| Step::Judge { product, rating }),
        2 => (person, visibility(), any::<bool>()).prop_map(|(author, visibility, published)| Step::Post { author, visibility, published }),
        2 => (any::<usize>(), visibility(), any::<bool>()).prop_map(|(post, visibility, published)| Step::Edit { post, visibility, published }),
        1 => any::<usize>().prop_map(|post| Step::Delete { post }),
    ]
}

fn look() -> impl Strategy<Value = Look> {
    let word = || prop::option::weighted(0.3, prop::sample::select(WORDS.to_vec()));
    let cents = || prop::option::weighted(0.2, (1..5i64).prop_map(|units| units * 100));
    let sort = prop::sample::select(vec![Sort::Newest, Sort::PriceUp, Sort::PriceDown, Sort::Rating]);
    (word(), word(), cents(), cents(), sort, 1..5u16).prop_map(|(category, search, cents_min, cents_max, sort, limit)| Look {
        category,
        search,
        cents_min,
        cents_max,
        sort,
        limit,
    })
}

struct Trial {
    platform: Platform,
    people: Vec<UserId>,
    products: BTreeMap<Uuid, (UserId, Fields)>,
    ratings: BTreeMap<Uuid, Rating>,
    /// Author, and whether it is in the public list.
    posts: BTreeMap<Uuid, (UserId, bool)>,
    /// By buyer and seller, oldest first.
    orders: Vec<(Uuid, UserId, UserId)>,
}

impl Trial {
    fn nth<T: Clone>(things: &BTreeMap<Uuid, T>, number: usize) -> Option<(Uuid, T)> {
        things.iter().nth(number.checked_rem(things.len())?).map(|(id, thing)| (*id, thing.clone()))
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Offer { seller, fields } => {
                let seller = self.people[seller];
                let id = self.platform.product(seller, offer(&fields)).await;
                self.products.insert(id.0, (seller, fields));
            }
            Step::Change { product, fields } => {
                let Some((id, (seller, _))) = Self::nth(&self.products, product) else { return };
                let command = Command::Product(product::Command::Update(change(&fields)));
                self.platform.write(seller, Key::new(Kind::Product, id), command).await.expect("changed");
                self.products.insert(id, (seller, fields));
            }
            Step::Reprice { product, cents } => {
                let Some((id, (seller, fields))) = Self::nth(&self.products, product) else { return };
                let price = Some(Money::from_cents(cents).expect("a price"));
                let command = Command::Product(product::Command::Update(product::Update { price, ..Default::default() }));
                self.platform.write(seller, Key::new(Kind::Product, id), command).await.expect("changed");
                self.products.insert(id, (seller, Fields { cents, ..fields }));
            }
            Step::Withdraw { product } => {
                let Some((id, (seller, _))) = Self::nth(&self.products, product) else { return };
                let key = Key::new(Kind::Product, id);
                self.platform.write(seller, key, Command::Product(product::Command::Delete)).await.expect("withdrawn");
                self.products.remove(&id);
            }
            Step::Order { product, buyer } => {
                let Some((id, (seller, fields))) = Self::nth(&self.products, product) else { return };
                let buyer = self.people[buyer];
                let ordered = self.platform.order(buyer, ProductId(id)).await;
                assert_eq!(ordered.is_ok(), fields.listed && buyer != seller);
                self.orders.extend(ordered.ok().map(|order| (order.0, buyer, seller)));
            }
            Step::Judge { product, rating } => {
                let Some((id, (seller, _))) = Self::nth(&self.products, product) else { return };
                let new = NewReview { user_id: None, rating, title: None, review_text: None };
                let command = Command::Review(review::Command::Create { product: ProductId(id), seller, new });
                self.platform.write(UserId::new(), Key::new(Kind::Review, ReviewId::new()), command).await.expect("reviewed");
                let judged = self.ratings.entry(id).or_default();
                *judged = Rating { sum: judged.sum + u64::from(rating), count: judged.count + 1 };
            }
            Step::Post { author, visibility, published } => {
                let author = self.people[author];
                let id = self.platform.post(author, NewPost { is_published: published, ..new_post("text", visibility) }).await;
                self.posts.insert(id.0, (author, published && visibility == Visibility::Public));
            }
            Step::Edit { post, visibility, published } => {
                let Some((id, (author, _))) = Self::nth(&self.posts, post) else { return };
                let update = post::Update { visibility: Some(visibility), is_published: Some(published), ..Default::default() };
                self.platform.edit_post(author, PostId(id), update).await.expect("edited");
                self.posts.insert(id, (author, published && visibility == Visibility::Public));
            }
            Step::Delete { post } => {
                let Some((id, (author, _))) = Self::nth(&self.posts, post) else { return };
                self.platform.delete_post(author, PostId(id)).await.expect("deleted");
                self.posts.remove(&id);
            }
        }
    }

    /// Everything is as the model says.
    async fn check(&self, looks: &[Look]) {
        for look in looks {
            self.check_selection(look).await;
        }
        let limit = looks[0].limit;
        let public: Vec<_> = self.posts.iter().rev().filter(|(_, (_, public))| *public).map(|(id, _)| *id).collect();
        let list = Key::new(Kind::PostList, family::POSTS);
        assert_eq!(ids(&self.rows(None, list, Kind::Post, limit, Query::Posts).await), public, "public posts");
        for person in &self.people {
            let own: Vec<_> = self.posts.iter().rev().filter(|(_, (author, _))| author == person).map(|(id, _)| *id).collect();
            let timeline = Key::new(Kind::Timeline, *person);
            assert_eq!(ids(&self.rows(Some(*person), timeline, Kind::Post, limit, Query::Posts).await), own, "own posts");
            let offered: Vec<_> = self.products.iter().rev().filter(|(_, (seller, _))| seller == person).map(|(id, _)| *id).collect();
            let shop = Key::new(Kind::SellerProducts, *person);
            assert_eq!(ids(&self.rows(Some(*person), shop, Kind::Product, limit, Query::Posts).await), offered, "own products");
            for (kind, bought) in [(Kind::BuyerOrders, true), (Kind::SellerOrders, false)] {
                let mine = |(_, buyer, seller): &&(Uuid, UserId, UserId)| if bought { buyer == person } else { seller == person };
                let expected: Vec<_> = self.orders.iter().rev().filter(mine).map(|(id, ..)| id.to_string()).collect();
                let page = self.platform.query(Key::new(kind, *person), Query::Orders(Page::first(100))).await.expect("a page");
                let shown: Vec<_> =
                    json(&page).as_array().expect("rows").iter().map(|row| row["id"].as_str().unwrap_or_default().to_owned()).collect();
                assert_eq!(shown, expected, "{}", kind.name());
            }
        }
    }

    async fn check_selection(&self, look: &Look) {
        let selection = Selection {
            category: look.category.map(str::to_owned),
            search: look.search.map(str::to_owned),
            price_cents_min: look.cents_min,
            price_cents_max: look.cents_max,
            sort: look.sort,
            ..Selection::default()
        };
        let list = Key::new(Kind::ProductList, family::of(&selection));
        let query = |page| Query::Products(Selection { page, ..selection.clone() });
        let shown = self.rows(None, list, Kind::Product, look.limit, query).await;
        let rating = |id: &Uuid| self.ratings.get(id).copied().unwrap_or_default();
        let sort_value = |id: &Uuid, fields: &Fields| if look.sort == Sort::Rating { rating(id).rank() as i64 } else { fields.cents };
        let mut expected: Vec<_> =
            self.products.iter().filter(|(_, (_, fields))| selected(fields, look)).map(|(id, (_, f))| (sort_value(id, f), *id)).collect();
        match look.sort {
            Sort::Newest | Sort::Relevance => expected.sort_by_key(|(_, id)| std::cmp::Reverse(*id)),
            Sort::PriceUp => expected.sort(),
            Sort::PriceDown | Sort::Rating => expected.sort_by(|a, b| b.cmp(a)),
        }
        let expected: Vec<_> = expected.into_iter().map(|(_, id)| id).collect();
        assert_eq!(ids(&shown), expected, "{look:?}");
        for row in shown {
            let price = Money::from_cents(self.products[&row.key.id].1.cents).expect("a price");
            assert_eq!(json(&row)["price"], price.to_string(), "rows are as they are now");
            assert_eq!(json(&row)["ratingCount"], rating(&row.key.id).count, "rows are as they are now");
        }
    }

    /// All pages of a list.
    async fn rows(&self, user: Option<UserId>, list: Key, kind: Kind, limit: u16, query: impl Fn(Page) -> Query) -> Vec<Arc<Snapshot>> {
        let (client, call) = (&self.platform.client, self.platform.anonymous());
        let (mut rows, mut after): (Vec<_>, Option<Position>) = (Vec::new(), None);
        loop {
            let query = query(Page { after, limit });
            let page = read::complete(client, &call, |sight| read::list(sight, Viewer { user }, (list, query.clone()), kind));
            let page = within("a page", page).await.expect("a page");
            rows.extend(page.rows);
            match page.next {
                Some(next) => after = Some(next),
                None => return rows,
            }
        }
    }
}

fn ids(rows: &[Arc<Snapshot>]) -> Vec<Uuid> {
    rows.iter().map(|row| row.key.id).collect()
}

fn selected(fields: &Fields, look: &Look) -> bool {
    let has = |text: &str| look.search.is_none_or(|search| text.to_lowercase().contains(&search.to_lowercase()));
    fields.listed
        && look.category.is_none_or(|category| fields.category == Some(category))
        && (has(fields.name) || fields.description.is_some_and(has) || fields.category.is_some_and(has))
        && look.cents_min.is_none_or(|least| fields.cents >= least)
        && look.cents_max.is_none_or(|most| fields.cents <= most)
}

fn offer(fields: &Fields) -> NewProduct {
    NewProduct {
        description: fields.description.map(str::to_owned),
        category: fields.category.map(str::to_owned),
        price: Money::from_cents(fields.cents).expect("a price"),
        is_public: fields.listed,
        ..new_product(fields.name, 1000)
    }
}

fn change(fields: &Fields) -> product::Update {
    let patch = |text: Option<&str>| text.map_or(Patch::Clear, |text| Patch::Set(text.to_owned()));
    product::Update {
        name: Some(fields.name.to_owned()),
        description: patch(fields.description),
        price: Some(Money::from_cents(fields.cents).expect("a price")),
        category: patch(fields.category),
        is_public: Some(fields.listed),
        ..Default::default()
    }
}

#[test]
fn every_list_is_as_what_was_acknowledged() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let config = ProptestConfig { cases: CASES, max_shrink_iters: 200, failure_persistence: None, ..ProptestConfig::default() };
    let memory = prop::sample::select(vec![1, 16 << 10, 16 << 20]);
    // The same few looks after every step: what they see is cached when the next step changes it.
    let sequences = (memory, prop::collection::vec(look(), 4), prop::collection::vec(step(), 10..50));
    let outcome = TestRunner::new(config).run(&sequences, |(cache_bytes_max, looks, steps)| {
        runtime.block_on(async {
            let mut setup = Setup::default();
            setup.limits.cache_bytes_max = cache_bytes_max;
            let platform = setup.start().await;
            let mut people = Vec::new();
            for _ in 0..SELLERS {
                people.push(platform.person().await);
            }
            let mut trial =
                Trial { platform, people, products: BTreeMap::new(), ratings: BTreeMap::new(), posts: BTreeMap::new(), orders: Vec::new() };
            for step in steps {
                trial.take(step).await;
                trial.check(&looks).await;
            }
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}
