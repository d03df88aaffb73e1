/** What people write, with its hashtags and addresses as links. Nothing of it is taken for HTML. */
import type { ReactNode } from 'react';
import { Link } from 'react-router';

const MARKS = /(?<![\p{L}\p{N}_&])#([\p{L}\p{N}_]{1,50})|https?:\/\/[^\s<>"]+/gu;

export function RichText({ text }: { text: string }) {
  const parts: ReactNode[] = [];
  let done = 0;
  for (const mark of text.matchAll(MARKS)) {
    const tag = mark[1];
    // What ends a sentence is no part of an address.
    const shown = tag ? mark[0] : mark[0].replace(/[.,;:!?)\]]+$/, '');
    parts.push(text.slice(done, mark.index));
    parts.push(
      tag ? (
        <Link key={mark.index} to={`/explore?tag=${encodeURIComponent(tag.toLowerCase())}`}>
          {shown}
        </Link>
      ) : (
        <a key={mark.index} href={shown} rel="noopener noreferrer nofollow ugc" target="_blank">
          {shown}
        </a>
      ),
    );
    done = mark.index + shown.length;
  }
  parts.push(text.slice(done));
  return <p className="rich-text">{parts}</p>;
}
