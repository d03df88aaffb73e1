//! Demo data through the platform's own public API: what the demo's people do, they do as anybody would.
//!
//! This is the only place of the demo that knows a path or a field of the API.

use super::{
    DemoOptions, PASSWORD,
    people::Person,
    plan::{Plan, Post, Product},
    report::{Counts, First, Progress, Report, Summary},
};
use crate::http::{Error, Request, Server};
use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use hyper::{Method, header::HeaderValue};
use protocol::{
    CommentId, ErrorCode, PostId, ProductId, SkillId, Timestamp, UserId,
    comment::NewComment,
    order::NewOrder,
    post::{NewPost, PostType},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{future::Future, time::Instant};

/// Requests in flight. Two cores are busy with a few; the platform lets 64 registrations wait.
const IN_FLIGHT_MAX: usize = 32;
/// How long the platform knows a request that is repeated; an hour is taken off for the making.
const REPEATABLE_MS: i64 = 23 * 60 * 60 * 1000;

/// Somebody who is signed in.
struct Account {
    id: UserId,
    authorization: HeaderValue,
    skills: Vec<SkillId>,
}

/// The answer to a registration.
#[derive(Deserialize)]
struct Opened {
    token: String,
    user: OpenedUser,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OpenedUser {
    id: UserId,
    created_at: Timestamp,
}

/// The answer to any other creation.
#[derive(Deserialize)]
struct Created<I> {
    id: I,
}

/// Makes people and all that they do through the gateway at `base_url`, with at most 32 requests in flight.
///
/// Doing it again within a day, with the same seed, adds only what is missing: every creation carries an idempotency key made of the seed.
///
/// # Errors
/// When nobody answers there, the server refuses, or these people were made more than a day ago. The message says what to do; what was made stays.
pub async fn through_api(options: &DemoOptions, base_url: &str, progress: impl FnMut(Progress)) -> Result<Summary> {
    let began = Instant::now();
    let plan = Plan::draw(options)?;
    let server = Server::at(base_url, IN_FLIGHT_MAX)?;
    server.ready().await?;
    refuse_stale(&server, &plan, options.seed).await?;
    let mut making =
        Making { plan: &plan, server, seed: options.seed, accounts: Vec::new(), counts: Counts::default(), report: Report::new(progress) };
    making.people().await?;
    making.follows().await?;
    making.posts().await?;
    making.endorsements().await?;
    making.products().await?;
    let first = First { id: making.accounts[0].id, name: plan.people.name(0), email: plan.people.person(0).email };
    Ok(Summary { counts: making.counts, first, base_url: making.server.base().to_owned(), took: began.elapsed() })
}

/// People whom the platform no longer remembers to have posted would post everything twice.
async fn refuse_stale(server: &Server, plan: &Plan, seed: u64) -> Result<()> {
    let opened = register(server, &plan.people.person(0), seed).await?;
    let made_at = opened.user.created_at;
    if Timestamp::now().0 - made_at.0 > REPEATABLE_MS {
        bail!("the demo people of seed {seed} were made at {made_at}: use another --seed for others, or an empty data directory");
    }
    Ok(())
}

/// Bodies of a person's registration and profile.
pub(super) fn bodies(person: &Person) -> (Value, Value) {
    let Person { username, email, first_name, last_name, bio, profile, skills: _ } = person;
    let registration = json!({"username": username, "email": email, "password": PASSWORD, "firstName": first_name, "lastName": last_name});
    (registration, json!({"bio": bio, "profile": profile}))
}

async fn register(server: &Server, person: &Person, seed: u64) -> Result<Opened> {
    let request = Request::create("/api/user/register", format!("demo-{seed}-{}", person.username), text(&bodies(person).0));
    let answer = server.send(&request).await.map_err(|error| match &error {
        Error::Refused { code, .. } if [ErrorCode::UsernameTaken, ErrorCode::EmailTaken].iter().any(|taken| taken.name() == code) => {
            let whose = format!("somebody else has {} or its address: use another --seed, or an empty data directory", person.username);
            anyhow::Error::new(error).context(whose)
        }
        _ => error.into(),
    })?;
    parse(&answer)
}

fn text(body: &impl serde::Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("bodies have text keys only")
}

fn parse<T: DeserializeOwned>(answer: &Bytes) -> Result<T> {
    serde_json::from_slice(answer).context("the server's answer is not the platform's: is something else listening there?")
}

/// Demo data in the making.
struct Making<'p, F> {
    plan: &'p Plan,
    server: Server,
    seed: u64,
    accounts: Vec<Account>,
    counts: Counts,
    report: Report<F>,
}

impl<F: FnMut(Progress)> Making<'_, F> {
    async fn people(&mut self) -> Result<()> {
        let (plan, server, seed) = (self.plan, &self.server, self.seed);
        let of = u64::from(plan.people.count());
        let mut made = stream::iter(0..plan.people.count()).map(|person| person_made(server, plan, person, seed)).buffered(IN_FLIGHT_MAX);
        while let Some(account) = made.try_next().await? {
            self.counts.people += 1;
            self.counts.skills += account.skills.len() as u64;
            self.accounts.push(account);
            self.report.step("people", self.counts.people, of);
        }
        Ok(())
    }

    async fn follows(&mut self) -> Result<()> {
        let follows = self.plan.mixed(self.plan.graph.pairs());
        let (of, accounts, server) = (follows.len() as u64, &self.accounts, &self.server);
        let mut made = at_once(follows, |(follower, followee)| async move {
            let path = format!("/api/user/users/{}/follow", accounts[followee as usize].id);
            let request = Request::new(Method::PUT, path);
            server.send(&request.by(&accounts[follower as usize].authorization)).await.map(drop)
        });
        while made.try_next().await?.is_some() {
            self.counts.follows += 1;
            self.report.step("follows", self.counts.follows, of);
        }
        Ok(())
    }

    /// Posts, each with what is said below it.
    async fn posts(&mut self) -> Result<()> {
        let plan = self.plan;
        let each = |person| (0..plan.posts(person)).map(move |nth| (person, nth));
        let posts = plan.mixed((0..plan.people.count()).flat_map(each));
        let (of, accounts, server, seed) = (posts.len() as u64, &self.accounts, &self.server, self.seed);
        let mut made = at_once(posts, |(author, nth)| posted(server, accounts, plan.post(author, nth), (seed, author, nth)));
        while let Some(comments) = made.try_next().await? {
            self.counts.posts += 1;
            self.counts.comments += comments;
            self.report.step("posts", self.counts.posts, of);
        }
        Ok(())
    }

    async fn endorsements(&mut self) -> Result<()> {
        let (plan, accounts, server) = (self.plan, &self.accounts, &self.server);
        let each = |person| {
            let skills = (0..).zip(accounts[person as usize].skills.iter().copied());
            skills.flat_map(move |(nth, skill)| plan.endorsers(person, nth).into_iter().map(move |by| (skill, by)))
        };
        let endorsements = plan.mixed((0..plan.people.count()).flat_map(each));
        let of = endorsements.len() as u64;
        let mut made = at_once(endorsements, |(skill, by)| async move {
            let request = Request::new(Method::POST, format!("/api/user/skills/{skill}/endorse"));
            server.send(&request.by(&accounts[by as usize].authorization)).await.map(drop)
        });
        while made.try_next().await?.is_some() {
            self.counts.endorsements += 1;
            self.report.step("endorsements", self.counts.endorsements, of);
        }
        Ok(())
    }

    /// Products, each with its orders.
    async fn products(&mut self) -> Result<()> {
        let plan = self.plan;
        let each = |person| (0..plan.products(person)).map(move |nth| (person, nth));
        let products = plan.mixed((0..plan.people.count()).flat_map(each));
        let (of, accounts, server, seed) = (products.len() as u64, &self.accounts, &self.server, self.seed);
        let mut made = at_once(products, |(seller, nth)| offered(server, accounts, plan.product(seller, nth), (seed, seller, nth)));
        while let Some(orders) = made.try_next().await? {
            self.counts.products += 1;
            self.counts.orders += orders;
            self.report.step("products", self.counts.products, of);
        }
        Ok(())
    }
}

