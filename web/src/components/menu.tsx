/** A few things that can be done, behind one button. It closes when one is chosen, by Escape, and when the focus leaves it. */
import { type ReactNode, useRef } from 'react';
import { Icon } from './icon';

export function Menu({ label, children }: { label: string; children: ReactNode }) {
  const details = useRef<HTMLDetailsElement>(null);
  const close = () => {
    if (details.current) details.current.open = false;
  };
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- a menu is left, wherever in it the focus was
    <details
      ref={details}
      className="menu"
      onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && close()}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return;
        close();
        details.current?.querySelector('summary')?.focus();
      }}
    >
      <summary className="icon-button" aria-label={label}>
        <Icon name="more" />
      </summary>
      {/* oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-static-element-interactions -- its buttons are what is clicked */}
      <div className="menu-items" onClick={close}>
        {children}
      </div>
    </details>
  );
}
