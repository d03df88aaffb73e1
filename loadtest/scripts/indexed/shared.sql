-- Ids as the platform makes them: a later row has a greater one, and the rest is as good as random.
CREATE FUNCTION pg_temp.id(kind text, n bigint) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
  SELECT (lpad(to_hex(1700000000000 + n * 1000), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid FROM md5(kind || n) AS h
$$;
-- What happened to the n-th row of so many: all of it within the last year.
CREATE FUNCTION pg_temp.at(n bigint, rows bigint) RETURNS timestamptz LANGUAGE sql STABLE AS $$ SELECT now() - (rows - n) * interval '1 year' / rows $$;
INSERT INTO key_version (kind, id, version) SELECT kind, pg_temp.id('person', n), 1 + n % 9
FROM generate_series(1::bigint, :people) AS n, unnest(ARRAY[2, 3, 4, 5, 8, 9, 10]) AS kind;
-- Of the last day: older ones are forgotten.
INSERT INTO idempotency (subject, route, key, fingerprint, outcome, version, body, write_id, at)
SELECT pg_temp.id('person', 1 + n % :people), 'POST /' || n % 7, 'k' || n, sha256(n::text::bytea), 'done', 1, '', pg_temp.id('write', n), now() - interval '20 h' * n / :people
FROM generate_series(1::bigint, :people) AS n;
INSERT INTO verdict (id, hidden, case_version) SELECT pg_temp.id('hidden', n), true, 1 FROM generate_series(1::bigint, :people / 100) AS n;
