import type { CheckpointDiff, ComparedCheckpoint, FileChange, ReadyDiff } from '#libs/contracts';
import { describeFileChange, formatByteDifference, formatBytes } from '#libs/watch';
import type { Colours } from './session.js';
import { textTable } from './text-table.js';

type NotReady = Exclude<CheckpointDiff, { readonly state: 'ready' }>;

/** As `distrofarm diff` takes it, and as people read it. */
export function checkpointName({ build, variant, lane, before }: ComparedCheckpoint): string {
  return `${build}.${variant}${lane === 'main' ? '' : `/${lane}`}@${before ?? 'end'}`;
}

export function whatIsWaitedFor({ from, to }: NotReady): string {
  const waiting = [from, to].flatMap((side) =>
    side.listing.state === 'waiting' ? [`${checkpointName(side)}: ${side.listing.why}`] : [],
  );
  return [...new Set(waiting)].join('\n');
}

export function whyThereIsNone({ from, to }: NotReady): string {
  const failed = [from, to].flatMap((side) =>
    side.listing.state === 'failed'
      ? [`what is in ${checkpointName(side)} (${side.id}) is not to be had: ${side.listing.why}`]
      : [],
  );
  return [...new Set(failed)].join('; ');
}

/** Counts, packages, folders, then files. @param most packages and files, each */
export function differenceLines(diff: ReadyDiff, colours: Colours, most: number): readonly string[] {
  const { from, to, files } = diff;
  const head = [
    `${colours.bold(checkpointName(from))} → ${colours.bold(checkpointName(to))}`,
    `files:    ${countsOf(files)}`,
    `          ${sizesOf(diff)}`,
    ...(diff.packages === null ? [] : [`packages: ${countsOf(diff.packages.counts)}`]),
  ];
  if (files.added + files.removed + files.changed === 0) return [...head, '', 'The two are the same.'];
  return [
    ...head,
    ...section('packages', packageLines(diff, most), (diff.packages?.changes.length ?? 0) - most, '--most'),
    ...section('folders', folderLines(diff), 0, ''),
    ...section(
      'files',
      fileLines(diff.changes.slice(0, most), colours),
      diff.matching - most,
      '--most, --path',
    ),
  ];
}

function countsOf({ added, removed, changed, same }: ReadyDiff['files']): string {
  return `${number(added)} added, ${number(removed)} removed, ${number(changed)} changed, ${number(same)} the same`;
}

function sizesOf({ addedBytes, removedBytes, changedBytes }: ReadyDiff): string {
  const sum = formatByteDifference(addedBytes - removedBytes + changedBytes);
  if (addedBytes === 0 && removedBytes === 0 && changedBytes === 0) return `${sum} in all`;
  return `${sum} in all: ${formatBytes(addedBytes)} added, ${formatBytes(removedBytes)} removed, ${formatByteDifference(changedBytes)} in what changed`;
}

function section(title: string, lines: readonly string[], more: number, options: string): readonly string[] {
  if (lines.length === 0) return [];
  const rest = more > 0 ? [`  and ${number(more)} more ${title} (${options}; --json has all)`] : [];
  return ['', `${title}:`, ...lines.map((line) => `  ${line}`), ...rest];
}

function packageLines({ packages }: ReadyDiff, most: number): readonly string[] {
  const rows = packages?.changes.slice(0, most).map(({ name, architecture, from, to }) => {
    const sign = from === null ? '+' : to === null ? '-' : '~';
    return [sign, name, architecture, from === null || to === null ? (from ?? to ?? '') : `${from} → ${to}`];
  });
  return textTable([], rows ?? []);
}

function folderLines({ folders }: ReadyDiff): readonly string[] {
  const rows = folders.map(({ path, added, removed, changed, bytes, whole }) => [
    `${path}/${whole ? '' : '*'}`,
    added === 0 ? '' : `+${number(added)}`,
    removed === 0 ? '' : `-${number(removed)}`,
    changed === 0 ? '' : `~${number(changed)}`,
    bytes === 0 ? '' : formatByteDifference(bytes),
  ]);
  return textTable([], rows);
}

function fileLines(changes: readonly FileChange[], { green, red, yellow }: Colours): readonly string[] {
  return changes.map((change) => {
    const said = describeFileChange(change);
    const sign = { added: green('+'), removed: red('-'), changed: yellow('~') }[change.change];
    return `${sign} ${change.path}${said === '' ? '' : `  (${said})`}`;
  });
}

function number(count: number): string {
  return count.toLocaleString('en');
}
