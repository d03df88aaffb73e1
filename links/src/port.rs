//! The one actor of a node that other nodes see, and what they ask it.
//!
//! ractor_cluster mirrors every actor whose messages can be serialised on every peer, so there is one. What it carries is bytes: the variant's name is
//! the topic, the metadata are the link's secret, the arguments are the frame. Every question is answered, if need be with a refusal, because what
//! ractor_cluster cannot deliver or decode it drops without a word.

use crate::{shared::Shared, stream::Connection};
use protocol::{
    ErrorCode, Refusal,
    envelope::{Answer, Body, Envelope, FrameError},
};
use ractor::{
    Actor, ActorProcessingErr, ActorRef, RpcReplyPort,
    message::{BoxedDowncastErr, SerializedMessage},
};
use std::{
    future::Future,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::OwnedSemaphorePermit;
use uuid::Uuid;

/// A call of another node.
#[derive(Debug)]
pub struct Incoming {
    /// Whose.
    pub from: Uuid,
    /// What is asked. Its slot is its key's.
    pub envelope: Envelope,
    /// Until when the answer is worth anything.
    pub deadline: Instant,
}

/// What answers other nodes. Each question is a task of its own.
pub trait Serve: Send + Sync + 'static {
    /// Answers a call. After its deadline the future is dropped.
    fn call(&self, call: Incoming) -> impl Future<Output = Answer> + Send;

    /// Whether this node works: resolved out of an owner actor's mailbox, so that it says more than that the socket does. False, or no answer within
    /// [`Limits::probe_max`](crate::Limits::probe_max), is no answer to the peer.
    fn probe(&self) -> impl Future<Output = bool> + Send;
}

/// What a question is about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Topic {
    /// An [`Envelope`]; answered with an [`Answer`].
    Call,
    /// A round, as u64 big endian; answered with nothing.
    Probe,
    /// A version of the view, likewise.
    Announce,
    /// One that this release does not know.
    Unknown,
}

impl Topic {
    const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Probe => "probe",
            Self::Announce => "announce",
            Self::Unknown => "",
        }
    }

    fn of(name: &str) -> Self {
        [Self::Call, Self::Probe, Self::Announce].into_iter().find(|topic| topic.name() == name).unwrap_or(Self::Unknown)
    }
}

/// A question from one port to another.
pub(crate) struct Message {
    pub topic: Topic,
    pub secret: u128,
    pub frame: Vec<u8>,
    pub reply: RpcReplyPort<Vec<u8>>,
}

impl ractor::Message for Message {
    fn serializable() -> bool {
        true
    }

    fn serialize(self) -> Result<SerializedMessage, BoxedDowncastErr> {
        let (variant, metadata) = (self.topic.name().to_owned(), Some(self.secret.to_be_bytes().to_vec()));
        Ok(SerializedMessage::Call { variant, args: self.frame, reply: self.reply, metadata })
    }

    fn deserialize(message: SerializedMessage) -> Result<Self, BoxedDowncastErr> {
        let SerializedMessage::Call { variant, args, reply, metadata } = message else { return Err(BoxedDowncastErr) };
        let secret = metadata.and_then(|bytes| Some(u128::from_be_bytes(bytes.try_into().ok()?))).unwrap_or_default();
        Ok(Self { topic: Topic::of(&variant), secret, frame: args, reply })
    }
}

/// The actor.
pub(crate) struct Port<S> {
    pub shared: Arc<Shared>,
    pub service: Arc<S>,
}

impl<S: Serve> Actor for Port<S> {
    type Msg = Message;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Message>, (): ()) -> Result<(), ActorProcessingErr> {
        // Not by a name: when a peer's port ends, ractor_cluster unregisters whatever has its name here.
        ractor::pg::join_scoped(SCOPE.to_owned(), GROUP.to_owned(), vec![myself.get_cell()]);
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Message>, message: Message, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let Message { topic, secret, frame, reply } = message;
        // Of a stream that has just ended: ractor_cluster may have read on for a moment.
        let Some(connection) = self.shared.stream_of(secret) else {
            let _ = reply.send(refusal(ErrorCode::Unavailable));
            return Ok(());
        };
        let owed = Owed { connection, reply: Some(reply), lost: ErrorCode::Unavailable };
        match (topic, number(&frame)) {
            (Topic::Call, _) => self.take_call(frame, owed),
            (Topic::Probe, Some(_)) => self.take_probe(owed),
            (Topic::Announce, Some(view)) => {
                self.shared.heard(view);
                owed.settle(Vec::new());
            }
            (Topic::Probe | Topic::Announce, None) | (Topic::Unknown, _) => owed.refuse(ErrorCode::BadFrame),
        }
        Ok(())
    }
}

