/** A question in front of everything else: the browser's own dialog, which keeps the focus and closes by Escape. */
import { type ReactNode, useEffect, useId, useRef } from 'react';
import { Icon } from './icon';

export function Dialog({ title, close, children }: { title: string; close: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => {
    const element = dialog.current;
    element?.showModal();
    return () => element?.close();
  }, []);
  return (
    <dialog ref={dialog} className="dialog" aria-labelledby={heading} onCancel={close} onClose={close}>
      <header>
        <h2 id={heading}>{title}</h2>
        <button type="button" className="icon-button" aria-label="Close" onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      {children}
    </dialog>
  );
}

/** Asks before something that cannot be undone. */
export function Confirm({ title, text, action, busy, confirm, close }: { title: string; text: string; action: string; busy: boolean; confirm: () => void; close: () => void }) {
  return (
    <Dialog title={title} close={close}>
      <p>{text}</p>
      <div className="actions">
        <button type="button" className="button quiet" onClick={close}>
          Cancel
        </button>
        <button type="button" className="button danger" disabled={busy} onClick={confirm}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
