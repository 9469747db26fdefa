import { hasSucceeded, type Evidence, type LogEvidence, type Violation } from './evidence.js';
import { runsOf, tracedIn, type Traced } from './executions.js';

export function* withoutHoles({ builds, events, truth, linesOfStep }: Evidence): Iterable<Violation> {
  const wrong = (text: string, build: string | null): Violation => ({ invariant: 7, text, build });
  for (const [index, { seq }] of events.entries()) {
    if (seq !== index + 1) {
      yield wrong(`event ${seq} came where ${index + 1} was expected`, null);
      break;
    }
  }
  const revoked = new Set(events.filter(({ type }) => type === 'agent-revoked').map(({ agent }) => agent));
  for (const { detail, logs, traces } of builds.filter(hasSucceeded)) {
    for (const attempt of detail.jobs.flatMap(({ attempts }) => attempts)) {
      const log = logs.get(attempt.id);
      const bytes = Buffer.byteLength(log?.text ?? '');
      if (bytes !== attempt.logBytes)
        yield wrong(
          `the log of ${attempt.id} has ${bytes} bytes, and ${attempt.logBytes} are said`,
          detail.id,
        );
      if (log === undefined || revoked.has(attempt.agent)) continue;
      if (log.missing > 0)
        yield wrong(`${log.missing} bytes of the log of ${attempt.id} never came`, detail.id);
      if (log.breaksOff && attempt.end?.kind === 'succeeded')
        yield wrong(`the log of ${attempt.id} breaks off, which succeeded`, detail.id);
    }
    const runs = runsOf(detail, truth, logs);
    for (const traced of traces.flatMap(tracedIn)) {
      const attempt = runs.get(traced.execution)?.attempt ?? null;
      const log = attempt === null ? undefined : logs.get(attempt.id);
      if (log === undefined) continue;
      const said = whatTheLogLacks(log, traced, linesOfStep);
      if (said !== null) yield wrong(`${traced.step}: ${said}`, detail.id);
    }
  }
}

/** A log that says that bytes are lost may lack them; one that is said to break off, or not to be whole, may lack its end. */
function whatTheLogLacks(
  { text, missing, breaksOff }: LogEvidence,
  { execution }: Traced,
  linesOfStep: number,
): string | null {
  if (/ dc \| \d+ bytes lost here/.test(text)) return null;
  const found = text.matchAll(new RegExp(`\\| line ${execution} (\\d+)$`, 'gm'));
  const lines = [...found].map(([, line]) => Number(line));
  const mayLackItsEnd = breaksOff || missing > 0;
  const isWhole =
    lines.every((line, index) => line === index + 1) && (mayLackItsEnd || lines.length === linesOfStep);
  return isWhole ? null : `it wrote lines 1 to ${linesOfStep}, the log has ${lines.join() || 'none'}`;
}
