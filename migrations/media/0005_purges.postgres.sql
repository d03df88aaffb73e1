-- Content that caches in front of the platform are to forget, because a file that showed it to everybody does not any more. A trigger notes it, whoever
-- it was that wrote. It is due at once, and once more when no request that began before is under way any more.

-- By primary key: purged.
CREATE TABLE media_purge (
  hash bytea PRIMARY KEY CHECK (length(hash) = 32),
  due_at timestamptz(3) NOT NULL,
  is_last boolean NOT NULL
);
-- purges: what is due.
CREATE INDEX media_purge_due ON media_purge (due_at);

CREATE FUNCTION note_purge(forgotten bytea) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
  INSERT INTO media_purge (hash, due_at, is_last) VALUES (forgotten, clock_timestamp(), false)
  ON CONFLICT (hash) DO UPDATE SET due_at = excluded.due_at, is_last = false
$$;
REVOKE EXECUTE ON FUNCTION note_purge(bytea) FROM PUBLIC;

CREATE FUNCTION file_is_closed() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM note_purge(OLD.content_hash);
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION file_is_closed() FROM PUBLIC;
CREATE TRIGGER file_is_gone AFTER DELETE ON media_file FOR EACH ROW WHEN (OLD.visibility = 'public') EXECUTE FUNCTION file_is_closed();
CREATE TRIGGER file_is_closed AFTER UPDATE ON media_file FOR EACH ROW
  WHEN (OLD.visibility = 'public' AND (NEW.visibility <> 'public' OR NEW.status = 'failed' AND OLD.status <> 'failed')) EXECUTE FUNCTION file_is_closed();

CREATE FUNCTION file_is_hidden() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  PERFORM note_purge(content_hash) FROM media_file WHERE id = NEW.id AND visibility = 'public';
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION file_is_hidden() FROM PUBLIC;
CREATE TRIGGER file_is_hidden AFTER INSERT OR UPDATE ON verdict FOR EACH ROW WHEN (NEW.hidden) EXECUTE FUNCTION file_is_hidden();
