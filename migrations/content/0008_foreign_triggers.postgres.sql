-- Which rows of others are noted, by the functions of 0007_foreign_writes.

-- Kinds: 4 timeline, 6 post, 18 bookmarks.
CREATE TRIGGER foreign_raise BEFORE UPDATE ON post FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON post FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('6', 'id', '4', 'user_id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON bookmark FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('18', 'user_id');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON comment FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('post', 'post_id', 'SELECT unnest($1)');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON reaction FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('post', 'post_id', 'SELECT unnest($1)');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON verdict FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('post', 'id', 'SELECT unnest($1) UNION SELECT post_id FROM comment WHERE id = ANY($1)');
