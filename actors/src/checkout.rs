//! Drives checkouts: begins one, has each line set aside at its product's owner, then has all confirmed or all released.
//!
//! It keeps nothing that is not in the store. Whoever repeats the request under its Idempotency-Key drives the same checkout on, also beside somebody
//! who still does; what nobody drives any more is released by [`Sweeper`] when its time is up. So a crash at any point leaves all of the orders or
//! none, and no piece is lost.

use crate::{
    client::{Call, Client},
    clock::by_the_clock,
    node::Node,
    owner::refusal_of,
    read,
    supervisor::Child,
};
use futures_util::future::join_all;
use protocol::{
    CheckoutId, Command, ErrorCode, Fact, Idempotency, Key, Kind, Outcome, Principal, Refusal, Reply, Slot, Timestamp, UserId,
    checkout::{self, Line, Reserved},
    product::{self, Reserve},
};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use uuid::Uuid;

/// How often a checkout is driven on when an owner or the database did not do its part, within the request's time.
const ATTEMPTS_MAX: usize = 5;
/// Pauses between two attempts: owners that died are started again in less.
const ATTEMPT_PAUSE: Duration = Duration::from_millis(50);
/// How often overdue checkouts are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(5);
/// Overdue checkouts that one look releases.
const SWEPT_MAX: u32 = 100;
/// Looks between two that also forget old checkouts: 20 minutes.
const FORGET_EVERY: u64 = 240;

/// Orders all of the caller's cart. Goes on to its end also if the caller goes away.
///
/// # Errors
/// `conflict` when the cart is empty or was changed meanwhile; `out_of_stock`, `not_for_sale`, `price_raised`, `not_found`, which name the products:
/// nothing was ordered, and the same Idempotency-Key may be tried again. `idempotency_mismatch`. `unavailable` or `outcome_unknown` when something
/// was away for too long: repeat it with the same Idempotency-Key.
pub async fn check_out(client: &Client, call: &Call, request: checkout::Request) -> Result<Reply, Refusal> {
    let buyer = call.principal.user().ok_or(ErrorCode::Unauthenticated)?;
    request.validate()?;
    let id = call.idempotency.as_ref().map_or_else(CheckoutId::new, |idempotency| id_of(buyer, idempotency));
    let fingerprint = call.idempotency.as_ref().map(|idempotency| idempotency.fingerprint);
    // The checkout's row is its idempotency record: no other is made.
    let call = Call { idempotency: None, if_match: None, ..call.clone() };
    let drive = Drive { client: client.clone(), call, buyer, key: Key::new(Kind::Checkout, id), fingerprint, request };
    let outcome = tokio::spawn(drive.run()).await.unwrap_or_else(|_| Err(ErrorCode::OutcomeUnknown.into()));
    client.node().metrics.checkout(if outcome.is_ok() { "confirmed" } else { "refused" });
    outcome
}

/// The id of the checkout that a person's idempotency key names.
fn id_of(buyer: UserId, idempotency: &Idempotency) -> CheckoutId {
    let named =
        Sha256::new_with_prefix(buyer.0.as_bytes()).chain_update(&idempotency.route).chain_update([0]).chain_update(&idempotency.key);
    let hash = named.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    CheckoutId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
}

struct Drive {
    client: Client,
    call: Call,
    buyer: UserId,
    key: Key,
    fingerprint: Option<[u8; 32]>,
    request: checkout::Request,
}

/// How an attempt ended.
enum Ended {
    /// With the client's answer.
    Answered(Reply),
    /// For good: nothing was ordered.
    Refused(Refusal),
    /// Nobody knows yet, or something is away: another attempt may do.
    Again(Refusal),
}

/// Whether a repetition may help where this was answered.
fn passing(refusal: &Refusal) -> bool {
    use ErrorCode::{Expired, NotOwner, OutcomeUnknown, Overloaded, Unavailable};
    matches!(refusal.code, Unavailable | Overloaded | OutcomeUnknown | Expired | NotOwner)
}

impl From<Refusal> for Ended {
    fn from(refusal: Refusal) -> Self {
        if passing(&refusal) { Self::Again(refusal) } else { Self::Refused(refusal) }
    }
}

