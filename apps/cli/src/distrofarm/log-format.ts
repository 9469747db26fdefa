import { neutralise } from '../distro-const/neutralise.js';
import { toJson } from './cleaned.js';
import { rawBytes, textOf, type LogRecord } from './log-record.js';
import { clockTime } from './moments.js';
import type { Colours } from './session.js';

export type LogFormat =
  | { readonly kind: 'text'; readonly timestamps: boolean }
  /** The script's bytes. */
  | { readonly kind: 'raw' }
  | { readonly kind: 'json' };

/** As it is written, with what ends it. `label` names the job where several are shown. */
export function formatRecord(
  record: LogRecord,
  format: LogFormat,
  label: string,
  colours: Colours,
): string | Uint8Array {
  switch (format.kind) {
    case 'raw':
      return rawBytes(record);
    case 'json': {
      const { at, step, stream, complete } = record;
      return `${toJson({ ...(label === '' ? {} : { job: label }), at, step, stream, text: textOf(record), complete })}\n`;
    }
    case 'text': {
      const time = format.timestamps ? `${record.at === null ? '        ' : clockTime(record.at)} ` : '';
      const who = [label, record.step].filter((part) => part !== '').join(' ');
      const text = neutralise(textOf(record));
      return `${colours.dim(`${time}${neutralise(who)}|`)} ${record.stream === 'note' ? colours.dim(text) : text}\n`;
    }
  }
}
