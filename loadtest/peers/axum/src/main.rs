//! A peer of the platform's reads: axum, bb8-redis and tokio-postgres on the same tables, with the same bodies, cache-aside.
//!
//! It does what a careful engineer would: connections are pooled and not tested at each check-out (which doubles the round trips), statements are
//! prepared once a connection, what the cache holds is sent as it is, the allocator is the platform's.
//!
//! ```text
//! PORT=9001 USERS_URL=postgres://… SHOP_URL=postgres://… REDIS_URL=redis://… lets-connect-peer-axum
//! ```

mod cache;
mod database;
mod row;

use anyhow::Context as _;
use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cache::Cache;
use database::Database;
use serde::Deserialize;
use std::env;
use uuid::Uuid;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[derive(Clone)]
struct Peer {
    cache: Cache,
    users: Database,
    shop: Database,
}

/// Whatever goes wrong is 500: a peer has no one to explain it to.
struct Failure(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (StatusCode::INTERNAL_SERVER_ERROR, format!("{:#}", self.0)).into_response()
    }
}

type Answer = Result<Response, Failure>;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let setting = |name: &str| env::var(name).with_context(|| format!("{name} is missing"));
    let peer = Peer {
        cache: Cache::connect(&setting("REDIS_URL")?).await?,
        users: Database::connect(&setting("USERS_URL")?).await?,
        shop: Database::connect(&setting("SHOP_URL")?).await?,
    };
    let routes = axum::Router::new()
        .route("/health", get(async || "ok"))
        .route("/products", get(products))
        .route("/products/{id}", get(product).put(change_product))
        .route("/profile/{id}", get(person).put(change_person))
        .with_state(peer);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", setting("PORT")?.parse::<u16>()?)).await?;
    // Answers go out at once, as they do from Node.js and from the platform.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, routes).await?)
}

fn answer(json: Option<String>) -> Response {
    match json {
        Some(json) => ([(CONTENT_TYPE, "application/json")], json).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn product(State(peer): State<Peer>, Path(id): Path<Uuid>) -> Answer {
    let load = async || peer.shop.one(row::PRODUCT, &[&id], |row| Ok(serde_json::to_string(&row::product(row)?)?)).await;
    Ok(answer(peer.cache.one(&cache::PRODUCT, id, load).await?))
}

async fn person(State(peer): State<Peer>, Path(id): Path<Uuid>) -> Answer {
    let load = async || peer.users.one(row::PERSON, &[&id], |row| Ok(serde_json::to_string(&row::person(row)?)?)).await;
    Ok(answer(peer.cache.one(&cache::PROFILE, id, load).await?))
}

#[derive(Deserialize)]
struct Asked {
    limit: Option<usize>,
    cursor: Option<String>,
}

async fn products(State(peer): State<Peer>, Query(asked): Query<Asked>) -> Answer {
    /// What the platform's cursors of this list begin with.
    const LIST: u8 = 5;
    const LIMIT_DEFAULT: usize = 20;
    const LIMIT_MAX: usize = 100;
    let limit = asked.limit.unwrap_or(LIMIT_DEFAULT).clamp(1, LIMIT_MAX);
    let after = match asked.cursor {
        Some(cursor) => Uuid::from_slice(URL_SAFE_NO_PAD.decode(cursor)?.get(1..).unwrap_or_default())?,
        None => Uuid::max(),
    };
    let load = async || {
        let rows = peer.shop.all(row::PRODUCTS, &[&after, &i64::try_from(limit + 1)?]).await?;
        let items = rows.iter().take(limit).map(row::product).collect::<Result<Vec<_>, _>>()?;
        let cursor = |last: Uuid| URL_SAFE_NO_PAD.encode([&[LIST], last.as_bytes().as_slice()].concat());
        let next_cursor = items.last().filter(|_| rows.len() > limit).map(|last| cursor(last.id));
        Ok(serde_json::to_string(&row::Products { items, next_cursor })?)
    };
    Ok(answer(Some(peer.cache.page(&cache::PRODUCTS, "newest", &format!("{limit}:{after}"), load).await?)))
}

#[derive(Deserialize)]
struct ProductChange {
    price: Option<String>,
    stock: Option<i64>,
}

async fn change_product(State(peer): State<Peer>, Path(id): Path<Uuid>, Json(change): Json<ProductChange>) -> Answer {
    let Ok(cents) = change.price.as_deref().map(row::cents).transpose() else {
        return Ok(StatusCode::UNPROCESSABLE_ENTITY.into_response());
    };
    let render = |row: &_| Ok(serde_json::to_string(&row::product(row)?)?);
    let json = peer.shop.one(row::PRODUCT_UPDATE, &[&id, &cents, &change.stock], render).await?;
    peer.cache.forget(&[cache::PRODUCT.key(id), cache::PRODUCTS.key("newest")]).await;
    Ok(answer(json))
}

#[derive(Deserialize)]
struct PersonChange {
    bio: Option<String>,
}

async fn change_person(State(peer): State<Peer>, Path(id): Path<Uuid>, Json(change): Json<PersonChange>) -> Answer {
    let render = |row: &_| Ok(serde_json::to_string(&row::person(row)?)?);
    let json = peer.users.one(row::PERSON_UPDATE, &[&id, &change.bio], render).await?;
    peer.cache.forget(&[cache::PROFILE.key(id)]).await;
    Ok(answer(json))
}
