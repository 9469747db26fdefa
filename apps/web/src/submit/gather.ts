import {
  isPart,
  LARGEST_MANIFEST_BYTES,
  parseManifest,
  placedIn,
  readScriptHeader,
  SCRIPT_HEADER_BYTES,
  stepPrograms,
  type IncludedText,
  type Manifest,
  type ManifestStep,
} from '#libs/manifest';
import { formatBytes } from '#libs/watch';
import { isXml, type Dropped } from './dropped.js';
import { lookups, placeOf, type FilePlace } from './find-file.js';
import { noteOfProblem, noteOfStep, type LineNote } from './line-notes.js';
import { LIMITS } from './submission-limits.js';

/** A file that goes along, at the place where the manifest or a script looks for it. */
export interface PlacedFile extends FilePlace {
  readonly executable: boolean;
  readonly bytes: Uint8Array;
}

/** A file that is named and was not dropped, or cannot be taken. */
export interface MissingFile {
  /** As the manifest has it, or the script that includes it: from the manifest's folder. */
  readonly named: string;
  /** To complete "`x` …". */
  readonly reason: string;
}

/** A manifest with all that belongs to it, as far as it was dropped. */
export interface Gathered {
  /** From the top of what was dropped. */
  readonly address: string;
  readonly text: string;
  /** `null` when there is something wrong with it. */
  readonly manifest: Manifest | null;
  /** By the name that notes have for them: the manifest, and what it includes. */
  readonly texts: ReadonlyMap<string, string>;
  readonly notes: readonly LineNote[];
  readonly missing: readonly MissingFile[];
  readonly files: readonly PlacedFile[];
  /** Of the manifest and what it includes; seconds since 1970. */
  readonly changedAt: number;
}

export interface Looked {
  /** What could be the manifest, by address. */
  readonly candidates: readonly string[];
  /** `null`: nothing could. */
  readonly gathered: Gathered | null;
  /** Files dropped by themselves that nothing names. */
  readonly spare: readonly DroppedText[];
}

/** A file that nothing names, which can be sent along all the same. */
export interface DroppedText {
  readonly name: string;
  readonly file: File;
}

/** More manifests in one folder nobody chooses from. */
const MOST_CANDIDATES = 50;

/**
 * Finds the manifest among what was dropped, reads it, and finds what it names. Reads nothing else.
 *
 * @param chosen address of the manifest that is meant; `null`: the last one that was dropped
 */
export async function lookAt(things: readonly Dropped[], chosen: string | null, now: Date): Promise<Looked> {
  const candidates = await manifestsAmong(things);
  const newest = candidates.filter(({ thing }) => thing === candidates.at(-1)?.thing)[0];
  const meant = candidates.find(({ address }) => address === chosen) ?? newest;
  const addresses = candidates.map(({ address }) => address);
  if (meant === undefined)
    return { candidates: addresses, gathered: null, spare: sparesOf(things, new Set()) };
  const gathering = new Gathering(things, meant, now);
  const gathered = await gathering.run();
  const spare = sparesOf(things, new Set([...gathering.usedThings, meant.thing]));
  return { candidates: addresses, gathered, spare };
}

interface Candidate {
  readonly thing: number;
  readonly address: string;
  readonly file: File;
}

async function manifestsAmong(things: readonly Dropped[]): Promise<readonly Candidate[]> {
  const xml = await Promise.all(things.map(xmlOf));
  const found = xml.flat().slice(-MOST_CANDIDATES);
  const isWhole = await Promise.all(
    found.map(async ({ file }) => !isPart(await textOf(file).catch(() => ''))),
  );
  const whole = found.filter((_, index) => isWhole[index]);
  if (whole.length > 0 || found.length > 0) return whole;
  // A manifest may be called anything.
  return things.flatMap((each, thing) =>
    each.kind === 'file' ? [{ thing, address: each.name, file: each.file }] : [],
  );
}

