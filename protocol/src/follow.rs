//! Who follows whom, and who blocks whom.

use crate::id::UserId;
use serde::{Deserialize, Serialize};

/// People whom one person may follow.
pub const FOLLOWING_MAX: usize = 5000;

/// People whom one person may block.
pub const BLOCKS_MAX: u64 = 5000;

/// A person's relations, as far as visibility and feeds need them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Relations {
    /// Whom they follow, ascending, at most [`FOLLOWING_MAX`].
    pub following: Vec<UserId>,
    /// Those of `following` who follow back, ascending.
    pub friends: Vec<UserId>,
    /// How many follow them.
    pub followers: u64,
    /// Whether their posts are pulled by readers instead of pushed to followers. Once set it stays.
    pub pulled: bool,
    /// The version of the person's relations.
    pub version: u64,
    /// From whom they are hidden, and who is hidden from them: whom they block and who blocks them, ascending. The former are at most
    /// [`BLOCKS_MAX`]; the latter are as many as choose to.
    pub hidden: Vec<UserId>,
    /// How many they block.
    pub blocks: u64,
}

impl Relations {
    /// Whether they follow `other`.
    #[must_use]
    pub fn follows(&self, other: UserId) -> bool {
        self.following.binary_search(&other).is_ok()
    }

    /// Whether they and `other` follow each other.
    #[must_use]
    pub fn is_friend(&self, other: UserId) -> bool {
        self.friends.binary_search(&other).is_ok()
    }

    /// Whether there is a block between them and `other`, whoever blocks whom.
    #[must_use]
    pub fn is_hidden(&self, other: UserId) -> bool {
        self.hidden.binary_search(&other).is_ok()
    }
}

/// Whether the caller follows somebody: what asking for it, following and unfollowing answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Standing {
    /// The other person.
    pub user_id: UserId,
    /// Whether the caller follows them now.
    pub following: bool,
}

/// Whether the caller blocks somebody: what blocking and its end answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Block {
    /// The other person.
    pub user_id: UserId,
    /// Whether the caller blocks them now.
    pub blocked: bool,
}

/// Writes to a person's relations.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Follows somebody. The person only; again is no error.
    Follow(UserId),
    /// Stops following. Not following is no error.
    Unfollow(UserId),
    /// Marks the person's posts as pulled. The platform only.
    MarkPulled,
    /// Blocks somebody: neither sees the other any more, and neither follows the other. The person only; again is no error.
    Block(UserId),
    /// Ends that; follows do not come back. Not blocking is no error.
    Unblock(UserId),
}
