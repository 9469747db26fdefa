import { describe, expect, it } from '@jest/globals';
import picocolors from 'picocolors';
import type { WatchRow, WatchView } from '#libs/watch';
import { renderWatch } from './render-watch.js';
import { shownWidth } from './text-table.js';

const row = (part: Partial<WatchRow>): WatchRow => ({
  label: 'main',
  state: 'waiting',
  isOptional: false,
  agent: null,
  marks: ['waiting', 'waiting'],
  running: null,
  remark: '',
  ...part,
});
const view = (part: Partial<WatchView>): WatchView => ({
  name: 'Debian_Live',
  id: 'b-0123456789',
  state: 'running',
  wish: null,
  since: 0,
  endedAt: null,
  steps: { total: 6, done: 2 },
  variants: [],
  rows: [],
  warning: null,
  lost: null,
  ...part,
});
const running = (since: number, usualMs: number | null) => ({
  name: 'im-mod',
  message: 'Modify the image',
  since,
  usualMs,
});

describe('renderWatch', () => {
  it('is one screen', () => {
    const rows = [
      row({
        label: 'x86-64',
        state: 'running',
        agent: 'builder-1',
        marks: ['done', 'running', 'waiting'],
        running: running(60_000, 120_000),
      }),
      row({
        label: 'x86-32',
        state: 'failed',
        marks: ['done', 'failed', 'waiting'],
        remark: 'im-mod exited with status 3',
      }),
      row({ label: 'main', state: 'blocked', marks: ['waiting', 'paused'], remark: 'waits for x86-64' }),
    ];
    const warning = { at: new Date(2026, 0, 1, 9, 8, 7).getTime(), text: 'x86-64: disk is slow' };
    expect(
      renderWatch(view({ rows, warning, lost: 'connection refused' }), { width: 100, height: 24 }, 140_000),
    ).toEqual([
      'Debian_Live  b-0123456789  running  2m20s  2 of 6 steps',
      '  x86-64  ✓▸·  builder-1  im-mod 1m20s of about 2m00s, 66%  Modify the image',
      '  x86-32  ✓✗·             failed: im-mod exited with status 3',
      '  main    ·‖              blocked: waits for x86-64',
      'warning 09:08:07: x86-64: disk is slow',
      'not connected: connection refused; trying again',
      'Ctrl-C leaves this screen; the build goes on',
    ]);
  });

  it('tells an optional variant that failed from one that the build needs, and how many are where', () => {
    const rows = [
      row({ label: 'server/main', state: 'failed', isOptional: true, remark: 'iso exited with status 1' }),
      row({ label: 'locale-de.edition-rescue-with-all-tools/x86-64', state: 'succeeded' }),
    ];
    const steps = { done: 1, total: 2 };
    const variants = (['succeeded', 'failed', 'running', 'succeeded'] as const).map((state, index) => ({
      ...{ name: `v${index}`, isOptional: state === 'failed', state, steps },
    }));
    expect(renderWatch(view({ rows, variants, endedAt: 1 }), { width: 80, height: 24 }, 1).slice(1)).toEqual([
      '4 variants: 1 failed (optional), 1 running, 2 succeeded',
      '  server/main                   ··  failed (optional): iso exited with status 1',
      '  locale-de.edit…-tools/x86-64  ··  succeeded',
    ]);
  });

  it.each([
    [30_000, 120_000, 'im-mod 30s of about 2m00s, 25%'],
    [121_000, 120_000, 'im-mod 2m01s, usually 2m00s'],
    [4_200, null, 'im-mod 4.2s  Modify'],
  ])('shows %d ms of usually %j as %s', (elapsed, usual, text) => {
    const rows = [row({ state: 'running', running: running(0, usual) })];
    expect(renderWatch(view({ rows }), { width: 100, height: 24 }, elapsed)[1]).toContain(text);
  });

  it('shows what was asked for and is not reached yet', () => {
    expect(renderWatch(view({ wish: 'cancel' }), { width: 80, height: 24 }, 0)[0]).toContain(
      'running, cancel asked for',
    );
  });

  it('stops the clock of a build that is over, and does not offer to leave it', () => {
    const lines = renderWatch(
      view({ state: 'succeeded', endedAt: 60_000 }),
      { width: 80, height: 24 },
      999_000,
    );
    expect(lines).toEqual(['Debian_Live  b-0123456789  succeeded  1m00s  2 of 6 steps']);
  });

  const many = Array.from({ length: 40 }, (_, index) =>
    row({
      label: `variant-with-a-long-name-${index}/x86-64`,
      agent: 'a-host-with-a-very-long-name.example',
      state: index === 35 ? 'failed' : index % 3 === 0 ? 'running' : 'succeeded',
      marks: Array.from({ length: 30 }, (_unused, at) => (at < index ? 'done' : 'waiting')),
      running: index % 3 === 0 ? { ...running(0, 1000), message: '像'.repeat(60) } : null,
      remark: index === 35 ? 'it '.repeat(100) : '',
    }),
  );
  it.each([
    [200, 50],
    [80, 23],
    [80, 5],
    [40, 10],
    [20, 4],
    [10, 3],
    [1, 1],
  ])('fits %d columns and %d lines, with and without colours', (width, height) => {
    const crowded = view({ rows: many, warning: { at: 0, text: 'w '.repeat(200) }, lost: 'x'.repeat(300) });
    for (const colours of [picocolors.createColors(false), picocolors.createColors(true)]) {
      const lines = renderWatch(crowded, { width, height }, 5000, colours);
      expect(lines.length).toBeLessThanOrEqual(height);
      expect(Math.max(...lines.map(shownWidth))).toBeLessThanOrEqual(width);
      expect(lines.join('')).not.toContain('\n');
    }
  });

  it('keeps what is urgent, in its order, and counts the rest', () => {
    const lines = renderWatch(view({ rows: many }), { width: 120, height: 8 }, 5000);
    expect(lines).toHaveLength(8);
    expect(lines.slice(1, 6).join('\n')).toContain('failed: it it');
    expect(lines[6]).toMatch(/^ {2}\d+ more: /);
  });

  it('shows the marks around where the work is when not all fit', () => {
    const marks = Array.from({ length: 40 }, (_, at) => (at < 30 ? ('done' as const) : ('waiting' as const)));
    const [, line] = renderWatch(view({ rows: [row({ marks })] }), { width: 40, height: 24 }, 0);
    expect(line).toMatch(/…✓*·+/);
  });
});
