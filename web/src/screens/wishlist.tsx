/** What you would like to have. */
import { useMe } from '../api/account';
import { useWishes } from '../api/shop';
import { Await, Skeleton } from '../components/notice';
import { ProductCard } from '../components/product-card';
import { Screen } from '../components/screen';
import { SignInFirst } from '../components/sign-in-first';

export default function WishlistScreen() {
  const me = useMe();
  const wishes = useWishes(Boolean(me));
  if (!me) return <SignInFirst title="Wishlist" />;
  return (
    <Screen title="Wishlist" wide>
      <Await query={wishes} skeleton={<Skeleton rows={6} kind="tile" />}>
        {({ items }) => {
          const products = items.flatMap((wish) => (wish.product ? [wish.product] : []));
          if (!products.length) return <p className="empty">Nothing yet. The heart on a product puts it here.</p>;
          return (
            <ul className="tiles" aria-label="Wishes">
              {products.map((product) => (
                <li key={product.id}>
                  <ProductCard product={product} />
                </li>
              ))}
            </ul>
          );
        }}
      </Await>
    </Screen>
  );
}
