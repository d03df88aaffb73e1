//! The cluster's statements on PostgreSQL, as [`cluster::statement`] demands them: three tables of the users database, and each database's epochs.
//!
//! A statement is a transaction in one round trip ([`pipeline`](super::pipeline)), so no lock is held while this process thinks, and it is carried out as
//! a whole or not at all. Nothing is repeated here: each was decided on what was known then, and what is due afterwards is for the core to say.
//!
//! * A change ([`change`]) locks the row of `cluster_view` in a statement of its own. The next one looks anew (`read committed`), so it sees whatever the changes
//!   before it did, and is a single statement whatever number of slots it is about.
//! * A renewal ([`RENEW`]) locks its own node's row and nothing else, and then looks anew: if it had to wait for a change to that row, it sees that one whole.
//!   Two renewals at the same time need not see each other's counters: who is watched has certainly renewed once the answer says so, and an expiry
//!   compares the counter under the lock of the row.
//! * A read of the view ([`reads`]) is one snapshot.

mod change;
mod line;

use super::column::{Columns, int, params, statements};
use super::fault::{Fault, describe};
use super::target::Target;
use super::{OpenError, Urls, migration};
use crate::metric::{DatabaseMetrics, Operation};
use crate::{Domain, StoreError, Stores};
use cluster::timing::{RENEWAL_ANSWER_MAX_MS, STANDSTILL_MS, STATEMENT_ANSWER_MAX_MS};
use cluster::{Answer, Boot, Death, Member, Roles, SlotRow, Statement, Status};
use line::{Line, Step};
use protocol::{Epoch, Slot};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio_postgres::Row;
use tokio_postgres::error::SqlState;

#[cfg(test)]
pub(super) use change::STATEMENTS as CHANGES;

statements! {
    RENEW = "UPDATE cluster_node SET counter = counter + 1 WHERE boot = $1 AND status IN ('joining', 'up', 'leaving') RETURNING 1";
    /// Nothing of a node without a row.
    COUNTERS = "SELECT boot, counter FROM cluster_node WHERE boot = ANY($1)";
    VERSION = "SELECT version FROM cluster_view";
    MEMBERS = "SELECT boot, born, edge, entity, media, address, status, accuses FROM cluster_node WHERE moved > $1";
    SLOTS = "SELECT slot, owner, epoch FROM cluster_slot WHERE moved > $1";
    /// Rows of the dead are few: they are forgotten after a minute.
    LIVING = "SELECT boot, status = 'voted_out' FROM cluster_node WHERE status IN ('joining', 'up', 'leaving', 'voted_out')";
}

/// One look for the version and all rows.
const SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Carries out what a node's core asks of the store.
///
/// Renewals have a connection of their own, and so have the other statements on the cluster's tables: neither waits for the pools. A connection that ended is
/// made again for the next statement; its making counts into the time that the statement has. Connections live on the runtime of whoever asks: who
/// wants renewals that wait for no busy worker asks from a runtime of its own. Epochs are raised on the runtime that opened the stores, through their pools.
pub struct Membership {
    renewals: Line,
    others: Line,
    metrics: Arc<DatabaseMetrics>,
    stores: Stores,
    runtime: Handle,
}

impl Membership {
    /// Asks nothing yet. `target` is the users database, `runtime` that of the stores.
    pub(super) fn new(target: &Target, metrics: Arc<DatabaseMetrics>, stores: Stores, runtime: Handle) -> Self {
        Self {
            renewals: Line::new(target, "renewals", Duration::from_millis(RENEWAL_ANSWER_MAX_MS)),
            others: Line::new(target, "statements", Duration::from_millis(STATEMENT_ANSWER_MAX_MS)),
            metrics,
            stores,
            runtime,
        }
    }

