//! Answers as HTTP: status, entity tag, conditional requests, and bodies put together from rows.

use crate::{
    cursor::{self, List},
    security,
};
use actors::{
    Snapshot,
    read::{Bookmarks, Rows, Shared},
};
use bytes::{BufMut, Bytes, BytesMut};
use foldhash::fast::FixedState;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use protocol::{Fact, Outcome, Position, Reply, UserId};
use std::{
    hash::{BuildHasher, Hasher},
    ops::Range,
};

const JSON: HeaderValue = HeaderValue::from_static("application/json");
/// Headers that an answer has before the dispatcher adds its own.
const OWN_HEADERS: usize = 3;

/// How an answer may be cached on its way. None is fresh without asking: that is what keeps reads after writes true.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Caching {
    /// One body for all viewers: any cache may keep it, and must ask whether it is current.
    Shared,
    /// For this viewer only: their own cache may keep it, and must ask.
    Private,
    /// Not to be kept.
    Never,
}

impl Caching {
    const fn header(self) -> HeaderValue {
        match self {
            Self::Shared => HeaderValue::from_static("public, no-cache"),
            Self::Private => HeaderValue::from_static("private, no-cache"),
            Self::Never => HeaderValue::from_static("no-store"),
        }
    }
}

/// A JSON answer with an entity tag; 304 without a body if the client has it.
#[must_use]
pub fn tagged(request: &HeaderMap, etag: Bytes, caching: Caching, body: impl FnOnce() -> Bytes) -> Response<Bytes> {
    let current = is_current(request, &etag);
    let mut response = Response::new(if current { Bytes::new() } else { body() });
    let headers = response.headers_mut();
    headers.reserve(OWN_HEADERS + security::COUNT_MAX);
    if let Ok(etag) = HeaderValue::from_maybe_shared(etag) {
        headers.insert(header::ETAG, etag);
    }
    headers.insert(header::CACHE_CONTROL, caching.header());
    if current {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    } else {
        response.headers_mut().insert(header::CONTENT_TYPE, JSON);
    }
    response
}

/// An entity's view, as it was published.
#[must_use]
pub fn view(request: &HeaderMap, snapshot: &Snapshot, caching: Caching) -> Response<Bytes> {
    tagged(request, snapshot.etag(), caching, || snapshot.view.body.clone())
}

/// A post as the viewer sees it: a share with what it shares.
#[must_use]
pub fn post(request: &HeaderMap, post: &Snapshot, shared: &Shared, caching: Caching) -> Response<Bytes> {
    let Fact::Share { parent, .. } = post.view.fact else { return view(request, post, caching) };
    let shown = shared.get(&parent.0);
    // Another viewer, and the same one later, may see less or more below the same version.
    let tag = Bytes::from(format!("\"{}-{}\"", post.view.version, shown.map_or(0, |shown| shown.view.version)));
    tagged(request, tag, caching, || with_parent(&post.view.body, shown.map(|shown| &**shown)))
}

/// A share's body with what it shares, or `null` where the viewer may not see that.
#[must_use]
pub fn with_parent(share: &Bytes, parent: Option<&Snapshot>) -> Bytes {
    let mut body = BytesMut::with_capacity(share.len() + parent.map_or(4, |parent| parent.view.body.len()) + 16);
    put_share(&mut body, share, parent);
    body.freeze()
}

fn put_share(body: &mut BytesMut, share: &[u8], parent: Option<&Snapshot>) {
    let Some((_, open)) = share.split_last() else { return };
    body.put_slice(open);
    body.put_slice(b",\"parent\":");
    body.put_slice(parent.map_or(b"null", |parent| &parent.view.body));
    body.put_u8(b'}');
}

/// A page of bookmarks with their posts.
#[must_use]
pub fn bookmarks(request: &HeaderMap, list: List, found: &Bookmarks) -> Response<Bytes> {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    for (kept, post) in &found.rows {
        hasher.write_u128(kept.id.0.as_u128());
        hash_row(&mut hasher, post, &found.shared);
    }
    hasher.write_u128(found.next.map_or(0, |next| next.id.as_u128()));
    tagged(request, Bytes::from(format!("\"{:016x}\"", hasher.finish())), Caching::Private, || {
        let mut body = BytesMut::from(&b"{\"items\":["[..]);
        for (index, (kept, post)) in found.rows.iter().enumerate() {
            if index > 0 {
                body.put_u8(b',');
            }
            let kept = serde_json::to_vec(kept).unwrap_or_default();
            body.put_slice(kept.strip_suffix(b"}").unwrap_or_default());
            body.put_slice(b",\"post\":");
            put_row(&mut body, post, &found.shared);
            body.put_u8(b'}');
        }
        body.put_u8(b']');
        close(&mut body, found.next.map(|next| (list, next)), None);
        body.freeze()
    })
}

