-- Posts and comments.

-- A deleted post keeps its row, so that its id stays known as gone.
-- By primary key: post, and the compare-and-set of every write to a post.
CREATE TABLE post (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  parent_id BLOB,
  content TEXT NOT NULL,
  post_type TEXT NOT NULL CHECK (post_type IN ('text', 'image', 'video', 'link')),
  media_ids TEXT NOT NULL,
  visibility TEXT NOT NULL CHECK (visibility IN ('public', 'friends', 'private')),
  likes_count INTEGER NOT NULL CHECK (likes_count >= 0),
  comments_count INTEGER NOT NULL CHECK (comments_count >= 0),
  shares_count INTEGER NOT NULL CHECK (shares_count >= 0),
  is_published INTEGER NOT NULL CHECK (is_published IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1))
) STRICT;
-- timeline; posts_by, once for each author.
CREATE INDEX post_timeline ON post (user_id, id) WHERE deleted = 0;
-- public_posts. The brackets matter: SQLite takes them apart from the right to see that the index covers the query, so that no row is read.
CREATE INDEX post_public ON post (id) WHERE deleted = 0 AND (is_published = 1 AND visibility = 'public');

-- `parent_id` names a comment on the same post, which may have been removed since.
-- By primary key: comment_place, adding and removing a comment.
CREATE TABLE comment (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  post_id BLOB NOT NULL REFERENCES post (id),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  content TEXT NOT NULL,
  parent_id BLOB,
  score INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
-- comments, oldest first.
CREATE INDEX comment_oldest ON comment (post_id, created_at, id);
