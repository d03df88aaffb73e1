/** Signs somebody in, by a cookie that no script can read. */
import type { FormEvent } from 'react';
import { Link, Navigate } from 'react-router';
import { useMe, useSignIn } from '../api/account';
import { Field } from '../components/field';
import { ErrorNotice } from '../components/notice';
import { Screen } from '../components/screen';

export default function SignInScreen() {
  const me = useMe();
  const signIn = useSignIn();
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    signIn.mutate({ email: String(form.get('email')).trim(), password: String(form.get('password')) });
  };
  if (me) return <Navigate to="/" replace />;
  return (
    <Screen title="Sign in">
      <form className="card stack narrow" onSubmit={send}>
        <Field label="Email" name="email" type="email" autoComplete="username" required />
        <Field label="Password" name="password" type="password" autoComplete="current-password" required />
        {signIn.isError && <ErrorNotice error={signIn.error} />}
        <button type="submit" className="button" disabled={signIn.isPending}>
          {signIn.isPending ? 'Signing in…' : 'Sign in'}
        </button>
        <p>
          <Link to="/forgot-password">Forgot your password?</Link>
        </p>
        <p>
          New here? <Link to="/signup">Join</Link>
        </p>
      </form>
    </Screen>
  );
}
