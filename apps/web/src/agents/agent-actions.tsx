import { useState } from 'react';
import type { AgentView } from '#libs/contracts';
import { ActionButton } from '../kit/action-button.js';
import { ConfirmDialog } from '../kit/confirm-dialog.js';
import { Failure } from '../kit/failure.js';
import { pathOf } from '../session/farm-api.js';
import { useMe } from '../session/session.js';
import { useOrder } from '../session/use-farm.js';
import { whyNot } from '../session/why-not.js';

type Asked = 'drain' | 'pause';

const PAUSES = [
  { seconds: null, words: 'until somebody ends it' },
  { seconds: 900, words: 'for 15 minutes' },
  { seconds: 3600, words: 'for an hour' },
  { seconds: 8 * 3600, words: 'for 8 hours' },
] as const;

/** Pause, drain, and their ends. */
export function AgentActions({ agent }: { readonly agent: AgentView }) {
  const refused = whyNot(useMe(), 'operator');
  const order = useOrder<AgentView>();
  const [asked, setAsked] = useState<Asked | null>(null);
  const [seconds, setSeconds] = useState('');
  const [letFinish, setLetFinish] = useState(false);
  const path = pathOf`/agents/${agent.name}`;
  const close = (): void => {
    setAsked(null);
    order.reset();
  };
  const give = (verb: string, body: object): void =>
    order.mutate({ path: `${path}/${verb}`, body, answers: path }, { onSuccess: close });
  const { state } = agent;
  const isDrained = state === 'draining' || state === 'drained';
  const isPaused = state === 'paused';
  return (
    <div className="actions">
      {isPaused && (
        <ActionButton whyNot={refused} onClick={() => give('unpause', {})}>
          Unpause
        </ActionButton>
      )}
      {isDrained && (
        <ActionButton whyNot={refused} onClick={() => give('undrain', {})}>
          Undrain
        </ActionButton>
      )}
      {!isPaused && !isDrained && state !== 'revoked' && (
        <>
          <ActionButton whyNot={refused} onClick={() => setAsked('pause')}>
            Pause…
          </ActionButton>
          <ActionButton whyNot={refused} onClick={() => setAsked('drain')}>
            Drain…
          </ActionButton>
        </>
      )}
      {order.isError && asked === null && <Failure error={order.error} />}
      {asked === 'pause' && (
        <ConfirmDialog
          title={`Pause ${agent.name}?`}
          verb="Pause it"
          needsWhy
          error={order.error}
          isBusy={order.isPending}
          onConfirm={(why) => give('pause', { why, untilSeconds: seconds === '' ? null : Number(seconds) })}
          onClose={close}
        >
          <p>It takes nothing new. What it runs goes on.</p>
          <label>
            Paused{' '}
            <select value={seconds} onChange={(event) => setSeconds(event.target.value)}>
              {PAUSES.map(({ seconds: each, words }) => (
                <option key={words} value={each ?? ''}>
                  {words}
                </option>
              ))}
            </select>
          </label>
        </ConfirmDialog>
      )}
      {asked === 'drain' && (
        <ConfirmDialog
          title={`Drain ${agent.name}?`}
          verb="Drain it"
          isDestructive
          error={order.error}
          isBusy={order.isPending}
          onConfirm={(why) => give('drain', { why, letFinish })}
          onClose={close}
        >
          <p>
            It takes nothing new, and what it runs stops at its next checkpoint, to go on on another agent.
          </p>
          <label>
            <input
              type="checkbox"
              checked={letFinish}
              onChange={(event) => setLetFinish(event.target.checked)}
            />{' '}
            Let its jobs go on to their ends
          </label>
        </ConfirmDialog>
      )}
    </div>
  );
}
