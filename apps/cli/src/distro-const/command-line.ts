import { parseBuildArea } from '#libs/manifest';
import type { ChangePolicy } from '#libs/plan';

/** What the user asked for, checked as far as the words alone allow. */
export type CommandLine =
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'usage-error'; readonly message: string }
  | BuildCommandLine
  | PlanCommandLine;

export interface BuildCommandLine {
  readonly kind: 'build';
  readonly manifest: string;
  readonly list: boolean;
  /** `-R` */
  readonly resumeLatest: boolean;
  /** `-r`: name or number */
  readonly resumeAt: string | null;
  /** `-p`: name or number */
  readonly pauseBefore: string | null;
  /** Of the manifest, or a combination of its axes; `null`: the manifest as it is. */
  readonly variant: string | null;
  /** Begin at the furthest checkpoint that equals what the manifest says now. */
  readonly reuse: boolean;
  readonly json: boolean;
  readonly ifChanged: ChangePolicy;
  /** Replaces the manifest's build area. */
  readonly buildArea: string | null;
  /** Folder for what steps may keep between builds (downloads). */
  readonly cache: string;
}

/** What builds with `--reuse` would do, one after the other. */
export interface PlanCommandLine {
  readonly kind: 'plan';
  readonly manifest: string;
  /** Empty: the manifest as it is. */
  readonly variants: readonly string[];
  readonly json: boolean;
  /** Replaces the manifest's build area. */
  readonly buildArea: string | null;
  readonly cache: string;
}

export const USAGE = `
Usage:
    distro_const build <manifest-file>
    distro_const build -R <manifest-file>
    distro_const build -r <step name or number> <manifest-file>
    distro_const build -p <step name or number> <manifest-file>
    distro_const build -l <manifest-file>
    distro_const build --reuse <manifest-file>
    distro_const plan <manifest-file>

  -l          list the steps, and mark those a build can resume at
  -p step     pause just before this step
  -r step     resume at this step, from its checkpoint
  -R          resume where the last build stopped

  --reuse     begin at the furthest checkpoint that equals what the manifest says now; where nothing
              has changed, run nothing
  --variant name
              build this variant of the manifest, or combination of its axes, instead of the manifest as it is
  --if-changed warn|refuse|restart
              when the manifest or a script changed since the checkpoint was taken: warn and go on (the default),
              refuse, or resume at the first step that changed
  --build-area dataset|/folder
              use this build area instead of the manifest's
  --cache folder
              where steps keep downloads between builds (default /var/cache/distrofarm)
  --json      report as JSON, one object a line, on standard output
  -h, --help  show this
  --version   show the version

plan says what build --reuse would do, and why each step runs; it takes several --variant, --build-area, --cache
and --json.

Options may stand anywhere. docs/operations.md has the exit statuses.
`;

const DEFAULT_CACHE = '/var/cache/distrofarm';
const WITHOUT_VALUE = new Set(['-l', '-R', '-h', '-?', '--help', '--version', '--json', '--reuse']);
const WITH_VALUE = new Set(['-r', '-p', '--variant', '--if-changed', '--build-area', '--cache']);
/** Options of `build` that say nothing to `plan`. */
const NOT_FOR_PLAN = ['-l', '-R', '-r', '-p', '--if-changed'];
const CHANGE_POLICIES = new Set<string>(['warn', 'refuse', 'restart'] satisfies ChangePolicy[]);

/** Reads the arguments behind the program's name. distro_const stopped reading at the manifest; here no option is ever ignored. */
export function parseCommandLine(args: readonly string[]): CommandLine {
  const split = splitArguments(args);
  if (typeof split === 'string') return { kind: 'usage-error', message: split };
  const { options, operands } = split;
  const given = (name: string): boolean => options.some((option) => option.name === name);
  if (given('-h') || given('-?') || given('--help')) return { kind: 'help' };
  if (given('--version')) return { kind: 'version' };
  const isPlan = operands[0] === 'plan';
  const message = operandProblem(operands) ?? optionProblem(options, isPlan);
  if (message !== null) return { kind: 'usage-error', message };
  const value = (name: string): string | null =>
    options.find((option) => option.name === name)?.value ?? null;
  const area = value('--build-area');
  const buildArea = area === null ? null : parseBuildArea(area);
  if (buildArea?.ok === false) {
    return {
      kind: 'usage-error',
      message: `--build-area: found "${area ?? ''}", expected ${buildArea.expected}`,
    };
  }
  const common = {
    manifest: operands[1] ?? '',
    json: given('--json'),
    buildArea: buildArea?.buildArea ?? null,
    cache: value('--cache') ?? DEFAULT_CACHE,
  };
  if (isPlan) {
    const named = options.filter(({ name }) => name === '--variant');
    return { kind: 'plan', ...common, variants: named.map((option) => option.value ?? '') };
  }
  return {
    kind: 'build',
    ...common,
    list: given('-l'),
    resumeLatest: given('-R'),
    resumeAt: value('-r'),
    pauseBefore: value('-p'),
    variant: value('--variant'),
    reuse: given('--reuse'),
    ifChanged: (value('--if-changed') ?? 'warn') as ChangePolicy,
  };
}

