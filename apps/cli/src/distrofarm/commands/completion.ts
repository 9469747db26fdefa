import type { Manifest } from '#libs/manifest';
import { Argument, Command } from 'commander';
import { resolve } from 'node:path';
import { example } from '../example.js';
import type { KnownCommand } from '../known-command.js';
import type { Session } from '../session.js';

/** Somebody waits with a finger on the tab key. */
const ASK_MS = 1_500;
const SUGGESTED = 30;
const PROGRAM = 'distrofarm';

export function completion(command: Command, session: Session): void {
  const shell = new Argument('<shell>', 'whose completion').choices(['bash', 'zsh', 'fish']);
  example(command.addArgument(shell), 'source <(distrofarm completion bash)').action(async (name: string) => {
    const { script } = await import('@bomb.sh/tab');
    await session.print(captured(() => script(name, PROGRAM, PROGRAM)).trimEnd());
  });
}

/** `distrofarm complete -- words…`: what the shell's script calls. Never fails: a shell has nowhere to show it. */
export function complete(command: Command, session: Session, all: readonly KnownCommand[]): void {
  command.argument('[word...]').action(async (words: readonly string[]) => {
    const { default: tab } = await import('@bomb.sh/tab/commander');
    const root = tab(await wholeProgram(command, session, all), { completionCommandName: 'completion' });
    const offerOf = async (kind: string): Promise<Offering> =>
      offering(await suggestions(session, kind, words));
    for (const name of [words[0] ?? '', words.slice(0, 2).join(' ')]) {
      const named = root.commands.get(name);
      for (const argument of named?.arguments.values() ?? [])
        argument.handler = (await offerOf(argument.name)) ?? argument.handler ?? offerNothing;
      const option = named?.options.get(words.at(-2)?.replace(/^--/, '') ?? '');
      if (option !== undefined)
        option.handler = (await offerOf(OPTION_KINDS[option.value] ?? '')) ?? option.handler ?? offerNothing;
    }
    await session.print(captured(() => root.parse([...words])).trimEnd());
  });
}

/** With all commands loaded; the library adds the two of this file in its own way. */
async function wholeProgram(
  { parent }: Command,
  session: Session,
  all: readonly KnownCommand[],
): Promise<Command> {
  const program = new Command(PROGRAM);
  for (const option of parent?.options ?? []) program.addOption(option);
  for (const { name, summary, load } of all) {
    if (name === 'complete' || name === 'completion') continue;
    (await load())(program.command(name).description(summary), session, all);
  }
  return program;
}

/** Of options whose value is the name of something. */
const OPTION_KINDS: Readonly<Record<string, string>> = {
  on: 'agent',
  agent: 'agent',
  build: 'build',
  variant: 'variant',
  matrix: 'axis',
};

const offerNothing = (): void => undefined;

type Offering = ((offer: (value: string, what: string) => void) => void) | null;

function offering(values: readonly Suggestion[]): Offering {
  return values.length === 0 ? null : (offer) => values.forEach(([value, what]) => offer(value, what));
}

type Suggestion = readonly [value: string, description: string];

async function suggestions(
  session: Session,
  kind: string,
  words: readonly string[],
): Promise<readonly Suggestion[]> {
  try {
    switch (kind) {
      case 'build':
        return await buildSuggestions(session);
      case 'agent':
        return await agentSuggestions(session);
      case 'profile':
        return await profileSuggestions(session);
      case 'manifest':
      case 'file':
        return await fileSuggestions(session, words.at(-1) ?? '');
      case 'variant':
        return (await manifestAmong(session, words)).variants.map(({ name }) => [name, '']);
      case 'axis':
        return axisSuggestions(await manifestAmong(session, words));
      default:
        return [];
    }
  } catch {
    return [];
  }
}

async function buildSuggestions(session: Session): Promise<readonly Suggestion[]> {
  const farm = await session.farm();
  const signal = AbortSignal.timeout(ASK_MS);
  const { builds } = await farm.get<{ builds: readonly { id: string; name: string; state: string }[] }>(
    `/builds?limit=${SUGGESTED}`,
    { signal },
  );
  return [
    ['latest', 'your newest build'],
    ...builds.map(({ id, name, state }) => [id, `${plain(name)}, ${state}`] as const),
  ];
}

async function agentSuggestions(session: Session): Promise<readonly Suggestion[]> {
  const farm = await session.farm();
  const { agents } = await farm.get<{ agents: readonly { name: string; state: string }[] }>('/agents', {
    signal: AbortSignal.timeout(ASK_MS),
  });
  return agents.map(({ name, state }) => [name, state]);
}

async function profileSuggestions({ io }: Session): Promise<readonly Suggestion[]> {
  const { readProfiles } = await import('../profiles.js');
  const { profiles } = await readProfiles(io.env);
  return Object.entries(profiles).map(([name, { url }]) => [name, plain(url)]);
}

/** The manifest that the command line names already; throws where there is none. */
async function manifestAmong({ io }: Session, words: readonly string[]): Promise<Manifest> {
  const { readManifest } = await import('../read-manifest.js');
  const file = words.find((word) => word.endsWith('.xml')) ?? '';
  return (await readManifest(file, { cwd: io.cwd, now: io.now() })).manifest;
}

function axisSuggestions({ axes }: Manifest): readonly Suggestion[] {
  return axes.flatMap(({ name, values }) => [
    [name, 'all its values'] as const,
    ...values.map((value) => [`${name}=${value.name}`, ''] as const),
  ]);
}

/** The shells are told not to complete files by themselves. */
async function fileSuggestions({ io }: Session, word: string): Promise<readonly Suggestion[]> {
  const { readdir } = await import('node:fs/promises');
  const folder = word.slice(0, word.lastIndexOf('/') + 1);
  const entries = await readdir(resolve(io.cwd, folder || '.'), { withFileTypes: true });
  return entries.map((entry) => [`${folder}${entry.name}${entry.isDirectory() ? '/' : ''}`, '']);
}

/** The shell reads a line per suggestion, and a tab in it. */
function plain(text: string): string {
  return text.replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');
}

/** The library prints to the console; here it is given back. */
function captured(act: () => void): string {
  const lines: string[] = [];
  const kept = Object.getOwnPropertyDescriptor(console, 'log');
  Object.defineProperty(console, 'log', {
    configurable: true,
    value: (line: unknown) => lines.push(String(line)),
  });
  try {
    act();
  } finally {
    if (kept !== undefined) Object.defineProperty(console, 'log', kept);
  }
  return lines.join('\n');
}
