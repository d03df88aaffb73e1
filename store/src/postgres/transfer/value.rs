//! Values of any table, as the server's types say.

use crate::postgres::column::At;
use crate::transfer::document::Value;
use bytes::BytesMut;
use protocol::Timestamp;
use serde_json::Value as JsonValue;
use std::error::Error as StdError;
use tokio_postgres::types::{FromSql, IsNull, Json, ToSql, Type, to_sql_checked};
use uuid::Uuid;

impl<'a> FromSql<'a> for Value {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(match *of {
            Type::UUID => Self::Id(Uuid::from_sql(of, raw)?),
            Type::BYTEA => Self::Bytes(raw.to_vec()),
            Type::TEXT => Self::Text(String::from_sql(of, raw)?),
            Type::INT2 => Self::Int(i16::from_sql(of, raw)?.into()),
            Type::INT4 => Self::Int(i32::from_sql(of, raw)?.into()),
            Type::INT8 => Self::Int(i64::from_sql(of, raw)?),
            Type::TIMESTAMPTZ => Self::Int(At::from_sql(of, raw)?.0.0),
            Type::BOOL => Self::Bool(bool::from_sql(of, raw)?),
            Type::JSONB => Self::Json(Json::<JsonValue>::from_sql(of, raw)?.0),
            _ => return Err(format!("a column is of the type {of}").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

impl ToSql for Value {
    fn to_sql(&self, of: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, of) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Id(id), &Type::UUID) => id.to_sql(of, out),
            (Self::Bytes(bytes), &Type::BYTEA) => bytes.to_sql(of, out),
            (Self::Text(text), &Type::TEXT) => text.to_sql(of, out),
            (Self::Int(number), &Type::INT2) => i16::try_from(*number)?.to_sql(of, out),
            (Self::Int(number), &Type::INT4) => i32::try_from(*number)?.to_sql(of, out),
            (Self::Int(number), &Type::INT8) => number.to_sql(of, out),
            (Self::Int(ms), &Type::TIMESTAMPTZ) => At(Timestamp(*ms)).to_sql(of, out),
            (Self::Bool(is), &Type::BOOL) => is.to_sql(of, out),
            (Self::Json(value), &Type::JSONB) => Json(value).to_sql(of, out),
            _ => Err(format!("a column is of the type {of}").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
