-- Moderation.

-- What moderation's cases say of posts and comments, as their owner last heard it. Most were never flagged, and have no row here.
-- By primary key: whether a row is hidden, and hearing a verdict.
CREATE TABLE verdict (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  hidden INTEGER NOT NULL CHECK (hidden IN (0, 1)),
  case_version INTEGER NOT NULL CHECK (case_version > 0)
) STRICT, WITHOUT ROWID;
