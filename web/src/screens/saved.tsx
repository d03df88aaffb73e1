/** Posts that you keep. */
import { useBookmarks } from '../api/posts';
import { PagedList } from '../components/notice';
import { PostCard } from '../components/post-card';
import { Screen } from '../components/screen';

export default function SavedScreen() {
  const bookmarks = useBookmarks();
  return (
    <Screen title="Saved">
      <PagedList
        pages={bookmarks}
        id={(bookmark) => bookmark.id}
        render={(bookmark) => <PostCard post={bookmark.post} />}
        label="Saved posts"
        empty={<p>Nothing yet. The mark below a post keeps it here.</p>}
      />
    </Screen>
  );
}
