//! Uploads.

use super::{Answered, seen};
use crate::{exchange::Exchange, media::intake, respond};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use protocol::{Command, ErrorCode, Key, Kind, MediaId, Refusal, Timestamp, file, file::Status};
use std::{sync::Arc, time::Duration};

/// What is left of a request's time for its answer, when it stops waiting for variants.
const ANSWER_TIME: Duration = Duration::from_secs(2);

/// What of a file says how it went.
#[derive(serde::Deserialize)]
struct Outcome {
    status: Status,
    failure: Option<String>,
}

pub(super) async fn upload(exchange: Arc<Exchange>, _: Bytes) -> Answered {
    let edge = &exchange.edge;
    let room = edge.uploads.try_acquire().map_err(|_| ErrorCode::Overloaded)?;
    // Whoever has no room is told before their bytes come. What a repetition is known by is its key alone.
    edge.media.check_room(exchange.user()?, exchange.idempotency(&[])?.as_ref(), None).await?;
    let incoming = exchange.incoming.lock().take().ok_or(ErrorCode::Internal)?;
    let until = exchange.ends_at.checked_sub(ANSWER_TIME).unwrap_or(exchange.ends_at);
    let place = (&*edge.options.spool_dir, edge.media.limits().image.bytes_max);
    let upload = intake::receive(&exchange.headers, incoming, place, until).await?;
    // The same request has the same file, name and visibility.
    let told =
        [&upload.hash[..], upload.visibility.name().as_bytes(), &[0], upload.name.as_deref().unwrap_or_default().as_bytes()].concat();
    let id = edge.media.keep(&exchange.create(&told)?, upload).await?;
    drop(room);
    let wants_no_wait = is_async(&exchange);
    if !wants_no_wait {
        edge.media.settled(id, until).await?;
    }
    answer(&exchange, id, wants_no_wait).await
}

/// Whether the client does not want to wait (RFC 7240).
fn is_async(exchange: &Exchange) -> bool {
    let preferences = exchange.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    preferences.flat_map(|value| value.split(',')).any(|preference| preference.trim().eq_ignore_ascii_case("respond-async"))
}

async fn answer(exchange: &Arc<Exchange>, id: MediaId, wants_no_wait: bool) -> Answered {
    let late = exchange.late();
    let file = seen(&late, id).await?;
    let Outcome { status, failure } = serde_json::from_slice(&file.view.body).map_err(|_| ErrorCode::Internal)?;
    if status == Status::Failed {
        // What nobody can see is nobody's to tidy up.
        late.client().write(&late.call(), Key::new(Kind::File, id), Command::File(file::Command::Delete)).await?;
        return Err(Refusal::new(ErrorCode::BadImage, failure.unwrap_or_else(|| ErrorCode::BadImage.meaning().to_owned())));
    }
    let body = super::body(&exchange.edge, &file, Timestamp::now())?;
    let is_ready = status == Status::Ready;
    let mut response = respond::json(if is_ready { StatusCode::CREATED } else { StatusCode::ACCEPTED }, body);
    let headers = response.headers_mut();
    if let Ok(etag) = HeaderValue::from_maybe_shared(file.etag()) {
        headers.insert(header::ETAG, etag);
    }
    if let Ok(location) = HeaderValue::try_from(exchange.edge.addresses.of_file(id)) {
        headers.insert(header::LOCATION, location);
    }
    if !is_ready {
        headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if wants_no_wait {
        headers.insert("preference-applied", HeaderValue::from_static("respond-async"));
    }
    Ok(response)
}
