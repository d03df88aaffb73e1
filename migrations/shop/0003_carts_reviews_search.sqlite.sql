-- Carts and their checkout, reviews, wishlists, and the index that texts are searched by.

-- What reviewers gave: kept equal to the rows of product_review by every write to one.
ALTER TABLE product ADD COLUMN rating_sum INTEGER NOT NULL DEFAULT 0 CHECK (rating_sum >= 0);
ALTER TABLE product ADD COLUMN rating_count INTEGER NOT NULL DEFAULT 0 CHECK (rating_count >= 0);
-- protocol::product::Rating::rank.
ALTER TABLE product ADD COLUMN rating_rank INTEGER NOT NULL DEFAULT 300 CHECK (rating_rank = (1500 + rating_sum * 100) / (5 + rating_count));
-- products by rating.
CREATE INDEX product_rating ON product (rating_rank, id, price_cents) WHERE deleted = 0 AND (is_public = 1 AND is_active = 1);
-- products of a category by rating.
CREATE INDEX product_category_rating ON product (category, rating_rank, id, price_cents) WHERE deleted = 0 AND (is_public = 1 AND is_active = 1);

-- Whether somebody bought a product: reviews by their authors.
CREATE INDEX product_order_bought ON product_order (buyer_id, product_id) WHERE status <> 'cancelled';

-- By primary key: every change of a line.
CREATE TABLE cart_item (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  product_id BLOB NOT NULL REFERENCES product (id),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
  currency TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL
) STRICT;
-- One line a product.
CREATE UNIQUE INDEX cart_item_product ON cart_item (user_id, product_id);
-- cart, oldest first.
CREATE INDEX cart_item_user ON cart_item (user_id, id);

-- A checkout takes lines only while it is reserving. Ended ones are kept for as long as idempotency records are.
-- By primary key: checkout, and the compare-and-set of every write to one.
CREATE TABLE checkout (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  fingerprint BLOB CHECK (length(fingerprint) = 32),
  state TEXT NOT NULL CHECK (state IN ('reserving', 'confirmed', 'released')),
  lines TEXT NOT NULL,
  request TEXT NOT NULL,
  answer BLOB NOT NULL,
  expires_at INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0)
) STRICT;
-- checkouts_due.
CREATE INDEX checkout_due ON checkout (expires_at, id, version) WHERE state = 'reserving';
-- forget_checkouts.
CREATE INDEX checkout_ended ON checkout (created_at) WHERE state <> 'reserving';

-- Pieces that are set aside: taken from the product's stock, and in no order yet. Only of checkouts that are reserving.
-- By primary key: reserving, confirming and releasing.
CREATE TABLE reservation (
  checkout_id BLOB NOT NULL REFERENCES checkout (id),
  product_id BLOB NOT NULL REFERENCES product (id),
  seller_id BLOB NOT NULL CHECK (length(seller_id) = 16),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
  currency TEXT NOT NULL,
  PRIMARY KEY (checkout_id, product_id)
) STRICT, WITHOUT ROWID;

-- By primary key: adding and removing.
CREATE TABLE wishlist_item (
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  product_id BLOB NOT NULL REFERENCES product (id),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (user_id, product_id)
) STRICT, WITHOUT ROWID;
-- wishes, newest first.
CREATE INDEX wishlist_item_newest ON wishlist_item (user_id, created_at, product_id);

-- By primary key: review, and the compare-and-set of every write to one.
CREATE TABLE product_review (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  product_id BLOB NOT NULL REFERENCES product (id),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  rating INTEGER NOT NULL CHECK (rating BETWEEN 1 AND 5),
  title TEXT,
  review_text TEXT,
  helpful_count INTEGER NOT NULL CHECK (helpful_count >= 0),
  verified_purchase INTEGER NOT NULL CHECK (verified_purchase IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0)
) STRICT;
-- One a person and product; whose review a purchase verifies.
CREATE UNIQUE INDEX product_review_author ON product_review (product_id, user_id);
-- reviews, newest first.
CREATE INDEX product_review_newest ON product_review (product_id, id);

