//! The platform's public API, as far as the tools need it: making accounts and things, and where each is read.
//!
//! This is the only place in the crate that knows a path or a field of the platform.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, bail};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::http::{Edge, Error, Link, Request};

/// How often a refusal for overload (429, 503) is tried again while preparing. Every repeated create carries its
/// idempotency key, so it happens once.
const ATTEMPTS_MAX: u32 = 20;

/// The password of every account that the tools make. They are made on test systems only.
const PASSWORD: &str = "correct horse battery staple";

/// A signed-in person.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user's id.
    pub id: String,
    /// A session token.
    pub token: String,
}

/// An answer, copied out of its connection.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What a create answers that the tools use.
#[derive(Clone, Debug, Deserialize)]
pub struct Created {
    /// The new thing's id.
    pub id: String,
    /// Its first version.
    pub version: u64,
}

#[derive(Deserialize)]
struct Registered {
    token: String,
    user: RegisteredUser,
}

#[derive(Deserialize)]
struct RegisteredUser {
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Uploaded {
    responsive_sizes: Option<BTreeMap<String, Option<String>>>,
    optimized_url: Option<String>,
}

/// Where things are.
pub mod path {
    /// A person's public profile; PUT changes it.
    pub fn profile(user: &str) -> String {
        format!("/api/user/profile/{user}")
    }

    /// Following somebody.
    pub fn follow(user: &str) -> String {
        format!("/api/user/users/{user}/follow")
    }

    /// A post; PUT changes it.
    pub fn post(post: &str) -> String {
        format!("/api/content/posts/{post}")
    }

    /// The first page of a person's own feed.
    pub fn feed(user: &str, items: usize) -> String {
        format!("/api/content/feed/{user}?limit={items}")
    }

    /// The first page of everybody's public posts.
    pub fn public_posts(items: usize) -> String {
        format!("/api/content/public/posts?limit={items}")
    }

    /// A product as everybody sees it.
    pub fn product(product: &str) -> String {
        format!("/api/shop/public/products/{product}")
    }

    /// A product as its seller changes it.
    pub fn own_product(product: &str) -> String {
        format!("/api/shop/products/{product}")
    }

    /// The first page of a list of products.
    pub fn public_products(items: usize) -> String {
        format!("/api/shop/public/products?limit={items}")
    }

    /// Products that are found by a word.
    pub fn product_search(word: &str, items: usize) -> String {
        format!("/api/shop/public/products?search={}&limit={items}", escaped(word))
    }

    /// People who are found by a word.
    pub fn people_search(word: &str, items: usize) -> String {
        format!("/api/user/search?q={}&limit={items}", escaped(word))
    }

    /// Public posts that hold a word.
    pub fn post_search(word: &str, items: usize) -> String {
        format!("/api/content/posts/search?q={}&limit={items}", escaped(word))
    }

    fn escaped(word: &str) -> String {
        word.bytes().map(|byte| if byte.is_ascii_alphanumeric() { (byte as char).to_string() } else { format!("%{byte:02X}") }).collect()
    }

    /// What somebody bought.
    pub fn orders_of_buyer(user: &str) -> String {
        format!("/api/shop/orders/buyer/{user}")
    }

    /// The first page of files that everybody may see.
    pub fn public_files(items: usize) -> String {
        format!("/api/media/public/files?limit={items}")
    }

    /// Uploading files.
    pub const UPLOAD: &str = "/api/media/upload";
    /// Creating posts.
    pub const POSTS: &str = "/api/content/posts";
    /// Creating products.
    pub const PRODUCTS: &str = "/api/shop/products";
    /// Creating orders.
    pub const ORDERS: &str = "/api/shop/orders";
    /// Creating accounts.
    pub const REGISTER: &str = "/api/user/register";
}

/// A product to create.
pub fn new_product(name: &str, description: &str, stock: u32) -> Value {
    json!({"name": name, "description": description, "price": "12.50", "stock": stock, "category": "load"})
}

/// An order of one piece.
pub fn new_order(product: &str) -> Value {
    json!({"productId": product, "quantity": 1, "shippingAddress": {"city": "Leipzig"}, "paymentMethod": "card"})
}

/// One connection to the API, for preparing what a run needs.
#[derive(Debug)]
pub struct Api {
    link: Link,
}

impl Api {
    /// Prepares a connection; `deadline` bounds each exchange.
    pub fn new(edge: &Edge, deadline: Duration) -> Self {
        Self { link: Link::new(edge.clone(), deadline) }
    }

    /// Sends a request and copies its answer, whatever its status.
    pub async fn call(&mut self, request: &Request) -> Result<Answer, Error> {
        let bytes = request.encode(self.link.edge());
        let response = self.link.exchange(&bytes).await?;
        Ok(Answer { status: response.status(), headers: response.headers(), body: response.body().to_vec() })
    }

