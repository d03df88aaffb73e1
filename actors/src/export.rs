//! Everything that the platform holds of a person, as one JSON document for them.
//!
//! It is read from the store and from the owners page by page, and is not one moment's truth: what changes meanwhile may be in it or not. It is put
//! together in memory, so it has a bound; a document that met it says so.

use crate::{
    belonging::Belonging,
    client::{Call, Client},
    owner::refusal_of,
};
use bytes::{BufMut, Bytes, BytesMut};
use protocol::{
    CommentId, ErrorCode, Key, Kind, Page, PostId, Principal, Query, Refusal, Timestamp, UserId, account::SessionView, comment::Comment,
};
use serde::Serialize;
use std::time::Instant;

/// Rows of each list …
const ROWS_MAX: usize = 10_000;
/// … and bytes of all of them.
const BYTES_MAX: usize = 32 << 20;
const BATCH: u16 = Page::LIMIT_MAX;

/// Puts the document together.
///
/// # Errors
/// When a database or an owner is out of reach, or it takes longer than the call may: a repetition is safe.
pub(crate) async fn export(client: &Client, call: &Call, user: UserId) -> Result<Bytes, Refusal> {
    let platform = Call { principal: Principal::Platform, ..call.clone() };
    let me = client.query(&platform, Key::new(Kind::User, user), Query::Me).await?;
    let mut export = Export { client, call: platform, user, body: BytesMut::with_capacity(64 << 10), complete: true };
    export.body.put_slice(b"{\"account\":");
    export.body.put_slice(&me.view.body);
    export.sessions().await?;
    export.relations().await?;
    export.content().await?;
    export.shop().await?;
    export.ids("files", Belonging::Files, Some(Kind::File)).await?;
    let Export { mut body, complete, .. } = export;
    body.put_slice(format!(",\"exportedAt\":\"{}\",\"complete\":{complete}}}", Timestamp::now()).as_bytes());
    Ok(body.freeze())
}

struct Export<'c> {
    client: &'c Client,
    call: Call,
    user: UserId,
    body: BytesMut,
    complete: bool,
}

/// A list in the document.
struct List<'e> {
    body: &'e mut BytesMut,
    complete: &'e mut bool,
    rows: usize,
}

impl List<'_> {
    /// Adds a row, if there is room.
    fn push(&mut self, row: &[u8]) {
        if self.is_full() {
            return;
        }
        if self.rows > 0 {
            self.body.put_u8(b',');
        }
        self.body.put_slice(row);
        self.rows += 1;
    }

    fn push_json(&mut self, row: &impl Serialize) {
        self.push(&serde_json::to_vec(row).unwrap_or_else(|_| b"null".to_vec()));
    }

    /// Whether there is no room for a row. Then the document is not complete, which is looked at only where there is one more.
    fn is_full(&mut self) -> bool {
        let full = self.rows >= ROWS_MAX || self.body.len() >= BYTES_MAX;
        *self.complete &= !full;
        full
    }

    fn end(self) {
        self.body.put_u8(b']');
    }
}

