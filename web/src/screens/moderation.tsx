/** Cases that wait for a moderator, and those that were decided. */
import { useState } from 'react';
import { useSearchParams } from 'react-router';
import { isModerator, useMe } from '../api/account';
import { ownAddress } from '../api/client';
import { type Decision, useDecide, useLook, useQueue } from '../api/moderation';
import type { Case, CaseStatus } from '../api/types';
import { CaseSubject, Said } from '../components/case';
import { ErrorNotice, PagedList } from '../components/notice';
import { Name } from '../components/person';
import { Screen } from '../components/screen';
import { SignInFirst } from '../components/sign-in-first';
import { Tabs } from '../components/tabs';

const STATUSES: readonly CaseStatus[] = ['open', 'hidden', 'restored', 'dismissed'];
const NAMES = { open: 'Open', hidden: 'Hidden', restored: 'Restored', dismissed: 'Dismissed' } as const;
const VERBS = { hide: 'Hide', restore: 'Show again', dismiss: 'Dismiss' } as const;

export default function ModerationScreen() {
  const me = useMe();
  const [params] = useSearchParams();
  const status = STATUSES.find((each) => each === params.get('status')) ?? 'open';
  if (!me) return <SignInFirst title="Moderation" />;
  if (!isModerator(me)) {
    return (
      <Screen title="Moderation">
        <p className="notice">This is for moderators.</p>
      </Screen>
    );
  }
  return (
    <Screen title="Moderation">
      <Tabs label="Cases" tabs={STATUSES.map((each) => ({ to: `/moderation?status=${each}`, name: NAMES[each], isCurrent: each === status }))} />
      <Queue status={status} />
    </Screen>
  );
}

function Queue({ status }: { status: CaseStatus }) {
  const cases = useQueue(status);
  return (
    <PagedList
      pages={cases}
      id={(each) => each.id}
      render={(each) => <CaseCard of={each} />}
      label="Cases"
      empty={<p>{status === 'open' ? 'Nothing waits for you.' : 'None.'}</p>}
    />
  );
}

function addressOf(target: Case['target']): string | undefined {
  if (!target || !('contentHash' in target)) return undefined;
  return ownAddress(target.thumbnailUrl ? target.responsiveSizes?.medium : target.url) ?? undefined;
}

/** A file that is not for everybody. Where it is is told for five minutes to who may decide on it, and that they asked is noted. */
function Look({ id }: { id: string }) {
  const look = useLook(id);
  const target = look.data?.target;
  const address = addressOf(target ?? null);
  if (look.isError) return <ErrorNotice error={look.error} />;
  if (!look.isSuccess) {
    return (
      <button type="button" className="button quiet" disabled={look.isPending} onClick={() => look.mutate()}>
        Look at it: this is noted
      </button>
    );
  }
  if (!address) return <p className="faint">It is not for everybody, and not for you to decide.</p>;
  const isImage = target && 'thumbnailUrl' in target && target.thumbnailUrl;
  return isImage ? <img src={address} alt="What was flagged" /> : <a href={address}>Save it</a>;
}

function CaseCard({ of }: { of: Case }) {
  const decide = useDecide(of.id);
  const [note, setNote] = useState('');
  const choices: Decision[] = of.status === 'open' ? (of.hidden ? ['restore', 'dismiss'] : ['hide', 'dismiss']) : of.hidden ? ['restore'] : ['hide'];
  return (
    <article className="card stack">
      <CaseSubject of={of}>
        by <Name id={of.authorId} />
        {of.hidden && of.status === 'open' && ' · hidden, and its author appeals'}
      </CaseSubject>
      {of.targetType === 'file' && of.target && !addressOf(of.target) && <Look id={of.id} />}
      {of.decisionNote && <Said by="The last decision said:" text={of.decisionNote} />}
      {of.appeal && <Said by="Its author says:" text={of.appeal.note} />}
      <textarea aria-label="A note, which its author may read" placeholder="A note, which its author may read" value={note} onChange={(event) => setNote(event.target.value)} maxLength={1000} rows={2} />
      {decide.isError && <ErrorNotice error={decide.error} />}
      <div className="actions">
        {choices.map((action) => (
          <button
            key={action}
            type="button"
            className={action === 'hide' ? 'button danger' : 'button quiet'}
            disabled={decide.isPending}
            onClick={() => decide.mutate({ action, note: note.trim() || null })}
          >
            {VERBS[action]}
          </button>
        ))}
      </div>
    </article>
  );
}
