-- Products and orders. Amounts are integers, hundredths of the currency's unit.

-- A deleted product keeps its row: orders name it, and its id stays known as gone.
-- By primary key: product, and the compare-and-set of every write to a product.
CREATE TABLE product (
  id uuid PRIMARY KEY,
  seller_id uuid NOT NULL,
  name text NOT NULL,
  description text,
  price_cents bigint NOT NULL CHECK (price_cents >= 0),
  currency text NOT NULL,
  images jsonb NOT NULL,
  category text COLLATE "C",
  stock bigint NOT NULL CHECK (stock >= 0),
  is_public boolean NOT NULL,
  is_active boolean NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0),
  deleted boolean NOT NULL DEFAULT false
) WITH (fillfactor = 70);
-- seller_products.
CREATE INDEX product_seller ON product (seller_id, id) WHERE NOT deleted;
-- products, newest first. The price is in the index so that a range of prices is judged without the row.
CREATE INDEX product_newest ON product (id) INCLUDE (price_cents) WHERE NOT deleted AND is_public AND is_active;
-- products of a category, newest first.
CREATE INDEX product_category_newest ON product (category, id) INCLUDE (price_cents) WHERE NOT deleted AND is_public AND is_active;
-- products by price, up and down.
CREATE INDEX product_price ON product (price_cents, id) WHERE NOT deleted AND is_public AND is_active;
-- products of a category by price, up and down.
CREATE INDEX product_category_price ON product (category, price_cents, id) WHERE NOT deleted AND is_public AND is_active;

-- By primary key: order_product.
CREATE TABLE product_order (
  id uuid PRIMARY KEY,
  buyer_id uuid NOT NULL,
  seller_id uuid NOT NULL,
  product_id uuid NOT NULL REFERENCES product (id),
  quantity bigint NOT NULL CHECK (quantity > 0),
  total_cents bigint NOT NULL CHECK (total_cents >= 0),
  currency text NOT NULL,
  status text NOT NULL CHECK (status IN ('pending', 'confirmed', 'shipped', 'delivered', 'cancelled')),
  shipping_address jsonb NOT NULL,
  payment_method text,
  payment_status text NOT NULL,
  created_at timestamptz(3) NOT NULL,
  updated_at timestamptz(3) NOT NULL,
  version bigint NOT NULL CHECK (version > 0)
);
-- orders that a person placed.
CREATE INDEX product_order_buyer ON product_order (buyer_id, id);
-- orders that a person received.
CREATE INDEX product_order_seller ON product_order (seller_id, id);
