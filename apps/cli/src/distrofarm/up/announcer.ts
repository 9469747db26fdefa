import { toJson } from '../cleaned.js';
import { neutralise } from '../../distro-const/neutralise.js';
import { clockTime } from '../moments.js';
import type { Session } from '../session.js';

/** What a person needs to know of a farm that has started. */
export interface FarmFacts {
  readonly url: string;
  /** From other machines; `null` when it is reached from this one only. */
  readonly publicUrl: string | null;
  readonly data: string;
  readonly logs: string;
  readonly store: string;
  readonly agent: string;
  readonly slots: number;
  readonly profile: string;
  readonly tryThis: string;
}

/** Says what becomes of the farm: a line per change, or a JSON object per line. */
export class Announcer {
  constructor(private readonly session: Session) {}

  async changed(part: string, text: string, words: readonly string[] = []): Promise<void> {
    const { now } = this.session.io;
    if (this.session.json) {
      await this.#print(toJson({ type: 'part', at: now(), part, text, words }));
      return;
    }
    await this.#print(
      `${clockTime(now())} ${part.padEnd('coordinator'.length)} ${text}`,
      ...words.map((line) => `           | ${neutralise(line)}`),
    );
  }

  async started(facts: FarmFacts): Promise<void> {
    if (this.session.json) {
      await this.#print(toJson({ type: 'up', ...facts }));
      return;
    }
    const { url, publicUrl, data, logs, store, agent, slots, tryThis } = facts;
    await this.#print(
      '',
      `The farm is up: ${url}${publicUrl === null ? '' : ` (from elsewhere: ${publicUrl})`}`,
      `  data   ${data}`,
      `  logs   ${logs}`,
      `  store  ${store}`,
      `  agent  ${agent}, ${slots === 1 ? '1 job' : `${slots} jobs`} at a time`,
      '',
      'Try it, in another terminal:',
      `  ${tryThis}`,
      '',
      'Ctrl-C stops it. What is being built then goes on at the next start.',
      '',
    );
  }

  /** After a hang-up there is nobody to tell, and the terminal is an error to write to. */
  async #print(...lines: readonly string[]): Promise<void> {
    const { signal } = this.session.io;
    if (signal.aborted && (signal.reason as Error).message === 'SIGHUP') return;
    await this.session.print(...lines);
  }
}
