/** Stands for a screen that is somebody's own, while it is not known whose, or nobody's. */
import { Link } from 'react-router';
import { useMe } from '../api/account';
import { Skeleton } from './notice';
import { Screen } from './screen';

export function SignInFirst({ title }: { title: string }) {
  const me = useMe();
  return (
    <Screen title={title}>
      {me === undefined ? (
        <Skeleton rows={3} />
      ) : (
        <div className="empty">
          <p>Sign in to see this.</p>
          <Link className="button" to="/signin">
            Sign in
          </Link>
        </div>
      )}
    </Screen>
  );
}
