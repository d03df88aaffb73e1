-- Who blocks whom; what was done by rank; how people are found.

-- How many rows of block a person is the blocker of.
ALTER TABLE relation ADD COLUMN blocks INTEGER NOT NULL DEFAULT 0 CHECK (blocks >= 0);

-- By primary key: every block and follow; relations, for whom a person blocks, ascending.
CREATE TABLE block (
  blocker BLOB NOT NULL CHECK (length(blocker) = 16),
  blocked BLOB NOT NULL CHECK (length(blocked) = 16),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (blocker, blocked)
) STRICT, WITHOUT ROWID;
-- relations, for who blocks a person, ascending.
CREATE INDEX block_blocked ON block (blocked, blocker);
-- blocked, newest first.
CREATE INDEX block_newest ON block (blocker, created_at, blocked);

-- inactive: the few whom the platform hides.
CREATE INDEX person_inactive ON person (id) WHERE is_active = 0;

-- What was done by rank, or from the command line. Entries are only added. Their ids are ordered by time.
-- By primary key: entries of all, newest first; adding one that may be there.
CREATE TABLE audit_log (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  actor_id BLOB CHECK (length(actor_id) = 16),
  action TEXT NOT NULL,
  target_type TEXT NOT NULL,
  target_id BLOB NOT NULL CHECK (length(target_id) = 16),
  details TEXT NOT NULL,
  ip TEXT,
  created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- Entries of one actor, newest first.
CREATE INDEX audit_log_actor ON audit_log (actor_id, id);
-- Entries about one target, newest first.
CREATE INDEX audit_log_target ON audit_log (target_id, id);

-- How people are found: one row for each active person, as protocol::people says. The texts are folded words with spaces between, so nothing here
-- knows of case, accents or scripts. `place` orders a list: strength (8 bits), then `serial` (48 bits), which counts people in order of entry.
-- By primary key: pages of a list without a question. By the unique person_id: every write to a person.
CREATE TABLE person_search (
  place INTEGER NOT NULL PRIMARY KEY,
  person_id BLOB NOT NULL UNIQUE REFERENCES person (id),
  serial INTEGER NOT NULL UNIQUE,
  username TEXT NOT NULL,
  name TEXT NOT NULL,
  skills TEXT NOT NULL,
  work TEXT NOT NULL,
  about TEXT NOT NULL,
  location TEXT NOT NULL
) STRICT;

-- The words of person_search, whose rows it is kept equal to by the triggers. Where a word stands within a text is not asked for, so it is not kept.
-- The prefixes make the first letters of a word, as they are typed, as quick as a whole one.
CREATE VIRTUAL TABLE person_text USING fts5 (
  person_id UNINDEXED, username, name, skills, work, about, location,
  content = 'person_search', content_rowid = 'place', detail = 'column', columnsize = 0, prefix = '1 2 3', tokenize = "ascii tokenchars '+#._-'"
);
CREATE TRIGGER person_search_insert AFTER INSERT ON person_search BEGIN
  INSERT INTO person_text (rowid, username, name, skills, work, about, location)
  VALUES (new.place, new.username, new.name, new.skills, new.work, new.about, new.location);
END;
CREATE TRIGGER person_search_delete AFTER DELETE ON person_search BEGIN
  INSERT INTO person_text (person_text, rowid, username, name, skills, work, about, location)
  VALUES ('delete', old.place, old.username, old.name, old.skills, old.work, old.about, old.location);
END;
CREATE TRIGGER person_search_update AFTER UPDATE ON person_search BEGIN
  INSERT INTO person_text (person_text, rowid, username, name, skills, work, about, location)
  VALUES ('delete', old.place, old.username, old.name, old.skills, old.work, old.about, old.location);
  INSERT INTO person_text (rowid, username, name, skills, work, about, location)
  VALUES (new.place, new.username, new.name, new.skills, new.work, new.about, new.location);
END;
