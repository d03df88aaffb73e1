//! Demo data into a store that nobody serves: hundreds of thousands of people within minutes.
//!
//! The same plan as through the API, but for what the loader does not take: endorsements and orders. Ids and times are drawn from the seed too, so that
//! the same seed makes the same rows.

use super::{
    DemoOptions,
    chance::Strand,
    people::Person,
    plan::{Plan, Post, Product},
    report::{Counts, First, Progress, Report, Summary},
};
use crate::config;
use anyhow::{Result, anyhow};
use argon2::{Algorithm, Argon2, Params, PasswordHasher, Version, password_hash::SaltString};
use protocol::{
    CommentId, PostId, ProductId, Role, SkillId, Timestamp, UserId, comment,
    post::{self, PostType},
    product,
    user::{Skill, User},
};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::{path::Path, time::Instant};
use store::{
    CommitError,
    sqlite::bulk::{Bulk, Follow},
};
use uuid::Uuid;

/// 2023-01-01T00:00:00Z, when the first person joins.
const BEGIN_MS: i64 = 1_672_531_200_000;
/// 2026-01-01T00:00:00Z. Fixed, so that nothing depends on when the data are made.
const END_MS: i64 = 1_767_225_600_000;
/// Longest time between a post and its first comment, and between a comment and the next, in milliseconds: a day.
const PAUSE_MS_MAX: i64 = 86_400_000;
/// Rows of one transaction, so that the log and what is held in memory stay small.
const ROWS_PER_LOAD: usize = 20_000;

/// Loads people and what they do into the data directory `dir`, with password hashes as `account` has them.
///
/// # Errors
/// When the directory is in use, or holds these people. What was loaded before an error stays: begin again with an empty directory.
pub fn bulk(options: &DemoOptions, dir: &Path, account: &config::Account, progress: impl FnMut(Progress)) -> Result<Summary> {
    let began = Instant::now();
    let plan = Plan::draw(options)?;
    let password_hash = password_hash(&plan, account)?;
    let store = Bulk::open(dir)?;
    let mut loading = Loading { plan: &plan, store, ids: Vec::new(), counts: Counts::default(), report: Report::new(progress) };
    loading.people(&password_hash)?;
    loading.follows()?;
    loading.posts()?;
    loading.products()?;
    loading.store.close()?;
    let first = First { id: loading.ids[0], name: plan.people.name(0), email: plan.people.person(0).email };
    let base_url = format!("http://{}", config::Config::default().listen.gateway);
    Ok(Summary { counts: loading.counts, first, base_url, took: began.elapsed() })
}

/// One hash for everybody: hashing the same password for each of 100,000 people would take an hour and protect nothing.
fn password_hash(plan: &Plan, account: &config::Account) -> Result<String> {
    let bad = |error: argon2::Error| anyhow!("account.argon2_*: {error}");
    let params = Params::new(account.argon2_memory_kib, account.argon2_iterations, 1, None).map_err(bad)?;
    let salt: [u8; 16] = plan.numbers(Strand::Time, 0, u16::MAX).random();
    let salt = SaltString::encode_b64(&salt).map_err(|error| anyhow!("a salt: {error}"))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(super::PASSWORD.as_bytes(), &salt).map_err(|error| anyhow!("hashing the password: {error}"))?;
    Ok(hash.to_string())
}

fn refused(error: CommitError) -> anyhow::Error {
    let advice = match error {
        CommitError::Taken(_) | CommitError::Conflict => {
            "the store holds these people already, or others of their names: use another --seed, or an empty data directory"
        }
        _ => "the store did not take the demo data: begin again with an empty data directory",
    };
    anyhow::Error::new(error).context(advice)
}

/// Demo data being loaded.
struct Loading<'p, F> {
    plan: &'p Plan,
    store: Bulk,
    ids: Vec<UserId>,
    counts: Counts,
    report: Report<F>,
}

