/** Makes somebody an account. */
import { type FormEvent, useState } from 'react';
import { Link, Navigate } from 'react-router';
import { useMe, useSignUp } from '../api/account';
import { idempotencyKey } from '../api/client';
import { Field } from '../components/field';
import { ErrorNotice } from '../components/notice';
import { Screen } from '../components/screen';

export default function SignUpScreen() {
  const me = useMe();
  const signUp = useSignUp();
  const [key, setKey] = useState(idempotencyKey);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const said = { username: String(form.get('username')).trim(), email: String(form.get('email')).trim(), password: String(form.get('password')) };
    // A changed form is another request.
    signUp.mutate({ ...said, key }, { onError: () => setKey(idempotencyKey()) });
  };
  if (me) return <Navigate to="/" replace />;
  return (
    <Screen title="Join">
      <form className="card stack narrow" onSubmit={send}>
        <Field label="Username" name="username" hint="By which others find you: letters, digits, - and _." autoComplete="nickname" minLength={3} maxLength={32} required />
        <Field label="Email" name="email" type="email" autoComplete="username" required />
        <Field label="Password" name="password" type="password" hint="Eight characters or more. Long is better than odd." autoComplete="new-password" minLength={8} maxLength={256} required />
        {signUp.isError && <ErrorNotice error={signUp.error} />}
        <button type="submit" className="button" disabled={signUp.isPending}>
          {signUp.isPending ? 'Joining…' : 'Join'}
        </button>
        <p>
          Here already? <Link to="/signin">Sign in</Link>
        </p>
      </form>
    </Screen>
  );
}
