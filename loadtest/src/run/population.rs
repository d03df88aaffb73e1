//! The people, posts and products that a run is about: made through the public API, or found there.

use std::time::Duration;

use anyhow::{Context as _, bail};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

use super::{Options, Spotlight};
use crate::api::{self, Account, Api, path};
use crate::http::Edge;
use crate::text;

/// Connections that prepare at once.
const PREPARERS: usize = 8;
/// Deadline of a preparing request: a registration hashes a password, and many wait in line.
const PREPARE_DEADLINE: Duration = Duration::from_secs(60);
/// Rows asked for in one page when looking for what there is.
const PAGE_ROWS: usize = 50;
/// The length of a post, about that of a real one.
const POST_CHARS: usize = 220;

/// Who and what a run is about.
#[derive(Clone, Debug, Default)]
pub struct Population {
    /// People who can act.
    pub people: Vec<Account>,
    /// Ids of people whose profiles are read.
    pub profiles: Vec<String>,
    /// Ids of posts.
    pub posts: Vec<String>,
    /// Ids of products.
    pub products: Vec<String>,
    /// Those of them that somebody of `people` sells, by their place there.
    pub offered: Vec<(usize, String)>,
    /// What everybody looks at.
    pub spotlight: Spotlight,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    items: Vec<Row>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Row {
    id: String,
    user_id: Option<String>,
    seller_id: Option<String>,
}

impl Population {
    /// Makes or finds a population as the options say.
    pub async fn obtain(options: &Options) -> anyhow::Result<Self> {
        let edge = &options.bases[0];
        let mut rng = ChaCha8Rng::seed_from_u64(options.seed);
        let mut population = Self { people: register(edge, options.people as usize).await?, ..Self::default() };
        if options.existing {
            population.find(edge, options).await?;
        } else {
            population.make(edge, options, &mut rng).await?;
        }
        let followed = population.choose_follows(options.follows as usize, &mut rng);
        let people = &population.people;
        in_parallel(edge, followed, async |api, (follower, followee): (usize, String)| api.follow(&people[follower], &followee).await)
            .await?;
        population.spotlight = Spotlight::obtain(options.scenario, edge, &population.people).await?;
        Ok(population)
    }

    async fn make(&mut self, edge: &Edge, options: &Options, rng: &mut ChaCha8Rng) -> anyhow::Result<()> {
        let people = &self.people;
        let posts: Vec<_> = (0..options.posts as usize).map(|post| (post % people.len(), text::prose(rng, POST_CHARS))).collect();
        let posts = in_parallel(edge, posts, async |api, (author, content): (usize, String)| {
            Ok(api.create_post(&people[author], &content).await?.id)
        });
        let products: Vec<_> = (0..options.products as usize)
            .map(|product| (product % people.len(), api::new_product(&format!("Thing {product}"), &text::prose(rng, 300), 1000)))
            .collect();
        let products = in_parallel(edge, products, async |api, (seller, body): (usize, serde_json::Value)| {
            Ok(api.create_product(&people[seller], &body).await?.id)
        });
        let (posts, products) = (posts.await?, products.await?);
        self.profiles = self.people.iter().map(|person| person.id.clone()).collect();
        self.posts = posts;
        self.offered = products.iter().enumerate().map(|(product, id)| (product % self.people.len(), id.clone())).collect();
        self.products = products;
        Ok(())
    }

    async fn find(&mut self, edge: &Edge, options: &Options) -> anyhow::Result<()> {
        let mut api = Api::new(edge, PREPARE_DEADLINE);
        let posts = rows(&mut api, &path::public_posts(PAGE_ROWS), options.posts as usize).await?;
        let products = rows(&mut api, &path::public_products(PAGE_ROWS), options.products as usize).await?;
        let authors = posts.iter().filter_map(|row| row.user_id.clone());
        let sellers = products.iter().filter_map(|row| row.seller_id.clone());
        self.profiles = authors.chain(sellers).collect();
        self.profiles.sort_unstable();
        self.profiles.dedup();
        self.posts = posts.into_iter().map(|row| row.id).collect();
        self.products = products.into_iter().map(|row| row.id).collect();
        if self.profiles.is_empty() {
            bail!("{edge} shows no public posts or products: start it with demo data, or leave out --existing");
        }
        Ok(())
    }

    /// For each person some others to follow, none twice.
    fn choose_follows(&self, each: usize, rng: &mut ChaCha8Rng) -> Vec<(usize, String)> {
        let mut follows = Vec::new();
        for (follower, person) in self.people.iter().enumerate() {
            let others: Vec<&String> = self.profiles.iter().filter(|id| **id != person.id).collect();
            let first = if others.is_empty() { 0 } else { rng.random_range(0..others.len()) };
            let chosen = others.iter().cycle().skip(first).take(each.min(others.len()));
            follows.extend(chosen.map(|followee| (follower, (*followee).clone())));
        }
        follows
    }
}

/// Registers people with fresh names.
pub(crate) async fn register(edge: &Edge, count: usize) -> anyhow::Result<Vec<Account>> {
    let prefix = api::fresh_prefix();
    let names: Vec<String> = (0..count).map(|number| format!("{prefix}_{number}")).collect();
    in_parallel(edge, names, async |api, name: String| api.register(&name).await).await.context("registering people")
}

/// Does `work` on each item over a few connections, and returns the results in the items' order.
pub(crate) async fn in_parallel<T, R>(
    edge: &Edge,
    items: Vec<T>,
    work: impl AsyncFn(&mut Api, T) -> anyhow::Result<R>,
) -> anyhow::Result<Vec<R>> {
    let idle: Vec<Api> = (0..PREPARERS).map(|_| Api::new(edge, PREPARE_DEADLINE)).collect();
    let idle = parking_lot::Mutex::new(idle);
    let results = stream::iter(items).map(async |item| {
        let mut api = idle.lock().pop().expect("as many connections as items at once");
        let result = work(&mut api, item).await;
        idle.lock().push(api);
        result
    });
    results.buffered(PREPARERS).try_collect().await
}

/// Pages through a list until it ends or `wanted` rows are found.
async fn rows(api: &mut Api, path: &str, wanted: usize) -> anyhow::Result<Vec<Row>> {
    let mut found = Vec::new();
    let mut cursor: Option<String> = None;
    while found.len() < wanted {
        let next = cursor.as_ref().map_or(String::new(), |cursor| format!("&cursor={cursor}"));
        let answer = api.get(&format!("{path}{next}"), None).await?;
        let page: Page = serde_json::from_slice(&answer.body).with_context(|| format!("the page of {path}"))?;
        let ended = page.items.is_empty();
        found.extend(page.items);
        cursor = page.next_cursor;
        if ended || cursor.is_none() {
            break;
        }
    }
    found.truncate(wanted);
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_follows_herself_or_anyone_twice() {
        let person = |id: &str| Account { id: id.to_owned(), token: String::new() };
        let population = Population {
            people: vec![person("a"), person("b")],
            profiles: ["a", "b", "c", "d"].map(str::to_owned).to_vec(),
            ..Population::default()
        };
        let mut follows = population.choose_follows(10, &mut ChaCha8Rng::seed_from_u64(3));
        follows.sort();
        let expected = [(0, "b"), (0, "c"), (0, "d"), (1, "a"), (1, "c"), (1, "d")].map(|(who, whom)| (who, whom.to_owned()));
        assert_eq!(follows, expected);
    }
}
