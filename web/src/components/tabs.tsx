/** A few lists side by side, each with an address of its own. */
import { Link } from 'react-router';

export function Tabs({ label, tabs }: { label: string; tabs: readonly { to: string; name: string; isCurrent: boolean }[] }) {
  return (
    <nav className="tabs" aria-label={label}>
      {tabs.map(({ to, name, isCurrent }) => (
        <Link key={to} to={to} aria-current={isCurrent ? 'page' : undefined}>
          {name}
        </Link>
      ))}
    </nav>
  );
}
