-- Which rows of others are noted, by the functions of 0003_foreign_writes.

-- Kinds: 14 file, 15 user_files, 19 content.
CREATE TRIGGER foreign_raise BEFORE UPDATE ON media_file FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON media_file FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('14', 'id', '15', 'user_id', '19', 'content_id');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON verdict FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('media_file', 'id', 'SELECT unnest($1)');

-- Files that come or go by another hand are counted all the same: content that a file has is not condemned.
CREATE FUNCTION count_foreign_file() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  UPDATE media_content SET files = files + CASE WHEN TG_OP = 'INSERT' THEN 1 ELSE -1 END, touched_at = now()
  WHERE id = CASE WHEN TG_OP = 'INSERT' THEN NEW.content_id ELSE OLD.content_id END;
  RETURN NULL;
END $$;
REVOKE EXECUTE ON FUNCTION count_foreign_file() FROM PUBLIC;
CREATE TRIGGER foreign_count AFTER INSERT OR DELETE ON media_file FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION count_foreign_file();
