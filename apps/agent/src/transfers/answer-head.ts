import type { Readable } from 'node:stream';
import { TransferError } from '../blobs/transfer-error.js';

export interface AnswerHead {
  readonly status: number;
  /** With the empty line behind it. */
  readonly bytes: number;
}

const END = '\r\n\r\n';
const MOST_BYTES = 16 * 1024;

/** The head of an answer of HTTP/1, whose body goes to the end of the connection; `null`: there is more of it to come. Throws TransferError. */
export function parseAnswerHead(begin: Buffer): AnswerHead | null {
  const text = begin.subarray(0, MOST_BYTES).toString('latin1');
  const end = text.indexOf(END);
  if (end === -1 && begin.length < MOST_BYTES) return null;
  const status = /^HTTP\/1\.[01] ([1-5]\d\d) /.exec(text)?.[1];
  if (end === -1 || status === undefined) throw new TransferError('what came is no answer of an agent');
  return { status: Number(status), bytes: end + END.length };
}

/** Takes the head off the answer, and resolves to its status. Throws TransferError, and what the answer fails with. */
export async function takeStatus(answer: Readable): Promise<number> {
  let begin: Buffer = Buffer.alloc(0);
  for await (const piece of answer.iterator({ destroyOnReturn: false })) {
    begin = begin.length === 0 ? (piece as Buffer) : Buffer.concat([begin, piece as Buffer]);
    const head = parseAnswerHead(begin);
    if (head === null) continue;
    if (head.bytes < begin.length) answer.unshift(begin.subarray(head.bytes));
    return head.status;
  }
  throw new TransferError('it hung up without an answer');
}
