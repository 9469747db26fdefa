import type { Command } from 'commander';
import { availableParallelism } from 'node:os';
import { isAbsolute, resolve } from 'node:path';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { count } from '../options.js';
import type { Session } from '../session.js';

interface UpCommandOptions {
  readonly data: string;
  readonly listen: string;
  readonly store?: string;
  readonly slots: number;
  readonly name?: string;
}

const DEFAULT_DATA = '/var/lib/distrofarm';
/** Steps share disk and network as well: more than this at a time rarely gains anything on one machine. */
const MOST_SLOTS_BY_DEFAULT = 4;

export function up(command: Command, session: Session): void {
  example(
    command
      .option('--data <folder>', 'where the farm keeps everything', DEFAULT_DATA)
      .option('--listen <host:port>', 'where it is reached; TLS beyond this machine', '127.0.0.1:7455')
      .option('--store <dataset|folder>', 'where checkpoints are kept: pool/name, or a folder')
      .option('--slots <number>', 'how many jobs at a time', count, defaultSlots())
      .option('--name <name>', "the agent's name; else this machine's"),
    'sudo distrofarm up',
    'sudo distrofarm up --data /srv/farm --store tank/farm --listen 0.0.0.0:7455',
  ).action(async ({ data, listen, store, slots, name }: UpCommandOptions) => {
    if (process.getuid?.() !== 0) {
      throw new CliError(
        EXIT.permission,
        'distrofarm up has to be run by root: the steps of a build are root',
        'Run it with sudo: sudo distrofarm up',
      );
    }
    const { parseListen } = await import('../up/listen-address.js');
    const { LocalFarm } = await import('../up/local-farm.js');
    const { cwd } = session.io;
    await new LocalFarm(session, {
      data: resolve(cwd, data),
      listen: parseListen(listen),
      store: store === undefined ? null : await storePlace(cwd, store),
      slots,
      name: name === undefined ? null : await agentName(name),
    }).run();
  });
}

/** `pool/name` is a dataset, a path that begins with `/` or `.` a folder. Throws a CliError. */
async function storePlace(cwd: string, text: string): Promise<string> {
  if (isAbsolute(text)) return text;
  if (text.startsWith('.')) return resolve(cwd, text);
  const { parseDatasetName } = await import('#libs/snapshots');
  try {
    if (parseDatasetName(text).includes('/')) return text;
  } catch {
    // Said below.
  }
  throw new CliError(
    EXIT.usage,
    `--store: "${text}" is neither a dataset (pool/name) nor a folder`,
    'A folder begins with / or ./',
  );
}

function defaultSlots(): number {
  return Math.min(availableParallelism(), MOST_SLOTS_BY_DEFAULT);
}

/** Throws a CliError. */
async function agentName(text: string): Promise<string> {
  const { Name } = await import('#libs/contracts');
  if (Name.safeParse(text).success) return text;
  throw new CliError(EXIT.usage, `--name: "${text}" cannot be a name`, 'Use letters, digits and _ . : + -');
}
