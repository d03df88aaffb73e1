//! One route as an operation of the description.

use super::{Generators, parameter};
use crate::{
    problem,
    rate::Class,
    route::{Access, Auth, Input, Route, Segment, Service, Shape},
};
use http::{Method, StatusCode};
use protocol::{ErrorCode, Idempotency};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The path as a template: `/profile/{userId}`.
pub(super) fn template(route: &Route) -> String {
    route.segments.iter().fold(String::new(), |path, segment| match segment {
        Segment::Text(text) => format!("{path}/{text}"),
        Segment::Id(name) | Segment::Name(name) => format!("{path}/{{{name}}}"),
    })
}

/// What a service's operations are filed under.
pub(super) fn tag(service: Service) -> &'static str {
    match service {
        Service::Gateway => "all",
        service => service.name().trim_end_matches("-service"),
    }
}

/// A name for the operation, the same in every release: method and path, `getUserProfileByUserId`.
fn name(route: &Route) -> String {
    let service = if route.service == Service::Gateway { String::new() } else { capital(tag(route.service)) };
    let begin = format!("{}{service}", route.method.as_str().to_ascii_lowercase());
    route.segments.iter().fold(begin, |name, segment| match segment {
        Segment::Text(text) => format!("{name}{}", capital(text)),
        Segment::Id(id) | Segment::Name(id) => format!("{name}By{}", capital(id)),
    })
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

pub(super) fn describe(route: &Route, generators: &mut Generators) -> Value {
    let mut operation = json!({
        "operationId": name(route),
        "summary": route.summary,
        "description": who(route.access),
        "tags": [tag(route.service)],
        "security": security(route.auth),
        "parameters": parameters(route),
        "responses": responses(route, generators),
        "x-access": route.access.name(),
        "x-rate-class": route.class.name(),
    });
    if let Input::Json(bytes_max) = route.input {
        let schema = route.takes.map_or(json!({ "type": "object" }), |described| described(&mut generators.taken).to_value());
        operation["requestBody"] = json!({ "required": true, "content": { "application/json": { "schema": schema } } });
        if let Some(bytes_max) = bytes_max {
            operation["requestBody"]["x-bytes-max"] = bytes_max.into();
        }
    }
    if route.input == Input::Multipart {
        operation["requestBody"] = form();
    }
    operation
}

/// The form of an upload, as its route takes it.
fn form() -> Value {
    json!({
        "required": true,
        "content": { "multipart/form-data": { "schema": {
            "type": "object",
            "required": ["file"],
            "properties": {
                "file": { "type": "string", "format": "binary" },
                "userId": { "type": "string", "description": "Where old clients send an id, it must be the caller's." },
                "visibility": { "type": "string", "enum": ["public", "private"], "default": "public" },
            },
        } } },
    })
}

fn who(access: Access) -> &'static str {
    match access {
        Access::Anyone => "Open to all.",
        Access::Viewer => "Open to all; a session decides what is seen.",
        Access::Person => "For whoever is signed in.",
        Access::Subject => "For the person whom the path names.",
        Access::Owner => "For whose it is.",
        Access::NotOwner => "For whoever is signed in, but whose it is.",
        Access::OwnerOrModerator => "For whose it is, and for moderators.",
        Access::Moderator => "For moderators.",
        Access::Admin => "For admins.",
    }
}

fn security(auth: Auth) -> Value {
    match auth {
        Auth::Open => json!([]),
        Auth::Optional => json!([{}, { "session": [] }, { "cookie": [] }]),
        Auth::Token | Auth::Subject | Auth::Rank(_) => json!([{ "session": [] }, { "cookie": [] }]),
    }
}

fn parameters(route: &Route) -> Vec<Value> {
    let ids = route.segments.iter().filter_map(|segment| match segment {
        Segment::Text(_) => None,
        Segment::Id(name) => Some(parameter::id(name)),
        Segment::Name(name) => Some(parameter::name(name)),
    });
    let mut all: Vec<_> = ids.chain(route.params.iter().map(|name| parameter::query(name))).collect();
    if route.is_idempotent_create() {
        let schema = json!({ "type": "string", "minLength": 1, "maxLength": Idempotency::KEY_BYTES_MAX, "pattern": "^[!-~]+$" });
        all.push(parameter::header(
            "Idempotency-Key",
            schema,
            "The same key is the same creation, however often it is sent, for 24 hours.",
        ));
    }
    all
}

