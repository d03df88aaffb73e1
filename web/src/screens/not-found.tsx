import { Link } from 'react-router';
import { Screen } from '../components/screen';

export default function NotFoundScreen() {
  return (
    <Screen title="There is no such page">
      <p>
        It may have moved, or the address is not complete. <Link to="/">Go to the feed</Link>
      </p>
    </Screen>
  );
}
