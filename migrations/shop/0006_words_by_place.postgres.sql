-- The words of products with what they are a part of: `b/lamps` is a word of a category. An index knows no weights: asked for the names that have a word,
-- it gave all that have it anywhere, and each of their rows had to be read.
UPDATE product_listing SET
  words = coalesce((SELECT array_to_tsvector(array_agg(DISTINCT lower(weight) || '/' || lexeme))
                    FROM unnest(words) AS word (lexeme, positions, weights), unnest(weights) AS weight), '');
