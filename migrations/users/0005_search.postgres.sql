-- How people are found: one row for each active person, as protocol::people says.

-- `place` orders a list: strength (8 bits), then `serial` (48 bits), which counts people in order of entry. `words` are folded by the writer, each behind
-- a letter that says where it is from (store/src/postgres/users/search.rs), so nothing here depends on a dictionary or a locale of the server.
-- By person: every write to a person. By place: pages of a list without a question.
CREATE TABLE person_search (
  person_id uuid PRIMARY KEY REFERENCES person (id),
  serial bigint GENERATED ALWAYS AS IDENTITY,
  strength bigint NOT NULL CHECK (strength BETWEEN 0 AND 255),
  words tsvector NOT NULL,
  place bigint NOT NULL GENERATED ALWAYS AS ((strength << 48) | serial) STORED UNIQUE
);
-- search.
CREATE INDEX person_search_words ON person_search USING gin (words);
