INSERT INTO person (id, username, username_folded, email, email_folded, first_name, bio, role, is_active, location, interests, social_links, created_at, updated_at, version)
SELECT pg_temp.id('person', n), 'person' || n, 'person' || n, n || '@example.org', n || '@example.org', 'Ada' || n % 5000, 'about ' || repeat(n || ' ', 20), 'user', n % 500 <> 0,
  'place' || n % 3000, '["bread", "bicycles"]', '{}', pg_temp.at(n, :people), pg_temp.at(n, :people), 1
FROM generate_series(1::bigint, :people) AS n;
INSERT INTO credential (person_id, password_hash, updated_at) SELECT id, 'x', now() FROM person;
INSERT INTO relation (person_id, followers, following, pulled)
SELECT pg_temp.id('person', n), CASE WHEN n <= 100 THEN :people / 100 ELSE 10 END, 10, n <= 100 FROM generate_series(1::bigint, :people) AS n;
INSERT INTO session (token_hash, person_id, created_at, expires_at)
SELECT sha256(n::text::bytea), pg_temp.id('person', 1 + n % :people), pg_temp.at(n, :people * 2), now() + interval '30 d' FROM generate_series(1::bigint, :people * 2) AS n;
INSERT INTO password_reset (person_id, token_hash, expires_at) SELECT pg_temp.id('person', n), sha256(n::text::bytea), now() FROM generate_series(1::bigint, :people / 20) AS n;
INSERT INTO errand (person_id, task, asked_at, due_at)
SELECT pg_temp.id('person', n), 'erase', now(), now() + interval '1 d' + n * interval '1 min' FROM generate_series(1::bigint, :people / 20) AS n;
INSERT INTO skill (id, person_id, name, name_folded, level, endorsements, created_at)
SELECT pg_temp.id('skill', n), pg_temp.id('person', 1 + n % :people), 'skill' || n / :people || 'of' || n % 3000, 'skill' || n / :people || 'of' || n % 3000, 'expert', 3, pg_temp.at(n, :people * 3)
FROM generate_series(1::bigint, :people * 3 - 1) AS n;
INSERT INTO endorsement (skill_id, endorser_id, created_at)
SELECT pg_temp.id('skill', 1 + n % (:people * 3 - 1)), pg_temp.id('person', 1 + (n * 7 + n / :people) % :people), pg_temp.at(n, :people * 3) FROM generate_series(1::bigint, :people * 3) AS n
ON CONFLICT DO NOTHING;
-- Ten each; one of these is among the hundred whom many follow.
INSERT INTO follow (follower, followee, created_at)
SELECT pg_temp.id('person', n), pg_temp.id('person', CASE WHEN k = 0 THEN 1 + n % 100 ELSE 1 + (n * 7 + k * k * 977 + k) % :people END), pg_temp.at(n, :people) + k * interval '1 s'
FROM generate_series(1::bigint, :people) AS n, generate_series(0, 9) AS k ON CONFLICT DO NOTHING;
INSERT INTO block (blocker, blocked, created_at)
SELECT pg_temp.id('person', 1 + n % :people), pg_temp.id('person', 1 + (n * 13) % :people), pg_temp.at(n, :people) FROM generate_series(1::bigint, :people) AS n ON CONFLICT DO NOTHING;
INSERT INTO audit_log (id, actor_id, action, target_type, target_id, details, created_at)
SELECT pg_temp.id('entry', n), pg_temp.id('person', 700 + n % 100), 'user.ban', 'user', pg_temp.id('person', 1 + n % :people), '{}', pg_temp.at(n, :people) FROM generate_series(1::bigint, :people) AS n;
INSERT INTO person_search (person_id, strength, username, words, location)
SELECT pg_temp.id('person', n), n % 5, 'person' || n,
  array_to_tsvector(ARRAY['a/ada' || n % 5000, 'b/skill0of' || n % 3000, 'c/work' || n % 200, 'd/about' || n % 50]), array_to_tsvector(ARRAY['a/place' || n % 3000])
FROM generate_series(1::bigint, :people) AS n;
INSERT INTO moderation_case (id, target_type, author_id, status, hidden, flags, reasons, opened_at, created_at, updated_at, version, priority)
SELECT pg_temp.id('post', n), 'post', pg_temp.id('person', 1 + (n * 7919) % :people), CASE WHEN n % 100 = 0 THEN 'open' WHEN n % 25 = 0 THEN 'hidden' WHEN n % 10 = 0 THEN 'restored' ELSE 'dismissed' END,
  n % 100 <> 0 AND n % 25 = 0, 1, '{}', pg_temp.at(n, :people), pg_temp.at(n, :people), now(), 1, n
FROM generate_series(1::bigint, :people) AS n;
INSERT INTO moderation_flag (id, case_id, reporter_id, reason, is_open, created_at)
SELECT pg_temp.id('flag', n), pg_temp.id('post', 1 + n % :people), pg_temp.id('person', 1 + (n * 3) % :people), 'spam', n % 100 = 99, pg_temp.at(n, :people * 2) FROM generate_series(1::bigint, :people * 2) AS n
ON CONFLICT DO NOTHING;
-- One person has more of everything.
INSERT INTO follow (follower, followee, created_at) SELECT pg_temp.id('person', :busy), pg_temp.id('person', n), pg_temp.at(n, :people)
FROM generate_series(1::bigint, :people, :people / 1000) AS n WHERE n <> :busy ON CONFLICT DO NOTHING;
INSERT INTO block (blocker, blocked, created_at) SELECT pg_temp.id('person', :busy), pg_temp.id('person', n), pg_temp.at(n, :people)
FROM generate_series(2::bigint, :people, :people / 1000) AS n WHERE n <> :busy AND n <> :other ON CONFLICT DO NOTHING;
INSERT INTO endorsement (skill_id, endorser_id, created_at)
SELECT s.id, pg_temp.id('person', n), pg_temp.at(n, :people) FROM skill AS s, generate_series(1::bigint, :people, :people / 1000) AS n WHERE s.person_id = pg_temp.id('person', :other)
ON CONFLICT DO NOTHING;
