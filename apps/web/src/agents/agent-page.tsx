import { Link } from 'wouter';
import type { z } from 'zod';
import type { AgentView, CheckpointList, CheckpointView } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { Answer } from '../kit/answer.js';
import { DataTable, type Column } from '../kit/data-table.js';
import { Ago, DateTime } from '../kit/moments.js';
import { PageHead } from '../kit/page-head.js';
import { StateMark } from '../kit/state-mark.js';
import { pathOf } from '../session/farm-api.js';
import { useFarm } from '../session/use-farm.js';
import { AgentActions } from './agent-actions.js';
import { AgentHistory } from './agent-history.js';
import { HEARD_EVERY_MS, PoolSpace, Running } from './agents-page.js';

/** One agent: what it is, does and holds. */
export function AgentPage({ agent: name }: { readonly agent: string }) {
  const path = pathOf`/agents/${name}`;
  const answer = useFarm<AgentView>(path, { everyMs: HEARD_EVERY_MS });
  return (
    <Answer of={answer} what={`agent ${name}`}>
      {(agent) => (
        <section>
          <PageHead
            title={agent.name}
            json={path}
            aside={<StateMark state={agent.state} />}
            actions={<AgentActions agent={agent} />}
          />
          <Facts agent={agent} />
          <AgentHistory agent={agent.name} />
          <Held agent={agent} />
        </section>
      )}
    </Answer>
  );
}

function Facts({ agent }: { readonly agent: AgentView }) {
  const { facts, load, reason, pausedUntil, lastSeenAt, enrolledAt } = agent;
  return (
    <dl className="agent-facts">
      {reason !== '' && (
        <>
          <dt>Why</dt>
          <dd>
            {reason}
            {pausedUntil !== null && (
              <>
                {' '}
                until <DateTime at={pausedUntil} />
              </>
            )}
          </dd>
        </>
      )}
      <dt>Runs</dt>
      <dd>
        {agent.running.length} of {facts.slots} slots: <Running agent={agent} />
      </dd>
      <dt>Load</dt>
      <dd>
        {load === null
          ? 'not told yet'
          : `${load.cpu.toFixed(2)} a processor over a minute, ${formatBytes(load.freeMemoryBytes)} of memory free`}
      </dd>
      <dt>Store</dt>
      <dd>
        <PoolSpace facts={facts} /> <span className="more">{facts.store.description}</span>
      </dd>
      <dt>Heard</dt>
      <dd>{lastSeenAt === null ? 'never' : <Ago at={lastSeenAt} />}</dd>
      <dt>Host</dt>
      <dd>
        {facts.hostname}, {facts.architectures.join(', ')}, version {facts.version}
        {facts.labels.length > 0 && <>, labels {facts.labels.join(', ')}</>}
      </dd>
      <dt>Enrolled</dt>
      <dd>
        <DateTime at={enrolledAt} />
      </dd>
    </dl>
  );
}

const MOST_SHOWN = 500;

function Held({ agent }: { readonly agent: AgentView }) {
  const answer = useFarm<z.infer<typeof CheckpointList>>(
    `/checkpoints?agent=${encodeURIComponent(agent.name)}`,
  );
  return (
    <section aria-label="Checkpoints it holds">
      <h2>
        Checkpoints it holds <span className="count">{agent.checkpoints}</span>
      </h2>
      <Answer of={answer} what="its checkpoints">
        {({ checkpoints }) =>
          checkpoints.length === 0 ? (
            <p className="none">None.</p>
          ) : (
            <>
              <DataTable
                label="Checkpoints"
                columns={COLUMNS}
                rows={checkpoints.slice(0, MOST_SHOWN)}
                keyOf={({ id, build, variant, lane, label }) => [id, build, variant, lane, label].join(' ')}
              />
              {checkpoints.length > MOST_SHOWN && (
                <p className="more">{checkpoints.length - MOST_SHOWN} more are in its JSON.</p>
              )}
            </>
          )
        }
      </Answer>
    </section>
  );
}

const COLUMNS: readonly Column<CheckpointView>[] = [
  {
    name: 'Build',
    isRowHead: true,
    cell: ({ build }) => <Link href={`/builds/${build}`}>{build}</Link>,
  },
  { name: 'Variant', cell: ({ variant }) => variant },
  { name: 'Lane', cell: ({ lane }) => lane },
  { name: 'In front of', cell: ({ before }) => before ?? 'nothing: the end of its job' },
  { name: 'Taken', isNumber: true, cell: ({ takenAt }) => <DateTime at={takenAt} /> },
];
