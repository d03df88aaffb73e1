//! Posts.

use crate::{
    comment::NewComment,
    error::Refusal,
    id::{CommentId, MediaId, PostId, UserId},
    principal::UnknownName,
    reaction::{ReactionType, Reactions},
    time::Timestamp,
    validate,
    view::Audience,
};
use serde::{Deserialize, Serialize};

/// Longest post, in characters.
pub const CONTENT_CHARS_MAX: usize = 10_000;
/// Media that one post may show.
pub const MEDIA_MAX: usize = 20;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
        #[serde(rename_all = "lowercase")]
        #[allow(missing_docs)]
        pub enum $name { $($(#[$vdoc])* $variant),* }

        impl $name {
            /// The word in rows and views.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;
            fn from_str(text: &str) -> Result<Self, UnknownName> {
                match text { $($text => Ok(Self::$variant),)* _ => Err(UnknownName) }
            }
        }
    };
}

words! {
    /// What a post mainly is.
    PostType { #[default] Text = "text", Image = "image", Video = "video", Link = "link" }
}
words! {
    /// Who may see a post. Friends are people who follow each other.
    Visibility { #[default] Public = "public", Friends = "friends", Private = "private" }
}

/// A post.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Post {
    pub id: PostId,
    pub user_id: UserId,
    pub parent_id: Option<PostId>,
    pub content: String,
    #[serde(rename = "type")]
    pub post_type: PostType,
    pub media_ids: Vec<MediaId>,
    pub visibility: Visibility,
    /// How many reacted, however they did.
    pub likes_count: u32,
    /// Comments that are not deleted, answers included.
    pub comments_count: u32,
    pub shares_count: u32,
    pub reactions: Reactions,
    pub is_published: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
    /// A deleted post keeps its row, without content, so that its id stays known as gone.
    #[serde(skip)]
    pub deleted: bool,
}

impl Post {
    /// Who may see it.
    #[must_use]
    pub fn audience(&self) -> Audience {
        match (self.deleted, self.is_published, self.visibility) {
            (true, ..) => Audience::Gone,
            (_, false, _) | (_, _, Visibility::Private) => Audience::Only(self.user_id),
            (_, _, Visibility::Friends) => Audience::Friends(self.user_id),
            (_, _, Visibility::Public) => Audience::Everyone,
        }
    }
}

/// The body of `POST /posts`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewPost {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<UserId>,
    #[serde(default)]
    pub parent_id: Option<PostId>,
    /// 1 to [`CONTENT_CHARS_MAX`] characters.
    pub content: String,
    #[serde(default, rename = "type")]
    pub post_type: PostType,
    /// At most [`MEDIA_MAX`].
    #[serde(default)]
    pub media_ids: Vec<MediaId>,
    #[serde(default)]
    pub visibility: Visibility,
    /// `false` keeps it a draft that only its author sees.
    #[serde(default = "yes")]
    pub is_published: bool,
}

const fn yes() -> bool {
    true
}

impl NewPost {
    /// Checks every field.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        validate::text("content", &self.content, 1..=CONTENT_CHARS_MAX)?;
        validate::count("mediaIds", self.media_ids.len(), MEDIA_MAX)
    }
}

/// The body of `PUT /posts/:id`: the fields present are changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Update {
    pub content: Option<String>,
    pub media_ids: Option<Vec<MediaId>>,
    pub visibility: Option<Visibility>,
    pub is_published: Option<bool>,
}

impl Update {
    /// Checks every field that is present.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        self.content.as_ref().map_or(Ok(()), |c| validate::text("content", c, 1..=CONTENT_CHARS_MAX))?;
        validate::count("mediaIds", self.media_ids.as_ref().map_or(0, Vec::len), MEDIA_MAX)
    }

    /// Carries the update out on `post`.
    pub fn apply(self, post: &mut Post) {
        post.content = self.content.unwrap_or_else(|| std::mem::take(&mut post.content));
        post.media_ids = self.media_ids.unwrap_or_else(|| std::mem::take(&mut post.media_ids));
        post.visibility = self.visibility.unwrap_or(post.visibility);
        post.is_published = self.is_published.unwrap_or(post.is_published);
    }
}

/// Writes to a post. A post is created by its author's timeline.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Changes the fields present. The author only.
    Update(Update),
    /// Deletes it. The author or a moderator.
    Delete,
    /// Adds a comment. Anyone who may see the post; whether the caller may is checked before it is sent.
    Comment(NewComment),
    /// Deletes a comment. Its author, the post's author or a moderator.
    DeleteComment {
        /// Which.
        id: CommentId,
        /// Who wrote it: immutable, so whoever looked it up may say it.
        author: UserId,
    },
    /// Sets the caller's reaction, or takes it back. Anyone who may see the post, which is checked before it is sent.
    React(Option<ReactionType>),
}
