/** Changing a post, and sharing one. */
import { type FormEvent, useState } from 'react';
import { idempotencyKey } from '../api/client';
import { useEditPost, useShare } from '../api/posts';
import type { Post, PostVisibility } from '../api/types';
import { Dialog } from './dialog';
import { oneOf, SelectField, TextField, text } from './field';
import { Submit } from './submit';
import { say } from './toast';

export const POST_CHARS_MAX = 10_000;
const VISIBILITIES: readonly PostVisibility[] = ['public', 'friends', 'private'];

export function AudienceOptions() {
  return (
    <>
      <option value="public">Everybody</option>
      <option value="friends">Friends</option>
      <option value="private">Only me</option>
    </>
  );
}

const read = (event: FormEvent<HTMLFormElement>) => {
  event.preventDefault();
  const form = new FormData(event.currentTarget);
  return { content: text(form, 'content') ?? '', visibility: oneOf(VISIBILITIES, text(form, 'visibility'), 'public') };
};

export function EditDialog({ post, close }: { post: Post; close: () => void }) {
  const edit = useEditPost(post.id);
  return (
    <Dialog title="Edit post" close={close}>
      <form className="stack" onSubmit={(event) => edit.mutate(read(event), { onSuccess: close })}>
        <TextField label="Text" name="content" defaultValue={post.content} maxLength={POST_CHARS_MAX} rows={6} required />
        <SelectField label="Who may see it" name="visibility" defaultValue={post.visibility}>
          <AudienceOptions />
        </SelectField>
        <Submit of={edit}>Save</Submit>
      </form>
    </Dialog>
  );
}

export function ShareDialog({ post, close }: { post: Post; close: () => void }) {
  const share = useShare(post.id);
  const [key] = useState(idempotencyKey);
  const send = (event: FormEvent<HTMLFormElement>) =>
    share.mutate(
      { ...read(event), key },
      {
        onSuccess: () => {
          say('Shared.');
          close();
        },
      },
    );
  return (
    <Dialog title="Share post" close={close}>
      <form className="stack" onSubmit={send}>
        <TextField label="What do you say about it?" hint="Or nothing: then it speaks for itself." name="content" maxLength={POST_CHARS_MAX} />
        <SelectField label="Who may see it" name="visibility" defaultValue={post.visibility}>
          <AudienceOptions />
        </SelectField>
        <Submit of={share}>Share</Submit>
      </form>
    </Dialog>
  );
}
