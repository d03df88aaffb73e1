//! The frame between nodes: one opaque, versioned type, encoded with postcard (docs/adr/0005).

use crate::{
    command::{Command, Idempotency, Query, Reply},
    error::Refusal,
    found::FoundBy,
    key::Key,
    principal::Principal,
    slot::{Epoch, Slot},
    trace::Trace,
    view::View,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The newest version of the frame, which two nodes that both know it speak. Two nodes agree on a version when they link (docs/adr/0010).
///
/// * 1: the first.
/// * 2: hand-off of what is warm, and read leases ([`WIRE_WARM`]).
/// * 3: live updates ([`WIRE_LIVE`]).
/// * 4: by what a thing is found that moved in a list ([`WIRE_FOUND`]).
pub const WIRE_VERSION: u16 = 4;
/// The version from which on [`Body::Warm`], [`Body::Leased`] and [`Body::Recall`] are understood. To older nodes they are not sent.
pub const WIRE_WARM: u16 = 2;
/// The version from which on [`Body::Watch`] and [`Body::Moved`] are understood. To older nodes they are not sent.
pub const WIRE_LIVE: u16 = 3;
/// The version from which on [`Change::Found`] is understood. Older nodes are told the version alone.
pub const WIRE_FOUND: u16 = 4;
/// The oldest version that this release reads and writes: that of the release before it, so that both may serve during a rolling update.
pub const WIRE_VERSION_MIN: u16 = 1;
/// The largest frame. Image bytes never travel in frames.
pub const FRAME_BYTES_MAX: usize = 256 * 1024;

/// A request from one node's region to another's.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// The version that the sender and the receiver agreed on. First, so that a reader can tell before it reads on.
    pub wire: u16,
    /// The membership view by which the sender chose the receiver.
    pub view: u64,
    /// The owner key. Its kind and slot choose the owner actor.
    pub key: Key,
    /// The slot, as the sender computed it: a mismatch means that the nodes disagree on the hash.
    pub slot: Slot,
    /// The epoch at which the sender believes the slot is owned; 0 when it does not know.
    pub epoch: Epoch,
    /// Milliseconds left when the frame was sent. No clock is shared, so a span travels, not an instant.
    pub deadline_ms: u32,
    /// The trace that the request is part of.
    pub trace: Option<Trace>,
    /// On whose behalf.
    pub principal: Principal,
    /// What is asked.
    pub body: Body,
}

/// What a request asks of an owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Body {
    /// The entity's main view, no older than `version_min`.
    View {
        /// 0 for any.
        version_min: u64,
    },
    /// A part or page of the entity.
    Query(Query),
    /// A write.
    Write {
        /// What to do.
        command: Command,
        /// The version that the client insists on.
        if_match: Option<u64>,
        /// The client's idempotency key.
        idempotency: Option<Idempotency>,
    },
    /// Another owner's commit touched the key: forget what is older, then confirm.
    Changed(Change),
    /// As [`Body::View`] of any version, of many entities at once, whatever their kinds and slots: at most [`VIEWS_MAX`].
    Views(Vec<Key>),
    /// As [`Body::Changed`], of many keys of the envelope's key's kind: at most [`CHANGED_MAX`].
    ChangedMany(Vec<Uuid>, Change),
    /// What is in memory of the entity, or of a part of it, though nobody can tell whether it is still the truth: to be shown as that.
    Lapsed(Option<Query>),
    /// Every node is told of a fact about the person who is the envelope's key, whoever owns it.
    Notice(Notice),
    /// What is warm of slots that are about to be the receiver's. It is worth something only once that one owns the slot, and only what is at the version
    /// that the store has.
    Warm(Vec<Kept>),
    /// As [`Body::View`], by a node that would keep the answer for a while and answer others from it, until it is recalled.
    Leased {
        /// 0 for any.
        version_min: u64,
        /// How often the sender answered from what it kept of this entity since it last asked.
        answered: u32,
    },
    /// As [`Body::Views`], on the same terms as [`Body::Leased`].
    ViewsLeased(Vec<Key>),
    /// The receiver answers from what it kept of the envelope's key no more, nor from anything that it asked for before this.
    Recall,
    /// The sender's clients want to hear when any of these moves: at most [`WATCHED_MAX`]. It holds for a while, and is said again before that is over.
    Watch(Vec<Key>),
    /// Something newer is published of these, which the receiver watches: at most [`WATCHED_MAX`]. What, it reads as everybody does.
    Moved(Vec<Key>),
}