async function xmlOf(dropped: Dropped, thing: number): Promise<readonly Candidate[]> {
  if (dropped.kind === 'file')
    return isXml(dropped.name) ? [{ thing, address: dropped.name, file: dropped.file }] : [];
  const paths = (await dropped.xmlFiles()).slice(0, MOST_CANDIDATES);
  const files = await Promise.all(paths.map(async (path) => ({ path, file: await dropped.open(path) })));
  return files.flatMap(({ path, file }) =>
    file === null ? [] : [{ thing, address: `${dropped.name}/${path}`, file }],
  );
}

function sparesOf(things: readonly Dropped[], used: ReadonlySet<number>): readonly DroppedText[] {
  return things.flatMap((each, index) => {
    const isSpare = each.kind === 'file' && !used.has(index) && !isXml(each.name);
    return isSpare ? [{ name: each.name, file: each.file }] : [];
  });
}

interface Found {
  readonly thing: number;
  readonly isLoose: boolean;
  readonly place: FilePlace;
  readonly bytes: Uint8Array;
  readonly changedAt: number;
}

class Gathering {
  /** Indexes of the things in which something was found. */
  readonly usedThings = new Set<number>();
  readonly #notes: LineNote[] = [];
  readonly #missing = new Map<string, MissingFile>();
  readonly #found = new Map<string, Found & { readonly executable: boolean; readonly named: string }>();
  readonly #parts = new Map<string, IncludedText>();
  readonly #texts = new Map<string, string>();
  #changedAt: number;

  constructor(
    private readonly things: readonly Dropped[],
    private readonly meant: Candidate,
    private readonly now: Date,
  ) {
    this.#changedAt = meant.file.lastModified;
  }

  async run(): Promise<Gathered> {
    const { address } = this.meant;
    const text = await this.#manifestText();
    const manifest = text === null ? null : await this.#parsed(text);
    for (const step of manifest?.steps ?? []) await this.#programsOf(step);
    this.#refuseSharedNames(manifest);
    return {
      address,
      text: text ?? '',
      manifest,
      texts: this.#texts,
      notes: this.#notes,
      missing: [...this.#missing.values()],
      files: [...this.#found.values()].map(({ place, executable, bytes }) => ({
        ...place,
        executable,
        bytes,
      })),
      changedAt: Math.floor(this.#changedAt / 1000),
    };
  }

