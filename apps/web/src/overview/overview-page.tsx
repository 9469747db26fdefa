import { Link, useLocation } from 'wouter';
import type { AgentList, AgentState, BuildPage, BuildSummary } from '#libs/contracts';
import type { z } from 'zod';
import { Answer } from '../kit/answer.js';
import { startOfDay } from '../kit/local-time.js';
import { PageHead } from '../kit/page-head.js';
import { StateMark } from '../kit/state-mark.js';
import { useFarm } from '../session/use-farm.js';
import { useMe } from '../session/session.js';
import { useDraft } from '../submit/draft.js';
import { DropZone } from '../submit/drop-zone.js';
import { BuildTable } from './build-table.js';

/** Failed builds looked at: newest first. */
const MOST_FAILED = 200;
const MOST_OPEN = 500;
const OPEN = `/builds?state=running,waiting,paused&limit=${MOST_OPEN}`;
const FAILED = `/builds?state=failed&limit=${MOST_FAILED}`;
const NEWEST = '/builds?limit=12';

/** What goes on: all that runs or waits, what failed today, and who could do it. */
export function OverviewPage() {
  const open = useFarm<BuildPage>(OPEN);
  const failed = useFarm<BuildPage>(FAILED);
  const newest = useFarm<BuildPage>(NEWEST);
  return (
    <div className="overview">
      <PageHead title="Overview" json={OPEN} />
      <AgentsByState />
      <NewBuild />
      <Answer of={open} what="the open builds">
        {({ builds }) => (
          <>
            <Builds title="Running" state="running" of={builds} none="No build runs." />
            <Builds title="Waiting" state="waiting" of={builds} none="No build waits." />
            <Builds title="Paused" state="paused" of={builds} none={null} />
          </>
        )}
      </Answer>
      <Answer of={failed} what="the failed builds">
        {({ builds }) => <FailedToday builds={builds} />}
      </Answer>
      <Answer of={newest} what="the newest builds">
        {({ builds }) => {
          const ended = builds.filter(({ state }) => state === 'succeeded' || state === 'cancelled');
          return ended.length === 0 ? null : (
            <section aria-label="Recently ended">
              <h2>Recently ended</h2>
              <BuildTable builds={ended} label="Recently ended builds" />
            </section>
          );
        }}
      </Answer>
    </div>
  );
}

/** What is dropped here is looked at on the page that submits it. */
function NewBuild() {
  const me = useMe();
  const { drop } = useDraft();
  const [, go] = useLocation();
  return (
    <DropZone
      onDrop={(things) => {
        drop(me.user, things);
        go('/submit');
      }}
    >
      Drop a manifest here, with the files that belong to it, to <Link href="/submit">submit a build</Link>.
    </DropZone>
  );
}

interface BuildsProps {
  readonly title: string;
  readonly state: BuildSummary['state'];
  readonly of: readonly BuildSummary[];
  /** Said when there is none; `null`: then nothing of it is shown. */
  readonly none: string | null;
}

function Builds({ title, state, of, none }: BuildsProps) {
  const builds = of.filter((build) => build.state === state);
  if (builds.length === 0 && none === null) return null;
  return (
    <section aria-label={title}>
      <h2>
        {title} <span className="count">{builds.length}</span>
      </h2>
      {builds.length === 0 ? (
        <p className="none">{none}</p>
      ) : (
        <BuildTable builds={builds} label={`${title} builds`} />
      )}
    </section>
  );
}

function FailedToday({ builds }: { readonly builds: readonly BuildSummary[] }) {
  const midnight = startOfDay(Date.now());
  const today = builds.filter(({ endedAt }) => (endedAt ?? 0) >= midnight);
  return (
    <section aria-label="Failed today">
      <h2>
        Failed today <span className="count">{today.length}</span>
      </h2>
      {today.length === 0 ? (
        <p className="none">No build has failed since midnight.</p>
      ) : (
        <BuildTable builds={today} label="Builds that failed today" />
      )}
    </section>
  );
}

const ORDER: readonly AgentState[] = ['busy', 'idle', 'draining', 'drained', 'paused', 'lost', 'revoked'];

function AgentsByState() {
  const agents = useFarm<z.infer<typeof AgentList>>('/agents');
  return (
    <section className="agent-strip" aria-label="Agents by state">
      <Answer of={agents} what="the agents">
        {({ agents: all }) => {
          const counts = ORDER.map(
            (state) => [state, all.filter((agent) => agent.state === state).length] as const,
          );
          const slots = all.reduce((sum, { facts }) => sum + facts.slots, 0);
          const taken = all.reduce((sum, { running }) => sum + running.length, 0);
          if (all.length === 0) {
            return (
              <p className="none">
                No agent is enrolled, so nothing can run. <Link href="/agents">Enrol one</Link>.
              </p>
            );
          }
          return (
            <ul className="strip">
              {counts
                .filter(([, count]) => count > 0)
                .map(([state, count]) => (
                  <li key={state}>
                    <Link href="/agents">
                      <b>{count}</b> <StateMark state={state} />
                    </Link>
                  </li>
                ))}
              <li className="slots">
                <b>
                  {taken} of {slots}
                </b>{' '}
                slots taken
              </li>
            </ul>
          );
        }}
      </Answer>
    </section>
  );
}
