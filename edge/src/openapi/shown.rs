//! Answers that are put together at the edge from what owners published, as the description has them.

use crate::handler::media::ShownUsage;
use protocol::{
    Money, PostId, ProductId, Timestamp, UserId,
    account::SessionView,
    bookmark::Bookmark,
    cart,
    checkout::Total,
    comment::Comment,
    file::File,
    moderation::{Flag, PublicCase},
    order::Order,
    post::Post,
    product::Product,
    reaction::ReactionType,
    review::Review,
    user::{PublicUser, User},
    wishlist,
};
use schemars::JsonSchema;
use serde::Serialize;

/// A post as it is shown.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownPost {
    #[serde(flatten)]
    post: Post,
    /// What a share shares; `null` where the caller may not see that. Other posts do not have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<Post>,
}

/// A bookmark with its post.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownBookmark {
    #[serde(flatten)]
    bookmark: Bookmark,
    post: ShownPost,
}

/// A file with where its bytes are. Addresses of a private file are worth something for five minutes.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownFile {
    #[serde(flatten)]
    file: File,
    /// The file itself.
    url: String,
    /// The full size, made smaller; the file itself where that would be larger. `null` as long as it is not made, and of what is no image.
    optimized_url: Option<String>,
    thumbnail_url: Option<String>,
    responsive_sizes: Option<ResponsiveSizes>,
}

/// A page of a person's files.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct PersonsFiles {
    items: Vec<ShownFile>,
    /// What to pass as `cursor` for the next page; null behind the last.
    next_cursor: Option<String>,
    /// To the person themselves only, and left out while the store does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<ShownUsage>,
}

/// An image in the sizes that pages choose from.
#[derive(Serialize, JsonSchema)]
struct ResponsiveSizes {
    /// Within 150 × 150 pixels.
    thumbnail: String,
    /// Within 400 × 400 pixels.
    small: String,
    /// Within 800 × 800 pixels.
    medium: String,
    /// Within 1920 × 1920 pixels.
    large: String,
}

/// A cart with its products as they are now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownCart {
    items: Vec<ShownLine>,
    /// What the available lines cost, by seller.
    sellers: Vec<ShownSeller>,
    /// What the available lines cost, by currency.
    totals: Vec<Total>,
}

/// A line of a cart.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ShownLine {
    id: uuid::Uuid,
    product_id: ProductId,
    quantity: u32,
    /// The price for a piece when the line was last set: what a checkout pays at most.
    agreed_price: Money,
    agreed_currency: String,
    price_changed: bool,
    /// Whether a checkout would take it.
    available: bool,
    /// Why not.
    hindrance: Option<Hindrance>,
    /// What the line costs now.
    subtotal: Option<Money>,
    /// `null` once it is not for sale to the caller any more.
    product: Option<Product>,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// Why a line would not be ordered.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[allow(dead_code)]
enum Hindrance {
    Gone,
    OutOfStock,
    PriceRaised,
    TooMuch,
}

/// What is to be paid to a seller.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ShownSeller {
    seller_id: UserId,
    totals: Vec<Total>,
}

/// A wish with its product as it is now.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownWish {
    product_id: ProductId,
    created_at: Timestamp,
    /// `null` once it is not for sale to the caller any more.
    product: Option<Product>,
}

/// Everything that is one person's.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct Export {
    account: User,
    sessions: Vec<SessionView>,
    following: Vec<UserId>,
    followers: Vec<UserId>,
    blocks: Vec<UserId>,
    posts: Vec<Post>,
    comments: Vec<Comment>,
    reactions: Vec<OwnReaction>,
    bookmarks: Vec<Bookmark>,
    products: Vec<Product>,
    orders_placed: Vec<Order>,
    orders_received: Vec<Order>,
    reviews: Vec<Review>,
    cart: Vec<cart::Item>,
    wishlist: Vec<wishlist::Item>,
    files: Vec<File>,
    exported_at: Timestamp,
    /// `false` if there was more than a document may hold.
    complete: bool,
}

/// How a person reacted to a post.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct OwnReaction {
    post_id: PostId,
    r#type: Option<ReactionType>,
}

/// What a case is about, as it is now.
#[derive(Serialize, JsonSchema)]
#[serde(untagged)]
#[allow(dead_code, clippy::large_enum_variant)]
pub(super) enum ShownTarget {
    Post(Post),
    Comment(Comment),
    Product(Product),
    Review(Review),
    File(FlaggedFile),
    User(PublicUser<'static>),
}

/// A file that a case is about. It has addresses where everybody may see it, and in a case of its own for whom it is about and for moderators who may decide
/// on it while there is something to decide; that they looked is in the audit log then.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct FlaggedFile {
    #[serde(flatten)]
    file: File,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    optimized_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail_url: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    responsive_sizes: Option<ResponsiveSizes>,
}

/// A case with what it is about.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ShownCase {
    #[serde(flatten)]
    case: PublicCase<'static>,
    /// `null` if it was deleted.
    target: Option<ShownTarget>,
}

/// A case with what it is about; to moderators also with who flagged that and who decided.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct WholeCase {
    #[serde(flatten)]
    case: ShownCase,
    /// To moderators only.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided_by: Option<UserId>,
    /// To moderators only: the newest flags, newest first.
    #[serde(skip_serializing_if = "Option::is_none")]
    reports: Option<Vec<Flag>>,
}
