//! The media service: uploads, files, and their bytes.

mod bytes;
mod upload;

use super::{ANYONE, Answered, PAGE, first};
use crate::{
    cursor::List,
    exchange::{Exchange, read_json},
    respond::{self, Caching},
    route::{Auth, Glance, Route, Service::Media},
};
use ::bytes::{BufMut, Bytes, BytesMut};
use actors::{
    Snapshot,
    entity::family,
    read::{self, Rows},
};
use http::{HeaderValue, Method, Response, StatusCode, header};
use protocol::{Command, ErrorCode, Fact, Key, Kind, MediaId, Query, Refusal, Timestamp, file, file::Place};
use std::{sync::Arc, time::Duration};

/// The service's routes.
pub fn routes() -> Vec<Route> {
    vec![
        Route::new(
            (Media, Method::POST, "/upload"),
            Auth::Token,
            "Keep a file. Of an image the answer comes once all of its variants are there; under `Prefer: respond-async`, or when that takes too long, with 202 before.",
            upload::upload,
        )
        .multipart()
        .for_demo(),
        Route::new((Media, Method::GET, "/public/files"), Auth::Open, "Files that everybody may see, newest first.", public_files)
            .params(PAGE)
            .fast(public_files_now),
        Route::new((Media, Method::GET, "/files/:id"), Auth::Optional, "A person's files, newest first: of others, those that everybody may see; of one's own also how much is stored, and may be.", of_person)
            .params(PAGE),
        Route::new((Media, Method::GET, "/files/id/:id"), Auth::Optional, "A file, and where its bytes are.", one),
        Route::new((Media, Method::PATCH, "/files/:id"), Auth::Token, "Change who may see a file. Its owner only.", update),
        Route::new((Media, Method::DELETE, "/files/:id"), Auth::Token, "Remove a file. Its owner or a moderator.", delete),
        Route::new(
            (Media, Method::GET, "/media/:hash/:variant"),
            Auth::Open,
            "A file's bytes: `original`, or an image's `thumbnail`, `small`, `medium`, `large` or `optimized`, as `.webp`, `.jpeg`, `.png` or `.avif`; without an extension, as the client accepts. Private ones by the signed addresses in answers.",
            bytes::serve,
        )
        .params(bytes::SIGNED),
    ]
}

/// Where the bytes of a file are, as its owner publishes it.
fn place(file: &Snapshot) -> Result<&Place, Refusal> {
    if let Fact::File(place) = &file.view.fact { Ok(place) } else { Err(ErrorCode::Internal.into()) }
}

/// A file's body with its addresses as of now.
fn body(edge: &crate::Edge, file: &Snapshot, now: Timestamp) -> Result<Bytes, Refusal> {
    Ok(edge.addresses.complete(&file.view.body, place(file)?, now))
}

