-- What one person made, for its export and to erase it.

-- comments_by.
CREATE INDEX comment_author ON comment (user_id, id) WHERE NOT deleted;
-- reacted.
CREATE INDEX reaction_person ON reaction (user_id, post_id);
