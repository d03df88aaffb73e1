/** Sets a new password with the token of a mail. It stands behind the address's `#`, which browsers send to no server. */
import { type FormEvent, useEffect, useState } from 'react';
import { Link } from 'react-router';
import { useResetPassword } from '../api/account';
import { Field } from '../components/field';
import { ErrorNotice } from '../components/notice';
import { Screen } from '../components/screen';

export default function ResetPasswordScreen() {
  const reset = useResetPassword();
  const [token] = useState(() => new URLSearchParams(location.hash.slice(1)).get('token') ?? '');
  // It stays neither in the address, which is seen and copied, nor in the history.
  useEffect(() => history.replaceState(null, '', location.pathname), []);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    reset.mutate({ token, newPassword: String(new FormData(event.currentTarget).get('password')) });
  };
  return (
    <Screen title="A new password">
      {reset.isSuccess ? (
        <p className="notice" role="status">
          Your password is changed, and all sessions are ended. <Link to="/signin">Sign in</Link>
        </p>
      ) : token ? (
        <form className="card stack narrow" onSubmit={send}>
          <Field label="New password" name="password" type="password" hint="Eight characters or more." autoComplete="new-password" minLength={8} maxLength={256} required />
          {reset.isError && <ErrorNotice error={reset.error} />}
          <button type="submit" className="button" disabled={reset.isPending}>
            Set it
          </button>
        </form>
      ) : (
        <p className="notice bad" role="alert">
          The link is not complete. <Link to="/forgot-password">Ask for another one</Link>
        </p>
      )}
    </Screen>
  );
}
