import {
  servedKey,
  type PlacementInput,
  type Served,
  type ServedJob,
  type WaitingJob,
} from './placement-input.js';

/**
 * After this long without being served, a job counts as one priority higher; after twice as long a `low` job stands beside the `high` ones.
 * Half an hour is about one long step: less, and priorities would mean nothing on a busy farm.
 */
export const AGEING_MS = 30 * 60_000;

const CLASS_OF = { low: 0, normal: 1, high: 2 } as const;
const HIGHEST_CLASS = CLASS_OF.high;

/**
 * The order in which waiting jobs get their turn:
 *
 * 1. the higher class: a job's priority, raised by one for each `AGEING_MS` that it waits, never above `high`;
 * 2. the user of whom fewer attempts run, those placed in this pass included;
 * 3. the build submitted earlier; within it the lower index, then the id.
 *
 * What counts as waiting: since the job began to, or since the last time when its user got a job of the same priority that stood in front of it,
 * if that is later. So a job ages when the line it stands in does not move, and the thousand jobs of one user, which are served one by one, do
 * not grow old together and push everybody else aside. Ageing ends at `high` because there fair share decides: no user can be kept out for
 * ever, and a user's own jobs come oldest first. Hence every job that an agent keeps being free for is placed some time.
 */
export class WaitingLine {
  private readonly load: Map<string, number>;
  private readonly lastServed: Map<string, ServedJob>;
  private readonly queuesByUser = new Map<string, Queue[]>();
  private readonly heads = new HeadHeap();
  private readonly now: number;

  constructor(input: Pick<PlacementInput, 'jobs' | 'runningByUser' | 'served' | 'now'>) {
    this.now = input.now;
    this.load = new Map(input.runningByUser);
    this.lastServed = new Map(input.served);
    this.fillQueues(input.jobs);
    for (const queues of this.queuesByUser.values()) queues.forEach((queue) => this.pushHead(queue));
  }

  /** Takes the next job out of the line; `undefined` when nobody is left. */
  next(): WaitingJob | undefined {
    const queue = this.heads.pop();
    const job = queue?.jobs[queue.taken];
    if (queue === undefined || job === undefined) return undefined;
    queue.taken += 1;
    this.pushHead(queue);
    return job;
  }

  /** To be told of each job from `next` that was placed: its user's other jobs then stand further back. */
  placed(job: WaitingJob): void {
    this.load.set(job.user, this.runningOf(job.user) + 1);
    this.lastServed.set(servedKey(job), { at: this.now, createdAt: job.createdAt, index: job.index });
    this.queuesByUser.get(job.user)?.forEach((queue) => this.pushHead(queue));
  }

  /** Attempts of the user that run, those placed in this pass included. */
  runningOf(user: string): number {
    return this.load.get(user) ?? 0;
  }

  /** For the next pass. Of lines that nobody stands in any more nothing needs to be known. */
  served(): Served {
    const kept = new Map<string, ServedJob>();
    for (const queues of this.queuesByUser.values()) {
      for (const { key } of queues) {
        const served = this.lastServed.get(key);
        if (served !== undefined) kept.set(key, served);
      }
    }
    return kept;
  }

  /** The order of jobs that all stay: as if each that gets its turn counted for its user as one that runs. */
  turns(staying: readonly WaitingJob[]): readonly WaitingJob[] {
    const line = new WaitingLine({
      jobs: staying,
      runningByUser: this.load,
      served: this.lastServed,
      now: this.now,
    });
    const order: WaitingJob[] = [];
    for (let job = line.next(); job !== undefined; job = line.next()) {
      order.push(job);
      line.placed(job);
    }
    return order;
  }

  private fillQueues(jobs: readonly WaitingJob[]): void {
    const byKey = new Map<string, Queue>();
    for (const job of [...jobs].sort(compareSubmission)) {
      const key = servedKey(job);
      const queue = byKey.get(key);
      if (queue !== undefined) queue.jobs.push(job);
      else {
        const begun: Queue = { key, jobs: [job], taken: 0, version: 0 };
        byKey.set(key, begun);
        this.queuesByUser.set(job.user, [...(this.queuesByUser.get(job.user) ?? []), begun]);
      }
    }
  }

  private pushHead(queue: Queue): void {
    queue.version += 1;
    const job = queue.jobs[queue.taken];
    if (job === undefined) return;
    const rank = { job, class: this.classOf(job, queue.key), load: this.runningOf(job.user) };
    this.heads.push({ queue, version: queue.version, rank });
  }

  private classOf(job: WaitingJob, key: string): number {
    const served = this.lastServed.get(key);
    const since =
      served !== undefined && compareInBuilds(served, job) < 0
        ? Math.max(served.at, job.waitingSince)
        : job.waitingSince;
    const raised = Math.floor(Math.max(0, this.now - since) / AGEING_MS);
    return Math.min(HIGHEST_CLASS, CLASS_OF[job.priority] + raised);
  }
}

/** Jobs of one user and priority, in the order of submission. */
interface Queue {
  readonly key: string;
  readonly jobs: WaitingJob[];
  /** How many of `jobs` have left. */
  taken: number;
  /** Raised with each rank its head gets: the heap holds older ones until they come up, and passes them over. */
  version: number;
}

interface Rank {
  readonly job: WaitingJob;
  readonly class: number;
  readonly load: number;
}

interface Head {
  readonly queue: Queue;
  readonly version: number;
  readonly rank: Rank;
}

function compareRank(a: Rank, b: Rank): number {
  return b.class - a.class || a.load - b.load || compareSubmission(a.job, b.job);
}

function compareSubmission(a: WaitingJob, b: WaitingJob): number {
  return compareInBuilds(a, b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
}

type InBuilds = Pick<WaitingJob, 'createdAt' | 'index'>;
function compareInBuilds(a: InBuilds, b: InBuilds): number {
  return a.createdAt - b.createdAt || a.index - b.index;
}

/** A binary heap of the queues' heads: with a thousand users, looking through them all for each job takes longer than all the rest. */
class HeadHeap {
  private readonly heap: Head[] = [];

  push(head: Head): void {
    let at = this.heap.length;
    while (at > 0) {
      const parentAt = (at - 1) >> 1;
      const parent = this.heap[parentAt];
      if (parent === undefined || compareRank(parent.rank, head.rank) <= 0) break;
      this.heap[at] = parent;
      at = parentAt;
    }
    this.heap[at] = head;
  }

  /** The queue whose head is first; `undefined` when all are empty. */
  pop(): Queue | undefined {
    for (;;) {
      const first = this.heap[0];
      if (first === undefined) return undefined;
      const last = this.heap.pop();
      if (last !== undefined && last !== first) this.sink(last);
      if (first.version === first.queue.version) return first.queue;
    }
  }

  /** Puts `head` in the place of the first one. */
  private sink(head: Head): void {
    let at = 0;
    for (;;) {
      const childAt = this.lesserChild(at);
      const child = this.heap[childAt];
      if (child === undefined || compareRank(head.rank, child.rank) <= 0) break;
      this.heap[at] = child;
      at = childAt;
    }
    this.heap[at] = head;
  }

  private lesserChild(at: number): number {
    const left = this.heap[2 * at + 1];
    const right = this.heap[2 * at + 2];
    const isRight = left !== undefined && right !== undefined && compareRank(right.rank, left.rank) < 0;
    return 2 * at + (isRight ? 2 : 1);
  }
}
