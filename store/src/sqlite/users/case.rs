//! Moderation's cases and flags.

use crate::sqlite::column::{Columns, TOP, cut, execute, fetch, int, json, list, optional, statements};
use crate::sqlite::fault::{Fault, insert_refused};
use crate::{CommitError, Ids};
use protocol::moderation::{Appeal, Case, Decided, FLAGS_OPEN_MAX, Flag, Status, Target, TargetType};
use protocol::{CommentId, FlagId, MediaId, Page, Position, PostId, ProductId, ReviewId, UserId};
use rusqlite::types::Type;
use rusqlite::{Connection, Error, Result, Row, params};
use uuid::Uuid;

statements! {
    CASE = "SELECT id, target_type, place_id, author_id, status, hidden, flags, reasons, decided_by, decision_note, decided_at, appeal_note,
              appealed_at, opened_at, created_at, updated_at, version
            FROM moderation_case WHERE id = ?1";
    QUEUE = "SELECT priority, id FROM moderation_case WHERE (priority, id) < (?1, ?2) ORDER BY priority DESC, id DESC LIMIT ?3";
    QUEUE_OF_STATUS = "SELECT priority, id FROM moderation_case WHERE status = ?4 AND (priority, id) < (?1, ?2)
                       ORDER BY priority DESC, id DESC LIMIT ?3";
    CASES_OF = "SELECT created_at, id FROM moderation_case WHERE author_id = ?4 AND (created_at, id) < (?1, ?2)
                ORDER BY created_at DESC, id DESC LIMIT ?3";
    FLAGS = "SELECT id, reporter_id, reason, note, created_at FROM moderation_flag WHERE case_id = ?1 ORDER BY id DESC LIMIT ?2";
    INSERT_CASE = "INSERT INTO moderation_case (id, status, hidden, flags, reasons, decided_by, decision_note, decided_at, appeal_note, appealed_at,
                     opened_at, updated_at, version, priority, target_type, place_id, author_id, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)";
    UPDATE_CASE = "UPDATE moderation_case SET status = ?2, hidden = ?3, flags = ?4, reasons = ?5, decided_by = ?6, decision_note = ?7,
                     decided_at = ?8, appeal_note = ?9, appealed_at = ?10, opened_at = ?11, updated_at = ?12, version = ?13, priority = ?14
                   WHERE id = ?1 AND version = ?13 - 1";
    IS_FLAGGED = "SELECT 1 FROM moderation_flag WHERE reporter_id = ?1 AND case_id = ?2 AND is_open = 1";
    COUNT_FLAGS = "SELECT count(*) FROM moderation_flag WHERE reporter_id = ?1 AND is_open = 1";
    INSERT_FLAG = "INSERT INTO moderation_flag (id, case_id, reporter_id, reason, note, is_open, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 1, ?6)";
    CLOSE_FLAGS = "UPDATE moderation_flag SET is_open = 0 WHERE case_id = ?1 AND is_open = 1";
}

pub(super) fn case(db: &Connection, id: Uuid) -> Result<Option<Case>> {
    optional(db, CASE, [id.as_bytes()], |row| {
        let mut columns = Columns::of(row);
        Ok(Case {
            target: target(&mut columns)?,
            author: UserId(columns.id()?),
            status: columns.word()?,
            hidden: columns.take()?,
            flags: columns.take()?,
            reasons: columns.json()?,
            decided: decided(&mut columns)?,
            appeal: appeal(&mut columns)?,
            opened_at: columns.time()?,
            created_at: columns.time()?,
            updated_at: columns.time()?,
            version: columns.count()?,
        })
    })
}

fn target(columns: &mut Columns<'_, '_>) -> Result<Target> {
    let (id, target_type, place) = (columns.id()?, columns.word()?, columns.id_or_none()?);
    Ok(match target_type {
        TargetType::Post => Target::Post(PostId(id)),
        TargetType::Comment => {
            Target::Comment(CommentId(id), PostId(place.ok_or(Error::InvalidColumnType(2, "place_id".into(), Type::Null))?))
        }
        TargetType::Product => Target::Product(ProductId(id)),
        TargetType::User => Target::User(UserId(id)),
        TargetType::Review => Target::Review(ReviewId(id)),
        TargetType::File => Target::File(MediaId(id)),
    })
}

fn decided(columns: &mut Columns<'_, '_>) -> Result<Option<Decided>> {
    let (by, note, at) = (columns.id_or_none()?, columns.take()?, columns.time_or_none()?);
    Ok(by.zip(at).map(|(by, at)| Decided { by: UserId(by), note, at }))
}