impl Export<'_> {
    fn list(&mut self, name: &str) -> List<'_> {
        self.body.put_slice(format!(",\"{name}\":[").as_bytes());
        List { body: &mut self.body, complete: &mut self.complete, rows: 0 }
    }

    fn in_time(&self) -> Result<(), Refusal> {
        if Instant::now() < self.call.deadline { Ok(()) } else { Err(ErrorCode::Expired.into()) }
    }

    async fn sessions(&mut self) -> Result<(), Refusal> {
        let rows = self.client.node().stores.users.sessions(self.user, Timestamp::now()).await.map_err(|e| refusal_of(&e))?;
        let mut list = self.list("sessions");
        rows.into_iter().for_each(|row| list.push_json(&view_of(row, false)));
        list.end();
        Ok(())
    }

    async fn relations(&mut self) -> Result<(), Refusal> {
        self.ids("following", Belonging::Following, None).await?;
        self.ids("followers", Belonging::Followers, None).await?;
        self.ids("blocks", Belonging::Blocks, None).await
    }

    async fn content(&mut self) -> Result<(), Refusal> {
        let (content, user) = (self.client.node().stores.content.clone(), self.user);
        self.ids("posts", Belonging::Posts, Some(Kind::Post)).await?;

        let mut list = self.list("comments");
        let mut after: Option<CommentId> = None;
        loop {
            let batch = content.comments_by(user, after, BATCH).await.map_err(|e| refusal_of(&e))?;
            after = batch.last().map(|comment| comment.id);
            if after.is_none() || list.is_full() {
                break;
            }
            // Hidden from others or not, it is theirs to have.
            batch.into_iter().for_each(|comment| list.push_json(&Comment { hidden: false, ..comment }));
        }
        list.end();

        let mut list = self.list("reactions");
        let mut after = None;
        loop {
            let batch = content.reacted(user, after, BATCH).await.map_err(|e| refusal_of(&e))?;
            after = batch.last().copied();
            if after.is_none() || list.is_full() {
                break;
            }
            for post in batch {
                let reaction = content.reaction(PostId(post), user).await.map_err(|e| refusal_of(&e))?;
                list.push_json(&serde_json::json!({ "postId": post, "type": reaction }));
            }
        }
        list.end();

        let mut list = self.list("bookmarks");
        let mut page = Page::first(BATCH);
        loop {
            let (rows, next) = content.bookmarks(user, page).await.map_err(|e| refusal_of(&e))?;
            rows.iter().for_each(|bookmark| list.push_json(bookmark));
            match next {
                Some(next) if !list.is_full() => page.after = Some(next),
                _ => break,
            }
        }
        list.end();
        self.in_time()
    }

    async fn shop(&mut self) -> Result<(), Refusal> {
        let (shop, user) = (self.client.node().stores.shop.clone(), self.user);
        self.ids("products", Belonging::Products, Some(Kind::Product)).await?;
        for (name, placed) in [("ordersPlaced", true), ("ordersReceived", false)] {
            let mut list = self.list(name);
            let mut page = Page::first(BATCH);
            loop {
                let (rows, next) = shop.orders(user, placed, page).await.map_err(|e| refusal_of(&e))?;
                rows.iter().for_each(|order| list.push_json(order));
                match next {
                    Some(next) if !list.is_full() => page.after = Some(next),
                    _ => break,
                }
            }
            list.end();
        }
        self.ids("reviews", Belonging::Reviews, Some(Kind::Review)).await?;
        let lines = shop.cart(user).await.map_err(|e| refusal_of(&e))?;
        let mut list = self.list("cart");
        lines.iter().for_each(|line| list.push_json(line));
        list.end();
        let wishes = shop.wishes(user).await.map_err(|e| refusal_of(&e))?;
        let mut list = self.list("wishlist");
        wishes.iter().for_each(|wish| list.push_json(wish));
        list.end();
        self.in_time()
    }

    /// A list of ids, or of what they name as its owner publishes it.
    async fn ids(&mut self, name: &str, what: Belonging, kind: Option<Kind>) -> Result<(), Refusal> {
        let user = self.user;
        let (client, call) = (self.client, self.call.clone());
        let mut list = self.list(name);
        let mut page = Page::first(BATCH);
        loop {
            let found = what.page(&client.node().stores, user, page).await.map_err(|e| refusal_of(&e))?;
            for id in found.ids {
                match kind {
                    None => list.push_json(&id),
                    Some(kind) => push_view(&mut list, client, (&call, Key::new(kind, id))).await?,
                }
            }
            match found.next {
                Some(next) if !list.is_full() => page.after = Some(next),
                _ => break,
            }
        }
        list.end();
        self.in_time()
    }
}

/// Adds what an owner publishes; what was deleted meanwhile is left out.
async fn push_view(list: &mut List<'_>, client: &Client, (call, key): (&Call, Key)) -> Result<(), Refusal> {
    match client.view(call, key).await {
        Ok(found) if !found.view.body.is_empty() => list.push(&found.view.body),
        Ok(_) => {}
        Err(refusal) if refusal.code == ErrorCode::NotFound => {}
        Err(refusal) => return Err(refusal),
    }
    Ok(())
}

/// A session as its owner is shown it.
pub(crate) fn view_of(row: store::SessionRow, current: bool) -> SessionView {
    SessionView {
        id: row.session.id(),
        created_at: row.session.created_at,
        last_seen_at: row.seen_at.unwrap_or(row.session.created_at),
        expires_at: row.session.expires_at,
        user_agent: row.device.user_agent,
        network: row.device.network,
        current,
    }
}
