import type { AgentState, BuildState, JobState, StepState } from '#libs/contracts';
import type { StepMark } from '#libs/watch';

export type ShownState = BuildState | JobState | StepState | AgentState | StepMark | 'reused';
export type Tone = 'good' | 'bad' | 'busy' | 'held' | 'calm';

/** How a state is shown: its shape and its word say it, the colour only repeats it. */
export interface Look {
  readonly glyph: string;
  readonly word: string;
  readonly tone: Tone;
}

const LOOKS: Readonly<Record<ShownState, Look>> = {
  succeeded: { glyph: '✓', word: 'succeeded', tone: 'good' },
  done: { glyph: '✓', word: 'done', tone: 'good' },
  reused: { glyph: '↺', word: 'reused', tone: 'good' },
  idle: { glyph: '○', word: 'idle', tone: 'good' },
  failed: { glyph: '✕', word: 'failed', tone: 'bad' },
  lost: { glyph: '✕', word: 'lost', tone: 'bad' },
  revoked: { glyph: '⊘', word: 'revoked', tone: 'bad' },
  running: { glyph: '▶', word: 'running', tone: 'busy' },
  assigned: { glyph: '▷', word: 'assigned', tone: 'busy' },
  busy: { glyph: '●', word: 'busy', tone: 'busy' },
  paused: { glyph: '❚❚', word: 'paused', tone: 'held' },
  interrupted: { glyph: '↯', word: 'interrupted', tone: 'held' },
  cancelled: { glyph: '⊘', word: 'cancelled', tone: 'held' },
  draining: { glyph: '◐', word: 'draining', tone: 'held' },
  drained: { glyph: '◌', word: 'drained', tone: 'held' },
  waiting: { glyph: '◦', word: 'waiting', tone: 'calm' },
  blocked: { glyph: '◦', word: 'blocked', tone: 'calm' },
};

/** A farm of a newer version may have states that this page does not know: those are shown as their own words. */
export function lookOf(state: ShownState): Look {
  return (LOOKS as Readonly<Partial<typeof LOOKS>>)[state] ?? { glyph: '?', word: state, tone: 'calm' };
}
