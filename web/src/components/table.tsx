/** Figures in rows. Where it is wider than its place it scrolls by itself, by keyboard, too. */

interface Props {
  label: string;
  head: readonly string[];
  /** Columns of words. The others are figures. */
  words?: readonly number[];
  rows: readonly { key: string; cells: readonly string[] }[];
}

export function Table({ label, head, words = [0], rows }: Props) {
  const form = (column: number) => (words.includes(column) ? undefined : 'figure');
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- else nobody without a pointer could scroll it
    <div className="table" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {head.map((name, column) => (
              <th key={name} scope="col" className={form(column)}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map(({ key, cells: [name, ...cells] }) => (
            <tr key={key}>
              <th scope="row">{name}</th>
              {cells.map((cell, column) => (
                <td key={head[column + 1]} className={form(column + 1)}>
                  {cell}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