impl<F: FnMut(Progress)> Loading<'_, F> {
    fn people(&mut self, password_hash: &str) -> Result<()> {
        let of = self.plan.people.count();
        let mut rows = Vec::new();
        for index in 0..of {
            let user = user(self.plan.people.person(index), joined(self.plan, index), &mut self.plan.numbers(Strand::Time, index, 0));
            self.ids.push(user.id);
            self.counts.skills += user.skills.len() as u64;
            rows.push((user, password_hash.to_owned()));
            if rows.len() == ROWS_PER_LOAD / 4 || index + 1 == of {
                self.store.users(&rows).map_err(refused)?;
                self.counts.people += rows.len() as u64;
                self.report.step("people", self.counts.people, u64::from(of));
                rows.clear();
            }
        }
        Ok(())
    }

    fn follows(&mut self) -> Result<()> {
        let of = self.plan.graph.len() as u64;
        let mut pairs = self.plan.graph.pairs().peekable();
        while pairs.peek().is_some() {
            let rows: Vec<_> = pairs.by_ref().take(ROWS_PER_LOAD * 5).map(|pair| follow(self.plan, &self.ids, pair)).collect();
            self.counts.follows += self.store.follows(&rows).map_err(refused)? as u64;
            self.report.step("follows", self.counts.follows, of);
        }
        Ok(())
    }

    /// Posts with their comments. They are reported by their authors, since only writing them tells how many there are.
    fn posts(&mut self) -> Result<()> {
        let of = self.plan.people.count();
        let (mut posts, mut comments) = (Vec::new(), Vec::new());
        for author in 0..of {
            for nth in 0..self.plan.posts(author) {
                let numbers = &mut self.plan.numbers(Strand::Time, author, 1 + nth);
                let post = self.plan.post(author, nth);
                let at = Timestamp(numbers.random_range(joined(self.plan, author).0..END_MS));
                let row = post_row(self.ids[author as usize], &post, at, numbers);
                comments.extend(comment_rows(&self.ids, &row, post, numbers));
                posts.push(row);
            }
            if posts.len() >= ROWS_PER_LOAD || author + 1 == of {
                self.store.posts(&posts).map_err(refused)?;
                self.store.comments(&comments).map_err(refused)?;
                self.counts.posts += posts.len() as u64;
                self.counts.comments += comments.len() as u64;
                self.report.step("posts by people", u64::from(author + 1), u64::from(of));
                posts.clear();
                comments.clear();
            }
        }
        Ok(())
    }

    fn products(&mut self) -> Result<()> {
        let of = self.plan.people.count();
        let mut rows = Vec::new();
        for seller in 0..of {
            for nth in 0..self.plan.products(seller) {
                let numbers = &mut self.plan.numbers(Strand::Time, seller, PRODUCT_TIMES + nth);
                let at = Timestamp(numbers.random_range(joined(self.plan, seller).0..END_MS));
                rows.push(product_row(self.ids[seller as usize], self.plan.product(seller, nth), at, numbers));
            }
            if rows.len() >= ROWS_PER_LOAD || seller + 1 == of {
                self.store.products(&rows).map_err(refused)?;
                self.counts.products += rows.len() as u64;
                self.report.step("products of people", u64::from(seller + 1), u64::from(of));
                rows.clear();
            }
        }
        Ok(())
    }
}

/// Where the times of products begin among a person's strands of time; those of posts lie before.
const PRODUCT_TIMES: u16 = 1 << 12;

/// When a person joined: one after another, evenly.
fn joined(plan: &Plan, index: u32) -> Timestamp {
    Timestamp(BEGIN_MS + (END_MS - BEGIN_MS) * i64::from(index) / i64::from(plan.people.count()))
}

/// An id of that time, as the platform makes them (UUIDv7), but from the seed.
fn id(at: Timestamp, numbers: &mut ChaCha8Rng) -> Uuid {
    uuid::Builder::from_unix_timestamp_millis(at.0.unsigned_abs(), &numbers.random()).into_uuid()
}

fn user(person: Person, at: Timestamp, numbers: &mut ChaCha8Rng) -> User {
    let Person { username, email, first_name, last_name, bio, profile, skills } = person;
    let skill = |skill: protocol::user::NewSkill, numbers: &mut ChaCha8Rng| Skill {
        id: SkillId(id(at, numbers)),
        name: skill.name,
        level: skill.level,
        endorsements: 0,
        created_at: at,
    };
    User {
        id: UserId(id(at, numbers)),
        username,
        email,
        first_name: Some(first_name),
        last_name: Some(last_name),
        bio: Some(bio),
        avatar: None,
        role: Role::User,
        is_active: true,
        profile,
        skills: skills.into_iter().map(|new| skill(new, numbers)).collect(),
        created_at: at,
        updated_at: at,
        version: 1,
    }
}

/// A follow, some time after both have joined.
fn follow(plan: &Plan, ids: &[UserId], (follower, followee): (u32, u32)) -> Follow {
    let both = joined(plan, follower.max(followee)).0;
    // Spread by the pair itself: a strand for each of millions of follows would be drawn for one number.
    let spread = i64::from(follower.wrapping_mul(2_654_435_761).wrapping_add(followee.wrapping_mul(40_503)) % 10_000);
    let at = Timestamp(both + (END_MS - both) * spread / 10_000);
    Follow { follower: ids[follower as usize], followee: ids[followee as usize], at }
}

fn post_row(author: UserId, post: &Post, at: Timestamp, numbers: &mut ChaCha8Rng) -> post::Post {
    post::Post {
        id: PostId(id(at, numbers)),
        user_id: author,
        parent_id: None,
        content: post.content.clone(),
        post_type: PostType::Text,
        media_ids: Vec::new(),
        visibility: post.visibility,
        likes_count: 0,
        comments_count: 0,
        shares_count: 0,
        reactions: Default::default(),
        is_published: true,
        created_at: at,
        updated_at: at,
        version: 1,
        deleted: false,
        hidden: false,
    }
}

