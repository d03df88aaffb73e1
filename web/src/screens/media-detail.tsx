/** One file, looked at closely. */
import { useState } from 'react';
import { Link, useNavigate, useParams } from 'react-router';
import { useMe } from '../api/account';
import { ownAddress } from '../api/client';
import { useDeleteFile, useFile, useSetFileVisibility } from '../api/media';
import type { File as Kept } from '../api/types';
import { Confirm } from '../components/dialog';
import { FlagButton } from '../components/flag';
import { LazyImage } from '../components/lazy-image';
import { LazyVideo } from '../components/lazy-video';
import { Await } from '../components/notice';
import { Name } from '../components/person';
import { Screen } from '../components/screen';
import { Time } from '../components/time';

export default function MediaDetailScreen() {
  const { id = '' } = useParams();
  const file = useFile(id);
  return (
    <Screen title={file.data?.originalName ?? 'A file'} wide>
      <Await query={file}>
        {(shown) => (
          <div className="detail">
            <Picture file={shown} />
            <Facts file={shown} />
          </div>
        )}
      </Await>
    </Screen>
  );
}

function Picture({ file }: { file: Kept }) {
  const name = file.originalName ?? 'A file';
  if (file.status === 'failed') return <p className="notice bad">{file.failure ?? 'It could not be shown.'}</p>;
  if (file.type === 'image') return <LazyImage file={file} alt={name} sizes="(min-width: 60rem) 44rem, 100vw" fit="contain" eager avif />;
  if (file.type === 'video') return <LazyVideo file={file} label={name} />;
  return (
    <a className="button" href={ownAddress(file.url) ?? undefined} download={name}>
      Download
    </a>
  );
}

const KILO = 1000;
function size(bytes: number): string {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  const step = Math.min(units.length - 1, Math.floor(Math.log(Math.max(bytes, 1)) / Math.log(KILO)));
  return `${(bytes / KILO ** step).toFixed(step ? 1 : 0)} ${units[step]}`;
}

function Facts({ file }: { file: Kept }) {
  const me = useMe();
  return (
    <section className="card" aria-label="About it">
      <dl className="facts">
        <dt>By</dt>
        <dd>
          <Name id={file.userId} />
        </dd>
        <dt>When</dt>
        <dd>
          <Time at={file.createdAt} />
        </dd>
        {file.metadata && (
          <>
            <dt>Pixels</dt>
            <dd>
              {file.metadata.width} × {file.metadata.height}
            </dd>
          </>
        )}
        <dt>Form</dt>
        <dd>{file.metadata?.format ?? file.mimeType}</dd>
        <dt>Size</dt>
        <dd>{size(file.size)}</dd>
        <dt>Who sees it</dt>
        <dd>{file.hidden ? <Link to="/cases">Hidden by moderators</Link> : file.visibility === 'public' ? 'Everybody' : 'Only you'}</dd>
      </dl>
      <div className="actions">
        <a className="button quiet" href={ownAddress(file.url) ?? undefined} target="_blank" rel="noopener noreferrer">
          Original
        </a>
        {me?.id === file.userId && <Own file={file} />}
        {me && me.id !== file.userId && <FlagButton targetType="file" targetId={file.id} />}
      </div>
    </section>
  );
}

function Own({ file }: { file: Kept }) {
  const navigate = useNavigate();
  const show = useSetFileVisibility(file.id);
  const remove = useDeleteFile();
  const [asks, setAsks] = useState(false);
  return (
    <>
      <button
        type="button"
        className="button quiet"
        disabled={show.isPending}
        onClick={() => show.mutate(file.visibility === 'public' ? 'private' : 'public')}
      >
        {file.visibility === 'public' ? 'Show it to me alone' : 'Show it to everybody'}
      </button>
      <button type="button" className="button danger" onClick={() => setAsks(true)}>
        Delete
      </button>
      {asks && (
        <Confirm
          title="Delete this file?"
          text="It disappears from posts, too. This cannot be undone."
          action="Delete"
          busy={remove.isPending}
          confirm={() => remove.mutate(file.id, { onSuccess: () => void navigate('/media?of=me', { replace: true }) })}
          close={() => setAsks(false)}
        />
      )}
    </>
  );
}
