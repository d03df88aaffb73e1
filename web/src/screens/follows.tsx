/** Who follows somebody, or whom they follow. */
import { useParams } from 'react-router';
import { nameOf, useFollows, usePerson } from '../api/people';
import { PagedList } from '../components/notice';
import { PersonRow } from '../components/person';
import { Screen } from '../components/screen';

export default function FollowsScreen() {
  const { id = '', side } = useParams();
  const isFollowers = side === 'followers';
  const { data: person } = usePerson(id);
  const people = useFollows(id, isFollowers ? 'followers' : 'following');
  const name = person ? nameOf(person) : '…';
  return (
    <Screen title={isFollowers ? `Who follows ${name}` : `Whom ${name} follows`}>
      <PagedList pages={people} id={(row) => row.id} render={(row) => <PersonRow person={row} />} label="People" empty={<p>Nobody yet.</p>} />
    </Screen>
  );
}
