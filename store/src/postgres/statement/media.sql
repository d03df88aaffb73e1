INSERT INTO media_content (id, hash, folder, files, touched_at)
SELECT pg_temp.named('content', n), sha256(n::text::bytea), pg_temp.named('folder', n), CASE WHEN n % 100 = 0 THEN 0 ELSE 1 END, now() - n * interval '1 s'
FROM generate_series(1, 30000) AS n;
INSERT INTO media_condemned (folder, hash) SELECT pg_temp.named('condemned', n), sha256(n::text::bytea) FROM generate_series(1, 5000) AS n;
INSERT INTO media_file (id, user_id, content_id, content_hash, filename, mime_type, size, class, visibility, status, rendered, attempts, created_at, updated_at, version)
SELECT pg_temp.named('file', n), pg_temp.named('person', n % 4000), pg_temp.named('content', 1 + n % 30000), sha256((1 + n % 30000)::text::bytea), 'x.jpeg', 'image/jpeg', 1000, 'image',
  CASE WHEN n % 3 = 0 THEN 'private' ELSE 'public' END, CASE WHEN n % 200 = 0 THEN 'pending' ELSE 'ready' END, 'smaller', 0, now(), now(), 1
FROM generate_series(1, 40000) AS n;
INSERT INTO signing_key (key) VALUES (sha256('key'));
INSERT INTO media_purge (hash, due_at, is_last) SELECT decode(md5(n::text) || md5('purge' || n), 'hex'), now() + n * interval '1 s', n % 2 = 0 FROM generate_series(1, 20000) AS n;
