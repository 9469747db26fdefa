/** What the headers of an answer say of the log of an attempt, as it was when the answer began. */
export interface LogEnd {
  /** The attempt is over, and all of its log is here. */
  readonly isComplete: boolean;
  /** Bytes that an attempt which is over has written, and that are not here. */
  readonly missing: number;
  /** The attempt was lost, and nobody has said how long its log is. */
  readonly breaksOff: boolean;
}

/** @param header the value of a header by its name in lower case; nothing where it is not there */
export function readLogEnd(header: (name: string) => string | null | undefined): LogEnd {
  return {
    isComplete: header('distrofarm-log-complete') === 'true',
    missing: Number(header('distrofarm-log-missing') ?? 0),
    breaksOff: header('distrofarm-log-breaks-off') === 'true',
  };
}

/** What to tell whoever has read to the end of an attempt that is over, when that is not all of its log; else `null`. */
export function describeLogGap(
  { missing, breaksOff }: Omit<LogEnd, 'isComplete'>,
  attempt: string,
): string | null {
  if (breaksOff)
    return `the log of ${attempt} breaks off here: the attempt was lost with its agent, which may have written more`;
  if (missing === 0) return null;
  return `${missing} bytes are missing at the end of the log of ${attempt}: they have not come from its agent`;
}
