import { describe, expect, it } from '@jest/globals';
import type { Checkpoint } from './checkpoint.js';
import { chooseStart, findStep, type StartDecision, type StartRequest } from './choose-start.js';
import type { Plan } from './plan.js';
import { findResumable, findResumableInJob, resumableSteps, type Lineage } from './resume-point.js';
import { checkpointsOf, planOf } from './testing.js';

const STEPS = ['im-pop', 'im-mod', 'ba-init', 'iso'];
const PLAN = planOf(STEPS);

function resumable(plan: Plan, checkpoints: readonly Checkpoint[]): readonly string[] {
  return resumableSteps(findResumable(plan, checkpoints)).map(({ name }) => name);
}

describe('findResumable', () => {
  it('finds every step of a complete build', () => {
    expect(resumable(PLAN, checkpointsOf(PLAN))).toEqual(STEPS);
  });

  it('finds nothing where nothing is', () => {
    expect(findResumable(PLAN, []).brokenBy).toMatchObject({
      boundary: PLAN.boundaries[0],
      reason: { kind: 'absent' },
    });
  });

  it.each([
    ['after a failure in ba-init', checkpointsOf(PLAN, 3), ['im-pop', 'im-mod', 'ba-init']],
    ['behind a hole', checkpointsOf(PLAN).filter(({ label }) => label !== '.step_im-mod'), ['im-pop']],
    [
      'with another workspace’s checkpoints',
      checkpointsOf(PLAN).map((c) => ({ ...c, workspace: 'rpool/a/build_data' })),
      [],
    ],
  ])('stops %s', (_, checkpoints, expected) => {
    expect(resumable(PLAN, checkpoints)).toEqual(expected);
  });

  it.each([
    ['steps swapped', ['im-pop', 'ba-init', 'im-mod', 'iso'], ['im-pop'], 'other-order'],
    ['a step deleted', ['im-pop', 'ba-init', 'iso'], ['im-pop'], 'other-order'],
    ['a step inserted', ['im-pop', 'new', 'im-mod', 'ba-init', 'iso'], ['im-pop'], 'absent'],
    ['a step renamed', ['im-pop', 'im-mod', 'ba-begin', 'iso'], ['im-pop', 'im-mod'], 'absent'],
    ['a step appended', [...STEPS, 'usb'], STEPS, 'absent'],
  ])('ends the chain in a manifest with %s', (_, steps, expected, reason) => {
    const plan = planOf(steps);
    const state = findResumable(plan, checkpointsOf(PLAN));
    expect(resumableSteps(state).map(({ name }) => name)).toEqual(expected);
    expect(state.brokenBy?.reason.kind).toBe(reason);
  });

  it('does not take leftovers of an older run for the present one', () => {
    const older = checkpointsOf(PLAN, 4, 'old');
    const newer = checkpointsOf(PLAN, 2, 'new');
    const mixed = [...newer, ...older.slice(2)];
    expect(resumable(PLAN, mixed)).toEqual(['im-pop', 'im-mod']);
    expect(findResumable(PLAN, mixed).brokenBy?.reason).toEqual({ kind: 'other-run' });
  });

  it.each(['format', 'previous', 'after', 'script', 'content', 'taken-at'])(
    'does not trust a checkpoint without its fact "%s"',
    (fact) => {
      const damaged = checkpointsOf(PLAN).map((checkpoint, index) => {
        if (index !== 1) return checkpoint;
        const facts = Object.fromEntries(Object.entries(checkpoint.facts).filter(([name]) => name !== fact));
        return { ...checkpoint, facts };
      });
      expect(findResumable(PLAN, damaged).brokenBy?.reason).toEqual({ kind: 'unreadable' });
    },
  );

  it('needs the end of a lane to resume behind it', () => {
    const plan = planOf(['l:a>tmp/a', 'b', 'c']);
    const all = checkpointsOf(plan);
    expect(resumable(plan, all)).toEqual(['a', 'b', 'c']);
    expect(
      resumable(
        plan,
        all.filter(({ label }) => label !== '.end_a'),
      ),
    ).toEqual(['a']);
  });
});

