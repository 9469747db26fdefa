import { neutralise } from '../distro-const/neutralise.js';
import { writeTo } from './io.js';
import { formatRecord, type LogFormat } from './log-format.js';
import { isLoss, textOf, type LogRecord } from './log-record.js';
import type { Session } from './session.js';

/** Raw output holds nothing but the scripts' bytes, so a hole in it is told on standard error. */
export async function writeRecord(
  session: Session,
  record: LogRecord,
  format: LogFormat,
  label: string,
): Promise<void> {
  if (format.kind === 'raw' && isLoss(record)) await session.note(neutralise(textOf(record)));
  await writeTo(session.io.stdout, formatRecord(record, format, label, session.colours));
}
