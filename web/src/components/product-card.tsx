/** A product, wherever it is listed. */
import { Link, useNavigate } from 'react-router';
import { useMe } from '../api/account';
import { ownAddress } from '../api/client';
import { useWish, useWishes } from '../api/shop';
import type { Product } from '../api/types';
import { Icon } from './icon';
import { money } from './money';
import { Stars } from './stars';

/** What it looks like: of its pictures the first, or a box on a colour. Products hold addresses, so there is neither a blur nor a choice of sizes for them. */
export function ProductPicture({ product, eager = false }: { product: Pick<Product, 'images' | 'name' | 'category'>; eager?: boolean }) {
  const picture = ownAddress(product.images[0]);
  const hue = [...(product.category ?? product.name)].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 6;
  return (
    <span className="product-picture" data-hue={hue}>
      {picture ? <img src={picture} alt="" loading={eager ? 'eager' : 'lazy'} decoding="async" /> : <Icon name="box" />}
    </span>
  );
}

export function ProductCard({ product }: { product: Product }) {
  return (
    <article className="card product">
      <Link to={`/shop/${product.id}`} className="cover" aria-label={product.name}>
        <ProductPicture product={product} />
      </Link>
      <WishButton productId={product.id} name={product.name} />
      <div className="product-text">
        <span className="clamp">
          <Link to={`/shop/${product.id}`} tabIndex={-1} aria-hidden="true">
            {product.name}
          </Link>
        </span>
        <span className="price">{money(product.price, product.currency)}</span>
        <span className="faint">{product.stock > 0 ? (product.stock < 5 ? `Only ${product.stock} left` : (product.category ?? 'In stock')) : 'Out of stock'}</span>
        <Stars average={product.ratingAverage} count={product.ratingCount} />
      </div>
    </article>
  );
}

export function WishButton({ productId, name }: { productId: string; name: string }) {
  const me = useMe();
  const navigate = useNavigate();
  const { data } = useWishes(Boolean(me));
  const wish = useWish(productId);
  const isWished = Boolean(data?.items.some((each) => each.productId === productId));
  return (
    <button
      type="button"
      className="icon-button wish"
      aria-pressed={isWished}
      aria-label={`Wishlist: ${name}`}
      onClick={() => (me ? wish.mutate(!isWished) : void navigate('/signin'))}
    >
      <Icon name="heart" filled={isWished} />
    </button>
  );
}
