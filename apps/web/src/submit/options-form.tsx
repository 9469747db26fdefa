import { useId, type ReactNode } from 'react';
import type { Priority } from '#libs/contracts';
import type { Manifest } from '#libs/manifest';
import { showUnseen } from '../session/visible-text.js';
import type { Choice } from './choice.js';
import type { DroppedText } from './gather.js';

const PRIORITIES: readonly Priority[] = ['low', 'normal', 'high'];

interface OptionsFormProps {
  readonly manifest: Manifest;
  readonly spare: readonly DroppedText[];
  readonly choice: Choice;
  readonly onDecide: (part: Partial<Choice>) => void;
}

/** What the command line has options for, as far as people use them every day. */
export function OptionsForm({ manifest, spare, choice, onDecide }: OptionsFormProps) {
  const ids = { priority: useId(), pause: useId(), note: useId() };
  return (
    <section aria-label="Options">
      <h2>Options</h2>
      <div className="filters">
        <label htmlFor={ids.priority}>Priority</label>
        <select
          id={ids.priority}
          value={choice.priority}
          onChange={({ target }) => onDecide({ priority: target.value as Priority })}
        >
          {PRIORITIES.map((priority) => (
            <option key={priority}>{priority}</option>
          ))}
        </select>
        <label htmlFor={ids.pause}>Pause before</label>
        <select
          id={ids.pause}
          value={choice.pauseBefore ?? ''}
          onChange={({ target }) => onDecide({ pauseBefore: target.value === '' ? null : target.value })}
        >
          <option value="">no step</option>
          {manifest.steps.map(({ name }) => (
            <option key={name}>{name}</option>
          ))}
        </select>
        <label htmlFor={ids.note}>Note</label>
        <input
          id={ids.note}
          value={choice.note}
          maxLength={500}
          onChange={({ target }) => onDecide({ note: target.value })}
        />
      </div>
      <div className="choices">
        <Tick isTicked={!choice.reuse} onTick={(ticked) => onDecide({ reuse: !ticked })}>
          Run every step, also those that other builds have made already
        </Tick>
        <Tick isTicked={choice.waitForReplicas} onTick={(waitForReplicas) => onDecide({ waitForReplicas })}>
          Start no step before the copies of the checkpoint in front of it are there
        </Tick>
        <Tick isTicked={choice.waitForAgents} onTick={(waitForAgents) => onDecide({ waitForAgents })}>
          Take it even when no agent of today could run it
        </Tick>
        {spare.map(({ name }) => (
          <Tick
            key={name}
            isTicked={choice.extras.includes(name)}
            onTick={(ticked) =>
              onDecide({
                extras: [...choice.extras.filter((each) => each !== name), ...(ticked ? [name] : [])],
              })
            }
          >
            Send {showUnseen(name)} along, which nothing names
          </Tick>
        ))}
      </div>
    </section>
  );
}

interface TickProps {
  readonly isTicked: boolean;
  readonly onTick: (isTicked: boolean) => void;
  readonly children: ReactNode;
}

function Tick({ isTicked, onTick, children }: TickProps) {
  return (
    <label>
      <input type="checkbox" checked={isTicked} onChange={({ target }) => onTick(target.checked)} />{' '}
      {children}
    </label>
  );
}
