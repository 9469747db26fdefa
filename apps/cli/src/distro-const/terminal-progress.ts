import type { BuildEvent, BuildResult, StepOutcome } from '#libs/engine';
import type { PlannedStep } from '#libs/plan';
import { describeOutcome } from '#libs/watch';
import picocolors from 'picocolors';
import { neutralise } from './neutralise.js';
import type { BuildHeader, MediaFile, Progress } from './progress.js';
import { describePassedOver } from './wording.js';

/** The part of a terminal this needs; `process.stderr` is one. */
export interface Terminal {
  write(text: string): unknown;
  readonly columns?: number;
}

const pc = picocolors.createColors(process.env['NO_COLOR'] === undefined);
const REDRAW_MS = 250;
/** Of a failed step's stderr, shown again where the eye is. */
const TAIL_LINES = 20;

/** For people at a terminal: a line per step, the running one live with its elapsed time and the script's last word. */
export class TerminalProgress implements Progress {
  #running: { readonly step: PlannedStep; readonly since: number; readonly tail: string[] } | null = null;
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly terminal: Terminal,
    private readonly now: () => number = () => Date.now(),
  ) {}

  started(header: BuildHeader): void {
    this.#print(`${pc.bold(header.distribution)}  ${header.steps} steps in ${header.dataset ?? header.path}`);
    this.#print(pc.dim(header.store));
    this.#print(pc.dim(`detail log: ${header.detailLog}`));
  }

  event(event: BuildEvent): void {
    switch (event.type) {
      case 'step-started':
        return this.#start(event.step);
      case 'step-ended':
        return this.#end(event.step, event.outcome);
      case 'job-reused':
        return this.#print(pc.dim(describePassedOver(event.job, event.checkpoint)));
      case 'resumed':
        return this.#print(pc.dim(`resumed at ${event.before.name}, from its checkpoint`));
      case 'output-imported':
        return this.#print(pc.dim(`  ${event.path} from lane ${event.lane}`));
      case 'job-started':
        return event.job.lane === 'main' ? undefined : this.#print(pc.dim(`lane ${event.job.lane}`));
      case 'checkpoint-taken':
        return;
    }
  }

  line(_step: PlannedStep, text: string): void {
    const tail = this.#running?.tail;
    if (tail === undefined) return;
    tail.push(neutralise(text));
    if (tail.length > TAIL_LINES) tail.shift();
  }

  warning(text: string): void {
    this.#print(`${pc.yellow('warning:')} ${text}`);
  }

  ended(result: BuildResult, text: string, media: readonly MediaFile[]): void {
    clearInterval(this.#timer);
    const good = result.kind === 'finished' || result.kind === 'paused';
    for (const { path, bytes } of media)
      this.#print(`  ${path}  ${pc.dim(`${(bytes / 1e6).toFixed(1)} MB`)}`);
    this.#print(good ? pc.green(text) : pc.red(text));
  }

  #start(step: PlannedStep): void {
    this.#running = { step, since: this.now(), tail: [] };
    this.#redraw();
    this.#timer = setInterval(() => this.#redraw(), REDRAW_MS);
  }

  #end(step: PlannedStep, outcome: StepOutcome): void {
    clearInterval(this.#timer);
    const running = this.#running;
    this.#running = null;
    const good = outcome.kind === 'succeeded';
    const took = seconds(this.now() - (running?.since ?? this.now()));
    this.#print(`${good ? pc.green('✓') : pc.red('✗')} ${row(step)} ${took}`);
    if (good) return;
    for (const line of running?.tail ?? []) this.#print(pc.dim(`    ${line}`));
    this.#print(pc.red(`  ${step.name} ${describeOutcome(outcome)}`));
  }

  #redraw(): void {
    const running = this.#running;
    if (running === null) return;
    const head = `▸ ${row(running.step)} ${seconds(this.now() - running.since)}`;
    const room = (this.terminal.columns ?? 80) - head.length - 3;
    const lastWord = (running.tail.at(-1) ?? '').replace(/\t/g, ' ').slice(0, Math.max(0, room));
    this.terminal.write(`\r\x1b[K${head}  ${pc.dim(lastWord)}`);
  }

  #print(line: string): void {
    this.terminal.write(`\r\x1b[K${line}\n`);
    this.#redraw();
  }
}

function row(step: PlannedStep): string {
  return `${step.name.padEnd(14)} ${step.message.padEnd(44).slice(0, 44)}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`.padStart(8);
}