-- By primary key: voting, and what goes with a review.
CREATE TABLE review_vote (
  review_id BLOB NOT NULL REFERENCES product_review (id),
  user_id BLOB NOT NULL CHECK (length(user_id) = 16),
  created_at INTEGER NOT NULL,
  PRIMARY KEY (review_id, user_id)
) STRICT, WITHOUT ROWID;

-- Products that everyone may see, with what a search filters and sorts by. `number` is the row of product_text: a product has no stable one.
CREATE TABLE product_listing (
  number INTEGER PRIMARY KEY,
  product_id BLOB NOT NULL UNIQUE CHECK (length(product_id) = 16),
  category TEXT,
  price_cents INTEGER NOT NULL,
  rating_rank INTEGER NOT NULL
) STRICT;
-- Their words. It holds no text, only where each word and its beginnings of one to three letters are.
CREATE VIRTUAL TABLE product_text USING fts5 (
  name, category, description,
  content = '', contentless_delete = 1, prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 2'
);

INSERT INTO product_listing (product_id, category, price_cents, rating_rank)
  SELECT id, category, price_cents, rating_rank FROM product WHERE deleted = 0 AND is_public = 1 AND is_active = 1 ORDER BY id;
INSERT INTO product_text (rowid, name, category, description)
  SELECT listing.number, product.name, product.category, product.description
  FROM product_listing AS listing JOIN product ON product.id = listing.product_id;

-- Whoever writes a product, the index follows in the same transaction.
CREATE TRIGGER product_comes AFTER INSERT ON product
WHEN new.deleted = 0 AND new.is_public = 1 AND new.is_active = 1
BEGIN
  INSERT INTO product_listing (product_id, category, price_cents, rating_rank) VALUES (new.id, new.category, new.price_cents, new.rating_rank);
  INSERT INTO product_text (rowid, name, category, description)
    SELECT number, new.name, new.category, new.description FROM product_listing WHERE product_id = new.id;
END;
CREATE TRIGGER product_comes_back AFTER UPDATE ON product
WHEN (new.deleted = 0 AND new.is_public = 1 AND new.is_active = 1) AND NOT (old.deleted = 0 AND old.is_public = 1 AND old.is_active = 1)
BEGIN
  INSERT INTO product_listing (product_id, category, price_cents, rating_rank) VALUES (new.id, new.category, new.price_cents, new.rating_rank);
  INSERT INTO product_text (rowid, name, category, description)
    SELECT number, new.name, new.category, new.description FROM product_listing WHERE product_id = new.id;
END;
CREATE TRIGGER product_goes AFTER UPDATE ON product
WHEN (old.deleted = 0 AND old.is_public = 1 AND old.is_active = 1) AND NOT (new.deleted = 0 AND new.is_public = 1 AND new.is_active = 1)
BEGIN
  DELETE FROM product_text WHERE rowid = (SELECT number FROM product_listing WHERE product_id = old.id);
  DELETE FROM product_listing WHERE product_id = old.id;
END;
-- Only where words changed: an order must not cost an entry in the index.
CREATE TRIGGER product_is_reworded AFTER UPDATE ON product
WHEN (new.deleted = 0 AND new.is_public = 1 AND new.is_active = 1) AND (old.deleted = 0 AND old.is_public = 1 AND old.is_active = 1)
  AND (new.name IS NOT old.name OR new.category IS NOT old.category OR new.description IS NOT old.description)
BEGIN
  UPDATE product_text SET name = new.name, category = new.category, description = new.description
    WHERE rowid = (SELECT number FROM product_listing WHERE product_id = new.id);
END;
CREATE TRIGGER product_is_resorted AFTER UPDATE ON product
WHEN (new.deleted = 0 AND new.is_public = 1 AND new.is_active = 1) AND (old.deleted = 0 AND old.is_public = 1 AND old.is_active = 1)
  AND (new.category IS NOT old.category OR new.price_cents <> old.price_cents OR new.rating_rank <> old.rating_rank)
BEGIN
  UPDATE product_listing SET category = new.category, price_cents = new.price_cents, rating_rank = new.rating_rank WHERE product_id = new.id;
END;
