//! Files that people upload: what they are, who may see them, and by which names their bytes are kept.

use crate::{
    error::{ErrorCode, Refusal},
    id::{MediaId, UserId},
    moderation::Verdict,
    time::Timestamp,
    validate,
    view::Audience,
    words::words,
};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use uuid::Uuid;

/// Longest name that a file had where it came from, in characters. What is longer is cut off.
pub const NAME_CHARS_MAX: usize = 255;
/// Files with the same content that are looked at to say who shows it: public ones first.
pub const SHARERS_MAX: u16 = 16;
/// How often a file is taken up again whose rendering was broken off, before it has failed: what ends the process each time must not do so for ever.
pub const ATTEMPTS_MAX: u32 = 3;

words! {
    /// What a file mainly is.
    Class { Image = "image", Video = "video", Audio = "audio", Document = "document", Other = "other" }
}
words! {
    /// Who may see a file.
    #[derive(Default)]
    Visibility { #[default] Public = "public", Private = "private" }
}
words! {
    /// Where a file stands.
    Status {
        /// Its variants are being made.
        Pending = "pending",
        /// All that will be there is there.
        Ready = "ready",
        /// It could not be made into variants.
        Failed = "failed",
    }
}
words! {
    /// Which variants of a file there are.
    #[derive(Default)]
    Rendered {
        /// None: it is no image, or nothing is made yet.
        #[default]
        Nothing = "nothing",
        /// The four sizes.
        Sizes = "sizes",
        /// The four sizes, and the full size made smaller.
        Smaller = "smaller",
        /// The four sizes; the full size would not be smaller than the file is.
        Original = "original",
    }
}

/// The SHA-256 of a file's bytes as they are kept: the name of its content. 64 hexadecimal digits in texts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ContentHash(pub [u8; 32]);

impl ContentHash {
    /// The id under which the content has its owner: made of the hash.
    #[must_use]
    pub fn id(&self) -> Uuid {
        let mut head = [0; 16];
        head.copy_from_slice(&self.0[..16]);
        Uuid::new_v8(head)
    }
}

impl std::fmt::Display for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ContentHash({self})")
    }
}

/// A text that is no hash of content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not 64 hexadecimal digits in lower case")]
pub struct NoHash;

impl std::str::FromStr for ContentHash {
    type Err = NoHash;

    /// Of each hash there is one text only, so that each content has one address.
    fn from_str(text: &str) -> Result<Self, NoHash> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Ok(byte - b'0'),
            b'a'..=b'f' => Ok(byte - b'a' + 10),
            _ => Err(NoHash),
        };
        let mut hash = [0; 32];
        if text.len() != 2 * hash.len() {
            return Err(NoHash);
        }
        for (byte, digits) in hash.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = digit(digits[0])? << 4 | digit(digits[1])?;
        }
        Ok(Self(hash))
    }
}

impl Serialize for ContentHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() { serializer.collect_str(self) } else { self.0.serialize(serializer) }
    }
}

impl<'de> Deserialize<'de> for ContentHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            return String::deserialize(deserializer)?.parse().map_err(D::Error::custom);
        }
        <[u8; 32]>::deserialize(deserializer).map(Self)
    }
}

/// A colour, in sRGB.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[allow(missing_docs)]
pub struct Colour {
    pub r: u8,
    pub g: u8,
    pub b: u8,
}

impl Colour {
    /// As 0xRRGGBB.
    #[must_use]
    pub const fn number(self) -> u32 {
        u32::from_be_bytes([0, self.r, self.g, self.b])
    }

    /// Of 0xRRGGBB; what is above that is left out.
    #[must_use]
    pub const fn from_number(number: u32) -> Self {
        let [_, r, g, b] = number.to_be_bytes();
        Self { r, g, b }
    }
}

/// What an image is, as people see it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Metadata {
    /// In pixels, upright.
    pub width: u32,
    /// In pixels, upright.
    pub height: u32,
    /// `jpeg`, `png`, `webp`, `gif` or `avif`.
    pub format: String,
}

