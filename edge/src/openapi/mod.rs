//! The API's description in OpenAPI 3.1, made from the route table: what a route takes, answers and refuses is said in its row and nowhere else.
//!
//! Schemas are derived from the protocol's types (JSON Schema 2020-12, which is OpenAPI 3.1's own dialect). A type that is answered is a component; one
//! that is taken is written out where it is taken, since there its fields are optional where they have defaults.

mod operation;
pub(crate) mod page;
mod parameter;
mod shown;
mod table;

use crate::{
    dispatch::Scope,
    health::{Liveness, Readiness},
    problem,
    respond::{self, Caching},
    route::{self, Route, Service},
};
use bytes::Bytes;
use foldhash::fast::FixedState;
use http::{HeaderMap, Response};
use schemars::{
    JsonSchema, SchemaGenerator,
    generate::{Contract, SchemaSettings},
};
use serde_json::{Map, Value, json};
use std::{hash::BuildHasher, sync::OnceLock};

pub(crate) use table::describe;

/// The two ways in which types are described.
pub(crate) struct Generators {
    /// As they are answered: components that are referred to.
    answered: SchemaGenerator,
    /// As they are taken: written out.
    taken: SchemaGenerator,
}

impl Generators {
    fn new() -> Self {
        let settings = |contract, inline_subschemas| {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
                settings.inline_subschemas = inline_subschemas;
                settings.contract = contract;
            })
        };
        Self {
            answered: settings(Contract::Serialize, false).into_generator(),
            taken: settings(Contract::Deserialize, true).into_generator(),
        }
    }

    fn component<T: JsonSchema>(&mut self) -> Value {
        self.answered.subschema_for::<T>().to_value()
    }
}

/// The description of what one listener answers, as JSON.
#[must_use]
pub fn document(routes: &[Route], scope: Scope) -> Value {
    let mut generators = Generators::new();
    let mut paths: Map<String, Value> = Map::new();
    for route in routes.iter().filter(|route| scope == Scope::Gateway || scope == Scope::Own(route.service)) {
        let at_gateway = if scope == Scope::Gateway { route.service.prefix() } else { "" };
        let path = format!("{at_gateway}{}", operation::template(route));
        let described = operation::describe(route, &mut generators);
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        methods[route.method.as_str().to_ascii_lowercase()] = described;
    }
    operate(&mut paths, &mut generators);
    let problem = generators.component::<problem::Problem<'static>>();
    let responses: Map<String, Value> = operation::refusals(&problem).collect();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title(scope),
            "version": env!("CARGO_PKG_VERSION"),
            "description": INTRODUCTION,
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "tags": tags(scope),
        "paths": paths,
        "components": {
            "schemas": generators.answered.take_definitions(true),
            "responses": responses,
            "securitySchemes": {
                "cookie": {
                    "type": "apiKey",
                    "in": "cookie",
                    "name": "__Host-session",
                    "description": "The same in a browser, asked for by `cookie`. What changes something must then come from the platform's own \
                        pages or an allowed origin. Where the platform is reached by plain http the cookie is called `session`.",
                },
                "session": { "type": "http", "scheme": "bearer", "description": "The token that registering or signing in answered." },
            },
        },
    })
}

const INTRODUCTION: &str = "Lists answer `items` and `nextCursor`; pass that as `cursor` for the next page. An `ETag` is the version of what was \
    answered: send it as `If-None-Match` to be answered 304 while nothing changed, and as `If-Match` to write only what you have read. \
    `Idempotency-Key` makes a creating call repeatable. Whatever is refused is refused as `application/problem+json` with a `code`; callers over a \
    limit are told by 429 when to come back.";

fn title(scope: Scope) -> String {
    match scope {
        Scope::Own(service) => format!("Let's Connect: {}", service.name()),
        Scope::Gateway | Scope::Admin => "Let's Connect".to_owned(),
    }
}

fn tags(scope: Scope) -> Vec<Value> {
    let shown = Service::ALL.into_iter().filter(|service| match scope {
        Scope::Own(own) => *service == own || *service == Service::Gateway,
        Scope::Gateway | Scope::Admin => true,
    });
    shown.map(|service| json!({ "name": operation::tag(service), "description": about(service) })).collect()
}

