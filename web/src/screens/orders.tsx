/** What you bought, and what others bought of you. */
import { Link, useSearchParams } from 'react-router';
import { useMe } from '../api/account';
import { type OrderSide, useMoveOrder, useOrders, useProduct } from '../api/shop';
import type { Order, OrderStatus } from '../api/types';
import { money } from '../components/money';
import { PagedList } from '../components/notice';
import { Name } from '../components/person';
import { Screen } from '../components/screen';
import { Tabs } from '../components/tabs';
import { Time } from '../components/time';
import { SignInFirst } from '../components/sign-in-first';

/** What each side may make of an order; the platform decides, and says so where this is out of date. */
const NEXT: Record<OrderSide, Partial<Record<OrderStatus, OrderStatus[]>>> = {
  buyer: { pending: ['cancelled'], confirmed: ['cancelled'] },
  seller: { pending: ['confirmed', 'cancelled'], confirmed: ['shipped', 'cancelled'], shipped: ['delivered', 'cancelled'] },
};
const VERBS: Partial<Record<OrderStatus, string>> = { confirmed: 'Confirm', shipped: 'Shipped', delivered: 'Delivered', cancelled: 'Cancel' };

export default function OrdersScreen() {
  const me = useMe();
  const [params] = useSearchParams();
  const side: OrderSide = params.get('as') === 'seller' ? 'seller' : 'buyer';
  if (!me) return <SignInFirst title="Orders" />;
  return (
    <Screen title="Orders">
      <Tabs
        label="Orders"
        tabs={[
          { to: '/orders', name: 'Bought', isCurrent: side === 'buyer' },
          { to: '/orders?as=seller', name: 'Sold', isCurrent: side === 'seller' },
        ]}
      />
      <Orders side={side} userId={me.id} />
    </Screen>
  );
}

function Orders({ side, userId }: { side: OrderSide; userId: string }) {
  const orders = useOrders(side, userId);
  return <PagedList pages={orders} id={(order) => order.id} render={(order) => <OrderCard order={order} side={side} />} label="Orders" empty={<p>None yet.</p>} />;
}

function OrderCard({ order, side }: { order: Order; side: OrderSide }) {
  const { data: product } = useProduct(order.productId);
  const move = useMoveOrder();
  return (
    <article className="card">
      <div className="spread">
        <span>
          {order.quantity} × <Link to={`/shop/${order.productId}`}>{product?.name ?? 'a product'}</Link>
        </span>
        <strong className="price">{money(order.totalAmount, order.currency)}</strong>
      </div>
      <p className="faint">
        <Time at={order.createdAt} /> · {side === 'buyer' ? 'sold by ' : 'bought by '}
        <Name id={side === 'buyer' ? order.sellerId : order.buyerId} />
      </p>
      <div className="spread">
        <span>
          <span className="chip" data-status={order.status}>
            {order.status}
          </span>{' '}
          <span className="faint">payment {order.paymentStatus}</span>
        </span>
        <span className="actions">
          {(NEXT[side][order.status] ?? []).map((status) => (
            <button key={status} type="button" className="button quiet" disabled={move.isPending} onClick={() => move.mutate({ id: order.id, status })}>
              {VERBS[status]}
            </button>
          ))}
        </span>
      </div>
    </article>
  );
}
