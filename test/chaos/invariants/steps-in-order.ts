import { buildOf, type Evidence, type Violation } from './evidence.js';

export function* stepsInOrder({ truth, steps, events }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 4, text, build });
  const ended = new Set<string>();
  for (const { what, step, found, foundOf, area, host, execution } of truth) {
    if (what === 'end') ended.add(execution);
    if (what !== 'begin') continue;
    const half = foundOf.find((each) => !ended.has(each));
    if (half !== undefined)
      yield wrong(`${step} on ${host} found the effects of ${half}, which had not ended`, buildOf(area));
    const after = steps.find(({ name }) => name === step)?.after ?? [];
    if (found.join() !== after.join())
      yield wrong(`${step} on ${host} found the effects of [${found.join(', ')}]`, buildOf(area));
  }
  const reached = new Map<string, { readonly index: number; readonly done: boolean }>();
  const labels = new Map<unknown, unknown>();
  for (const { type, attempt, build, data } of events) {
    const checkpoint = data['checkpoint'];
    if (type === 'checkpoint-taken' || type === 'checkpoint-fetched') labels.set(checkpoint, data['label']);
    if (
      type === 'resumed' &&
      labels.has(checkpoint) &&
      labels.get(checkpoint) !== `.step_${String(data['step'])}`
    )
      yield wrong(`it resumed at ${String(data['step'])} from ${String(labels.get(checkpoint))}`, build);
    if (attempt === null || (type !== 'step-started' && type !== 'step-ended')) continue;
    const index = Number(data['index']);
    const before = reached.get(attempt);
    if (type === 'step-started' && before !== undefined && !(before.done && before.index === index - 1))
      yield wrong(`attempt ${attempt} started step ${index} after ${before.index}`, build);
    const succeeded = (data['outcome'] as { kind?: string } | undefined)?.kind === 'succeeded';
    if (type === 'step-ended' && before?.index !== index)
      yield wrong(`attempt ${attempt} ended step ${index}, which it had not started`, build);
    reached.set(attempt, { index, done: type === 'step-ended' && succeeded });
  }
}
