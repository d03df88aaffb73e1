//! One person's stream: what it watches, what it said last, and what comes of a look.

use super::event::{Event, Subject};
use crate::{
    dispatch::Edge,
    rate::{Caller, Class},
};
use actors::{
    Call, Client, Snapshot,
    account::Token,
    live::Watch,
    read::{self, News, Viewer},
};
use futures_util::future::join_all;
use protocol::{ErrorCode, Fact, Key, Kind, PostId, Principal, Refusal, Timestamp, UserId};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// Things whose moves one stream may be told of, beside the feed.
pub(crate) const SUBJECTS_MAX: usize = 100;
/// Posts that are told one by one after one look. More at once are a `reset`.
const NEWS_MAX: usize = 100;
/// How long ago a post may have been made that is said to be new. A post is made before it is in a feed: by a request's time, by how long an owner's death
/// delays it, and by what the nodes' clocks differ in. A stream that is taken up again may say for so long what it had said.
const LATE_MAX_MS: i64 = 60_000;
/// How long ago a stream may have ended that goes on where it was.
const MARK_AGE_MAX_MS: i64 = 600_000;
/// Until what could not be read is tried again: at first, and at most, where it doubles each time. Each stream waits for a time of its own below that, so that not
/// all of them come at once to a database that is back.
const AGAIN: Duration = Duration::from_millis(500);
const AGAIN_MAX: Duration = Duration::from_secs(30);

/// Whose stream it is, by which session.
#[derive(Clone, Copy)]
pub(crate) struct Signed {
    pub(crate) viewer: UserId,
    pub(crate) token: Token,
}

/// From where on a stream goes on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mark {
    /// From a look at this time.
    At(Timestamp),
    /// From something that is no cursor of ours: then all is to be read again.
    Unknown,
}

impl Mark {
    /// Reads a cursor. Any text is safe to give.
    pub(crate) fn parse(text: &str) -> Self {
        match text.parse() {
            Ok(ms) if (0..i64::MAX / 2).contains(&ms) => Self::At(Timestamp(ms)),
            _ => Self::Unknown,
        }
    }

    /// The time, if what came since is still told one by one.
    fn within(self, now: Timestamp) -> Option<Timestamp> {
        let Self::At(at) = self else { return None };
        (now.0 - MARK_AGE_MAX_MS..=now.0 + LATE_MAX_MS).contains(&at.0).then_some(at)
    }
}

/// The session is over.
#[derive(Debug)]
pub(crate) struct SignedOut;

/// What is known of the feed.
struct Feed {
    /// The last look.
    looked_at: Timestamp,
    /// Posts made since shortly before that, which were said, or are for the client to read.
    known: HashSet<Uuid>,
}

impl Feed {
    /// Above which ids anything may be new.
    fn since(&self) -> Uuid {
        let ms = self.looked_at.plus_ms(-LATE_MAX_MS).0;
        // A UUID of version 7 begins with 48 bits of milliseconds (RFC 9562, 5.7).
        Uuid::from_u128(u128::try_from(ms).unwrap_or_default() << 80)
    }

    /// Takes in what a look found that began at this time.
    fn learn(&mut self, ids: impl IntoIterator<Item = Uuid>, looked_at: Timestamp) {
        self.known.extend(ids);
        // A clock that is set back must not bring back what was long ago.
        self.looked_at = self.looked_at.max(looked_at);
        let since = self.since();
        self.known.retain(|id| *id > since);
    }
}

/// A stream, whatever its client is connected by.
pub(crate) struct Stream {
    edge: Arc<Edge>,
    signed: Signed,
    watch: Watch,
    feed: Feed,
    follows_version: u64,
    /// What the client asked to hear of, and the version that it was told last.
    subjects: HashMap<Subject, u64>,
    /// What is still to be said.
    unsaid: Vec<Event>,
    /// What could not be read.
    again: HashSet<Key>,
    /// Until that is tried again.
    pause: Duration,
}

