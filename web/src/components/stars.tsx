/** What people think of something, in stars. */

export function Stars({ average, count }: { average: number | null; count?: number }) {
  if (average === null) return count === undefined ? null : <span className="faint">No reviews yet</span>;
  const shown = average.toFixed(1).replace('.0', '');
  return (
    <span className="stars">
      <span aria-hidden="true">{'★'.repeat(Math.round(average)) + '☆'.repeat(5 - Math.round(average))}</span>
      <span className="visually-hidden">{shown} of 5 stars</span>
      {count !== undefined && (
        <span className="faint">
          {' '}
          {shown} ({count})
        </span>
      )}
    </span>
  );
}
