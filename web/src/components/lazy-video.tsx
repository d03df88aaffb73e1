/**
 * A video that is not asked for before it is near, and that stops when it is out of sight.
 *
 * Nothing of it is loaded until it comes within a screen's height; then only what tells its length and size. It never starts by itself, and has the
 * browser's own controls, which keyboards and screen readers know.
 */
import { useEffect, useRef, useState } from 'react';
import { ownAddress } from '../api/client';
import type { File } from '../api/types';

export function LazyVideo({ file, label }: { file: File; label: string }) {
  const video = useRef<HTMLVideoElement>(null);
  const [isNear, setNear] = useState(false);
  useEffect(() => {
    const element = video.current;
    if (!element) return;
    const near = new IntersectionObserver(([entry]) => entry?.isIntersecting && setNear(true), { rootMargin: '100% 0%' });
    const seen = new IntersectionObserver(([entry]) => entry && !entry.isIntersecting && element.pause());
    near.observe(element);
    seen.observe(element);
    return () => {
      near.disconnect();
      seen.disconnect();
    };
  }, []);
  return (
    // People's own videos come without captions: the platform keeps none.
    // oxlint-disable-next-line jsx-a11y/media-has-caption
    <video
      ref={video}
      className="lazy-video"
      controls
      playsInline
      preload={isNear ? 'metadata' : 'none'}
      src={isNear ? (ownAddress(file.url) ?? undefined) : undefined}
      aria-label={label}
    />
  );
}