impl Stream {
    /// Begins a stream, or goes on where one ended.
    ///
    /// # Errors
    /// What an owner refused; `unavailable` if something stays out of reach.
    pub(crate) async fn open(edge: Arc<Edge>, signed: Signed, mark: Option<Mark>) -> Result<Self, Refusal> {
        let mut watch = Watch::new(edge.client.node());
        // Before anything is read: what moves while that is done is heard.
        for kind in [Kind::Account, Kind::Feed, Kind::Follows] {
            watch.add(Key::new(kind, signed.viewer));
        }
        let now = Timestamp::now();
        let resumed = mark.and_then(|mark| mark.within(now));
        let feed = Feed { looked_at: resumed.unwrap_or(now), known: HashSet::new() };
        let (subjects, unsaid, again) = (HashMap::new(), Vec::new(), HashSet::new());
        let mut stream = Self { edge, signed, watch, feed, follows_version: 0, subjects, unsaid, again, pause: AGAIN };
        let call = stream.client().call(Principal::Platform);
        stream.follows_version = stream.follows(&call).await?;
        stream.say(Event::Hello { follows_version: stream.follows_version });
        if resumed.is_some() {
            stream.look_at_feed(&call).await?;
        } else {
            let known = stream.news(&call, 0).await?.ids;
            stream.feed.learn(known, now);
            if mark.is_some() {
                stream.say(Event::Reset);
            }
        }
        stream.watch_timelines(&call).await?;
        Ok(stream)
    }

    pub(super) const fn viewer(&self) -> UserId {
        self.signed.viewer
    }

    fn client(&self) -> Client {
        self.edge.client.clone()
    }

    /// Counts a read of the viewer's.
    ///
    /// # Errors
    /// `too_many_requests`.
    pub(crate) fn count(&self) -> Result<(), Refusal> {
        let checked = self.edge.limiter.check(Instant::now(), Class::Read, Caller::Person(self.viewer()));
        checked.map_err(|exceeded| Refusal::from(ErrorCode::TooManyRequests).after(exceeded.retry_after_s()))
    }

    /// Has something said to the client.
    pub(super) fn say(&mut self, event: Event) {
        self.unsaid.push(event);
    }

    /// What is to be said now, and the cursor from which a stream goes on behind it.
    pub(super) fn take(&mut self) -> (Vec<Event>, String) {
        (std::mem::take(&mut self.unsaid), self.feed.looked_at.0.to_string())
    }

    /// Resolves when there is something to look at. It may be given up at any time.
    pub(super) async fn moved(&self) -> HashSet<Key> {
        if self.again.is_empty() {
            return self.watch.moved().await;
        }
        let pause = self.pause.mul_f64(rand::random_range(0.5..1.0));
        tokio::time::timeout(pause, self.watch.moved()).await.unwrap_or_default()
    }

    /// Looks at everything: for what was not heard of.
    pub(super) async fn look_at_all(&mut self) -> Result<(), SignedOut> {
        let all = self.watch.keys().collect();
        self.look(all).await
    }

    /// Looks at what moved, and has said what is newer than what was said, as far as the viewer may see it now. What is out of reach is looked at again
    /// soon.
    pub(super) async fn look(&mut self, moved: HashSet<Key>) -> Result<(), SignedOut> {
        let looked = self.look_once(moved).await;
        self.pause = if self.again.is_empty() { AGAIN } else { (self.pause * 2).min(AGAIN_MAX) };
        looked
    }

