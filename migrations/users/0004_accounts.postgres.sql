-- Where sessions are opened, resets of passwords, and errands.

-- Shown to the account's owner alone. `network` is the neighbourhood of the client's address; `seen_at` moves at most once an hour.
ALTER TABLE session ADD COLUMN user_agent text;
ALTER TABLE session ADD COLUMN network text;
ALTER TABLE session ADD COLUMN seen_at timestamptz(3);

-- What a new password can be set with: at most one token a person, the newest.
-- By primary key: account.
CREATE TABLE password_reset (
  person_id uuid PRIMARY KEY REFERENCES person (id),
  token_hash bytea NOT NULL CHECK (length(token_hash) = 32),
  expires_at timestamptz(3) NOT NULL
);

-- What is done for a person after they were answered. No foreign key: the last errand of a person is to forget them.
-- By primary key: asking, running.
CREATE TABLE errand (
  person_id uuid NOT NULL,
  task text COLLATE "C" NOT NULL,
  asked_at timestamptz(3) NOT NULL,
  due_at timestamptz(3) NOT NULL,
  failures bigint NOT NULL DEFAULT 0 CHECK (failures >= 0),
  PRIMARY KEY (person_id, task)
);
-- errands.
CREATE INDEX errand_due ON errand (due_at, person_id, task) INCLUDE (asked_at, failures);
