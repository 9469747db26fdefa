import { describe, expect, it } from '@jest/globals';
import type { JobState } from '#libs/contracts';
import { planResume } from './plan-resume.js';
import { jobId } from './testing.js';

interface PlannedJob {
  readonly name: string;
  readonly state: JobState;
  readonly needs?: readonly number[];
  /** Names; those before `ran` have succeeded. */
  readonly steps: readonly string[];
  readonly ran?: number;
  readonly variant?: string;
}

/** Jobs with their indexes in the order given, and the steps numbered through. */
function buildOf(planned: readonly PlannedJob[]) {
  let next = 0;
  const jobs = planned.map(({ name, state, needs = [], variant = 'v' }, index) => ({
    id: jobId(name),
    variant_id: variant,
    index,
    state,
    needs,
    generation: 2,
    ancestry: [{ generation: 1, upTo: 'sign', upToIndex: 5 }],
  }));
  const steps = planned.flatMap(({ name, steps, ran = steps.length }) =>
    steps.map((step, at) => ({
      job_id: jobId(name),
      index: next++,
      name: step,
      state: at < ran ? 'succeeded' : 'waiting',
    })),
  );
  return { jobs, steps };
}

/** `job:start` of each that goes back, or the reason of the refusal. */
function resumed(planned: readonly PlannedJob[], from: string | null = null): string {
  const { jobs, steps } = buildOf(planned);
  const plan = planResume(jobs, steps, from);
  if (plan.kind === 'refused') return `refused: ${plan.reason}`;
  const words = plan.jobs.map(({ job, setBack, fromStep }) => {
    const where = setBack === null ? 'latest' : (setBack.ancestry.at(-1)?.upTo ?? 'fresh');
    return `${job.id.slice(2)}:${where}${fromStep === null ? '' : `@${fromStep}`}`;
  });
  return words.sort().join(' ');
}

/** Two lanes, the assembly of both, and two media of that. */
function debianLive(states: readonly JobState[], over: Readonly<Record<string, Partial<PlannedJob>>> = {}) {
  const planned: readonly Omit<PlannedJob, 'state'>[] = [
    { name: 'ba64', steps: ['init64', 'pack64'] },
    { name: 'ba32', steps: ['init32', 'pack32'] },
    { name: 'join', steps: ['join', 'sign'], needs: [0, 1] },
    { name: 'iso', steps: ['iso'], needs: [2] },
    { name: 'usb', steps: ['usb'], needs: [2] },
  ];
  return planned.map((job, at) => ({ ...job, state: states[at]!, ...over[job.name] }));
}

const ALL: readonly JobState[] = ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'succeeded'];

describe('planResume from where each job stopped', () => {
  it.each<[string, readonly JobState[], string]>([
    ['a failed job', ['succeeded', 'failed', 'blocked', 'blocked', 'blocked'], 'ba32:latest'],
    [
      'a paused and a failed one',
      ['paused', 'failed', 'blocked', 'blocked', 'blocked'],
      'ba32:latest ba64:latest',
    ],
    ['none that runs', ['running', 'failed', 'blocked', 'blocked', 'blocked'], 'ba32:latest'],
    [
      'what was cancelled',
      ['succeeded', 'cancelled', 'cancelled', 'cancelled', 'cancelled'],
      'ba32:latest iso:latest join:latest usb:latest',
    ],
    [
      'nothing of what is under way',
      ['running', 'waiting', 'blocked', 'blocked', 'blocked'],
      'refused: has nothing to resume: it is under way',
    ],
    ['nothing of what has succeeded', ALL, 'refused: has nothing to resume: all of it succeeded'],
  ])('takes %s', (_, states, expected) => {
    expect(resumed(debianLive(states))).toBe(expected);
  });
});

describe('planResume from a step', () => {
  it.each<[string, readonly JobState[], string, string]>([
    ['what depends on it, from scratch', ALL, 'pack32', 'ba32:pack32@3 iso:fresh@0 join:fresh@0 usb:fresh@0'],
    ['its job alone where nothing depends on it', ALL, 'usb', 'usb:usb@7'],
    ['the step of that number', ALL, '5', 'iso:fresh@0 join:sign@5 usb:fresh@0'],
    [
      'jobs that stopped elsewhere too',
      ['failed', 'succeeded', 'blocked', 'blocked', 'blocked'],
      'init32',
      'ba32:init32@2 ba64:latest iso:fresh@0 join:fresh@0 usb:fresh@0',
    ],
    [
      'not what runs and does not depend on it',
      ['running', 'succeeded', 'blocked', 'blocked', 'blocked'],
      'pack32',
      'ba32:pack32@3 iso:fresh@0 join:fresh@0 usb:fresh@0',
    ],
    [
      'nothing while its job runs',
      ['running', ...ALL.slice(1)] as JobState[],
      'init64',
      'refused: is still working on what comes from step "init64"',
    ],
    [
      'nothing while one that depends on it runs',
      ['succeeded', 'succeeded', 'succeeded', 'succeeded', 'assigned'],
      'join',
      'refused: is still working on what comes from step "join"',
    ],
    ['no step that is not there', ALL, 'nonesuch', 'refused: has no step "nonesuch"'],
  ])('takes %s', (_, states, from, expected) => {
    expect(resumed(debianLive(states), from)).toBe(expected);
  });

  it('refuses a step that its job has not reached', () => {
    const planned = debianLive(['failed', ...ALL.slice(1)] as JobState[], { ba64: { ran: 0 } });
    expect(resumed(planned, 'pack64')).toBe('refused: cannot resume at "pack64": it has not come that far');
    expect(resumed(planned, 'init64')).toBe('ba64:init64@0 iso:fresh@0 join:fresh@0 usb:fresh@0');
  });

  it('takes the step of each variant, and leaves other variants’ dependents alone', () => {
    const planned: readonly PlannedJob[] = [
      { name: 'a0', state: 'succeeded', steps: ['make'], variant: 'a' },
      { name: 'b0', state: 'succeeded', steps: ['other'], variant: 'b' },
      { name: 'b2', state: 'succeeded', steps: ['end'], needs: [0], variant: 'b' },
    ];
    expect(resumed(planned, 'make')).toBe('a0:make@0');
  });
});

describe('the generations before', () => {
  const setBackTo = (step: string) => {
    const { jobs, steps } = buildOf(debianLive(ALL));
    const plan = planResume(jobs, steps, step);
    return plan.kind === 'resume' ? plan.jobs.find(({ job }) => job.id === jobId('join'))?.setBack : null;
  };

  it('stay good up to the step, and no further', () => {
    expect(setBackTo('join')?.ancestry).toEqual([
      { generation: 1, upTo: 'join', upToIndex: 4 },
      { generation: 2, upTo: 'join', upToIndex: 4 },
    ]);
    expect(setBackTo('sign')?.ancestry).toEqual([
      { generation: 1, upTo: 'sign', upToIndex: 5 },
      { generation: 2, upTo: 'sign', upToIndex: 5 },
    ]);
  });

  it('are worth nothing when what the job builds on is made anew', () => {
    expect(setBackTo('init32')?.ancestry).toEqual([]);
  });
});
