/** The gallery: everybody's public pictures, or your own with what only you may see; and a place to drop new ones. */
import { type DragEvent, useCallback, useRef, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { Link, useSearchParams } from 'react-router';
import { useMe } from '../api/account';
import { useFiles } from '../api/media';
import type { File as Kept, FileVisibility } from '../api/types';
import { Icon } from '../components/icon';
import { LazyImage } from '../components/lazy-image';
import { PagedList, Skeleton } from '../components/notice';
import { Screen } from '../components/screen';
import { Tabs } from '../components/tabs';
import { UploadRow } from '../components/upload-row';
import { useUploads } from '../components/uploads';

/** As the columns of `.gallery` are wide. */
const SIZES = '(min-width: 60rem) 15rem, (min-width: 36rem) 33vw, 50vw';
/** As many as a first screen may show: they are not to wait until the browser knows that they are near. */
const EAGER = 6;

export default function MediaScreen() {
  const me = useMe();
  const [params] = useSearchParams();
  const wantsOwn = params.get('of') === 'me';
  const isOwn = Boolean(me) && wantsOwn;
  const files = useFiles(isOwn ? (me?.id ?? null) : null, me !== undefined || !wantsOwn);
  if (me === undefined) {
    // What stands above the pictures is not known yet, and must not push them down when it is.
    return (
      <Screen title="Pictures" wide>
        <Skeleton rows={12} kind="tile" />
      </Screen>
    );
  }
  return (
    <Screen title="Pictures" wide>
      {me && <Uploader />}
      {me && (
        <Tabs
          label="Whose pictures"
          tabs={[
            { to: '/media', name: 'Everybody’s', isCurrent: !isOwn },
            { to: '/media?of=me', name: 'Yours', isCurrent: isOwn },
          ]}
        />
      )}
      <PagedList
        pages={files}
        id={(file) => file.id}
        render={(file, index) => <Tile file={file} eager={index < EAGER} />}
        className="gallery"
        label="Pictures"
        skeleton={<Skeleton rows={12} kind="tile" />}
        empty={<p>No pictures yet.</p>}
      />
    </Screen>
  );
}

function Tile({ file, eager }: { file: Kept; eager: boolean }) {
  const name = file.originalName ?? 'A file';
  return (
    <Link to={`/media/${file.id}`} className="tile" aria-label={`${name}${file.visibility === 'private' ? ', only you see it' : ''}`}>
      {file.type === 'image' ? <LazyImage file={file} alt="" sizes={SIZES} ratio={1} eager={eager} /> : <span className="tile-file">{name}</span>}
      {file.visibility === 'private' && (
        <span className="tile-mark">
          <Icon name="lock" />
        </span>
      )}
    </Link>
  );
}

/** Takes files that are dropped on it or chosen, and sends them. */
function Uploader() {
  const queries = useQueryClient();
  const refresh = useCallback(() => void queries.invalidateQueries({ queryKey: ['files'] }), [queries]);
  const uploads = useUploads(refresh);
  const picker = useRef<HTMLInputElement>(null);
  const [visibility, setVisibility] = useState<FileVisibility>('public');
  const [isOver, setOver] = useState(false);
  const add = (files: Iterable<File>) => uploads.add([...files], visibility);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    add(event.dataTransfer.files);
  };
  const done = uploads.all.filter((each) => each.state === 'done').length;
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- for pointers; the button does the same
    <section
      className="card uploader"
      aria-label="Upload"
      data-over={isOver || undefined}
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div className="uploader-head">
        <Icon name="upload" />
        <p className="grow">
          <strong>Drop pictures here</strong>
          <span className="faint"> or choose them. Where they were taken is removed from them.</span>
        </p>
        <fieldset className="segmented">
          <legend className="visually-hidden">Who may see them</legend>
          {(['public', 'private'] as const).map((each) => (
            <label key={each}>
              <input type="radio" name="visibility" value={each} checked={visibility === each} onChange={() => setVisibility(each)} />
              <span>{each === 'public' ? 'Everybody' : 'Only me'}</span>
            </label>
          ))}
        </fieldset>
        <input
          ref={picker}
          type="file"
          accept="image/*,video/*"
          multiple
          hidden
          data-testid="files"
          onChange={(event) => {
            add(event.target.files ?? []);
            event.target.value = '';
          }}
        />
        <button type="button" className="button" onClick={() => picker.current?.click()}>
          Choose files
        </button>
      </div>
      {uploads.all.length > 0 && (
        <>
          <p className="faint" role="status">
            {done} of {uploads.all.length} uploaded
          </p>
          <ul className="uploads" aria-label="Uploads">
            {uploads.all.map((each) => (
              <UploadRow key={each.key} upload={each} remove={() => uploads.remove(each.key, false)} retry={() => uploads.retry(each.key)} />
            ))}
          </ul>
        </>
      )}
    </section>
  );
}
