//! Moderation's cases and flags.

use crate::metric::Operation;
use crate::postgres::column::{Asked, At, Columns, Param, TOP, cut, fetch, int, params, statements};
use crate::postgres::database::Database;
use crate::postgres::fault::Fault;
use crate::postgres::transaction::{Step, require};
use crate::{CommitError, Ids, StoreError, UsersWrite};
use protocol::moderation::{Appeal, Case, Decided, FLAGS_OPEN_MAX, Flag, Status, Target, TargetType};
use protocol::{CommentId, FlagId, MediaId, Page, Position, PostId, ProductId, ReviewId, Timestamp, UserId};
use tokio_postgres::Row;
use tokio_postgres::types::Json;
use uuid::Uuid;

statements! {
    CASE = "SELECT id, target_type, place_id, author_id, status, hidden, flags, reasons, decided_by, decision_note, decided_at, appeal_note,
              appealed_at, opened_at, created_at, updated_at, version
            FROM moderation_case WHERE id = $1";
    QUEUE = "SELECT priority, id FROM moderation_case WHERE (priority, id) < ($1, $2) ORDER BY priority DESC, id DESC LIMIT $3";
    CASES_OF = "SELECT created_at, id FROM moderation_case WHERE author_id = $4 AND (created_at, id) < ($1, $2)
                ORDER BY created_at DESC, id DESC LIMIT $3";
    FLAGS = "SELECT id, reporter_id, reason, note, created_at FROM moderation_flag WHERE case_id = $1 ORDER BY id DESC LIMIT $2";
    INSERT_CASE = "INSERT INTO moderation_case (id, status, hidden, flags, reasons, decided_by, decision_note, decided_at, appeal_note, appealed_at,
                     opened_at, updated_at, version, priority, target_type, place_id, author_id, created_at)
                   VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)";
    UPDATE_CASE = require!("UPDATE moderation_case SET status = $2, hidden = $3, flags = $4, reasons = $5, decided_by = $6, decision_note = $7,
                     decided_at = $8, appeal_note = $9, appealed_at = $10, opened_at = $11, updated_at = $12, version = $13, priority = $14
                   WHERE id = $1 AND version + 1 = $13 RETURNING 1");
    IS_NOT_FLAGGED = require!("SELECT 1 WHERE NOT EXISTS (
                       SELECT 1 FROM moderation_flag WHERE reporter_id = $1 AND case_id = $2 AND is_open)");
    /// Who flags several things at once may come above the limit by as many.
    HAS_ROOM = require!("SELECT 1 WHERE (SELECT count(*) FROM moderation_flag WHERE reporter_id = $1 AND is_open) < $2");
    INSERT_FLAG = "INSERT INTO moderation_flag (id, case_id, reporter_id, reason, note, is_open, created_at) VALUES ($1, $2, $3, $4, $5, true, $6)";
    CLOSE_FLAGS = "UPDATE moderation_flag SET is_open = false WHERE case_id = $1 AND is_open";
}

pub(super) fn case(row: &Row) -> Result<Case, Fault> {
    let mut columns = Columns::of(row);
    Ok(Case {
        target: target(&mut columns)?,
        author: UserId(columns.id()?),
        status: columns.word()?,
        hidden: columns.take()?,
        flags: columns.small()?,
        reasons: columns.json()?,
        decided: decided(&mut columns)?,
        appeal: appeal(&mut columns)?,
        opened_at: columns.time()?,
        created_at: columns.time()?,
        updated_at: columns.time()?,
        version: columns.count()?,
    })
}

fn target(columns: &mut Columns<'_>) -> Result<Target, Fault> {
    let (id, target_type, place) = (columns.id()?, columns.word()?, columns.id_or_none()?);
    let placeless = || Fault::Corrupt("a case is about a comment on no post".to_owned());
    Ok(match target_type {
        TargetType::Post => Target::Post(PostId(id)),
        TargetType::Comment => Target::Comment(CommentId(id), PostId(place.ok_or_else(placeless)?)),
        TargetType::Product => Target::Product(ProductId(id)),
        TargetType::User => Target::User(UserId(id)),
        TargetType::Review => Target::Review(ReviewId(id)),
        TargetType::File => Target::File(MediaId(id)),
    })
}

fn decided(columns: &mut Columns<'_>) -> Result<Option<Decided>, Fault> {
    let (by, note, at) = (columns.id_or_none()?, columns.take()?, columns.time_or_none()?);
    Ok(by.zip(at).map(|(by, at)| Decided { by: UserId(by), note, at }))
}

