-- Which rows of others are noted, by the functions of 0007_foreign_writes.

-- Kinds: 7 product, 8 buyer_orders, 9 seller_orders, 10 seller_products, 20 order, 21 cart, 22 checkout, 23 reviews, 26 review, 27 wishlist.
CREATE TRIGGER foreign_raise BEFORE UPDATE ON product FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON product FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('7', 'id', '10', 'seller_id');
CREATE TRIGGER foreign_raise BEFORE UPDATE ON product_order FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON product_order FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('20', 'id', '8', 'buyer_id', '9', 'seller_id');
CREATE TRIGGER foreign_raise BEFORE UPDATE ON product_review FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON product_review FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('26', 'id', '23', 'product_id');
CREATE TRIGGER foreign_raise BEFORE UPDATE ON checkout FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%' AND NEW.version <= OLD.version) EXECUTE FUNCTION foreign_raise();
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON checkout FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('22', 'id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON cart_item FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('21', 'user_id');
CREATE TRIGGER foreign_note AFTER INSERT OR UPDATE OR DELETE ON wishlist_item FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_note('27', 'user_id');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON review_vote FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('product_review', 'review_id', 'SELECT unnest($1)');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON reservation FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('checkout', 'checkout_id', 'SELECT unnest($1)');
CREATE TRIGGER foreign_part AFTER INSERT OR UPDATE OR DELETE ON verdict FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('product', 'id', 'SELECT unnest($1)');
CREATE TRIGGER foreign_part_of_review AFTER INSERT OR UPDATE OR DELETE ON verdict FOR EACH ROW
  WHEN (current_setting('application_name') NOT LIKE 'lets-connect%') EXECUTE FUNCTION foreign_part('product_review', 'id', 'SELECT unnest($1)');
