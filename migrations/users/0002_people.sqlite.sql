-- People, accounts, relations.

-- By primary key: user, account, and the compare-and-set of every write to a person.
-- By the unique username_folded and email_folded: registration; email_folded: credentials. Folded is in ASCII lower case.
CREATE TABLE person (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  username TEXT NOT NULL,
  username_folded TEXT NOT NULL UNIQUE,
  email TEXT NOT NULL,
  email_folded TEXT NOT NULL UNIQUE,
  first_name TEXT,
  last_name TEXT,
  bio TEXT,
  avatar TEXT,
  role TEXT NOT NULL CHECK (role IN ('user', 'moderator', 'admin')),
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  phone_number TEXT,
  date_of_birth TEXT,
  location TEXT,
  website TEXT,
  company TEXT,
  job_title TEXT,
  interests TEXT NOT NULL,
  social_links TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0)
) STRICT;

-- Kept apart from the person, so that no read of a profile touches a secret.
-- By primary key: account, credentials.
CREATE TABLE credential (
  person_id BLOB NOT NULL PRIMARY KEY REFERENCES person (id),
  password_hash TEXT NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- By primary key: closing a session.
CREATE TABLE session (
  token_hash BLOB NOT NULL PRIMARY KEY CHECK (length(token_hash) = 32),
  person_id BLOB NOT NULL REFERENCES person (id),
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
-- account; opening a session removes those that expired.
CREATE INDEX session_person ON session (person_id, created_at, token_hash, expires_at);

-- By primary key: skill_owner, endorsing. `name_folded` is in lower case. `endorsements` is the number of rows in endorsement.
CREATE TABLE skill (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  person_id BLOB NOT NULL REFERENCES person (id),
  name TEXT NOT NULL,
  name_folded TEXT NOT NULL,
  level TEXT NOT NULL CHECK (level IN ('beginner', 'intermediate', 'advanced', 'expert')),
  endorsements INTEGER NOT NULL CHECK (endorsements >= 0),
  created_at INTEGER NOT NULL,
  UNIQUE (person_id, name_folded)
) STRICT;
-- user: a person's skills, oldest first.
CREATE INDEX skill_person ON skill (person_id, created_at, id);

-- By primary key: endorsed, endorsing.
CREATE TABLE endorsement (
  skill_id BLOB NOT NULL REFERENCES skill (id) ON DELETE CASCADE,
  endorser_id BLOB NOT NULL CHECK (length(endorser_id) = 16),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (skill_id, endorser_id)
) STRICT, WITHOUT ROWID;
-- endorsers, newest first.
CREATE INDEX endorsement_newest ON endorsement (skill_id, created_at, endorser_id);

-- One row a person, made with them: how many rows of follow name them, and whether their posts are pulled.
-- By primary key: relations, follow_page, every follow.
CREATE TABLE relation (
  person_id BLOB NOT NULL PRIMARY KEY REFERENCES person (id),
  followers INTEGER NOT NULL DEFAULT 0 CHECK (followers >= 0),
  following INTEGER NOT NULL DEFAULT 0 CHECK (following >= 0),
  pulled INTEGER NOT NULL DEFAULT 0 CHECK (pulled IN (0, 1))
) STRICT, WITHOUT ROWID;
-- pulled.
CREATE INDEX relation_pulled ON relation (person_id) WHERE pulled = 1;

-- Both ends exist because each follow changes both rows of relation; no other constraint looks them up again.
-- By primary key: relations (whom a person follows, ascending), every follow.
CREATE TABLE follow (
  follower BLOB NOT NULL CHECK (length(follower) = 16),
  followee BLOB NOT NULL CHECK (length(followee) = 16),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (follower, followee)
) STRICT, WITHOUT ROWID;
-- follow_page of those whom a person follows.
CREATE INDEX follow_following ON follow (follower, created_at, followee);
-- follow_page of a person's followers.
CREATE INDEX follow_followers ON follow (followee, created_at, follower);
-- followers, for fan-out, ascending; relations, for who follows back.
CREATE INDEX follow_fan_out ON follow (followee, follower);
