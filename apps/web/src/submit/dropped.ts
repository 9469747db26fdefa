/** A file or folder that somebody has dropped or chosen. Nothing of it has been read. */
export type Dropped = DroppedFile | DroppedFolder;

export interface DroppedFile {
  readonly kind: 'file';
  readonly name: string;
  readonly file: File;
}

export interface DroppedFolder {
  readonly kind: 'folder';
  readonly name: string;
  /** @param path below the folder, `/` between components; resolves to `null` where there is no such file */
  readonly open: (path: string) => Promise<File | null>;
  /** Paths of the XML files in it and little below it. */
  readonly xmlFiles: () => Promise<readonly string[]>;
}

/** A folder may be a home with everything in it: so deep, and so many entries, are looked at for a manifest. */
const DEEPEST = 3;
const MOST_ENTRIES = 3000;

/** To be called while the event is handled: afterwards the browser knows nothing of what was dropped. */
export function droppedOf(transfer: DataTransfer): readonly Dropped[] {
  return [...transfer.items].flatMap((item): Dropped[] => {
    if (item.kind !== 'file') return [];
    const entry = item.webkitGetAsEntry();
    if (entry?.isDirectory === true) return [folderOf(entry as FileSystemDirectoryEntry)];
    const file = item.getAsFile();
    return file === null ? [] : [{ kind: 'file', name: file.name, file }];
  });
}

/** What an `<input type="file">` was given: files, or with `webkitdirectory` all files of a folder. */
export function chosenOf(list: Iterable<File>): readonly Dropped[] {
  const files: Dropped[] = [];
  const folders = new Map<string, Map<string, File>>();
  for (const file of list) {
    const [top = '', ...below] = file.webkitRelativePath.split('/');
    if (below.length === 0) {
      files.push({ kind: 'file', name: file.name, file });
      continue;
    }
    const folder = folders.get(top) ?? new Map<string, File>();
    folders.set(top, folder.set(below.join('/'), file));
  }
  return [...files, ...[...folders].map(([name, known]) => listedFolder(name, known))];
}

function listedFolder(name: string, files: ReadonlyMap<string, File>): DroppedFolder {
  const xml = [...files.keys()].filter((path) => isXml(path) && path.split('/').length <= DEEPEST);
  return {
    kind: 'folder',
    name,
    open: async (path) => await Promise.resolve(files.get(path) ?? null),
    xmlFiles: async () => await Promise.resolve(xml.toSorted()),
  };
}

/** Files are looked up one by one: a folder with a million of them is not walked. */
function folderOf(top: FileSystemDirectoryEntry): DroppedFolder {
  const opened = new Map<string, Promise<File | null>>();
  return {
    kind: 'folder',
    name: top.name,
    open: async (path) => {
      const known = opened.get(path) ?? openBelow(top, path);
      opened.set(path, known);
      return await known;
    },
    xmlFiles: async () => await xmlFilesBelow(top),
  };
}

async function openBelow(top: FileSystemDirectoryEntry, path: string): Promise<File | null> {
  return await new Promise((resolve) => {
    const none = (): void => resolve(null);
    top.getFile(path, {}, (entry) => (entry as FileSystemFileEntry).file(resolve, none), none);
  });
}

async function xmlFilesBelow(top: FileSystemDirectoryEntry): Promise<readonly string[]> {
  const found: string[] = [];
  let seen = 0;
  let level: readonly (readonly [string, FileSystemDirectoryEntry])[] = [['', top]];
  for (let depth = 1; depth <= DEEPEST && seen < MOST_ENTRIES; depth += 1) {
    const next: [string, FileSystemDirectoryEntry][] = [];
    for (const [path, folder] of level) {
      for (const entry of await entriesOf(folder, MOST_ENTRIES - seen)) {
        seen += 1;
        if (entry.isDirectory && !/^(\.|node_modules$)/.test(entry.name))
          next.push([`${path}${entry.name}/`, entry as FileSystemDirectoryEntry]);
        else if (entry.isFile && isXml(entry.name)) found.push(path + entry.name);
      }
    }
    level = next;
  }
  return found.toSorted();
}

/** A reader gives a hundred at a time, and none at the end. */
async function entriesOf(
  folder: FileSystemDirectoryEntry,
  most: number,
): Promise<readonly FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  while (all.length < most) {
    const some = await new Promise<readonly FileSystemEntry[]>((resolve) =>
      reader.readEntries(resolve, () => resolve([])),
    );
    if (some.length === 0) break;
    all.push(...some);
  }
  return all.slice(0, most);
}

export function isXml(name: string): boolean {
  return /\.xml$/i.test(name);
}
