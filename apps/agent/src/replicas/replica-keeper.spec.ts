import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { AreaName, HeldReplica, Holding, WantedReplica } from '#libs/contracts';
import { encodeFacts, factsAt, type Checkpoint } from '#libs/plan';
import { pino } from 'pino';
import { planOf } from '../../../../libs/plan/src/testing.js';
import type { EnteredArea } from '../areas/area-desk.js';
import type { FetchOptions } from '../transfers/checkpoint-fetcher.js';
import { holdingOf } from '../attempts/note-event.js';
import { ReplicaKeeper, type ReplicaKeeperOptions } from './replica-keeper.js';

const plan = planOf(['a', 'b', 'c']);

/** A chain of checkpoints in front of the plan's steps. */
function chainOf(lineage: string, workspace = 'build_data'): readonly Checkpoint[] {
  let previous = '';
  return plan.boundaries.map((boundary, at) => {
    const facts = encodeFacts(factsAt(boundary, previous, plan.digests, lineage, new Date(1000 + at)));
    previous = `${lineage}@${boundary.label}`;
    return { id: previous, workspace, label: boundary.label, facts };
  });
}

function holdingsOf(checkpoints: readonly Checkpoint[]): Holding[] {
  return checkpoints.map((checkpoint) => holdingOf(checkpoint)!);
}

const AREAS = ['b-0000000001.default', 'b-0000000002.default', 'b-0000000003.default'] as AreaName[];
const [ONE, TWO, THREE] = AREAS as [AreaName, AreaName, AreaName];
const one = chainOf('one');

function wantedOf(area: AreaName, over: Partial<WantedReplica> = {}): WantedReplica {
  return { area, base: null, checkpoints: holdingsOf(one.slice(0, 1)), ...over };
}

/** A transfer that has begun, and that the test ends. */
interface Begun {
  readonly area: AreaName;
  readonly options: FetchOptions;
  readonly end: (came: boolean) => void;
}

/** The coordinator, the network and the store of an agent, as the test plays them. */
class Played {
  wanted: WantedReplica[] | Error = [];
  asked = 0;
  isBusy = true;
  /** Transfers end as soon as they begin, unless a test ends them. */
  endsAtOnce = true;
  readonly fetched: string[] = [];
  readonly begun: Begun[] = [];
  readonly told: string[] = [];
  readonly here = new Map<string, Checkpoint[]>();
  readonly inUse: string[] = [];
  readonly options: ReplicaKeeperOptions = {
    link: {
      wantedReplicas: () => {
        this.asked += 1;
        if (this.wanted instanceof Error) return Promise.reject(this.wanted);
        return Promise.resolve({ replicas: [...this.wanted] });
      },
      heldReplica: ({ holding, from }: HeldReplica) => {
        this.told.push(`${holding.label} from ${from}`);
        return Promise.resolve();
      },
      askTransfer: () => Promise.reject(new Error('the network is played')),
    },
    desk: this.#desk(),
    peers: { credentials: { key: '', cert: '', ca: '', minVersion: 'TLSv1.3' } },
    log: pino({ level: 'silent' }),
    fetch: async (_, area, wanted, base, options) => {
      this.fetched.push(`${wanted.label} from ${base?.label ?? 'nothing'}`);
      const came = await new Promise<boolean>((end) => {
        this.begun.push({ area, options, end });
        if (this.endsAtOnce) end(true);
      });
      if (!came) return null;
      const { id, workspace, label } = wanted;
      const checkpoint = { id, workspace, label, facts: {} };
      return { checkpoint, from: 'source', bytes: 1, ms: 1 };
    },
  };

  #desk(): ReplicaKeeperOptions['desk'] {
    const isBusy = (): boolean => this.isBusy;
    return {
      get isBusy(): boolean {
        return isBusy();
      },
      enter: (name) => {
        this.inUse.push(name);
        const area = {
          store: { list: (workspace: string) => Promise.resolve(this.here.get(workspace) ?? []) },
          beside: {},
          leave: () => {
            this.inUse.splice(this.inUse.indexOf(name), 1);
            return Promise.resolve();
          },
        };
        return Promise.resolve(area as unknown as EnteredArea);
      },
    };
  }
}