/// A file for whoever may see it. What only its owner may see has addresses that end soon, so nobody keeps it.
fn shown(exchange: &Exchange, file: &Snapshot) -> Answered {
    let body = body(&exchange.edge, file, Timestamp::now())?;
    if place(file)?.is_open {
        return Ok(respond::tagged(&exchange.headers, file.etag(), Caching::Shared, || body));
    }
    let mut response = respond::json(StatusCode::OK, body);
    if let Ok(etag) = HeaderValue::from_maybe_shared(file.etag()) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// The rows of a page as a JSON array.
fn array(edge: &crate::Edge, rows: &Rows) -> Result<Bytes, Refusal> {
    let now = Timestamp::now();
    let mut array = BytesMut::with_capacity(2 + rows.rows.len() * 2048);
    for row in &rows.rows {
        array.put_u8(if array.is_empty() { b'[' } else { b',' });
        array.put_slice(&body(edge, row, now)?);
    }
    if array.is_empty() {
        array.put_u8(b'[');
    }
    array.put_u8(b']');
    Ok(array.freeze())
}

fn public_files_now(glance: &Glance<'_>) -> Option<Response<Bytes>> {
    let page = crate::cursor::Params::parse(glance.query, PAGE).ok()?.page(List::PublicFiles).ok()?;
    let of = (Key::new(Kind::FileList, family::FILES), Query::Files(page));
    let rows = read::now(glance.client, |sight| read::list(sight, ANYONE, of.clone(), Kind::File))?;
    let array = array(glance.edge, &rows).ok()?;
    Some(respond::composed_rows(glance.headers, List::PublicFiles, (array, rows.next), Caching::Shared))
}

async fn public_files(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let page = exchange.params()?.page(List::PublicFiles)?;
    let of = (Key::new(Kind::FileList, family::FILES), Query::Files(page));
    let rows = read::complete(exchange.client(), &exchange.call(), |sight| read::list(sight, ANYONE, of.clone(), Kind::File)).await?;
    let array = array(&exchange.edge, &rows)?;
    Ok(respond::composed_rows(&exchange.headers, List::PublicFiles, (array, rows.next), Caching::Shared))
}

async fn of_person(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let page = exchange.params()?.page(List::UserFiles)?;
    let (viewer, of) = (exchange.viewer(), (Key::new(Kind::UserFiles, first(&exchange)), Query::Files(page)));
    let call = exchange.call();
    let rows = read::complete(exchange.client(), &call, |sight| read::list(sight, viewer, of.clone(), Kind::File));
    let (rows, usage) = tokio::join!(rows, own_usage(&exchange));
    let (rows, now) = (rows?, Timestamp::now());
    let files = rows.rows.iter().map(|row| body(&exchange.edge, row, now)).collect::<Result<Vec<_>, _>>()?;
    Ok(respond::objects_with(List::UserFiles, &files, rows.next, usage.as_ref().map(|usage| ("usage", usage))))
}

/// What a person has stored, and may.
#[derive(serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ShownUsage {
    files: u64,
    /// `null` where there is no limit.
    files_max: Option<u64>,
    /// Of all files, each counting for itself.
    bytes: u64,
    /// `null` where there is no limit.
    bytes_max: Option<u64>,
}

/// How much the caller has stored, if the list is their own. It is left out while the store does not say it: files are shown all the same.
async fn own_usage(exchange: &Exchange) -> Option<ShownUsage> {
    const WAIT: Duration = Duration::from_millis(500);
    let user = exchange.viewer().user.filter(|user| user.0 == first(exchange))?;
    let media = &exchange.edge.media;
    let (usage, quota) = (tokio::time::timeout(WAIT, media.usage(user)).await.ok()?.ok()?, media.quota());
    let bounded = |max: u64| Some(max).filter(|max| *max != u64::MAX);
    Some(ShownUsage { files: usage.files, files_max: bounded(quota.files_max), bytes: usage.bytes, bytes_max: bounded(quota.bytes_max) })
}

/// A file that the caller may see.
async fn seen(exchange: &Exchange, id: MediaId) -> Result<Arc<Snapshot>, Refusal> {
    let (viewer, key) = (exchange.viewer(), Key::new(Kind::File, id));
    let found = read::complete(exchange.client(), &exchange.call(), |sight| read::one(sight, viewer, key)).await?;
    found.ok_or_else(|| ErrorCode::NotFound.into())
}

async fn one(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    shown(&exchange, &*seen(&exchange, MediaId(first(&exchange))).await?)
}

async fn update(exchange: Arc<Exchange>, body: Bytes) -> Answered {
    let id = MediaId(first(&exchange));
    let update = file::Command::Update(read_json(&body)?);
    seen(&exchange, id).await?;
    exchange.client().write(&exchange.change()?, Key::new(Kind::File, id), Command::File(update)).await?;
    shown(&exchange, &*seen(&exchange, id).await?)
}

/// Whoever may not see it learns nothing but that: 404 before 403.
async fn delete(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let id = MediaId(first(&exchange));
    if !actors::visibility::moderates(&exchange.principal) {
        seen(&exchange, id).await?;
    }
    let command = Command::File(file::Command::Delete);
    Ok(respond::reply(exchange.client().write(&exchange.change()?, Key::new(Kind::File, id), command).await?))
}
