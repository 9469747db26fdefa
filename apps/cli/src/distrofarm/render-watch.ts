import picocolors from 'picocolors';
import { describeStandings, formatDuration, type StepMark, type WatchRow, type WatchView } from '#libs/watch';
import { clockTime } from './moments.js';
import { cut, cutMiddle, fit } from './text-table.js';

export interface ScreenSize {
  readonly width: number;
  readonly height: number;
}

type Colours = ReturnType<typeof picocolors.createColors>;

/** Each reads without colour too. */
const SYMBOLS: Readonly<Record<StepMark, string>> = {
  done: '✓',
  running: '▸',
  failed: '✗',
  interrupted: '!',
  paused: '‖',
  waiting: '·',
};

/** Of the screen's width; on a narrow one at least so many cells. */
const LABEL_SHARE = 0.35;
const MIN_LABEL = 24;
const MAX_AGENT = 16;
/** Rows that say most come first when not all fit. */
const URGENCY: Readonly<Record<WatchRow['state'], number>> = {
  failed: 0,
  running: 1,
  assigned: 2,
  paused: 3,
  waiting: 4,
  cancelled: 5,
  blocked: 6,
  succeeded: 7,
};

/** The screen as lines, none wider than `width` and not more than `height`. `view` has been made harmless before. */
export function renderWatch(
  view: WatchView,
  { width, height }: ScreenSize,
  now: number,
  colours: Colours = picocolors.createColors(false),
): readonly string[] {
  const head = headOf(view, width, now, colours);
  const foot = footOf(view, width, now, colours);
  const room = Math.max(1, height - head.length - foot.length);
  return [...head, ...rowsOf(view, width, room, now, colours), ...foot].slice(0, Math.max(1, height));
}

function headOf(view: WatchView, width: number, now: number, colours: Colours): readonly string[] {
  const took = formatDuration((view.endedAt ?? now) - view.since);
  const wish = view.wish === null ? '' : `, ${view.wish} asked for`;
  const state = `${view.state}${wish}`;
  const rest = `  ${took}  ${view.steps.done} of ${view.steps.total} steps`;
  const name = cut(`${view.name}  ${view.id}`, width - state.length - rest.length - 2);
  const line = `${colours.bold(name)}  ${paint(view.state, colours)(state)}${rest}`;
  // A very narrow screen shows the beginning of it, without colours.
  const head = name.length < 8 ? cut(`${view.id} ${state}${rest}`, width) : line;
  if (view.variants.length < 2) return [head];
  return [head, cut(describeStandings(view.variants), width)];
}

function footOf(view: WatchView, width: number, now: number, colours: Colours): readonly string[] {
  const warning =
    view.warning === null
      ? []
      : [colours.yellow(cut(`warning ${clockTime(view.warning.at)}: ${view.warning.text}`, width))];
  const lost =
    view.lost === null ? [] : [colours.yellow(cut(`not connected: ${view.lost}; trying again`, width))];
  const over = view.endedAt !== null && view.endedAt <= now;
  const keys = over ? [] : [colours.dim(cut('Ctrl-C leaves this screen; the build goes on', width))];
  return [...warning, ...lost, ...keys];
}

function rowsOf(
  view: WatchView,
  width: number,
  room: number,
  now: number,
  colours: Colours,
): readonly string[] {
  const columns = {
    label: Math.min(
      Math.max(MIN_LABEL, Math.floor(width * LABEL_SHARE)),
      Math.max(4, ...view.rows.map(({ label }) => label.length)),
    ),
    marks: Math.max(...view.rows.map(({ marks }) => marks.length), 0),
    agent: Math.min(MAX_AGENT, Math.max(0, ...view.rows.map(({ agent }) => (agent ?? '').length))),
  };
  const shown = view.rows.length <= room ? view.rows : mostUrgent(view.rows, room - 1);
  const lines = shown.map((row) => rowLine(row, columns, width, now, colours));
  return shown.length === view.rows.length
    ? lines
    : [...lines, colours.dim(cut(describeHidden(view.rows, shown), width))];
}