impl Drive {
    async fn run(self) -> Result<Reply, Refusal> {
        let mut last = Refusal::from(ErrorCode::Unavailable);
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                tokio::time::sleep(ATTEMPT_PAUSE).await;
            }
            if Instant::now() >= self.call.deadline {
                break;
            }
            match self.attempt().await {
                Ended::Answered(reply) => return Ok(reply),
                Ended::Refused(refusal) => return Err(refusal),
                Ended::Again(refusal) => last = refusal,
            }
        }
        Err(last)
    }

    async fn attempt(&self) -> Ended {
        match self.try_attempt().await {
            Ok(ended) | Err(ended) => ended,
        }
    }

    async fn try_attempt(&self) -> Result<Ended, Ended> {
        let lines = self.lines().await?;
        let begin = checkout::Command::Begin { fingerprint: self.fingerprint, lines, request: self.request.clone() };
        let begun = self.write(begin).await?;
        if begun.outcome == Outcome::Created {
            return Ok(Ended::Answered(begun));
        }
        let lines: Vec<Line> = serde_json::from_slice(&begun.body).map_err(|_| Refusal::from(ErrorCode::Internal))?;
        let refused = self.set_aside(&lines, begun.version).await?;
        let reserved = self.reserved(&lines).await?;
        let lacking: Vec<_> = lines.iter().filter(|line| !reserved.contains_key(&line.product.0)).collect();
        if lacking.is_empty() {
            let reserved = lines.iter().filter_map(|line| reserved.get(&line.product.0).cloned()).collect();
            return self.confirm(reserved, begun.version).await;
        }
        let why: Vec<_> = lacking.iter().filter_map(|line| Some((line.product.0, refused.get(&line.product.0)?))).collect();
        match why.iter().find(|(_, refusal)| !passing(refusal)) {
            Some(_) => self.release(begun.version, explain(&why)).await,
            // What is set aside stays so for the next attempt, or until the checkout's time is up.
            None => Ok(Ended::Again(why.first().map_or(ErrorCode::Unavailable.into(), |(_, refusal)| Refusal::clone(refusal)))),
        }
    }

    async fn write(&self, command: checkout::Command) -> Result<Reply, Refusal> {
        self.client.write(&self.call, self.key, Command::Checkout(command)).await
    }

    /// The lines of the buyer's cart, as they are now.
    async fn lines(&self) -> Result<Vec<Line>, Refusal> {
        let cart = self.client.view(&self.call, Key::new(Kind::Cart, self.buyer)).await?;
        let Fact::Cart(items) = &cart.view.fact else { return Err(ErrorCode::Internal.into()) };
        let line = |item: &protocol::cart::Item| Line {
            item: item.id,
            product: item.product_id,
            quantity: item.quantity,
            price_max: item.price,
            currency: item.currency.clone(),
        };
        Ok(items.iter().map(line).collect())
    }

    /// Has every line set aside that the buyer may buy, all at once; answers what was refused, by product.
    async fn set_aside(&self, lines: &[Line], begun: u64) -> Result<HashMap<Uuid, Refusal>, Refusal> {
        let products: Vec<_> = lines.iter().map(|line| line.product).collect();
        let buyer = self.buyer;
        let for_sale = read::complete(&self.client, &self.call, |sight| read::shop::are_for_sale(sight, buyer, &products)).await?;
        let ask = |(line, for_sale): (&Line, bool)| {
            let reserve = Reserve {
                checkout: CheckoutId(self.key.id),
                begun,
                quantity: line.quantity,
                price_max: line.price_max,
                currency: line.currency.clone(),
            };
            let key = Key::new(Kind::Product, line.product);
            async move {
                if !for_sale {
                    return Some((key.id, ErrorCode::NotFound.into()));
                }
                let asked = self.client.write(&self.call, key, Command::Product(product::Command::Reserve(reserve))).await;
                asked.err().map(|refusal| (key.id, refusal))
            }
        };
        Ok(join_all(lines.iter().zip(for_sale).map(ask)).await.into_iter().flatten().collect())
    }

    /// What is set aside now, by whomever: a line that was refused here may have been granted to somebody who drives the same checkout.
    async fn reserved(&self, lines: &[Line]) -> Result<HashMap<Uuid, Reserved>, Refusal> {
        let rows = self.client.node().stores.shop.reserved(CheckoutId(self.key.id)).await.map_err(|error| refusal_of(&error))?;
        let mut reserved = HashMap::with_capacity(lines.len());
        reserved.extend(rows.into_iter().map(|row| (row.product.0, row)));
        Ok(reserved)
    }

    async fn confirm(&self, reserved: Vec<Reserved>, begun: u64) -> Result<Ended, Ended> {
        match self.write(checkout::Command::Confirm { reserved }).await {
            Ok(reply) => Ok(Ended::Answered(reply)),
            // Expired by its own time, not by the request's: it is released now instead of by the sweeper.
            Err(refusal) if passing(&refusal) && refusal.code != ErrorCode::Expired => Ok(Ended::Again(refusal)),
            Err(refusal) if matches!(refusal.code, ErrorCode::NotFound | ErrorCode::Conflict) => {
                let detail = "the cart was changed while it was checked out, and nothing was ordered: read it again";
                self.release(begun, Refusal::new(ErrorCode::Conflict, detail)).await
            }
            Err(refusal) => self.release(begun, refusal).await,
        }
    }

    /// Gives all back, and ends with `refusal`; unless somebody else was faster: then it became orders, or what was refused here may only have been
    /// refused because the checkout had ended.
    async fn release(&self, begun: u64, refusal: Refusal) -> Result<Ended, Ended> {
        match self.write(checkout::Command::Release { begun }).await {
            Ok(reply) if reply.outcome == Outcome::Created => Ok(Ended::Answered(reply)),
            Ok(reply) if reply.version == 0 => Ok(Ended::Again(refusal)),
            Ok(_) => Ok(Ended::Refused(refusal)),
            Err(failed) => Ok(Ended::Again(failed)),
        }
    }
}