/// A page: `{"items":[…],"nextCursor":…,"total":…}`, tagged by the ids and versions of its rows.
#[must_use]
pub fn rows(request: &HeaderMap, list: List, rows: &Rows, caching: Caching) -> Response<Bytes> {
    tagged(request, rows_tag(rows), caching, || rows_body(list, rows))
}

/// A page whose rows are rendered already, a JSON array.
#[must_use]
pub fn array(request: &HeaderMap, list: Option<List>, part: &Snapshot, caching: Caching) -> Response<Bytes> {
    let protocol::Fact::Rows { next, total } = part.view.fact else {
        return view(request, part, caching);
    };
    tagged(request, part.etag(), caching, || {
        let mut body = BytesMut::with_capacity(part.view.body.len() + 128);
        body.put_slice(b"{\"items\":");
        body.put_slice(&part.view.body);
        close(&mut body, list.zip(next), total);
        body.freeze()
    })
}

/// A page whose rows are by different people, without those that `shown` does not want shown to the viewer.
#[must_use]
pub fn authored(request: &HeaderMap, list: List, part: &Snapshot, shown: impl Fn(UserId) -> bool, caching: Caching) -> Response<Bytes> {
    let protocol::Fact::Authored { rows, next, total } = &part.view.fact else {
        return view(request, part, caching);
    };
    let all = &part.view.body;
    // Rows stand one behind the other with a comma between: the first begins behind the bracket.
    let begins = std::iter::once(1).chain(rows.iter().map(|(_, end)| *end as usize + 1));
    let kept: Vec<_> = begins.zip(rows).filter(|(_, (author, _))| shown(*author)).map(|(begin, (_, end))| begin..*end as usize).collect();
    let whole = kept.len() == rows.len();
    // A page that was cut for a viewer is another one than the whole, and nobody else's.
    let (tag, caching) = if whole { (part.etag(), caching) } else { (cut_tag(part, &kept), Caching::Private) };
    tagged(request, tag, caching, || {
        let mut body = BytesMut::with_capacity(all.len() + 128);
        body.put_slice(b"{\"items\":[");
        for (index, row) in kept.iter().enumerate() {
            if index > 0 {
                body.put_u8(b',');
            }
            body.put_slice(&all[row.clone()]);
        }
        body.put_u8(b']');
        close(&mut body, next.map(|next| (list, next)), *total);
        body.freeze()
    })
}

fn cut_tag(part: &Snapshot, kept: &[Range<usize>]) -> Bytes {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write_u64(part.view.version);
    for row in kept {
        hasher.write_usize(row.start);
    }
    Bytes::from(format!("\"{}-{:016x}\"", part.view.version, hasher.finish()))
}

/// A page of rows that no cache may keep.
#[must_use]
pub fn unkept<T: serde::Serialize>(list: List, rows: &[T], next: Option<Position>) -> Response<Bytes> {
    let mut body = BytesMut::with_capacity(128);
    body.put_slice(b"{\"items\":");
    body.put_slice(&serde_json::to_vec(rows).expect("rows of the platform's own types serialise"));
    close(&mut body, next.map(|next| (list, next)), None);
    json(StatusCode::OK, body.freeze())
}

/// A page of rows that were put together for this request, a JSON array; tagged by its bytes.
#[must_use]
pub fn composed_rows(request: &HeaderMap, list: List, (rows, next): (Bytes, Option<Position>), caching: Caching) -> Response<Bytes> {
    let mut body = BytesMut::with_capacity(rows.len() + 128);
    body.put_slice(b"{\"items\":");
    body.put_slice(&rows);
    close(&mut body, next.map(|next| (list, next)), None);
    composed(request, body.freeze(), caching)
}

/// A body that was put together for this request; tagged by its bytes.
#[must_use]
pub fn composed(request: &HeaderMap, body: Bytes, caching: Caching) -> Response<Bytes> {
    let mut hasher = FixedState::with_seed(0).build_hasher();
    hasher.write(&body);
    tagged(request, Bytes::from(format!("\"{:016x}\"", hasher.finish())), caching, || body)
}

/// A page of rows that are rendered already, each a JSON object, and that no cache may keep.
#[must_use]
pub fn objects(list: List, rows: &[Bytes], next: Option<Position>) -> Response<Bytes> {
    objects_with::<()>(list, rows, next, None)
}

/// As [`objects`], with something about the whole list under a name of its own.
#[must_use]
pub fn objects_with<T: serde::Serialize>(list: List, rows: &[Bytes], next: Option<Position>, about: Option<(&str, &T)>) -> Response<Bytes> {
    let mut body = BytesMut::with_capacity(128 + rows.iter().map(|row| row.len() + 1).sum::<usize>());
    body.put_slice(b"{\"items\":[");
    for (index, row) in rows.iter().enumerate() {
        if index > 0 {
            body.put_u8(b',');
        }
        body.put_slice(row);
    }
    body.put_u8(b']');
    if let Some((name, about)) = about {
        body.put_slice(format!(",\"{name}\":").as_bytes());
        body.put_slice(&serde_json::to_vec(about).expect("the platform's own types serialise"));
    }
    close(&mut body, next.map(|next| (list, next)), None);
    json(StatusCode::OK, body.freeze())
}

