/** Has a way to a new password mailed. */
import type { FormEvent } from 'react';
import { useForgotPassword } from '../api/account';
import { Field } from '../components/field';
import { ErrorNotice } from '../components/notice';
import { Screen } from '../components/screen';

export default function ForgotPasswordScreen() {
  const forgot = useForgotPassword();
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    forgot.mutate(String(new FormData(event.currentTarget).get('email')).trim());
  };
  return (
    <Screen title="A new password">
      {forgot.isSuccess ? (
        <p className="notice" role="status">
          If there is such an account, a mail with a link is on its way. It works once, for an hour.
        </p>
      ) : (
        <form className="card stack narrow" onSubmit={send}>
          <Field label="Email of your account" name="email" type="email" autoComplete="username" required />
          {forgot.isError && <ErrorNotice error={forgot.error} />}
          <button type="submit" className="button" disabled={forgot.isPending}>
            Mail me a link
          </button>
        </form>
      )}
    </Screen>
  );
}
