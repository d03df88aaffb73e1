-- What one person thinks of products, for its export and to erase it.

-- reviews_by.
CREATE INDEX product_review_person ON product_review (user_id, id);
-- voted.
CREATE INDEX review_vote_person ON review_vote (user_id, review_id);
