import { useState } from 'react';
import { Link } from 'wouter';
import type { z } from 'zod';
import type { AgentList, AgentView } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { ActionButton } from '../kit/action-button.js';
import { Answer } from '../kit/answer.js';
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
            <AgentTable agents={agents} />
          )
        }
      </Answer>
    </section>
  );
}

function AgentTable({ agents }: { readonly agents: readonly AgentView[] }) {
  return (
    <table className="agents" aria-label="Agents">
      <thead>
        <tr>
          <th scope="col">State</th>
          <th scope="col">Agent</th>
          <th scope="col">Runs</th>
          <th scope="col" className="number">
            Slots
          </th>
          <th scope="col" className="number">
            Load
          </th>
          <th scope="col">Store</th>
          <th scope="col" className="number">
            Checkpoints
          </th>
          <th scope="col" className="number">
            Heard
          </th>
          <th scope="col">
            <span className="hidden">Actions</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {agents.map((agent) => (
          <Row key={agent.id} agent={agent} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ agent }: { readonly agent: AgentView }) {
  const { name, state, facts, load, running, reason, lastSeenAt, checkpoints } = agent;
  return (
    <tr>
      <td className="cell-state">
        <StateMark state={state} />
        {reason !== '' && <div className="more">{reason}</div>}
      </td>
      <th scope="row" className="cell-build">
        <Link href={`/agents/${name}`}>{name}</Link>{' '}
        <div className="more">
          {facts.hostname} · {facts.architectures.join(', ')}
          {facts.labels.length > 0 && <> · {facts.labels.join(', ')}</>}
        </div>
      </th>
      <td>
        <Running agent={agent} />
      </td>
      <td className="number" data-name="Slots">
        {running.length}/{facts.slots}
      </td>
      <td className="number" data-name="Load">
        {load === null ? '–' : load.cpu.toFixed(2)}
      </td>
      <td>
        <PoolSpace facts={facts} />
      </td>
      <td className="number" data-name="Checkpoints">
        {checkpoints}
      </td>
      <td className="number" data-name="Heard">
        {lastSeenAt === null ? 'never' : <Ago at={lastSeenAt} />}
      </td>
      <td>
        <AgentActions agent={agent} />
      </td>
    </tr>
  );
}

export function Running({ agent: { running } }: { readonly agent: AgentView }) {
  if (running.length === 0) return <span className="more">nothing</span>;
  return (
    <ul className="runs">
      {running.map(({ attempt, build, lane, step }) => (
        <li key={attempt}>
          <Link href={`/builds/${build}/log/${attempt}`}>{step ?? lane}</Link> of{' '}
          <Link href={`/builds/${build}`}>{build}</Link>
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
      <span className="number">{formatBytes(freeBytes)} free</span> <span className="more">{store.kind}</span>
    </span>
  );
}
