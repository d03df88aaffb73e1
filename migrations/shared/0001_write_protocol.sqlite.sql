-- What the write protocol keeps in every domain database (store/src/commit.rs). The same file in each of them: a test compares them.
-- Ids are 16-byte blobs, which sort as the ids do; instants are integers, milliseconds since 1970.
-- The name change_log is reserved for what triggers of a shared database record; one process alone has no writers beside itself.

-- The fencing token of each slot, at most 4096 rows. A slot without a row is at epoch 0.
-- By primary key: the guard of every commit. Whole: epochs.
CREATE TABLE slot_epoch (
  slot INTEGER NOT NULL PRIMARY KEY CHECK (slot BETWEEN 0 AND 4095),
  epoch INTEGER NOT NULL CHECK (epoch > 0)
) STRICT;

-- The versions of keys without a row of their own. A key without a row here is at version 0.
-- By primary key: key_version, the compare-and-set and the touches of every commit.
CREATE TABLE key_version (
  kind INTEGER NOT NULL,
  id BLOB NOT NULL CHECK (length(id) = 16),
  version INTEGER NOT NULL CHECK (version > 0),
  PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

-- What finished requests were answered.
-- By primary key: record, and every commit that carries an idempotency key.
CREATE TABLE idempotency (
  subject BLOB NOT NULL CHECK (length(subject) = 16),
  route TEXT NOT NULL,
  key TEXT NOT NULL,
  fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
  outcome TEXT NOT NULL CHECK (outcome IN ('created', 'done')),
  version INTEGER NOT NULL,
  body BLOB NOT NULL,
  write_id BLOB NOT NULL CHECK (length(write_id) = 16),
  at INTEGER NOT NULL,
  PRIMARY KEY (subject, route, key)
) STRICT;
-- forget_records.
CREATE INDEX idempotency_at ON idempotency (at);

-- Effects that must follow a commit; a row goes once the effect is confirmed.
-- AUTOINCREMENT: an id is never used again, so that confirming one twice cannot remove another effect.
-- By primary key: confirm. In its order, up to a limit: outbox of all writes.
CREATE TABLE outbox (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  write_id BLOB NOT NULL CHECK (length(write_id) = 16),
  slot INTEGER NOT NULL,
  at INTEGER NOT NULL,
  effect BLOB NOT NULL
) STRICT;
-- outbox of one write.
CREATE INDEX outbox_write ON outbox (write_id, id);