/// What a write came to: 201 or 200 with the thing, 204 where there is nothing to show.
#[must_use]
pub fn reply(reply: Reply) -> Response<Bytes> {
    let status = match (reply.outcome, reply.body.is_empty()) {
        (Outcome::Created, _) => StatusCode::CREATED,
        (Outcome::Done, false) => StatusCode::OK,
        (Outcome::Done, true) => StatusCode::NO_CONTENT,
    };
    let tag = (reply.version > 0 && !reply.body.is_empty()).then(|| format!("\"{}\"", reply.version));
    let mut response = json(status, reply.body);
    if let Some(etag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
        response.headers_mut().insert(header::ETAG, etag);
    }
    response
}

/// A JSON answer that is not to be kept.
#[must_use]
pub fn json(status: StatusCode, body: Bytes) -> Response<Bytes> {
    let empty = body.is_empty();
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, Caching::Never.header());
    if !empty {
        headers.insert(header::CONTENT_TYPE, JSON);
    }
    response
}

/// Whether `If-None-Match` holds the tag (RFC 9110, 13.1.2: weak comparison, `*` matches anything).
pub(crate) fn is_current(request: &HeaderMap, etag: &[u8]) -> bool {
    let Some(sent) = request.get(header::IF_NONE_MATCH) else { return false };
    let tags = sent.as_bytes().split(|b| *b == b',').map(<[u8]>::trim_ascii);
    tags.map(|tag| tag.strip_prefix(b"W/").unwrap_or(tag)).any(|tag| tag == etag || tag == b"*")
}

/// A row's body is made of its entity at a version, so ids and versions tell pages apart.
fn rows_tag(rows: &Rows) -> Bytes {
    // The same on every node; nobody gains by a collision but a stale page in their own cache.
    let mut hasher = FixedState::with_seed(0).build_hasher();
    for row in &rows.rows {
        hash_row(&mut hasher, row, &rows.shared);
    }
    if let Some(next) = rows.next {
        hasher.write_u64(next.id.as_u64_pair().1);
    }
    hasher.write_u64(rows.total.unwrap_or(u64::MAX));
    Bytes::from(format!("\"{:016x}\"", hasher.finish()))
}

fn rows_body(list: List, rows: &Rows) -> Bytes {
    let length: usize = rows.rows.iter().map(|row| row.view.body.len() + 1).sum();
    let mut body = BytesMut::with_capacity(length + 128);
    body.put_slice(b"{\"items\":[");
    for (index, row) in rows.rows.iter().enumerate() {
        if index > 0 {
            body.put_u8(b',');
        }
        put_row(&mut body, row, &rows.shared);
    }
    body.put_u8(b']');
    close(&mut body, rows.next.map(|next| (list, next)), rows.total);
    body.freeze()
}

/// A row as the viewer sees it.
fn put_row(body: &mut BytesMut, row: &Snapshot, shared: &Shared) {
    match row.view.fact {
        Fact::Share { parent, .. } => put_share(body, &row.view.body, shared.get(&parent.0).map(|parent| &**parent)),
        _ => body.put_slice(&row.view.body),
    }
}

/// What tells a row from others, and from itself at other times.
fn hash_row(hasher: &mut impl Hasher, row: &Snapshot, shared: &Shared) {
    let (high, low) = row.key.id.as_u64_pair();
    hasher.write_u64(high);
    hasher.write_u64(low);
    hasher.write_u64(row.view.version);
    if let Fact::Share { parent, .. } = row.view.fact {
        hasher.write_u64(shared.get(&parent.0).map_or(0, |parent| parent.view.version));
    }
}

fn close(body: &mut BytesMut, next: Option<(List, Position)>, total: Option<u64>) {
    match next {
        Some((list, next)) => {
            body.put_slice(b",\"nextCursor\":\"");
            body.put_slice(cursor::encode(list, next).as_bytes());
            body.put_u8(b'"');
        }
        None => body.put_slice(b",\"nextCursor\":null"),
    }
    if let Some(total) = total {
        body.put_slice(b",\"total\":");
        body.put_slice(itoa::Buffer::new().format(total).as_bytes());
    }
    body.put_u8(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditional_requests_compare_weakly_and_in_lists() {
        let asks = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::IF_NONE_MATCH, HeaderValue::from_static(value));
            is_current(&headers, b"\"7\"")
        };
        assert!(asks("\"7\"") && asks("W/\"7\"") && asks("\"1\", \"7\"") && asks("*"));
        assert!(!asks("\"77\"") && !asks("7") && !asks(""));
        assert!(!is_current(&HeaderMap::new(), b"\"7\""));
    }
}