    /// Reads a path, with a token if one is given, and insists on 200.
    pub async fn get(&mut self, path: &str, token: Option<&str>) -> anyhow::Result<Answer> {
        let request = Request::get(path);
        let request = token.map_or(request.clone(), |token| request.bearer(token));
        let answer = self.call(&request).await.with_context(|| format!("GET {path}"))?;
        answer.expect_status(&[200], path)
    }

    /// Registers `username`, which must be new and at most 32 characters, and returns the signed-in person.
    pub async fn register(&mut self, username: &str) -> anyhow::Result<Account> {
        let body = json!({
            "username": username,
            "email": format!("{username}@load.example"),
            "password": PASSWORD,
            "firstName": "Load",
            "lastName": username,
        });
        let answer = self.create(path::REGISTER, None, &body).await?;
        let registered: Registered = serde_json::from_slice(&answer.body).context("the answer to a registration")?;
        Ok(Account { id: registered.user.id, token: registered.token })
    }

    /// Changes the caller's profile.
    pub async fn put_profile(&mut self, account: &Account, body: &Value) -> anyhow::Result<Answer> {
        let request = Request::new(Method::PUT, path::profile(&account.id)).bearer(&account.token).json(body);
        self.insist(&request, &[200], "changing a profile").await
    }

    /// Lets `follower` follow a person.
    pub async fn follow(&mut self, follower: &Account, followee: &str) -> anyhow::Result<()> {
        let request = Request::new(Method::PUT, path::follow(followee)).bearer(&follower.token);
        self.insist(&request, &[200, 201, 204], "following").await.map(drop)
    }

    /// Publishes a post.
    pub async fn create_post(&mut self, author: &Account, content: &str) -> anyhow::Result<Created> {
        let answer = self.create(path::POSTS, Some(author), &json!({"content": content})).await?;
        serde_json::from_slice(&answer.body).context("the answer to a new post")
    }

    /// Offers a product; see [`new_product`].
    pub async fn create_product(&mut self, seller: &Account, body: &Value) -> anyhow::Result<Created> {
        let answer = self.create(path::PRODUCTS, Some(seller), body).await?;
        serde_json::from_slice(&answer.body).context("the answer to a new product")
    }

    /// Uploads a picture, and returns the paths of its variants.
    pub async fn upload(&mut self, request: &Request) -> anyhow::Result<Vec<String>> {
        let answer = self.insist(request, &[201], "uploading a picture").await?;
        let file: Uploaded = serde_json::from_slice(&answer.body).context("the answer to an upload")?;
        let sizes = file.responsive_sizes.unwrap_or_default();
        let urls = sizes.into_values().flatten().chain(file.optimized_url);
        urls.map(|url| url.find("/api/").map(|path| url[path..].to_owned()).with_context(|| format!("no path in {url:?}"))).collect()
    }

    async fn create(&mut self, path: &str, account: Option<&Account>, body: &Value) -> anyhow::Result<Answer> {
        let request = Request::new(Method::POST, path).json(body).header("idempotency-key", uuid::Uuid::now_v7().to_string());
        let request = account.map_or(request.clone(), |account| request.bearer(&account.token));
        self.insist(&request, &[201], path).await
    }

    async fn insist(&mut self, request: &Request, statuses: &[u16], what: &str) -> anyhow::Result<Answer> {
        for _ in 1..ATTEMPTS_MAX {
            let answer = self.call(request).await.context(what.to_owned())?;
            if !matches!(answer.status, 429 | 503) {
                return answer.expect_status(statuses, what);
            }
            tokio::time::sleep(answer.retry_after()).await;
        }
        let answer = self.call(request).await.context(what.to_owned())?;
        answer.expect_status(statuses, what)
    }
}

impl Answer {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    /// Fails, quoting the answer, unless it has one of these statuses.
    pub fn expect_status(self, statuses: &[u16], what: &str) -> anyhow::Result<Self> {
        if !statuses.contains(&self.status) {
            let quoted: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
            bail!("{what}: answered {} where one of {statuses:?} was due: {quoted}", self.status);
        }
        Ok(self)
    }

    /// How long the server asked to wait: `Retry-After` in seconds, at most 5, else a tenth of a second.
    fn retry_after(&self) -> Duration {
        let seconds = self.header("retry-after").and_then(|value| value.parse::<u64>().ok());
        seconds.map_or(Duration::from_millis(100), |seconds| Duration::from_secs(seconds.min(5)))
    }
}

/// A prefix that no earlier run used, for usernames: at most 12 characters.
pub fn fresh_prefix() -> String {
    format!("lt{:010x}", rand::random::<u64>() >> 24)
}
