-- Products and orders. Amounts are integers, hundredths of the currency's unit.

-- A deleted product keeps its row: orders name it, and its id stays known as gone.
-- By primary key: product, and the compare-and-set of every write to a product.
CREATE TABLE product (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  seller_id BLOB NOT NULL CHECK (length(seller_id) = 16),
  name TEXT NOT NULL,
  description TEXT,
  price_cents INTEGER NOT NULL CHECK (price_cents >= 0),
  currency TEXT NOT NULL,
  images TEXT NOT NULL,
  category TEXT,
  stock INTEGER NOT NULL CHECK (stock >= 0),
  is_public INTEGER NOT NULL CHECK (is_public IN (0, 1)),
  is_active INTEGER NOT NULL CHECK (is_active IN (0, 1)),
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0),
  deleted INTEGER NOT NULL DEFAULT 0 CHECK (deleted IN (0, 1))
) STRICT;
-- seller_products.
CREATE INDEX product_seller ON product (seller_id, id) WHERE deleted = 0;
-- The brackets matter: SQLite takes them apart from the right to see that an index covers a query, so that no row is read.
-- products, newest first. The price is in the index so that a range of prices is judged without the row.
CREATE INDEX product_newest ON product (id, price_cents) WHERE deleted = 0 AND (is_public = 1 AND is_active = 1);
-- products of a category, newest first.
CREATE INDEX product_category_newest ON product (category, id, price_cents) WHERE deleted = 0 AND (is_public = 1 AND is_active = 1);
-- products by price, up and down.
CREATE INDEX product_price ON product (price_cents, id) WHERE deleted = 0 AND (is_public = 1 AND is_active = 1);
-- products of a category by price, up and down.
CREATE INDEX product_category_price ON product (category, price_cents, id) WHERE deleted = 0 AND (is_public = 1 AND is_active = 1);

-- By primary key: order_product.
CREATE TABLE product_order (
  id BLOB NOT NULL PRIMARY KEY CHECK (length(id) = 16),
  buyer_id BLOB NOT NULL CHECK (length(buyer_id) = 16),
  seller_id BLOB NOT NULL CHECK (length(seller_id) = 16),
  product_id BLOB NOT NULL REFERENCES product (id),
  quantity INTEGER NOT NULL CHECK (quantity > 0),
  total_cents INTEGER NOT NULL CHECK (total_cents >= 0),
  currency TEXT NOT NULL,
  status TEXT NOT NULL CHECK (status IN ('pending', 'confirmed', 'shipped', 'delivered', 'cancelled')),
  shipping_address TEXT NOT NULL,
  payment_method TEXT,
  payment_status TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  updated_at INTEGER NOT NULL,
  version INTEGER NOT NULL CHECK (version > 0)
) STRICT;
-- orders that a person placed.
CREATE INDEX product_order_buyer ON product_order (buyer_id, id);
-- orders that a person received.
CREATE INDEX product_order_seller ON product_order (seller_id, id);
