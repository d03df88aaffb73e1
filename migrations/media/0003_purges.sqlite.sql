-- Content that caches in front of the platform are to forget, because a file that showed it to everybody does not any more. A trigger notes it, whoever
-- it was that wrote. It is due at once, and once more when no request that began before is under way any more.

-- By primary key: purged.
CREATE TABLE media_purge (
  hash BLOB NOT NULL PRIMARY KEY CHECK (length(hash) = 32),
  due_at INTEGER NOT NULL,
  is_last INTEGER NOT NULL CHECK (is_last IN (0, 1))
) STRICT, WITHOUT ROWID;
-- purges: what is due.
CREATE INDEX media_purge_due ON media_purge (due_at);

CREATE TRIGGER file_is_gone AFTER DELETE ON media_file WHEN OLD.visibility = 'public'
BEGIN
  INSERT INTO media_purge (hash, due_at, is_last) VALUES (OLD.content_hash, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0)
  ON CONFLICT (hash) DO UPDATE SET due_at = excluded.due_at, is_last = 0;
END;
CREATE TRIGGER file_is_closed AFTER UPDATE ON media_file
  WHEN OLD.visibility = 'public' AND (NEW.visibility <> 'public' OR NEW.status = 'failed' AND OLD.status <> 'failed')
BEGIN
  INSERT INTO media_purge (hash, due_at, is_last) VALUES (OLD.content_hash, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0)
  ON CONFLICT (hash) DO UPDATE SET due_at = excluded.due_at, is_last = 0;
END;

CREATE TRIGGER file_is_hidden AFTER INSERT ON verdict WHEN NEW.hidden = 1
BEGIN
  INSERT INTO media_purge (hash, due_at, is_last)
  SELECT content_hash, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM media_file WHERE id = NEW.id AND visibility = 'public'
  ON CONFLICT (hash) DO UPDATE SET due_at = excluded.due_at, is_last = 0;
END;
CREATE TRIGGER file_is_hidden_again AFTER UPDATE ON verdict WHEN NEW.hidden = 1
BEGIN
  INSERT INTO media_purge (hash, due_at, is_last)
  SELECT content_hash, CAST(unixepoch('subsec') * 1000 AS INTEGER), 0 FROM media_file WHERE id = NEW.id AND visibility = 'public'
  ON CONFLICT (hash) DO UPDATE SET due_at = excluded.due_at, is_last = 0;
END;