    /// Has a statement carried out. `None` if it failed, or was not answered within [`RENEWAL_ANSWER_MAX_MS`] (a renewal) or [`STATEMENT_ANSWER_MAX_MS`] (any
    /// other): it may have been carried out all the same, or be yet. Whoever stops waiting before leaves it in the same way.
    pub async fn ask(&self, statement: Statement) -> Option<Answer> {
        let asked = Instant::now();
        let operation = match &statement {
            Statement::Renew { .. } => Operation::Renew,
            Statement::ReadView { .. } => Operation::ReadView,
            Statement::Change(_) => Operation::Change,
            Statement::RaiseEpochs(_) => Operation::RaiseEpochs,
        };
        let answer = match statement {
            Statement::Renew { boot, watched } => self.renewals.answer(self.renew(boot, &watched)).await,
            Statement::ReadView { since } => self.others.answer(self.read_view(since)).await,
            Statement::Change(change) => self.others.answer(change::carry_out(&self.others, &change)).await,
            Statement::RaiseEpochs(epochs) => self.raise_epochs(epochs).await,
        };
        self.metrics.observe(operation, asked.elapsed());
        answer
    }

    /// The nodes that may answer from memory now, or did a moment ago, as the tables say at an instant after this was called; of each, whether it was voted
    /// out. `None` if that was not answered within [`STATEMENT_ANSWER_MAX_MS`].
    pub async fn living(&self) -> Option<Vec<(Boot, bool)>> {
        let read = async {
            let [living] = self.others.transact(SNAPSHOT, &[Step::new(LIVING, params![])]).await?;
            let living = living.iter().map(|row| {
                let mut columns = Columns::of(row);
                Ok::<_, Fault>((Boot(columns.id()?), columns.take()?))
            });
            living.collect()
        };
        self.others.answer(read).await
    }

    async fn renew(&self, boot: Boot, watched: &[Boot]) -> Result<Answer, Fault> {
        let watched: Vec<_> = watched.iter().map(|boot| boot.0).collect();
        let steps = [Step::new(RENEW, params![boot.0]), Step::new(VERSION, params![]), Step::new(COUNTERS, params![watched])];
        let [renewed, version, counters] = self.renewals.transact("BEGIN", &steps).await?;
        if renewed.is_empty() {
            return Ok(Answer::Refused);
        }
        let counter = |row: &Row| {
            let mut columns = Columns::of(row);
            Ok((Boot(columns.id()?), columns.count()?))
        };
        Ok(Answer::Renewed { view: only(&version)?, counters: counters.iter().map(counter).collect::<Result<_, Fault>>()? })
    }

    async fn read_view(&self, since: u64) -> Result<Answer, Fault> {
        let since = int(since);
        let steps = [Step::new(VERSION, params![]), Step::new(MEMBERS, params![since]), Step::new(SLOTS, params![since])];
        let [version, members, slots] = self.others.transact(SNAPSHOT, &steps).await?;
        Ok(Answer::View {
            version: only(&version)?,
            members: members.iter().map(member).collect::<Result<_, _>>()?,
            slots: slots.iter().map(slot_row).collect::<Result<_, _>>()?,
        })
    }

    /// In tasks of their own: what waits for a commit goes on waiting when it was given up, and nobody else is given its connection meanwhile.
    async fn raise_epochs(&self, wanted: Vec<(Slot, Epoch)>) -> Option<Answer> {
        let raise = |domain: Arc<dyn Domain>| {
            let wanted = wanted.clone();
            self.runtime.spawn(async move { domain.fence(wanted).await })
        };
        let raising = self.stores.domains().map(raise);
        let raised = async {
            let mut higher = BTreeMap::<Slot, Epoch>::new();
            for database in raising {
                let above = database.await.map_err(|error| error.to_string())?.map_err(|error: StoreError| error.to_string())?;
                for (slot, epoch) in above {
                    higher.entry(slot).and_modify(|known| *known = epoch.max(*known)).or_insert(epoch);
                }
            }
            Ok::<_, String>(Answer::Raised { higher: higher.into_iter().collect() })
        };
        match tokio::time::timeout(Duration::from_millis(STATEMENT_ANSWER_MAX_MS), raised).await {
            Ok(Ok(answer)) => Some(answer),
            Ok(Err(reason)) => {
                tracing::warn!(reason, slots = wanted.len(), "the epochs of slots could not be raised");
                None
            }
            Err(_) => {
                tracing::warn!(slots = wanted.len(), "the epochs of slots were not raised in time");
                None
            }
        }
    }
}

