import { readFileSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** The value below which that share of them lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

export function row(what: string, measured: string, target = ''): void {
  console.log(`| ${what.padEnd(74)} | ${measured.padStart(16)} | ${target.padStart(10)} |`);
}

/** The head of a part's table. The load tells who else was measured. */
export function head(title: string): void {
  const load = loadavg()[0]?.toFixed(1) ?? '';
  const memory = Math.round(totalmem() / 1024 ** 3);
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? ''}, ${memory} GB, Linux ${release()}`;
  console.log(`\n${title}\n${machine}, node ${process.version}, load ${load} now\n`);
  row('what', 'measured', 'target');
  row('---', '---', '---');
}

export function ms(value: number): string {
  return `${value.toFixed(value < 10 ? 1 : 0)} ms`;
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1024 ** 2)} MB`;
}

/** From now on, `peakMemory` of the process begins with what it has now. */
export function forgetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, '5');
}

/** Most that a process has had in memory so far, in bytes. */
export function peakMemory(pid: number): number {
  return 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}

/** Processor time that a process has used so far, its threads included, in seconds. */
export function processorTime(pid: number): number {
  const afterName = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  const TICKS_PER_SECOND = 100;
  return (Number(afterName[11]) + Number(afterName[12])) / TICKS_PER_SECOND;
}
