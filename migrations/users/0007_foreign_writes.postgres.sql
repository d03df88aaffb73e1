-- What somebody other than the platform writes, by psql or a script, is noted here, so that no owner goes on answering from what it held before. The
-- platform's connections have an application name that begins with `lets-connect`, and cost nothing but that look.

-- By primary key: foreign_writes, oldest first, and heeded. A key's kind is protocol::Kind's code. `version` is that of a row which has one; null where the
-- row is gone, or where the key has none.
CREATE TABLE foreign_write (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind smallint NOT NULL,
  key_id uuid NOT NULL,
  version bigint
);

-- A row that is changed is another version of it, whether its writer thinks of that or not.
CREATE FUNCTION foreign_raise() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.version := OLD.version + 1;
  RETURN NEW;
END $$;

-- Notes keys of a row, as it was and as it is. Arguments: kind, column, and so on; the first pair is the row's own key, where it has a version.
CREATE FUNCTION foreign_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
BEGIN
  INSERT INTO foreign_write (kind, key_id, version)
  SELECT DISTINCT TG_ARGV[pair * 2]::smallint, named::uuid,
    CASE WHEN pair = 0 AND named = after ->> TG_ARGV[1] THEN (after ->> 'version')::bigint END
  FROM generate_series(0, TG_NARGS / 2 - 1) AS pair,
    unnest(ARRAY[before ->> TG_ARGV[pair * 2 + 1], after ->> TG_ARGV[pair * 2 + 1]]) AS named
  WHERE named IS NOT NULL;
  RETURN NULL;
END $$;

-- A row that is a part of another one changes that one. Arguments: a query for ids of the whole, given the ids of the part before and after.
CREATE FUNCTION foreign_part() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  before jsonb := CASE WHEN TG_OP <> 'INSERT' THEN to_jsonb(OLD) END;
  after jsonb := CASE WHEN TG_OP <> 'DELETE' THEN to_jsonb(NEW) END;
BEGIN
  EXECUTE format('UPDATE %I SET version = version + 1 WHERE id IN (%s)', TG_ARGV[0], TG_ARGV[2])
  USING ARRAY[before ->> TG_ARGV[1], after ->> TG_ARGV[1]]::uuid[];
  RETURN NULL;
END $$;

-- They do what they do with the rights of the schema's owner, whoever writes: nobody else may make triggers of them.
REVOKE EXECUTE ON FUNCTION foreign_raise(), foreign_note(), foreign_part() FROM PUBLIC;

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
