/** What is around every screen. */
import { type ReactNode, Suspense } from 'react';
import { Link, NavLink, useLocation } from 'react-router';
import { isAdmin, isModerator, useMe } from '../api/account';
import { piecesIn, useCart } from '../api/shop';
import { preload } from '../routes';
import { ErrorBoundary } from './error-boundary';
import { Icon, type IconName } from './icon';
import { OfflineNotice } from './offline';
import { Avatar } from './person';
import { setTheme, useTheme } from './theme';
import { Toasts } from './toast';
import { Skeleton } from './notice';

interface Place {
  to: string;
  icon: IconName;
  name: string;
  /** Not among the few that a phone's bar has room for. */
  rail?: true;
}

const PLACES: readonly Place[] = [
  { to: '/', icon: 'home', name: 'Feed' },
  { to: '/explore', icon: 'compass', name: 'Explore', rail: true },
  { to: '/people', icon: 'people', name: 'People' },
  { to: '/shop', icon: 'shop', name: 'Shop' },
  { to: '/media', icon: 'photos', name: 'Pictures' },
];
const OWN: readonly Place[] = [
  { to: '/saved', icon: 'bookmark', name: 'Saved', rail: true },
  { to: '/wishlist', icon: 'heart', name: 'Wishlist', rail: true },
  { to: '/orders', icon: 'box', name: 'Orders', rail: true },
];
/** Of those who moderate, and behind it of admins alone. */
const RANKED: readonly Place[] = [
  { to: '/moderation', icon: 'shield', name: 'Moderation', rail: true },
  { to: '/operator', icon: 'pulse', name: 'Operator', rail: true },
];

export function Layout({ children }: { children: ReactNode }) {
  const me = useMe();
  const { pathname } = useLocation();
  // Below what is there from the start: what comes with the answer to who this is moves nothing.
  const own = [...(me ? OWN : []), ...(isModerator(me) ? RANKED.slice(0, isAdmin(me) ? 2 : 1) : [])];
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to content
      </a>
      <header className="top">
        <Link to="/" className="brand">
          <img src="/icon.svg" alt="" width={28} height={28} /> Let’s Connect
        </Link>
        <div className="top-own">
          <ThemeSwitch />
          {me && <CartLink />}
          {me === null && (
            <Link className="button" to="/signin">
              Sign in
            </Link>
          )}
        </div>
      </header>
      <nav className="nav" aria-label="Main">
        {PLACES.map(goes)}
        <NavLink to={me === null ? '/signin' : '/account'} {...preloading('/account')}>
          {me ? <Avatar person={me} /> : <Icon name="user" />}
          <span>You</span>
        </NavLink>
        {own.map(goes)}
      </nav>
      <main id="main" tabIndex={-1}>
        <OfflineNotice />
        {/* Another screen is another chance. */}
        <ErrorBoundary key={pathname}>
          <Suspense
            fallback={
              <div className="screen">
                <Skeleton rows={4} />
              </div>
            }
          >
            {children}
          </Suspense>
        </ErrorBoundary>
      </main>
      <Toasts />
    </div>
  );
}

/** The code of a screen is fetched when somebody is about to go there. */
const preloading = (to: string) => ({ onPointerEnter: () => preload(to), onFocus: () => preload(to) });

const goes = ({ to, icon, name, rail }: Place) => (
  <NavLink key={to} to={to} end={to === '/'} className={rail ? 'rail-only' : ''} {...preloading(to)}>
    <Icon name={icon} />
    <span>{name}</span>
  </NavLink>
);

function CartLink() {
  const { data: cart } = useCart();
  const pieces = piecesIn(cart);
  return (
    <Link className="icon-button cart-link" to="/cart" aria-label={`Cart, ${pieces} ${pieces === 1 ? 'piece' : 'pieces'}`}>
      <Icon name="cart" />
      {pieces > 0 && <span className="badge">{pieces}</span>}
    </Link>
  );
}

function ThemeSwitch() {
  const theme = useTheme();
  const other = theme === 'dark' ? 'light' : 'dark';
  return (
    <button type="button" className="icon-button" aria-label={`Use the ${other} theme`} onClick={() => setTheme(other)}>
      <Icon name={theme === 'dark' ? 'sun' : 'moon'} />
    </button>
  );
}
