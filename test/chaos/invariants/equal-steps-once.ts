import type { AttemptView } from '#libs/contracts';
import type { TruthLine } from '../truth-log.js';
import { buildOf, type Evidence, type Violation } from './evidence.js';
import { runsOf } from './executions.js';

/** No step begins while another attempt has an equal one: whoever wants its state waits for it, until that attempt is given up. */
export function* equalStepsOnce({ truth, builds }: Evidence): Iterable<Violation> {
  const attempts = attemptsOf(builds, truth);
  const sames = new Sames();
  const before = new Map<number, TruthLine[]>();
  const ended = new Map(
    truth.flatMap(({ what, execution, wall }) => (what === 'end' ? [[execution, wall]] : [])),
  );
  for (const line of truth) {
    if (line.what !== 'begin') continue;
    const same = sames.of(line);
    const earlier = before.get(same) ?? [];
    before.set(same, [...earlier, line]);
    for (const other of earlier) {
      const attempt = attempts.get(other.execution);
      if (attempt === undefined || attempt.id === attempts.get(line.execution)?.id) continue;
      const until = Math.min(ended.get(other.execution) ?? Infinity, attempt.endedAt ?? Infinity);
      if (line.wall >= until) continue;
      const text = `${line.step} began on ${line.host} while attempt ${attempt.id} had an equal one on ${other.host}, for ${buildOf(other.area)}`;
      yield { invariant: 11, text, build: buildOf(line.area) };
    }
  }
}

/** Of the builds' executions. Those that are over for long were over when these began. */
function attemptsOf(builds: Evidence['builds'], truth: Evidence['truth']): ReadonlyMap<string, AttemptView> {
  const runs = builds.flatMap(({ detail, logs }) => [...runsOf(detail, truth, logs)]);
  return new Map(
    runs.flatMap(([execution, { attempt }]) => (attempt === null ? [] : [[execution, attempt]])),
  );
}

/** Numbers executions so that equal ones have one number: they are of the same script, and began with what equal ones had made. */
class Sames {
  readonly #numbers = new Map<string, number>();
  readonly #byExecution = new Map<string, number>();

  of({ execution, step, taste, foundOf }: TruthLine): number {
    const found = foundOf.map((each) => this.#byExecution.get(each) ?? each);
    const what = JSON.stringify([step, taste, found]);
    const number = this.#numbers.get(what) ?? this.#numbers.size;
    this.#numbers.set(what, number);
    this.#byExecution.set(execution, number);
    return number;
  }
}
