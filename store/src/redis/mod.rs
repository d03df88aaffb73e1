//! Redis: the second level, which may be lost at any time.
//!
//! It keeps pages that cost the store a search, and what was warm, so that a node that starts need not ask for each thing on its own. Nothing in it
//! is believed: a page is taken only at the version that its owner holds, an entity only at the version that the store has now. So whatever Redis
//! loses, mixes up, repeats or invents costs time, and never truth (docs/adr/0008). Nothing waits for a write to it, and a read waits for
//! [`RedisOptions::answer_max`] at most.
//!
//! `strategy` is the table of what is kept and for how long, `value` the form of the bytes, `link` the connection and when Redis is left alone,
//! `writer` the queue of what is to be kept. `count` is what edges count together: nothing that could be true or false, only limits.

pub mod count;
mod examine;
mod link;
mod metric;
pub mod strategy;
mod value;
mod writer;

pub use examine::{Examined, examine};

use link::{Failure, Link};
use metric::{Metrics, Read};
use prometheus::Registry;
use protocol::{Key, Kind, Query, Slot, View};
use redis::Client;
use serde::{Deserialize, Serialize};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use strategy::Strategy;
use uuid::Uuid;
use writer::{Job, Writer};

/// How Redis is used.
#[derive(Clone)]
pub struct RedisOptions {
    /// Where it is: `redis://` or, with TLS, `rediss://`. Holds a password: it is not to be printed.
    pub url: String,
    /// How long an answer is waited for.
    pub answer_max: Duration,
    /// Whose things these are: what two instances of the platform keep on one server is kept apart by it.
    pub instance: Uuid,
}

/// Why it cannot be used. A server that is away is no reason: it is looked for until it is there.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The URL cannot be used.
    #[error("redis.url cannot be used: {0}")]
    Url(String),
    /// The metrics are registered already.
    #[error("Redis' metrics cannot be registered")]
    Metrics(#[source] prometheus::Error),
}

/// An entity as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// What everybody may read of it.
    pub view: View,
    /// What only its owner knows.
    pub rest: Box<[u8]>,
}

/// The second level. Cheap to clone; it ends with its last clone.
#[derive(Clone)]
pub struct Redis {
    link: Arc<Link>,
    writer: Writer,
    prefix: Arc<str>,
    instance: Uuid,
    _keeper: Arc<Aborted>,
}

/// A task that ends with this.
struct Aborted(tokio::task::JoinHandle<()>);

impl Drop for Aborted {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Redis {
    /// Begins to look for the server; does not wait until it is there.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn open(options: &RedisOptions, registry: &Registry) -> Result<Self, OpenError> {
        // For `rediss://` the library takes the process's provider of cryptography, and panics where there are two and none was chosen: ractor_cluster
        // brings a second one. It fails if one was chosen, which is as well.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::open(options.url.as_str()).map_err(|error| OpenError::Url(error.category().to_owned()))?;
        let link = Arc::new(Link::new(options, Metrics::register(registry).map_err(OpenError::Metrics)?));
        let keeper = tokio::spawn({
            let link = link.clone();
            async move { link.keep(client).await }
        });
        let writer = Writer::start(link.clone());
        let instance = options.instance;
        Ok(Self { link, writer, prefix: format!("cache:{}", instance.simple()).into(), instance, _keeper: Arc::new(Aborted(keeper)) })
    }

    /// How long it took for its last answer, if it answers as far as is known.
    ///
    /// # Errors
    /// Why it is left alone, for operators.
    pub fn condition(&self) -> Result<Duration, String> {
        self.link.condition()
    }

    /// The page that `query` names of an entity, if it is kept at a version that is wanted.
    pub async fn page(&self, strategy: Strategy, key: Key, query: &Query, wanted: impl Fn(u64) -> bool + Send) -> Option<View> {
        let name = self.page_name(strategy, key, query)?;
        let mut commands = redis::pipe();
        get(&mut commands, &name);
        let outcome = match self.link.ask::<[Vec<u8>; 1]>(&commands).await {
            Err(Failure::Away) => Err(Read::Away),
            // What is there is of another type.
            Err(Failure::Refused) => Err(Read::Unreadable),
            Ok([bytes]) if bytes.is_empty() => Err(Read::Miss),
            // The name is a hash of the query, so the query itself is kept beside the page.
            Ok([bytes]) => match value::decode::<(Query, View)>(&name, &bytes) {
                Some((at, (asked, view))) if asked == *query && view.version == at => {
                    if wanted(at) {
                        Ok(view)
                    } else {
                        Err(Read::Stale)
                    }
                }
                _ => Err(Read::Unreadable),
            },
        };
        self.link.metrics.read(strategy, outcome.as_ref().err().copied().unwrap_or(Read::Hit));
        outcome.ok()
    }

