-- What finds posts: hashtags, trends, text, bookmarks; and timelines as others see them.

-- A person's posts as others see them are picked from the index, without reading rows that they may not see.
DROP INDEX post_timeline;
-- timeline of every scope; posts_by, once for each author.
CREATE INDEX post_timeline ON post (user_id, id) INCLUDE (visibility, is_published) WHERE NOT deleted;

-- The hashtags of public, published posts.
-- By primary key: tagged.
CREATE TABLE post_hashtag (
  tag text COLLATE "C" NOT NULL,
  post_id uuid NOT NULL REFERENCES post (id),
  PRIMARY KEY (tag, post_id)
);
-- Each write that changes a post's hashtags.
CREATE INDEX post_hashtag_post ON post_hashtag (post_id, tag);

-- How many public posts of a day have a hashtag, by the day on which they were written (days since 1970). A row without posts goes.
-- By primary key: trending, over the last days; each write of a post with hashtags.
CREATE TABLE hashtag_day (
  day bigint NOT NULL,
  tag text COLLATE "C" NOT NULL,
  posts bigint NOT NULL CHECK (posts > 0),
  PRIMARY KEY (day, tag)
) WITH (fillfactor = 70);

-- Posts in the order in which they were written here, which is that of search; the row of a deleted post stays, so that pages go on behind it.
-- `audience` is 0 for everyone, 1 for friends, 2 for the author, 3 for nobody: it was deleted. `words` are folded by the writer
-- (store/src/postgres/words.rs), so that finding them depends on no dictionary and no locale of the server.
-- By post: where a page begins; each write that changes what is found.
CREATE TABLE post_search (
  seq bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  post_id uuid NOT NULL UNIQUE REFERENCES post (id),
  user_id uuid NOT NULL,
  audience smallint NOT NULL CHECK (audience BETWEEN 0 AND 3),
  words text[] COLLATE "C" NOT NULL
);
-- search.
CREATE INDEX post_search_words ON post_search USING gin (words);

-- Posts that people keep for themselves.
-- By primary key: removing one. By person and post: adding one again.
CREATE TABLE bookmark (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  post_id uuid NOT NULL REFERENCES post (id),
  created_at timestamptz(3) NOT NULL,
  UNIQUE (user_id, post_id)
);
-- bookmarks, newest first, and how many there are.
CREATE INDEX bookmark_newest ON bookmark (user_id, id) INCLUDE (post_id, created_at);
