//! A request's body on its way in: its type, its limit, and what the transport says of it.

use crate::{
    media::intake::Incoming,
    route::Input,
    server::{BodyError, RequestBody},
};
use bytes::{Buf, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, header};
use protocol::{ErrorCode, Refusal};
use std::{error::Error as _, pin::pin};

/// Reads a body to its end.
///
/// # Errors
/// `body_too_large`, `body_too_slow`, `malformed_body`.
pub(crate) async fn collect(stream: impl Stream<Item = Result<impl Buf, warp::Error>>) -> Result<Bytes, Refusal> {
    let mut stream = pin!(stream);
    let mut whole = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let mut chunk = chunk.map_err(|error| unread(&error))?;
        whole.extend_from_slice(&chunk.copy_to_bytes(chunk.remaining()));
    }
    Ok(whole.freeze())
}

/// A body's chunks as they come, for a handler that reads them itself.
pub(crate) fn stream(stream: impl Stream<Item = Result<impl Buf, warp::Error>> + Send + 'static) -> Incoming {
    let chunks = stream.map(|chunk| match chunk {
        Ok(mut chunk) => Ok(chunk.copy_to_bytes(chunk.remaining())),
        Err(error) => Err(unread(&error)),
    });
    chunks.boxed()
}

/// The transport's reason is the innermost cause that it knows.
fn unread(error: &warp::Error) -> Refusal {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(error) = inner.downcast_ref::<BodyError>() {
            return match error {
                BodyError::TooLarge { bytes_max } => too_large(*bytes_max),
                BodyError::TooSlow | BodyError::Timeout { .. } => ErrorCode::BodyTooSlow.into(),
                BodyError::Broken(_) => Refusal::new(ErrorCode::MalformedBody, "the body broke off"),
            };
        }
        cause = inner.source();
    }
    Refusal::new(ErrorCode::MalformedBody, "the body broke off")
}

fn too_large(bytes_max: u64) -> Refusal {
    Refusal::new(ErrorCode::BodyTooLarge, format!("the body takes at most {bytes_max} bytes"))
}

/// Checks what a request says of its body, and bounds it: JSON to `bytes_max` unless its route has a limit of its own, a form with a file to
/// `upload_bytes_max`.
///
/// # Errors
/// `body_too_large`, `unsupported_media_type`.
pub(crate) fn check(
    input: Input,
    headers: &HeaderMap,
    body: &mut RequestBody,
    (bytes_max, upload_bytes_max): (u64, u64),
) -> Result<(), Refusal> {
    let (bytes_max, takes) = match input {
        Input::None => return Ok(()),
        Input::Json(own) => (own.unwrap_or(bytes_max), "application/json"),
        Input::Multipart => (upload_bytes_max, "multipart/form-data"),
    };
    if body.declared_bytes().is_some_and(|declared| declared > bytes_max) {
        return Err(too_large(bytes_max));
    }
    body.set_bytes_max(bytes_max);
    let declared = headers.get(header::CONTENT_TYPE).map(|value| value.as_bytes());
    let essence = declared.map(|value| value.split(|b| *b == b';').next().unwrap_or_default().trim_ascii());
    match essence {
        Some(essence) if essence.eq_ignore_ascii_case(takes.as_bytes()) => Ok(()),
        _ => Err(Refusal::new(ErrorCode::UnsupportedMediaType, format!("the body takes the Content-Type {takes}"))),
    }
}
