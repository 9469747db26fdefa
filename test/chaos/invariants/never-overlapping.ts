import type { TruthLine } from '../truth-log.js';
import { buildOf, type Evidence, type Violation } from './evidence.js';

export function* neverOverlapping({ truth }: Evidence): Iterable<Violation> {
  const wrong = ({ area, step, host }: TruthLine, text: string): Violation => ({
    invariant: 3,
    text: `${step} on ${host}: ${text}`,
    build: buildOf(area),
  });
  const ended = new Set(truth.filter(({ what }) => what === 'end').map(({ execution }) => execution));
  const inside = new Map<string, TruthLine>();
  for (const line of truth) {
    const place = `${line.host} ${line.area} ${line.workspace}`;
    if (line.what === 'begin' && !line.alone) yield wrong(line, 'another step still had the workspace');
    const other = inside.get(place);
    if (line.what === 'begin' && other !== undefined && ended.has(other.execution))
      yield wrong(line, `${other.step} ended later`);
    if (line.what === 'begin') inside.set(place, line);
    else if (other?.execution === line.execution) inside.delete(place);
  }
}
