/** How the platform runs, for admins: its nodes, who owns what, and what memory answers. */
import { useEffect, useState } from 'react';
import { isAdmin, useMe } from '../api/account';
import { type Known, type Reads, readsOf, type Told, useOverview } from '../api/overview';
import type { Overview } from '../api/types';
import { Await, ErrorNotice } from '../components/notice';
import { Screen } from '../components/screen';
import { SignInFirst } from '../components/sign-in-first';
import { Table } from '../components/table';

export default function OperatorScreen() {
  const me = useMe();
  if (!me) return <SignInFirst title="Operator" />;
  return (
    <Screen title="Operator" wide>
      {isAdmin(me) ? <Operated /> : <p className="notice">This is for admins.</p>}
    </Screen>
  );
}

function Operated() {
  const query = useOverview();
  return (
    <Await query={query}>
      {(known) => (
        <>
          {query.isRefetchError && <ErrorNotice error={query.error} />}
          <Answer known={known} />
        </>
      )}
    </Await>
  );
}

const nameOf = ({ node, cluster }: Overview): string => cluster?.members.find(({ boot }) => boot === node.boot)?.name ?? 'the only process';

function Answer({ known }: { known: Known }) {
  const [chosen, choose] = useState<string | null>(null);
  const told = known.nodes.get(known.last);
  if (!told) return null;
  const { overview, heardMs } = told;
  const { cluster, slots } = overview;
  const of = (chosen && known.nodes.get(chosen)) || told;
  return (
    <>
      <p className="faint">
        As {nameOf(overview)} told <Age ms={heardMs} />. It asks again every few seconds, and each node tells of itself.
      </p>
      <Troubles overview={overview} />
      <section className="card" aria-labelledby="nodes">
        <h2 id="nodes">Nodes and slots</h2>
        <Shares overview={overview} />
        {cluster ? <Members cluster={cluster} /> : <p>One process has the stores to itself, and owns {count(slots.owned)} of {count(slots.of)} slots.</p>}
        {cluster && (
          <p className="faint">
            View {count(cluster.view)} · slots that move: {count(slots.moving)} · without an owner: {count(slots.unowned)} · certificate until {day.format(new Date(cluster.certificateExpiresAt))}
          </p>
        )}
      </section>
      {known.nodes.size > 1 && <Choice known={known} of={of} choose={choose} />}
      <NodeFacts told={of} />
      <ReadsTable told={of} />
    </>
  );
}

/** How long ago, counted on by itself: nobody is told of each second. */
function Age({ ms }: { ms: number }) {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const tick = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(tick);
  }, []);
  return <span className="age">{duration(Math.max(0, now - ms) / 1000)} ago</span>;
}

/** What an operator has to do something about, in words. */
function troubles({ node, slots, dependencies, cluster }: Overview): string[] {
  const unlinked = cluster?.members.filter(({ boot, link }) => boot !== node.boot && !link).map(({ name }) => name) ?? [];
  const down = Object.entries(dependencies).filter(([, { healthy }]) => !healthy);
  return [
    node.stage !== 'serving' && `The node that answers is ${node.stage.replace('_', ' ')}.`,
    !node.leased && 'Its lease has ended: it answers nothing from memory until it is renewed.',
    !node.alive && 'Something that it supervises does not live.',
    slots.unowned > 0 && `Slots without an owner that it knows: ${count(slots.unowned)}. Writes to them wait.`,
    slots.moving > 0 && `Slots on their way to another node: ${count(slots.moving)}.`,
    unlinked.length > 0 && `It has no link to ${unlinked.join(', ')}.`,
    ...down.map(([name, { message }]) => `${name}: ${message}.`),
  ].filter((trouble): trouble is string => trouble !== false);
}

function Troubles({ overview }: { overview: Overview }) {
  const found = troubles(overview);
  return (
    <div className={found.length ? 'notice bad' : 'notice'} role="status">
      {found.length ? found.map((trouble) => <p key={trouble}>{trouble}</p>) : <p>All is well, as far as this node sees.</p>}
    </div>
  );
}

