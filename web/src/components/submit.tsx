import { ErrorNotice } from './notice';

/** The end of a form: what was wrong with the last try, and the button that sends it, which waits while it is sent. */
export function Submit({ of, children }: { of: { isError: boolean; error: unknown; isPending: boolean }; children: string }) {
  return (
    <>
      {of.isError && <ErrorNotice error={of.error} />}
      <div className="actions">
        <button type="submit" className="button" disabled={of.isPending}>
          {children}
        </button>
      </div>
    </>
  );
}
