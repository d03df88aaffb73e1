-- What finds posts: hashtags, trends, text, bookmarks; and timelines as others see them.

-- A person's posts as others see them are picked from the index, without reading rows that they may not see.
DROP INDEX post_timeline;
-- timeline of every scope; posts_by, once for each author.
CREATE INDEX post_timeline ON post (user_id, id, visibility, is_published) WHERE deleted = 0;

-- The hashtags of public, published posts. Posts that were written before this table have none until they are edited.
-- By primary key: tagged.
CREATE TABLE post_hashtag (
  tag TEXT NOT NULL,
  post_id BLOB NOT NULL REFERENCES post (id),
  PRIMARY KEY (tag, post_id)
) STRICT, WITHOUT ROWID;
-- Each write that changes a post's hashtags.
CREATE INDEX post_hashtag_post ON post_hashtag (post_id, tag);

-- How many public posts of a day have a hashtag, by the day on which they were written (days since 1970). A row without posts goes.
-- By primary key: trending, over the last days; each write of a post with hashtags.
CREATE TABLE hashtag_day (
  day INTEGER NOT NULL,
  tag TEXT NOT NULL,
  posts INTEGER NOT NULL CHECK (posts > 0),
  PRIMARY KEY (day, tag)
) STRICT, WITHOUT ROWID;

-- Posts in the order in which they were written here, which is that of search; the row of a deleted post stays, so that pages go on behind it.
-- `audience` is 0 for everyone, 1 for friends, 2 for the author, 3 for nobody: it was deleted.
-- AUTOINCREMENT: a number is never used again, and names a row of `post_text`.
-- By number: search. By post: where a page begins; each write that changes what is found.
CREATE TABLE post_search (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  post_id BLOB NOT NULL UNIQUE REFERENCES post (id),
  user_id BLOB NOT NULL,
  audience INTEGER NOT NULL CHECK (audience BETWEEN 0 AND 3)
) STRICT;

-- The words of posts that are not deleted, without the texts themselves: those are in `post`. Without regard to case and accents.
CREATE VIRTUAL TABLE post_text USING fts5 (content, content = '', contentless_delete = 1, tokenize = 'unicode61 remove_diacritics 2');

INSERT INTO post_search (post_id, user_id, audience)
SELECT id, user_id,
  CASE WHEN deleted = 1 THEN 3 WHEN is_published = 0 OR visibility = 'private' THEN 2 WHEN visibility = 'friends' THEN 1 ELSE 0 END
FROM post ORDER BY id;
INSERT INTO post_text (rowid, content)
SELECT seq, content FROM post_search JOIN post ON post.id = post_id WHERE audience < 3 ORDER BY seq;

-- Posts that people keep for themselves.
-- By primary key: removing one. By person and post: adding one again.
CREATE TABLE bookmark (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  post_id BLOB NOT NULL REFERENCES post (id),
  created_at INTEGER NOT NULL,
  UNIQUE (user_id, post_id)
) STRICT;
-- bookmarks, newest first, and how many there are.
CREATE INDEX bookmark_newest ON bookmark (user_id, id, post_id, created_at);
