-- How much each person has stored. Triggers keep it, whoever it was that wrote, a node of the release before this one included. Who has no file
-- has no row.

-- By primary key: usage, and the limit of every new file.
-- Pages are left partly empty so that a row that grows can stay on its page (HOT), without a new entry in the index.
CREATE TABLE media_usage (
  user_id uuid PRIMARY KEY,
  files bigint NOT NULL CHECK (files >= 0),
  bytes bigint NOT NULL CHECK (bytes >= 0)
) WITH (fillfactor = 70);

CREATE FUNCTION count_usage() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF TG_OP <> 'INSERT' THEN
    UPDATE media_usage SET files = files - 1, bytes = bytes - OLD.size WHERE user_id = OLD.user_id;
  END IF;
  IF TG_OP <> 'DELETE' THEN
    INSERT INTO media_usage AS u (user_id, files, bytes) VALUES (NEW.user_id, 1, NEW.size)
    ON CONFLICT (user_id) DO UPDATE SET files = u.files + 1, bytes = u.bytes + excluded.bytes;
  END IF;
  IF TG_OP <> 'INSERT' THEN
    DELETE FROM media_usage WHERE user_id = OLD.user_id AND files = 0;
  END IF;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION count_usage() FROM PUBLIC;
-- Named so that they run before those that count a content's files: of a file that comes or goes, its person's row is locked before its content's.
CREATE TRIGGER count_usage AFTER INSERT OR DELETE ON media_file FOR EACH ROW EXECUTE FUNCTION count_usage();
CREATE TRIGGER count_usage_anew AFTER UPDATE OF user_id, size ON media_file FOR EACH ROW
  WHEN (OLD.user_id <> NEW.user_id OR OLD.size <> NEW.size) EXECUTE FUNCTION count_usage();

-- Behind the triggers, which nobody writes past until this is committed.
INSERT INTO media_usage (user_id, files, bytes) SELECT user_id, count(*), sum(size) FROM media_file GROUP BY user_id;
