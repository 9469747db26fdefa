import { describe, expect, it } from '@jest/globals';
import { planOf } from '../../../../libs/plan/src/testing.js';
import { neutralise } from './neutralise.js';
import { TerminalProgress } from './terminal-progress.js';

function visible(text: string): string {
  return text.replace(/\u001b\[\d+m/g, '').replace(/[^\n]*\r\u001b\[K/g, '');
}

describe('TerminalProgress', () => {
  const [first, second] = planOf(['im-pop', 'im-mod']).steps;
  if (first === undefined || second === undefined) throw new Error('two steps expected');

  function screen(): { progress: TerminalProgress; text: () => string; clock: { ms: number } } {
    let written = '';
    const clock = { ms: 0 };
    const terminal = { write: (text: string) => (written += text), columns: 100 };
    return { progress: new TerminalProgress(terminal, () => clock.ms), text: () => visible(written), clock };
  }

  it('leaves a line for each step, with the time it took', () => {
    const { progress, text, clock } = screen();
    progress.event({ type: 'step-started', step: first });
    progress.line(first, 'unpacking');
    clock.ms = 21_300;
    progress.event({ type: 'step-ended', step: first, outcome: { kind: 'succeeded' } });
    expect(text()).toMatch(/^✓ im-pop +Run im-pop +21\.3 s\n$/);
  });

  it('shows the last words of a failed step, harmless', () => {
    const { progress, text } = screen();
    progress.event({ type: 'step-started', step: second });
    for (let i = 0; i < 30; i += 1) progress.line(second, `line ${i}`);
    progress.line(second, 'E: \u001b[2Jcannot');
    progress.event({ type: 'step-ended', step: second, outcome: { kind: 'exited', status: 3 } });
    expect(text()).not.toContain('line 10\n');
    expect(text()).toContain('    line 29\n    E: \\x1b[2Jcannot\n  im-mod exited with status 3\n');
  });
});

describe('neutralise', () => {
  it.each([
    ['plain\ttext é ✓', 'plain\ttext é ✓'],
    ['\u001b]0;title\u0007', '\\x1b]0;title\\x07'],
    ['over\u202ewritten', 'over\\x202ewritten'],
    ['a\rb', 'a\\x0db'],
    ['\u009b31m', '\\x9b31m'],
  ])('makes %j harmless', (text, expected) => {
    expect(neutralise(text)).toBe(expected);
  });
});
