//! The keys of a check: one thing of the platform each, made for the run.

use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Method;
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;
use serde_json::json;

use super::history::{History, Key, Outcome, Value};
use super::{Kind, Options};
use crate::api::{self, Account, Api, path};
use crate::http::{Edge, Request, Response};
use crate::json::top_level_u64;
use crate::text;

/// The length of the text after the value, so that bodies have a usual size.
const FILLER_CHARS: usize = 160;

/// One key: how it is read and written.
#[derive(Debug)]
pub struct Subject {
    path: String,
    token: String,
    field: &'static str,
    filler: String,
    reads: Vec<Bytes>,
}

impl Subject {
    /// The request that reads it at the edge of this number.
    pub fn read_at(&self, edge: usize) -> &Bytes {
        &self.reads[edge]
    }

    /// The request that writes a value.
    pub fn write(&self, value: Value, edge: &Edge) -> Bytes {
        let body = json!({ self.field: self.content(value) });
        Request::new(Method::PUT, &self.path).bearer(&self.token).json(&body).encode(edge)
    }

    fn content(&self, value: Value) -> String {
        content(value, &self.filler)
    }
}

fn content(value: Value, filler: &str) -> String {
    format!("{} {filler}", value.marker())
}

/// The version that an answer names, in its body and its `ETag`, or why it cannot be used.
pub fn version_of(response: &Response<'_>) -> Result<u64, String> {
    let in_body = top_level_u64(response.body(), "version");
    match (in_body, response.etag_version()) {
        (Some(body), Some(etag)) if body != etag => Err(format!("the body says version {body}, the ETag {etag}")),
        (Some(version), _) | (None, Some(version)) => Ok(version),
        (None, None) => Err("neither body nor ETag names a version".to_owned()),
    }
}

/// Makes the keys, each with its first value written and acknowledged, and records those writes.
pub async fn prepare(options: &Options, history: &mut History) -> anyhow::Result<Vec<Subject>> {
    let mut preparer = Preparer::new(options).await?;
    let mut subjects = Vec::with_capacity(options.keys as usize);
    for key in 0..options.keys {
        let kind = options.kinds[key as usize % options.kinds.len()];
        let value = history.begin_write(key, 0);
        let (subject, version) = preparer.make(kind, key, value).await?;
        history.end_write(value, Outcome::Acknowledged { version, at: 0 });
        subjects.push(subject);
    }
    Ok(subjects)
}

struct Preparer<'a> {
    bases: &'a [Edge],
    api: Api,
    prefix: String,
    rng: ChaCha8Rng,
    /// Writes all posts and sells all products.
    author: Account,
}

impl<'a> Preparer<'a> {
    async fn new(options: &'a Options) -> anyhow::Result<Self> {
        let prefix = api::fresh_prefix();
        let mut api = Api::new(&options.bases[0], options.deadline.max(Duration::from_secs(30)));
        let author = api.register(&format!("{prefix}_author")).await.context("preparing the check")?;
        Ok(Self { bases: &options.bases, api, prefix, rng: ChaCha8Rng::seed_from_u64(options.seed), author })
    }

    async fn make(&mut self, kind: Kind, key: Key, value: Value) -> anyhow::Result<(Subject, u64)> {
        let filler = text::prose(&mut self.rng, FILLER_CHARS);
        let first = content(value, &filler);
        match kind {
            Kind::Profile => {
                let person = self.api.register(&format!("{}_{key}", self.prefix)).await?;
                let answer = self.api.put_profile(&person, &json!({"bio": first})).await?;
                let version = top_level_u64(&answer.body, "version").context("a changed profile names its version")?;
                let path = path::profile(&person.id);
                Ok((self.subject(path.clone(), &path, person.token, "bio", filler), version))
            }
            Kind::Product => {
                let body = api::new_product(&format!("Thing {key}"), &first, 5);
                let product = self.api.create_product(&self.author, &body).await?;
                let token = self.author.token.clone();
                let read = path::product(&product.id);
                Ok((self.subject(path::own_product(&product.id), &read, token, "description", filler), product.version))
            }
            Kind::Post => {
                let post = self.api.create_post(&self.author, &first).await?;
                let path = path::post(&post.id);
                let token = self.author.token.clone();
                Ok((self.subject(path.clone(), &path, token, "content", filler), post.version))
            }
        }
    }

    fn subject(&self, path: String, read: &str, token: String, field: &'static str, filler: String) -> Subject {
        let reads = self.bases.iter().map(|edge| Request::get(read).encode(edge)).collect();
        Subject { path, token, field, filler, reads }
    }
}
