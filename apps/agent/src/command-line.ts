import { parseArgs } from 'node:util';
import { Name } from '#libs/contracts';
import { addressProblem } from './link/coordinator-address.js';

export type AgentCommand =
  | { readonly kind: 'run' }
  | {
      readonly kind: 'enrol';
      readonly coordinator: string;
      readonly token: string;
      readonly caFingerprint: string | null;
      readonly name: string | null;
    }
  | { readonly kind: 'help' }
  | { readonly kind: 'version' }
  | { readonly kind: 'usage-error'; readonly message: string };

export const USAGE = `Usage:
  distrofarm-agent [run]
  distrofarm-agent enrol --coordinator URL --token TOKEN [--ca-fingerprint sha256:…] [--name NAME]

run     Claims jobs from the coordinator and runs them. Settings come from the environment: DISTROFARM_AGENT_STORE (a dataset pool/name, or a
        folder), DISTROFARM_AGENT_SLOTS, DISTROFARM_AGENT_LABELS, ... (docs/operations.md). SIGTERM lets running jobs end; a second one does not.
enrol   Makes this host an agent of a farm, with a one-use token (distrofarm agents enrol); "-": it is read from standard input.
`;

export function parseCommandLine(args: readonly string[]): AgentCommand {
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        coordinator: { type: 'string' },
        token: { type: 'string' },
        'ca-fingerprint': { type: 'string' },
        name: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
        version: { type: 'boolean' },
      },
    });
    if (values.help === true) return { kind: 'help' };
    if (values.version === true) return { kind: 'version' };
    const [command = 'run', ...more] = positionals;
    const { coordinator, token, name = null, 'ca-fingerprint': caFingerprint = null } = values;
    if (more.length > 0) return usage(`unexpected "${more[0] ?? ''}"`);
    if (command === 'run') return { kind: 'run' };
    if (command !== 'enrol') return usage(`unknown command "${command}"`);
    if (coordinator === undefined || token === undefined)
      return usage('enrol needs --coordinator and --token');
    const problem = addressProblem(coordinator);
    if (problem !== null) return usage(`--coordinator: ${problem}`);
    if (caFingerprint !== null && !/^sha256:[0-9a-f]{64}$/.test(caFingerprint))
      return usage('--ca-fingerprint: expected sha256: and 64 hex digits');
    if (name !== null && !Name.safeParse(name).success) return usage(`--name: "${name}" cannot be a name`);
    return { kind: 'enrol', coordinator, token, caFingerprint, name };
  } catch (error) {
    return usage((error as Error).message);
  }
}

function usage(message: string): AgentCommand {
  return { kind: 'usage-error', message };
}