interface Option {
  readonly name: string;
  readonly value: string | null;
}

/** getopt's rules, with operands allowed among the options. A string is a problem. */
function splitArguments(args: readonly string[]): { options: Option[]; operands: string[] } | string {
  const options: Option[] = [];
  const operands: string[] = [];
  const rest = [...args];
  for (let arg = rest.shift(); arg !== undefined; arg = rest.shift()) {
    if (arg === '--') return { options, operands: [...operands, ...rest] };
    if (arg.startsWith('--')) {
      const [name, attached] = splitOnce(arg, '=');
      const problem = takeOption(name, attached, rest, options);
      if (problem !== null) return problem;
    } else if (arg.startsWith('-') && arg.length > 1) {
      const problem = takeCluster(arg, rest, options);
      if (problem !== null) return problem;
    } else {
      operands.push(arg);
    }
  }
  return { options, operands };
}

/** `-lR`, `-p0`, `-p 0` */
function takeCluster(cluster: string, rest: string[], options: Option[]): string | null {
  for (let at = 1; at < cluster.length; at += 1) {
    const name = `-${cluster.charAt(at)}`;
    const attached = WITH_VALUE.has(name) && at + 1 < cluster.length ? cluster.slice(at + 1) : null;
    const problem = takeOption(name, attached, rest, options);
    if (problem !== null || WITH_VALUE.has(name)) return problem;
  }
  return null;
}

function takeOption(name: string, attached: string | null, rest: string[], options: Option[]): string | null {
  if (WITHOUT_VALUE.has(name)) {
    if (attached !== null) return `${name} takes no value`;
    options.push({ name, value: null });
    return null;
  }
  if (!WITH_VALUE.has(name)) return `unknown option ${name}`;
  const value = attached ?? rest.shift();
  if (value === undefined || value === '') return `${name} needs a value`;
  options.push({ name, value });
  return null;
}

function splitOnce(text: string, separator: string): [string, string | null] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}

function operandProblem([subcommand, manifest, ...more]: readonly string[]): string | null {
  if (subcommand !== 'build' && subcommand !== 'plan')
    return `invalid or missing subcommand; expected "build" or "plan"${found(subcommand)}`;
  if (manifest === undefined) return 'no manifest file named';
  return more.length === 0 ? null : `one manifest file expected, but also found: ${more.join(' ')}`;
}

function found(word: string | undefined): string {
  return word === undefined ? '' : `, found "${word}"`;
}

function optionProblem(options: readonly Option[], isPlan: boolean): string | null {
  const count = (name: string): number => options.filter((option) => option.name === name).length;
  const misplaced = isPlan ? NOT_FOR_PLAN.find((name) => count(name) > 0) : undefined;
  if (misplaced !== undefined) return `${misplaced} cannot be used with plan`;
  for (const name of WITH_VALUE)
    if (count(name) > 1 && !(isPlan && name === '--variant')) return `${name} given more than once`;
  if (count('-R') > 0 && count('-r') > 0) return '-R and -r cannot be used together';
  if (count('-l') > 0 && count('-R') + count('-r') + count('-p') > 0)
    return '-l cannot be used with -R, -r or -p';
  if (count('-l') + count('--reuse') > 1 && count('-l') > 0)
    return '-l cannot be used with --reuse; distro_const plan says what would be reused';
  const policy = options.find(({ name }) => name === '--if-changed')?.value ?? 'warn';
  return CHANGE_POLICIES.has(policy) ? null : `--if-changed takes warn, refuse or restart, not "${policy}"`;
}
