//! The platform against a model of it: random deeds of a few people, and after each the reads say what the model says.
//!
//! `MODEL_SEED` and `MODEL_STEPS` in the environment ask for other and more of it.

use crate::{
    http::{Client, Person, Request, delete, get, post, put, text},
    server::{FEEDS, Server},
    store::{Store, on_both_stores},
};
use rand::{Rng, SeedableRng, seq::IndexedRandom};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use std::collections::{BTreeSet, HashMap};

on_both_stores! {
    the_reads_say_what_the_deeds_did_however_feeds_are_made,
}

const PEOPLE: usize = 4;

struct Post {
    id: String,
    author: usize,
    content: String,
    visibility: &'static str,
    is_published: bool,
    is_deleted: bool,
    comments: Vec<String>,
}

struct Product {
    id: String,
    seller: usize,
    cents: u64,
    category: &'static str,
    stock: u64,
    is_active: bool,
    is_deleted: bool,
}

struct Order {
    id: String,
    buyer: usize,
    seller: usize,
}

/// What the platform should know.
#[derive(Default)]
struct Model {
    posts: Vec<Post>,
    products: Vec<Product>,
    orders: Vec<Order>,
    /// Who follows whom.
    follows: BTreeSet<(usize, usize)>,
    bios: HashMap<usize, String>,
}

impl Model {
    fn sees(&self, viewer: Option<usize>, post: &Post) -> bool {
        let are_friends = |a, b| self.follows.contains(&(a, b)) && self.follows.contains(&(b, a));
        let is_for = match (post.is_published, post.visibility) {
            (true, "public") => true,
            (true, "friends") => viewer.is_some_and(|viewer| are_friends(viewer, post.author)),
            _ => false,
        };
        !post.is_deleted && (viewer == Some(post.author) || is_for)
    }

    fn posts(&self, wanted: impl Fn(&Post) -> bool) -> Vec<String> {
        self.posts.iter().rev().filter(|post| wanted(post)).map(|post| post.id.clone()).collect()
    }

    fn orders(&self, wanted: impl Fn(&Order) -> bool) -> Vec<String> {
        self.orders.iter().rev().filter(|order| wanted(order)).map(|order| order.id.clone()).collect()
    }
}

struct Play {
    random: ChaCha8Rng,
    client: Client,
    people: Vec<Person>,
    model: Model,
    count: usize,
}

impl Play {
    fn of<T: Clone>(&mut self, choices: &[T]) -> T {
        choices.choose(&mut self.random).expect("some").clone()
    }

    fn someone(&mut self) -> usize {
        self.random.random_range(0..PEOPLE)
    }

    fn one_of<T>(&mut self, things: impl Fn(&Model) -> &Vec<T>) -> Option<usize> {
        let count = things(&self.model).len();
        (count > 0).then(|| self.random.random_range(0..count))
    }

    #[track_caller]
    fn call(&mut self, by: usize, request: &Request, status: u16) -> Value {
        self.client.call(&request.clone().by(&self.people[by])).ok(status)
    }

    fn deed(&mut self) {
        self.count += 1;
        match self.random.random_range(0..20) {
            0..=4 => self.write_post(),
            5..=6 => self.change_post(),
            7 => self.delete_post(),
            8..=10 => self.follow(),
            11 => self.describe(),
            12..=13 => self.comment(),
            14..=15 => self.offer(),
            16..=17 => self.change_product(),
            _ => self.buy(),
        }
    }

    fn write_post(&mut self) {
        let (author, visibility) = (self.someone(), self.of(&["public", "public", "friends", "private"]));
        let (content, is_published) = (format!("post {}", self.count), !self.random.random_ratio(1, 6));
        let body = json!({"content": content, "visibility": visibility, "isPublished": is_published});
        let id = text(&self.call(author, &post("/api/content/posts", body), 201)["id"]);
        self.model.posts.push(Post { id, author, content, visibility, is_published, is_deleted: false, comments: Vec::new() });
    }

