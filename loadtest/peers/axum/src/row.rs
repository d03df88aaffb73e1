//! What is asked of PostgreSQL, and what is answered: the platform's tables, and its bodies byte for byte.

use anyhow::ensure;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

macro_rules! product_columns {
    () => {
        "id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active, rating_sum, rating_count,
         created_at, updated_at, version"
    };
}
macro_rules! listed {
    () => {
        "NOT deleted AND is_public AND is_active"
    };
}
macro_rules! person_columns {
    () => {
        "id, username, first_name, last_name, bio, avatar, role, is_active, location, website, company, job_title, interests, social_links,
         created_at, updated_at, version, coalesce((
           SELECT json_agg(json_build_object('id', s.id, 'name', s.name, 'level', s.level, 'endorsements', s.endorsements,
             'createdAt', to_char(s.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.MS\"Z\"')) ORDER BY s.created_at, s.id)
           FROM skill s WHERE s.person_id = p.id), '[]')"
    };
}

pub const PRODUCT: &str = concat!("SELECT ", product_columns!(), " FROM product WHERE id = $1 AND ", listed!());
pub const PRODUCTS: &str =
    concat!("SELECT ", product_columns!(), " FROM product WHERE ", listed!(), " AND id < $1 ORDER BY id DESC LIMIT $2");
pub const PRODUCT_UPDATE: &str = concat!(
    "UPDATE product SET price_cents = coalesce($2, price_cents), stock = coalesce($3, stock), updated_at = now(), version = version + 1
     WHERE id = $1 AND ",
    listed!(),
    " RETURNING ",
    product_columns!()
);
pub const PERSON: &str = concat!("SELECT ", person_columns!(), " FROM person p WHERE id = $1 AND is_active");
pub const PERSON_UPDATE: &str = concat!(
    "UPDATE person p SET bio = $2, updated_at = now(), version = version + 1 WHERE id = $1 AND is_active RETURNING ",
    person_columns!()
);

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Product {
    pub id: Uuid,
    seller_id: Uuid,
    name: String,
    description: Option<String>,
    price: String,
    currency: String,
    images: Vec<String>,
    category: Option<String>,
    stock: i64,
    is_public: bool,
    is_active: bool,
    rating_average: Option<f64>,
    rating_count: i64,
    created_at: String,
    updated_at: String,
    version: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Products {
    pub items: Vec<Product>,
    pub next_cursor: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Person {
    id: Uuid,
    username: String,
    first_name: Option<String>,
    last_name: Option<String>,
    bio: Option<String>,
    avatar: Option<String>,
    role: String,
    is_active: bool,
    profile: Profile,
    skills: Vec<Skill>,
    created_at: String,
    updated_at: String,
    version: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Profile {
    location: Option<String>,
    website: Option<String>,
    company: Option<String>,
    job_title: Option<String>,
    interests: Vec<String>,
    social_links: BTreeMap<String, String>,
}

#[derive(Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
struct Skill {
    id: Uuid,
    name: String,
    level: String,
    endorsements: i64,
    created_at: String,
}

fn instant(row: &Row, column: usize) -> anyhow::Result<String> {
    Ok(row.try_get::<_, DateTime<Utc>>(column)?.to_rfc3339_opts(SecondsFormat::Millis, true))
}

pub fn product(row: &Row) -> anyhow::Result<Product> {
    let (cents, sum, count): (i64, i64, i64) = (row.try_get(4)?, row.try_get(11)?, row.try_get(12)?);
    Ok(Product {
        id: row.try_get(0)?,
        seller_id: row.try_get(1)?,
        name: row.try_get(2)?,
        description: row.try_get(3)?,
        price: format!("{}.{:02}", cents / 100, cents % 100),
        currency: row.try_get(5)?,
        images: row.try_get::<_, Json<_>>(6)?.0,
        category: row.try_get(7)?,
        stock: row.try_get(8)?,
        is_public: row.try_get(9)?,
        is_active: row.try_get(10)?,
        rating_average: (count > 0).then(|| (sum as f64 / count as f64 * 100.0).round() / 100.0),
        rating_count: count,
        created_at: instant(row, 13)?,
        updated_at: instant(row, 14)?,
        version: row.try_get(15)?,
    })
}

pub fn person(row: &Row) -> anyhow::Result<Person> {
    Ok(Person {
        id: row.try_get(0)?,
        username: row.try_get(1)?,
        first_name: row.try_get(2)?,
        last_name: row.try_get(3)?,
        bio: row.try_get(4)?,
        avatar: row.try_get(5)?,
        role: row.try_get(6)?,
        is_active: row.try_get(7)?,
        profile: Profile {
            location: row.try_get(8)?,
            website: row.try_get(9)?,
            company: row.try_get(10)?,
            job_title: row.try_get(11)?,
            interests: row.try_get::<_, Json<_>>(12)?.0,
            social_links: row.try_get::<_, Json<_>>(13)?.0,
        },
        skills: row.try_get::<_, Json<_>>(17)?.0,
        created_at: instant(row, 14)?,
        updated_at: instant(row, 15)?,
        version: row.try_get(16)?,
    })
}

/// Reads a price such as `12.50`.
pub fn cents(price: &str) -> anyhow::Result<i64> {
    let (whole, part) = price.split_once('.').unwrap_or((price, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    ensure!(digits(whole) && (1..=8).contains(&whole.len()) && digits(part) && part.len() <= 2, "not a price");
    Ok(format!("{whole}{part:0<2}").parse()?)
}
