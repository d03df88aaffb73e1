//! The standard set: what the platform's common reads cost.

use std::path::Path;

use anyhow::Context as _;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::Options;
use super::target::{FLOOR, Target};
use crate::api::{self, Account, Api, path};
use crate::http::Edge;
use crate::platform::{Platform, Start};
use crate::run::population::{in_parallel, register};
use crate::text;

/// Items in a feed page, and authors that the viewer follows.
const FEED_ITEMS: usize = 20;
/// The length of a biography, a description, a post.
const TEXT_CHARS: usize = 220;
/// Products that are read in turn where each read should miss: far more than fit into [`COLD_CACHE`].
const COLD_PRODUCTS: usize = 6000;
/// The length of their descriptions.
const COLD_TEXT_CHARS: usize = 900;
/// The least cache that the platform takes.
const COLD_CACHE: &str = "cache.bytes_max=1048576";
/// Seed of the texts: every run measures the same bytes, but for ids and times.
const SEED: u64 = 7;

/// The platform with warm entities, and once more with a cache too small for what is read.
#[derive(Debug)]
pub struct Standard {
    warm: Platform,
    cold: Platform,
    targets: Vec<Target>,
    cold_target: Target,
    _data: tempfile::TempDir,
}

impl Standard {
    /// Starts both and fills them through the public API.
    pub async fn start(binary: &Path, options: &Options) -> anyhow::Result<Self> {
        let data = tempfile::tempdir().context("making a data directory")?;
        let mut cold_settings = options.settings.clone();
        cold_settings.push(COLD_CACHE.to_owned());
        let start = async |name: &str, settings: &[String]| {
            let data_dir = data.path().join(name);
            std::fs::create_dir(&data_dir)?;
            Platform::start(&Start { name, binary, data_dir: &data_dir, core: Some(options.server_core), settings }).await
        };
        let warm = start("platform", &options.settings).await?;
        let cold = start("platform-cold", &cold_settings).await?;
        eprintln!("preparing people, posts and products");
        let targets = warm_targets(&warm.gateway, options).await.context("preparing the platform")?;
        let cold_target = cold_target(&cold.gateway).await.context("preparing the platform with the small cache")?;
        Ok(Self { warm, cold, targets, cold_target, _data: data })
    }

    /// Each target and the platform that it is on.
    pub fn targets(&self) -> Vec<(Target, &Platform)> {
        let warm = self.targets.iter().map(|target| (target.clone(), &self.warm));
        warm.chain([(self.cold_target.clone(), &self.cold)]).collect()
    }
}

async fn warm_targets(edge: &Edge, options: &Options) -> anyhow::Result<Vec<Target>> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut people = register(edge, FEED_ITEMS + 2).await?;
    let (person, viewer) = (people.pop().context("registered")?, people.pop().context("registered")?);
    let mut api = Api::new(edge, std::time::Duration::from_secs(60));
    let profile = json!({
        "bio": text::prose(&mut rng, TEXT_CHARS),
        "profile": {
            "location": "Leipzig",
            "website": "https://example.org/",
            "company": "Kontor",
            "jobTitle": "Baker",
            "interests": ["bread", "bicycles", "music"],
        },
    });
    api.put_profile(&person, &profile).await?;
    let body = api::new_product("Bicycle bell", &text::prose(&mut rng, TEXT_CHARS), 100);
    let product = api.create_product(&person, &body).await?.id;
    for author in &people {
        api.follow(&viewer, &author.id).await?;
        api.create_post(author, &text::prose(&mut rng, TEXT_CHARS)).await?;
    }
    let mailbox_path = options.mailbox_path.replace("{person}", &person.id).replace("{product}", &product).replace("{viewer}", &viewer.id);
    let mut mailbox = target("read through a mailbox", mailbox_path, Some(&viewer));
    if let Some((name, value)) = &options.mailbox_header {
        mailbox.headers.insert(name.to_string(), value.to_str().context("a header of text")?.to_owned());
    }
    Ok(vec![
        target("profile (cached)", path::profile(&person.id), None),
        target("product (cached)", path::product(&product), None),
        target("feed page (hydrated)", path::feed(&viewer.id, FEED_ITEMS), Some(&viewer)),
        mailbox,
    ])
}

async fn cold_target(edge: &Edge) -> anyhow::Result<Target> {
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let seller = register(edge, 1).await?.pop().context("registered")?;
    let bodies: Vec<serde_json::Value> = (0..COLD_PRODUCTS)
        .map(|number| api::new_product(&format!("Thing {number}"), &text::prose(&mut rng, COLD_TEXT_CHARS), 10))
        .collect();
    let products = in_parallel(edge, bodies, async |api, body: serde_json::Value| Ok(api.create_product(&seller, &body).await?.id)).await?;
    let mut target = target("product (store miss)", String::new(), None);
    target.paths = products.iter().map(|product| path::product(product)).collect();
    Ok(target)
}

fn target(name: &str, path: String, viewer: Option<&Account>) -> Target {
    let headers = viewer.map(|viewer| ("authorization".to_owned(), format!("Bearer {}", viewer.token)));
    Target {
        name: name.to_owned(),
        process: String::new(),
        paths: vec![path],
        headers: headers.into_iter().collect(),
        compare_to: Some(FLOOR.to_owned()),
    }
}
