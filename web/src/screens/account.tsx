/** What is yours alone: your profile, where you are signed in, your password, and leaving. */
import { type FormEvent, useState } from 'react';
import { Link } from 'react-router';
import { isAdmin, isModerator, useChangePassword, useEditProfile, useEndSession, useLeave, useMe, useSessions, useSignOut } from '../api/account';
import type { Me, Session } from '../api/types';
import { Field, TextField, text } from '../components/field';
import { Await, ErrorNotice } from '../components/notice';
import { Submit } from '../components/submit';
import { Screen } from '../components/screen';
import { SignInFirst } from '../components/sign-in-first';
import { Time } from '../components/time';
import { say } from '../components/toast';
import { UploadRow } from '../components/upload-row';
import { useUploads } from '../components/uploads';

export default function AccountScreen() {
  const me = useMe();
  const signOut = useSignOut();
  if (!me) return <SignInFirst title="You" />;
  return (
    <Screen
      title="You"
      actions={
        <button type="button" className="button quiet" disabled={signOut.isPending} onClick={() => signOut.mutate()}>
          Sign out
        </button>
      }
    >
      <nav className="chips own-links" aria-label="Yours">
        <Link className="chip" to={`/people/${me.id}`}>
          Your profile
        </Link>
        <Link className="chip" to="/saved">
          Saved
        </Link>
        <Link className="chip" to="/wishlist">
          Wishlist
        </Link>
        <Link className="chip" to="/orders">
          Orders
        </Link>
        <Link className="chip" to="/explore">
          Explore
        </Link>
        <Link className="chip" to="/cases">
          Moderators’ decisions
        </Link>
        {isModerator(me) && (
          <Link className="chip" to="/moderation">
            Moderation
          </Link>
        )}
        {isAdmin(me) && (
          <Link className="chip" to="/operator">
            Operator
          </Link>
        )}
      </nav>
      {/* Another version is another form: what was changed elsewhere is not written over. */}
      <ProfileForm key={me.version} me={me} />
      <Sessions />
      <PasswordForm />
      <Leaving />
    </Screen>
  );
}

function ProfileForm({ me }: { me: Me }) {
  const edit = useEditProfile(me);
  const uploads = useUploads();
  const picture = uploads.all.findLast((each) => each.file)?.file;
  const isSending = uploads.all.some((each) => each.state === 'sending');
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const part = (name: string) => text(form, name);
    const avatar = picture?.responsiveSizes?.thumbnail ?? picture?.url ?? me.avatar;
    const parts = { firstName: part('firstName'), lastName: part('lastName'), bio: part('bio'), avatar };
    const profile = { location: part('location'), jobTitle: part('jobTitle'), company: part('company'), website: part('website') };
    edit.mutate({ ...parts, ...profile }, { onSuccess: () => say('Saved.') });
  };
  return (
    <form className="card stack" onSubmit={send} aria-labelledby="profile">
      <h2 id="profile">Profile</h2>
      <div className="filters">
        <Field label="First name" name="firstName" defaultValue={me.firstName ?? ''} autoComplete="given-name" maxLength={100} />
        <Field label="Last name" name="lastName" defaultValue={me.lastName ?? ''} autoComplete="family-name" maxLength={100} />
        <Field label="What you do" name="jobTitle" defaultValue={me.profile.jobTitle ?? ''} autoComplete="organization-title" maxLength={200} />
        <Field label="Where you work" name="company" defaultValue={me.profile.company ?? ''} autoComplete="organization" maxLength={200} />
        <Field label="Where you live" name="location" defaultValue={me.profile.location ?? ''} maxLength={200} />
        <Field label="Website" name="website" type="url" defaultValue={me.profile.website ?? ''} autoComplete="url" maxLength={500} />
      </div>
      <TextField label="About you" name="bio" defaultValue={me.bio ?? ''} maxLength={2000} />
      <Field
        label="A picture of you"
        hint="Everybody may see it."
        type="file"
        accept="image/*"
        onChange={(event) => uploads.add([...(event.target.files ?? [])].slice(0, 1), 'public')}
      />
      {uploads.all.length > 0 && (
        <ul className="uploads" aria-label="Picture of you">
          {uploads.all.map((each) => (
            <UploadRow key={each.key} upload={each} remove={() => uploads.remove(each.key, true)} retry={() => uploads.retry(each.key)} />
          ))}
        </ul>
      )}
      {edit.isError && <ErrorNotice error={edit.error} />}
      <div className="actions">
        <button type="submit" className="button" disabled={edit.isPending || isSending}>
          Save
        </button>
      </div>
    </form>
  );
}

