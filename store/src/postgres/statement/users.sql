INSERT INTO person (id, username, username_folded, email, email_folded, first_name, bio, role, is_active, interests, social_links, created_at, updated_at, version)
SELECT pg_temp.named('person', n), 'person' || n, 'person' || n, n || '@example.org', n || '@example.org', 'Ada', 'about ' || n, 'user', n % 500 <> 0, '[]', '{}',
  now() - n * interval '1 min', now(), 1
FROM generate_series(1, 60000) AS n;
INSERT INTO credential (person_id, password_hash, updated_at) SELECT id, 'x', now() FROM person;
INSERT INTO relation (person_id, pulled) SELECT pg_temp.named('person', n), n % 1000 = 0 FROM generate_series(1, 20000) AS n;
INSERT INTO session (token_hash, person_id, created_at, expires_at)
SELECT sha256(n::text::bytea), pg_temp.named('person', 1 + n % 20000), now() - n * interval '1 s', now() + interval '30 d' FROM generate_series(1, 40000) AS n;
INSERT INTO password_reset (person_id, token_hash, expires_at) SELECT pg_temp.named('person', n), sha256(n::text::bytea), now() FROM generate_series(1, 5000) AS n;
INSERT INTO errand (person_id, task, asked_at, due_at)
SELECT pg_temp.named('person', n), 'mail', now(), now() + n * interval '1 min' FROM generate_series(1, 5000) AS n;
INSERT INTO skill (id, person_id, name, name_folded, level, endorsements, created_at)
SELECT pg_temp.named('skill', n), pg_temp.named('person', 1 + n % 20000), 'skill ' || n, 'skill ' || n, 'expert', 0, now() FROM generate_series(1, 40000) AS n;
INSERT INTO endorsement (skill_id, endorser_id, created_at)
SELECT pg_temp.named('skill', 1 + n % 4000), pg_temp.named('person', 1 + n / 4000), now() - n * interval '1 s' FROM generate_series(1, 40000) AS n;
INSERT INTO follow (follower, followee, created_at)
SELECT pg_temp.named('person', 1 + n % 20000), pg_temp.named('person', 1 + (n * 7 + n / 20000) % 20000), now() - n * interval '1 s' FROM generate_series(1, 100000) AS n
ON CONFLICT DO NOTHING;
INSERT INTO block (blocker, blocked, created_at)
SELECT pg_temp.named('person', 1 + n % 2000), pg_temp.named('person', 5000 + n / 2000 + n % 7), now() - n * interval '1 s' FROM generate_series(1, 10000) AS n
ON CONFLICT DO NOTHING;
INSERT INTO audit_log (id, actor_id, action, target_type, target_id, details, created_at)
SELECT pg_temp.named('entry', n), pg_temp.named('person', n % 20), 'user.ban', 'user', pg_temp.named('person', n % 5000), '{}', now() FROM generate_series(1, 20000) AS n;
INSERT INTO person_search (person_id, strength, username, words, location)
SELECT pg_temp.named('person', n), n % 5, 'person' || n,
  array_to_tsvector(ARRAY['a/ada' || n % 5000, 'b/skill' || n % 3000, 'c/work' || n % 200, 'd/about' || n % 50]), array_to_tsvector(ARRAY['a/place' || n % 3000])
FROM generate_series(1, 60000) AS n;
INSERT INTO moderation_case (id, target_type, author_id, status, hidden, flags, reasons, opened_at, created_at, updated_at, version, priority)
SELECT pg_temp.named('case', n), 'post', pg_temp.named('person', n % 5000), CASE WHEN n % 100 = 0 THEN 'open' WHEN n % 25 = 0 THEN 'hidden' WHEN n % 10 = 0 THEN 'restored' ELSE 'dismissed' END, false, 1, '{}', now(),
  now() - n * interval '1 s', now(), 1, n
FROM generate_series(1, 20000) AS n;
INSERT INTO moderation_flag (id, case_id, reporter_id, reason, is_open, created_at)
SELECT pg_temp.named('flag', n), pg_temp.named('case', 1 + n % 20000), pg_temp.named('person', n % 4000), 'spam', n % 4 = 0, now() FROM generate_series(1, 40000) AS n
ON CONFLICT DO NOTHING;