/// Does `work` for each item, as many at once as may be in flight; what is done first comes first.
fn at_once<T, W: Future>(items: Vec<T>, work: impl FnMut(T) -> W) -> impl Stream<Item = W::Output> + Unpin
where
    W::Output: Send,
{
    Box::pin(stream::iter(items).map(work).buffer_unordered(IN_FLIGHT_MAX))
}

async fn person_made(server: &Server, plan: &Plan, index: u32, seed: u64) -> Result<Account> {
    let person = plan.people.person(index);
    let Opened { token, user } = register(server, &person, seed).await?;
    let authorization = HeaderValue::try_from(format!("Bearer {token}")).context("the server's token is not one")?;
    let profile = Request::new(Method::PUT, format!("/api/user/profile/{}", user.id)).json(text(&bodies(&person).1));
    server.send(&profile.by(&authorization)).await?;
    let (path, mut skills) = (format!("/api/user/users/{}/skills", user.id), Vec::new());
    for (nth, skill) in person.skills.iter().enumerate() {
        let request = Request::create(&path, format!("demo-{seed}-skill-{nth}"), text(skill));
        let created: Created<SkillId> = parse(&server.send(&request.by(&authorization)).await?)?;
        skills.push(created.id);
    }
    Ok(Account { id: user.id, authorization, skills })
}

