-- What the write protocol keeps in every domain database (store/src/commit.rs). The same file in each of them: a test compares them.
-- Instants are timestamptz(3): the platform's clock counts milliseconds, and no row may lie between two of them.
-- The name change_log is reserved for what triggers record.

-- Stops a write whose expectation does not hold: raised by a statement that found no row to change, or another epoch. All that was sent with it,
-- its COMMIT included, is refused by the server itself, so that a write needs no second round trip to be judged.
CREATE FUNCTION refuse(detail text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'refused' USING ERRCODE = 'LC001', DETAIL = detail;
END
$$;

-- The fencing token of each slot. Every slot has its row from the start: a commit locks its slot's row in share mode, and raising the
-- epoch waits for these locks; what is not there could not be locked.
-- By primary key: the guard of every commit. Whole: epochs.
CREATE TABLE slot_epoch (
  slot smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 4095),
  epoch bigint NOT NULL CHECK (epoch >= 0)
);
INSERT INTO slot_epoch (slot, epoch) SELECT slot, 0 FROM generate_series(0, 4095) AS slot;

-- The versions of keys without a row of their own. A key without a row here is at version 0.
-- By primary key: key_version, the compare-and-set and the touches of every commit.
-- Pages are left partly empty so that a raised version can stay on its page (HOT), without a new entry in the index.
CREATE TABLE key_version (
  kind smallint NOT NULL,
  id uuid NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  PRIMARY KEY (kind, id)
) WITH (fillfactor = 70);

-- What finished requests were answered.
-- By primary key: record, and every commit that carries an idempotency key.
CREATE TABLE idempotency (
  subject uuid NOT NULL,
  route text NOT NULL,
  key text NOT NULL,
  fingerprint bytea NOT NULL CHECK (length(fingerprint) = 32),
  outcome text NOT NULL CHECK (outcome IN ('created', 'done')),
  version bigint NOT NULL,
  body bytea NOT NULL,
  write_id uuid NOT NULL,
  at timestamptz(3) NOT NULL,
  PRIMARY KEY (subject, route, key)
);
-- forget_records.
CREATE INDEX idempotency_at ON idempotency (at);

-- Effects that must follow a commit; a row goes once the effect is confirmed. The version of a changed key is a column of its own, because
-- only the statement that raises it knows it; in `effect` it is 0.
-- By primary key: confirm. In its order, up to a limit: outbox of all writes.
CREATE TABLE outbox (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  write_id uuid NOT NULL,
  slot smallint NOT NULL,
  at timestamptz(3) NOT NULL,
  effect bytea NOT NULL,
  version bigint
);
-- outbox of one write.
CREATE INDEX outbox_write ON outbox (write_id, id);

-- Which process has the stores to itself (store/src/postgres/lease.rs). Of the users database only this row counts; elsewhere it stays as it is.
CREATE TABLE instance_lease (
  only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
  holder uuid,
  description text NOT NULL DEFAULT '',
  counter bigint NOT NULL DEFAULT 0,
  length_ms bigint NOT NULL DEFAULT 0
);
INSERT INTO instance_lease DEFAULT VALUES;
