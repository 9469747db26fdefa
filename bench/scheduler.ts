/**
 * How long a scheduling pass takes: 1,000 agents with 4 slots each, 10,000 waiting jobs, in a few kinds of farm. Run it with
 *
 *     npx tsc -p bench/tsconfig.json && node dist/bench/scheduler.js
 *
 * Prints a line per kind: median and worst of 15 passes, after 3 to warm up; the median of the processor's time, garbage collection included, which other
 * programs on the machine change less; and how many jobs were placed.
 */
import type { AgentId, BuildId, JobId, Priority } from '#libs/contracts';
import type {
  CandidateAgent,
  PlacementInput,
  WaitingJob,
} from '../apps/coordinator/src/decide/placement-input.js';
import { placeJobs } from '../apps/coordinator/src/decide/place-jobs.js';

const AGENTS = 1000;
const SLOTS = 4;
const JOBS = 10_000;
const PASSES = 15;
const NOW = 1_800_000_000_000;
const GB = 1e9;
const ARCHITECTURES = [['amd64', 'i386'], ['amd64', 'i386'], ['amd64'], ['arm64']];
const TOOLS = [
  'mksquashfs',
  'xorriso',
  'grub-mkstandalone',
  'mtools',
  'debootstrap',
  'isolinux',
  'zstd',
  'qemu-img',
];
const PRIORITIES: readonly Priority[] = ['low', 'normal', 'normal', 'normal', 'high'];

interface Kind {
  readonly name: string;
  readonly users: number;
  readonly running: number;
  readonly job: (n: number) => Partial<WaitingJob>;
  readonly freeBytes?: number;
}

const requires = (n: number, over: Partial<WaitingJob['requires']> = {}): Pick<WaitingJob, 'requires'> => ({
  requires: {
    architecture: ['amd64', 'amd64', 'i386', 'arm64'][n % 4] ?? 'amd64',
    labels: n % 7 === 0 ? ['fast'] : [],
    tools: TOOLS.slice(0, 2 + (n % 3)),
    freeBytes: GB,
    ...over,
  },
});

const KINDS: readonly Kind[] = [
  { name: 'idle farm', users: 40, running: 0, job: requires },
  { name: 'full farm', users: 40, running: SLOTS, job: requires },
  { name: '2,000 users', users: 2000, running: 1, job: requires },
  { name: 'every job another size', users: 40, running: 0, job: (n) => requires(n, { freeBytes: GB + n }) },
  {
    name: 'every job another size, full',
    users: 40,
    running: SLOTS,
    job: (n) => requires(n, { freeBytes: GB + n }),
  },
  {
    name: 'every job too big, each another size',
    users: 40,
    running: 0,
    job: (n) => requires(n, { freeBytes: 1000 * GB + n }),
  },
  {
    name: 'every job avoids two agents',
    users: 40,
    running: 0,
    job: (n) => ({ ...requires(n), avoid: [agentId(n % AGENTS), agentId((n * 7) % AGENTS)] }),
  },
  {
    name: 'every job bound to its state',
    users: 40,
    running: 0,
    job: (n) => ({
      ...requires(n),
      wants: { lineage: `l${n}`, base: { lineage: `l${n % 5000}`, published: false } },
    }),
  },
];

function agentId(n: number): AgentId {
  return `a-${String(n).padStart(10, '0')}` as AgentId;
}

function agentOf(n: number, running: number): CandidateAgent {
  return {
    id: agentId(n),
    name: `agent${n}`,
    architectures: ARCHITECTURES[n % ARCHITECTURES.length] ?? [],
    labels: n % 3 === 0 ? ['fast', 'rack1'] : ['rack2'],
    tools: TOOLS,
    slots: SLOTS,
    running,
    freeBytes: 100 * GB,
    totalBytes: 500 * GB,
    cpuLoad: (n % 10) / 10,
    state: n % 50 === 0 ? 'drained' : 'ready',
    reason: '',
    until: null,
    lastAssignedAt: NOW - n,
    peer: { id: agentId(n), store: 'zfs', listens: true, isGone: false },
  };
}

function jobOf(n: number, kind: Kind): WaitingJob {
  const build = Math.floor(n / 4);
  return {
    id: `j-${String(n).padStart(10, '0')}` as JobId,
    build: `b-${String(build).padStart(10, '0')}` as BuildId,
    user: `user${build % kind.users}`,
    priority: PRIORITIES[build % PRIORITIES.length] ?? 'normal',
    waitingSince: NOW - (n % 5000) * 1000,
    done: [],
    isComplete: false,
    ordered: 0,
    boundaryBytes: [],
    createdAt: NOW - build * 1000,
    index: n % 4,
    onAgent: null,
    avoid: [],
    wants: { lineage: `l${n}`, base: null },
    ...requires(n),
    ...kind.job(n),
  };
}

function inputOf(kind: Kind): PlacementInput {
  const holders = Array.from({ length: JOBS / 2 }, (_, n) => {
    const held = new Map([
      [agentId(n % AGENTS), 3],
      [agentId((n * 3) % AGENTS), 5],
    ]);
    return [`l${n}`, held] as const;
  });
  return {
    jobs: Array.from({ length: JOBS }, (_, n) => jobOf(n, kind)),
    agents: Array.from({ length: AGENTS }, (_, n) => agentOf(n, kind.running)),
    holders: new Map(holders),
    runningByUser: new Map(),
    limits: { runningPerUser: 500 },
    now: NOW,
  };
}

function measure(kind: Kind): void {
  const input = inputOf(kind);
  for (let n = 0; n < 3; n += 1) placeJobs(input);
  const passes = Array.from({ length: PASSES }, () => {
    const [start, used] = [performance.now(), process.cpuUsage()];
    placeJobs(input);
    const wall = performance.now() - start;
    const { user, system } = process.cpuUsage(used);
    return { wall, cpu: (user + system) / 1000 };
  });
  const wall = passes.map((pass) => pass.wall).sort((a, b) => a - b);
  const cpu = passes.map((pass) => pass.cpu).sort((a, b) => a - b);
  const ms = (value = 0): string => `${value.toFixed(0).padStart(5)} ms`;
  const placed = placeJobs(input).placements.length;
  const middle = Math.floor(PASSES / 2);
  console.log(
    `${kind.name.padEnd(40)} ${ms(wall[middle])}  worst ${ms(wall.at(-1))}  processor ${ms(cpu[middle])}  ${placed} placed`,
  );
}

console.log(`${AGENTS} agents x ${SLOTS} slots, ${JOBS} jobs`);
KINDS.forEach(measure);