/// Writes a post and what is said below it; answers how many comments that is.
async fn posted(server: &Server, accounts: &[Account], post: Post, (seed, author, nth): (u64, u32, u16)) -> Result<u64> {
    let Post { content, visibility, comments } = post;
    let new = NewPost {
        user_id: None,
        parent_id: None,
        content,
        post_type: PostType::Text,
        media_ids: Vec::new(),
        visibility,
        is_published: true,
    };
    let request = Request::create("/api/content/posts", format!("demo-{seed}-post-{nth}"), text(&new));
    let post: Created<PostId> = parse(&server.send(&request.by(&accounts[author as usize].authorization)).await?)?;
    let path = format!("/api/content/posts/{}/comments", post.id);
    let mut ids = Vec::<CommentId>::new();
    for comment in comments {
        let new = NewComment { user_id: None, content: comment.content, parent_id: comment.answers.map(|answered| ids[answered]) };
        // More people with the same seed have other followers, who say other things: the number of people is part of the key.
        let key = format!("demo-{seed}-of-{}-comment-{author}-{nth}-{}", accounts.len(), ids.len());
        let request = Request::create(&path, key, text(&new));
        let said: Created<CommentId> = parse(&server.send(&request.by(&accounts[comment.by as usize].authorization)).await?)?;
        ids.push(said.id);
    }
    Ok(ids.len() as u64)
}

/// Offers a product and has it ordered; answers how many orders came about.
async fn offered(server: &Server, accounts: &[Account], product: Product, (seed, seller, nth): (u64, u32, u16)) -> Result<u64> {
    let request = Request::create("/api/shop/products", format!("demo-{seed}-product-{nth}"), text(&product.new));
    let created: Created<ProductId> = parse(&server.send(&request.by(&accounts[seller as usize].authorization)).await?)?;
    let mut orders = 0;
    for (place, order) in product.orders.into_iter().enumerate() {
        let new = NewOrder {
            buyer_id: None,
            product_id: created.id,
            quantity: order.quantity,
            shipping_address: order.shipping_address,
            payment_method: Some(order.payment_method),
        };
        let key = format!("demo-{seed}-of-{}-order-{seller}-{nth}-{place}", accounts.len());
        let request = Request::create("/api/shop/orders", key, text(&new));
        match server.send(&request.by(&accounts[order.buyer as usize].authorization)).await {
            Ok(_) => orders += 1,
            // Others may buy it too, and people of an earlier, smaller demo did.
            Err(Error::Refused { code, .. }) if code == ErrorCode::OutOfStock.name() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(orders)
}

#[cfg(test)]
mod tests;
