//! What is said on a stream, and what a client may say.

use actors::Snapshot;
use bytes::{BufMut, Bytes, BytesMut};
use protocol::{ErrorCode, Fact, Key, Kind, MediaId, OrderId, PostId, ProductId, UserId, file, order};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// Something whose moves a client asked to hear of.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Subject {
    Post(PostId),
    Product(ProductId),
    Order(OrderId),
    File(MediaId),
}

impl Subject {
    pub(super) fn key(self) -> Key {
        match self {
            Self::Post(id) => Key::new(Kind::Post, id),
            Self::Product(id) => Key::new(Kind::Product, id),
            Self::Order(id) => Key::new(Kind::Order, id),
            Self::File(id) => Key::new(Kind::File, id),
        }
    }

    /// What is said of it when it is as in this snapshot. `None`: it is none of these, which would be a fault.
    pub(super) fn event(self, found: &Snapshot) -> Option<Event> {
        let version = found.view.version;
        Some(match self {
            Self::Post(post_id) => Event::PostChanged { post_id, version },
            Self::Product(product_id) => Event::ProductChanged { product_id, version },
            Self::Order(order_id) => Event::OrderChanged { order_id, version, status: status(found)? },
            Self::File(file_id) => {
                let Fact::File(place) = &found.view.fact else { return None };
                let sizes = sizes(place.rendered);
                match status(found)? {
                    file::Status::Pending => Event::FilePending { file_id, version, sizes },
                    file::Status::Ready => Event::FileReady { file_id, version, sizes },
                    file::Status::Failed => Event::FileFailed { file_id, version },
                }
            }
        })
    }
}

/// The status that a thing's body tells.
fn status<'b, S: Deserialize<'b>>(found: &'b Snapshot) -> Option<S> {
    #[derive(Deserialize)]
    struct Body<S> {
        status: S,
    }
    serde_json::from_slice::<Body<S>>(&found.view.body).ok().map(|body| body.status)
}

/// The variants of an image that are there.
const fn sizes(rendered: file::Rendered) -> &'static [&'static str] {
    const ALL: &[&str] = &["thumbnail", "small", "medium", "large", "optimized"];
    match rendered {
        file::Rendered::Nothing => &[],
        file::Rendered::Sizes => ALL.split_at(4).0,
        file::Rendered::Smaller | file::Rendered::Original => ALL,
    }
}

/// What is said on a stream: that something is newer, by its id and version, and nothing of what it says.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[serde(tag = "type", rename_all_fields = "camelCase")]
pub(crate) enum Event {
    /// The stream begins: what moves from now on is said. What was before is to be read after this.
    #[serde(rename = "hello")]
    Hello { follows_version: u64 },
    /// Nothing moved, and the stream lives.
    #[serde(rename = "ping")]
    Ping,
    /// More came into the feed than is told one by one, or longer ago than is remembered: it is to be read again.
    #[serde(rename = "reset")]
    Reset,
    #[serde(rename = "post.created")]
    PostCreated { post_id: PostId, user_id: UserId, version: u64 },
    #[serde(rename = "post.changed")]
    PostChanged { post_id: PostId, version: u64 },
    /// Somebody follows the person or does so no more, they somebody, or there is a block.
    #[serde(rename = "follows.changed")]
    FollowsChanged { version: u64 },
    #[serde(rename = "product.changed")]
    ProductChanged { product_id: ProductId, version: u64 },
    #[serde(rename = "order.changed")]
    OrderChanged { order_id: OrderId, version: u64, status: order::Status },
    #[serde(rename = "file.pending")]
    FilePending { file_id: MediaId, version: u64, sizes: &'static [&'static str] },
    #[serde(rename = "file.ready")]
    FileReady { file_id: MediaId, version: u64, sizes: &'static [&'static str] },
    #[serde(rename = "file.failed")]
    FileFailed { file_id: MediaId, version: u64 },
    /// What the client asked to hear of is not there any more, or not for this person. Nothing more is said of it.
    #[serde(rename = "gone")]
    Gone { subject: Subject },
    /// What the client said was not done.
    #[serde(rename = "error")]
    Error {
        code: &'static str,
        detail: Cow<'static, str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        subject: Option<Subject>,
    },
    /// The stream ends.
    #[serde(rename = "end")]
    End { reason: &'static str },
}

impl Event {
    /// Every type of event.
    pub(super) const NAMES: [&'static str; 14] = [
        "hello",
        "ping",
        "reset",
        "post.created",
        "post.changed",
        "follows.changed",
        "product.changed",
        "order.changed",
        "file.pending",
        "file.ready",
        "file.failed",
        "gone",
        "error",
        "end",
    ];

