/** What everybody may see: by words, by hashtag, or simply the newest. */
import type { FormEvent } from 'react';
import { Link, useSearchParams } from 'react-router';
import { type PostList, usePosts, useTrends } from '../api/posts';
import { text } from '../components/field';
import { Icon } from '../components/icon';
import { PagedList } from '../components/notice';
import { PostCard } from '../components/post-card';
import { Screen } from '../components/screen';

export default function ExploreScreen() {
  const [params, setParams] = useSearchParams();
  const [q, tag] = [params.get('q'), params.get('tag')];
  const list: PostList = tag ? { of: 'tag', tag } : q ? { of: 'search', q } : { of: 'public' };
  const posts = usePosts(list);
  const { data: trends } = useTrends();
  const search = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const words = text(new FormData(event.currentTarget), 'q');
    setParams(words ? { q: words } : {});
  };
  return (
    <Screen title={tag ? `#${tag}` : 'Explore'}>
      <form role="search" className="search" onSubmit={search}>
        <input key={q} name="q" type="search" defaultValue={q ?? ''} placeholder="Search posts" aria-label="Search posts" maxLength={256} />
        <button type="submit" className="icon-button" aria-label="Search">
          <Icon name="search" />
        </button>
      </form>
      <nav aria-label="Trending" className="chips trends">
        {trends?.items.map((trend) => (
          <Link key={trend.tag} className="chip" to={`/explore?tag=${encodeURIComponent(trend.tag)}`} aria-current={trend.tag === tag ? 'page' : undefined}>
            #{trend.tag}
          </Link>
        ))}
      </nav>
      <PagedList pages={posts} id={(post) => post.id} render={(post) => <PostCard post={post} />} label="Posts" empty={<p>Nothing was found.</p>} />
    </Screen>
  );
}
