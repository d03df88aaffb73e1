/** Every screen: where it is, and how its code is had. Each is a chunk of its own, which is loaded when somebody goes there. */
import { type ComponentType, lazy, type LazyExoticComponent } from 'react';

type Load = () => Promise<{ default: ComponentType }>;

export interface RouteRow {
  path: string;
  load: Load;
  Screen: LazyExoticComponent<ComponentType>;
}

const row = (path: string, load: Load): RouteRow => ({ path, load, Screen: lazy(load) });

export const ROUTES: readonly RouteRow[] = [
  row('/', () => import('./screens/feed')),
  row('/explore', () => import('./screens/explore')),
  row('/posts/:id', () => import('./screens/post')),
  row('/people', () => import('./screens/people')),
  row('/people/:id', () => import('./screens/profile')),
  row('/people/:id/:side', () => import('./screens/follows')),
  row('/shop', () => import('./screens/shop')),
  row('/shop/new', () => import('./screens/offer')),
  row('/shop/:id', () => import('./screens/product')),
  row('/cart', () => import('./screens/cart')),
  row('/orders', () => import('./screens/orders')),
  row('/wishlist', () => import('./screens/wishlist')),
  row('/saved', () => import('./screens/saved')),
  row('/media', () => import('./screens/media')),
  row('/media/:id', () => import('./screens/media-detail')),
  row('/account', () => import('./screens/account')),
  row('/moderation', () => import('./screens/moderation')),
  row('/cases', () => import('./screens/cases')),
  row('/operator', () => import('./screens/operator')),
  row('/signin', () => import('./screens/sign-in')),
  row('/signup', () => import('./screens/sign-up')),
  row('/forgot-password', () => import('./screens/forgot-password')),
  row('/reset-password', () => import('./screens/reset-password')),
  row('*', () => import('./screens/not-found')),
];

/** Has the code of a screen loaded before it is asked for. That it fails is told once it is needed. */
export function preload(path: string): void {
  ROUTES.find((route) => route.path === path)
    ?.load()
    .catch(() => undefined);
}
