import type { AgentFacts, AgentLoad } from '#libs/contracts';
import type { Areas } from '#libs/snapshots';
import { toolVersions } from '#libs/steps';
import { execa } from 'execa';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, freemem, hostname, loadavg } from 'node:os';
import { join } from 'node:path';
import type { AgentConfig } from '../config.js';
import { KNOWN_TOOLS } from './known-tools.js';

/** Debian's words for what Node calls them. */
const ARCHITECTURES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: 'i386',
  arm64: 'arm64',
  arm: 'armhf',
  ppc64: 'ppc64el',
  riscv64: 'riscv64',
  s390x: 's390x',
};

/** What does not change while the agent runs. */
export type FixedFacts = Omit<AgentFacts, 'freeBytes' | 'usedBytes'>;

export async function fixedFacts(config: AgentConfig, areas: Areas, version: string): Promise<FixedFacts> {
  const [architectures, tools] = await Promise.all([
    config.architectures.length > 0 ? config.architectures : runnableArchitectures(config.stateFolder),
    toolVersions([...KNOWN_TOOLS, ...config.tools], join(config.stateFolder, 'tool-versions.json')),
  ]);
  return {
    version,
    hostname: hostname().slice(0, 255),
    architectures: [...architectures],
    labels: [...config.labels],
    slots: config.slots,
    tools,
    store: {
      kind: areas.kind,
      description: areas.description.slice(0, 300),
      abilities: ['send', 'receive'],
    },
  };
}

export function hostLoad(): AgentLoad {
  return { cpu: (loadavg()[0] ?? 0) / availableParallelism(), freeMemoryBytes: freemem() };
}

/** An amd64 kernel runs i386 programs unless it was built or started without; so it is asked. */
async function runnableArchitectures(folder: string): Promise<readonly string[]> {
  const own = ARCHITECTURES[process.arch] ?? process.arch;
  return own === 'amd64' && (await runs(I386_PROGRAM, folder)) ? [own, 'i386'] : [own];
}

const PROBE_TIMEOUT_MS = 3_000;

async function runs(program: Buffer, folder: string): Promise<boolean> {
  const place = await mkdtemp(join(folder, 'probe-'));
  try {
    const path = join(place, 'program');
    await writeFile(path, program);
    await chmod(path, 0o700);
    return (await execa(path, { reject: false, timeout: PROBE_TIMEOUT_MS })).exitCode === 0;
  } finally {
    await rm(place, { recursive: true, force: true });
  }
}

/** The smallest ELF program of 32 bits: header, one segment, and `exit(0)` by int 0x80. elf(5). */
const I386_PROGRAM = Buffer.from(
  [
    '7f454c46010101000000000000000000',
    '02000300010000005480040834000000',
    '00000000000000003400200001000000',
    '00000000',
    '01000000000000000080040800800408',
    '5d0000005d0000000500000000100000',
    'b80100000031dbcd80',
  ].join(''),
  'hex',
);
