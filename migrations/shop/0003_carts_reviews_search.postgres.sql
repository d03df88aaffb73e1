-- Carts and their checkout, reviews, wishlists, and the index that texts are searched by.

-- What reviewers gave: kept equal to the rows of product_review by every write to one.
ALTER TABLE product ADD COLUMN rating_sum bigint NOT NULL DEFAULT 0 CHECK (rating_sum >= 0);
ALTER TABLE product ADD COLUMN rating_count bigint NOT NULL DEFAULT 0 CHECK (rating_count >= 0);
-- protocol::product::Rating::rank.
ALTER TABLE product ADD COLUMN rating_rank bigint NOT NULL GENERATED ALWAYS AS ((1500 + rating_sum * 100) / (5 + rating_count)) STORED;
-- products by rating.
CREATE INDEX product_rating ON product (rating_rank, id) INCLUDE (price_cents) WHERE NOT deleted AND is_public AND is_active;
-- products of a category by rating.
CREATE INDEX product_category_rating ON product (category, rating_rank, id) INCLUDE (price_cents) WHERE NOT deleted AND is_public AND is_active;

-- Whether somebody bought a product: reviews by their authors.
CREATE INDEX product_order_bought ON product_order (buyer_id, product_id) WHERE status <> 'cancelled';

-- By primary key: every change of a line.
CREATE TABLE cart_item (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  product_id uuid NOT NULL REFERENCES product (id),
  quantity bigint NOT NULL CHECK (quantity > 0),
  price_cents bigint NOT NULL CHECK (price_cents >= 0),
  currency text NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL
);
-- One line a product.
CREATE UNIQUE INDEX cart_item_product ON cart_item (user_id, product_id);
-- cart, oldest first.
CREATE INDEX cart_item_user ON cart_item (user_id, id);

-- A checkout takes lines only while it is reserving. Ended ones are kept for as long as idempotency records are.
-- By primary key: checkout, and the compare-and-set of every write to one.
CREATE TABLE checkout (
  id uuid PRIMARY KEY,
  user_id uuid NOT NULL,
  fingerprint bytea CHECK (length(fingerprint) = 32),
  state text NOT NULL CHECK (state IN ('reserving', 'confirmed', 'released')),
  lines jsonb NOT NULL,
  request jsonb NOT NULL,
  answer bytea NOT NULL,
  expires_at timestamptz(3) NOT NULL,
  created_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0)
);
-- checkouts_due.
CREATE INDEX checkout_due ON checkout (expires_at) INCLUDE (id, version) WHERE state = 'reserving';
-- forget_checkouts.
CREATE INDEX checkout_ended ON checkout (created_at) WHERE state <> 'reserving';

-- Pieces that are set aside: taken from the product's stock, and in no order yet. Only of checkouts that are reserving.
-- By primary key: reserving, confirming and releasing.
CREATE TABLE reservation (
  checkout_id uuid NOT NULL REFERENCES checkout (id),
  product_id uuid NOT NULL REFERENCES product (id),
  seller_id uuid NOT NULL,
  quantity bigint NOT NULL CHECK (quantity > 0),
  price_cents bigint NOT NULL CHECK (price_cents >= 0),
  currency text NOT NULL,
  PRIMARY KEY (checkout_id, product_id)
);

-- By primary key: adding and removing.
CREATE TABLE wishlist_item (
  user_id uuid NOT NULL,
  product_id uuid NOT NULL REFERENCES product (id),
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (user_id, product_id)
);
-- wishes, newest first.
CREATE INDEX wishlist_item_newest ON wishlist_item (user_id, created_at, product_id);

-- By primary key: review, and the compare-and-set of every write to one.
CREATE TABLE product_review (
  id uuid PRIMARY KEY,
  product_id uuid NOT NULL REFERENCES product (id),
  user_id uuid NOT NULL,
  rating smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
  title text,
  review_text text,
  helpful_count bigint NOT NULL CHECK (helpful_count >= 0),
  verified_purchase boolean NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0)
);
-- One a person and product; whose review a purchase verifies.
CREATE UNIQUE INDEX product_review_author ON product_review (user_id, product_id);
-- reviews, newest first.
CREATE INDEX product_review_newest ON product_review (product_id, id);

-- By primary key: voting, and what goes with a review.
CREATE TABLE review_vote (
  review_id uuid NOT NULL REFERENCES product_review (id),
  user_id uuid NOT NULL,
  created_at timestamptz(3) NOT NULL,
  PRIMARY KEY (review_id, user_id)
);

-- Products that everyone may see, with what a search filters and sorts by. The words are folded by the writer (store/src/postgres/words.rs), so that
-- finding them depends on no dictionary and no locale of the server. Those of the name have the weight A, of the category B, of the description C;
-- `name` has them in order. `number` counts products in order of entry.
CREATE TABLE product_listing (
  number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  product_id uuid NOT NULL UNIQUE,
  category text COLLATE "C",
  price_cents bigint NOT NULL,
  rating_rank bigint NOT NULL,
  name text COLLATE "C" NOT NULL,
  words tsvector NOT NULL
);
CREATE INDEX product_listing_words ON product_listing USING gin (words);