impl<S: Serve> Port<S> {
    fn take_call(&self, frame: Vec<u8>, owed: Owed) {
        let Ok(place) = Arc::clone(&owed.connection.incoming).try_acquire_owned() else { return owed.refuse(ErrorCode::Overloaded) };
        let (service, came) = (Arc::clone(&self.service), Instant::now());
        tokio::spawn(async move { answer(&*service, &frame, came, owed, place).await });
    }

    fn take_probe(&self, owed: Owed) {
        let (service, within) = (Arc::clone(&self.service), self.shared.limits.probe_max);
        tokio::spawn(async move {
            match tokio::time::timeout(within, service.probe()).await {
                Ok(true) => owed.settle(Vec::new()),
                Ok(false) | Err(_) => owed.refuse(ErrorCode::Unavailable),
            }
        });
    }
}

async fn answer(service: &impl Serve, frame: &[u8], came: Instant, mut owed: Owed, _place: OwnedSemaphorePermit) {
    // A stream is found by its secret from when it is proven whose it is.
    let Some(from) = owed.connection.boot.get().copied() else { return owed.refuse(ErrorCode::Unavailable) };
    let envelope = match read(frame, owed.connection.wire) {
        Ok(envelope) => envelope,
        Err(code) => return owed.refuse(code),
    };
    let is_write = matches!(envelope.body, Body::Write { .. });
    owed.lost = if is_write { ErrorCode::OutcomeUnknown } else { ErrorCode::Unavailable };
    let deadline = came + Duration::from_millis(envelope.deadline_ms.into());
    let call = Incoming { from, envelope, deadline };
    match tokio::time::timeout_at(deadline.into(), service.call(call)).await {
        Ok(answer) => owed.answer(&answer),
        Err(_) => owed.refuse(if is_write { ErrorCode::OutcomeUnknown } else { ErrorCode::Expired }),
    }
}

/// Reads a frame that came through a link on which `wire` was agreed.
fn read(frame: &[u8], wire: u16) -> Result<Envelope, ErrorCode> {
    let envelope = Envelope::decode(frame).map_err(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "a frame of another node cannot be read");
        ErrorCode::BadFrame
    })?;
    if envelope.wire != wire {
        return Err(ErrorCode::BadFrame);
    }
    if envelope.deadline_ms == 0 { Err(ErrorCode::Expired) } else { Ok(envelope) }
}

fn number(frame: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(frame.try_into().ok()?))
}

fn refusal(code: ErrorCode) -> Vec<u8> {
    Answer::Refused(Refusal::from(code)).encode().unwrap_or_default()
}

/// An answer that somebody waits for. Dropped, by a panic or by a shutdown, it says so at once: ractor_cluster would say nothing.
struct Owed {
    connection: Arc<Connection>,
    reply: Option<RpcReplyPort<Vec<u8>>>,
    /// What a question comes to whose answer was lost.
    lost: ErrorCode,
}

impl Owed {
    fn answer(self, answer: &Answer) {
        match answer.encode() {
            Ok(bytes) => self.settle(bytes),
            Err(error) => {
                let code = match error {
                    FrameError::TooLarge(_) if self.lost == ErrorCode::OutcomeUnknown => ErrorCode::OutcomeUnknown,
                    _ => ErrorCode::Internal,
                };
                tracing::error!(error = &error as &dyn std::error::Error, "an answer to another node cannot be sent");
                self.refuse(code);
            }
        }
    }

    fn refuse(mut self, code: ErrorCode) {
        self.send_whatever_waits(refusal(code));
    }

