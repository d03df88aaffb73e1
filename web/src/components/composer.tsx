/** Writing a post, with pictures. They are sent while the text is written, and are private until the post is published. */
import { type ChangeEvent, type FormEvent, useRef, useState } from 'react';
import { useMe } from '../api/account';
import { idempotencyKey } from '../api/client';
import { usePublish } from '../api/posts';
import type { PostVisibility } from '../api/types';
import { Icon } from './icon';
import { ErrorNotice } from './notice';
import { Avatar } from './person';
import { AudienceOptions, POST_CHARS_MAX } from './post-dialogs';
import { UploadRow } from './upload-row';
import { useUploads } from './uploads';

/** As many as a post may have. */
const PICTURES_MAX = 20;

export function Composer() {
  const me = useMe();
  const publish = usePublish();
  const uploads = useUploads();
  const picker = useRef<HTMLInputElement>(null);
  const [content, setContent] = useState('');
  const [visibility, setVisibility] = useState<PostVisibility>('public');
  if (!me) return null;

  const ready = uploads.all.flatMap((each) => (each.file ? [each.file.id] : []));
  const isSending = uploads.all.some((each) => each.state === 'sending');
  // A file is for everybody or for its owner alone; there is nothing in between, so nothing is promised.
  const picturesFit = visibility !== 'friends' || !uploads.all.length;
  const isComplete = content.trim() !== '' && !isSending && picturesFit;

  const choose = (event: ChangeEvent<HTMLInputElement>) => {
    uploads.add([...(event.target.files ?? [])].slice(0, PICTURES_MAX - uploads.all.length), 'private');
    event.target.value = '';
  };
  const send = (event: FormEvent) => {
    event.preventDefault();
    const draft = { content: content.trim(), visibility, mediaIds: ready, key: idempotencyKey() };
    const held = uploads.all;
    setContent('');
    uploads.clear();
    publish.mutate(draft, {
      onSuccess: () => uploads.forget(held),
      onError: () => {
        // What was written is the author's: it comes back, unless they have begun something else.
        setContent((now) => now || draft.content);
        uploads.restore(held);
      },
    });
  };

  return (
    <form className="card composer" onSubmit={send} aria-label="New post">
      <div className="composer-text">
        <Avatar person={me} />
        <textarea
          aria-label="What do you want to say?"
          placeholder="What do you want to say?"
          value={content}
          onChange={(event) => setContent(event.target.value)}
          maxLength={POST_CHARS_MAX}
          rows={content.length > 80 || content.includes('\n') ? 5 : 2}
        />
      </div>
      {uploads.all.length > 0 && (
        <ul className="uploads" aria-label="Pictures of the post">
          {uploads.all.map((each) => (
            <UploadRow key={each.key} upload={each} remove={() => uploads.remove(each.key, true)} retry={() => uploads.retry(each.key)} />
          ))}
        </ul>
      )}
      {!picturesFit && <p className="notice">Pictures can be shown to everybody or to you alone, not to friends only.</p>}
      {publish.isError && <ErrorNotice error={publish.error} />}
      <div className="actions">
        <input ref={picker} type="file" accept="image/*" multiple hidden onChange={choose} data-testid="pictures" />
        <button
          type="button"
          className="button quiet"
          disabled={uploads.all.length >= PICTURES_MAX}
          onClick={() => picker.current?.click()}
        >
          <Icon name="image" /> Pictures
        </button>
        <select aria-label="Who may see it" value={visibility} onChange={(event) => setVisibility(event.target.value as PostVisibility)}>
          <AudienceOptions />
        </select>
        <button type="submit" className="button last" disabled={!isComplete}>
          Post
        </button>
      </div>
    </form>
  );
}
