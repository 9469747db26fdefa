import type { FileChange, FileFacts } from '#libs/contracts';
import { formatByteDifference, formatBytes } from './byte-count.js';

/** What a file is, or what of it is another, in a few words: `mode 644 → 755, content +1.2 kB`. */
export function describeFileChange({ from, to, parts }: FileChange): string {
  if (from === null || to === null) return describeFile(from ?? to);
  return parts.map((part) => describePart(part, from, to)).join(', ');
}

function describeFile(facts: FileFacts | null): string {
  if (facts === null) return '';
  const { type, bytes, target, mode } = facts;
  if (type === 'file') return formatBytes(bytes) + ((mode & 0o6000) === 0 ? '' : `, mode ${modeOf(mode)}`);
  return type === 'link' ? `→ ${target ?? ''}` : `${TYPES[type]}${target === null ? '' : ` ${target}`}`;
}

function describePart(part: FileChange['parts'][number], from: FileFacts, to: FileFacts): string {
  switch (part) {
    case 'type':
      return `${TYPES[from.type]} → ${TYPES[to.type]}`;
    case 'content':
      return from.bytes === to.bytes
        ? 'content, of the same size'
        : `content ${formatByteDifference(to.bytes - from.bytes)}`;
    case 'target':
    case 'device':
      return `${part} ${from.target ?? ''} → ${to.target ?? ''}`;
    case 'mode':
      return `mode ${modeOf(from.mode)} → ${modeOf(to.mode)}`;
    case 'owner':
      return `owner ${from.uid}:${from.gid} → ${to.uid}:${to.gid}`;
  }
}

const TYPES: Readonly<Record<FileFacts['type'], string>> = {
  file: 'file',
  folder: 'folder',
  link: 'link',
  'block-device': 'block device',
  'character-device': 'character device',
  pipe: 'pipe',
  socket: 'socket',
};

function modeOf(mode: number): string {
  return mode.toString(8);
}