    fn change_post(&mut self) {
        let Some(at) = self.one_of(|model| &model.posts) else { return };
        let (visibility, is_published) = (self.of(&["public", "friends", "private"]), self.random.random_bool(0.7));
        let content = format!("changed {}", self.count);
        let change = match self.random.random_range(0..3) {
            0 => json!({"visibility": visibility}),
            1 => json!({"isPublished": is_published}),
            _ => json!({"content": content}),
        };
        let (path, author) = (format!("/api/content/posts/{}", self.model.posts[at].id), self.model.posts[at].author);
        if self.model.posts[at].is_deleted {
            self.call(author, &put(path, change), 404);
            return;
        }
        self.call(author, &put(path, change.clone()), 200);
        let post = &mut self.model.posts[at];
        post.visibility = change.get("visibility").map_or(post.visibility, |_| visibility);
        post.is_published = change["isPublished"].as_bool().unwrap_or(post.is_published);
        post.content = change["content"].as_str().map_or(post.content.clone(), str::to_owned);
    }

    fn delete_post(&mut self) {
        let Some(at) = self.one_of(|model| &model.posts) else { return };
        let Post { id, author, is_deleted, .. } = &self.model.posts[at];
        let (request, author, status) = (delete(format!("/api/content/posts/{id}")), *author, if *is_deleted { 404 } else { 204 });
        self.call(author, &request, status);
        self.model.posts[at].is_deleted = true;
    }

    fn follow(&mut self) {
        let (a, b) = (self.someone(), self.someone());
        let add = self.random.random_bool(0.6);
        let request = Request::new(if add { "PUT" } else { "DELETE" }, format!("/api/user/users/{}/follow", self.people[b].id));
        self.call(a, &request, if a == b { 403 } else { 200 });
        if a != b {
            if add {
                self.model.follows.insert((a, b))
            } else {
                self.model.follows.remove(&(a, b))
            };
        }
        let asked = get(format!("/api/user/users/{}/follow", self.people[b].id));
        let expected = json!({"userId": self.people[b].id, "following": a != b && add});
        assert_eq!(self.call(a, &asked, 200), expected, "{a} asks whether they follow {b}");
    }

    fn describe(&mut self) {
        let (who, bio) = (self.someone(), format!("bio {}", self.count));
        let path = format!("/api/user/profile/{}", self.people[who].id);
        self.call(who, &put(path, json!({"bio": bio})), 200);
        self.model.bios.insert(who, bio);
    }

    fn comment(&mut self) {
        let (Some(at), who) = (self.one_of(|model| &model.posts), self.someone()) else { return };
        let post_path = format!("/api/content/posts/{}/comments", self.model.posts[at].id);
        let is_seen = self.model.sees(Some(who), &self.model.posts[at]);
        let made = self.call(who, &post(post_path, json!({"content": "x"})), if is_seen { 201 } else { 404 });
        if is_seen {
            self.model.posts[at].comments.push(text(&made["id"]));
            if self.random.random_ratio(1, 3) {
                let id = self.model.posts[at].comments.remove(0);
                let author = self.model.posts[at].author;
                self.call(author, &delete(format!("/api/content/comments/{id}")), 204);
            }
        }
    }

    fn offer(&mut self) {
        let (seller, cents, category) = (self.someone(), 100 * self.random.random_range(1..6), self.of(&["lamps", "chairs"]));
        let stock = self.random.random_range(0..5);
        let body = json!({"name": "thing", "price": format!("{}.00", cents / 100), "category": category, "stock": stock});
        let id = text(&self.call(seller, &post("/api/shop/products", body), 201)["id"]);
        self.model.products.push(Product { id, seller, cents, category, stock, is_active: true, is_deleted: false });
    }

    fn change_product(&mut self) {
        let Some(at) = self.one_of(|model| &model.products) else { return };
        let (cents, stock) = (100 * self.random.random_range(1..6_u64), self.random.random_range(0..5_u64));
        let (is_active, category) = (self.random.random_bool(0.7), self.of(&["lamps", "chairs"]));
        let Product { id, seller, is_deleted, .. } = &self.model.products[at];
        let (path, seller) = (format!("/api/shop/products/{id}"), *seller);
        if *is_deleted {
            self.call(seller, &put(path, json!({"stock": 1})), 404);
            return;
        }
        if self.random.random_ratio(1, 6) {
            self.call(seller, &delete(path), 204);
            self.model.products[at].is_deleted = true;
            return;
        }
        let change = json!({"price": format!("{}.00", cents / 100), "stock": stock, "isActive": is_active, "category": category});
        self.call(seller, &put(path, change), 200);
        let product = &mut self.model.products[at];
        (product.cents, product.stock, product.is_active, product.category) = (cents, stock, is_active, category);
    }

