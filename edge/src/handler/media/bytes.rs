//! Bytes of files.

use super::Answered;
use crate::{
    exchange::Exchange,
    media::range::{Wanted, wanted},
};
use ::bytes::Bytes as Body;
use actors::media::{Bytes, Found, cache_key};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, header};
use images::{Encoding, Variant};
use protocol::{
    ErrorCode, Refusal, Timestamp,
    file::{Content, ContentHash},
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The parameters of a signed address.
pub(super) const SIGNED: &[&str] = &["expires", "signature"];
/// What is left of a request's time for its answer, when it stops waiting for a variant.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// An address never means other bytes, so nobody need ask again.
const OPEN: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
/// Under what a cache in front of the platform keeps an answer, and is told to forget it.
const SURROGATE_KEY: HeaderName = HeaderName::from_static("surrogate-key");
const PRIVATE: HeaderValue = HeaderValue::from_static("private, no-store");

const VARIANTS: [Variant; 5] = [Variant::Thumbnail, Variant::Small, Variant::Medium, Variant::Large, Variant::Optimized];
const ENCODINGS: [Encoding; 4] = [Encoding::WebP, Encoding::Jpeg, Encoding::Png, Encoding::Avif];

/// What the last segment of an address names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Bytes(Bytes),
    /// A variant, in a form that the client takes.
    Negotiated(Variant),
}

pub(super) async fn serve(exchange: Arc<Exchange>, _: Body) -> Answered {
    let (hash, word) = words(&exchange.path).ok_or(ErrorCode::NotFound)?;
    let call = exchange.call();
    let media = &exchange.edge.media;
    let Found { content, is_open } = media.find(&call, hash).await?;
    if !is_open && !is_signed(&exchange, (hash, word)) {
        return Err(ErrorCode::NotFound.into());
    }
    let named = name(word, &content).ok_or(ErrorCode::NotFound)?;
    let bytes = match named {
        Named::Bytes(bytes) => bytes,
        Named::Negotiated(variant) => Bytes::Variant(variant, accepted(&exchange.headers)),
    };
    let until = exchange.ends_at.checked_sub(ANSWER_TIME).unwrap_or(exchange.ends_at);
    let size = media.measure(&content, bytes, until.max(Instant::now())).await?;
    let mut response = answer(&exchange, (&content, bytes), size).await?;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, if is_open { OPEN } else { PRIVATE });
    if is_open && let Ok(key) = HeaderValue::try_from(cache_key(hash)) {
        headers.insert(SURROGATE_KEY, key);
    }
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if matches!(named, Named::Negotiated(_)) {
        headers.append(header::VARY, HeaderValue::from_static("accept"));
    }
    Ok(response)
}

/// The hash and the last segment of a path.
fn words(path: &str) -> Option<(ContentHash, &str)> {
    let (hash, word) = path.strip_prefix("/media/")?.split_once('/')?;
    Some((hash.parse().ok()?, word))
}

fn is_signed(exchange: &Exchange, named: (ContentHash, &str)) -> bool {
    let Ok(params) = exchange.params() else { return false };
    let (Ok(Some(expires)), Some(signature)) = (params.read("expires", "a time"), params.text("signature")) else { return false };
    exchange.edge.addresses.is_signed(named, (expires, signature), Timestamp::now())
}

/// What a word of an address names; `None` if it is no address of ours.
fn name(word: &str, content: &Content) -> Option<Named> {
    let (stem, extension) = word.split_once('.').map_or((word, None), |(stem, extension)| (stem, Some(extension)));
    if stem == "original" {
        return (extension == Some(&content.extension)).then_some(Named::Bytes(Bytes::Original));
    }
    let variant = VARIANTS.into_iter().find(|variant| variant.name() == stem).filter(|_| content.is_image)?;
    match extension {
        None => Some(Named::Negotiated(variant)),
        Some(extension) => {
            let encoding = ENCODINGS.into_iter().find(|encoding| encoding.name() == extension)?;
            Some(Named::Bytes(Bytes::Variant(variant, encoding)))
        }
    }
}

