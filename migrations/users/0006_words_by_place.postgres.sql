-- The words of people with what they are a part of: `b/ocean` is a word of a skill. An index knows no weights: asked for the names that have a word, it
-- gave all who have it anywhere, and each of their rows had to be read.
UPDATE person_search SET
  words = coalesce((SELECT array_to_tsvector(array_agg(DISTINCT lower(weight) || '/' || lexeme))
                    FROM unnest(words) AS word (lexeme, positions, weights), unnest(weights) AS weight), ''),
  location = coalesce((SELECT array_to_tsvector(array_agg(DISTINCT lower(weight) || '/' || lexeme))
                       FROM unnest(location) AS word (lexeme, positions, weights), unnest(weights) AS weight), '');
