//! Things to write, and commits that write them.

use protocol::account::{Device, Session};
use protocol::checkout::{self, Checkout, Line, Reserved};
use protocol::comment::Comment;
use protocol::file::{self, Class, ContentHash, File, Rendered};
use protocol::order::{Order, PaymentStatus, Status};
use protocol::post::{Post, PostType, Visibility};
use protocol::product::{Product, Rating};
use protocol::review::Review;
use protocol::user::{Level, Profile, Skill, User};
use protocol::{
    CartItemId, CheckoutId, CommentId, Epoch, Idempotency, Key, Kind, MediaId, Money, OrderId, Outcome, Page, Position, PostId, ProductId,
    ReviewId, Role, SkillId, Timestamp, UserId, cart,
};
use std::collections::BTreeMap;
use std::time::Duration;
use store::commit::NewRecord;
use store::{Commit, ContentWrite, Expect, Guard, MediaWrite, ShopWrite, Stores, Touch, UsersWrite};
use uuid::Uuid;

/// The instant at which everything here is made, unless a test says another.
pub const NOW: Timestamp = Timestamp(1_700_000_000_000);

pub fn person(name: &str) -> User {
    User {
        id: UserId::new(),
        username: name.to_owned(),
        email: format!("{name}@example.org"),
        first_name: None,
        last_name: None,
        bio: None,
        avatar: None,
        role: Role::User,
        is_active: true,
        profile: Profile::default(),
        skills: Vec::new(),
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// A name that nobody has.
pub fn name() -> String {
    Uuid::now_v7().simple().to_string()
}

pub fn session(number: u8) -> Session {
    let at = NOW.plus_ms(number.into());
    let mut token_hash = [number; 32];
    token_hash[..16].copy_from_slice(Uuid::now_v7().as_bytes());
    Session { token_hash, created_at: at, expires_at: at.plus_ms(1_000_000) }
}

/// Where a session is opened, another one for each number.
pub fn device(number: u8) -> Device {
    Device { user_agent: Some(format!("client {number}")), network: Some(format!("203.0.{number}.0/24")) }
}

pub fn skill(name: &str) -> Skill {
    Skill { id: SkillId::new(), name: name.to_owned(), level: Level::Advanced, endorsements: 0, created_at: NOW }
}

pub fn post(author: UserId) -> Post {
    Post {
        id: PostId::new(),
        user_id: author,
        parent_id: None,
        content: "hello".to_owned(),
        post_type: PostType::Text,
        media_ids: Vec::new(),
        visibility: Visibility::Public,
        likes_count: 0,
        comments_count: 0,
        shares_count: 0,
        reactions: Default::default(),
        is_published: true,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
        deleted: false,
        hidden: false,
    }
}

pub fn comment(post: PostId, created_at: Timestamp) -> Comment {
    let (id, user_id) = (CommentId::new(), UserId::new());
    Comment {
        id,
        post_id: post,
        user_id,
        content: "indeed".to_owned(),
        parent_id: None,
        reply_count: 0,
        score: -3,
        created_at,
        updated_at: created_at,
        deleted: false,
        hidden: false,
    }
}

pub fn product(seller: UserId, cents: i64) -> Product {
    Product {
        id: ProductId::new(),
        seller_id: seller,
        name: "a lamp".to_owned(),
        description: None,
        price: Money::from_cents(cents).expect("a price"),
        currency: "USD".to_owned(),
        images: Vec::new(),
        category: None,
        stock: 10,
        is_public: true,
        is_active: true,
        rating: Rating::default(),
        created_at: NOW,
        updated_at: NOW,
        version: 1,
        deleted: false,
        hidden: false,
    }
}

pub fn order(product: &Product, buyer: UserId) -> Order {
    Order {
        id: OrderId::new(),
        buyer_id: buyer,
        seller_id: product.seller_id,
        product_id: product.id,
        quantity: 2,
        total_amount: product.price.times(2).expect("a sum"),
        currency: product.currency.clone(),
        status: Status::Pending,
        shipping_address: BTreeMap::from([("city".to_owned(), "Żory".to_owned())]),
        payment_method: Some("card".to_owned()),
        payment_status: PaymentStatus::Pending,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// A commit by the owner of `key`, whose slot was never taken over.
pub fn commit<W>(key: Key, expect: Expect, write: W) -> Commit<W> {
    let guard = Guard { slot: key.slot(), epoch: Epoch(0) };
    Commit { guard, key, expect, record: None, touches: Vec::new(), write, now: NOW }
}

pub fn record(subject: UserId, key: &str) -> NewRecord {
    let idempotency = Idempotency { route: "create".to_owned(), key: key.to_owned(), fingerprint: [7; 32] };
    NewRecord { subject, idempotency, outcome: Outcome::Created, version: 3, body: bytes::Bytes::from_static(b"{\"id\":1}") }
}

pub fn registering(user: &User) -> Commit<UsersWrite> {
    let write = UsersWrite::Register {
        user: Box::new(user.clone()),
        password_hash: "$argon2id$x".to_owned(),
        session: session(0),
        device: device(0),
    };
    commit(Key::new(Kind::User, user.id), Expect::Row, write)
}

pub fn saving(user: &User, write: impl FnOnce(Box<User>) -> UsersWrite) -> Commit<UsersWrite> {
    commit(Key::new(Kind::User, user.id), Expect::Row, write(Box::new(user.clone())))
}

pub fn following(follower: UserId, followee: UserId, add: bool, at: Timestamp) -> Commit<UsersWrite> {
    let key = |id| Key::new(Kind::Follows, id);
    let mut commit = commit(key(follower), Expect::Any, UsersWrite::Follow { follower, followee, add, at });
    commit.touches = vec![Touch::Key(key(followee))];
    commit
}

pub fn creating(post: &Post) -> Commit<ContentWrite> {
    commit(Key::new(Kind::Timeline, post.user_id), Expect::Any, ContentWrite::CreatePost(Box::new(post.clone())))
}

pub fn saving_post(post: &Post, write: impl FnOnce(Box<Post>) -> ContentWrite) -> Commit<ContentWrite> {
    commit(Key::new(Kind::Post, post.id), Expect::Row, write(Box::new(post.clone())))
}

pub fn selling(product: &Product, write: impl FnOnce(Box<Product>) -> ShopWrite) -> Commit<ShopWrite> {
    commit(Key::new(Kind::Product, product.id), Expect::Row, write(Box::new(product.clone())))
}

pub fn cart_item(product: &Product, quantity: u32) -> cart::Item {
    let (price, currency) = (product.price, product.currency.clone());
    cart::Item { id: CartItemId::new(), product_id: product.id, quantity, price, currency, created_at: NOW, updated_at: NOW }
}

pub fn carting(person: UserId, version: u64, write: ShopWrite) -> Commit<ShopWrite> {
    commit(Key::new(Kind::Cart, person), Expect::Version(version), write)
}

pub fn review(product: &Product, author: UserId, rating: u8) -> Review {
    Review {
        id: ReviewId::new(),
        product_id: product.id,
        user_id: author,
        rating,
        title: Some("good".to_owned()),
        review_text: None,
        helpful_count: 0,
        verified_purchase: false,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
        hidden: false,
    }
}

pub fn reviewing(review: &Review, write: impl FnOnce(Box<Review>) -> ShopWrite) -> Commit<ShopWrite> {
    commit(Key::new(Kind::Review, review.id), Expect::Row, write(Box::new(review.clone())))
}

/// An image that everybody may see.
pub fn file(user: UserId, content_hash: ContentHash) -> File {
    File {
        id: MediaId::new(),
        user_id: user,
        filename: format!("{content_hash}.jpeg"),
        original_name: None,
        mime_type: "image/jpeg".to_owned(),
        size: 1000,
        class: Class::Image,
        visibility: file::Visibility::Public,
        status: file::Status::Pending,
        failure: None,
        content_hash,
        blur_placeholder: None,
        dominant_color: None,
        metadata: None,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
        hidden: false,
        rendered: Rendered::Nothing,
        attempts: 0,
    }
}

pub fn filing(file: &File, write: impl FnOnce(Box<File>) -> MediaWrite) -> Commit<MediaWrite> {
    commit(Key::new(Kind::File, file.id), Expect::Row, write(Box::new(file.clone())))
}

pub fn ordering(order: &Order, write: impl FnOnce(Box<Order>) -> ShopWrite) -> Commit<ShopWrite> {
    commit(Key::new(Kind::Order, order.id), Expect::Row, write(Box::new(order.clone())))
}

/// A checkout of these lines of a cart, as it begins.
pub fn checkout(buyer: UserId, items: &[cart::Item]) -> Checkout {
    let line = |item: &cart::Item| Line {
        item: item.id,
        product: item.product_id,
        quantity: item.quantity,
        price_max: item.price,
        currency: item.currency.clone(),
    };
    Checkout {
        id: CheckoutId::new(),
        user_id: buyer,
        fingerprint: Some([3; 32]),
        state: checkout::State::Reserving,
        lines: items.iter().map(line).collect(),
        request: checkout::Request { payment_method: Some("card".to_owned()), ..Default::default() },
        answer: bytes::Bytes::new(),
        expires_at: NOW.plus_ms(checkout::HELD_MS),
        created_at: NOW,
        version: 1,
    }
}

pub fn checking_out(checkout: &Checkout, write: impl FnOnce(Box<Checkout>) -> ShopWrite) -> Commit<ShopWrite> {
    commit(Key::new(Kind::Checkout, checkout.id), Expect::Row, write(Box::new(checkout.clone())))
}

pub fn reserved(product: &Product, quantity: u32) -> Reserved {
    Reserved { product: product.id, seller: product.seller_id, quantity, price: product.price, currency: product.currency.clone() }
}

/// Time enough on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits for something that must come.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !condition().await {
            // paced: between two looks at the condition.
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, waiting).await.is_ok(), "not within {PATIENCE:?}: {what}");
}

/// Registers somebody new.
pub async fn somebody(stores: &Stores) -> User {
    let user = person(&name());
    stores.users.commit(registering(&user)).await.expect("registered");
    user
}

/// Writes new posts of `author`, oldest first.
pub async fn posts(stores: &Stores, author: UserId, count: usize) -> Vec<PostId> {
    let mut ids = Vec::new();
    for _ in 0..count {
        let post = post(author);
        stores.content.commit(creating(&post)).await.expect("posted");
        ids.push(post.id);
    }
    ids
}

/// Reads a list to its end by pages of `limit`, and checks that only the last page is not full and that no page is empty but the first.
pub async fn walk<T>(limit: u16, mut read: impl AsyncFnMut(Page) -> (Vec<T>, Option<Position>)) -> Vec<T> {
    let (mut rows, mut page) = (Vec::new(), Page::first(limit));
    loop {
        let (mut more, next) = read(page).await;
        assert!(more.len() <= usize::from(limit));
        assert!(next.is_none() || more.len() == usize::from(limit), "a page before the last is not full");
        assert!(page.after.is_none() || !more.is_empty(), "a page that was announced is empty");
        rows.append(&mut more);
        match next {
            Some(position) => page.after = Some(position),
            None => return rows,
        }
    }
}
