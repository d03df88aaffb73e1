//! People and things, made through their owners.

use super::Platform;
use actors::Call;
use protocol::{
    Command, ErrorCode, Idempotency, Key, Kind, Money, OrderId, PostId, ProductId, Refusal, Reply, Timestamp, UserId,
    account::Session,
    cart, follow,
    order::NewOrder,
    post::{self, NewPost, Visibility},
    product::{self, NewProduct},
    user::{self, NewUser},
};
use uuid::Uuid;

pub fn new_post(content: &str, visibility: Visibility) -> NewPost {
    NewPost {
        user_id: None,
        parent_id: None,
        content: content.to_owned(),
        post_type: Default::default(),
        media_ids: Vec::new(),
        visibility,
        is_published: true,
    }
}

pub fn new_product(name: &str, stock: u32) -> NewProduct {
    NewProduct {
        seller_id: None,
        name: name.to_owned(),
        description: None,
        price: Money::from_cents(1250).expect("a price"),
        currency: "USD".to_owned(),
        images: Vec::new(),
        category: None,
        stock,
        is_public: true,
        is_active: true,
    }
}

pub fn new_order(product: ProductId, quantity: u32) -> Command {
    let (shipping_address, payment_method) = Default::default();
    Command::Product(product::Command::Order(NewOrder { buyer_id: None, product_id: product, quantity, shipping_address, payment_method }))
}

pub fn stock(stock: u32) -> Command {
    Command::Product(product::Command::Update(product::Update { stock: Some(stock), ..Default::default() }))
}

pub fn rename(name: &str) -> Command {
    Command::Product(product::Command::Update(product::Update { name: Some(name.to_owned()), ..Default::default() }))
}

pub fn bio(text: &str) -> Command {
    Command::User(user::Command::Update(Box::new(user::Update { bio: protocol::Patch::Set(text.to_owned()), ..Default::default() })))
}

pub fn idempotency(route: &str, key: &str, fingerprint: u8) -> Idempotency {
    Idempotency { route: route.to_owned(), key: key.to_owned(), fingerprint: [fingerprint; 32] }
}

/// Names the thing that a reply made.
pub fn made(reply: &Reply) -> Uuid {
    let body: serde_json::Value = serde_json::from_slice(&reply.body).expect("replies are JSON");
    body["id"].as_str().expect("an id").parse().expect("a UUID")
}

impl Platform {
    /// Somebody new, without a password.
    pub async fn person(&self) -> UserId {
        let id = UserId::new();
        let name = id.0.simple().to_string();
        let session = Session { token_hash: rand::random(), expires_at: Timestamp::now().plus_ms(1_000_000), created_at: Timestamp::now() };
        let new = NewUser {
            username: name.clone(),
            email: format!("{name}@example.org"),
            first_name: None,
            last_name: None,
            password_hash: "none".to_owned(),
            session,
            device: Default::default(),
        };
        self.write(id, Key::new(Kind::User, id), Command::User(user::Command::Register(Box::new(new)))).await.expect("registered");
        id
    }

    pub async fn follow(&self, follower: UserId, followee: UserId) -> Result<Reply, Refusal> {
        self.write(follower, Key::new(Kind::Follows, follower), Command::Follows(follow::Command::Follow(followee))).await
    }

    pub async fn unfollow(&self, follower: UserId, followee: UserId) -> Result<Reply, Refusal> {
        self.write(follower, Key::new(Kind::Follows, follower), Command::Follows(follow::Command::Unfollow(followee))).await
    }

    pub async fn post(&self, author: UserId, new: NewPost) -> PostId {
        let reply = self.write(author, Key::new(Kind::Timeline, author), Command::Timeline(new)).await.expect("posted");
        PostId(made(&reply))
    }

    pub async fn edit_post(&self, author: UserId, post: PostId, update: post::Update) -> Result<Reply, Refusal> {
        self.write(author, Key::new(Kind::Post, post), Command::Post(post::Command::Update(update))).await
    }

    pub async fn delete_post(&self, author: UserId, post: PostId) -> Result<Reply, Refusal> {
        self.write(author, Key::new(Kind::Post, post), Command::Post(post::Command::Delete)).await
    }

    pub async fn product(&self, seller: UserId, new: NewProduct) -> ProductId {
        let id = ProductId::new();
        self.write(seller, Key::new(Kind::Product, id), Command::Product(product::Command::Create(new))).await.expect("offered");
        id
    }

    /// Puts some of a product, which costs 12.50, into a cart.
    pub async fn add_to_cart(&self, buyer: UserId, product: ProductId, quantity: u32) -> Result<Reply, Refusal> {
        let seen = cart::Seen { price: Money::from_cents(1250).expect("a price"), currency: "USD".to_owned() };
        let add = cart::Command::Add { item: cart::NewItem { user_id: None, product_id: product, quantity }, seen };
        self.write(buyer, Key::new(Kind::Cart, buyer), Command::Cart(add)).await
    }

    pub async fn order(&self, buyer: UserId, product: ProductId) -> Result<OrderId, ErrorCode> {
        let reply = self.write(buyer, Key::new(Kind::Product, product), new_order(product, 1)).await.map_err(|refusal| refusal.code)?;
        Ok(OrderId(made(&reply)))
    }

    /// A call of `user` under an idempotency key.
    pub fn call_once(&self, user: UserId, idempotency: Idempotency) -> Call {
        Call { idempotency: Some(idempotency), ..self.call(user) }
    }
}
