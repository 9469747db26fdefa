import { deflateSync, inflateSync } from 'node:zlib';
import { packList, unpackList, type PackedList } from './packed-list.js';

/** How far a receive came. */
export interface StreamPosition {
  readonly object: bigint;
  readonly offset: bigint;
  /** Of the stream, so far. */
  readonly bytes: bigint;
}

/** What `zfs get receive_resume_token` says of a receive that broke off. Guids are decimal. */
export interface ResumeToken extends StreamPosition {
  readonly toGuid: string;
  /** `null`: the stream is whole. */
  readonly fromGuid: string | null;
  /** The snapshot, where it was sent from. */
  readonly toName: string;
}

/** Version, sum of the packed list as 32-bit words, its length unpacked, and itself: get_receive_resume_token_impl of OpenZFS' dsl_dataset.c. */
const TOKEN = /^1-([0-9a-f]{1,16})-([0-9a-f]{1,4})-((?:[0-9a-f]{2}){1,8192})$/;
const NUMBERS = ['object', 'offset', 'bytes', 'toguid'] as const;
const NAMES: ReadonlySet<string> = new Set([...NUMBERS, 'fromguid', 'toname']);

/** `null` for what is no token, is damaged, or is of a stream of another kind than we send: compressed, raw or redacted. */
export function parseResumeToken(text: string): ResumeToken | null {
  const [, sum = '', length = '', hex = ''] = TOKEN.exec(text) ?? [];
  const packed = Buffer.from(hex, 'hex');
  if (packed.length === 0 || sumOf(packed) !== BigInt(`0x${sum}`)) return null;
  const list = unpackList(inflated(packed, parseInt(length, 16)));
  if (list === null || [...list.keys()].some((name) => !NAMES.has(name))) return null;
  const [object, offset, bytes, toGuid] = NUMBERS.map((name) => numberIn(list, name));
  const [fromGuid, toName] = [numberIn(list, 'fromguid'), list.get('toname')];
  if (object == null || offset == null || bytes == null || toGuid == null || typeof toName !== 'string')
    return null;
  const from = fromGuid == null || fromGuid === 0n ? null : String(fromGuid);
  return { object, offset, bytes, toGuid: String(toGuid), fromGuid: from, toName };
}

/** For `zfs send -t`. */
export function formatResumeToken({ toGuid, fromGuid, toName, ...position }: ResumeToken): string {
  const list = packList(
    new Map<string, bigint | string>([
      ...(fromGuid === null ? [] : [['fromguid', BigInt(fromGuid)] as const]),
      ['object', position.object],
      ['offset', position.offset],
      ['bytes', position.bytes],
      ['toguid', BigInt(toGuid)],
      ['toname', toName],
    ]),
  );
  const packed = deflateSync(list);
  return `1-${sumOf(packed).toString(16)}-${list.length.toString(16)}-${packed.toString('hex')}`;
}

/** As stores of this kind tell each other. */
export function formatPosition({ object, offset, bytes }: StreamPosition): string {
  return `${object}.${offset}.${bytes}`;
}

/** `null` for anything that `formatPosition` does not write. Takes whatever text comes. */
export function parsePosition(text: string): StreamPosition | null {
  if (!/^\d{1,20}\.\d{1,20}\.\d{1,20}$/.test(text)) return null;
  const [object = 0n, offset = 0n, bytes = 0n] = text.split('.').map(BigInt);
  const position = { object, offset, bytes };
  const fits = [object, offset, bytes].every((number) => BigInt.asUintN(64, number) === number);
  return fits && formatPosition(position) === text ? position : null;
}

/** The first word of Fletcher-4; bytes behind the last whole word do not count. */
function sumOf(bytes: Buffer): bigint {
  let sum = 0;
  for (let at = 0; at + 4 <= bytes.length; at += 4) sum += bytes.readUInt32LE(at);
  return BigInt(sum);
}

/** Nothing, where it is not of that length. */
function inflated(packed: Buffer, length: number): Buffer {
  try {
    const bytes = inflateSync(packed, { maxOutputLength: Math.max(1, length) });
    return bytes.length === length ? bytes : Buffer.alloc(0);
  } catch {
    return Buffer.alloc(0);
  }
}

function numberIn(list: PackedList, name: string): bigint | null {
  const value = list.get(name);
  return typeof value === 'bigint' ? value : null;
}
