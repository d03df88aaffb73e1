//! The requests of each kind, over a population.

use http::Method;
use rand::Rng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::fresh::DIGITS;
use super::{Operation, Population, photo};
use crate::api::{self, Account, path};
use crate::http::Request;
use crate::text;

/// Rows in a page of a list or feed.
const PAGE_ITEMS: usize = 20;
/// Different bodies that a kind of write cycles through.
const WRITE_BODIES: usize = 512;

/// All requests of a kind that a run draws from; none if the population has nothing for it.
pub fn requests(operation: Operation, population: &Population, rng: &mut ChaCha8Rng) -> Vec<Request> {
    let gets = |ids: &[String], path: fn(&str) -> String| ids.iter().map(|id| Request::get(path(id))).collect();
    let (people, spotlight) = (&population.people, &population.spotlight);
    match operation {
        Operation::Profile => gets(&population.profiles, path::profile),
        Operation::Post => gets(&population.posts, path::post),
        Operation::Product => gets(&population.products, path::product),
        Operation::ProductList => vec![Request::get(path::public_products(PAGE_ITEMS))],
        Operation::PostList => vec![Request::get(path::public_posts(PAGE_ITEMS))],
        Operation::Feed => {
            let feed = |person: &Account| Request::get(path::feed(&person.id, PAGE_ITEMS)).bearer(&person.token);
            people.iter().map(feed).collect()
        }
        Operation::CreatePost => {
            let authors = people.iter().cycle().take(if people.is_empty() { 0 } else { WRITE_BODIES });
            let post = |author: &Account| {
                let body = json!({"content": text::prose(rng, 220)});
                Request::new(Method::POST, path::POSTS).bearer(&author.token).json(&body)
            };
            authors.map(post).collect()
        }
        Operation::ChangeProfile => {
            let authors = people.iter().cycle().take(if people.is_empty() { 0 } else { WRITE_BODIES });
            let change = |person: &Account| {
                let body = json!({"bio": text::prose(rng, 160)});
                Request::new(Method::PUT, path::profile(&person.id)).bearer(&person.token).json(&body)
            };
            authors.map(change).collect()
        }
        Operation::ProductSearch => text::words().map(|word| Request::get(path::product_search(word, PAGE_ITEMS))).collect(),
        Operation::PeopleSearch => text::words().map(|word| Request::get(path::people_search(word, PAGE_ITEMS))).collect(),
        Operation::PostSearch => text::words().map(|word| Request::get(path::post_search(word, PAGE_ITEMS))).collect(),
        Operation::ChangeProduct => {
            let offered = population.offered.iter().cycle().take(if population.offered.is_empty() { 0 } else { WRITE_BODIES });
            let change = |(seller, product): &(usize, String)| {
                let body = json!({"price": format!("{}.{:02}", rng.random_range(1..500), rng.random_range(0..100))});
                Request::new(Method::PUT, path::own_product(product)).bearer(&people[*seller].token).json(&body)
            };
            offered.map(change).collect()
        }
        Operation::HotProduct => spotlight.product.iter().map(|product| Request::get(path::product(product))).collect(),
        Operation::Order => orders(population),
        Operation::OrderList => {
            let list = |person: &Account| Request::get(path::orders_of_buyer(&person.id)).bearer(&person.token);
            people.iter().map(list).collect()
        }
        Operation::Announce => {
            let post = |star: &Account| {
                let body = json!({"content": text::prose(rng, 220)});
                Request::new(Method::POST, path::POSTS).bearer(&star.token).json(&body)
            };
            spotlight.star.iter().cycle().take(if spotlight.star.is_some() { WRITE_BODIES } else { 0 }).map(post).collect()
        }
        Operation::HotProfile => spotlight.star.iter().map(|star| Request::get(path::profile(&star.id))).collect(),
        Operation::HotPost => gets(&spotlight.star_posts, path::post),
        Operation::Upload => {
            let photos = photo::PHOTOS.iter().cycle().take(people.len().max(photo::PHOTOS.len()));
            people.iter().cycle().zip(photos).map(|(person, photo)| photo::upload(person, photo)).collect()
        }
        Operation::Picture => spotlight.pictures.iter().map(Request::get).collect(),
        Operation::FileList => vec![Request::get(path::public_files(PAGE_ITEMS))],
    }
}

/// Everybody but the seller orders one piece of what everybody wants, with a key that is new each time.
fn orders(population: &Population) -> Vec<Request> {
    let Some(product) = &population.spotlight.product else { return Vec::new() };
    let key = format!("{}-{DIGITS}", population.spotlight.order_prefix);
    let order = |buyer: &Account| {
        let request = Request::new(Method::POST, path::ORDERS).bearer(&buyer.token).json(&api::new_order(product));
        request.header("idempotency-key", &key)
    };
    population.people.iter().skip(1).map(order).collect()
}
