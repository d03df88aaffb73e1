-- What every database has: rows enough that a plan which reads all of a table costs more than one that finds them.
CREATE FUNCTION pg_temp.named(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$ SELECT md5(kind || n)::uuid $$;
INSERT INTO key_version (kind, id, version) SELECT kind, pg_temp.named('person', n), 1 + n % 9
FROM generate_series(1, 20000) AS n, unnest(ARRAY[2, 3, 4, 5, 8, 9, 10]) AS kind;
INSERT INTO idempotency (subject, route, key, fingerprint, outcome, version, body, write_id, at)
SELECT pg_temp.named('person', n % 2000), 'POST /' || n % 7, 'k' || n, sha256(n::text::bytea), 'done', 1, '', pg_temp.named('write', n),
  now() - n * interval '10 s'
FROM generate_series(1, 20000) AS n;
INSERT INTO outbox (write_id, slot, at, effect, version) SELECT pg_temp.named('write', n / 4), n % 4096, now(), '', 1 FROM generate_series(1, 5000) AS n;
INSERT INTO foreign_write (kind, key_id, version) SELECT 1, pg_temp.named('person', n), 1 FROM generate_series(1, 5000) AS n;
INSERT INTO verdict (id, hidden, case_version) SELECT pg_temp.named('hidden', n), n % 2 = 0, 1 FROM generate_series(1, 5000) AS n;
UPDATE slot_epoch SET epoch = 1;
