import type { EntryType, ListedEntry, ListedPackage } from './listed-entry.js';
import { comparePaths } from './listed-entry.js';
import { ListingError } from './listing-error.js';
import { isPackage, MOST_PACKAGES } from './parse-dpkg-status.js';

/**
 * A listing as text: a line of its own for each entry, then for each package, in latin1.
 *
 *     distrofarm-listing 1
 *     f 644 0 0 12:<sha256> pkg_image/etc/hostname
 *     l 777 0 0 usr/bin pkg_image/bin
 *     package base-files amd64 12.4+deb12u5
 *     end 2 1
 *
 * Blanks, controls and backslashes in paths and targets are `\x20` and so on. Equal trees have equal listings: times do not enter.
 */
const HEAD = 'distrofarm-listing 1';

/** No detail. A link may lead to a file of that name. */
const NONE = '-';

/** The lines behind the entries say nothing of packages where the tree has no dpkg. */
export interface ListingEnd {
  /** `null`: there is no dpkg. */
  readonly packages: readonly ListedPackage[] | null;
  readonly entries: number;
}

/** More than any system that can be built here. */
export const MOST_ENTRIES = 1_000_000;
/** Two names of 4,096 bytes, each byte escaped, fit. */
const MOST_LINE = 40_000;
const MOST_TEXT_BYTES = 512 * 1024 * 1024;

export function listingHead(): string {
  return `${HEAD}\n`;
}

export function entryLine({ path, type, mode, uid, gid, bytes, detail }: ListedEntry): string {
  const shown = type === 'f' ? `${bytes}:${detail}` : detail === '' ? NONE : escaped(detail);
  return `${type} ${mode.toString(8)} ${uid} ${gid} ${shown} ${escaped(path)}\n`;
}

export function listingEnd({ packages, entries }: ListingEnd): string {
  const lines = packages?.map(
    ({ name, architecture, version }) => `package ${name} ${architecture} ${version}\n`,
  ) ?? ['no-packages\n'];
  return `${lines.join('')}end ${entries} ${packages?.length ?? 0}\n`;
}

/** Reads a listing that somebody else made: nothing in it is believed. Throws ListingError, also when it is cut short, or not in order. */
export async function* readListing(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<ListedEntry, ListingEnd> {
  let entries = 0;
  let previous = '';
  let isHead = true;
  const packages: ListedPackage[] = [];
  let hasDpkg = true;
  let end: ListingEnd | null = null;
  for await (const lines of linesOf(source)) {
    for (const line of lines) {
      if (end !== null) throw new ListingError('there is more behind the end of the listing');
      if (isHead) {
        if (line !== HEAD) throw new ListingError(`it begins with ${quoted(line)} instead of "${HEAD}"`);
        isHead = false;
      } else if (line.startsWith('package ')) {
        packages.push(readPackage(line));
        if (packages.length > MOST_PACKAGES)
          throw new ListingError(`more than ${MOST_PACKAGES} packages are listed`);
      } else if (line === 'no-packages') hasDpkg = false;
      else if (line.startsWith('end ')) {
        if (line !== `end ${entries} ${packages.length}`)
          throw new ListingError(`${entries} entries and ${packages.length} packages came, ${quoted(line)}`);
        end = { packages: hasDpkg ? packages : null, entries };
      } else {
        const entry = readEntry(line);
        if (entries > 0 && comparePaths(previous, entry.path) >= 0)
          throw new ListingError(`it is not in order at ${quoted(line)}`);
        previous = entry.path;
        entries += 1;
        if (entries > MOST_ENTRIES) throw new ListingError(`more than ${MOST_ENTRIES} entries are listed`);
        yield entry;
      }
    }
  }
  if (end === null) throw new ListingError('it is cut short');
  return end;
}

async function* linesOf(source: AsyncIterable<Uint8Array>): AsyncGenerator<readonly string[]> {
  let rest = '';
  let bytes = 0;
  for await (const chunk of source) {
    bytes += chunk.length;
    if (bytes > MOST_TEXT_BYTES) throw new ListingError(`it is longer than ${MOST_TEXT_BYTES} bytes`);
    const lines = (rest + Buffer.from(chunk).toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MOST_LINE) throw new ListingError(`a line is longer than ${MOST_LINE} bytes`);
    yield lines;
  }
  if (rest !== '') throw new ListingError('it is cut short');
}

/** Latin1 has blanks of its own that are bytes of other characters here: only the one counts. */
const ENTRY = /^([fdlbcps]) ([0-7]{1,4}) (\d{1,10}) (\d{1,10}) ([^ ]+) ([^ ]+)$/;
const FILE = /^(\d{1,15}):([0-9a-f]{64})$/;

function readPackage(line: string): ListedPackage {
  const [, name = '', architecture = '', version = '', ...more] = line.split(' ');
  const found = { name, architecture, version };
  if (more.length === 0 && isPackage(found)) return found;
  throw new ListingError(`${quoted(line)} is no package`);
}

function readEntry(line: string): ListedEntry {
  const match = line.length > MOST_LINE ? null : ENTRY.exec(line);
  const [, type = '', mode = '', uid = '', gid = '', detail = '', path = ''] = match ?? [];
  const file = type === 'f' ? FILE.exec(detail) : null;
  if (match === null || (type === 'f' && file === null))
    throw new ListingError(`${quoted(line)} is no entry`);
  return {
    path: unescaped(path),
    type: type as EntryType,
    mode: Number.parseInt(mode, 8),
    uid: Number(uid),
    gid: Number(gid),
    bytes: Number(file?.[1] ?? 0),
    detail: file?.[2] ?? (detail === NONE ? '' : unescaped(detail)),
  };
}

function escaped(latin1: string): string {
  if (latin1 === NONE) return '\\x2d';
  return latin1.replace(
    /[\x00-\x20\x7f\\]/g,
    (byte) => `\\x${byte.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

function unescaped(text: string): string {
  return text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function quoted(line: string): string {
  return JSON.stringify(line.slice(0, 100));
}