/// A file. Its view has no addresses: the edge adds them, because those of a private file are only for a while.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct File {
    pub id: MediaId,
    pub user_id: UserId,
    /// The name that it has here: its content's hash, and the extension of what it is.
    pub filename: String,
    /// The name that it had where it came from.
    pub original_name: Option<String>,
    /// By its content, whatever its name says.
    pub mime_type: String,
    /// Bytes that are kept: those of an image are without what its owner did not mean to publish, such as where it was taken.
    pub size: u64,
    #[serde(rename = "type")]
    pub class: Class,
    pub visibility: Visibility,
    pub status: Status,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    pub content_hash: ContentHash,
    /// A blur of the image, as an address with its content.
    pub blur_placeholder: Option<String>,
    /// The colour that most of the image has.
    pub dominant_color: Option<Colour>,
    /// Of images.
    pub metadata: Option<Metadata>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub version: u64,
    /// Hidden by moderators: only its owner may see it. Shown where it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub hidden: bool,
    /// Which variants there are: what addresses are made of.
    #[serde(skip)]
    pub rendered: Rendered,
    /// How often its rendering was taken up again.
    #[serde(skip)]
    pub attempts: u32,
}

impl File {
    /// Who may see it.
    #[must_use]
    pub fn audience(&self) -> Audience {
        if self.is_open() { Audience::Everyone } else { Audience::Only(self.user_id) }
    }

    /// Whether everybody may see it.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.visibility == Visibility::Public && self.status != Status::Failed && !self.hidden
    }

    /// Whether the list of public files has it.
    #[must_use]
    pub fn is_listed(&self) -> bool {
        self.is_open() && self.status == Status::Ready
    }

    /// Where its bytes are.
    #[must_use]
    pub fn place(&self) -> Place {
        let extension = self.filename.rsplit_once('.').map_or("bin", |(_, extension)| extension).to_owned();
        Place { by: self.user_id, hash: self.content_hash, extension, rendered: self.rendered, is_open: self.is_open() }
    }
}

/// What addresses of a file are made of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Place {
    /// Whose file it is.
    pub by: UserId,
    /// The name of its content.
    pub hash: ContentHash,
    /// The extension of the file itself.
    pub extension: String,
    /// Which variants there are.
    pub rendered: Rendered,
    /// Whether everybody may see it: else addresses are only for a while.
    pub is_open: bool,
}

/// Content, as far as serving it needs to be known. There is none without a file that has it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Content {
    /// Its name.
    pub hash: ContentHash,
    /// Where it is kept.
    pub folder: Uuid,
    /// The extension of what it is.
    pub extension: String,
    /// What it is.
    pub mime_type: String,
    /// Whether variants can be made of it.
    pub is_image: bool,
    /// Whose files show it to everybody; at most [`SHARERS_MAX`] are told.
    pub public_by: Vec<UserId>,
    /// Somebody whose file it is: who pays for work on it.
    pub of: UserId,
}

/// What a person has stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Usage {
    /// How many files.
    pub files: u64,
    /// Bytes of all of them, each file counting for itself: [`File::size`].
    pub bytes: u64,
}

/// What one person may have stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Quota {
    /// How many files; [`u64::MAX`] is no limit.
    pub files_max: u64,
    /// Bytes of all of them; [`u64::MAX`] is no limit.
    pub bytes_max: u64,
}

impl Quota {
    /// No limit.
    pub const NONE: Self = Self { files_max: u64::MAX, bytes_max: u64::MAX };

    /// Whether a person who has stored so much may store a file of so many bytes, too.
    #[must_use]
    pub const fn has_room(&self, usage: Usage, bytes: u64) -> bool {
        usage.files < self.files_max && usage.bytes.saturating_add(bytes) <= self.bytes_max
    }

    /// What whoever has no room for a file of so many bytes, or for any, is told.
    #[must_use]
    pub fn refusal(&self, usage: Usage, bytes: Option<u64>) -> Refusal {
        let of = |used: u64, max: u64| if max == u64::MAX { used.to_string() } else { format!("{used} of {max}") };
        let (used, files) = (of(usage.bytes, self.bytes_max), of(usage.files, self.files_max));
        let this = bytes.map(|bytes| format!(", and this file has {bytes} bytes")).unwrap_or_default();
        let detail = format!("you have stored {used} bytes in {files} files{this}: remove files that you do not need");
        Refusal::new(ErrorCode::QuotaExceeded, detail)
    }
}

/// A file whose bytes are kept already.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NewFile {
    /// Where clients name somebody, it must be the caller.
    pub user_id: Option<UserId>,
    /// As [`cut_name`] leaves it.
    pub original_name: Option<String>,
    /// Who may see it.
    pub visibility: Visibility,
    /// The name of its content.
    pub hash: ContentHash,
    /// Where its content was held.
    pub folder: Uuid,
    /// The extension of what it is: lower-case letters and digits.
    pub extension: String,
    /// What it is.
    pub mime_type: String,
    /// In bytes.
    pub size: u64,
    /// What it mainly is.
    pub class: Class,
    /// Of images.
    pub metadata: Option<Metadata>,
    /// What was made of the same content before, for another file: then nothing needs to be made.
    pub known: Option<Likeness>,
}

