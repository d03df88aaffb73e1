//! A field of a partial update.

use serde::{Deserialize, Deserializer, Serialize};

/// What an update says of one optional field: absent keeps it, `null` clears it, a value sets it. Use with `#[serde(default)]`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
pub enum Patch<T> {
    /// The field was absent.
    #[default]
    Keep,
    /// The field was `null`.
    Clear,
    /// The field had a value.
    Set(T),
}

impl<T> Patch<T> {
    /// Carries the patch out on `field`.
    pub fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }

    /// The new value, if there is one.
    pub fn value(&self) -> Option<&T> {
        if let Self::Set(value) = self { Some(value) } else { None }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set));
        }
        #[derive(Deserialize)]
        enum Frame<T> {
            Keep,
            Clear,
            Set(T),
        }
        Ok(match Frame::deserialize(deserializer)? {
            Frame::Keep => Self::Keep,
            Frame::Clear => Self::Clear,
            Frame::Set(value) => Self::Set(value),
        })
    }
}
