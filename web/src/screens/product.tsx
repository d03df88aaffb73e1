/** A product: what it is, what people think of it, and a way to have it. */
import { type FormEvent, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useMe } from '../api/account';
import { idempotencyKey } from '../api/client';
import { useAddToCart, useDeleteReview, useProduct, useReview, useReviews, useVote } from '../api/shop';
import type { Product, Review } from '../api/types';
import { Field, SelectField, TextField, text } from '../components/field';
import { FlagButton } from '../components/flag';
import { money } from '../components/money';
import { Await, PagedList, Skeleton } from '../components/notice';
import { Submit } from '../components/submit';
import { Name } from '../components/person';
import { ProductPicture, WishButton } from '../components/product-card';
import { RichText } from '../components/rich-text';
import { Screen } from '../components/screen';
import { Stars } from '../components/stars';
import { Time } from '../components/time';
import { say } from '../components/toast';
import { useWatched } from '../live';

export default function ProductScreen() {
  const { id = '' } = useParams();
  const product = useProduct(id);
  useWatched('product', id);
  return (
    <Screen title={product.data?.name ?? 'A product'} hidden wide>
      <Await query={product} skeleton={<Skeleton rows={2} />}>
        {(shown) => (
          <>
            <Offer product={shown} />
            <Reviews product={shown} />
          </>
        )}
      </Await>
    </Screen>
  );
}

function Offer({ product }: { product: Product }) {
  const me = useMe();
  const isOwn = me?.id === product.sellerId;
  return (
    <section className="offer">
      <div className="offer-picture">
        <ProductPicture product={product} eager />
        <WishButton productId={product.id} name={product.name} />
      </div>
      <div className="stack">
        <p className="offer-name">{product.name}</p>
        <Stars average={product.ratingAverage} count={product.ratingCount} />
        <p className="price">{money(product.price, product.currency)}</p>
        <p>
          Sold by <Name id={product.sellerId} />
        </p>
        {product.description && <RichText text={product.description} />}
        {product.category && (
          <p>
            <Link className="chip" to={`/shop?category=${encodeURIComponent(product.category)}`}>
              {product.category}
            </Link>
          </p>
        )}
        <p className={product.stock > 0 ? 'faint' : 'bad'}>{product.stock > 0 ? `${product.stock} in stock` : 'Out of stock'}</p>
        {!isOwn && product.stock > 0 && <AddToCart product={product} />}
        {me && !isOwn && <FlagButton targetType="product" targetId={product.id} />}
      </div>
    </section>
  );
}

function AddToCart({ product }: { product: Product }) {
  const me = useMe();
  const navigate = useNavigate();
  const add = useAddToCart();
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!me) return void navigate('/signin');
    const quantity = Number(new FormData(event.currentTarget).get('quantity'));
    add.mutate({ productId: product.id, quantity }, { onSuccess: () => say(`${product.name} is in your cart.`) });
  };
  return (
    <form className="filters" onSubmit={send}>
      <Field label="Pieces" name="quantity" type="number" min={1} max={product.stock} defaultValue={1} required />
      <button type="submit" className="button" disabled={add.isPending}>
        Add to cart
      </button>
    </form>
  );
}

function Reviews({ product }: { product: Product }) {
  const me = useMe();
  const reviews = useReviews(product.id);
  return (
    <section aria-labelledby="reviews" className="reviews">
      <h2 id="reviews">Reviews</h2>
      {me && me.id !== product.sellerId && <ReviewForm productId={product.id} />}
      <PagedList
        pages={reviews}
        id={(review) => review.id}
        render={(review) => <ReviewCard review={review} />}
        label="Reviews"
        empty={<p className="faint">Nobody has said what they think of it.</p>}
        end=""
      />
    </section>
  );
}

function ReviewForm({ productId }: { productId: string }) {
  const review = useReview(productId);
  const [key, setKey] = useState(idempotencyKey);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const element = event.currentTarget;
    const form = new FormData(element);
    review.mutate(
      { key, rating: Number(form.get('rating')), title: text(form, 'title'), reviewText: text(form, 'reviewText') },
      {
        onSuccess: () => {
          element.reset();
          setKey(idempotencyKey());
          say('Thank you for your review.');
        },
        // A changed text is another request.
        onError: () => setKey(idempotencyKey()),
      },
    );
  };
  return (
    <details className="card">
      <summary>Write a review</summary>
      <form className="stack" onSubmit={send}>
        <SelectField label="Stars" name="rating" defaultValue="5">
          {[5, 4, 3, 2, 1].map((stars) => (
            <option key={stars} value={stars}>
              {'★'.repeat(stars)} ({stars})
            </option>
          ))}
        </SelectField>
        <Field label="In a few words" name="title" maxLength={100} />
        <TextField label="What you think of it" name="reviewText" maxLength={2000} />
        <Submit of={review}>Publish</Submit>
      </form>
    </details>
  );
}

function ReviewCard({ review }: { review: Review }) {
  const me = useMe();
  const vote = useVote(review.productId);
  const remove = useDeleteReview(review.productId);
  return (
    <article className="card">
      <Stars average={review.rating} /> <strong>{review.title}</strong>
      <p className="faint">
        <Name id={review.userId} /> · <Time at={review.createdAt} />
        {review.verifiedPurchase && ' · Bought it here'}
      </p>
      {review.reviewText && <RichText text={review.reviewText} />}
      <div className="comment-actions">
        {me && me.id !== review.userId ? (
          <>
            <button type="button" className="button quiet" disabled={vote.isPending} onClick={() => vote.mutate(review.id)}>
              Helpful ({review.helpfulCount})
            </button>
            <FlagButton targetType="review" targetId={review.id} />
          </>
        ) : (
          <span className="faint">{review.helpfulCount} found this helpful</span>
        )}
        {me?.id === review.userId && (
          <button type="button" className="button quiet" disabled={remove.isPending} onClick={() => remove.mutate(review.id)}>
            Delete
          </button>
        )}
      </div>
    </article>
  );
}