/** Who owns how much, to be seen at a glance: the table below has the figures. */
function Shares({ overview: { cluster, slots } }: { overview: Overview }) {
  const parts = cluster?.members.map(({ boot, name, slots: owned }) => ({ key: boot, name, owned })) ?? [{ key: 'alone', name: '', owned: slots.owned }];
  return (
    <div className="shares" aria-hidden="true">
      {parts.map(({ key, name, owned }, index) => (
        <span key={key} data-hue={index % 6} style={{ flexGrow: owned }}>
          {owned > slots.of / 10 && name}
        </span>
      ))}
      <span style={{ flexGrow: slots.unowned }} />
    </div>
  );
}

function Members({ cluster }: { cluster: NonNullable<Overview['cluster']> }) {
  return (
    <Table
      label="Nodes"
      head={['Node', 'State', 'Slots', 'Roles', 'Link', 'Calls', 'Waiting']}
      words={[0, 1, 3]}
      rows={cluster.members.map(({ boot, name, status, slots, roles, link }) => ({
        key: boot,
        cells: [name, status, count(slots), roles.join(', '), link ? duration(link.ageS) : '–', link ? count(link.calls) : '–', link ? size(link.queuedBytes) : '–'],
      }))}
    />
  );
}

function Choice({ known, of, choose }: { known: Known; of: Told; choose: (boot: string) => void }) {
  return (
    <div className="chips" role="group" aria-label="Figures of">
      {[...known.nodes].map(([boot, told]) => (
        <button key={boot} type="button" className="chip" aria-pressed={told === of} onClick={() => choose(boot)}>
          {nameOf(told.overview)}
        </button>
      ))}
    </div>
  );
}

function NodeFacts({ told: { overview, heardMs } }: { told: Told }) {
  const { node, memory, live, dependencies } = overview;
  const facts: [string, string][] = [
    ['Up for', duration(node.uptimeS)],
    ['Release', node.version],
    ['Stage', node.stage.replace('_', ' ')],
    ['Lease', node.leased ? 'holds' : 'has ended'],
    ['Restarts within', count(node.restarts)],
    ['Requests in work', `${count(node.requests)} of ${count(node.requestsMax)}`],
    ['Warm entities', `${count(memory.entities)}, ${size(memory.bytes)}`],
    ['Live streams', `${count(live.streams)}, of ${live.people === 1 ? '1 person' : `${count(live.people)} people`}`],
    ...Object.entries(dependencies).map(([name, { healthy, latency }]): [string, string] => [name.replace('database:', 'Database of ').replace('_', ' '), healthy ? `well, ${latency.toFixed(1)} ms` : 'not well']),
  ];
  return (
    <section className="card" aria-labelledby="node">
      <h2 id="node">
        Of {nameOf(overview)}
        <span className="faint">
          {' '}
          <Age ms={heardMs} />
        </span>
      </h2>
      <dl className="figures">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const readsRow = ({ strategy, perSecond, hitRateLately, hitRate, reads, loads }: Reads) => ({
  key: strategy,
  cells: [strategy.replace('_', ' '), perSecond.toFixed(perSecond < 10 ? 1 : 0), percent(hitRateLately), percent(hitRate), count(reads), count(loads)],
});

function ReadsTable({ told }: { told: Told }) {
  return (
    <section className="card" aria-labelledby="reads">
      <h2 id="reads">Reads that memory answers</h2>
      <p className="faint">Of {nameOf(told.overview)} alone: in the last minute as far as this page has watched it, and since the node began.</p>
      <Table label="Reads by strategy" head={['Strategy', 'A second', 'From memory', 'Since it began', 'Reads', 'Loads']} rows={readsOf(told).map(readsRow)} />
    </section>
  );
}

const number = new Intl.NumberFormat('en');
const day = new Intl.DateTimeFormat('en', { dateStyle: 'medium' });
const count = (value: number): string => number.format(value);
// Of 99.96 % not all were answered from memory: so it is cut, not rounded.
const percent = (rate: number | null): string => (rate === null ? '–' : `${(Math.floor(rate * 1000) / 10).toFixed(1)} %`);

function duration(seconds: number): string {
  const [length, unit] = ([[86_400, 'd'], [3600, 'h'], [60, 'min']] as const).find(([each]) => seconds >= each * 2) ?? [1, 's'];
  return `${Math.floor(seconds / length)} ${unit}`;
}

function size(bytes: number): string {
  return bytes < 1_000_000 ? `${Math.ceil(bytes / 1000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}
