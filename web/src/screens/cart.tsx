/** What you are about to buy, and buying it. */
import { type FormEvent, useState } from 'react';
import { Link } from 'react-router';
import { idempotencyKey } from '../api/client';
import { useCart, useCheckout, useSetLine } from '../api/shop';
import type { CartLine, Cart, Checkout } from '../api/types';
import { Field, SelectField, text } from '../components/field';
import { money } from '../components/money';
import { Await, ErrorNotice } from '../components/notice';
import { ProductPicture } from '../components/product-card';
import { Screen } from '../components/screen';

const HINDRANCES = {
  gone: 'It is not for sale any more.',
  out_of_stock: 'There are fewer in stock.',
  price_raised: 'It costs more than when you put it here: set the pieces again to accept that.',
  too_much: 'That is more than one order may cost.',
} as const;
const ADDRESS = ['name', 'street', 'city', 'country'] as const;

export default function CartScreen() {
  const cart = useCart();
  const [bought, setBought] = useState<Checkout | null>(null);
  if (bought) return <Bought checkout={bought} />;
  return (
    <Screen title="Cart">
      <Await query={cart}>
        {(shown) =>
          shown.items.length ? (
            <>
              <ul className="stack" aria-label="In your cart">
                {shown.items.map((line) => (
                  <Line key={line.id} line={line} />
                ))}
              </ul>
              <CheckoutForm cart={shown} done={setBought} />
            </>
          ) : (
            <div className="empty">
              <p>Your cart is empty.</p>
              <Link className="button" to="/shop">
                Go to the shop
              </Link>
            </div>
          )
        }
      </Await>
    </Screen>
  );
}

function Line({ line }: { line: CartLine }) {
  const set = useSetLine();
  const name = line.product?.name ?? 'Something that is not for sale any more';
  return (
    <li className="card line">
      <ProductPicture product={line.product ?? { images: [], name, category: null }} />
      <div className="grow">
        {line.product ? <Link to={`/shop/${line.productId}`}>{name}</Link> : name}
        <p className="price">{line.subtotal && line.product ? money(line.subtotal, line.product.currency) : null}</p>
        {line.hindrance && <p className="bad">{HINDRANCES[line.hindrance]}</p>}
      </div>
      <input
        key={line.quantity}
        type="number"
        min={1}
        max={10_000}
        defaultValue={line.quantity}
        aria-label={`Pieces of ${name}`}
        disabled={set.isPending || !line.product}
        onChange={(event) => event.target.validity.valid && event.target.value && set.mutate({ itemId: line.id, quantity: Number(event.target.value) })}
      />
      <button type="button" className="button quiet" disabled={set.isPending} onClick={() => set.mutate({ itemId: line.id, quantity: 0 })}>
        Remove<span className="visually-hidden"> {name}</span>
      </button>
    </li>
  );
}

function CheckoutForm({ cart, done }: { cart: Cart; done: (checkout: Checkout) => void }) {
  const checkout = useCheckout();
  // What is sent again without a change is one order; after a refusal, what is sent is another one.
  const [key, setKey] = useState(idempotencyKey);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const shippingAddress = Object.fromEntries(ADDRESS.map((part) => [part, text(form, part) ?? '']));
    checkout.mutate({ key, shippingAddress, paymentMethod: text(form, 'payment') ?? 'card' }, { onSuccess: done, onError: () => setKey(idempotencyKey()) });
  };
  return (
    <form className="card stack" onSubmit={send} aria-labelledby="checkout">
      <h2 id="checkout">Checkout</h2>
      <div className="filters">
        <Field label="Name" name="name" autoComplete="name" required maxLength={200} />
        <Field label="Street" name="street" autoComplete="street-address" required maxLength={200} />
        <Field label="City" name="city" autoComplete="address-level2" required maxLength={200} />
        <Field label="Country" name="country" autoComplete="country-name" required maxLength={200} />
        <SelectField label="Payment" name="payment">
          <option value="card">Card</option>
          <option value="invoice">Invoice</option>
        </SelectField>
      </div>
      {checkout.isError && <ErrorNotice error={checkout.error} />}
      <div className="actions">
        <p className="grow">
          Together:{' '}
          <strong className="price">{cart.totals.map((total) => money(total.amount, total.currency)).join(' and ') || 'nothing that can be ordered'}</strong>
        </p>
        <button type="submit" className="button" disabled={checkout.isPending || cart.items.some((line) => !line.available)}>
          {checkout.isPending ? 'Ordering…' : 'Order'}
        </button>
      </div>
    </form>
  );
}

function Bought({ checkout }: { checkout: Checkout }) {
  return (
    <Screen title="Thank you">
      <div className="card stack" role="status">
        <p>
          {checkout.orders.length === 1 ? 'Your order is placed' : `Your ${checkout.orders.length} orders are placed`}:{' '}
          <strong>{checkout.totals.map((total) => money(total.amount, total.currency)).join(' and ')}</strong>
        </p>
        <Link className="button" to="/orders">
          See your orders
        </Link>
      </div>
    </Screen>
  );
}
