/**
 * An image of the media library that costs only what is looked at.
 *
 * - Its place has the image's proportions before a byte of it is there, so nothing moves when it comes.
 * - Until then it shows the dominant colour, and over it the blur that came with the file's description: no request is needed for either.
 * - The browser chooses among the sizes that the platform has made, by `sizes` (how wide it is shown) and the screen's density, once it is near.
 * - WebP is what the platform makes of every upload. AVIF is a tenth smaller and slow to make, so it is asked for where `avif` says that one image is
 *   looked at closely, and only of public files: a signed address is good for one form only.
 *
 * `eager` is for what is seen first on a screen. `alt` says what it shows; '' where the text beside it does.
 */
import { useState } from 'react';
import { ownAddress } from '../api/client';
import type { File } from '../api/types';

interface Props {
  file: File;
  alt: string;
  /** How wide it is shown, as in `<img sizes>`. */
  sizes: string;
  /** Whether it fills its place or is seen whole. */
  fit?: 'cover' | 'contain';
  /** Width by height of its place; without it, the image's own. */
  ratio?: number;
  eager?: boolean;
  avif?: boolean;
}

/** The longest side of each variant, in pixels: `images/` makes them. */
const SIDES = { thumbnail: 150, small: 400, medium: 800, large: 1920 } as const;
type Variant = keyof typeof SIDES;

/** What `srcset` says: each width once, the smallest first. */
export function sourceSet(file: File, rename: (address: string) => string = (address) => address): string {
  const { width, height } = file.metadata ?? { width: 1, height: 1 };
  const byWidth = new Map<number, string>();
  for (const variant of Object.keys(SIDES) as Variant[]) {
    const address = ownAddress(file.responsiveSizes?.[variant]);
    // Variants lie within a square, and none is larger than the original.
    const shown = Math.round(width * Math.min(1, SIDES[variant] / Math.max(width, height)));
    if (address && !byWidth.has(shown)) byWidth.set(shown, rename(address));
  }
  return [...byWidth].map(([shown, address]) => `${address} ${shown}w`).join(', ');
}

const asAvif = (address: string): string => address.replace(/\.webp$/, '.avif');

export function LazyImage({ file, alt, sizes, fit = 'cover', ratio, eager = false, avif = false }: Props) {
  const [isThere, setThere] = useState(false);
  const { width, height } = file.metadata ?? { width: 4, height: 3 };
  const colour = file.dominantColor;
  // A variant that is not made yet: the original then, which is there from the start.
  const address = ownAddress(file.responsiveSizes?.small ?? file.optimizedUrl ?? file.url);
  const set = sourceSet(file);
  return (
    <span
      className="lazy-image"
      data-fit={fit}
      style={{ aspectRatio: ratio ?? width / height, backgroundColor: colour ? `rgb(${colour.r} ${colour.g} ${colour.b})` : undefined }}
    >
      {address && (
        <picture>
          {avif && file.visibility === 'public' && set && <source type="image/avif" srcSet={sourceSet(file, asAvif)} sizes={sizes} />}
          <img
            src={address}
            srcSet={set || undefined}
            sizes={set ? sizes : undefined}
            alt={alt}
            width={width}
            height={height}
            loading={eager ? 'eager' : 'lazy'}
            fetchPriority={eager ? 'high' : 'auto'}
            decoding="async"
            onLoad={() => setThere(true)}
          />
        </picture>
      )}
      {/* Above the image, and faded out once that is there: the image itself is never transparent, or it would count as painted late. */}
      {file.blurPlaceholder && <img className="blur" src={file.blurPlaceholder} alt="" aria-hidden="true" data-gone={isThere || undefined} />}
    </span>
  );
}
