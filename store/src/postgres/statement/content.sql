INSERT INTO post (id, user_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count, is_published, created_at, updated_at, version, deleted)
SELECT pg_temp.named('post', n), pg_temp.named('person', n % 5000), 'text ' || n, 'text', '[]', (ARRAY['public', 'friends', 'private'])[1 + n % 3], 0, 0, 0, n % 10 <> 0,
  now() - n * interval '1 s', now(), 1, n % 50 = 0
FROM generate_series(1, 50000) AS n;
INSERT INTO comment (id, post_id, user_id, content, parent_id, score, created_at, updated_at)
SELECT pg_temp.named('comment', n), pg_temp.named('post', 1 + n % 20000), pg_temp.named('person', n % 5000), 'text', CASE WHEN n > 40000 THEN pg_temp.named('comment', n - 40000) END,
  0, now() - n * interval '1 s', now()
FROM generate_series(1, 60000) AS n;
INSERT INTO reaction (post_id, user_id, reaction, at)
SELECT pg_temp.named('post', 1 + n % 20000), pg_temp.named('person', n / 20000 * 7 + n % 5000), 'like', now() FROM generate_series(1, 60000) AS n ON CONFLICT DO NOTHING;
INSERT INTO post_hashtag (tag, post_id) SELECT 'tag' || n % 3000, pg_temp.named('post', 1 + n % 50000) FROM generate_series(1, 60000) AS n ON CONFLICT DO NOTHING;
INSERT INTO hashtag_day (day, tag, posts) SELECT 20000 + n / 1000, 'tag' || n % 1000, 1 + n % 9 FROM generate_series(1, 60000) AS n ON CONFLICT DO NOTHING;
INSERT INTO post_search (post_id, user_id, audience, words)
SELECT pg_temp.named('post', n), pg_temp.named('person', n % 5000), n % 4, ARRAY['word' || n % 5000, 'common' || n % 20] FROM generate_series(1, 50000) AS n;
INSERT INTO bookmark (id, user_id, post_id, created_at)
SELECT pg_temp.named('bookmark', n), pg_temp.named('person', n % 2000), pg_temp.named('post', 1 + n % 50000), now() FROM generate_series(1, 40000) AS n ON CONFLICT DO NOTHING;
