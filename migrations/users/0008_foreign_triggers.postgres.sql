-- Which rows of others are noted, by the functions of 0007_foreign_writes.

-- Kinds: 1 user, 2 account, 3 follows, 5 feed, 30 case, 31 case_list.
CREATE TRIGGER foreign_raise BEFORE UPDATE ON person FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON person FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('1', 'id', '2', 'id');
CREATE TRIGGER foreign_raise BEFORE UPDATE ON moderation_case FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON moderation_case FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('30', 'id', '31', 'author_id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON credential FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('2', 'person_id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON session FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('2', 'person_id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON password_reset FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('2', 'person_id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON relation FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('3', 'person_id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON follow FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('3', 'follower', '3', 'followee', '5', 'follower');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON block FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('3', 'blocker', '3', 'blocked', '5', 'blocker', '5', 'blocked');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON skill FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('person', 'person_id', 'SELECT unnest($1)');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON endorsement FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('person', 'skill_id', 'SELECT person_id FROM skill WHERE id = ANY($1)');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON moderation_flag FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('moderation_case', 'case_id', 'SELECT unnest($1)');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON verdict FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('person', 'id', 'SELECT unnest($1)');