impl Body {
    /// What is asked, in a word.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::View { .. } => "view",
            Self::Query(_) => "query",
            Self::Write { .. } => "write",
            Self::Changed(_) | Self::ChangedMany(..) => "changed",
            Self::Views(_) => "views",
            Self::Lapsed(_) => "lapsed",
            Self::Notice(_) => "notice",
            Self::Warm(_) => "warm",
            Self::Leased { .. } => "leased",
            Self::ViewsLeased(_) => "views leased",
            Self::Recall => "recall",
            Self::Watch(_) => "watch",
            Self::Moved(_) => "moved",
        }
    }
}

/// An entity as its owner keeps it, for its next owner.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Kept {
    /// Which.
    pub key: Key,
    /// What may be read of it.
    pub view: View,
    /// What only its owner knows.
    pub rest: Box<[u8]>,
}

/// Entities that one frame asks for, at most.
pub const VIEWS_MAX: usize = 512;
/// Keys of which one frame says that they changed, at most: 16 bytes each, so that it stays well below [`FRAME_BYTES_MAX`].
pub const CHANGED_MAX: usize = 8192;

/// Keys that one frame watches, or says to have moved, at most: about 20 bytes each, as [`CHANGED_MAX`].
pub const WATCHED_MAX: usize = 8192;

/// What every node is told about a person, beside the owners of what is theirs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Notice {
    /// Whether they are active may have changed: the store says.
    Standing,
    /// Readers pull their posts from now on.
    Pulled,
}

/// What a commit of another owner did to a key.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Change {
    /// The key reached this version.
    Version(u64),
    /// A post belongs into these feeds. Cold feeds need nothing.
    Push {
        /// The post.
        post: Uuid,
    },
    /// Somebody other than the platform removed the key's row: whatever is held of it is out of date.
    Gone,
    /// The key, a list that is searched, reached this version by one thing that is, or was, found so: no other page of it is another one than before.
    Found(u64, FoundBy),
}

impl Change {
    /// The version that the key reached, where that is told.
    #[must_use]
    pub const fn version(&self) -> Option<u64> {
        match self {
            Self::Version(version) | Self::Found(version, _) => Some(*version),
            Self::Push { .. } | Self::Gone => None,
        }
    }

    /// What a node that speaks this version of the frame understands of it.
    #[must_use]
    pub fn on(&self, wire: u16) -> Self {
        match self {
            Self::Found(version, _) if wire < WIRE_FOUND => Self::Version(*version),
            change => change.clone(),
        }
    }
}

/// A node's answer.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Answer {
    /// To [`Body::View`], [`Body::Query`] and [`Body::Lapsed`].
    View(View),
    /// To [`Body::Write`].
    Reply(Reply),
    /// To [`Body::Changed`], [`Body::Notice`], [`Body::Warm`], [`Body::Recall`] and [`Body::Moved`].
    Confirmed,
    /// It was not done.
    Refused(Refusal),
    /// The receiver does not own the slot; it knows this view.
    NotOwner {
        /// The receiver's membership view.
        view: u64,
    },
    /// To [`Body::Views`] and [`Body::ViewsLeased`], in their order.
    Views(Vec<Viewed>),
    /// To [`Body::ChangedMany`]: all confirmed it but these, which the receiver does not own.
    ConfirmedBut(Vec<Uuid>),
    /// To [`Body::Leased`]: the entity, and for how many milliseconds from before it was asked for it may be answered to others.
    Leased(View, u16),
    /// To [`Body::Watch`], in its order.
    Watched(Vec<Watched>),
}

/// What became of the wish to watch a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Watched {
    /// It has been watched since the sender said so last, without a gap.
    Still,
    /// It is watched from now on: whatever moved before, the sender has not heard of.
    Anew,
    /// The receiver does not own it, or watches as much as it can.
    Not,
}

