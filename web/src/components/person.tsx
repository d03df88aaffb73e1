/** People beside what is theirs. */
import { Link } from 'react-router';
import { ownAddress } from '../api/client';
import { nameOf, usePerson } from '../api/people';
import type { Person } from '../api/types';

type Shown = Pick<Person, 'id' | 'username' | 'firstName' | 'lastName' | 'avatar'>;

/** How many colours `.avatar` has for those without a picture. */
const HUES = 6;

/** A person's picture, or their initials on a colour that is always the same. Decoration: their name stands beside it. */
export function Avatar({ person, large = false }: { person: Shown | undefined; large?: boolean }) {
  const picture = ownAddress(person?.avatar);
  const letters = person ? nameOf(person).split(/\s+/).slice(0, 2).map((word) => word[0]?.toUpperCase()).join('') : '';
  const hue = person ? [...person.id].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % HUES : 0;
  return (
    <span className="avatar" data-hue={hue} data-large={large || undefined} aria-hidden="true">
      {picture ? <img src={picture} alt="" loading="lazy" decoding="async" /> : letters}
    </span>
  );
}

/** Somebody's name, as a link to them. */
export function Name({ id }: { id: string }) {
  const { data, isError } = usePerson(id);
  if (isError) return <span className="faint">Somebody who is not here any more</span>;
  return (
    <Link className="name" to={`/people/${id}`}>
      {data ? nameOf(data) : '…'}
    </Link>
  );
}

/** A row of a list of people. */
export function PersonRow({ person }: { person: Person }) {
  const about = person.bio ?? person.profile.jobTitle;
  return (
    <Link className="card person-row" to={`/people/${person.id}`}>
      <Avatar person={person} />
      <span className="grow">
        <strong>{nameOf(person)}</strong> <span className="faint">@{person.username}</span>
        {about && <span className="clamp">{about}</span>}
        <span className="chips">
          {person.profile.location && <span className="faint">{person.profile.location}</span>}
          {person.skills.slice(0, 3).map((skill) => (
            <span key={skill.id} className="chip">
              {skill.name}
            </span>
          ))}
        </span>
      </span>
    </Link>
  );
}
