//! What everybody looks at, in the mixes that have such a thing.

use anyhow::{Context as _, bail};

use super::population::in_parallel;
use super::{Scenario, fresh, photo};
use crate::api::{self, Account};
use crate::http::Edge;

/// Posts of the star that are there before the run.
const STAR_POSTS: usize = 3;
/// What of the hot product is in stock: as many orders are taken, and all others are answered 409.
const STOCK: u32 = 1000;

/// What everybody looks at; of a mix without such a thing all of it is empty.
#[derive(Clone, Debug, Default)]
pub struct Spotlight {
    /// Whom everybody follows.
    pub star: Option<Account>,
    /// What they have posted before the run.
    pub star_posts: Vec<String>,
    /// What everybody wants to buy.
    pub product: Option<String>,
    /// Begins the idempotency keys of this run's orders.
    pub order_prefix: String,
    /// Paths of pictures, each in all of its sizes.
    pub pictures: Vec<String>,
}

impl Spotlight {
    /// Makes what a mix needs: the first of `people` is the star, the seller, or whoever has uploaded something.
    pub async fn obtain(scenario: Scenario, edge: &Edge, people: &[Account]) -> anyhow::Result<Self> {
        let [first, others @ ..] = people else { bail!("a run needs people") };
        match scenario {
            Scenario::FlashSale | Scenario::Celebrity if others.is_empty() => {
                bail!("this mix needs --people 2 or more: one whom it is about, and others")
            }
            Scenario::FlashSale => Self::sale(edge, first).await.context("offering what everybody wants"),
            Scenario::Celebrity => Self::celebrity(edge, first, others).await.context("making a celebrity"),
            Scenario::Upload => Self::gallery(edge, first).await.context("uploading the first pictures"),
            _ => Ok(Self::default()),
        }
    }

    async fn sale(edge: &Edge, seller: &Account) -> anyhow::Result<Self> {
        let product = api::new_product("What everybody wants", "Only while stocks last.", STOCK);
        let made = in_parallel(edge, vec![product], async |api, body| Ok(api.create_product(seller, &body).await?.id)).await?;
        Ok(Self { product: made.into_iter().next(), order_prefix: api::fresh_prefix(), ..Self::default() })
    }

    async fn celebrity(edge: &Edge, star: &Account, followers: &[Account]) -> anyhow::Result<Self> {
        in_parallel(edge, followers.iter().collect(), async |api, follower: &Account| api.follow(follower, &star.id).await).await?;
        let texts = (0..STAR_POSTS).map(|number| format!("To all of you, for the {number}th time.")).collect();
        let star_posts = in_parallel(edge, texts, async |api, text: String| Ok(api.create_post(star, &text).await?.id)).await?;
        Ok(Self { star: Some(star.clone()), star_posts, ..Self::default() })
    }

    async fn gallery(edge: &Edge, person: &Account) -> anyhow::Result<Self> {
        // The number of a run's own, so that it does not find what another one left.
        let number = rand::random();
        let pictures =
            photo::PHOTOS.iter().map(|photo| fresh::Fresh::find(photo).map_or((*photo).into(), |fresh| fresh.fill(photo, number)));
        let shown =
            in_parallel(edge, pictures.collect(), async |api, picture: bytes::Bytes| api.upload(&photo::upload(person, &picture)).await)
                .await?;
        Ok(Self { pictures: shown.into_iter().flatten().collect(), ..Self::default() })
    }
}