/** In their own order. */
function mostUrgent(rows: readonly WatchRow[], count: number): readonly WatchRow[] {
  const chosen = new Set(
    rows.toSorted((a, b) => URGENCY[a.state] - URGENCY[b.state]).slice(0, Math.max(0, count)),
  );
  return rows.filter((row) => chosen.has(row));
}

function describeHidden(rows: readonly WatchRow[], shown: readonly WatchRow[]): string {
  const counts = new Map<string, number>();
  const visible = new Set(shown);
  const hidden = rows.filter((row) => !visible.has(row));
  for (const { state } of hidden) counts.set(state, (counts.get(state) ?? 0) + 1);
  return `  ${hidden.length} more: ${[...counts].map(([state, count]) => `${count} ${state}`).join(', ')}`;
}

interface Columns {
  readonly label: number;
  readonly marks: number;
  readonly agent: number;
}

function rowLine(row: WatchRow, columns: Columns, width: number, now: number, colours: Colours): string {
  const head = `  ${fit(cutMiddle(row.label, columns.label), columns.label)}  `;
  // The words matter more than the marks of steps long past.
  const marksRoom = Math.max(0, Math.min(columns.marks, width - head.length - 2 - 20));
  const marks = marksOf(row.marks, marksRoom);
  const agentRoom = width - head.length - marksRoom - 2 - columns.agent - 2 >= 20 ? columns.agent : 0;
  const agent = agentRoom === 0 ? '' : `${fit(row.agent ?? '', agentRoom)}  `;
  const used = head.length + marksRoom + 2 + agent.length;
  const words = cut(wordsOf(row, now), Math.max(0, width - used));
  if (used > width) return cut(`  ${row.label} ${row.state}`, width);
  return `${head}${paintMarks(marks, marksRoom, colours)}  ${colours.dim(agent)}${paint(row.state, colours)(words)}`.trimEnd();
}

/** All of them, or those around the first that is not done, between dots. */
function marksOf(marks: readonly StepMark[], room: number): readonly (StepMark | 'cut')[] {
  if (marks.length <= room) return marks;
  if (room < 3) return [];
  const at = marks.findIndex((mark) => mark !== 'done');
  const start = Math.max(0, Math.min((at < 0 ? marks.length : at) - 1, marks.length - room));
  const window: (StepMark | 'cut')[] = marks.slice(start, start + room);
  if (start > 0) window[0] = 'cut';
  if (start + room < marks.length) window[room - 1] = 'cut';
  return window;
}

function paintMarks(marks: readonly (StepMark | 'cut')[], room: number, colours: Colours): string {
  const painted = marks.map((mark) => (mark === 'cut' ? '…' : markColour(mark, colours)(SYMBOLS[mark])));
  return painted.join('') + ' '.repeat(room - marks.length);
}

function markColour(mark: StepMark, colours: Colours): (text: string) => string {
  switch (mark) {
    case 'done':
      return colours.green;
    case 'running':
      return colours.cyan;
    case 'failed':
    case 'interrupted':
      return colours.red;
    case 'paused':
      return colours.yellow;
    case 'waiting':
      return colours.dim;
  }
}

function wordsOf({ running, remark, state, isOptional }: WatchRow, now: number): string {
  if (running === null) {
    const words = state === 'failed' && isOptional ? 'failed (optional)' : state;
    return remark === '' ? words : state === 'running' ? remark : `${words}: ${remark}`;
  }
  return `${running.name} ${progressOf(now - running.since, running.usualMs)}  ${running.message}`;
}

/** `1m20s of about 2m00s, 66%`; longer than usual has no share. */
function progressOf(elapsedMs: number, usualMs: number | null): string {
  const elapsed = formatDuration(elapsedMs);
  if (usualMs === null || usualMs <= 0) return elapsed;
  const usual = formatDuration(usualMs);
  if (elapsedMs > usualMs) return `${elapsed}, usually ${usual}`;
  return `${elapsed} of about ${usual}, ${Math.floor((elapsedMs / usualMs) * 100)}%`;
}

function paint(state: string, colours: Colours): (text: string) => string {
  switch (state) {
    case 'succeeded':
      return colours.green;
    case 'failed':
      return colours.red;
    case 'paused':
    case 'cancelled':
      return colours.yellow;
    case 'running':
      return colours.cyan;
    default:
      return colours.dim;
  }
}
