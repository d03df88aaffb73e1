-- Who blocks whom; what was done by rank; how people are found.

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

-- How people are found: one row for each active person, as protocol::people says. The words are folded by the writer, so nothing here knows of case,
-- accents or scripts, and no dictionary is asked. Names have the weight A, skills B, work C, the rest D. `place` orders a list: strength (8 bits), then
-- `serial` (48 bits), which counts people in order of entry.
-- By the unique place: pages of a list that most people are on. By the unique person_id: every write to a person.
CREATE TABLE person_search (
  person_id uuid PRIMARY KEY REFERENCES person (id),
  serial bigint GENERATED ALWAYS AS IDENTITY,
  strength smallint NOT NULL,
  place bigint GENERATED ALWAYS AS ((strength::bigint << 48) | serial) STORED UNIQUE,
  username text COLLATE "C" NOT NULL,
  words tsvector NOT NULL,
  location tsvector NOT NULL
);
-- The beginning of a username.
CREATE INDEX person_search_username ON person_search (username);
-- Words, and the beginnings of words.
CREATE INDEX person_search_words ON person_search USING gin (words);
CREATE INDEX person_search_location ON person_search USING gin (location);