    async fn look_once(&mut self, mut moved: HashSet<Key>) -> Result<(), SignedOut> {
        moved.extend(std::mem::take(&mut self.again));
        // Nobody can tell what is still so: neither who is signed in, nor what they may see.
        if !self.edge.client.node().ownership.is_leased() {
            self.again = moved;
            return Ok(());
        }
        let principal = match self.edge.accounts.authenticate(&self.signed.token).await {
            Ok(principal) => principal.ok_or(SignedOut)?,
            Err(_) => {
                self.again = moved;
                return Ok(());
            }
        };
        let call = self.client().call(principal);
        let concerns = |kind| moved.iter().any(|key| key.kind == kind);
        // Whom the viewer follows, and with whom there is a block, decides what they see.
        let is_about_people = concerns(Kind::Follows);
        if is_about_people {
            match self.follows(&call).await {
                Ok(version) if version > self.follows_version => {
                    self.follows_version = version;
                    self.say(Event::FollowsChanged { version });
                }
                Ok(_) => {}
                Err(_) => {
                    self.again.insert(Key::new(Kind::Follows, self.viewer()));
                }
            }
        }
        if is_about_people || concerns(Kind::Feed) || concerns(Kind::Timeline) {
            let looked = async {
                self.look_at_feed(&call).await?;
                self.watch_timelines(&call).await
            };
            if looked.await.is_err() {
                self.again.insert(Key::new(Kind::Feed, self.viewer()));
            }
        }
        let due = self.subjects.keys().copied().filter(|subject| is_about_people || moved.contains(&subject.key()));
        self.look_at(&call, due.collect()).await;
        Ok(())
    }

    // ---- the feed, and the viewer's relations ----

    async fn follows(&self, call: &Call) -> Result<u64, Refusal> {
        Ok(self.client().view(call, Key::new(Kind::Follows, self.viewer())).await?.view.version)
    }

    async fn news(&self, call: &Call, count_max: usize) -> Result<News, Refusal> {
        let (since, viewer) = (self.feed.since(), self.viewer());
        read::complete(&self.client(), call, |sight| read::news(sight, viewer, (since, &self.feed.known), count_max)).await
    }

    async fn look_at_feed(&mut self, call: &Call) -> Result<(), Refusal> {
        let now = Timestamp::now();
        let news = self.news(call, NEWS_MAX).await?;
        if !news.is_whole {
            self.say(Event::Reset);
            self.feed.learn(news.ids, now);
            return Ok(());
        }
        for post in &news.posts {
            if let Some(user_id) = post.view.fact.by() {
                self.say(Event::PostCreated { post_id: PostId(post.key.id), user_id, version: post.view.version });
            }
        }
        // What the viewer may not see yet they may see before it is old.
        self.feed.learn(news.posts.iter().map(|post| post.key.id), now);
        Ok(())
    }

    /// Listens to the timelines that the feed is merged with now, and to no others.
    async fn watch_timelines(&mut self, call: &Call) -> Result<(), Refusal> {
        let viewer = self.viewer();
        let wanted: HashSet<Key> =
            read::complete(&self.client(), call, |sight| read::timelines(sight, viewer)).await?.into_iter().collect();
        let (kept, left): (HashSet<Key>, HashSet<Key>) =
            self.watch.keys().filter(|key| key.kind == Kind::Timeline).partition(|key| wanted.contains(key));
        left.iter().for_each(|key| self.watch.remove(key));
        // What moved on a timeline between the look at the feed and now was heard by nobody.
        if wanted.iter().any(|key| !kept.contains(key)) {
            self.again.insert(Key::new(Kind::Feed, viewer));
        }
        wanted.into_iter().for_each(|key| self.watch.add(key));
        Ok(())
    }

    // ---- what the client asked to hear of ----