function Sessions() {
  const sessions = useSessions();
  const end = useEndSession();
  return (
    <section className="card stack" aria-labelledby="sessions">
      <h2 id="sessions">Where you are signed in</h2>
      <Await query={sessions}>
        {({ items }) => (
          <>
            <ul className="stack" aria-label="Sessions">
              {items.map((session) => (
                <li key={session.id} className="spread">
                  <About session={session} />
                  {!session.current && (
                    <button type="button" className="button quiet" disabled={end.isPending} onClick={() => end.mutate(session.id)}>
                      End
                    </button>
                  )}
                </li>
              ))}
            </ul>
            {items.length > 1 && (
              <div className="actions">
                <button type="button" className="button quiet" disabled={end.isPending} onClick={() => end.mutate(null)}>
                  End all others
                </button>
              </div>
            )}
          </>
        )}
      </Await>
    </section>
  );
}

function About({ session }: { session: Session }) {
  return (
    <span>
      <span className="clamp">{session.userAgent ?? 'Something that does not say what it is'}</span>
      <span className="faint">
        {session.current ? 'This one' : <Time at={session.lastSeenAt} />}
        {session.network && ` · ${session.network}`}
      </span>
    </span>
  );
}

function PasswordForm() {
  const change = useChangePassword();
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const element = event.currentTarget;
    const form = new FormData(element);
    change.mutate(
      { currentPassword: String(form.get('current')), newPassword: String(form.get('new')) },
      {
        onSuccess: () => {
          element.reset();
          say('Your password is changed, and all other sessions are ended.');
        },
      },
    );
  };
  return (
    <form className="card stack" onSubmit={send} aria-labelledby="password">
      <h2 id="password">Password</h2>
      <div className="filters">
        <Field label="Current password" name="current" type="password" autoComplete="current-password" required />
        <Field label="New password" name="new" type="password" autoComplete="new-password" minLength={8} maxLength={256} required />
      </div>
      <Submit of={change}>Change it</Submit>
    </form>
  );
}

function Leaving() {
  const leave = useLeave();
  const [asks, setAsks] = useState(false);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    leave.mutate(String(new FormData(event.currentTarget).get('password')));
  };
  return (
    <section className="card stack" aria-labelledby="leaving">
      <h2 id="leaving">Taking along, and leaving</h2>
      <div className="actions">
        <a className="button quiet" href="/api/user/me/export" download="lets-connect.json">
          Download everything of mine
        </a>
        {!asks && (
          <button type="button" className="button danger" onClick={() => setAsks(true)}>
            Delete my account
          </button>
        )}
      </div>
      {asks && (
        <form className="stack" onSubmit={send}>
          <p>Your name, your posts, your pictures and all else of yours is erased. It cannot be brought back.</p>
          <Field label="Your password" name="password" type="password" autoComplete="current-password" required />
          {leave.isError && <ErrorNotice error={leave.error} />}
          <div className="actions">
            <button type="button" className="button quiet" onClick={() => setAsks(false)}>
              Stay
            </button>
            <button type="submit" className="button danger" disabled={leave.isPending}>
              Delete it for good
            </button>
          </div>
        </form>
      )}
    </section>
  );
}
