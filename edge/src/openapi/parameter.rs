//! Parameters, as the description has them. A name means the same on every route.

use protocol::Page;
use serde_json::{Value, json};

/// A parameter of a query string.
pub(super) fn query(name: &str) -> Value {
    let (schema, description) = match name {
        "limit" => {
            (json!({ "type": "integer", "minimum": 1, "maximum": Page::LIMIT_MAX, "default": Page::LIMIT_DEFAULT }), "Rows of a page.")
        }
        "cursor" => (json!({ "type": "string" }), "The `nextCursor` of the page before; of live updates, the `cursor` of the last event."),
        "post" | "product" | "order" | "file" => {
            (json!({ "type": "string" }), "Ids of such things, with commas between them, whose changes are told as well.")
        }
        "page" => (json!({ "type": "integer", "minimum": 1 }), "The number of a page, for old clients; use `cursor`."),
        "minPrice" => (amount(), "Only from this price on."),
        "maxPrice" => (amount(), "Only up to this price."),
        "parent" => (json!({ "type": "string", "format": "uuid" }), "Only the answers to this comment."),
        "actor" | "target" => (json!({ "type": "string", "format": "uuid" }), "Only what this one did, or what was done to it."),
        "via" => (json!({ "type": "string", "enum": ["owner"] }), "`owner` asks the owner though its snapshot says the same; for probes."),
        "q" | "search" => (json!({ "type": "string" }), "Words to look for."),
        "skill" => (json!({ "type": "string" }), "Only who has this skill."),
        "location" => (json!({ "type": "string" }), "Only who is there."),
        "category" => (json!({ "type": "string" }), "Only of this category."),
        "sort" => (
            json!({ "type": "string" }),
            "The order: `newest`, `price_asc`, `price_desc`, `rating` or `relevance`. Without it, what fits `search` best, or newest first.",
        ),
        "status" => (json!({ "type": "string", "enum": ["open", "hidden", "restored", "dismissed"] }), "Only cases that stand so."),
        "expires" => (json!({ "type": "integer" }), "Until when a signed address is worth something, in seconds since 1970."),
        "signature" => (json!({ "type": "string" }), "What it is signed with."),
        _ => (json!({ "type": "string" }), ""),
    };
    json!({ "name": name, "in": "query", "schema": schema, "description": description })
}

fn amount() -> Value {
    json!({ "type": "string", "pattern": "^[0-9]{1,8}(\\.[0-9]{1,2})?$" })
}

/// An id in the path.
pub(super) fn id(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "format": "uuid" } })
}

/// Any text in the path.
pub(super) fn name(name: &str) -> Value {
    json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string", "minLength": 1 } })
}

/// A header that a route reads.
pub(super) fn header(name: &str, schema: Value, description: &str) -> Value {
    json!({ "name": name, "in": "header", "schema": schema, "description": description })
}
