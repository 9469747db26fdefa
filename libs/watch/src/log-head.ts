/** What stands in front of each line of an attempt's log. */
export interface LogHead {
  /** Milliseconds since 1970. */
  readonly at: number;
  /** Name of a step, or `-`. */
  readonly step: string;
  /** Of the script, or `note`: a line of the agent's own. */
  readonly stream: 'out' | 'err' | 'note';
  /** Whether a newline followed in the original. */
  readonly complete: boolean;
  /** Of the head, in bytes and in characters: it is ASCII. */
  readonly length: number;
}

/** `<ISO time> <step> <stream>| <bytes>`, with `>` where no newline followed; see libs/build-area build-log.ts, which writes it. */
const HEAD = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z) (\S{1,64}) (out|err|dc )([|>]) /;
/** No head is longer. Characters. */
export const MAX_LOG_HEAD = 128;

/** `null` for a line that is not of the log's form. */
export function readLogHead(line: string): LogHead | null {
  const head = HEAD.exec(line);
  if (head === null) return null;
  const [whole, time = '', step = '-', stream, mark] = head;
  return {
    at: Date.parse(time),
    step,
    stream: stream === 'out' || stream === 'err' ? stream : 'note',
    complete: mark === '|',
    length: whole.length,
  };
}

/** Whether the agent says that it could not keep what a script wrote. No script can say so: its own lines are of another stream. */
export function saysLoss(stream: LogHead['stream'], text: string): boolean {
  return stream === 'note' && /^\d+ bytes lost here\b/.test(text);
}
