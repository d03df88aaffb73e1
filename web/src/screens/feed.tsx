/** What whom you follow writes; for strangers, what everybody may see. */
import { useQueryClient } from '@tanstack/react-query';
import { Link } from 'react-router';
import { useMe } from '../api/account';
import type { PostPages } from '../api/reconcile';
import { listKey, usePosts } from '../api/posts';
import { Composer } from '../components/composer';
import { Icon } from '../components/icon';
import { PagedList, Skeleton } from '../components/notice';
import { PostCard } from '../components/post-card';
import { Screen } from '../components/screen';
import { clearNewPosts, useNewPosts } from '../live';

export default function FeedScreen() {
  const me = useMe();
  if (me === undefined) {
    return (
      <Screen title="Feed">
        <Skeleton rows={4} />
      </Screen>
    );
  }
  return me ? <Own userId={me.id} /> : <Welcome />;
}

function Own({ userId }: { userId: string }) {
  const list = { of: 'feed', userId } as const;
  const posts = usePosts(list);
  return (
    <Screen title="Feed">
      <NewPostsPill feedKey={listKey(list)} />
      <Composer />
      <PagedList
        pages={posts}
        id={(post) => post.id}
        render={(post) => <PostCard post={post} />}
        label="Posts"
        empty={
          <>
            <p>Nothing here yet. Follow people, and what they write comes here.</p>
            <Link className="button" to="/people">
              Find people
            </Link>
          </>
        }
        end="You have seen everything."
      />
    </Screen>
  );
}

/** Says that there is more above. It comes only when asked for: a list that moves by itself is hard to read. */
function NewPostsPill({ feedKey }: { feedKey: readonly unknown[] }) {
  const count = useNewPosts();
  const queries = useQueryClient();
  const show = () => {
    clearNewPosts();
    // From the first page on; what is below it is read as it comes near.
    queries.setQueryData<PostPages>(feedKey, (held) => held && { pages: held.pages.slice(0, 1), pageParams: held.pageParams.slice(0, 1) });
    void queries.invalidateQueries({ queryKey: feedKey });
    scrollTo({ top: 0, behavior: 'smooth' });
  };
  return (
    <div className="pill-place" role="status">
      {count > 0 && (
        <button type="button" className="pill" onClick={show}>
          <Icon name="upload" /> {count === 1 ? 'A new post' : `${count} new posts`}
        </button>
      )}
    </div>
  );
}

function Welcome() {
  const posts = usePosts({ of: 'public' });
  return (
    <Screen title="What people write" hidden>
      <section className="hero">
        <p className="hero-title">People, and what they make.</p>
        <p>Write, show, sell, and find who knows how. What is written a moment ago is here a moment later.</p>
        <div className="actions">
          <Link className="button" to="/signup">
            Join
          </Link>
          <Link className="button quiet" to="/signin">
            Sign in
          </Link>
        </div>
      </section>
      <PagedList pages={posts} id={(post) => post.id} render={(post) => <PostCard post={post} />} label="Posts" empty={<p>Nobody has written anything yet.</p>} />
    </Screen>
  );
}
