/** Says that there is no network. What was read stays on the screen; what is done meanwhile waits for it to come back. */
import { onlineManager } from '@tanstack/react-query';
import { useSyncExternalStore } from 'react';
import { Icon } from './icon';

const subscribe = (listener: () => void) => onlineManager.subscribe(listener);

export function OfflineNotice() {
  const isOnline = useSyncExternalStore(subscribe, () => onlineManager.isOnline());
  return (
    <div role="status" className="offline-place">
      {!isOnline && (
        <p className="offline">
          <Icon name="offline" /> You are offline. What you see may be old; what you do is sent once you are back.
        </p>
      )}
    </div>
  );
}
