-- Reactions, and comments that answer comments.

-- How many reacted how: what `reaction` holds of the post, counted, so that no view of a post needs a query.
ALTER TABLE post ADD COLUMN reactions jsonb NOT NULL DEFAULT '{}';

-- One a person and post.
-- By primary key: reaction, and each write of one.
CREATE TABLE reaction (
  post_id uuid NOT NULL REFERENCES post (id),
  user_id uuid NOT NULL,
  reaction text NOT NULL CHECK (reaction IN ('like', 'love', 'haha', 'wow', 'sad', 'angry')),
  at timestamptz(3) NOT NULL,
  PRIMARY KEY (post_id, user_id)
);

-- A deleted comment that was answered keeps its row, without content, until its last answer goes.
ALTER TABLE comment ADD COLUMN reply_count bigint NOT NULL DEFAULT 0 CHECK (reply_count >= 0);
ALTER TABLE comment ADD COLUMN deleted boolean NOT NULL DEFAULT false;
-- Until now answers outlived the row that they answer: such an answer answers none.
UPDATE comment SET parent_id = NULL
WHERE parent_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM comment AS parent WHERE parent.id = comment.parent_id AND parent.post_id = comment.post_id);

DROP INDEX comment_oldest;
-- comments, oldest first.
CREATE INDEX comment_oldest ON comment (post_id, created_at, id) WHERE parent_id IS NULL;
-- comments that answer one, oldest first.
CREATE INDEX comment_replies ON comment (parent_id, post_id, created_at, id) WHERE parent_id IS NOT NULL;
UPDATE comment SET reply_count = (SELECT count(*) FROM comment AS reply WHERE reply.parent_id = comment.id);