/// What is made of an image, beside its variants.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Likeness {
    /// Which variants there are.
    pub rendered: Rendered,
    /// See [`File::blur_placeholder`].
    pub blur_placeholder: String,
    /// See [`File::dominant_color`].
    pub dominant_color: Colour,
}

/// The name of a file as a client gave it, as it is kept: without folders and control characters, and not too long. `None` if nothing is left.
#[must_use]
pub fn cut_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let kept: String = last.chars().filter(|c| !c.is_control()).take(NAME_CHARS_MAX).collect();
    (!kept.trim().is_empty()).then_some(kept)
}

/// The body of `PATCH /files/:id`: the fields present are changed.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema), schemars(rename = "FileUpdate"))]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Update {
    pub visibility: Option<Visibility>,
}

/// Writes to a file.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Command {
    /// Makes it under the key's id; the caller becomes its owner.
    Create(Box<NewFile>),
    /// Changes the fields present. The owner only.
    Update(Update),
    /// Ends it. The owner or a moderator.
    Delete,
    /// Notes that its rendering is taken up again, and ends that after [`ATTEMPTS_MAX`] times. The platform only.
    TakeUp,
    /// Variants are there. The platform only; what is known already changes nothing.
    Render(Likeness),
    /// No variants can be made, for this reason. The platform only.
    Fail(String),
    /// Hides it, or ends that. The platform only.
    Moderate(Verdict),
}

impl NewFile {
    /// Checks what clients have a say in.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn validate(&self) -> Result<(), Refusal> {
        self.original_name.as_ref().map_or(Ok(()), |name| validate::text("filename", name, 1..=NAME_CHARS_MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_has_one_name() {
        let hash = ContentHash(std::array::from_fn(|place| place as u8 * 7));
        let text = hash.to_string();
        assert_eq!(text.parse(), Ok(hash));
        assert_eq!(serde_json::to_string(&hash).expect("JSON"), format!("\"{text}\""));
        assert_eq!(serde_json::from_str::<ContentHash>(&format!("\"{text}\"")).expect("a hash"), hash);
        for other in [text.to_uppercase(), text[1..].to_owned(), format!("{text}0"), "é".repeat(32), String::new()] {
            assert_eq!(other.parse::<ContentHash>(), Err(NoHash), "{other}");
        }
        assert_eq!(hash.id(), ContentHash(hash.0).id());
        assert_ne!(hash.id(), ContentHash([0; 32]).id());
    }

    #[test]
    fn a_quota_is_of_bytes_and_of_files_and_says_what_is_used() {
        let quota = Quota { files_max: 3, bytes_max: 100 };
        let usage = |files, bytes| Usage { files, bytes };
        assert!(quota.has_room(usage(2, 60), 40) && quota.has_room(usage(0, 0), 100) && quota.has_room(usage(2, 100), 0));
        assert!(!quota.has_room(usage(2, 60), 41) && !quota.has_room(usage(3, 0), 0) && !quota.has_room(usage(0, 1), u64::MAX));
        assert!(Quota::NONE.has_room(usage(1 << 40, 1 << 60), 1 << 30));
        let refusal = quota.refusal(usage(2, 60), Some(41));
        assert_eq!(refusal.code, ErrorCode::QuotaExceeded);
        assert_eq!(
            refusal.detail,
            "you have stored 60 of 100 bytes in 2 of 3 files, and this file has 41 bytes: remove files that you do not need"
        );
        let only_files = Quota { bytes_max: u64::MAX, ..quota }.refusal(usage(3, 60), None);
        assert_eq!(only_files.detail, "you have stored 60 bytes in 3 of 3 files: remove files that you do not need");
    }

    #[test]
    fn names_lose_what_is_not_theirs() {
        assert_eq!(cut_name("../../etc/passwd").as_deref(), Some("passwd"));
        assert_eq!(cut_name("C:\\photos\\beach\r\n.jpg").as_deref(), Some("beach.jpg"));
        assert_eq!(cut_name(&"é".repeat(300)).map(|name| name.chars().count()), Some(NAME_CHARS_MAX));
        assert_eq!((cut_name(""), cut_name("photos/"), cut_name(" \t")), (None, None, None));
    }
}