    /// Tells of this from now on, and how it is. What the viewer may not see, or is one too many, is refused by an event.
    pub(crate) async fn subscribe(&mut self, subject: Subject) -> Result<(), SignedOut> {
        let refuse = |code, detail: String| Event::error(code, detail, Some(subject));
        if self.subjects.len() >= SUBJECTS_MAX && !self.subjects.contains_key(&subject) {
            let detail = format!("a stream tells of {SUBJECTS_MAX} things at most");
            self.say(refuse(ErrorCode::LimitReached, detail));
            return Ok(());
        }
        let is_new = !self.subjects.contains_key(&subject);
        self.watch.add(subject.key());
        let seen = match self.edge.accounts.authenticate(&self.signed.token).await {
            Ok(principal) => {
                let call = self.client().call(principal.ok_or(SignedOut)?);
                seen(&self.client(), &call, (self.viewer(), subject)).await
            }
            Err(refusal) => Err(refusal),
        };
        let refusal = match seen {
            Ok(Some(found)) => {
                self.subjects.insert(subject, found.view.version);
                self.unsaid.extend(subject.event(&found));
                return Ok(());
            }
            Ok(None) => Refusal::from(ErrorCode::NotFound),
            Err(refusal) => refusal,
        };
        // What was told of so far is, also where it cannot be read at the moment.
        if is_new || refusal.code == ErrorCode::NotFound {
            self.unsubscribe(subject);
        }
        self.say(refuse(refusal.code, refusal.detail.into_owned()));
        Ok(())
    }

    /// Tells of this no more.
    pub(super) fn unsubscribe(&mut self, subject: Subject) {
        self.subjects.remove(&subject);
        self.watch.remove(&subject.key());
    }

    async fn look_at(&mut self, call: &Call, due: Vec<Subject>) {
        let (client, viewer) = (self.client(), self.viewer());
        let looked = join_all(due.iter().map(|subject| seen(&client, call, (viewer, *subject)))).await;
        for (subject, seen) in due.into_iter().zip(looked) {
            match seen {
                Ok(Some(found)) => {
                    let said = self.subjects.entry(subject).or_default();
                    if found.view.version > *said {
                        *said = found.view.version;
                        self.unsaid.extend(subject.event(&found));
                    }
                }
                Ok(None) => {
                    self.unsubscribe(subject);
                    self.say(Event::Gone { subject });
                }
                Err(_) => {
                    self.again.insert(subject.key());
                }
            }
        }
    }
}

/// A thing as the viewer may see it now; `None` if there is none, or not for them.
async fn seen(client: &Client, call: &Call, (viewer, subject): (UserId, Subject)) -> Result<Option<Arc<Snapshot>>, Refusal> {
    let key = subject.key();
    if !matches!(subject, Subject::Order(_)) {
        let onlooker = Viewer { user: Some(viewer) };
        return read::complete(client, call, |sight| read::one(sight, onlooker, key)).await;
    }
    // For nobody but its two sides.
    let is_theirs =
        |order: &Arc<Snapshot>| matches!(order.view.fact, Fact::Between { buyer, seller } if viewer == buyer || viewer == seller);
    match client.view(call, key).await {
        Ok(order) => Ok(Some(order).filter(is_theirs)),
        Err(refusal) if refusal.code == ErrorCode::NotFound => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_a_time_not_long_ago_and_anything_else_is_a_reset() {
        let now = Timestamp(10_000_000);
        let within = |text: &str| Mark::parse(text).within(now);
        assert_eq!(within("9999000"), Some(Timestamp(9_999_000)));
        assert_eq!(within("10001000"), Some(Timestamp(10_001_000)), "another node's clock");
        for text in ["", "x", "-1", "9000000", "11000000", "99999999999999999999", "9223372036854775807", "1e3", " 1"] {
            assert_eq!(within(text), None, "{text}");
        }
    }

    #[test]
    fn the_feed_remembers_what_was_made_shortly_before_the_last_look() {
        let id = |ms: u128, n: u128| Uuid::from_u128(ms << 80 | n);
        let mut feed = Feed { looked_at: Timestamp(100_000), known: HashSet::new() };
        assert_eq!(feed.since(), id(40_000, 0));
        feed.learn([id(90_000, 1), id(99_000, 2)], Timestamp(155_000));
        assert_eq!((feed.since(), feed.known.len()), (id(95_000, 0), 1));
        feed.learn([], Timestamp(1000));
        assert_eq!(feed.since(), id(95_000, 0), "the clock was set back");
        let made = PostId::new();
        let now = Feed { looked_at: Timestamp::now(), known: HashSet::new() };
        assert!(made.0 > now.since(), "new ids are above");
    }
}
