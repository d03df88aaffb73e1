/** A file on its way. */
import { Icon } from './icon';
import type { Sending } from './uploads';

export function UploadRow({ upload, remove, retry }: { upload: Sending; remove: () => void; retry: () => void }) {
  const { source, state, progress, error, preview } = upload;
  const said = state === 'done' ? 'There' : state === 'failed' ? (error ?? 'It did not work') : progress < 1 ? `${Math.round(progress * 100)} %` : 'Being prepared…';
  return (
    <li className="upload" data-state={state}>
      {preview ? <img src={preview} alt="" /> : <Icon name="image" />}
      <span className="grow">
        <span className="clamp">{source.name}</span>
        {state === 'sending' && <progress max={1} value={progress} aria-label={`${source.name}: sent`} />}
        <span className="faint" role={state === 'failed' ? 'alert' : undefined}>
          {said}
        </span>
      </span>
      {state === 'failed' && (
        <button type="button" className="button quiet" onClick={retry}>
          Try again
        </button>
      )}
      <button type="button" className="icon-button" aria-label={`Remove ${source.name}`} onClick={remove}>
        <Icon name="close" />
      </button>
    </li>
  );
}