fn comment_rows(ids: &[UserId], on: &post::Post, post: Post, numbers: &mut ChaCha8Rng) -> Vec<comment::Comment> {
    let mut rows = Vec::<comment::Comment>::new();
    let mut at = on.created_at;
    for comment in post.comments {
        at = at.plus_ms(numbers.random_range(1_000..PAUSE_MS_MAX));
        rows.push(comment::Comment {
            id: CommentId(id(at, numbers)),
            post_id: on.id,
            user_id: ids[comment.by as usize],
            content: comment.content,
            parent_id: comment.answers.map(|answered| rows[answered].id),
            reply_count: 0,
            score: 0,
            created_at: at,
            updated_at: at,
            deleted: false,
            hidden: false,
        });
    }
    rows
}

fn product_row(seller: UserId, product: Product, at: Timestamp, numbers: &mut ChaCha8Rng) -> product::Product {
    let new = product.new;
    product::Product {
        id: ProductId(id(at, numbers)),
        seller_id: seller,
        name: new.name,
        description: new.description,
        price: new.price,
        currency: new.currency,
        images: new.images,
        category: new.category,
        stock: new.stock,
        is_public: new.is_public,
        is_active: new.is_active,
        rating: product::Rating::default(),
        created_at: at,
        updated_at: at,
        version: 1,
        deleted: false,
        hidden: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHash, PasswordVerifier};
    use protocol::{Page, post::Visibility};
    use store::sqlite::{Sqlite, SqliteOptions};

    const OPTIONS: DemoOptions = DemoOptions { users: 120, seed: 3 };

    /// The cheapest hash that there is: it is made in every test.
    fn account() -> config::Account {
        config::Account { argon2_memory_kib: 8, argon2_iterations: 1, ..config::Config::default().account }
    }

    fn open(dir: &Path) -> Sqlite {
        Sqlite::open(dir, &SqliteOptions::default(), &prometheus::Registry::new()).expect("a store")
    }

    #[tokio::test]
    async fn the_store_holds_what_was_planned() {
        let dir = tempfile::tempdir().expect("a directory");
        let (made, plan) = (bulk(&OPTIONS, dir.path(), &account(), |_| {}).expect("loaded"), Plan::draw(&OPTIONS).expect("a plan"));
        let (sqlite, mut posts, mut comments) = (open(dir.path()), 0, 0);
        let stores = sqlite.stores();
        for index in 0..plan.people.count() {
            let person = plan.people.person(index);
            let credentials = stores.users.credentials(&person.email).await.expect("readable").expect("an account");
            let hash = PasswordHash::new(&credentials.password_hash).expect("PHC form");
            assert!(Argon2::default().verify_password(b"demo-password", &hash).is_ok(), "the documented password opens it");

            let user = stores.users.user(credentials.user).await.expect("readable").expect("a person");
            assert_eq!((user.username, user.bio, user.profile), (person.username, Some(person.bio), person.profile));
            let relations = stores.users.relations(user.id).await.expect("readable");
            let planned = (plan.graph.followers(index).len() as u64, plan.graph.following(index).len(), plan.graph.friends(index).len());
            assert_eq!((relations.followers, relations.following.len(), relations.friends.len()), planned);
            assert_eq!(
                stores.content.timeline(user.id, Page::first(100)).await.expect("readable").ids.len(),
                usize::from(plan.posts(index))
            );
            for post in (0..plan.posts(index)).map(|nth| plan.post(index, nth)) {
                posts += u64::from(post.visibility == Visibility::Public);
                comments += post.comments.len() as u64;
            }
        }
        let Counts { people, follows, .. } = made.counts;
        assert_eq!((people, follows, made.counts.comments), (120, plan.graph.len() as u64, comments));
        let public = stores.content.public_posts(Page::first(100)).await.expect("readable");
        assert!(posts > 100 && public.ids.len() == 100 && public.next.is_some(), "of {posts} public posts a page");
        let newest = stores.content.post(PostId(public.ids[0])).await.expect("readable").expect("a post");
        assert!(newest.created_at.0 < END_MS, "{newest:?}");
        sqlite.close();
    }

    #[tokio::test]
    async fn the_seed_decides_the_rows_and_they_are_loaded_once() {
        let dirs = [(); 2].map(|()| tempfile::tempdir().expect("a directory"));
        let mut newest = Vec::new();
        for dir in &dirs {
            bulk(&OPTIONS, dir.path(), &account(), |_| {}).expect("loaded");
            let sqlite = open(dir.path());
            let ids = sqlite.stores().content.public_posts(Page::first(100)).await.expect("readable").ids;
            let post = sqlite.stores().content.post(PostId(ids[0])).await.expect("readable");
            newest.push((ids, post));
            sqlite.close();
        }
        assert_eq!(newest[0], newest[1]);
        let again = bulk(&OPTIONS, dirs[0].path(), &account(), |_| {}).expect_err("they are there");
        assert!(format!("{again:#}").contains("use another --seed"), "{again:#}");
    }
}
