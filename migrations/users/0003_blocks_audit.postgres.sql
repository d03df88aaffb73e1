-- Who blocks whom; what was done by rank.

-- How many rows of block a person is the blocker of.
ALTER TABLE relation ADD COLUMN blocks bigint NOT NULL DEFAULT 0 CHECK (blocks >= 0);

-- By primary key: every block and follow; relations, for whom a person blocks, ascending.
CREATE TABLE block (
  blocker uuid NOT NULL,
  blocked uuid NOT NULL,
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (blocker, blocked)
);
-- relations, for who blocks a person, ascending.
CREATE INDEX block_blocked ON block (blocked, blocker);
-- blocked, newest first.
CREATE INDEX block_newest ON block (blocker, created_at, blocked);

-- inactive: the few whom the platform hides.
CREATE INDEX person_inactive ON person (id) WHERE NOT is_active;

-- What was done by rank, or from the command line. Entries are only added. Their ids are ordered by time.
-- By primary key: entries of all, newest first; adding one that may be there.
CREATE TABLE audit_log (
  id uuid PRIMARY KEY,
  actor_id uuid,
  action text NOT NULL,
  target_type text NOT NULL,
  target_id uuid NOT NULL,
  details jsonb NOT NULL,
  ip text,
  created_at timestamptz(3) NOT NULL
);
-- Entries of one actor, newest first.
CREATE INDEX audit_log_actor ON audit_log (actor_id, id);
-- Entries about one target, newest first.
CREATE INDEX audit_log_target ON audit_log (target_id, id);
