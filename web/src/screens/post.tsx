/** A post with what people say and feel about it. */
import { type FormEvent, useState } from 'react';
import { Link, useParams } from 'react-router';
import { useMe } from '../api/account';
import { idempotencyKey } from '../api/client';
import { nameOf, usePerson } from '../api/people';
import { useAddComment, useComments, useDeleteComment, usePost, useReact, useReactions } from '../api/posts';
import type { Comment, Post, ReactionType } from '../api/types';
import { FlagButton } from '../components/flag';
import { Await, ErrorNotice, PagedList, Skeleton } from '../components/notice';
import { Avatar, Name } from '../components/person';
import { PostCard } from '../components/post-card';
import { RichText } from '../components/rich-text';
import { Screen } from '../components/screen';
import { Time } from '../components/time';
import { useWatched } from '../live';

const REACTIONS: readonly [ReactionType, string][] = [
  ['like', '👍'],
  ['love', '❤️'],
  ['haha', '😄'],
  ['wow', '😮'],
  ['sad', '😢'],
  ['angry', '😠'],
];
const COMMENT_CHARS_MAX = 2000;

export default function PostScreen() {
  const { id = '' } = useParams();
  const post = usePost(id);
  useWatched('post', id);
  const { data: author } = usePerson(post.data?.userId);
  return (
    <Screen title={author ? `A post by ${nameOf(author)}` : 'A post'} hidden>
      <Await query={post} skeleton={<Skeleton rows={1} />}>
        {(shown) => (
          <>
            <PostCard post={shown} whole />
            <Reactions post={shown} />
            <Comments post={shown} />
          </>
        )}
      </Await>
    </Screen>
  );
}

function Reactions({ post }: { post: Post }) {
  const me = useMe();
  const { data } = useReactions(post, true);
  const react = useReact(post);
  if (!me && !post.likesCount) return null;
  return (
    <div className="reactions" role="group" aria-label="Reactions">
      {REACTIONS.map(([type, sign]) => {
        const count = data?.summary[type] ?? 0;
        return (
          <button
            key={type}
            type="button"
            className="chip"
            disabled={!me}
            aria-pressed={data?.own === type}
            aria-label={`${type}, ${count}`}
            onClick={() => react.mutate(data?.own === type ? null : type)}
          >
            <span aria-hidden="true">{sign}</span> {count > 0 && count}
          </button>
        );
      })}
    </div>
  );
}

function Comments({ post }: { post: Post }) {
  const me = useMe();
  const comments = useComments(post.id);
  return (
    <section className="comments" aria-labelledby="comments">
      <h2 id="comments">Comments</h2>
      {me ? (
        <CommentForm postId={post.id} parentId={null} />
      ) : (
        <p className="notice">
          <Link to="/signin">Sign in</Link> to say something.
        </p>
      )}
      <PagedList
        pages={comments}
        id={(comment) => comment.id}
        render={(comment) => <CommentCard comment={comment} />}
        label="Comments"
        empty={<p className="faint">Nobody has said anything yet.</p>}
        end=""
      />
    </section>
  );
}

function CommentForm({ postId, parentId, done }: { postId: string; parentId: string | null; done?: () => void }) {
  const add = useAddComment(postId);
  const [content, setContent] = useState('');
  // One for each thing that is said: a second click says nothing twice.
  const [key, setKey] = useState(idempotencyKey);
  const send = (event: FormEvent) => {
    event.preventDefault();
    add.mutate(
      { content: content.trim(), parentId, key },
      {
        onSuccess: () => {
          setContent('');
          setKey(idempotencyKey());
          done?.();
        },
      },
    );
  };
  return (
    <form className="comment-form" onSubmit={send}>
      <textarea
        aria-label={parentId ? 'Your answer' : 'Your comment'}
        placeholder={parentId ? 'Answer…' : 'Say something…'}
        value={content}
        onChange={(event) => setContent(event.target.value)}
        maxLength={COMMENT_CHARS_MAX}
        rows={2}
      />
      <button type="submit" className="button" disabled={!content.trim() || add.isPending}>
        {parentId ? 'Answer' : 'Comment'}
      </button>
      {add.isError && <ErrorNotice error={add.error} />}
    </form>
  );
}

function CommentCard({ comment }: { comment: Comment }) {
  const me = useMe();
  const { data: author } = usePerson(comment.userId);
  const remove = useDeleteComment(comment.postId);
  const [isAnswering, setAnswering] = useState(false);
  const [showsAnswers, setShowsAnswers] = useState(false);
  const isGone = comment.isDeleted || comment.hidden;
  return (
    <article className="comment">
      <Avatar person={author} />
      <div className="grow">
        {isGone ? (
          <p className="faint">{comment.hidden ? 'Hidden by moderators.' : 'Deleted.'}</p>
        ) : (
          <>
            {comment.userId && <Name id={comment.userId} />}{' '}
            <span className="faint">
              <Time at={comment.createdAt} />
            </span>
            <RichText text={comment.content} />
          </>
        )}
        <div className="comment-actions">
          {comment.replyCount > 0 && (
            <button type="button" className="button quiet" aria-expanded={showsAnswers} onClick={() => setShowsAnswers(!showsAnswers)}>
              {comment.replyCount === 1 ? '1 answer' : `${comment.replyCount} answers`}
            </button>
          )}
          {me && !isGone && (
            <button type="button" className="button quiet" aria-expanded={isAnswering} onClick={() => setAnswering(!isAnswering)}>
              Answer
            </button>
          )}
          {me && !isGone && me.id === comment.userId && (
            <button type="button" className="button quiet" disabled={remove.isPending} onClick={() => remove.mutate(comment.id)}>
              Delete
            </button>
          )}
          {me && !isGone && me.id !== comment.userId && <FlagButton targetType="comment" targetId={comment.id} />}
        </div>
        {isAnswering && (
          <CommentForm
            postId={comment.postId}
            parentId={comment.id}
            done={() => {
              setAnswering(false);
              setShowsAnswers(true);
            }}
          />
        )}
        {showsAnswers && <Answers comment={comment} />}
      </div>
    </article>
  );
}

function Answers({ comment }: { comment: Comment }) {
  const answers = useComments(comment.postId, comment.id);
  return (
    <PagedList pages={answers} id={(answer) => answer.id} render={(answer) => <CommentCard comment={answer} />} label="Answers" empty={null} end="" skeleton={<Skeleton rows={1} kind="line" />} />
  );
}
