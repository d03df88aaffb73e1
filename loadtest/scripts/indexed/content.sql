INSERT INTO post (id, user_id, content, post_type, media_ids, visibility, likes_count, comments_count, shares_count, is_published, created_at, updated_at, version, deleted)
SELECT pg_temp.id('post', n), pg_temp.id('person', 1 + (n * 7919) % :people), 'a post ' || repeat(n || ' ', 15), 'text', '[]', (ARRAY['public', 'public', 'public', 'friends', 'private'])[1 + n % 5],
  1, 1, 0, n % 50 <> 0, pg_temp.at(n, :posts), pg_temp.at(n, :posts), 1, n % 50 = 1
FROM generate_series(1::bigint, :posts) AS n;
INSERT INTO comment (id, post_id, user_id, content, parent_id, reply_count, score, created_at, updated_at)
SELECT pg_temp.id('comment', n), pg_temp.id('post', 1 + n % (:posts / 4)), pg_temp.id('person', 1 + (n * 31) % :people), 'a comment ' || n,
  CASE WHEN n > :posts / 4 THEN pg_temp.id('comment', n - :posts / 4) END, CASE WHEN n > :posts / 4 THEN 0 ELSE 1 END, 0, pg_temp.at(n, :posts), now()
FROM generate_series(1::bigint, :posts / 2) AS n;
INSERT INTO reaction (post_id, user_id, reaction, at)
SELECT pg_temp.id('post', n), pg_temp.id('person', 1 + (n * 31) % :people), 'like', pg_temp.at(n, :posts) FROM generate_series(1::bigint, :posts) AS n;
INSERT INTO post_hashtag (tag, post_id) SELECT 'tag' || n % 3000, pg_temp.id('post', n) FROM generate_series(1::bigint, :posts, 2) AS n;
INSERT INTO hashtag_day (day, tag, posts) SELECT extract(epoch FROM now())::bigint / 86400 - d, 'tag' || t, 1 + (t * 7 + d) % 90
FROM generate_series(0, 59) AS d, generate_series(0, 2999) AS t;
INSERT INTO post_search (post_id, user_id, audience, words)
SELECT pg_temp.id('post', n), pg_temp.id('person', 1 + (n * 7919) % :people), CASE WHEN n % 5 < 3 THEN 3 ELSE 1 END,
  ARRAY['post', 'word' || n % 20000, 'term' || n % 997, 'often' || n % 50] FROM generate_series(1::bigint, :posts) AS n;
INSERT INTO bookmark (id, user_id, post_id, created_at)
SELECT pg_temp.id('bookmark', n), pg_temp.id('person', 1 + n % :people), pg_temp.id('post', 1 + (n * 17) % :posts), pg_temp.at(n, :posts / 2) FROM generate_series(1::bigint, :posts / 2) AS n
ON CONFLICT DO NOTHING;
