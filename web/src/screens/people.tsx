/** Finds people. */
import type { FormEvent } from 'react';
import { useSearchParams } from 'react-router';
import { type PeopleSearch, usePeople } from '../api/people';
import { Field, text } from '../components/field';
import { PagedList } from '../components/notice';
import { PersonRow } from '../components/person';
import { Screen } from '../components/screen';

const PARTS = ['q', 'skill', 'location'] as const;

export default function PeopleScreen() {
  const [params, setParams] = useSearchParams();
  const search: PeopleSearch = Object.fromEntries(PARTS.flatMap((part) => (params.get(part) ? [[part, params.get(part)]] : [])));
  const people = usePeople(search);
  const find = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    setParams(Object.fromEntries(PARTS.flatMap((part) => (text(form, part) ? [[part, text(form, part) ?? '']] : []))));
  };
  return (
    <Screen title="People">
      <form key={params.toString()} role="search" className="filters" onSubmit={find}>
        <Field label="Name" name="q" type="search" defaultValue={search.q ?? ''} />
        <Field label="Skill" name="skill" type="search" defaultValue={search.skill ?? ''} />
        <Field label="Place" name="location" type="search" defaultValue={search.location ?? ''} />
        <button type="submit" className="button">
          Search
        </button>
      </form>
      <PagedList pages={people} id={(person) => person.id} render={(person) => <PersonRow person={person} />} label="People" empty={<p>Nobody was found.</p>} />
    </Screen>
  );
}
