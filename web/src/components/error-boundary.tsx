/** Keeps a fault on one screen from taking the others with it. */
import { Component, type ReactNode } from 'react';

interface State {
  error: Error | null;
}

/** When the page was last loaded anew because a part of it was gone: where that did not help, it is not done again and again. */
const RELOADED = 'reloaded-at-ms';
const RELOAD_AGAIN_MS = 60_000;

export class ErrorBoundary extends Component<{ children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: Error): State {
    return { error };
  }

  override componentDidCatch(error: Error): void {
    // The server has a newer version, and the parts of this one are not there any more.
    if (!/dynamically imported module|module script failed/i.test(error.message)) return;
    if (Date.now() - Number(sessionStorage.getItem(RELOADED)) < RELOAD_AGAIN_MS) return;
    sessionStorage.setItem(RELOADED, String(Date.now()));
    location.reload();
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
