-- What was flagged, and what came of it.

-- One for each thing that was ever flagged; its id is the thing's. `priority` is protocol::moderation::Case::priority.
-- By primary key: case, and the compare-and-set of every write to one.
CREATE TABLE moderation_case (
  id uuid PRIMARY KEY,
  target_type text COLLATE "C" NOT NULL,
  -- Of a comment the post that it is on.
  place_id uuid,
  author_id uuid NOT NULL,
  status text COLLATE "C" NOT NULL CHECK (status IN ('open', 'hidden', 'restored', 'dismissed')),
  hidden boolean NOT NULL,
  flags bigint NOT NULL CHECK (flags >= 0),
  reasons jsonb NOT NULL,
  decided_by uuid,
  decision_note text,
  decided_at timestamptz(3),
  appeal_note text,
  appealed_at timestamptz(3),
  opened_at timestamptz(3) NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  priority bigint NOT NULL
);
-- cases, all of them.
CREATE INDEX moderation_case_queue ON moderation_case (priority, id);
-- cases that stand so.
CREATE INDEX moderation_case_status ON moderation_case (status, priority, id);
-- cases_of, newest first.
CREATE INDEX moderation_case_author ON moderation_case (author_id, created_at, id);

-- `is_open` until a decision on the case.
CREATE TABLE moderation_flag (
  id uuid PRIMARY KEY,
  case_id uuid NOT NULL REFERENCES moderation_case (id),
  reporter_id uuid NOT NULL,
  reason text COLLATE "C" NOT NULL CHECK (reason IN ('spam', 'abuse', 'nudity', 'violence', 'fraud', 'other')),
  note text,
  is_open boolean NOT NULL,
  created_at timestamptz(3) NOT NULL
);
-- One open flag a person and thing, and how many a person has.
CREATE UNIQUE INDEX moderation_flag_open ON moderation_flag (reporter_id, case_id) WHERE is_open;
-- Those that a decision closes.
CREATE INDEX moderation_flag_waiting ON moderation_flag (case_id) WHERE is_open;
-- flags, newest first.
CREATE INDEX moderation_flag_newest ON moderation_flag (case_id, id);

-- What the cases say of people, as their owner last heard it.
-- By primary key: hearing a verdict.
CREATE TABLE verdict (
  id uuid PRIMARY KEY,
  hidden boolean NOT NULL,
  case_version bigint NOT NULL CHECK (case_version > 0)
);
