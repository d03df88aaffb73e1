INSERT INTO product (id, seller_id, name, price_cents, currency, images, category, stock, is_public, is_active, created_at, updated_at, version, deleted)
SELECT pg_temp.named('product', n), pg_temp.named('person', n % 5000), 'product ' || n, n % 10000, 'EUR', '[]', 'category ' || n % 200, 5, n % 10 <> 0, n % 7 <> 0, now(), now(), 1,
  n % 50 = 0
FROM generate_series(1, 40000) AS n;
INSERT INTO product_order (id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_status, created_at, updated_at, version)
SELECT pg_temp.named('order', n), pg_temp.named('person', n % 4000), pg_temp.named('person', n % 5000), pg_temp.named('product', 1 + n % 40000), 1, 100, 'EUR',
  (ARRAY['pending', 'delivered', 'cancelled'])[1 + n % 3], '{}', 'pending', now(), now(), 1
FROM generate_series(1, 40000) AS n;
INSERT INTO cart_item (id, user_id, product_id, quantity, price_cents, currency, created_at, updated_at)
SELECT pg_temp.named('line', n), pg_temp.named('person', n % 4000), pg_temp.named('product', 1 + n % 39999), 1, 100, 'EUR', now(), now() FROM generate_series(1, 20000) AS n
ON CONFLICT DO NOTHING;
INSERT INTO checkout (id, user_id, state, lines, request, answer, expires_at, created_at, version)
SELECT pg_temp.named('checkout', n), pg_temp.named('person', n % 4000), CASE WHEN n % 100 = 0 THEN 'reserving' ELSE 'confirmed' END, '[]', '{}', '',
  now() - n * interval '1 s', now() - n * interval '1 s', 1
FROM generate_series(1, 20000) AS n;
INSERT INTO reservation (checkout_id, product_id, seller_id, quantity, price_cents, currency)
SELECT pg_temp.named('checkout', n), pg_temp.named('product', 1 + n % 40000), pg_temp.named('person', n % 5000), 1, 100, 'EUR' FROM generate_series(1, 10000) AS n;
INSERT INTO wishlist_item (user_id, product_id, created_at)
SELECT pg_temp.named('person', n % 4000), pg_temp.named('product', 1 + n % 39999), now() - n * interval '1 s' FROM generate_series(1, 20000) AS n ON CONFLICT DO NOTHING;
INSERT INTO product_review (id, product_id, user_id, rating, helpful_count, verified_purchase, created_at, updated_at, version)
SELECT pg_temp.named('review', n), pg_temp.named('product', 1 + n % 5000), pg_temp.named('person', n / 5000 + n % 4000), 5, 0, false, now(), now(), 1
FROM generate_series(1, 30000) AS n ON CONFLICT DO NOTHING;
INSERT INTO review_vote (review_id, user_id, created_at)
SELECT r.id, pg_temp.named('person', v), now() FROM (SELECT id FROM product_review LIMIT 10000) AS r, generate_series(1, 3) AS v;
INSERT INTO product_listing (product_id, category, price_cents, rating_rank, name, words)
SELECT pg_temp.named('product', n), 'category ' || n % 200, n % 10000, 300, 'product ' || n,
  array_to_tsvector(ARRAY['a/product' || n % 5000, 'b/category' || n % 200, 'c/text' || n % 50])
FROM generate_series(1, 100000) AS n;