    fn buy(&mut self) {
        let (Some(at), buyer) = (self.one_of(|model| &model.products), self.someone()) else { return };
        let quantity = self.random.random_range(1..4);
        let Product { id, seller, stock, is_active, is_deleted, .. } = &self.model.products[at];
        let status = match () {
            () if *is_deleted || (!is_active && *seller != buyer) => 404,
            () if *seller == buyer || *stock < quantity => 409,
            () => 201,
        };
        let (request, seller) = (post("/api/shop/orders", json!({"productId": id, "quantity": quantity})), *seller);
        let order = self.call(buyer, &request, status);
        if status == 201 {
            self.model.products[at].stock -= quantity;
            self.model.orders.push(Order { id: text(&order["id"]), buyer, seller });
        }
    }

    #[track_caller]
    fn walk(&mut self, viewer: Option<usize>, list: &str) -> Vec<String> {
        let viewer = viewer.map(|viewer| self.people[viewer].clone());
        let limit = self.of(&[1, 3, 7, 20, 100]);
        let separator = if list.contains('?') { '&' } else { '?' };
        self.client.walk(viewer.as_ref(), &format!("{list}{separator}limit={limit}")).0
    }

    fn check(&mut self) {
        match self.random.random_range(0..7) {
            0 | 1 => self.check_feed(),
            2 => self.check_public_posts(),
            3 => self.check_posts_of_one(),
            4 => self.check_single_things(),
            5 => self.check_products(),
            _ => self.check_relations_and_orders(),
        }
    }

    fn check_feed(&mut self) {
        let viewer = self.someone();
        let walked = self.walk(Some(viewer), &format!("/api/content/feed/{}", self.people[viewer].id));
        let model = &self.model;
        let follows = |author| author == viewer || model.follows.contains(&(viewer, author));
        assert_eq!(walked, model.posts(|post| follows(post.author) && model.sees(Some(viewer), post)), "the feed of {viewer}");
    }

    fn check_public_posts(&mut self) {
        let walked = self.walk(None, "/api/content/public/posts");
        let is_public = |post: &Post| post.visibility == "public" && post.is_published && !post.is_deleted;
        assert_eq!(walked, self.model.posts(is_public), "public posts");
    }

    fn check_posts_of_one(&mut self) {
        let (author, viewer) = (self.someone(), self.random.random_bool(0.8).then(|| self.someone()));
        let walked = self.walk(viewer, &format!("/api/content/users/{}/posts", self.people[author].id));
        let model = &self.model;
        assert_eq!(walked, model.posts(|post| post.author == author && model.sees(viewer, post)), "posts of {author} to {viewer:?}");
    }

    fn check_single_things(&mut self) {
        if let (Some(at), viewer) = (self.one_of(|model| &model.posts), self.random.random_bool(0.8).then(|| self.someone())) {
            let (shown, is_seen) = (&self.model.posts[at], self.model.sees(viewer, &self.model.posts[at]));
            let request = get(format!("/api/content/posts/{}", shown.id));
            let answer = self.client.call(&viewer.map_or(request.clone(), |viewer| request.by(&self.people[viewer])));
            let body = answer.ok(if is_seen { 200 } else { 404 });
            if is_seen {
                assert_eq!((&body["content"], &body["commentsCount"]), (&json!(shown.content), &json!(shown.comments.len())));
                let (comments, expected) = (format!("/api/content/posts/{}/comments", shown.id), shown.comments.clone());
                assert_eq!(self.walk(viewer, &comments), expected);
            }
        }
        if let Some(at) = self.one_of(|model| &model.products) {
            let Product { id, cents, stock, is_active, is_deleted, .. } = &self.model.products[at];
            let is_offered = *is_active && !is_deleted;
            let body = self.client.call(&get(format!("/api/shop/public/products/{id}"))).ok(if is_offered { 200 } else { 404 });
            if is_offered {
                assert_eq!((&body["stock"], &body["price"]), (&json!(stock), &json!(format!("{}.00", cents / 100))));
            }
        }
        let who = self.someone();
        let shown = self.client.call(&get(format!("/api/user/profile/{}", self.people[who].id))).ok(200);
        assert_eq!(shown["bio"].as_str(), self.model.bios.get(&who).map(String::as_str));
    }