/// The form that a client takes: WebP, unless it says otherwise. (AVIF is slow to make, and is only made for who asks for it by name.)
fn accepted(headers: &HeaderMap) -> Encoding {
    let accepts: Vec<_> = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()).collect();
    if accepts.is_empty() {
        return Encoding::WebP;
    }
    // How much a type is wanted: by its own name, or else by what stands for all images, or for everything.
    let quality = |mime: &str| {
        let of = |range: &str| {
            accepts.iter().flat_map(|value| value.split(',')).find_map(|entry| {
                let mut parts = entry.split(';').map(str::trim);
                let is_it = parts.next()?.eq_ignore_ascii_case(range);
                is_it.then(|| parts.find_map(|part| part.strip_prefix("q=")).and_then(|q| q.parse::<f32>().ok()).unwrap_or(1.0))
            })
        };
        of(mime).or_else(|| of("image/*")).or_else(|| of("*/*")).unwrap_or(0.0)
    };
    let candidates = [Encoding::WebP, Encoding::Jpeg, Encoding::Png];
    // The first of those that are wanted most.
    candidates.into_iter().rev().max_by(|a, b| quality(a.mime()).total_cmp(&quality(b.mime()))).unwrap_or(Encoding::WebP)
}

async fn answer(exchange: &Exchange, (content, bytes): (&Content, Bytes), size: u64) -> Result<Response<Body>, Refusal> {
    let (part, mime) = match bytes {
        Bytes::Original => ("original".to_owned(), &*content.mime_type),
        Bytes::Variant(variant, encoding) => (format!("{}.{}", variant.name(), encoding.name()), encoding.mime()),
    };
    // What was made once of some content is made anew only when it was gone meanwhile.
    let etag = format!("\"{}-{part}\"", content.folder.simple());
    let mut response = Response::new(Body::new());
    let range = if crate::respond::is_current(&exchange.headers, etag.as_bytes()) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        None
    } else {
        match wanted(&exchange.headers, &etag, size) {
            Wanted::All => Some(0..size),
            Wanted::Nothing => return Err(Refusal::new(ErrorCode::BadRange, format!("there are {size} bytes"))),
            Wanted::Part(range) => {
                *response.status_mut() = StatusCode::PARTIAL_CONTENT;
                let content_range = HeaderValue::try_from(format!("bytes {}-{}/{size}", range.start, range.end - 1));
                response.headers_mut().insert(header::CONTENT_RANGE, content_range.map_err(|_| ErrorCode::Internal)?);
                Some(range)
            }
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::ETAG, HeaderValue::try_from(etag).map_err(|_| ErrorCode::Internal)?);
    let Some(range) = range else { return Ok(response) };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_str(mime).map_err(|_| ErrorCode::Internal)?);
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(range.end - range.start));
    if !content.is_image {
        // It is for saving: nothing of it is to be run or shown as a page of ours.
        headers.insert(header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment"));
    }
    if exchange.method != Method::HEAD {
        *response.body_mut() = exchange.edge.media.read(content, bytes, range).await?;
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::UserId;

    fn content(is_image: bool) -> Content {
        let extension = if is_image { "jpeg" } else { "pdf" }.to_owned();
        let (hash, folder, of) = (ContentHash([1; 32]), uuid::Uuid::nil(), UserId::new());
        Content { hash, folder, extension, mime_type: "image/jpeg".to_owned(), is_image, public_by: Vec::new(), of }
    }

    #[test]
    fn each_address_names_one_thing() {
        let image = content(true);
        assert_eq!(name("original.jpeg", &image), Some(Named::Bytes(Bytes::Original)));
        assert_eq!(name("medium.avif", &image), Some(Named::Bytes(Bytes::Variant(Variant::Medium, Encoding::Avif))));
        assert_eq!(name("medium", &image), Some(Named::Negotiated(Variant::Medium)));
        for other in ["original", "original.jpg", "original.pdf", "medium.jpg", "medium.", "huge.webp", "", "..", "small.webp.webp"] {
            assert_eq!(name(other, &image), None, "{other}");
        }
        assert_eq!(name("original.pdf", &content(false)), Some(Named::Bytes(Bytes::Original)));
        assert_eq!(name("small.webp", &content(false)), None);
        let hash = ContentHash([1; 32]);
        assert_eq!(words(&format!("/media/{hash}/small.webp")), Some((hash, "small.webp")));
        assert_eq!(words("/media/xyz/small.webp"), None);
    }

    #[test]
    fn clients_get_the_form_that_they_take() {
        let of = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT, accept.parse().expect("a value"));
            accepted(&headers)
        };
        assert_eq!(accepted(&HeaderMap::new()), Encoding::WebP);
        assert_eq!(of("image/avif,image/webp,*/*;q=0.8"), Encoding::WebP);
        assert_eq!(of("*/*"), Encoding::WebP);
        assert_eq!(of("image/png,image/jpeg;q=0.9"), Encoding::Png);
        assert_eq!(of("image/jpeg, image/webp;q=0"), Encoding::Jpeg);
        assert_eq!(of("image/jpeg,image/*;q=0.5"), Encoding::Jpeg);
    }
}
