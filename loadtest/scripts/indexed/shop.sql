INSERT INTO product (id, seller_id, name, description, price_cents, currency, images, category, stock, is_public, is_active, created_at, updated_at, version, deleted, rating_sum, rating_count)
SELECT pg_temp.id('product', n), pg_temp.id('person', 1 + (n * 7919) % :people), 'product' || n % 5000, 'a thing ' || repeat(n || ' ', 20), (n * 37) % 10000, 'EUR', '[]', 'category' || n % 200, 500,
  n % 10 <> 0, n % 7 <> 0, pg_temp.at(n, :products), now(), 1, n % 50 = 0, n % 40, n % 9
FROM generate_series(1::bigint, :products) AS n;
INSERT INTO product_order (id, buyer_id, seller_id, product_id, quantity, total_cents, currency, status, shipping_address, payment_status, created_at, updated_at, version)
SELECT pg_temp.id('order', n), pg_temp.id('person', 1 + n % :people), pg_temp.id('person', 1 + (n * 31) % :people), pg_temp.id('product', 1 + n % :products), 1, 100, 'EUR',
  (ARRAY['pending', 'delivered', 'cancelled'])[1 + n % 3], '{}', 'pending', pg_temp.at(n, :products * 3), now(), 1
FROM generate_series(1::bigint, :products * 3) AS n;
INSERT INTO cart_item (id, user_id, product_id, quantity, price_cents, currency, created_at, updated_at)
SELECT pg_temp.id('line', n), pg_temp.id('person', 1 + n % :people), pg_temp.id('product', 1 + (n * 17) % :products), 1, 100, 'EUR', now(), now() FROM generate_series(1::bigint, :people * 2) AS n
ON CONFLICT DO NOTHING;
-- Of the last day: older ones are forgotten. Those that are under way have something set aside.
INSERT INTO checkout (id, user_id, state, lines, request, answer, expires_at, created_at, version)
SELECT pg_temp.id('checkout', n), pg_temp.id('person', 1 + n % :people), CASE WHEN n % 100 = 0 THEN 'reserving' ELSE 'confirmed' END, '[]', '{}', '',
  now() + interval '1 h' + interval '1 h' * n / :products, now() - interval '20 h' * n / :products, 1
FROM generate_series(1::bigint, :products) AS n;
INSERT INTO reservation (checkout_id, product_id, seller_id, quantity, price_cents, currency)
SELECT pg_temp.id('checkout', n), pg_temp.id('product', 1 + n % :products), pg_temp.id('person', 1 + n % :people), 1, 100, 'EUR' FROM generate_series(100::bigint, :products, 100) AS n;
INSERT INTO wishlist_item (user_id, product_id, created_at)
SELECT pg_temp.id('person', 1 + n % :people), pg_temp.id('product', 1 + (n * 19) % :products), pg_temp.at(n, :people * 2) FROM generate_series(1::bigint, :people * 2) AS n ON CONFLICT DO NOTHING;
INSERT INTO product_review (id, product_id, user_id, rating, helpful_count, verified_purchase, created_at, updated_at, version)
SELECT pg_temp.id('review', n), pg_temp.id('product', 1 + n % :products), pg_temp.id('person', 1 + (n * 3 + n / :people) % :people), 5, 1, false, pg_temp.at(n, :products * 3), now(), 1
FROM generate_series(1::bigint, :products * 3) AS n ON CONFLICT DO NOTHING;
INSERT INTO review_vote (review_id, user_id, created_at)
SELECT id, pg_temp.id('person', 1 + row_number() OVER (ORDER BY id) % :people), now() FROM product_review;
INSERT INTO product_listing (product_id, category, price_cents, rating_rank, name, words)
SELECT id, category, price_cents, rating_rank, name, array_to_tsvector(ARRAY['a/' || name, 'b/' || category, 'c/thing', 'c/stuff' || price_cents % 50])
FROM product WHERE is_public AND is_active AND NOT deleted ORDER BY id;
-- One person has more of everything.
INSERT INTO wishlist_item (user_id, product_id, created_at)
SELECT pg_temp.id('person', :busy), pg_temp.id('product', n), pg_temp.at(n, :products) FROM generate_series(1::bigint, :products, :products / 250) AS n ON CONFLICT DO NOTHING;