    fn check_products(&mut self) {
        let sort = self.of(&["newest", "price_asc", "price_desc"]);
        let category = self.of(&["", "lamps", "chairs"]);
        let cents_max: u64 = 100 * self.random.random_range(1..7);
        let walked = self.walk(None, &format!("/api/shop/public/products?sort={sort}&category={category}&maxPrice={}", cents_max / 100));
        let is_listed =
            |p: &&Product| p.is_active && !p.is_deleted && p.cents <= cents_max && (category.is_empty() || p.category == category);
        let mut expected: Vec<&Product> = self.model.products.iter().filter(is_listed).collect();
        expected.reverse();
        if sort == "newest" {
            assert_eq!(walked, expected.iter().map(|p| p.id.clone()).collect::<Vec<_>>());
        } else {
            let cents: Vec<u64> = walked.iter().filter_map(|id| expected.iter().find(|p| p.id == *id).map(|p| p.cents)).collect();
            assert!(cents.is_sorted_by(|a, b| if sort == "price_asc" { a <= b } else { a >= b }), "{sort}: {cents:?}");
            let set = |ids: Vec<String>| ids.into_iter().collect::<BTreeSet<_>>();
            assert_eq!((walked.len(), set(walked)), (expected.len(), set(expected.iter().map(|p| p.id.clone()).collect())), "{sort}");
        }
        let seller = self.someone();
        let own = self.walk(Some(seller), &format!("/api/shop/products/seller/{}", self.people[seller].id));
        let of_seller = self.model.products.iter().rev().filter(|p| p.seller == seller && !p.is_deleted);
        assert_eq!(own, of_seller.map(|p| p.id.clone()).collect::<Vec<_>>());
    }

    fn check_relations_and_orders(&mut self) {
        let who = self.someone();
        let id = self.people[who].id.clone();
        let follows = self.model.follows.clone();
        let named = |people: Vec<usize>| people.into_iter().map(|at| self.people[at].id.clone()).collect::<BTreeSet<_>>();
        let followers = named(follows.iter().filter(|(_, b)| *b == who).map(|(a, _)| *a).collect());
        let following = named(follows.iter().filter(|(a, _)| *a == who).map(|(_, b)| *b).collect());
        for (list, expected) in [("followers", followers), ("following", following)] {
            let walked = self.walk(Some(who), &format!("/api/user/users/{id}/{list}"));
            assert_eq!((walked.len(), walked.into_iter().collect::<BTreeSet<_>>()), (expected.len(), expected), "{list} of {who}");
        }
        assert_eq!(self.walk(Some(who), &format!("/api/shop/orders/buyer/{id}")), self.model.orders(|order| order.buyer == who));
        assert_eq!(self.walk(Some(who), &format!("/api/shop/orders/seller/{id}")), self.model.orders(|order| order.seller == who));
    }
}

fn from_environment(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

fn play(store: Store, settings: &[&str], seed: u64, steps: u64) {
    let mut server = store.with(settings);
    let mut client = server.gateway();
    let people = (0..PEOPLE).map(|number| client.register(&format!("person{number}"))).collect();
    let mut play = Play { random: ChaCha8Rng::seed_from_u64(seed), client, people, model: Model::default(), count: 0 };
    for step in 1..=steps {
        play.deed();
        play.check();
        play.check();
        if step == steps / 2 {
            // From here on most of it is cold.
            server = Server::on(server.kill(), settings);
            play.client = server.gateway();
        }
    }
}

fn the_reads_say_what_the_deeds_did_however_feeds_are_made(store: Store) {
    let (seed, steps) = (from_environment("MODEL_SEED", 1), from_environment("MODEL_STEPS", 150));
    for settings in FEEDS {
        let played = std::panic::catch_unwind(|| play(store, settings, seed, steps));
        assert!(played.is_ok(), "with {settings:?} and seed {seed}");
    }
}
