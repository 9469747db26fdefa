import type { Violation } from './invariants/evidence.js';
import type { Injected } from './run-mix.js';

/** What became of one kind of fault. */
export interface CertificateRow {
  readonly fault: string;
  readonly injected: number;
  readonly touched: number;
  readonly recovered: number;
  readonly worstMs: number | null;
}

export interface Certificate {
  readonly rows: readonly CertificateRow[];
  readonly faults: number;
  readonly builds: number;
  readonly violations: number;
  /** Where faults hit that wait for a moment: `fault at step`, with how often. */
  readonly places: ReadonlyMap<string, number>;
}

export interface Round {
  readonly injected: readonly Injected[];
  readonly violations: readonly Violation[];
  readonly builds: number;
}

/** A build counts as recovered when no rule was violated that names it, and none that names no build. */
export function certificateOf(names: readonly string[], rounds: readonly Round[]): Certificate {
  const places = new Map<string, number>();
  for (const { fault, where } of rounds.flatMap(({ injected }) => injected)) {
    if (where !== null) places.set(`${fault} at ${where}`, (places.get(`${fault} at ${where}`) ?? 0) + 1);
  }
  const sum = (of: (round: Round) => number): number => rounds.reduce((total, round) => total + of(round), 0);
  return {
    rows: names.map((name) => rowOf(name, rounds)),
    faults: sum(({ injected }) => injected.length),
    builds: sum(({ builds }) => builds),
    violations: sum(({ violations }) => violations.length),
    places,
  };
}

function rowOf(fault: string, rounds: readonly Round[]): CertificateRow {
  const row = { fault, injected: 0, touched: 0, recovered: 0, worstMs: null as number | null };
  for (const { injected, violations } of rounds) {
    const broken = new Set(violations.map(({ build }) => build));
    for (const { touched, goesOnMs } of injected.filter((each) => each.fault === fault)) {
      row.injected += 1;
      row.touched += touched.length;
      if (!broken.has(null)) row.recovered += touched.filter((build) => !broken.has(build)).length;
      if (goesOnMs !== null) row.worstMs = Math.max(row.worstMs ?? 0, goesOnMs);
    }
  }
  return row;
}

/** As Markdown. */
export function certificateTable({ rows, faults, builds, violations, places }: Certificate): string {
  const lines = rows.map(({ fault, injected, touched, recovered, worstMs }) => {
    const worst = worstMs === null ? '–' : `${(worstMs / 1000).toFixed(1)} s`;
    return `| ${fault} | ${injected} | ${touched} | ${recovered} | ${worst} |`;
  });
  const hit = [...places]
    .toSorted(([a], [b]) => a.localeCompare(b))
    .map(([place, times]) => `${place}: ${times}`);
  return [
    '| fault | injected | builds it touched | of these ended bit-identical | longest until a step began |',
    '|---|---|---|---|---|',
    ...lines,
    '',
    `${faults} faults, ${builds} builds, ${violations} violations.`,
    `Hit at ${places.size} places: ${hit.join(', ')}`,
  ].join('\n');
}
