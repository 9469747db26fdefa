import { useState } from 'react';
import { Link } from 'wouter';
import type { BuildDetail } from '#libs/contracts';
import { describeEnd, describeOutcome, formatDuration } from '#libs/watch';
import { ActionButton } from '../kit/action-button.js';
import { ConfirmDialog } from '../kit/confirm-dialog.js';
import { Failure } from '../kit/failure.js';
import { ClockTime, Elapsed } from '../kit/moments.js';
import { StateMark } from '../kit/state-mark.js';
import { useMe } from '../session/session.js';
import { useOrder } from '../session/use-farm.js';
import { whyNotChange } from '../session/why-not.js';
import type { MatrixCell } from './matrix.js';
import { StepComparisons } from './step-comparisons.js';
import { offeredStepActions } from './offered-actions.js';

interface StepPanelProps {
  readonly cell: MatrixCell;
  readonly build: BuildDetail;
  readonly path: string;
}

/** All that is known of one step of one variant, and what can be done there. */
export function StepPanel({ cell, build, path }: StepPanelProps) {
  const { job, step, mark } = cell;
  return (
    <aside className="panel" aria-label={`${step.name} of ${job.variant}`}>
      <h2>
        {step.name} <span className="more">{job.variant}</span>
      </h2>
      <p>{step.message}</p>
      <dl>
        <dt>State</dt>
        <dd>
          <StateMark state={mark} />
          {step.outcome !== null && step.outcome.kind !== 'succeeded' && (
            <> {describeOutcome(step.outcome)}</>
          )}
          {job.waitingReason !== '' && step.state === 'waiting' && <> {job.waitingReason}</>}
        </dd>
        {step.startedAt !== null && (
          <>
            <dt>Took</dt>
            <dd>
              <Elapsed since={step.startedAt} until={step.endedAt} />
              {step.usualMs !== null && (
                <span className="more">, usually {formatDuration(step.usualMs)}</span>
              )}
              <span className="more">
                , from <ClockTime at={step.startedAt} />
              </span>
            </dd>
          </>
        )}
        {step.startedAt === null && step.usualMs !== null && (
          <>
            <dt>Usually</dt>
            <dd>{formatDuration(step.usualMs)}</dd>
          </>
        )}
        {step.reusedFrom !== null && (
          <>
            <dt>As in</dt>
            <dd>
              <Link href={`/builds/${step.reusedFrom}`}>{step.reusedFrom}</Link>
            </dd>
          </>
        )}
        <dt>Checkpoint</dt>
        <dd>
          {step.checkpoint === null
            ? 'none in front of it'
            : `in front of it, on ${step.checkpointOn.join(', ')}`}
        </dd>
        <dt>Lane</dt>
        <dd>{job.lane}</dd>
      </dl>
      <StepComparisons key={`${job.id} ${step.name}`} cell={cell} build={build} />
      <StepActions cell={cell} build={build} path={path} />
      <Attempts cell={cell} build={build} />
    </aside>
  );
}

function StepActions({ cell, build, path }: StepPanelProps) {
  const { job, step } = cell;
  const me = useMe();
  const order = useOrder<BuildDetail>();
  const [isResuming, setResuming] = useState(false);
  const offered = offeredStepActions(build, cell);
  const whyNot = whyNotChange(me, build);
  const give = (verb: string, body: object): void =>
    order.mutate({ path: `${path}/${verb}`, body, answers: path }, { onSuccess: () => setResuming(false) });
  return (
    <div className="actions">
      {offered.pauseBefore && (
        <ActionButton whyNot={whyNot} onClick={() => give('pause', { before: step.name })}>
          Pause before it
        </ActionButton>
      )}
      {offered.retryVariant && (
        <ActionButton whyNot={whyNot} tone="primary" onClick={() => give('resume', { variant: job.variant })}>
          Retry {job.variant}
        </ActionButton>
      )}
      {offered.resumeFrom && (
        <ActionButton whyNot={whyNot} onClick={() => setResuming(true)}>
          Resume from here…
        </ActionButton>
      )}
      {order.isError && !isResuming && <Failure error={order.error} />}
      {isResuming && (
        <ConfirmDialog
          title={`Run ${step.name} of ${job.variant} again?`}
          verb={`Resume from ${step.name}`}
          isDestructive
          error={order.error}
          isBusy={order.isPending}
          onConfirm={(why) => give('resume', { from: step.name, variant: job.variant, why })}
          onClose={() => {
            setResuming(false);
            order.reset();
          }}
        >
          <p>
            {step.name}, and all that depends on it, runs again in variant {job.variant}. What those steps
            have done so far is lost; what is in front of them stays.
          </p>
        </ConfirmDialog>
      )}
    </div>
  );
}

function Attempts({ cell: { job }, build }: Pick<StepPanelProps, 'cell' | 'build'>) {
  if (job.attempts.length === 0) return null;
  return (
    <>
      <h3>Attempts</h3>
      <ol className="attempts">
        {job.attempts.toReversed().map((attempt) => (
          <li key={attempt.id}>
            <Link href={`/builds/${build.id}/log/${attempt.id}`}>Log of attempt {attempt.number}</Link> on{' '}
            <Link href={`/agents/${attempt.agentName}`}>{attempt.agentName}</Link>{' '}
            <span className="more">
              {attempt.end === null ? (attempt.phase ?? attempt.state) : describeEnd(attempt.end, job)}
            </span>
          </li>
        ))}
      </ol>
    </>
  );
}
