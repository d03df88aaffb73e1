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
