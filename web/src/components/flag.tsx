/** Tells moderators about something. */
import { type FormEvent, useState } from 'react';
import { REASONS, useFlag } from '../api/moderation';
import type { TargetType } from '../api/types';
import { Dialog } from './dialog';
import { oneOf, SelectField, TextField, text } from './field';
import { Submit } from './submit';
import { say } from './toast';

const WORDS = { spam: 'Spam', abuse: 'Abuse', nudity: 'Nudity', violence: 'Violence', fraud: 'Fraud', other: 'Something else' } as const;

export function FlagDialog({ targetType, targetId, close }: { targetType: TargetType; targetId: string; close: () => void }) {
  const flag = useFlag();
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const body = { targetType, targetId, reason: oneOf(REASONS, text(form, 'reason'), 'other'), note: text(form, 'note') };
    flag.mutate(body, {
      onSuccess: () => {
        say('Thank you: moderators will look at it.');
        close();
      },
    });
  };
  return (
    <Dialog title="Report to moderators" close={close}>
      <form className="stack" onSubmit={send}>
        <SelectField label="What is wrong with it?" name="reason">
          {REASONS.map((reason) => (
            <option key={reason} value={reason}>
              {WORDS[reason]}
            </option>
          ))}
        </SelectField>
        <TextField label="In your words, if you like" name="note" maxLength={1000} />
        <Submit of={flag}>Report</Submit>
      </form>
    </Dialog>
  );
}

/** The button that opens it. */
export function FlagButton({ targetType, targetId }: { targetType: TargetType; targetId: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button type="button" className="button quiet" onClick={() => setOpen(true)}>
        Report
      </button>
      {isOpen && <FlagDialog targetType={targetType} targetId={targetId} close={() => setOpen(false)} />}
    </>
  );
}
