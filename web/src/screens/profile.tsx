/** Somebody: who they are, what they can do, what they write. */
import { type FormEvent, useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useBlocks, useMe } from '../api/account';
import { nameOf, useAddSkill, useBlock, useEndorse, useEndorsements, useFollow, useFollowing, usePerson, useRemoveSkill, useSkills } from '../api/people';
import { usePosts } from '../api/posts';
import { rowsOf } from '../api/queries';
import type { Level, Person, Skill } from '../api/types';
import { Field, oneOf, SelectField, text } from '../components/field';
import { FlagDialog } from '../components/flag';
import { Icon } from '../components/icon';
import { Menu } from '../components/menu';
import { Await, ErrorNotice, PagedList, Skeleton } from '../components/notice';
import { Avatar } from '../components/person';
import { PostCard } from '../components/post-card';
import { RichText } from '../components/rich-text';
import { Screen } from '../components/screen';

const LEVELS: readonly Level[] = ['beginner', 'intermediate', 'advanced', 'expert'];

export default function ProfileScreen() {
  const { id = '' } = useParams();
  const person = usePerson(id);
  const posts = usePosts({ of: 'author', userId: id });
  return (
    <Screen title={person.data ? nameOf(person.data) : 'Somebody'} hidden>
      <Await query={person} skeleton={<Skeleton rows={1} />}>
        {(shown) => (
          <>
            <About person={shown} />
            <Skills person={shown} />
            <section aria-labelledby="posts">
              <h2 id="posts">Posts</h2>
              <PagedList pages={posts} id={(post) => post.id} render={(post) => <PostCard post={post} />} label="Posts" empty={<p className="faint">Nothing yet.</p>} />
            </section>
          </>
        )}
      </Await>
    </Screen>
  );
}

function About({ person }: { person: Person }) {
  const me = useMe();
  const { location: place, jobTitle, company, website, interests } = person.profile;
  const facts = [jobTitle, company, place].filter(Boolean).join(' · ');
  return (
    <section className="card about">
      <Avatar person={person} large />
      <div className="grow">
        <p className="about-name">{nameOf(person)}</p>
        <p className="faint">@{person.username}</p>
        {facts && <p>{facts}</p>}
        {person.bio && <RichText text={person.bio} />}
        {website && <RichText text={website} />}
        {interests.length > 0 && (
          <p className="chips">
            {interests.map((interest) => (
              <span key={interest} className="chip">
                {interest}
              </span>
            ))}
          </p>
        )}
        <p className="links">
          <Link to={`/people/${person.id}/followers`}>Followers</Link> <Link to={`/people/${person.id}/following`}>Following</Link>
        </p>
      </div>
      {me?.id === person.id ? (
        <Link className="button quiet" to="/account">
          Edit
        </Link>
      ) : (
        <Relation person={person} />
      )}
    </section>
  );
}

function Relation({ person }: { person: Person }) {
  const me = useMe();
  const navigate = useNavigate();
  const following = useFollowing(person.id);
  const follow = useFollow(person.id);
  const block = useBlock(person.id);
  const isBlocked = rowsOf(useBlocks(Boolean(me)), (row) => row.id).some((row) => row.id === person.id);
  const [isFlagging, setFlagging] = useState(false);
  const follows = following.data?.following ?? false;
  if (isBlocked) {
    return (
      <button type="button" className="button quiet" disabled={block.isPending} onClick={() => block.mutate(false)}>
        Unblock
      </button>
    );
  }
  return (
    <div className="relation">
      <button
        type="button"
        className={follows ? 'button quiet' : 'button'}
        aria-pressed={follows}
        disabled={Boolean(me) && following.isPending}
        onClick={() => (me ? follow.mutate(!follows) : void navigate('/signin'))}
      >
        {follows ? 'Following' : 'Follow'}
      </button>
      {me && (
        <Menu label={`More about ${nameOf(person)}`}>
          <button type="button" onClick={() => block.mutate(true)}>
            Block
          </button>
          <button type="button" onClick={() => setFlagging(true)}>
            Report
          </button>
        </Menu>
      )}
      {isFlagging && <FlagDialog targetType="user" targetId={person.id} close={() => setFlagging(false)} />}
    </div>
  );
}

function Skills({ person }: { person: Person }) {
  const me = useMe();
  const skills = useSkills(person.id);
  const isOwn = me?.id === person.id;
  return (
    <section className="card" aria-labelledby="skills">
      <h2 id="skills">Skills</h2>
      <Await query={skills} skeleton={<Skeleton rows={2} kind="line" />}>
        {({ items }) =>
          items.length ? (
            <ul className="skills">
              {items.map((skill) => (
                <SkillRow key={skill.id} skill={skill} userId={person.id} isOwn={isOwn} />
              ))}
            </ul>
          ) : (
            <p className="faint">None are named.</p>
          )
        }
      </Await>
      {isOwn && <AddSkill userId={person.id} />}
    </section>
  );
}

function SkillRow({ skill, userId, isOwn }: { skill: Skill; userId: string; isOwn: boolean }) {
  const me = useMe();
  const endorse = useEndorse(userId);
  const remove = useRemoveSkill(userId);
  // Only who is signed in can vouch, and only what somebody vouched for need be asked about.
  return (
    <li className="skill">
      <span className="grow">
        {skill.name}
        <span className="faint">
          {skill.level} · {skill.endorsements === 1 ? '1 endorsement' : `${skill.endorsements} endorsements`}
        </span>
      </span>
      {me && !isOwn && <Endorse skill={skill} meId={me.id} busy={endorse.isPending} set={(endorses) => endorse.mutate({ skill, endorses })} />}
      {isOwn && (
        <button type="button" className="icon-button" aria-label={`Remove ${skill.name}`} disabled={remove.isPending} onClick={() => remove.mutate(skill.id)}>
          <Icon name="close" />
        </button>
      )}
    </li>
  );
}

function Endorse({ skill, meId, busy, set }: { skill: Skill; meId: string; busy: boolean; set: (endorses: boolean) => void }) {
  const endorsers = useEndorsements(skill.id);
  const endorsed = rowsOf(endorsers, (row) => row.id).some((row) => row.id === meId);
  return (
    <button type="button" className="button quiet" aria-pressed={endorsed} aria-label={`Endorse ${skill.name}`} disabled={busy || endorsers.isPending} onClick={() => set(!endorsed)}>
      <Icon name={endorsed ? 'check' : 'plus'} /> {endorsed ? 'Endorsed' : 'Endorse'}
    </button>
  );
}

function AddSkill({ userId }: { userId: string }) {
  const add = useAddSkill(userId);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const element = event.currentTarget;
    const form = new FormData(element);
    add.mutate({ name: text(form, 'name') ?? '', level: oneOf(LEVELS, text(form, 'level'), 'intermediate') }, { onSuccess: () => element.reset() });
  };
  return (
    <form className="filters" onSubmit={send}>
      <Field label="A skill of yours" name="name" required maxLength={100} />
      <SelectField label="How well" name="level" defaultValue="intermediate">
        {LEVELS.map((level) => (
          <option key={level}>{level}</option>
        ))}
      </SelectField>
      <button type="submit" className="button quiet" disabled={add.isPending}>
        Add
      </button>
      {add.isError && <ErrorNotice error={add.error} />}
    </form>
  );
}
