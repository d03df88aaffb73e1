//! Types whose JSON is not what their fields say, as JSON Schema describes them. The rest is derived, beside each type.
//!
//! Only with the feature `schema`, which the edge turns on for its description of the API.

use crate::{
    comment::Comment,
    file::ContentHash,
    id::{CommentId, PostId, UserId},
    money::Money,
    patch::Patch,
    product::Rating,
    time::Timestamp,
};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for ContentHash {
    fn schema_name() -> Cow<'static, str> {
        "ContentHash".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }

    fn inline_schema() -> bool {
        true
    }
}

impl JsonSchema for Money {
    fn schema_name() -> Cow<'static, str> {
        "Money".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let text = json_schema!({ "type": "string", "pattern": "^[0-9]{1,8}(\\.[0-9]{1,2})?$", "examples": ["12.50"] });
        if generator.contract().is_serialize() {
            return text;
        }
        // A number is taken, too, as long as it has no more than two decimals; which is what a schema cannot say of a binary fraction.
        json_schema!({ "anyOf": [text, { "type": "integer", "minimum": 0, "maximum": 99_999_999 }] })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Stands flat in its product.
impl JsonSchema for Rating {
    fn schema_name() -> Cow<'static, str> {
        "Rating".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "object",
            "required": ["ratingAverage", "ratingCount"],
            "properties": {
                "ratingAverage": { "type": ["number", "null"], "minimum": 1, "maximum": 5, "description": "With two decimals; null without a review." },
                "ratingCount": { "type": "integer", "minimum": 0 },
            },
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Absent keeps, `null` clears, a value sets.
impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("Patch_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        Option::<T>::json_schema(generator)
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A comment as it is shown: a deleted one that was answered says neither what nor who.
#[derive(JsonSchema)]
#[schemars(rename_all = "camelCase")]
#[allow(dead_code)]
struct ShownComment {
    id: CommentId,
    post_id: PostId,
    user_id: Option<UserId>,
    content: String,
    parent_id: Option<CommentId>,
    reply_count: u32,
    score: i32,
    is_deleted: bool,
    /// Where it is so: then, too, it says neither what nor who.
    #[serde(default)]
    hidden: bool,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl JsonSchema for Comment {
    fn schema_name() -> Cow<'static, str> {
        "Comment".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        ShownComment::json_schema(generator)
    }
}