    /// Its type.
    pub(super) const fn name(&self) -> &'static str {
        let place = match self {
            Self::Hello { .. } => 0,
            Self::Ping => 1,
            Self::Reset => 2,
            Self::PostCreated { .. } => 3,
            Self::PostChanged { .. } => 4,
            Self::FollowsChanged { .. } => 5,
            Self::ProductChanged { .. } => 6,
            Self::OrderChanged { .. } => 7,
            Self::FilePending { .. } => 8,
            Self::FileReady { .. } => 9,
            Self::FileFailed { .. } => 10,
            Self::Gone { .. } => 11,
            Self::Error { .. } => 12,
            Self::End { .. } => 13,
        };
        Self::NAMES[place]
    }

    pub(super) fn error(code: ErrorCode, detail: impl Into<Cow<'static, str>>, subject: Option<Subject>) -> Self {
        Self::Error { code: code.name(), detail: detail.into(), subject }
    }
}

/// An event with the cursor from which a stream goes on behind it.
#[derive(Serialize)]
struct Marked<'e> {
    #[serde(flatten)]
    event: &'e Event,
    /// Left out where there is none: the client keeps the one that it has.
    #[serde(skip_serializing_if = "str::is_empty")]
    cursor: &'e str,
}

/// An event as a message of a socket.
pub(super) fn message(event: &Event, cursor: &str) -> String {
    // Neither a map with keys that are no text nor a failing type is in it.
    serde_json::to_string(&Marked { event, cursor }).unwrap_or_default()
}

/// Events as a piece of `text/event-stream` (HTML, 9.2.5). JSON has no line breaks, and neither has a cursor.
pub(super) fn piece(events: &[Event], cursor: &str) -> Bytes {
    let mut piece = BytesMut::new();
    for event in events {
        // An id without text would take the client's own away.
        let id = if cursor.is_empty() { "" } else { "id: " };
        for part in
            [id, cursor, if id.is_empty() { "event: " } else { "\nevent: " }, event.name(), "\ndata: ", &message(event, cursor), "\n\n"]
        {
            piece.put_slice(part.as_bytes());
        }
    }
    piece.freeze()
}

/// What a client says on a socket.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Said {
    /// Who they are: the first thing, where the request did not tell.
    Token(String),
    /// What they want to hear of, too.
    Subscribe(Vec<Subject>),
    /// What no more.
    Unsubscribe(Vec<Subject>),
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const ID: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);

    #[test]
    fn an_event_is_flat_and_has_its_cursor() {
        let created = Event::PostCreated { post_id: PostId(ID), user_id: UserId(ID), version: 3 };
        let expected = format!(r#"{{"type":"post.created","postId":"{ID}","userId":"{ID}","version":3,"cursor":"17"}}"#);
        assert_eq!(message(&created, "17"), expected);
        assert_eq!(
            piece(&[created, Event::Ping], "17"),
            format!(
                "id: 17\nevent: post.created\ndata: {expected}\n\nid: 17\nevent: ping\ndata: {{\"type\":\"ping\",\"cursor\":\"17\"}}\n\n"
            )
        );
        let gone = Event::Gone { subject: Subject::File(MediaId(ID)) };
        assert_eq!(message(&gone, "17"), format!(r#"{{"type":"gone","subject":{{"file":"{ID}"}},"cursor":"17"}}"#));
    }

    /// An empty id would have the client forget its last one (HTML, 9.2.6).
    #[test]
    fn what_has_no_cursor_leaves_the_clients_own_alone() {
        let expected = "event: end\ndata: {\"type\":\"end\",\"reason\":\"restart\"}\n\n";
        assert_eq!(piece(&[Event::End { reason: "restart" }], ""), expected);
    }

    #[test]
    fn what_clients_say_is_one_of_three_things() {
        let read = |text: &str| serde_json::from_str::<Said>(text);
        assert!(matches!(read(r#"{"token":"abc"}"#), Ok(Said::Token(token)) if token == "abc"));
        let subjects = read(&format!(r#"{{"subscribe":[{{"post":"{ID}"}},{{"file":"{ID}"}}]}}"#));
        assert!(matches!(subjects, Ok(Said::Subscribe(of)) if of == [Subject::Post(PostId(ID)), Subject::File(MediaId(ID))]));
        assert!(matches!(read(r#"{"unsubscribe":[]}"#), Ok(Said::Unsubscribe(of)) if of.is_empty()));
        for garbage in ["", "{}", "[]", "null", r#"{"subscribe":[{"user":"x"}]}"#, r#"{"token":"a","subscribe":[]}"#, r#"{"post":1}"#] {
            assert!(read(garbage).is_err(), "{garbage}");
        }
    }

    #[test]
    fn sizes_are_told_as_they_come() {
        let counts = [file::Rendered::Nothing, file::Rendered::Sizes, file::Rendered::Original].map(|rendered| sizes(rendered).len());
        assert_eq!(counts, [0, 4, 5]);
    }
}
