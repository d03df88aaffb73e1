/** The shop: products, the cart and what becomes of it, reviews, wishes. */
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { answer, api, idempotencyKey, once } from './client';
import { usePages } from './queries';
import type { Cart, OrderStatus, Page, Wish } from './types';

export interface ProductSearch {
  search?: string;
  category?: string;
  minPrice?: string;
  maxPrice?: string;
  sort?: string;
}

export const useProducts = (search: ProductSearch) =>
  usePages(['products', search], (cursor, signal) =>
    answer(api.GET('/api/shop/public/products', { params: { query: { ...search, limit: 24, cursor } }, signal })),
  );

export const useProductsOf = (sellerId: string) =>
  usePages(['products-of', sellerId], (cursor, signal) =>
    answer(api.GET('/api/shop/products/seller/{sellerId}', { params: { path: { sellerId }, query: { cursor } }, signal })),
  );

export const useProduct = (id: string) =>
  useQuery({
    queryKey: ['product', id],
    queryFn: ({ signal }) => answer(api.GET('/api/shop/public/products/{id}', { params: { path: { id } }, signal })),
  });

export interface NewProduct {
  name: string;
  description: string | null;
  price: string;
  stock: number;
  category: string | null;
  images: string[];
}

export function useOffer() {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ key, price, ...body }: NewProduct & { key: string }) =>
      // The description has no type for a price that is read from text or a number.
      answer(api.POST('/api/shop/products', { body: { ...body, price: price as never }, params: once(key) })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ['products'] }),
  });
}

export const useCart = (enabled = true) =>
  useQuery({ queryKey: ['cart'], queryFn: ({ signal }) => answer(api.GET('/api/shop/cart', { signal })), enabled });

/** How many pieces are in the cart. */
export const piecesIn = (cart: Cart | undefined): number => (cart?.items ?? []).reduce((sum, line) => sum + line.quantity, 0);

export function useAddToCart() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (body: { productId: string; quantity: number }) => answer(api.POST('/api/shop/cart', { body, params: once(idempotencyKey()) })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['cart'] }),
  });
}

/** Sets a line's quantity; 0 takes it out. */
export function useSetLine() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async ({ itemId, quantity }: { itemId: string; quantity: number }) => {
      const params = { path: { itemId } };
      if (quantity > 0) await answer(api.PUT('/api/shop/cart/{itemId}', { params, body: { quantity } }));
      else await answer(api.DELETE('/api/shop/cart/{itemId}', { params }));
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['cart'] }),
  });
}

export interface Delivery {
  shippingAddress: Record<string, string>;
  paymentMethod: string;
}

/** Orders the whole cart, or nothing of it. The key belongs to the cart as it is shown: what is sent twice is ordered once. */
export function useCheckout() {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ key, shippingAddress, paymentMethod }: Delivery & { key: string }) =>
      answer(api.POST('/api/shop/cart/checkout', { body: { paymentMethod, shippingAddress: shippingAddress as Record<string, never> }, params: once(key) })),
    onSettled: () => {
      for (const key of ['cart', 'orders', 'products', 'product']) void queries.invalidateQueries({ queryKey: [key] });
    },
  });
}

export type OrderSide = 'buyer' | 'seller';

export const useOrders = (side: OrderSide, userId: string) =>
  usePages(['orders', side, userId], (cursor, signal) => {
    const params = { path: { id: userId }, query: { cursor } };
    return answer(side === 'buyer' ? api.GET('/api/shop/orders/buyer/{id}', { params, signal }) : api.GET('/api/shop/orders/seller/{id}', { params, signal }));
  });

export function useMoveOrder() {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: ({ id, status }: { id: string; status: OrderStatus }) =>
      answer(api.PUT('/api/shop/orders/{id}/status', { params: { path: { id } }, body: { status } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['orders'] }),
  });
}

export const useReviews = (productId: string) =>
  usePages(['reviews', productId], (cursor, signal) =>
    answer(api.GET('/api/shop/products/{id}/reviews', { params: { path: { id: productId }, query: { cursor } }, signal })),
  );

export function useReview(productId: string) {
  const queries = useQueryClient();
  return useMutation({
    meta: { shown: true },
    mutationFn: ({ key, ...body }: { rating: number; title: string | null; reviewText: string | null; key: string }) =>
      answer(api.POST('/api/shop/products/{id}/reviews', { body, params: { path: { id: productId }, ...once(key) } })),
    onSettled: () => refreshReviews(queries, productId),
  });
}

export function useDeleteReview(productId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.DELETE('/api/shop/reviews/{id}', { params: { path: { id } } })),
    onSettled: () => refreshReviews(queries, productId),
  });
}

export function useVote(productId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: (id: string) => answer(api.POST('/api/shop/reviews/{id}/helpful', { params: { path: { id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ['reviews', productId] }),
  });
}

function refreshReviews(queries: ReturnType<typeof useQueryClient>, productId: string): void {
  void queries.invalidateQueries({ queryKey: ['reviews', productId] });
  void queries.invalidateQueries({ queryKey: ['product', productId] });
}

/** The newest wishes; a heart shows whether a product is among them. */
export const useWishes = (enabled = true) =>
  useQuery({
    queryKey: ['wishes'],
    queryFn: ({ signal }) => answer(api.GET('/api/shop/wishlist', { params: { query: { limit: 100 } }, signal })),
    enabled,
    staleTime: 60_000,
  });

/** Wishes for something, or no more: shown at once. */
export function useWish(productId: string) {
  const queries = useQueryClient();
  return useMutation({
    mutationFn: async (wished: boolean) => {
      if (wished) await answer(api.POST('/api/shop/wishlist', { body: { productId }, params: once(idempotencyKey()) }));
      else await answer(api.DELETE('/api/shop/wishlist/{productId}', { params: { path: { productId } } }));
    },
    onMutate: async (wished) => {
      await queries.cancelQueries({ queryKey: ['wishes'] });
      queries.setQueryData<Page<Wish>>(['wishes'], (page) => {
        if (!page) return page;
        const others = page.items.filter((wish) => wish.productId !== productId);
        return { ...page, items: wished ? [{ productId, createdAt: new Date().toISOString(), product: null }, ...others] : others };
      });
    },
    onSettled: () => queries.invalidateQueries({ queryKey: ['wishes'] }),
  });
}