fn responses(route: &Route, generators: &mut Generators) -> Value {
    let mut responses: Map<String, Value> = Map::new();
    for (status, shape) in &route.answers {
        let mut response = json!({ "description": status.canonical_reason().unwrap_or("Done") });
        let schema = match shape {
            Shape::Nothing => None,
            Shape::One(described) => Some(described(&mut generators.answered).to_value()),
            Shape::Page(described) => Some(page(described(&mut generators.answered).to_value())),
            Shape::Bytes => {
                response["content"] = json!({ "*/*": { "schema": { "type": "string", "format": "binary" } } });
                None
            }
            Shape::Events => {
                // No JSON Schema is of a stream: to some tools it is of its text, to others of each event.
                let about = "Server-sent events (HTML, 9.2), without end; what each of them is, is in docs/live.md.";
                response["content"] = json!({ "text/event-stream": { "schema": { "description": about } } });
                None
            }
        };
        if let Some(schema) = schema {
            response["content"] = json!({ "application/json": { "schema": schema } });
        }
        responses.insert(status.as_u16().to_string(), response);
    }
    if route.answers.is_empty() {
        responses.insert("2XX".to_owned(), json!({ "description": "Done" }));
    }
    if route.method == Method::GET && route.opens.is_none() {
        responses.insert("304".to_owned(), json!({ "description": "What the client has is current" }));
    }
    for (status, codes) in refused_by(route) {
        let codes: Vec<_> = codes.iter().map(|code| code.name()).collect();
        // Beside a reference nothing may stand but a description, which is what the codes are told in.
        let description = format!("{}: {}", status.canonical_reason().unwrap_or("Refused"), codes.join(", "));
        responses.insert(
            status.as_u16().to_string(),
            json!({ "$ref": format!("#/components/responses/{}", status.as_u16()), "description": description }),
        );
    }
    responses.into()
}

fn page(item: Value) -> Value {
    json!({
        "type": "object",
        "required": ["items", "nextCursor"],
        "properties": {
            "items": { "type": "array", "items": item },
            "nextCursor": { "type": ["string", "null"], "description": "What to pass as `cursor` for the next page; null behind the last." },
            "total": { "type": "integer", "minimum": 0, "description": "How many there are in all, where that is known." },
        },
    })
}

/// The codes with which a route may refuse, by status: those that follow from its shape, and its own.
pub(crate) fn refused_by(route: &Route) -> BTreeMap<StatusCode, Vec<ErrorCode>> {
    use ErrorCode as E;
    let mut codes = vec![E::TooManyRequests, E::Overloaded, E::Unavailable, E::Expired, E::OutcomeUnknown, E::Internal, E::InvalidQuery];
    if route.segments.iter().any(|segment| matches!(segment, Segment::Id(_))) {
        codes.extend([E::InvalidId, E::NotFound]);
    }
    if route.params.contains(&"cursor") && route.opens.is_none() {
        codes.push(E::InvalidCursor);
    }
    match route.auth {
        Auth::Open => {}
        Auth::Optional => codes.push(E::Unauthenticated),
        Auth::Token | Auth::Subject | Auth::Rank(_) => codes.extend([E::Unauthenticated, E::Forbidden]),
    }
    if route.input != Input::None {
        codes.extend([E::MalformedBody, E::InvalidField, E::UnsupportedMediaType, E::BodyTooLarge, E::BodyTooSlow]);
    }
    if route.method != Method::GET {
        codes.extend([E::Conflict, E::LimitReached, E::InvalidHeader]);
    }
    if route.method != Method::GET && route.auth != Auth::Open {
        codes.push(E::CrossSite);
    }
    if route.is_idempotent_create() {
        codes.extend([E::IdempotencyMismatch, E::IdempotencyInFlight]);
    }
    if route.method == Method::PUT || route.method == Method::DELETE || route.method == Method::PATCH {
        codes.push(E::PreconditionFailed);
    }
    if route.class == Class::SignIn {
        codes.push(E::BadCredentials);
    }
    codes.extend(route.refuses);
    let mut by_status: BTreeMap<StatusCode, Vec<ErrorCode>> = BTreeMap::new();
    for code in codes {
        let of_status = by_status.entry(problem::status(code)).or_default();
        if !of_status.contains(&code) {
            of_status.push(code);
        }
    }
    by_status
}

/// The responses of refusals, by status.
pub(super) fn refusals(problem: &Value) -> impl Iterator<Item = (String, Value)> {
    let mut statuses: Vec<_> = ErrorCode::ALL.iter().map(|code| problem::status(*code)).collect();
    statuses.sort_unstable();
    statuses.dedup();
    statuses.into_iter().map(move |status| {
        let mut response = json!({
            "description": status.canonical_reason().unwrap_or("Refused"),
            "content": { "application/problem+json": { "schema": problem } },
        });
        if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
            response["headers"] =
                json!({ "Retry-After": { "schema": { "type": "integer" }, "description": "Seconds to wait.", "required": true } });
        }
        (status.as_u16().to_string(), response)
    })
}
