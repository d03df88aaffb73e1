-- People, accounts, relations.

-- By primary key: user, account, and the compare-and-set of every write to a person.
-- By the unique username_folded and email_folded: registration; email_folded: credentials. Folded is in ASCII lower case.
CREATE TABLE person (
  id uuid PRIMARY KEY,
  username text NOT NULL,
  username_folded text COLLATE "C" NOT NULL CONSTRAINT person_username_taken UNIQUE,
  email text NOT NULL,
  email_folded text COLLATE "C" NOT NULL CONSTRAINT person_email_taken UNIQUE,
  first_name text,
  last_name text,
  bio text,
  avatar text,
  role text NOT NULL CHECK (role IN ('user', 'moderator', 'admin')),
  is_active boolean NOT NULL,
  phone_number text,
  date_of_birth text,
  location text,
  website text,
  company text,
  job_title text,
  interests jsonb NOT NULL,
  social_links jsonb NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0)
);

-- Kept apart from the person, so that no read of a profile touches a secret.
-- By primary key: account, credentials.
CREATE TABLE credential (
  person_id uuid PRIMARY KEY REFERENCES person (id),
  password_hash text NOT NULL,
  updated_at timestamptz(3) NOT NULL
);

-- By primary key: closing a session.
CREATE TABLE session (
  token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
  person_id uuid NOT NULL REFERENCES person (id),
  created_at timestamptz(3) NOT NULL,
  expires_at timestamptz(3) NOT NULL
);
-- account; opening a session removes those that expired.
CREATE INDEX session_person ON session (person_id, created_at, token_hash, expires_at);

-- By primary key: skill_owner, endorsing. `name_folded` is in lower case. `endorsements` is the number of rows in endorsement.
CREATE TABLE skill (
  id uuid PRIMARY KEY,
  person_id uuid NOT NULL REFERENCES person (id),
  name text NOT NULL,
  name_folded text COLLATE "C" NOT NULL,
  level text NOT NULL CHECK (level IN ('beginner', 'intermediate', 'advanced', 'expert')),
  endorsements bigint NOT NULL CHECK (endorsements >= 0),
  created_at timestamptz(3) NOT NULL,
  CONSTRAINT skill_taken UNIQUE (person_id, name_folded)
);
-- user: a person's skills, oldest first.
CREATE INDEX skill_person ON skill (person_id, created_at, id);

-- By primary key: endorsed, endorsing.
CREATE TABLE endorsement (
  skill_id uuid NOT NULL REFERENCES skill (id) ON DELETE CASCADE,
  endorser_id uuid NOT NULL,
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (skill_id, endorser_id)
);
-- endorsers, newest first.
CREATE INDEX endorsement_newest ON endorsement (skill_id, created_at, endorser_id);

-- One row a person, made with them: how many rows of follow name them, and whether their posts are pulled.
-- By primary key: relations, follow_page, every follow.
CREATE TABLE relation (
  person_id uuid PRIMARY KEY REFERENCES person (id),
  followers bigint NOT NULL DEFAULT 0 CHECK (followers >= 0),
  following bigint NOT NULL DEFAULT 0 CHECK (following >= 0),
  pulled boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
-- pulled.
CREATE INDEX relation_pulled ON relation (person_id) WHERE pulled;

-- Both ends exist because each follow changes both rows of relation; no other constraint looks them up again.
-- By primary key: relations (whom a person follows, ascending), every follow.
CREATE TABLE follow (
  follower uuid NOT NULL,
  followee uuid NOT NULL,
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (follower, followee)
);
-- follow_page of those whom a person follows.
CREATE INDEX follow_following ON follow (follower, created_at, followee);
-- follow_page of a person's followers.
CREATE INDEX follow_followers ON follow (followee, created_at, follower);
-- followers, for fan-out, ascending; relations, for who follows back.
CREATE INDEX follow_fan_out ON follow (followee, follower);
