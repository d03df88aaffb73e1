/** The files of a post. Their places are as large as they will be before anything of them is known. */
import { Link } from 'react-router';
import { ownAddress } from '../api/client';
import { useFile } from '../api/media';
import { LazyImage } from './lazy-image';
import { LazyVideo } from './lazy-video';

/** More are behind the post itself. */
const SHOWN_MAX = 4;
const SIZES = { one: '(min-width: 60rem) 40rem, 100vw', many: '(min-width: 60rem) 20rem, 50vw' };

export function PostMedia({ ids, all = false }: { ids: string[]; all?: boolean }) {
  const shown = all ? ids : ids.slice(0, SHOWN_MAX);
  if (!shown.length) return null;
  return (
    <div className="post-media" data-many={shown.length > 1 || undefined}>
      {shown.map((id, index) => (
        <PostFile key={id} id={id} more={index === SHOWN_MAX - 1 && !all ? ids.length - SHOWN_MAX : 0} sizes={shown.length > 1 ? SIZES.many : SIZES.one} />
      ))}
    </div>
  );
}

function PostFile({ id, more, sizes }: { id: string; more: number; sizes: string }) {
  const { data: file, isError } = useFile(id);
  if (isError) return <div className="place gone">Not here any more</div>;
  if (!file) return <div className="place" />;
  const name = file.originalName ?? 'A file';
  if (file.type === 'video') return <LazyVideo file={file} label={name} />;
  if (file.type !== 'image') {
    return (
      <a className="place file" href={ownAddress(file.url) ?? undefined} download={name}>
        {name}
      </a>
    );
  }
  return (
    <Link className="place" to={`/media/${id}`} aria-label={`Picture: ${name}`}>
      <LazyImage file={file} alt="" sizes={sizes} ratio={sizes === SIZES.one ? 16 / 10 : 1} />
      {more > 0 && <span className="more-files">+{more}</span>}
    </Link>
  );
}