/** Until what was begun, and can go on, has. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
}

let played: Played;
let keeper: ReplicaKeeper;
let stop: AbortController;
let ended: Promise<void>;
beforeEach(() => {
  played = new Played();
  keeper = new ReplicaKeeper(played.options);
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  for (const { end } of played.begun) end(false);
  await ended;
  expect(played.inUse).toEqual([]);
});
const start = async (...wanted: readonly WantedReplica[]): Promise<void> => {
  played.wanted = [...wanted];
  ended = keeper.run(stop.signal);
  await settled();
};

describe('a copy', () => {
  it('is of each checkpoint, from the one before it, and told one by one', async () => {
    await start(wantedOf(ONE, { checkpoints: holdingsOf(one) }));
    expect(played.fetched.slice(0, 3)).toEqual([
      '.step_a from nothing',
      '.step_b from .step_a',
      '.step_c from .step_b',
    ]);
    expect(played.told.slice(0, 2)).toEqual(['.step_a from source', '.step_b from source']);
  });

  it('leaves out what is here', async () => {
    played.here.set('build_data', one.slice(0, 2));
    played.endsAtOnce = false;
    await start(wantedOf(ONE, { checkpoints: holdingsOf(one) }));
    expect(played.fetched).toEqual(['.step_c from .step_b']);
  });

  it('of a lane begins with where that forked, when that is here', async () => {
    played.here.set('build_data', [...one]);
    played.endsAtOnce = false;
    const base = { workspace: 'build_data', checkpoint: one[1]!.id };
    const lane = chainOf('lane', 'build_data.lane').slice(0, 1);
    await start(wantedOf(ONE, { base, checkpoints: holdingsOf(lane) }));
    expect(played.fetched).toEqual(['.step_a from .step_b']);
  });

  it('is not made of what the job got further than here', async () => {
    played.here.set('build_data', [...one]);
    const others = holdingsOf(one.slice(0, 2)).map((holding) => ({ ...holding, id: `other ${holding.id}` }));
    await start(wantedOf(ONE, { checkpoints: others }));
    expect(played.fetched).toEqual([]);
  });

  it('ends with the first checkpoint that nobody can send', async () => {
    played.endsAtOnce = false;
    await start(wantedOf(ONE, { checkpoints: holdingsOf(one) }));
    played.begun[0]!.end(true);
    await settled();
    played.begun[1]!.end(false);
    await settled();
    expect(played.told).toEqual(['.step_a from source']);
  });

  it('gives way to jobs, unless one is in want of it', async () => {
    played.endsAtOnce = false;
    await start(wantedOf(ONE));
    const { options } = played.begun[0]!;
    expect(options.isBusy!()).toBe(true);
    played.wanted = [wantedOf(ONE, { urgent: true })];
    keeper.wake();
    await settled();
    expect(options.isBusy!()).toBe(false);
    expect(played.fetched).toHaveLength(1);
  });
});

describe('several copies', () => {
  it('come one area after the other', async () => {
    played.endsAtOnce = false;
    await start(wantedOf(ONE), wantedOf(TWO), wantedOf(THREE));
    expect(played.begun.map(({ area }) => area)).toEqual([ONE]);
    played.begun[0]!.end(false);
    await settled();
    expect(played.begun.map(({ area }) => area)).toEqual([ONE, TWO]);
  });

  it('do not hold up one that a job is in want of', async () => {
    played.endsAtOnce = false;
    await start(wantedOf(ONE), wantedOf(TWO));
    played.wanted = [wantedOf(THREE, { urgent: true }), wantedOf(ONE), wantedOf(TWO)];
    keeper.wake();
    await settled();
    expect(played.begun.map(({ area }) => area)).toEqual([ONE, THREE]);
  });

  it('of one area come one after the other, however urgent', async () => {
    played.endsAtOnce = false;
    await start(wantedOf(ONE, { urgent: true }), wantedOf(ONE, { urgent: true }));
    expect(played.begun).toHaveLength(1);
  });
});

describe('the coordinator', () => {
  it('is asked again when something came, and not when nothing did', async () => {
    played.endsAtOnce = false;
    await start(wantedOf(ONE), wantedOf(TWO));
    played.begun[0]!.end(false);
    await settled();
    expect(played.asked).toBe(1);
    played.wanted = [];
    played.begun[1]!.end(true);
    await settled();
    expect(played.asked).toBe(2);
    expect(played.fetched).toHaveLength(2);
  });

  it('is asked again when there is a hint, also after it did not answer', async () => {
    await start();
    played.wanted = new Error('away');
    keeper.wake();
    await settled();
    played.endsAtOnce = false;
    played.wanted = [wantedOf(ONE)];
    keeper.wake();
    await settled();
    expect(played.asked).toBe(3);
    expect(played.fetched).toHaveLength(1);
  });
});
