import type { TrieNode } from '#libs/contracts';
import { formatBytes } from '#libs/watch';

/** What a node is called: by the step that led there. */
export function nameOfNode({ kind, id, step, before, lane }: TrieNode): string {
  if (kind === 'build') return `${id}, without step keys`;
  if (step !== null) return step;
  if (before === null) return lane === 'main' ? 'nothing' : `lane ${lane}`;
  return kind === 'checkpoint' ? `in front of ${before}` : `beginning of ${lane}`;
}

/** Who shares it: `12 variants of 3 builds`. */
export function sharesOfNode({ builds, variants }: Pick<TrieNode, 'builds' | 'variants'>): string {
  if (builds === 0) return 'collected builds';
  return `${counted(variants, 'variant')} of ${counted(builds, 'build')}`;
}

export function belowNode({ below, countEnded }: Pick<TrieNode, 'below' | 'countEnded'>): string {
  return `${below}${countEnded ? ' or more' : ''} below`;
}

export function sizeOfAreas(bytes: number | null): string {
  return bytes === null ? 'not measured yet' : formatBytes(bytes);
}

function counted(count: number, word: string): string {
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}
