//! Reactions to posts: one a person and post.

use crate::principal::UnknownName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! reactions {
    ($($variant:ident = $text:literal),*) => {
        /// What a person feels about a post. The order is that of rows: new ones go to the end.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(rename_all = "lowercase")]
        #[allow(missing_docs)]
        pub enum ReactionType { $($variant),* }

        impl ReactionType {
            /// Every reaction that there is.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in rows and views.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::str::FromStr for ReactionType {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownName) }
            }
        }
    };
}

reactions! { Like = "like", Love = "love", Haha = "haha", Wow = "wow", Sad = "sad", Angry = "angry" }

/// How many people reacted to a post, and how. As JSON an object of the reactions that somebody has: `{"like":3,"wow":1}`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(from = "BTreeMap<ReactionType, u32>", into = "BTreeMap<ReactionType, u32>")]
pub struct Reactions([u32; ReactionType::ALL.len()]);

impl Reactions {
    /// How many have this reaction.
    #[must_use]
    pub const fn of(&self, reaction: ReactionType) -> u32 {
        self.0[reaction as usize]
    }

    /// How many reacted.
    #[must_use]
    pub fn total(&self) -> u32 {
        self.0.iter().fold(0, |total, count| total.saturating_add(*count))
    }

    /// With one person's reaction replaced; `None` is no reaction.
    #[must_use]
    pub fn replaced(mut self, before: Option<ReactionType>, after: Option<ReactionType>) -> Self {
        if let Some(before) = before {
            self.0[before as usize] = self.of(before).saturating_sub(1);
        }
        if let Some(after) = after {
            self.0[after as usize] = self.of(after).saturating_add(1);
        }
        self
    }
}

impl From<BTreeMap<ReactionType, u32>> for Reactions {
    fn from(counts: BTreeMap<ReactionType, u32>) -> Self {
        let mut reactions = Self::default();
        for (reaction, count) in counts {
            reactions.0[reaction as usize] = count;
        }
        reactions
    }
}

impl From<Reactions> for BTreeMap<ReactionType, u32> {
    fn from(reactions: Reactions) -> Self {
        ReactionType::ALL.iter().map(|reaction| (*reaction, reactions.of(*reaction))).filter(|(_, count)| *count > 0).collect()
    }
}

/// The body of `PUT /posts/:id/reaction`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NewReaction {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<crate::id::UserId>,
    /// How the caller feels about the post.
    #[serde(rename = "type")]
    pub reaction: ReactionType,
}

/// The body of `GET /posts/:id/reactions`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "ReactionSummary"))]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many reacted how.
    pub summary: Reactions,
    /// How many reacted.
    pub total: u32,
    /// How the caller did, if somebody is signed in and reacted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own: Option<ReactionType>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_has_one_reaction_however_often_it_changes() {
        let one = Reactions::default().replaced(None, Some(ReactionType::Like));
        let other = one.replaced(Some(ReactionType::Like), Some(ReactionType::Angry));
        assert_eq!((other.total(), other.of(ReactionType::Like), other.of(ReactionType::Angry)), (1, 0, 1));
        assert_eq!(other.replaced(Some(ReactionType::Angry), None), Reactions::default());
    }

    #[test]
    fn json_names_what_somebody_has() {
        let reactions = Reactions::default().replaced(None, Some(ReactionType::Like)).replaced(None, Some(ReactionType::Wow));
        let text = serde_json::to_string(&reactions).expect("it is written");
        assert_eq!(text, r#"{"like":1,"wow":1}"#);
        assert_eq!(serde_json::from_str::<Reactions>(&text).expect("it is read"), reactions);
        for reaction in ReactionType::ALL {
            assert_eq!(reaction.name().parse(), Ok(*reaction));
        }
    }
}