/// One of many entities that were asked for.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub enum Viewed {
    /// It.
    View(View),
    /// It was refused.
    Refused(Refusal),
    /// The receiver does not own its slot.
    NotOwner,
    /// There was no room for it in the answer: to be asked for by itself.
    Left,
    /// It, on the terms of [`Answer::Leased`].
    Leased(View, u16),
}

/// Why a frame could not be read.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("frame of {0} bytes is over the limit")]
    TooLarge(usize),
    /// Of a wire version that this release does not read.
    #[error("wire version {0} is not readable here")]
    Version(u16),
    /// Not a frame.
    #[error("malformed frame")]
    Malformed(#[from] postcard::Error),
    /// The slot does not belong to the key.
    #[error("slot {0:?} is not the key's")]
    Slot(Slot),
}

fn encode<T: Serialize>(what: &T) -> Result<Vec<u8>, FrameError> {
    let bytes = postcard::to_stdvec(what)?;
    within_limit(&bytes)?;
    Ok(bytes)
}

fn within_limit(bytes: &[u8]) -> Result<(), FrameError> {
    if bytes.len() > FRAME_BYTES_MAX { Err(FrameError::TooLarge(bytes.len())) } else { Ok(()) }
}

impl Envelope {
    /// Writes the frame.
    ///
    /// # Errors
    /// When it would be over [`FRAME_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        encode(self)
    }

    /// Reads a frame. Any bytes are safe to give.
    ///
    /// # Errors
    /// When the frame is too large, of an unknown version, malformed, or its slot is not its key's.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        within_limit(bytes)?;
        let (wire, _) = postcard::take_from_bytes::<u16>(bytes)?;
        if !(WIRE_VERSION_MIN..=WIRE_VERSION).contains(&wire) {
            return Err(FrameError::Version(wire));
        }
        let envelope: Self = postcard::from_bytes(bytes)?;
        if envelope.slot != envelope.key.slot() {
            return Err(FrameError::Slot(envelope.slot));
        }
        Ok(envelope)
    }
}

impl Answer {
    /// Writes the answer, in the version of the frame that it answers.
    ///
    /// # Errors
    /// When it would be over [`FRAME_BYTES_MAX`].
    pub fn encode(&self) -> Result<Vec<u8>, FrameError> {
        encode(self)
    }

    /// Reads an answer. Any bytes are safe to give.
    ///
    /// # Errors
    /// When it is too large or malformed.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        within_limit(bytes)?;
        Ok(postcard::from_bytes(bytes)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        account, bookmark, cart, checkout, follow,
        id::{CheckoutId, CommentId, PostId, ProductId, SkillId, UserId},
        key::Kind,
        moderation, order,
        page::{Page, Position},
        people, post, product, review,
        time::Timestamp,
        user, wishlist,
    };
    use proptest::prelude::*;

