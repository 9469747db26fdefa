import { useState } from 'react';
import { Link } from 'wouter';
import type { z } from 'zod';
import type { AgentList, AgentView } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { ActionButton } from '../kit/action-button.js';
import { Answer } from '../kit/answer.js';
import { DataTable, type Column } from '../kit/data-table.js';
import { Ago } from '../kit/moments.js';
import { PageHead } from '../kit/page-head.js';
import { StateMark } from '../kit/state-mark.js';
import { useMe } from '../session/session.js';
import { useFarm } from '../session/use-farm.js';
import { whyNot } from '../session/why-not.js';
import { AgentActions } from './agent-actions.js';
import { EnrolDialog } from './enrol-dialog.js';

/** No event tells that an agent was heard, or how loaded it is. */
export const HEARD_EVERY_MS = 5_000;

/** Who builds: what each can take, has, does and holds. */
export function AgentsPage() {
  const answer = useFarm<z.infer<typeof AgentList>>('/agents', { everyMs: HEARD_EVERY_MS });
  const me = useMe();
  const [isEnrolling, setEnrolling] = useState(false);
  return (
    <section>
      <PageHead
        title="Agents"
        json="/agents"
        actions={
          <ActionButton whyNot={whyNot(me, 'admin')} onClick={() => setEnrolling(true)}>
            Enrol…
          </ActionButton>
        }
      />
      {isEnrolling && <EnrolDialog onClose={() => setEnrolling(false)} />}
      <Answer of={answer} what="the agents">
        {({ agents }) =>
          agents.length === 0 ? (
            <p className="none">No agent is enrolled, so nothing can run.</p>
          ) : (
            <DataTable
              label="Agents"
              className="agents"
              columns={COLUMNS}
              rows={agents}
              keyOf={({ id }) => id}
            />
          )
        }
      </Answer>
    </section>
  );
}

const COLUMNS: readonly Column<AgentView>[] = [
  {
    name: 'State',
    className: 'cell-state',
    cell: ({ state, reason }) => (
      <>
        <StateMark state={state} />
        {reason !== '' && <div className="more">{reason}</div>}
      </>
    ),
  },
  {
    name: 'Agent',
    isRowHead: true,
    className: 'cell-build',
    cell: ({ name, facts }) => (
      <>
        <Link href={`/agents/${name}`}>{name}</Link>{' '}
        <div className="more">
          {facts.hostname} · {facts.architectures.join(', ')}
          {facts.labels.length > 0 && <> · {facts.labels.join(', ')}</>}
        </div>
      </>
    ),
  },
  { name: 'Runs', cell: (agent) => <Running agent={agent} /> },
  {
    name: 'Slots',
    isNumber: true,
    isNamedOnPhone: true,
    cell: ({ running, facts }) => `${running.length}/${facts.slots}`,
  },
  {
    name: 'Load',
    isNumber: true,
    isNamedOnPhone: true,
    cell: ({ load }) => (load === null ? '–' : load.cpu.toFixed(2)),
  },
  { name: 'Store', cell: ({ facts }) => <PoolSpace facts={facts} /> },
  {
    name: 'Checkpoints',
    isNumber: true,
    isNamedOnPhone: true,
    cell: ({ checkpoints }) => checkpoints,
  },
  {
    name: 'Heard',
    isNumber: true,
    isNamedOnPhone: true,
    cell: ({ lastSeenAt }) => (lastSeenAt === null ? 'never' : <Ago at={lastSeenAt} />),
  },
  { name: 'Actions', isUnnamed: true, cell: (agent) => <AgentActions agent={agent} /> },
];

export function Running({ agent: { running } }: { readonly agent: AgentView }) {
  if (running.length === 0) return <span className="more">nothing</span>;
  return (
    <ul className="runs">
      {running.map(({ attempt, build, lane, step, renewedAt }) => (
        <li key={attempt}>
          <Link href={`/builds/${build}/log/${attempt}`}>{step ?? lane}</Link> of{' '}
          <Link href={`/builds/${build}`}>{build}</Link>
          <span className="more">
            {renewedAt === null ? (
              ', not fetched yet'
            ) : (
              <>
                , lease renewed <Ago at={renewedAt} />
              </>
            )}
          </span>
        </li>
      ))}
    </ul>
  );
}

export function PoolSpace({ facts }: Pick<AgentView, 'facts'>) {
  const { freeBytes, usedBytes, store } = facts;
  const all = freeBytes + usedBytes;
  return (
    <span className="space" title={store.description}>
      <span className="bar" aria-hidden="true">
        <span style={{ width: `${all === 0 ? 0 : (100 * usedBytes) / all}%` }} />
      </span>
      <span className="number">
        {formatBytes(freeBytes)} free of {formatBytes(all)}
      </span>{' '}
      <span className="more">{store.kind}</span>
    </span>
  );
}