describe('chooseStart', () => {
  const request: StartRequest = { resume: { kind: 'latest' }, pauseBefore: null, ifChanged: 'warn' };

  function choose(
    change: Partial<StartRequest>,
    checkpoints = checkpointsOf(PLAN),
    plan = PLAN,
  ): StartDecision {
    return chooseStart(plan, findResumable(plan, checkpoints), { ...request, ...change });
  }

  function resumedAt(decision: StartDecision): string | undefined {
    return decision.kind === 'resume' ? decision.chain.at(-1)?.boundary.before?.name : decision.kind;
  }

  const at = (name: string): StartRequest['resume'] => {
    const step = findStep(PLAN, name);
    return step === null ? { kind: 'none' } : { kind: 'step', step };
  };

  it.each<[string, StartRequest['resume'], number, string]>([
    ['a plain build starts from nothing', { kind: 'none' }, 4, 'from-empty'],
    ['-R after a complete build repeats the last step', { kind: 'latest' }, 4, 'iso'],
    ['-R after a failure repeats the failed step', { kind: 'latest' }, 3, 'ba-init'],
    ['-r by name', at('im-mod'), 4, 'im-mod'],
    ['-r by number', at('1'), 4, 'im-mod'],
    ['-r 0', at('0'), 4, 'im-pop'],
  ])('%s', (_, resume, count, expected) => {
    expect(resumedAt(choose({ resume }, checkpointsOf(PLAN, count)))).toBe(expected);
  });

  it('refuses where nothing is resumable', () => {
    for (const resume of [request.resume, at('im-pop')]) {
      expect(choose({ resume }, [])).toMatchObject({
        kind: 'refused',
        refusal: { kind: 'nothing-resumable' },
      });
    }
  });

  it('refuses a step later than the latest, and names those that are not', () => {
    const decision = choose({ resume: at('iso') }, checkpointsOf(PLAN, 1));
    expect(decision).toMatchObject({
      refusal: { kind: 'not-resumable', step: { name: 'iso' }, resumable: [{ name: 'im-pop' }] },
    });
  });

  it.each([['im-mod'], ['im-pop']])('refuses to pause at %s, not later than the resumed step', (name) => {
    const decision = choose({ resume: at('im-mod'), pauseBefore: findStep(PLAN, name) });
    expect(decision).toMatchObject({ refusal: { kind: 'pause-not-later' } });
  });

  it('pauses behind the resumed step', () => {
    expect(resumedAt(choose({ resume: at('im-mod'), pauseBefore: findStep(PLAN, 'iso') }))).toBe('im-mod');
  });

  describe('when something changed under the checkpoints', () => {
    const scripts = { 'im-mod': 'another digest' };

    it.each([
      ['a script, warn', planOf(STEPS, { scripts }), 'warn' as const, 'iso'],
      ['a script, refuse', planOf(STEPS, { scripts }), 'refuse' as const, 'refused'],
      ['a script, restart', planOf(STEPS, { scripts }), 'restart' as const, 'im-mod'],
      ['the content, restart', planOf(STEPS, { content: 'other' }), 'restart' as const, 'im-pop'],
      ['words only, refuse', planOf(STEPS, { text: '<other/>' }), 'refuse' as const, 'iso'],
    ])('%s', (_, plan, ifChanged, expected) => {
      expect(resumedAt(choose({ ifChanged }, checkpointsOf(PLAN), plan))).toBe(expected);
    });

    it('does not mind a changed script that has not run yet', () => {
      const decision = choose({ resume: at('im-mod') }, checkpointsOf(PLAN), planOf(STEPS, { scripts }));
      expect(decision).toMatchObject({ kind: 'resume', change: { steps: [], contentSince: [] } });
    });

    it('names what changed', () => {
      const decision = choose({}, checkpointsOf(PLAN), planOf(STEPS, { scripts, content: 'other' }));
      expect(decision).toMatchObject({
        change: {
          steps: [{ name: 'im-mod', what: ['script'] }],
          contentSince: ['im-pop', 'im-mod', 'ba-init'],
        },
      });
    });
  });
});

describe('findResumableInJob', () => {
  const plan = planOf(['a', 'm:b', 'm:c', 'd']);
  const job = plan.jobs[1]!;
  /** The lane's boundaries as a farm leaves them: the first one has none before it. */
  const own = checkpointsOf(plan).filter(({ workspace }) => workspace === job.workspace);
  const alone = own.map((each, index) =>
    index === 0 ? { ...each, facts: { ...each.facts, previous: '' } } : each,
  );
  const labels = (
    checkpoints: readonly Checkpoint[],
    lineage = 'b1',
    ancestry: Lineage['ancestry'] = [],
  ): readonly string[] =>
    findResumableInJob(plan, job, checkpoints, { lineage, ancestry }).held.map(
      ({ boundary }) => boundary.label,
    );

  it('follows the job’s own chain, up to the state it ends in', () => {
    expect(labels(alone)).toEqual(['.step_b', '.step_c', '.end_c']);
  });

  it('takes no checkpoint of another lineage', () => expect(labels(alone, 'b2')).toEqual([]));

  it('takes those of an earlier lineage up to the step the job was set back to', () => {
    expect(labels(alone, 'b2', [{ lineage: 'b1', upTo: 'c' }])).toEqual(['.step_b', '.step_c']);
    expect(labels(alone, 'b2', [{ lineage: 'b1', upTo: 'b' }])).toEqual(['.step_b']);
    expect(labels(alone, 'b3', [{ lineage: 'b2', upTo: 'c' }])).toEqual([]);
  });

  it('ends where a checkpoint did not grow out of the one before', () => {
    expect(labels(own)).toEqual([]);
    expect(labels(alone.filter(({ label }) => label !== '.step_c'))).toEqual(['.step_b']);
  });
});
