import { Link } from 'wouter';
import type { BuildSummary } from '#libs/contracts';
import { Ago, DateTime, Elapsed } from '../kit/moments.js';
import { Progress } from '../kit/progress.js';
import { StateMark } from '../kit/state-mark.js';

interface BuildTableProps {
  readonly builds: readonly BuildSummary[];
  readonly label: string;
}

/** Builds, one a row, each with the one sentence on what goes on. */
export function BuildTable({ builds, label }: BuildTableProps) {
  return (
    <table className="builds" aria-label={label}>
      <thead>
        <tr>
          <th scope="col" className="cell-state">
            State
          </th>
          <th scope="col" className="cell-build">
            Build
          </th>
          <th scope="col">What goes on</th>
          <th scope="col" className="cell-steps">
            Steps
          </th>
          <th scope="col" className="number cell-took">
            Time
          </th>
          <th scope="col" className="cell-user">
            By
          </th>
          <th scope="col" className="number cell-when">
            Submitted
          </th>
        </tr>
      </thead>
      <tbody>
        {builds.map((build) => (
          <Row key={build.id} build={build} />
        ))}
      </tbody>
    </table>
  );
}

function Row({ build }: { readonly build: BuildSummary }) {
  const { id, name, state, summary, steps, startedAt, endedAt, variants, user, note, createdAt, wish } =
    build;
  const pending =
    wish !== 'run' && (state === 'running' || state === 'waiting') ? `${wish} asked for` : undefined;
  return (
    <tr>
      <td className="cell-state">
        <StateMark state={state} more={pending} />
      </td>
      <th scope="row" className="cell-build">
        <Link href={`/builds/${id}`}>{name}</Link> <code className="id">{id}</code>
        {variants.length > 1 && <span className="more"> {variants.length} variants</span>}
        {note !== '' && <span className="note"> {note}</span>}
      </th>
      <td className="cell-summary">{summary === state ? '' : summary}</td>
      <td className="cell-steps">
        <Progress done={steps.done} total={steps.total} state={state} />
      </td>
      <td className="number cell-took">
        {startedAt === null ? '–' : <Elapsed since={startedAt} until={endedAt} />}
      </td>
      <td className="cell-user">{user}</td>
      <td className="number cell-when">
        {endedAt === null ? <Ago at={createdAt} /> : <DateTime at={createdAt} />}
      </td>
    </tr>
  );
}
