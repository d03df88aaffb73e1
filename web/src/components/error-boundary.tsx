/** Keeps a fault on one screen from taking the others with it. */
import { Component, type ReactNode } from 'react';

interface State {
  error: Error | null;
}

/** Set while a page is loaded anew because a part of it was gone, so that this happens once. */
const RELOADED = 'reloaded-for-new-version';

export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: Error): State {
    return { error };
  }

  override componentDidCatch(error: Error): void {
    // The server has a newer version, and the parts of this one are not there any more.
    if (!/dynamically imported module|module script failed/i.test(error.message) || sessionStorage.getItem(RELOADED)) return;
    sessionStorage.setItem(RELOADED, 'yes');
    location.reload();
  }

  override componentDidMount(): void {
    sessionStorage.removeItem(RELOADED);
  }

  override render(): ReactNode {
    if (!this.state.error) return this.props.children;
    return (
      <div className="screen">
        <div className="notice bad" role="alert">
          <p>This part of the page does not work. If you are online, load it again; it may be a fault of ours.</p>
          <button type="button" className="button quiet" onClick={() => location.reload()}>
            Load again
          </button>
        </div>
      </div>
    );
  }
}
