import fc from 'fast-check';
import type { AgentId } from '#libs/contracts';

/** What goes wrong, or what a user wants, and when: milliseconds since the submission. `agent` counts round the farm's agents. */
export type Fault = { readonly at: number } & (
  | { readonly kind: 'kill'; readonly agent: number; readonly forMs: number; readonly losesTail: boolean }
  /** With all that it holds. The last agent stays. */
  | { readonly kind: 'lose'; readonly agent: number }
  | { readonly kind: 'pause-process' | 'pause-host'; readonly agent: number; readonly forMs: number }
  | {
      readonly kind: 'cut';
      readonly agent: number;
      readonly forMs: number;
      readonly direction: 'to' | 'from' | 'both';
    }
  | { readonly kind: 'restart-coordinator'; readonly forMs: number }
  | { readonly kind: 'flush' }
  /** So many times that step takes its agent's process with it. */
  | { readonly kind: 'poison'; readonly step: number; readonly times: number }
  | { readonly kind: 'fail-step'; readonly step: number }
  | { readonly kind: 'user-pause' }
  | { readonly kind: 'user-pause-before' | 'user-resume-from'; readonly step: number }
  | { readonly kind: 'user-resume' }
  | { readonly kind: 'user-cancel' }
);

export interface Schedule {
  /** Of SHAPES. */
  readonly shape: number;
  readonly agents: number;
  /** Of a hundred messages, so many are lost, come twice or come late. */
  readonly noise: number;
  /** Of all that is left to chance: how long steps and messages take, which messages the noise meets. */
  readonly seed: number;
  readonly faults: readonly Fault[];
}

export function nameOfAgent(index: number): AgentId {
  return `a-${index}` as AgentId;
}

const LATEST_MS = 60_000;
const LONGEST_MS = 120_000;
const at = fc.integer({ min: 0, max: LATEST_MS });
const forMs = fc.integer({ min: 500, max: LONGEST_MS });
const agent = fc.nat(2);
const step = fc.nat(4);

function fault<K extends Fault['kind'], T extends object>(
  kind: K,
  rest: fc.Arbitrary<T>,
): fc.Arbitrary<{ readonly kind: K; readonly at: number } & T> {
  return fc.tuple(at, rest).map(([at, more]) => ({ kind, at, ...more }));
}

const FAULTS: { readonly [K in Fault['kind']]: fc.Arbitrary<Fault> } = {
  kill: fault('kill', fc.record({ agent, forMs, losesTail: fc.boolean() })),
  lose: fault('lose', fc.record({ agent })),
  'pause-process': fault('pause-process', fc.record({ agent, forMs })),
  'pause-host': fault('pause-host', fc.record({ agent, forMs })),
  cut: fault('cut', fc.record({ agent, forMs, direction: fc.constantFrom('to', 'from', 'both') })),
  'restart-coordinator': fault('restart-coordinator', fc.record({ forMs })),
  flush: fault('flush', fc.constant({})),
  poison: fault('poison', fc.record({ step, times: fc.integer({ min: 1, max: 6 }) })),
  'fail-step': fault('fail-step', fc.record({ step })),
  'user-pause': fault('user-pause', fc.constant({})),
  'user-pause-before': fault('user-pause-before', fc.record({ step })),
  'user-resume': fault('user-resume', fc.constant({})),
  'user-resume-from': fault('user-resume-from', fc.record({ step })),
  'user-cancel': fault('user-cancel', fc.constant({})),
};

/** @param kinds only these faults happen; @param noise at least so much */
export function schedules(
  kinds: readonly Fault['kind'][] = Object.keys(FAULTS) as Fault['kind'][],
  noise = 0,
): fc.Arbitrary<Schedule> {
  return fc.record({
    shape: fc.nat(2),
    agents: fc.integer({ min: 1, max: 3 }),
    noise: fc.integer({ min: noise, max: 30 }),
    seed: fc.nat(),
    faults: fc.array(fc.oneof(...kinds.map((kind) => FAULTS[kind])), { maxLength: 6 }),
  });
}

export const anySchedule = schedules();