fn appeal(columns: &mut Columns<'_, '_>) -> Result<Option<Appeal>> {
    let (note, created_at): (Option<String>, _) = (columns.take()?, columns.time_or_none()?);
    Ok(note.zip(created_at).map(|(note, created_at)| Appeal { note, created_at }))
}

pub(super) fn flags(db: &Connection, id: Uuid, limit: u32) -> Result<Vec<Flag>> {
    list(db, FLAGS, (id.as_bytes(), limit), |row| {
        let mut columns = Columns::of(row);
        Ok(Flag {
            id: FlagId(columns.id()?),
            reporter_id: UserId(columns.id()?),
            reason: columns.word()?,
            note: columns.take()?,
            created_at: columns.time()?,
        })
    })
}

pub(super) fn queue(db: &Connection, status: Option<Status>, page: Page) -> Result<Ids> {
    let after = page.after.unwrap_or(TOP);
    let (sort, id, limit) = (after.sort, after.id.as_bytes(), fetch(page));
    let rows = match status {
        None => list(db, QUEUE, (sort, id, limit), position),
        Some(status) => list(db, QUEUE_OF_STATUS, (sort, id, limit, status.name()), position),
    };
    Ok(ids(rows?, page))
}

pub(super) fn of(db: &Connection, author: UserId, page: Page) -> Result<Ids> {
    let after = page.after.unwrap_or(TOP);
    Ok(ids(list(db, CASES_OF, (after.sort, after.id.as_bytes(), fetch(page), author.0.as_bytes()), position)?, page))
}

fn position(row: &Row<'_>) -> Result<Position> {
    let mut columns = Columns::of(row);
    Ok(Position { sort: columns.take()?, id: columns.id()? })
}

fn ids(rows: Vec<Position>, page: Page) -> Ids {
    let (rows, next) = cut(rows, page, |position| *position);
    Ids { ids: rows.into_iter().map(|row| row.id).collect(), next }
}

/// Writes a case's next row, which at version 1 is new.
pub(super) fn save(db: &Connection, case: &Case) -> std::result::Result<(), Fault> {
    let id = case.target.id();
    let (decided, appeal) = (case.decided.as_ref(), case.appeal.as_ref());
    let next = params![
        id.as_bytes(),
        case.status.name(),
        case.hidden,
        case.flags,
        json(&case.reasons),
        decided.map(|decided| *decided.by.0.as_bytes()),
        decided.and_then(|decided| decided.note.as_ref()),
        decided.map(|decided| decided.at.0),
        appeal.map(|appeal| &appeal.note),
        appeal.map(|appeal| appeal.created_at.0),
        case.opened_at.0,
        case.updated_at.0,
        int(case.version),
        case.priority()
    ];
    if case.version > 1 {
        return if execute(db, UPDATE_CASE, next)? == 0 { Err(CommitError::Conflict.into()) } else { Ok(()) };
    }
    let place = if let Target::Comment(_, post) = case.target { Some(*post.0.as_bytes()) } else { None };
    let (kind, author) = (case.target.target_type().name(), case.author.0.as_bytes());
    let first = params![kind, place, author, case.created_at.0];
    execute(db, INSERT_CASE, &[next, first].concat()[..]).map(drop).map_err(|error| insert_refused(error, &[]))
}

/// Adds a flag to a case.
pub(super) fn flag(db: &Connection, case: Uuid, flag: &Flag) -> std::result::Result<(), Fault> {
    let reporter = flag.reporter_id.0.as_bytes();
    if optional(db, IS_FLAGGED, (reporter, case.as_bytes()), |_| Ok(()))?.is_some() {
        return Err(CommitError::Unchanged.into());
    }
    let waiting: u32 = db.prepare_cached(COUNT_FLAGS)?.query_row([reporter], |row| row.get(0))?;
    if waiting >= FLAGS_OPEN_MAX {
        return Err(CommitError::Full("flags").into());
    }
    let row = params![flag.id.0.as_bytes(), case.as_bytes(), reporter, flag.reason.name(), flag.note, flag.created_at.0];
    execute(db, INSERT_FLAG, row).map(drop).map_err(|error| insert_refused(error, &[]))
}

/// No flag of a case waits for a decision any more.
pub(super) fn close_flags(db: &Connection, case: Uuid) -> Result<()> {
    execute(db, CLOSE_FLAGS, [case.as_bytes()]).map(drop)
}
