/** A post, wherever it is listed. */
import { useEffect, useRef, useState } from 'react';
import { Link, useNavigate } from 'react-router';
import { useMe } from '../api/account';
import { nameOf, usePerson } from '../api/people';
import { useBookmarks, useDeletePost, useKeep, useReact, useReactions } from '../api/posts';
import { rowsOf } from '../api/queries';
import type { ListedPost } from '../api/reconcile';
import type { Post } from '../api/types';
import { Confirm } from './dialog';
import { FlagDialog } from './flag';
import { Icon } from './icon';
import { Menu } from './menu';
import { Avatar, Name } from './person';
import { PostMedia } from './post-media';
import { EditDialog, ShareDialog } from './post-dialogs';
import { RichText } from './rich-text';
import { Time } from './time';
import { say } from './toast';

export const AUDIENCES = { public: 'Everybody', friends: 'Friends', private: 'Only you' } as const;

export function PostCard({ post, whole = false }: { post: ListedPost; whole?: boolean }) {
  const { data: author } = usePerson(post.userId);
  return (
    <article className="card post" aria-busy={post.pending} aria-label={`Post by ${author ? nameOf(author) : 'somebody'}`}>
      <header>
        <Avatar person={author} />
        <div className="grow">
          <Name id={post.userId} />
          <div className="faint">
            {author && `@${author.username} · `}
            {post.pending ? (
              'Being published…'
            ) : (
              <Link to={`/posts/${post.id}`}>
                <Time at={post.createdAt} />
              </Link>
            )}
            {post.visibility !== 'public' && ` · ${AUDIENCES[post.visibility]}`}
            {post.hidden && (
              <>
                {' · '}
                <Link to="/cases">Hidden by moderators</Link>
              </>
            )}
          </div>
        </div>
        {!post.pending && <PostMenu post={post} />}
      </header>
      {post.content && <RichText text={post.content} />}
      <PostMedia ids={post.mediaIds} all={whole} />
      {post.parentId && <Shared post={post.parent ?? null} />}
      {!post.pending && <PostActions post={post} />}
    </article>
  );
}

/** What a share shares. */
function Shared({ post }: { post: Omit<Post, 'parent'> | null }) {
  if (!post) return <p className="shared faint">What was shared here cannot be shown.</p>;
  return (
    <blockquote className="shared">
      <Name id={post.userId} />{' '}
      <Link className="faint" to={`/posts/${post.id}`}>
        <Time at={post.createdAt} />
      </Link>
      <RichText text={post.content} />
      <PostMedia ids={post.mediaIds} />
    </blockquote>
  );
}

function PostActions({ post }: { post: Post }) {
  const me = useMe();
  const navigate = useNavigate();
  const card = useRef<HTMLDivElement>(null);
  const isSeen = useSeen(card);
  const { data: reactions } = useReactions(post, isSeen && Boolean(me));
  const react = useReact(post);
  const [isSharing, setSharing] = useState(false);
  const own = reactions?.own ?? null;
  return (
    <div className="post-actions" ref={card}>
      <button
        type="button"
        className="button quiet"
        aria-pressed={own !== null}
        aria-label={`Like, ${post.likesCount} so far`}
        onClick={() => (me ? react.mutate(own ? null : 'like') : void navigate('/signin'))}
      >
        <Icon name="heart" filled={own !== null} /> {post.likesCount}
      </button>
      <Link className="button quiet" to={`/posts/${post.id}`} aria-label={`Comments, ${post.commentsCount} so far`}>
        <Icon name="comment" /> {post.commentsCount}
      </Link>
      {me && post.visibility !== 'private' && (
        <button type="button" className="button quiet" aria-label={`Share, ${post.sharesCount} times so far`} onClick={() => setSharing(true)}>
          <Icon name="share" /> {post.sharesCount}
        </button>
      )}
      {me && <Keep postId={post.id} />}
      {isSharing && <ShareDialog post={post} close={() => setSharing(false)} />}
    </div>
  );
}

function Keep({ postId }: { postId: string }) {
  const bookmarks = useBookmarks();
  const keep = useKeep();
  const held = rowsOf(bookmarks, (row) => row.id).find((row) => row.postId === postId);
  return (
    <button
      type="button"
      className="button quiet last"
      aria-pressed={Boolean(held)}
      aria-label={held ? 'Saved' : 'Save'}
      disabled={keep.isPending}
      onClick={() => keep.mutate(held ? { bookmarkId: held.id } : { postId })}
    >
      <Icon name="bookmark" filled={Boolean(held)} />
    </button>
  );
}

function PostMenu({ post }: { post: Post }) {
  const me = useMe();
  const remove = useDeletePost(post.id);
  const [open, setOpen] = useState<'edit' | 'delete' | 'flag' | null>(null);
  if (!me) return null;
  const close = () => setOpen(null);
  const isOwn = me.id === post.userId;
  return (
    <>
      <Menu label="More about this post">
        {isOwn ? (
          <>
            <button type="button" onClick={() => setOpen('edit')}>
              Edit
            </button>
            <button type="button" onClick={() => setOpen('delete')}>
              Delete
            </button>
          </>
        ) : (
          <button type="button" onClick={() => setOpen('flag')}>
            Report
          </button>
        )}
      </Menu>
      {open === 'edit' && <EditDialog post={post} close={close} />}
      {open === 'flag' && <FlagDialog targetType="post" targetId={post.id} close={close} />}
      {open === 'delete' && (
        <Confirm
          title="Delete this post?"
          text="It is gone for everybody, with its comments. This cannot be undone."
          action="Delete"
          busy={remove.isPending}
          confirm={() => remove.mutate(undefined, { onSuccess: () => say('The post is deleted.'), onSettled: close })}
          close={close}
        />
      )}
    </>
  );
}

/** Whether an element has been on the screen. */
function useSeen(element: React.RefObject<Element | null>): boolean {
  const [isSeen, setSeen] = useState(false);
  useEffect(() => {
    if (isSeen || !element.current) return;
    const observer = new IntersectionObserver(([entry]) => entry?.isIntersecting && setSeen(true));
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [isSeen, element]);
  return isSeen;
}