const fn about(service: Service) -> &'static str {
    match service {
        Service::Gateway => "What every listener answers, the gateway's live updates, and how the platform runs.",
        Service::User => "People: accounts, profiles, skills, follows.",
        Service::Content => "Posts, comments and feeds.",
        Service::Shop => "Products and orders.",
        Service::Media => "Files: uploads, images in their sizes, galleries.",
    }
}

/// What every listener answers itself.
fn operate(paths: &mut Map<String, Value>, generators: &mut Generators) {
    let answers =
        |schema: Value, description: &str| json!({ "description": description, "content": { "application/json": { "schema": schema } } });
    let (live, ready) = (generators.component::<Liveness>(), generators.component::<Readiness>());
    for (path, id, summary, schema) in [
        ("/health", "getHealth", "Whether the process lives.", live),
        ("/health/ready", "getHealthReady", "Whether it should be asked.", ready),
    ] {
        let operation = json!({
            "operationId": id,
            "summary": summary,
            "tags": [operation::tag(Service::Gateway)],
            "security": [],
            "responses": { "200": answers(schema.clone(), "It does."), "503": answers(schema, "It does not.") },
        });
        paths.insert(path.to_owned(), json!({ "get": operation }));
    }
}

/// What a listener answers to `GET /openapi.json`: written once, when it is first asked for.
pub(crate) fn response(scope: Scope, request: &HeaderMap) -> Response<Bytes> {
    static WRITTEN: [OnceLock<(Bytes, Bytes)>; Service::ALL.len()] = [const { OnceLock::new() }; Service::ALL.len()];
    let place = Service::ALL.iter().position(|service| *service == scope.service()).unwrap_or_default();
    let (etag, body) = WRITTEN[place].get_or_init(|| {
        let body = serde_json::to_vec(&document(&route::table(), scope)).unwrap_or_default();
        let etag = format!("\"{:x}\"", FixedState::with_seed(0).hash_one(&body));
        (etag.into(), body.into())
    });
    respond::tagged(request, etag.clone(), Caching::Shared, || body.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    fn gateway() -> Value {
        document(&route::table(), Scope::Gateway)
    }

    #[test]
    fn the_description_in_the_repository_is_the_tables() {
        let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
        let described = format!("{}\n", serde_json::to_string_pretty(&gateway()).expect("JSON"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(file, described).expect("docs/openapi.json can be written");
        } else {
            assert!(std::fs::read_to_string(file).unwrap_or_default() == described, "run `cargo xtask docs`");
        }
    }

    /// Every `$ref` in a document.
    fn references(value: &Value, found: &mut HashSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|field| references(field, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }

    #[test]
    fn every_route_is_described_and_every_reference_leads_somewhere() {
        let document = gateway();
        let mut ids = HashSet::new();
        for route in route::table() {
            let path = format!("{}{}", route.service.prefix(), operation::template(&route));
            let described = &document["paths"][&path][route.method.as_str().to_ascii_lowercase()];
            assert!(described.is_object(), "{} {path}", route.method);
            assert!(ids.insert(described["operationId"].to_string()), "{} {path}: a name twice", route.method);
        }
        let mut found = HashSet::new();
        references(&document, &mut found);
        assert!(found.len() > 10);
        for reference in found {
            let pointer = reference.strip_prefix('#').expect("within the document");
            assert!(document.pointer(pointer).is_some(), "{reference}");
        }
    }

    #[test]
    fn a_services_own_port_describes_its_own_routes() {
        let document = document(&route::table(), Scope::Own(Service::Shop));
        let paths: Vec<_> = document["paths"].as_object().expect("an object").keys().collect();
        assert!(paths.iter().any(|path| *path == "/orders") && paths.iter().any(|path| *path == "/health"), "{paths:?}");
        assert!(!paths.iter().any(|path| path.starts_with("/posts") || path.starts_with("/api/")), "{paths:?}");
    }
}
