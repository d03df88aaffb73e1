/** When something was, in words. */

const UNITS: [Intl.RelativeTimeFormatUnit, number][] = [
  ['minute', 60],
  ['hour', 3600],
  ['day', 86_400],
];
const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'short' });
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });
const exact = new Intl.DateTimeFormat('en', { dateStyle: 'long', timeStyle: 'short' });
/** From here on a date says more than how long ago it was. */
const RELATIVE_S_MAX = 7 * 86_400;

export function ago(at: string, now = Date.now()): string {
  const seconds = Math.max(0, (now - Date.parse(at)) / 1000);
  if (seconds < 45) return 'just now';
  if (seconds >= RELATIVE_S_MAX) return day.format(new Date(at));
  const [unit, length] = UNITS.findLast(([, size]) => seconds >= size) ?? ['minute', 60];
  return relative.format(-Math.max(1, Math.round(seconds / length)), unit);
}

export function Time({ at }: { at: string }) {
  return (
    <time dateTime={at} title={exact.format(new Date(at))}>
      {ago(at)}
    </time>
  );
}
