//! What changes the cluster's tables, one after another.

use super::super::column::{Columns, Param, int, params, slot, statements};
use super::super::fault::Fault;
use super::line::{Line, Step};
use super::{slot_row, viewless};
use cluster::{Answer, Change, Claim};
use protocol::Epoch;
use tokio_postgres::Row;
use uuid::Uuid;

/// A change as one statement: its part ends in rows `changed`, one for each row that it changed. If there are any, the version is raised. It answers whether
/// it was, and the version. The row of `cluster_view` is locked before, so `next` is what its version will be.
macro_rules! change {
    ($sql:literal) => {
        concat!(
            "WITH RECURSIVE next AS (SELECT version + 1 AS version FROM cluster_view), ",
            $sql,
            ", raised AS (UPDATE cluster_view SET version = version + 1 WHERE EXISTS (SELECT FROM changed) RETURNING version)
             SELECT EXISTS (SELECT FROM raised), coalesce((SELECT version FROM raised), (SELECT version FROM cluster_view))"
        )
    };
}

statements! {
    /// Changes wait here for each other.
    LOCK = "SELECT version FROM cluster_view FOR UPDATE";
    JOIN = change!(
        "changed AS (
           INSERT INTO cluster_node AS n (boot, born, edge, entity, media, address, status, moved)
           SELECT $1, version, $2, $3, $4, $5, 'joining', version FROM next
           ON CONFLICT (boot) DO UPDATE SET counter = n.counter + 1 RETURNING 1)"
    );
    RISE = change!(
        "changed AS (
           UPDATE cluster_node AS n SET status = 'up', moved = next.version FROM next
           WHERE n.boot = $1 AND n.status = 'joining' AND NOT EXISTS (SELECT FROM cluster_node WHERE status = 'up' AND boot <> ALL ($2))
           RETURNING 1)"
    );
    DEPART = change!(
        "changed AS (
           UPDATE cluster_node AS n SET status = 'leaving', moved = next.version FROM next
           WHERE n.boot = $1 AND n.status IN ('joining', 'up') RETURNING 1)"
    );
    LEAVE = change!(
        "changed AS (
           UPDATE cluster_node AS n SET status = 'left', moved = next.version FROM next
           WHERE n.boot = $1 AND n.status IN ('joining', 'up', 'leaving') RETURNING 1)"
    );
    /// A renewal that comes between is waited for, and then the counter is not this one any more.
    EXPIRE = change!(
        "changed AS (
           UPDATE cluster_node AS n SET status = 'expired', moved = next.version FROM next
           WHERE n.boot = $1 AND n.counter = $2 AND n.status NOT IN ('expired', 'left') RETURNING 1)"
    );
    /// The accused are judged in their order, each by those who are not dead yet.
    ACCUSE = change!(
        "accuser AS (
           SELECT boot FROM cluster_node WHERE boot = $1 AND round < $2 AND status IN ('up', 'leaving')
         ), active AS (
           SELECT boot, CASE WHEN boot = $1 THEN $3::uuid[] ELSE accuses END AS accuses FROM cluster_node WHERE status IN ('up', 'leaving')
         ), judged (place, dead) AS (
           SELECT 0, '{}'::uuid[] FROM accuser
           UNION ALL
           SELECT place + 1, CASE WHEN (
               SELECT bool_or(boot = whom) AND count(*) FILTER (WHERE whom = ANY (accuses)) >= CASE WHEN count(*) <= 2 THEN 1 ELSE 2 END
               FROM active WHERE boot <> ALL (dead)
             ) THEN dead || whom ELSE dead END
           FROM (SELECT place, dead, ($3::uuid[])[place + 1] AS whom FROM judged WHERE place < cardinality($3::uuid[])) AS accused
         ), verdict AS (
           SELECT dead FROM judged ORDER BY place DESC LIMIT 1
         ), changed AS (
           UPDATE cluster_node AS n SET
             round = CASE WHEN n.boot = $1 THEN $2 ELSE n.round END,
             accuses = CASE WHEN n.boot = $1 THEN $3 ELSE n.accuses END,
             status = CASE WHEN n.boot = ANY (verdict.dead) THEN 'voted_out' ELSE n.status END,
             moved = next.version
           FROM next, verdict WHERE n.boot = $1 OR n.boot = ANY (verdict.dead) RETURNING 1)"
    );
    SETTLE = change!(
        "changed AS (
           UPDATE cluster_node AS n SET status = 'voted_out', moved = next.version FROM next, cluster_node AS elder
           WHERE n.boot = $2 AND n.status IN ('up', 'leaving') AND $1 = ANY (n.accuses)
             AND elder.boot = $1 AND elder.status IN ('up', 'leaving') AND $2 = ANY (elder.accuses) AND elder.born < n.born
           RETURNING 1)"
    );
    CLAIM = change!(
        "changed AS (
           UPDATE cluster_slot AS s SET owner = $1, epoch = greatest(c.seen, c.above) + 1, moved = next.version
           FROM next, unnest($2::smallint[], $3::bigint[], $4::bigint[]) AS c (slot, seen, above)
           WHERE s.slot = c.slot AND s.epoch = c.seen
             AND EXISTS (SELECT FROM cluster_node WHERE boot = $1 AND status IN ('up', 'leaving'))
             AND (s.owner IS NULL OR s.owner = $1
               OR s.owner IN (SELECT boot FROM cluster_node WHERE status IN ('voted_out', 'expired', 'left')))
           RETURNING 1)"
    );
    RELEASE = change!(
        "changed AS (
           UPDATE cluster_slot AS s SET owner = heir.boot, epoch = CASE WHEN heir.boot IS NULL THEN s.epoch ELSE s.epoch + 1 END, moved = next.version
           FROM next, unnest($2::smallint[], $3::bigint[], $4::uuid[]) AS r (slot, epoch, heir)
             LEFT JOIN cluster_node AS heir ON heir.boot = r.heir AND heir.status = 'up'
           WHERE s.slot = r.slot AND s.owner = $1 AND s.epoch = r.epoch
           RETURNING 1)"
    );
    FORGET = change!(
        "changed AS (
           DELETE FROM cluster_node AS n WHERE n.boot = ANY ($1) AND n.status IN ('voted_out', 'expired', 'left')
             AND NOT EXISTS (SELECT FROM cluster_slot WHERE owner = n.boot)
           RETURNING 1)"
    );
    /// As they are after the change.
    ROWS = "SELECT slot, owner, epoch FROM cluster_slot WHERE slot = ANY ($1)";
}

