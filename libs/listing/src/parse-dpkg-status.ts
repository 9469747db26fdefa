import type { ListedPackage } from './listed-entry.js';

/** Where dpkg keeps it, below the root of a system. */
export const DPKG_STATUS = 'var/lib/dpkg/status';
/** A Debian with all that there is has some 70,000 packages in 60 MB. */
export const MOST_STATUS_BYTES = 96 * 1024 * 1024;
export const MOST_PACKAGES = 100_000;

/** Debian Policy 5.6.1, 5.6.8, 5.6.12; a little wider, and bounded. */
export const PACKAGE_NAME = /^[A-Za-z0-9][A-Za-z0-9+.-]{0,199}$/;
export const ARCHITECTURE = /^[a-z0-9][a-z0-9-]{0,39}$/;
export const PACKAGE_VERSION = /^[A-Za-z0-9.+:~-]{1,200}$/;

export interface DpkgStatus {
  /** In the order of names, then of architectures; each once. */
  readonly packages: readonly ListedPackage[];
  /** Paragraphs that say nothing of the kind; of a package that comes twice, all but the first. */
  readonly unread: number;
}

/**
 * The packages of dpkg's status file (dpkg(1), "INFORMATION ABOUT PACKAGES"): all whose files are there, however far their configuration has come. Nothing in it is believed to be well-formed.
 */
export function parseDpkgStatus(text: string): DpkgStatus {
  const found = new Map<string, ListedPackage>();
  let unread = 0;
  for (const paragraph of text.split(/\n(?:[ \t]*\r?\n)+/)) {
    if (paragraph.trim() === '') continue;
    const { name, state, ...rest } = readParagraph(paragraph);
    if (name !== '' && state !== null && HAS_NO_FILES.has(state)) continue;
    const listed = { name, ...rest };
    const key = `${name}:${listed.architecture}`;
    if (state === null || !isPackage(listed) || found.has(key) || found.size === MOST_PACKAGES) unread += 1;
    else found.set(key, listed);
  }
  return { packages: [...found.values()].toSorted(comparePackageNames), unread };
}

export function comparePackageNames(one: ListedPackage, other: ListedPackage): number {
  if (one.name !== other.name) return one.name < other.name ? -1 : 1;
  if (one.architecture === other.architecture) return 0;
  return one.architecture < other.architecture ? -1 : 1;
}

export function isPackage({ name, architecture, version }: ListedPackage): boolean {
  return PACKAGE_NAME.test(name) && ARCHITECTURE.test(architecture) && PACKAGE_VERSION.test(version);
}

/** Third word of the status: dpkg remembers the package, and nothing of it is installed. */
const HAS_NO_FILES: ReadonlySet<string> = new Set(['not-installed', 'config-files']);

interface Paragraph extends ListedPackage {
  /** `null`: it does not say. */
  readonly state: string | null;
}

/** Continued lines begin with a blank, and none of the fields that count is one of several lines. */
function readParagraph(paragraph: string): Paragraph {
  const field = (name: RegExp): string => name.exec(paragraph)?.[1]?.trim() ?? '';
  const status = field(/^Status:(.*)$/im).split(/\s+/);
  return {
    name: field(/^Package:(.*)$/im),
    architecture: field(/^Architecture:(.*)$/im),
    version: field(/^Version:(.*)$/im),
    state: status.length === 3 ? (status[2] ?? null) : null,
  };
}