  async #manifestText(): Promise<string | null> {
    const { address, file } = this.meant;
    try {
      const text = await textOf(file);
      this.#texts.set(address, text);
      return text;
    } catch (error) {
      this.#note(`the manifest ${(error as Error).message}`);
      return null;
    }
  }

  #note(text: string): void {
    this.#notes.push({ kind: 'error', file: this.meant.address, line: null, column: null, text });
  }

  /** Again and again, as what was included may include more; at most as often as includes may be in one another. */
  async #parsed(text: string): Promise<Manifest | null> {
    for (;;) {
      const asked = new Set<string>();
      const result = parseManifest(text, {
        file: this.meant.address,
        now: this.now,
        included: (path) => {
          const known = this.#parts.get(path);
          if (known === undefined) asked.add(path);
          return known ?? { ok: false, reason: 'was not read yet' };
        },
      });
      for (const path of asked) this.#parts.set(path, await this.#part(path));
      if (asked.size > 0) continue;
      const [problems, kind] = result.ok
        ? ([result.manifest.notes, 'warning'] as const)
        : ([result.problems, 'error'] as const);
      this.#notes.push(...problems.map((problem) => noteOfProblem(kind, problem)));
      return result.ok ? result.manifest : null;
    }
  }

  async #part(named: string): Promise<IncludedText> {
    const found = await this.#take(named, LARGEST_MANIFEST_BYTES, () => false);
    if (typeof found === 'string') return { ok: false, reason: found };
    const text = new TextDecoder().decode(found.bytes);
    this.#texts.set(placedIn(this.meant.address, named), text);
    this.#changedAt = Math.max(this.#changedAt, found.changedAt);
    return { ok: true, text };
  }

  async #programsOf(step: ManifestStep): Promise<void> {
    for (const { what, path } of stepPrograms(step)) {
      const note = (text: string): void => {
        this.#notes.push(noteOfStep(this.meant.address, step, text));
      };
      if (path.startsWith('/')) {
        note(
          `the ${what} ${path} has an absolute path; on a farm, it is relative to the manifest and submitted with it`,
        );
        continue;
      }
      // A browser does not tell whether a file is executable.
      const found = await this.#take(path, LIMITS.fileBytes, () => true);
      if (typeof found === 'string') {
        note(`the ${what} ${path} ${found}`);
        continue;
      }
      const header = new TextDecoder('latin1').decode(found.bytes.subarray(0, SCRIPT_HEADER_BYTES));
      for (const included of readScriptHeader(header).includes) {
        const named = `${path.slice(0, path.lastIndexOf('/') + 1)}${included}`;
        const beside = await this.#take(named, LIMITS.fileBytes, hasInterpreter);
        if (typeof beside === 'string') note(`${path} includes ${included}, which ${beside}`);
      }
    }
  }

  /** A string says why it cannot be had. */
  async #take(
    named: string,
    mostBytes: number,
    isExecutable: (bytes: Uint8Array) => boolean,
  ): Promise<Found | string> {
    const place = placeOf(this.meant.address, named);
    const key = keyOf(place);
    const known = this.#found.get(key) ?? this.#missing.get(key)?.reason;
    if (known !== undefined) return known;
    const found = await this.#find(place, mostBytes);
    if (typeof found === 'string') {
      this.#missing.set(key, { named, reason: found });
      return found;
    }
    this.usedThings.add(found.thing);
    this.#found.set(key, { ...found, named, executable: isExecutable(found.bytes) });
    return found;
  }

  async #find(place: FilePlace, mostBytes: number): Promise<Found | string> {
    for (const { thing, below } of lookups(place.path, this.things)) {
      const dropped = this.things[thing];
      const file = dropped?.kind === 'folder' ? await dropped.open(below ?? '') : dropped?.file;
      if (file === null || file === undefined) continue;
      try {
        const bytes = await bytesOf(file, mostBytes);
        return { thing, isLoose: below === null, place, bytes, changedAt: file.lastModified };
      } catch (error) {
        return (error as Error).message;
      }
    }
    return 'was not dropped';
  }

  /** One file dropped by itself for two places: whichever it is of, it is wrong at the other. */
  #refuseSharedNames(manifest: Manifest | null): void {
    const byThing = new Map<number, string[]>();
    for (const [key, { thing, isLoose }] of this.#found)
      if (isLoose) byThing.set(thing, [...(byThing.get(thing) ?? []), key]);
    for (const keys of byThing.values()) {
      if (keys.length < 2 || manifest === null) continue;
      for (const key of keys) {
        const named = this.#found.get(key)?.named ?? '';
        const reason = `is one of ${keys.length} files of that name; drop the folder that it lies in`;
        this.#missing.set(key, { named, reason });
        this.#found.delete(key);
        this.#note(`${named} ${reason}`);
      }
    }
  }
}

function keyOf({ path, above }: FilePlace): string {
  return `${above}/${path}`;
}

/** `#!` */
export function hasInterpreter(bytes: Uint8Array): boolean {
  return bytes[0] === 0x23 && bytes[1] === 0x21;
}

const read = new WeakMap<File, Promise<Uint8Array>>();

/** Kept with the file: it is as it was when it was dropped, whatever is read again. Throws an Error that completes "`x` …". */
export async function bytesOf(file: File, most: number): Promise<Uint8Array> {
  if (file.size > most) throw new Error(`has ${formatBytes(file.size)}, and may have ${formatBytes(most)}`);
  const known = read.get(file) ?? file.arrayBuffer().then((buffer) => new Uint8Array(buffer));
  read.set(file, known);
  try {
    return await known;
  } catch (error) {
    read.delete(file);
    throw new Error('cannot be read; it was changed since it was dropped, so drop it again', {
      cause: error,
    });
  }
}

async function textOf(file: File): Promise<string> {
  return new TextDecoder().decode(await bytesOf(file, LARGEST_MANIFEST_BYTES));
}
