//! The cluster's statements: that they answer as `simulation::tables` does, whatever came before, at the same time, or between a statement and its answer.

mod history;
mod late;
mod loss;
mod race;

use super::*;
use crate::make::*;
use cluster::{Answer, Boot, Change, Claim, Release, Roles, SlotRow, Statement};
use protocol::{Epoch, Slot};
use std::sync::Arc;
use store::postgres::Membership;

fn boot(number: u128) -> Boot {
    Boot(uuid::Uuid::from_u128(number))
}

fn slot(number: u16) -> Slot {
    Slot::new(number).expect("a slot")
}

/// A node's way to the store.
async fn membership(urls: &Urls) -> Arc<Membership> {
    Arc::new(Postgres::open(urls, &options(), &Registry::new()).await.expect("opened").membership())
}

/// So many, in databases of their own.
async fn memberships<const N: usize>() -> (Databases, [Arc<Membership>; N]) {
    let databases = databases().await;
    let mut nodes = Vec::new();
    for _ in 0..N {
        nodes.push(membership(&urls(databases.url())).await);
    }
    (databases, nodes.try_into().unwrap_or_else(|_| unreachable!("as many")))
}

/// Has a change carried out: whether it was applied, the version, and the rows that it answers.
#[track_caller]
fn change(membership: &Membership, change: Change) -> impl Future<Output = (bool, u64, Vec<SlotRow>)> {
    let place = std::panic::Location::caller();
    async move {
        match membership.ask(Statement::Change(change)).await {
            Some(Answer::Changed { applied, view, slots }) => (applied, view, slots),
            other => panic!("{place}: {other:?}"),
        }
    }
}

fn joining(boot: Boot) -> Change {
    Change::Join { boot, roles: Roles::ALL, address: format!("{boot}:7000").into() }
}

/// Brings nodes up.
async fn up(membership: &Membership, boots: &[Boot]) {
    for boot in boots {
        assert!(change(membership, joining(*boot)).await.0);
        assert!(change(membership, Change::Rise { boot: *boot, reached: boots.to_vec() }).await.0);
    }
}

/// Claims of slots that nobody has had since they were at this epoch.
fn claims(slots: impl IntoIterator<Item = u16>, seen: u64) -> Vec<Claim> {
    slots.into_iter().map(|number| Claim { slot: slot(number), seen: Epoch(seen), above: Epoch(0) }).collect()
}

/// All that is owned, given up.
fn released(rows: impl IntoIterator<Item = SlotRow>, heir: Option<Boot>) -> Vec<Release> {
    rows.into_iter().map(|row| Release { slot: row.slot, epoch: row.epoch, heir }).collect()
}

/// All that the tables hold.
async fn whole(membership: &Membership) -> (u64, Vec<cluster::Member>, Vec<SlotRow>) {
    match membership.ask(Statement::ReadView { since: 0 }).await {
        Some(Answer::View { version, members, slots }) => (version, members, slots),
        other => panic!("{other:?}"),
    }
}
