/** What moderators decided on what is yours: why, and what you say against it. */
import type { FormEvent } from 'react';
import { useMe } from '../api/account';
import { idempotencyKey } from '../api/client';
import { useAppeal, useOwnCases } from '../api/moderation';
import type { Case } from '../api/types';
import { CaseSubject, Said } from '../components/case';
import { TextField, text } from '../components/field';
import { PagedList } from '../components/notice';
import { Screen } from '../components/screen';
import { SignInFirst } from '../components/sign-in-first';
import { Submit } from '../components/submit';
import { say } from '../components/toast';

const TITLE = 'Moderators’ decisions';

export default function CasesScreen() {
  const me = useMe();
  const cases = useOwnCases(Boolean(me));
  if (!me) return <SignInFirst title={TITLE} />;
  return (
    <Screen title={TITLE}>
      <PagedList pages={cases} id={(each) => each.id} render={(each) => <OwnCase of={each} />} label="Cases" empty={<p>Nothing of yours was reported.</p>} />
    </Screen>
  );
}

/** Where a case stands, as its author is to understand it. */
function standing({ status, hidden, appeal }: Case): string {
  if (status === 'open') return hidden ? 'Only you see it. Moderators have your appeal.' : 'It was reported, and moderators will look at it. It is shown meanwhile.';
  if (hidden) return appeal ? 'Only you see it. Your appeal was heard, and it stays so.' : 'Only you see it.';
  return status === 'restored' ? 'It is shown again.' : 'It was reported, and stays as it is.';
}

function OwnCase({ of }: { of: Case }) {
  return (
    <article className="card stack">
      <CaseSubject of={of}>{of.hidden ? 'hidden' : 'shown'}</CaseSubject>
      <p>{standing(of)}</p>
      {of.decisionNote && <Said by="Moderators say:" text={of.decisionNote} />}
      {of.appeal ? <Said by="You said:" text={of.appeal.note} /> : of.hidden && <AppealForm of={of} />}
    </article>
  );
}

function AppealForm({ of }: { of: Case }) {
  const appeal = useAppeal(of.id);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const note = text(new FormData(event.currentTarget), 'note') ?? '';
    appeal.mutate({ key: idempotencyKey(), note }, { onSuccess: () => say('Moderators will read it.') });
  };
  return (
    <form className="stack" onSubmit={send}>
      <TextField label="Why should it be shown again?" hint="You can say this once, so say all of it." name="note" required maxLength={1000} />
      <Submit of={appeal}>Appeal</Submit>
    </form>
  );
}