const COUNTERS_OF_ALL: &str = "SELECT boot, counter, address FROM cluster_node WHERE status IN ('joining', 'up', 'leaving')";

/// The addresses of the nodes whose rows are renewed. Where there are rows, this takes as long as it takes to see that nobody renews them, which is what nodes that
/// were killed leave behind.
///
/// # Errors
/// When the users database cannot be asked.
pub async fn living_nodes(urls: &Urls, connect_max: Duration) -> Result<Vec<String>, OpenError> {
    let [mut target, ..] = urls.targets()?;
    target.configure(connect_max, None);
    let client = migration::connect(&target).await?;
    let read = async || -> Result<BTreeMap<uuid::Uuid, (i64, String)>, OpenError> {
        let rows = match client.query(COUNTERS_OF_ALL, &[]).await {
            // Of before there were clusters.
            Err(error) if error.code() == Some(&SqlState::UNDEFINED_TABLE) => Vec::new(),
            rows => rows.map_err(OpenError::sql(target.database))?,
        };
        Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
    };
    let first = read().await?;
    let began = Instant::now();
    while !first.is_empty() && began.elapsed() < Duration::from_millis(STANDSTILL_MS) {
        tokio::time::sleep(LOOK).await;
        let now = read().await?;
        let lives = |(boot, (counter, _)): &(&uuid::Uuid, &(i64, String))| first.get(boot).is_none_or(|(before, _)| before != counter);
        let living: Vec<_> = now.iter().filter(lives).map(|(_, (_, address))| address.clone()).collect();
        if !living.is_empty() {
            return Ok(living);
        }
    }
    Ok(Vec::new())
}

/// How often somebody who watches looks.
const LOOK: Duration = Duration::from_millis(100);

/// The number in the one row of a table that has only one.
fn only(rows: &[Row]) -> Result<u64, Fault> {
    Columns::of(rows.first().ok_or_else(viewless)?).count()
}

fn viewless() -> Fault {
    Fault::Corrupt("the row of cluster_view is gone: INSERT INTO cluster_view DEFAULT VALUES".to_owned())
}

fn member(row: &Row) -> Result<Member, Fault> {
    let mut columns = Columns::of(row);
    Ok(Member {
        boot: Boot(columns.id()?),
        born: columns.count()?,
        roles: Roles { edge: columns.take()?, entity: columns.take()?, media: columns.take()? },
        address: columns.take::<&str>()?.into(),
        status: status(columns.take()?)?,
        accuses: columns.ids()?.into_iter().map(Boot).collect(),
    })
}

fn status(word: &str) -> Result<Status, Fault> {
    Ok(match word {
        "joining" => Status::Joining,
        "up" => Status::Up,
        "leaving" => Status::Leaving,
        "voted_out" => Status::Dead(Death::VotedOut),
        "expired" => Status::Dead(Death::Expired),
        "left" => Status::Dead(Death::Left),
        other => return Err(Fault::Corrupt(format!("column status: {other} is none"))),
    })
}

fn slot_row(row: &Row) -> Result<SlotRow, Fault> {
    let mut columns = Columns::of(row);
    Ok(SlotRow { slot: columns.slot()?, owner: columns.id_or_none()?.map(Boot), epoch: Epoch(columns.count()?) })
}

/// A failure as an operator reads it.
fn reason(fault: Fault) -> String {
    match fault {
        Fault::Sql(error) => describe(&error),
        Fault::Corrupt(reason) | Fault::Away(reason) => reason,
        Fault::Overloaded => "overloaded".to_owned(),
        Fault::Silent => "no answer in time".to_owned(),
    }
}