    /// Keeps a page, some time soon, if nothing is in the way.
    pub fn keep_page(&self, strategy: Strategy, key: Key, query: &Query, view: &View) {
        let Some(name) = self.page_name(strategy, key, query) else { return };
        if let Some(bytes) = value::encode(&name, view.version, &(query, view)) {
            self.writer.give(Job { name, bytes, seconds: strategy.seconds(), warm: None });
        }
    }

    /// Entities of a kind as they are kept, at whatever version: in the order of `ids`, at most [`FROZEN_MAX`] of them.
    pub async fn frozen(&self, kind: Kind, ids: &[Uuid]) -> Vec<Option<Frozen>> {
        let Some(strategy) = strategy::of_entity(kind) else { return vec![None; ids.len()] };
        let names: Vec<_> = ids.iter().take(FROZEN_MAX).map(|id| self.entity_name(strategy, *id)).collect();
        let mut commands = redis::pipe();
        names.iter().for_each(|name| get(&mut commands, name));
        let found = self.link.ask::<Vec<Vec<u8>>>(&commands).await.unwrap_or_default();
        let read = |(name, bytes): (&String, Vec<u8>)| {
            let entity = value::decode::<Frozen>(name, &bytes).map(|(_, frozen)| frozen);
            let outcome = if entity.is_some() {
                Read::Hit
            } else if bytes.is_empty() {
                Read::Miss
            } else {
                Read::Unreadable
            };
            self.link.metrics.read(strategy, outcome);
            entity
        };
        let mut entities: Vec<_> = names.iter().zip(found).map(read).collect();
        entities.resize(ids.len(), None);
        entities
    }

    /// Keeps an entity, some time soon, if nothing is in the way; and remembers that it is warm. `false` if too much waits already.
    pub fn keep(&self, key: Key, frozen: &Frozen) -> bool {
        let Some(strategy) = strategy::of_entity(key.kind) else { return true };
        let name = self.entity_name(strategy, key.id);
        let Some(bytes) = value::encode(&name, frozen.view.version, frozen) else { return true };
        let warm = Some((self.warm_name(key.slot()), [&[key.kind.into()], &key.id.as_bytes()[..]].concat()));
        self.writer.give(Job { name, bytes, seconds: strategy.seconds(), warm })
    }

    /// What was warm of these slots, by whoever had them last, the latest first; at most [`WARM_PER_SLOT_MAX`] a slot.
    pub async fn warm(&self, slots: &[Slot]) -> Vec<Key> {
        let mut keys = Vec::new();
        for slots in slots.chunks(SLOTS_AT_ONCE) {
            let mut commands = redis::pipe();
            for slot in slots {
                commands.cmd("ZREVRANGE").arg(self.warm_name(*slot)).arg(0).arg(WARM_PER_SLOT_MAX - 1);
            }
            // What somebody else put there is no list, or one of other things.
            let found = self.link.ask::<Vec<Vec<Vec<u8>>>>(&commands).await.unwrap_or_default();
            let named = slots.iter().zip(found).flat_map(|(slot, members)| members.into_iter().filter_map(|member| key_of(*slot, &member)));
            keys.extend(named);
        }
        keys
    }

    /// Waits until it answers; `false` if it did not by `deadline`.
    pub async fn reached(&self, deadline: Instant) -> bool {
        tokio::time::timeout_at(deadline.into(), self.link.reached()).await.is_ok()
    }

    /// Waits until what was given so far is kept, or given up. For a node that stops.
    pub async fn flush(&self) {
        self.writer.flush().await;
    }

    fn entity_name(&self, strategy: Strategy, id: Uuid) -> String {
        format!("{}:{}:{id}", self.prefix, strategy.namespace())
    }

    fn page_name(&self, strategy: Strategy, key: Key, query: &Query) -> Option<String> {
        use sha2::{Digest, Sha256};
        let digest = Sha256::digest(postcard::to_stdvec(query).ok()?);
        let (head, _) = digest.split_first_chunk()?;
        let Key { kind, id } = key;
        Some(format!("{}:{}:{}:{id}:{:016x}", self.prefix, strategy.namespace(), kind.name(), u64::from_be_bytes(*head)))
    }

    fn warm_name(&self, slot: Slot) -> String {
        format!("{}:warm:{}", self.prefix, slot.number())
    }
}

/// Entities that are read at once.
pub const FROZEN_MAX: usize = 256;
/// Names of warm things that are remembered of a slot.
pub const WARM_PER_SLOT_MAX: isize = 64;
/// Slots whose names are asked for at once.
const SLOTS_AT_ONCE: usize = 64;

/// Asks for a value, and for no more than one of ours can be long: who put it there may not have been us.
fn get(commands: &mut redis::Pipeline, name: &str) {
    commands.cmd("GETRANGE").arg(name).arg(0).arg(value::BYTES_MAX);
}

fn key_of(slot: Slot, member: &[u8]) -> Option<Key> {
    let (kind, id) = member.split_first()?;
    let key = Key::new(Kind::try_from(*kind).ok()?, Uuid::from_slice(id).ok()?);
    (key.slot() == slot).then_some(key)
}
