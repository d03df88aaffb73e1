-- What was flagged, and what came of it.

-- One for each thing that was ever flagged; its id is the thing's. `priority` is protocol::moderation::Case::priority.
-- By primary key: case, and the compare-and-set of every write to one.
CREATE TABLE moderation_case (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  target_type TEXT NOT NULL,
  -- Of a comment the post that it is on.
  place_id BLOB CHECK (length(place_id) = 16),
  author_id BLOB NOT NULL CHECK (length(author_id) = 16),
  status TEXT NOT NULL CHECK (status IN ('open', 'hidden', 'restored', 'dismissed')),
  hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),
  flags INTEGER NOT NULL CHECK (flags >= 0),
  reasons TEXT NOT NULL,
  decided_by BLOB CHECK (length(decided_by) = 16),
  decision_note TEXT,
  decided_at INTEGER,
  appeal_note TEXT,
  appealed_at INTEGER,
  opened_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  priority INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- cases, all of them.
CREATE INDEX moderation_case_queue ON moderation_case (priority, id);
-- cases that stand so.
CREATE INDEX moderation_case_status ON moderation_case (status, priority, id);
-- cases_of, newest first.
CREATE INDEX moderation_case_author ON moderation_case (author_id, created_at, id);

-- `is_open` until a decision on the case.
CREATE TABLE moderation_flag (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  case_id BLOB NOT NULL REFERENCES moderation_case (id),
  reporter_id BLOB NOT NULL CHECK (length(reporter_id) = 16),
  reason TEXT NOT NULL CHECK (reason IN ('spam', 'abuse', 'nudity', 'violence', 'fraud', 'other')),
  note TEXT,
  is_open INTEGER NOT NULL CHECK (is_open IN (0, 1)),
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- One open flag a person and thing, and how many a person has.
CREATE UNIQUE INDEX moderation_flag_open ON moderation_flag (reporter_id, case_id) WHERE is_open = 1;
-- Those that a decision closes.
CREATE INDEX moderation_flag_waiting ON moderation_flag (case_id) WHERE is_open = 1;
-- flags, newest first.
CREATE INDEX moderation_flag_newest ON moderation_flag (case_id, id);

-- What the cases say of people, as their owner last heard it.
-- By primary key: hearing a verdict.
CREATE TABLE verdict (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),
  case_version INTEGER NOT NULL CHECK (case_version > 0)
) STRICT, WITHOUT ROWID;
