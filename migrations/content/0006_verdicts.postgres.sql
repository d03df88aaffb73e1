-- Moderation.

-- What moderation's cases say of posts and comments, as their owner last heard it. Most were never flagged, and have no row here.
-- By primary key: whether a row is hidden, and hearing a verdict.
CREATE TABLE verdict (
  id uuid PRIMARY KEY,
  hidden boolean NOT NULL,
  case_version bigint NOT NULL CHECK (case_version > 0)
);
