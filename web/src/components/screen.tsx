/** What each screen begins with: its title, said to the browser, too, and to whoever hears the page. */
import { type ReactNode, useEffect, useRef } from 'react';
import { useNavigationType } from 'react-router';

interface Props {
  title: string;
  /** The title stands in the screen itself, as a post's author for example. */
  hidden?: boolean;
  actions?: ReactNode;
  wide?: boolean;
  children: ReactNode;
}

export function Screen({ title, hidden = false, actions, wide = false, children }: Props) {
  const heading = useRef<HTMLHeadingElement>(null);
  const came = useNavigationType();
  useEffect(() => {
    document.title = `${title} · Let’s Connect`;
  }, [title]);
  useEffect(() => {
    // A new screen begins at its top, and there screen readers go on. Who goes back finds their place again: browsers see to that.
    if (came === 'POP') return;
    scrollTo(0, 0);
    heading.current?.focus({ preventScroll: true });
  }, [came]);
  return (
    <div className={wide ? 'screen wide' : 'screen'}>
      <header className={hidden ? 'visually-hidden' : 'screen-head'}>
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {actions}
      </header>
      {children}
    </div>
  );
}