    fn id(n: u128) -> Uuid {
        Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | n)
    }

    /// What travels from a version on: one envelope of each shape that it added.
    fn added(wire: u16) -> Vec<(&'static str, Envelope)> {
        let view =
            View { version: 7, audience: crate::Audience::Everyone, body: bytes::Bytes::from_static(b"{}"), fact: crate::Fact::None };
        let kept = Kept { key: Key::new(Kind::Post, PostId(id(1))), view, rest: Box::from(*b"rest") };
        let bodies = match wire {
            1 => return samples(),
            4 => {
                let found = FoundBy::of_texts(["a quick fox", "a fox"]).expect("few words");
                vec![("found", Kind::PostList, Body::ChangedMany(vec![id(1)], Change::Found(12, found)))]
            }
            3 => vec![
                ("watch", Kind::Feed, Body::Watch(vec![Key::new(Kind::Feed, UserId(id(3))), Key::new(Kind::Post, PostId(id(4)))])),
                ("moved", Kind::Feed, Body::Moved(vec![Key::new(Kind::Feed, UserId(id(3)))])),
            ],
            _ => vec![
                ("warm", Kind::Post, Body::Warm(vec![kept])),
                ("leased", Kind::User, Body::Leased { version_min: 4, answered: 70 }),
                ("views leased", Kind::User, Body::ViewsLeased(vec![Key::new(Kind::User, UserId(id(3)))])),
                ("recall", Kind::User, Body::Recall),
            ],
        };
        bodies.into_iter().map(|(name, kind, body)| (name, Envelope { wire, ..envelope(kind, body) })).collect()
    }

    fn envelope(kind: Kind, body: Body) -> Envelope {
        let key = Key::new(kind, ProductId(id(1)));
        let trace = Some(Trace { trace_id: 1 << 100, parent_id: 2, flags: 1 });
        let principal = Principal::User { id: UserId(id(5)), role: crate::Role::Moderator };
        Envelope { wire: 1, view: 300, key, slot: key.slot(), epoch: Epoch(8), deadline_ms: 6000, trace, principal, body }
    }

    /// One envelope of each shape that has travelled since version 1.
    fn samples() -> Vec<(&'static str, Envelope)> {
        let page = Page { after: Some(Position { sort: -5, id: id(9) }), limit: 20 };
        let write = |command| Body::Write { command, if_match: Some(3), idempotency: None };
        let product = product::NewProduct {
            seller_id: None,
            name: "lamp".into(),
            description: Some("bright".into()),
            price: "12.50".parse().expect("a price"),
            currency: "USD".into(),
            images: vec!["/a.webp".into()],
            category: None,
            stock: 7,
            is_public: true,
            is_active: false,
        };
        let session = account::Session { token_hash: [7; 32], expires_at: Timestamp(99), created_at: Timestamp(11) };
        let keyed = Body::Write {
            command: Command::Timeline(post::NewPost {
                user_id: Some(UserId(id(1))),
                parent_id: None,
                content: "hello".into(),
                post_type: post::PostType::Text,
                media_ids: Vec::new(),
                visibility: post::Visibility::Friends,
                is_published: true,
            }),
            if_match: None,
            idempotency: Some(Idempotency { route: "POST /posts".into(), key: "k".into(), fingerprint: [1; 32] }),
        };
        let search = people::Search::new(Some("Ada"), Some("Rust"), None, page).expect("a question");
        let mut update = user::Update { bio: crate::Patch::Clear, ..Default::default() };
        update.profile.location = crate::Patch::Set("Paris".into());
        let shipped = order::Change { status: Some(order::Status::Shipped), payment_status: None };
        let (price, currency) = (product.price, product.currency.clone());
        let item = cart::NewItem { user_id: None, product_id: ProductId(id(6)), quantity: 3 };
        let seen = cart::Seen { price, currency: currency.clone() };
        let (checkout, price_max) = (CheckoutId(id(7)), price);
        let reserve = product::Reserve { checkout, begun: 1, quantity: 3, price_max, currency: currency.clone() };
        let reserved = checkout::Reserved { product: ProductId(id(6)), seller: UserId(id(8)), quantity: 3, price, currency };
        let keep = bookmark::Command::Add(bookmark::NewBookmark { user_id: None, post_id: PostId(id(6)) });
        let post_search = Query::PostSearch { words: "quick fox".into(), of: Some((UserId(id(1)), 7)), page };
        let target = moderation::Target::Comment(CommentId(id(6)), PostId(id(4)));
        let flag =
            moderation::Command::Flag { target, author: UserId(id(3)), reason: moderation::Reason::Fraud, note: Some("look".into()) };
        let bodies = vec![
            ("view", Kind::User, Body::View { version_min: 4 }),
            ("query", Kind::Follows, Body::Query(Query::Followers(page))),
            ("query selection", Kind::ProductList, Body::Query(Query::Products(product::Selection { page, ..Default::default() }))),
            ("query endorsements", Kind::User, Body::Query(Query::Endorsements(SkillId(id(2)), Page::default()))),
            ("open session", Kind::Account, write(Command::Account(account::Command::Open { session, password_hash: "h".into() }))),
            ("update user", Kind::User, write(Command::User(user::Command::Update(Box::new(update))))),
            ("follow", Kind::Follows, write(Command::Follows(follow::Command::Follow(UserId(id(3)))))),
            ("new post", Kind::Timeline, keyed),
            ("delete post", Kind::Post, write(Command::Post(post::Command::Delete))),
            ("new product", Kind::Product, write(Command::Product(product::Command::Create(product)))),
            ("changed", Kind::SellerOrders, Body::Changed(Change::Version(12))),
            ("push", Kind::Feed, Body::Changed(Change::Push { post: PostId(id(4)).0 })),
            ("block", Kind::Follows, write(Command::Follows(follow::Command::Block(UserId(id(3)))))),
            ("query blocked", Kind::Follows, Body::Query(Query::Blocked(page))),
            ("query people", Kind::PeopleList, Body::Query(Query::People(search))),
            ("change order", Kind::Order, write(Command::Order(order::Command::Change(shipped)))),
            ("add to cart", Kind::Cart, write(Command::Cart(cart::Command::Add { item, seen }))),
            ("reserve", Kind::Product, write(Command::Product(product::Command::Reserve(reserve)))),
            ("confirm checkout", Kind::Checkout, write(Command::Checkout(checkout::Command::Confirm { reserved: vec![reserved] }))),
            ("review", Kind::Review, write(Command::Review(review::Command::Helpful(true)))),
            ("wish", Kind::Wishlist, write(Command::Wishlist(wishlist::Command::Remove(ProductId(id(6)))))),
            ("query reviews", Kind::Reviews, Body::Query(Query::Reviews(page))),
            ("keep post", Kind::Bookmarks, write(Command::Bookmarks(keep))),
            ("query post search", Kind::PostList, Body::Query(post_search)),
            ("flag", Kind::Case, write(Command::Case(flag))),
            ("verdict", Kind::Post, write(Command::Post(post::Command::Moderate(moderation::Verdict { hidden: true, case_version: 6 })))),
            ("query cases", Kind::CaseList, Body::Query(Query::Cases(Some(moderation::Status::Open), page))),
            ("views", Kind::Post, Body::Views(vec![Key::new(Kind::Post, PostId(id(4))), Key::new(Kind::User, UserId(id(3)))])),
            ("changed many", Kind::Feed, Body::ChangedMany(vec![id(1), id(3)], Change::Push { post: PostId(id(4)).0 })),
            ("lapsed", Kind::Product, Body::Lapsed(None)),
            ("standing", Kind::User, Body::Notice(Notice::Standing)),
            ("pulled", Kind::User, Body::Notice(Notice::Pulled)),
        ];
        bodies.into_iter().map(|(name, kind, body)| (name, envelope(kind, body))).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// One answer of each shape that travels.
    fn answers() -> Vec<(&'static str, Answer)> {
        let view = View {
            version: 7,
            audience: crate::view::Audience::Friends(UserId(id(5))),
            body: bytes::Bytes::from_static(b"{}"),
            fact: crate::view::Fact::Ids { ids: vec![id(6)], next: Some(Position { sort: -5, id: id(9) }), total: Some(3) },
        };
        vec![
            ("view", Answer::View(view)),
            (
                "reply",
                Answer::Reply(Reply { outcome: crate::command::Outcome::Created, version: 3, body: bytes::Bytes::from_static(b"{}") }),
            ),
            ("confirmed", Answer::Confirmed),
            ("refused", Answer::Refused(Refusal::new(crate::ErrorCode::BadFrame, "why").after(2))),
            ("not owner", Answer::NotOwner { view: 300 }),
            (
                "views",
                Answer::Views(vec![Viewed::Refused(Refusal::new(crate::ErrorCode::NotFound, "why")), Viewed::NotOwner, Viewed::Left]),
            ),
            ("confirmed but", Answer::ConfirmedBut(vec![id(6)])),
        ]
    }

    /// What version 2 added to them.
    fn answers_of_2() -> Vec<(&'static str, Answer)> {
        let view =
            View { version: 7, audience: crate::Audience::Everyone, body: bytes::Bytes::from_static(b"{}"), fact: crate::Fact::None };
        vec![("leased", Answer::Leased(view.clone(), 1000)), ("views leased", Answer::Views(vec![Viewed::Leased(view, 900)]))]
    }

    /// What version 3 added to them.
    fn answers_of_3() -> Vec<(&'static str, Answer)> {
        vec![("watched", Answer::Watched(vec![Watched::Still, Watched::Anew, Watched::Not]))]
    }

    fn golden(file: &str, samples: &[(&'static str, Vec<u8>)]) -> String {
        let file = format!("{}/tests/golden/{file}", env!("CARGO_MANIFEST_DIR"));
        let written: String = samples.iter().map(|(name, bytes)| format!("{name}: {}\n", hex(bytes))).collect();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &written).expect("the golden file can be written");
        }
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        assert_eq!(text, written, "{file}");
        text
    }

    fn bytes(line: &str) -> Vec<u8> {
        let (_, hex) = line.split_once(": ").expect("a name and its bytes");
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")).collect()
    }

    /// What this release writes is what the next one must read: the bytes are in files, and a change of them is a new wire version with files of
    /// its own. What an older one wrote is read as long as the version is one of those that are read.
    #[test]
    fn frames_are_the_golden_bytes() {
        for wire in WIRE_VERSION_MIN..=WIRE_VERSION {
            let frames: Vec<_> = added(wire).into_iter().map(|(name, e)| (name, e.encode().expect("encodes"))).collect();
            for (line, (name, envelope)) in golden(&format!("envelope_v{wire}.txt"), &frames).lines().zip(added(wire)) {
                assert_eq!(Envelope::decode(&bytes(line)).expect(name), envelope, "{name}");
            }
        }
        for (wire, answers) in [(1, answers()), (2, answers_of_2()), (3, answers_of_3())] {
            let frames: Vec<_> = answers.iter().map(|(name, a)| (*name, a.encode().expect("encodes"))).collect();
            for (line, (name, answer)) in golden(&format!("answer_v{wire}.txt"), &frames).lines().zip(answers) {
                assert_eq!(Answer::decode(&bytes(line)).expect(name), answer, "{name}");
            }
        }
    }

    #[test]
    fn older_nodes_are_told_the_version_alone() {
        let found = Change::Found(12, FoundBy::of_texts(["a fox"]).expect("few words"));
        assert_eq!((found.on(WIRE_FOUND - 1), found.on(WIRE_FOUND)), (Change::Version(12), found));
        assert_eq!(Change::Gone.on(WIRE_VERSION_MIN), Change::Gone);
    }

    #[test]
    fn frames_round_trip() {
        for (name, envelope) in samples().into_iter().chain((2..=WIRE_VERSION).flat_map(added)) {
            assert_eq!(Envelope::decode(&envelope.encode().expect(name)).expect(name), envelope, "{name}");
        }
    }

    #[test]
    fn what_is_no_frame_of_ours_is_refused() {
        let (_, good) = samples().remove(0);
        let other = Envelope { wire: WIRE_VERSION + 1, ..good.clone() };
        assert!(matches!(Envelope::decode(&other.encode().expect("encodes")), Err(FrameError::Version(_))));
        let slot = Slot::new((good.slot.number() + 1) % crate::SLOTS).expect("a slot");
        assert!(matches!(Envelope::decode(&Envelope { slot, ..good }.encode().expect("encodes")), Err(FrameError::Slot(_))));
        assert!(matches!(Envelope::decode(&vec![0; FRAME_BYTES_MAX + 1]), Err(FrameError::TooLarge(_))));
        assert!(Envelope::decode(&[]).is_err());
        assert!(matches!(Answer::decode(&vec![0; FRAME_BYTES_MAX + 1]), Err(FrameError::TooLarge(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_frame_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Envelope::decode(&bytes);
        }

        #[test]
        fn a_damaged_frame_never_panics(which: prop::sample::Index, at: usize, bit in 0..8u8) {
            let mut samples = samples();
            let mut bytes = samples.remove(which.index(samples.len())).1.encode().expect("encodes");
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            let _ = Envelope::decode(&bytes);
            let _ = Answer::decode(&bytes);
        }
    }
}