    fn settle(mut self, bytes: Vec<u8>) {
        if self.connection.queue.admit(bytes.len(), self.connection.limits.queued_answer_bytes_max) {
            self.send(bytes);
        } else {
            // A peer that asks and does not take the answers.
            let lost = if self.lost == ErrorCode::OutcomeUnknown { self.lost } else { ErrorCode::Overloaded };
            self.send_whatever_waits(refusal(lost));
        }
    }

    /// For what is small, and no more often than there are calls under way.
    fn send_whatever_waits(&mut self, bytes: Vec<u8>) {
        self.connection.queue.push(bytes.len());
        self.send(bytes);
    }

    fn send(&mut self, bytes: Vec<u8>) {
        if let Some(reply) = self.reply.take() {
            // It fails when the session is gone; then nobody waits any more.
            let _ = reply.send(bytes);
        }
    }
}

impl Drop for Owed {
    fn drop(&mut self) {
        if self.reply.is_some() {
            self.send_whatever_waits(refusal(self.lost));
        }
    }
}

/// Where ports are found.
pub(crate) const SCOPE: &str = "lets-connect";
pub(crate) const GROUP: &str = "ports";

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Key, Kind, Principal, envelope::WIRE_VERSION, slot::Epoch};
    use ractor::Message as _;

    fn envelope() -> Envelope {
        let key = Key::new(Kind::User, Uuid::from_u128(1));
        let body = Body::View { version_min: 0 };
        let principal = Principal::Anonymous;
        Envelope { wire: WIRE_VERSION, view: 1, key, slot: key.slot(), epoch: Epoch(0), deadline_ms: 5, trace: None, principal, body }
    }

    fn read_back(envelope: &Envelope, wire: u16) -> Result<Envelope, ErrorCode> {
        read(&envelope.encode().expect("encodes"), wire)
    }

    #[test]
    fn a_frame_is_read_in_the_version_that_was_agreed_on_and_in_no_other() {
        assert_eq!(read_back(&envelope(), WIRE_VERSION), Ok(envelope()));
        assert_eq!(read_back(&envelope(), WIRE_VERSION + 1), Err(ErrorCode::BadFrame));
        let unknown = Envelope { wire: WIRE_VERSION + 1, ..envelope() };
        assert_eq!(read_back(&unknown, WIRE_VERSION + 1), Err(ErrorCode::BadFrame));
        assert_eq!(read(b"garbage", WIRE_VERSION), Err(ErrorCode::BadFrame));
    }

    #[test]
    fn what_came_too_late_is_not_begun() {
        assert_eq!(read_back(&Envelope { deadline_ms: 0, ..envelope() }, WIRE_VERSION), Err(ErrorCode::Expired));
    }

    /// What two releases say to each other through ractor_cluster beside the frame: changing it needs another version of the wire.
    #[test]
    fn questions_are_as_they_always_were() {
        for (topic, name) in [(Topic::Call, "call"), (Topic::Probe, "probe"), (Topic::Announce, "announce")] {
            let (reply, _answered) = tokio::sync::oneshot::channel();
            let message = Message { topic, secret: 0x0102, frame: vec![7], reply: reply.into() };
            let Ok(SerializedMessage::Call { variant, args, reply, metadata }) = message.serialize() else { panic!("a call") };
            let secret = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2];
            assert_eq!((&*variant, &*args, metadata.as_deref()), (name, &[7u8][..], Some(&secret[..])));
            let Ok(back) = Message::deserialize(SerializedMessage::Call { variant, args, reply, metadata }) else { panic!("a message") };
            assert_eq!((back.topic, back.secret, back.frame), (topic, 0x0102, vec![7]));
        }
        let (reply, _answered) = tokio::sync::oneshot::channel();
        let other = SerializedMessage::Call { variant: "later".into(), args: Vec::new(), reply: reply.into(), metadata: None };
        assert_eq!(Message::deserialize(other).map(|message| message.topic).ok(), Some(Topic::Unknown));
        assert_eq!(number(&[0, 0, 0, 0, 0, 0, 1, 2]), Some(258));
    }
}
