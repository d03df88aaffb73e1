//! Posts.

use crate::{
    comment::NewComment,
    error::Refusal,
    hashtag::{Hashtag, hashtags},
    id::{CommentId, MediaId, PostId, UserId},
    moderation::Verdict,
    reaction::{ReactionType, Reactions},
    time::Timestamp,
    validate,
    view::Audience,
    words::words,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Longest post, in characters.
pub const CONTENT_CHARS_MAX: usize = 10_000;
/// Media that one post may show.
pub const MEDIA_MAX: usize = 20;
/// Words that one search looks for, and characters of a query in which they are looked for. What is beyond is not looked at.
pub const SEARCH_WORDS_MAX: usize = 16;
/// See [`SEARCH_WORDS_MAX`].
pub const SEARCH_CHARS_MAX: usize = 256;

words! {
    /// What a post mainly is.
    #[derive(Default)]
    PostType { #[default] Text = "text", Image = "image", Video = "video", Link = "link" }
}
words! {
    /// Who may see a post. Friends are people who follow each other.
    #[derive(Default)]
    Visibility { #[default] Public = "public", Friends = "friends", Private = "private" }
}

/// A post.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct Post {
    pub id: PostId,
    pub user_id: UserId,
    /// The post that this one shares.
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
    /// Public posts that share this one.
    pub shares_count: u32,
    pub reactions: Reactions,
    pub is_published: bool,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
    /// Hidden by moderators: only its author may see it. Shown where it is so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
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
            _ if self.hidden => Audience::Only(self.user_id),
            (_, _, Visibility::Friends) => Audience::Friends(self.user_id),
            (_, _, Visibility::Public) => Audience::Everyone,
        }
    }

    /// The hashtags by which it is found: none unless everyone may see it.
    #[must_use]
    pub fn found_by(&self) -> BTreeSet<Hashtag> {
        if self.audience() == Audience::Everyone { hashtags(&self.content) } else { BTreeSet::new() }
    }

    /// The post whose shares it is counted among: none unless everyone may see it, so that the count tells nobody of what they may not see.
    #[must_use]
    pub fn counted_by(&self) -> Option<PostId> {
        self.parent_id.filter(|_| self.audience() == Audience::Everyone)
    }
}

/// Whether `sharer` may share a post for `original` with `visibility`: never with more people than may see the post itself.
#[must_use]
pub fn may_share(original: Audience, sharer: UserId, visibility: Visibility) -> bool {
    match (original, visibility) {
        (Audience::Everyone, _) | (_, Visibility::Private) => true,
        // The sharer's friends are not the author's.
        (Audience::Friends(author), Visibility::Friends) => author == sharer,
        _ => false,
    }
}

/// Which of an author's posts a viewer may see.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub enum Scope {
    /// What everyone may see.
    Everyone,
    /// What friends may see, too.
    Friends,
    /// All of them: the viewer is the author.
    Author,
}

/// The words of a query, in lower case and without repetition, with a blank between: the first [`SEARCH_WORDS_MAX`] runs of letters and digits in
/// its first [`SEARCH_CHARS_MAX`] characters. Any text is safe to give, and what is made of it means nothing but words to any store.
#[must_use]
pub fn search_words(query: &str) -> String {
    let cut: String = query.chars().take(SEARCH_CHARS_MAX).collect::<String>().to_lowercase();
    let mut words: Vec<&str> = Vec::new();
    for word in cut.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        if words.len() < SEARCH_WORDS_MAX && !words.contains(&word) {
            words.push(word);
        }
    }
    words.join(" ")
}

/// The body of `POST /posts`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct NewPost {
    /// Where old clients send it, it must be the caller.
    #[serde(default)]
    pub user_id: Option<UserId>,
    /// The post that this one shares. The caller must be able to see it; whether they may is checked before it is sent.
    #[serde(default)]
    pub parent_id: Option<PostId>,
    /// 1 to [`CONTENT_CHARS_MAX`] characters; a share needs none.
    #[cfg_attr(feature = "schema", schemars(length(min = 1, max = CONTENT_CHARS_MAX)))]
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
        validate::text("content", &self.content, usize::from(self.parent_id.is_none())..=CONTENT_CHARS_MAX)?;
        validate::count("mediaIds", self.media_ids.len(), MEDIA_MAX)
    }
}

/// The body of `POST /posts/:id/share`.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct NewShare {
    /// Where old clients send it, it must be the caller.
    pub user_id: Option<UserId>,
    /// What the sharer says to it: 0 to [`CONTENT_CHARS_MAX`] characters.
    pub content: String,
    /// Who may see the share: no more people than may see what it shares.
    pub visibility: Visibility,
}

impl NewShare {
    /// The post that shares `original`.
    #[must_use]
    pub fn of(self, original: PostId) -> NewPost {
        NewPost {
            user_id: self.user_id,
            parent_id: Some(original),
            content: self.content,
            post_type: PostType::default(),
            media_ids: Vec::new(),
            visibility: self.visibility,
            is_published: true,
        }
    }
}

/// The body of `PUT /posts/:id`: the fields present are changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "PostUpdate"))]
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
    /// Hides it, or ends that. The platform only.
    Moderate(Verdict),
    /// Hides a comment, which leaves a tombstone, or ends that. The platform only.
    ModerateComment(CommentId, Verdict),
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_share_is_for_no_more_people_than_the_post() {
        let (author, sharer) = (UserId::new(), UserId::new());
        let allowed = |original, who| {
            [Visibility::Public, Visibility::Friends, Visibility::Private].map(|visibility| may_share(original, who, visibility))
        };
        assert_eq!(allowed(Audience::Everyone, sharer), [true, true, true]);
        assert_eq!(allowed(Audience::Friends(author), sharer), [false, false, true]);
        assert_eq!(allowed(Audience::Friends(author), author), [false, true, true]);
        assert_eq!(allowed(Audience::Only(author), author), [false, false, true]);
    }

    #[test]
    fn a_query_is_its_words() {
        assert_eq!(search_words("  The QUICK-brown fox's \"fox\" OR (NEAR *"), "the quick brown fox s or near");
        assert_eq!(search_words("\0!?*\"' -"), "");
        let many: String = (0..100).map(|n| format!("{n} ")).collect();
        assert_eq!(search_words(&many).split(' ').count(), SEARCH_WORDS_MAX);
    }

    proptest! {
        #[test]
        fn any_query_becomes_words(query in ".{0,400}") {
            let words = search_words(&query);
            prop_assert!(words.chars().all(|c| c.is_alphanumeric() || c == ' '), "{words:?}");
            prop_assert_eq!(search_words(&words), words);
        }
    }
}