fn appeal(columns: &mut Columns<'_>) -> Result<Option<Appeal>, Fault> {
    let (note, created_at): (Option<String>, _) = (columns.take()?, columns.time_or_none()?);
    Ok(note.zip(created_at).map(|(note, created_at)| Appeal { note, created_at }))
}

pub(super) fn flag(row: &Row) -> Result<Flag, Fault> {
    let mut columns = Columns::of(row);
    Ok(Flag {
        id: FlagId(columns.id()?),
        reporter_id: UserId(columns.id()?),
        reason: columns.word()?,
        note: columns.take()?,
        created_at: columns.time()?,
    })
}

pub(super) async fn queue(db: &Database<UsersWrite>, status: Option<Status>, page: Page) -> Result<Ids, StoreError> {
    let (after, limit) = (page.after.unwrap_or(TOP), fetch(page));
    let position = |row: &Row| {
        let mut columns = Columns::of(row);
        Ok(Position { sort: columns.take()?, id: columns.id()? })
    };
    let rows = match status {
        None => db.list(Operation::Cases, QUEUE, &[&after.sort, &after.id, &limit], position).await?,
        Some(status) => db.search(Operation::Cases, &of_status(status, page), position).await?,
    };
    Ok(ids(rows, page))
}

/// Few cases wait, and nearly all are closed: which it is decides how they are found.
fn of_status(status: Status, page: Page) -> Asked {
    let (mut asked, after) = (Asked::default(), page.after.unwrap_or(TOP));
    let (status, sort, id) = (asked.value(status.name().to_owned()), asked.value(after.sort), asked.value(after.id));
    let limit = asked.value(fetch(page));
    asked.sql = format!(
        "SELECT priority, id FROM moderation_case WHERE status = {status} AND (priority, id) < ({sort}, {id}) ORDER BY priority DESC, id DESC LIMIT {limit}"
    );
    asked
}

/// Its searches.
#[cfg(test)]
pub(in crate::postgres) fn searches() -> Vec<Asked> {
    [Status::Open, Status::Hidden].map(|status| of_status(status, Page { after: None, limit: 20 })).into()
}

pub(super) async fn of(db: &Database<UsersWrite>, author: UserId, page: Page) -> Result<Ids, StoreError> {
    let (after, limit) = (page.after.unwrap_or(TOP), fetch(page));
    let position = |row: &Row| {
        let mut columns = Columns::of(row);
        Ok(Position { sort: columns.time()?.0, id: columns.id()? })
    };
    let at = At(Timestamp(after.sort));
    Ok(ids(db.list(Operation::CasesOf, CASES_OF, &[&at, &after.id, &limit, &author.0], position).await?, page))
}

fn ids(rows: Vec<Position>, page: Page) -> Ids {
    let (rows, next) = cut(rows, page, |position| *position);
    Ids { ids: rows.into_iter().map(|row| row.id).collect(), next }
}

/// Writes a case's next row, which at version 1 is new.
pub(super) fn save(case: &Case) -> Step<'_> {
    let (decided, appeal) = (case.decided.as_ref(), case.appeal.as_ref());
    let mut row: Vec<Param<'_>> = params![
        case.target.id(),
        case.status.name(),
        case.hidden,
        i64::from(case.flags),
        Json(&case.reasons),
        decided.map(|decided| decided.by.0),
        decided.and_then(|decided| decided.note.as_deref()),
        decided.map(|decided| At(decided.at)),
        appeal.map(|appeal| &*appeal.note),
        appeal.map(|appeal| At(appeal.created_at)),
        At(case.opened_at),
        At(case.updated_at),
        int(case.version),
        case.priority()
    ];
    if case.version > 1 {
        return Step::or(UPDATE_CASE, row, CommitError::Conflict);
    }
    let place = if let Target::Comment(_, post) = case.target { Some(post.0) } else { None };
    row.extend(params![case.target.target_type().name(), place, case.author.0, At(case.created_at)]);
    Step::new(INSERT_CASE, row)
}

/// Adds a flag to a case.
pub(super) fn add_flag(case: Uuid, flag: &Flag) -> [Step<'_>; 3] {
    let reporter = flag.reporter_id.0;
    [
        Step::or(IS_NOT_FLAGGED, params![reporter, case], CommitError::Unchanged),
        Step::or(HAS_ROOM, params![reporter, i64::from(FLAGS_OPEN_MAX)], CommitError::Full("flags")),
        Step::new(INSERT_FLAG, params![flag.id.0, case, reporter, flag.reason.name(), &flag.note, At(flag.created_at)]),
    ]
}

/// No flag of a case waits for a decision any more.
pub(super) fn close_flags<'w>(case: Uuid) -> Step<'w> {
    Step::new(CLOSE_FLAGS, params![case])
}