/// One refusal for all lines, which names each with its reason; its code is the first one's that is for good.
fn explain(why: &[(Uuid, &Refusal)]) -> Refusal {
    let lasting: Vec<_> = why.iter().filter(|(_, refusal)| !passing(refusal)).collect();
    let code = lasting.first().map_or(ErrorCode::Conflict, |(_, refusal)| refusal.code);
    // A line whose product is gone is a fault of the cart, which exists.
    let code = if code == ErrorCode::NotFound { ErrorCode::NotForSale } else { code };
    let named = |(product, refusal): &&(Uuid, &Refusal)| match refusal.code {
        ErrorCode::NotFound => format!("product {product}: it is not for sale any more"),
        _ => format!("product {product}: {}", refusal.detail),
    };
    let lines: Vec<_> = lasting.iter().map(named).collect();
    Refusal::new(code, format!("nothing was ordered. {}", lines.join("; ")))
}

/// Has checkouts of this node's slots that should have ended by `now` released, each by its owner, which answers as ever if it ended meanwhile.
pub async fn release_due(client: &Client, now: Timestamp) {
    let due = match client.node().stores.shop.checkouts_due(now, SWEPT_MAX).await {
        Ok(due) => due,
        Err(error) => return tracing::warn!(%error, "overdue checkouts were not looked for; trying again"),
    };
    let call = client.call(Principal::Platform);
    let ownership = &client.node().ownership;
    let released = due.into_iter().filter(|(id, _)| ownership.serves(Slot::of(id.0))).map(|(id, begun)| {
        let release = Command::Checkout(checkout::Command::Release { begun });
        let call = &call;
        async move {
            match client.write(call, Key::new(Kind::Checkout, id), release).await {
                Ok(_) => client.node().metrics.checkout("expired"),
                Err(refusal) => tracing::warn!(%refusal, checkout = %id, "an overdue checkout was not released; trying again"),
            }
        }
    });
    join_all(released).await;
}

/// The row of the supervision tree that releases checkouts whose time is up, and forgets old ones.
#[must_use]
pub fn sweeper(node: &Arc<Node>) -> Child {
    let client = Client::new(node.clone());
    by_the_clock("checkouts", SWEEP_EVERY, move |turns| {
        let client = client.clone();
        async move {
            release_due(&client, Timestamp::now()).await;
            if turns.is_multiple_of(FORGET_EVERY) {
                let before = Timestamp::now().plus_ms(-Idempotency::KEPT_MS);
                if let Err(error) = client.node().stores.shop.forget_checkouts(before).await {
                    tracing::warn!(%error, "old checkouts were not forgotten; trying again");
                }
            }
            SWEEP_EVERY
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_one_checkout_of_one_person() {
        let key = |route: &str, key: &str| Idempotency { route: route.into(), key: key.into(), fingerprint: [0; 32] };
        let (ada, bob) = (UserId::new(), UserId::new());
        let id = id_of(ada, &key("a", "1"));
        assert_eq!(id, id_of(ada, &Idempotency { fingerprint: [9; 32], ..key("a", "1") }));
        assert_eq!(id.0.get_version_num(), 8);
        for other in [id_of(bob, &key("a", "1")), id_of(ada, &key("a", "2")), id_of(ada, &key("a1", ""))] {
            assert_ne!(id, other);
        }
    }

    #[test]
    fn a_refusal_names_every_line_and_its_reason() {
        let (a, b, c) = (Uuid::now_v7(), Uuid::now_v7(), Uuid::now_v7());
        let away = Refusal::from(ErrorCode::Unavailable);
        let (gone, short) = (Refusal::from(ErrorCode::NotFound), Refusal::new(ErrorCode::OutOfStock, "1 in stock, 2 ordered"));
        let refusal = explain(&[(c, &away), (a, &short), (b, &gone)]);
        assert_eq!(refusal.code, ErrorCode::OutOfStock);
        assert_eq!(
            refusal.detail,
            format!("nothing was ordered. product {a}: 1 in stock, 2 ordered; product {b}: it is not for sale any more")
        );
        assert_eq!(explain(&[(b, &gone)]).code, ErrorCode::NotForSale);
    }
}
