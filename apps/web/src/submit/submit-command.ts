import type { Choice } from './choice.js';
import type { ChosenVariants } from './submission-body.js';

/** What does the same on the command line, where the manifest lies. */
export function submitCommand(address: string, { variants, matrix }: ChosenVariants, choice: Choice): string {
  const axes = Object.entries(matrix).map(([axis, values]) =>
    values.length === 0 ? axis : `${axis}=${values.join(',')}`,
  );
  const words = [
    'distrofarm',
    'submit',
    ...variants.flatMap((name) => ['--variant', name]),
    ...axes.flatMap((axis) => ['--matrix', axis]),
    ...(choice.pauseBefore === null ? [] : ['--pause', choice.pauseBefore]),
    ...(choice.priority === 'normal' ? [] : ['--priority', choice.priority]),
    ...(choice.reuse ? [] : ['--no-reuse']),
    ...(choice.waitForReplicas ? ['--wait-for-replicas'] : []),
    ...(choice.waitForAgents ? ['--wait-for-agents'] : []),
    ...(choice.note.trim() === '' ? [] : ['--note', choice.note.trim()]),
    ...choice.extras.flatMap((name) => ['--file', name]),
    address.startsWith('-') ? `./${address}` : address,
  ];
  return words.map(quoted).join(' ');
}

/** For a POSIX shell. */
function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
