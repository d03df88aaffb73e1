/** What moderators decide on, as they and its author see it. */
import type { ReactNode } from 'react';
import { Link } from 'react-router';
import { REASONS } from '../api/moderation';
import type { Case } from '../api/types';
import { RichText } from './rich-text';
import { Time } from './time';

/** What a thing says, whatever it is. */
function words(target: Case['target']): string {
  if (!target) return '';
  const parts: unknown[] = [
    'name' in target && target.name,
    'content' in target && target.content,
    'title' in target && target.title,
    'reviewText' in target && target.reviewText,
    'username' in target && `@${target.username}`,
    'originalName' in target && target.originalName,
    'bio' in target && target.bio,
  ];
  return parts.filter((part): part is string => typeof part === 'string' && part !== '').join('\n');
}

function place(of: Case): string | null {
  switch (of.targetType) {
    case 'post':
      return `/posts/${of.targetId}`;
    case 'product':
      return `/shop/${of.targetId}`;
    case 'user':
      return `/people/${of.targetId}`;
    case 'file':
      return `/media/${of.targetId}`;
    case 'comment':
    case 'review':
      return null;
  }
}

/** The thing, and why it was reported. */
export function CaseSubject({ of, children }: { of: Case; children: ReactNode }) {
  const to = place(of);
  const reasons = REASONS.flatMap((reason) => (of.reasons[reason] ? [`${reason} × ${of.reasons[reason]}`] : []));
  return (
    <>
      <div className="spread">
        <span>
          <span className="chip">{of.targetType}</span> {children}
        </span>
        <span className="faint">
          <Time at={of.openedAt} />
        </span>
      </div>
      {of.target ? <RichText text={words(of.target)} /> : <p className="faint">It was deleted.</p>}
      {to && of.target && <Link to={to}>Look at it</Link>}
      <p className="chips">
        {reasons.map((reason) => (
          <span key={reason} className="chip bad">
            {reason}
          </span>
        ))}
      </p>
    </>
  );
}

/** What somebody said of a case. */
export function Said({ by, text }: { by: string; text: string }) {
  return (
    <blockquote className="shared">
      <p className="faint">{by}</p>
      <RichText text={text} />
    </blockquote>
  );
}
