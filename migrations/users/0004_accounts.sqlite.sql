-- Where sessions are opened, resets of passwords, and errands.

-- Shown to the account's owner alone. `network` is the neighbourhood of the client's address; `seen_at` moves at most once an hour.
ALTER TABLE session ADD COLUMN user_agent TEXT;
ALTER TABLE session ADD COLUMN network TEXT;
ALTER TABLE session ADD COLUMN seen_at INTEGER;

-- What a new password can be set with: at most one token a person, the newest.
-- By primary key: account.
CREATE TABLE password_reset (
  person_id BLOB NOT NULL PRIMARY KEY REFERENCES person (id),
  token_hash BLOB NOT NULL CHECK (length(token_hash) = 32),
  expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What is done for a person after they were answered. No foreign key: the last errand of a person is to forget them.
-- By primary key: asking, running.
CREATE TABLE errand (
  person_id BLOB NOT NULL CHECK (length(person_id) = 16),
  task TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
  PRIMARY KEY (person_id, task)
) STRICT, WITHOUT ROWID;
-- errands.
CREATE INDEX errand_due ON errand (due_at, person_id, task, asked_at, failures);