/// Carries a change out.
pub(super) async fn carry_out(line: &Line, change: &Change) -> Result<Answer, Fault> {
    let (sql, values, asked) = statement(change);
    let (lock, step) = (Step::new(LOCK, params![]), Step::new(sql, values));
    let (changed, rows) = if asked.is_empty() {
        let [_, changed] = line.transact("BEGIN", &[lock, step]).await?;
        (changed, Vec::new())
    } else {
        let [_, changed, rows] = line.transact("BEGIN", &[lock, step, Step::new(ROWS, params![asked])]).await?;
        (changed, rows)
    };
    let (applied, view) = outcome(&changed)?;
    Ok(Answer::Changed { applied, view, slots: rows.iter().map(slot_row).collect::<Result<_, _>>()? })
}

/// The statement of a change with its values, and the slots whose rows it answers.
fn statement(change: &Change) -> (&'static str, Vec<Param<'static>>, Vec<i16>) {
    let none = Vec::new();
    match change {
        Change::Join { boot, roles, address } => (JOIN, params![boot.0, roles.edge, roles.entity, roles.media, address.to_string()], none),
        Change::Rise { boot, reached } => (RISE, params![boot.0, ids(reached)], none),
        Change::Depart { boot } => (DEPART, params![boot.0], none),
        Change::Leave { boot } => (LEAVE, params![boot.0], none),
        Change::Expire { boot, counter } => (EXPIRE, params![boot.0, int(*counter)], none),
        Change::Accuse { by, round, accused } => (ACCUSE, params![by.0, int(*round), ids(accused)], none),
        Change::Settle { elder, younger } => (SETTLE, params![elder.0, younger.0], none),
        Change::Claim { by, claims } => {
            let column = |epoch: fn(&Claim) -> Epoch| claims.iter().map(|claim| int(epoch(claim).0)).collect::<Vec<_>>();
            let slots: Vec<_> = claims.iter().map(|claim| slot(claim.slot)).collect();
            (CLAIM, params![by.0, slots.clone(), column(|claim| claim.seen), column(|claim| claim.above)], slots)
        }
        Change::Release { by, releases } => {
            let slots: Vec<_> = releases.iter().map(|release| slot(release.slot)).collect();
            let epochs: Vec<_> = releases.iter().map(|release| int(release.epoch.0)).collect();
            let heirs: Vec<_> = releases.iter().map(|release| release.heir.map(|heir| heir.0)).collect();
            (RELEASE, params![by.0, slots.clone(), epochs, heirs], slots)
        }
        Change::Forget { boots } => (FORGET, params![ids(boots)], none),
    }
}

fn ids(boots: &[cluster::Boot]) -> Vec<Uuid> {
    boots.iter().map(|boot| boot.0).collect()
}

/// Whether it was applied, and the version of the view.
fn outcome(rows: &[Row]) -> Result<(bool, u64), Fault> {
    let mut columns = Columns::of(rows.first().ok_or_else(viewless)?);
    Ok((columns.take()?, columns.count_or_none()?.ok_or_else(viewless)?))
}
