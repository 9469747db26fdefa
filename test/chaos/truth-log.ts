import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What a step itself wrote, behind the farm's back. Lines of one log are in the order in which they were written. */
export interface TruthLine {
  readonly what: 'begin' | 'end';
  /** One run of a step's script. */
  readonly execution: string;
  readonly step: string;
  /** What tells it from other steps of its name, but for what it begins with: see `tasteOfStep`. */
  readonly taste: string;
  /** The agent, by where the workspace is. */
  readonly host: string;
  /** `<build>.<variant>` */
  readonly area: string;
  readonly workspace: string;
  /** Milliseconds since the machine's start. */
  readonly at: number;
  /** Milliseconds since 1970. */
  readonly wall: number;
  /** No other process of a step was in the same workspace, by a lock that the kernel frees when the last one is gone. */
  readonly alone: boolean;
  /** Steps whose effects were in the workspace when this one began. */
  readonly found: readonly string[];
  /** The executions that these effects were of, in the same order. */
  readonly foundOf: readonly string[];
}

const FILE = 'truth';

/**
 * Bash that makes a step write the log, which has set `taste`: sets `execution`, notes the begin, and defines `note` for the end. Each line is one write to a file that is
 * opened to append, so lines of several hosts do not mix.
 */
export function noteTruth(folder: string, step: string): string {
  return `workspace=\${2%/pkg_image} area=\${workspace%/*}
[[ $workspace =~ /(agent[0-9]+)/ ]] && host=\${BASH_REMATCH[1]}
read -r execution < /proc/sys/kernel/random/uuid
exec 9>> "${folder}/lock.$host.\${area##*/}.\${workspace##*/}"
alone=true; flock --nonblock 9 || alone=false
found= found_of=
if [ -e "$2/.trace" ]; then
  while read -r of name; do found+=\${found:+,}\\"$name\\" found_of+=\${found_of:+,}\\"$of\\"; done < "$2/.trace"
fi
note() {
  local up; read -r up _ < /proc/uptime
  printf '{"what":"%s","execution":"%s","step":"${step}","taste":"%s","host":"%s","area":"%s","workspace":"%s","at":%s0,"wall":%s,"alone":%s,"found":[%s],"foundOf":[%s]}\\n' \\
    "$1" "$execution" "$taste" "$host" "\${area##*/}" "\${workspace##*/}" "\${up/./}" "$((\${EPOCHREALTIME/./} / 1000))" "$alone" "$found" "$found_of" >> "${folder}/${FILE}"
}
note begin`;
}

export async function readTruth(folder: string): Promise<readonly TruthLine[]> {
  const text = await readFile(join(folder, FILE), 'utf8').catch(() => '');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TruthLine);
}
