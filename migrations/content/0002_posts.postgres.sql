-- Posts and comments.

-- A deleted post keeps its row, so that its id stays known as gone.
-- By primary key: post, and the compare-and-set of every write to a post.
CREATE TABLE post (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  parent_id uuid,
  content text NOT NULL,
  post_type text NOT NULL CHECK (post_type IN ('text', 'image', 'video', 'link')),
  media_ids jsonb NOT NULL,
  visibility text NOT NULL CHECK (visibility IN ('public', 'friends', 'private')),
  likes_count bigint NOT NULL CHECK (likes_count >= 0),
  comments_count bigint NOT NULL CHECK (comments_count >= 0),
  shares_count bigint NOT NULL CHECK (shares_count >= 0),
  is_published boolean NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  deleted boolean NOT NULL DEFAULT false
);
-- timeline; posts_by, once for each author.
CREATE INDEX post_timeline ON post (user_id, id) WHERE NOT deleted;
-- public_posts.
CREATE INDEX post_public ON post (id) WHERE NOT deleted AND is_published AND visibility = 'public';

-- `parent_id` names a comment on the same post, which may have been removed since.
-- By primary key: comment_place, adding and removing a comment.
CREATE TABLE comment (
  id uuid PRIMARY KEY,
  post_id uuid NOT NULL REFERENCES post (id),
  user_id uuid NOT NULL,
  content text NOT NULL,
  parent_id uuid,
  score integer NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL
);
-- comments, oldest first.
CREATE INDEX comment_oldest ON comment (post_id, created_at, id);
