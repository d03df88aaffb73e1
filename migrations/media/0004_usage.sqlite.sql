-- How much each person has stored. Triggers keep it, whoever it was that wrote. Who has no file has no row.

-- By primary key: usage, and the limit of every new file.
CREATE TABLE media_usage (
  user_id BLOB NOT NULL PRIMARY KEY CHECK (length(user_id) = 16),
  files INTEGER NOT NULL CHECK (files >= 0),
  bytes INTEGER NOT NULL CHECK (bytes >= 0)
) STRICT, WITHOUT ROWID;
INSERT INTO media_usage (user_id, files, bytes) SELECT user_id, count(*), sum(size) FROM media_file GROUP BY user_id;

CREATE TRIGGER file_takes_room AFTER INSERT ON media_file
BEGIN
  INSERT INTO media_usage (user_id, files, bytes) VALUES (NEW.user_id, 1, NEW.size)
  ON CONFLICT (user_id) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
END;
CREATE TRIGGER file_gives_room_back AFTER DELETE ON media_file
BEGIN
  UPDATE media_usage SET files = files - 1, bytes = bytes - OLD.size WHERE user_id = OLD.user_id;
  DELETE FROM media_usage WHERE user_id = OLD.user_id AND files = 0;
END;
CREATE TRIGGER file_takes_other_room AFTER UPDATE OF user_id, size ON media_file WHEN OLD.user_id <> NEW.user_id OR OLD.size <> NEW.size
BEGIN
  UPDATE media_usage SET files = files - 1, bytes = bytes - OLD.size WHERE user_id = OLD.user_id;
  INSERT INTO media_usage (user_id, files, bytes) VALUES (NEW.user_id, 1, NEW.size)
  ON CONFLICT (user_id) DO UPDATE SET files = files + 1, bytes = bytes + excluded.bytes;
  DELETE FROM media_usage WHERE user_id = OLD.user_id AND files = 0;
END;
