//! Which requests a run draws from, all encoded before it begins.

use anyhow::bail;
use bytes::Bytes;
use http::Method;
use rand::{Rng, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution as _, Zipf};
use serde_json::json;

use super::{Operation, Options, Population};
use crate::api::path;
use crate::http::{Edge, Request};
use crate::text;

/// Rows in a page of a list or feed.
const PAGE_ITEMS: usize = 20;
/// Different bodies that a kind of write cycles through.
const WRITE_BODIES: usize = 512;

/// One request of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    part: u32,
    request: u32,
}

/// The requests of a run and how often each is drawn.
#[derive(Debug)]
pub struct Plan {
    edges: Vec<Edge>,
    parts: Vec<Part>,
    weight_total: u32,
}

#[derive(Debug)]
struct Part {
    operation: Operation,
    weight: u32,
    /// The most popular first.
    popularity: Zipf<f64>,
    /// For each edge the same requests.
    encoded: Vec<Vec<Bytes>>,
}

impl Plan {
    /// Encodes the requests of a mix over a population.
    ///
    /// # Errors
    /// If the population has nothing for a part of the mix, or the Zipf exponent is negative.
    pub fn new(mix: &[(Operation, u32)], population: &Population, options: &Options) -> anyhow::Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut plan = Self { edges: options.bases.clone(), parts: Vec::new(), weight_total: 0 };
        for &(operation, weight) in mix {
            let requests = requests(operation, population, &mut rng);
            plan.add(operation, weight, &requests, options.zipf)?;
        }
        Ok(plan)
    }

    /// A plan of one operation on given requests, all equally likely.
    ///
    /// # Errors
    /// If there are no requests or no edges.
    pub fn uniform(operation: Operation, requests: &[Request], edges: &[Edge]) -> anyhow::Result<Self> {
        let mut plan = Self { edges: edges.to_vec(), parts: Vec::new(), weight_total: 0 };
        plan.add(operation, 1, requests, 0.0)?;
        Ok(plan)
    }

    fn add(&mut self, operation: Operation, weight: u32, requests: &[Request], zipf: f64) -> anyhow::Result<()> {
        if requests.is_empty() || self.edges.is_empty() {
            bail!("there is nothing to send for {operation}");
        }
        let popularity = Zipf::new(requests.len() as f64, zipf)?;
        let encode = |edge| requests.iter().map(|request| request.encode(edge)).collect();
        let encoded = self.edges.iter().map(encode).collect();
        self.weight_total += weight;
        self.parts.push(Part { operation, weight, popularity, encoded });
        Ok(())
    }

    /// The edges that requests are encoded for.
    pub fn edges(&self) -> &[Edge] {
        &self.edges
    }

    /// Draws the next request.
    pub fn draw(&self, rng: &mut impl Rng) -> Draw {
        let mut left = rng.random_range(0..self.weight_total);
        for (part, Part { weight, popularity, encoded, .. }) in (0..).zip(&self.parts) {
            if left < *weight {
                let rank = popularity.sample(rng) as usize;
                let request = rank.clamp(1, encoded[0].len()) - 1;
                return Draw { part, request: u32::try_from(request).expect("plans have fewer than 2^32 requests") };
            }
            left -= weight;
        }
        unreachable!("a draw below the total falls into a part")
    }

    /// What kind of request was drawn.
    pub fn operation(&self, draw: Draw) -> Operation {
        self.parts[draw.part as usize].operation
    }

    /// The bytes of a drawn request, for an edge by its number.
    pub fn encoded(&self, draw: Draw, edge: usize) -> &Bytes {
        &self.parts[draw.part as usize].encoded[edge][draw.request as usize]
    }
}

fn requests(operation: Operation, population: &Population, rng: &mut ChaCha8Rng) -> Vec<Request> {
    let gets = |ids: &[String], path: fn(&str) -> String| ids.iter().map(|id| Request::get(path(id))).collect();
    let people = &population.people;
    match operation {
        Operation::Profile => gets(&population.profiles, path::profile),
        Operation::Post => gets(&population.posts, path::post),
        Operation::Product => gets(&population.products, path::product),
        Operation::ProductList => vec![Request::get(path::public_products(PAGE_ITEMS))],
        Operation::PostList => vec![Request::get(path::public_posts(PAGE_ITEMS))],
        Operation::Feed => {
            let feed = |person: &crate::api::Account| Request::get(path::feed(&person.id, PAGE_ITEMS)).bearer(&person.token);
            people.iter().map(feed).collect()
        }
        Operation::CreatePost => {
            let authors = people.iter().cycle().take(if people.is_empty() { 0 } else { WRITE_BODIES });
            let post = |author: &crate::api::Account| {
                let body = json!({"content": text::prose(rng, 220)});
                Request::new(Method::POST, path::POSTS).bearer(&author.token).json(&body)
            };
            authors.map(post).collect()
        }
        Operation::ChangeProfile => {
            let authors = people.iter().cycle().take(if people.is_empty() { 0 } else { WRITE_BODIES });
            let change = |person: &crate::api::Account| {
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(zipf: f64) -> Plan {
        let edges = [Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)))];
        let requests: Vec<Request> = (0..10).map(|number| Request::get(format!("/{number}"))).collect();
        let mut plan = Plan { edges: edges.to_vec(), parts: Vec::new(), weight_total: 0 };
        plan.add(Operation::Profile, 30, &requests, zipf).unwrap();
        plan.add(Operation::Feed, 70, &requests[..1], zipf).unwrap();
        plan
    }

    fn shares(plan: &Plan) -> (f64, f64) {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let draws: Vec<Draw> = (0..20_000).map(|_| plan.draw(&mut rng)).collect();
        let profiles: Vec<&Draw> = draws.iter().filter(|draw| plan.operation(**draw) == Operation::Profile).collect();
        let first = profiles.iter().filter(|draw| draw.request == 0).count();
        (profiles.len() as f64 / draws.len() as f64, first as f64 / profiles.len() as f64)
    }

    #[test]
    fn draws_by_weight_and_popularity() {
        let (profiles, first) = shares(&plan(1.0));
        assert!((0.28..0.32).contains(&profiles), "{profiles}");
        // Zipf with exponent 1 over ten keys gives the first 1 / H(10) = 34 %.
        assert!((0.30..0.38).contains(&first), "{first}");
        let (_, first) = shares(&plan(0.0));
        assert!((0.08..0.12).contains(&first), "{first}");
    }

    #[test]
    fn refuses_an_empty_part() {
        let edges = [Edge::from(std::net::SocketAddr::from(([127, 0, 0, 1], 80)))];
        assert!(Plan::uniform(Operation::Feed, &[], &edges).is_err());
    }
}
