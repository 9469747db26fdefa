import { describe, expect, it } from '@jest/globals';
import type { Job, Plan } from './plan.js';
import { planOf } from './testing.js';

/** `main[a b]<-empty` and so on, a line per job. */
function jobs(plan: Plan): readonly string[] {
  return plan.jobs.map((job) => {
    const steps = job.steps.map(({ name }) => name).join(' ');
    const imports = job.imports.map(({ lane, path }) => ` +${lane}:${path}`).join('');
    return `${job.lane}[${steps}]<-${base(job)}${imports}`;
  });
}

function base({ base: from }: Job): string {
  return from.kind === 'empty' ? 'empty' : `${from.kind} ${from.boundary.workspace}@${from.boundary.label}`;
}

function boundaries(plan: Plan): readonly string[] {
  return plan.boundaries.map(({ workspace, label }) => `${workspace}@${label}`);
}

describe('planBuild', () => {
  it('makes one job of a classic manifest, with a boundary in front of each step', () => {
    const plan = planOf(['im-pop', 'im-mod', 'iso']);
    expect(jobs(plan)).toEqual(['main[im-pop im-mod iso]<-empty']);
    expect(boundaries(plan)).toEqual([
      'build_data@.step_im-pop',
      'build_data@.step_im-mod',
      'build_data@.step_iso',
    ]);
  });

  it('starts lanes in front of the first main step from nothing, and joins them there', () => {
    const plan = planOf([
      'x64:pop64',
      'x64:arch64>pkg_image/a',
      'x86:pop32>pkg_image/b',
      'menu',
      'iso:iso>media/x.iso',
      'usb:usb',
    ]);
    expect(jobs(plan)).toEqual([
      'x64[pop64 arch64]<-empty',
      'x86[pop32]<-empty',
      'main[menu]<-empty +x64:pkg_image/a +x86:pkg_image/b',
      'iso[iso]<-fork build_data@.end_menu',
      'usb[usb]<-fork build_data@.end_menu',
    ]);
    expect(boundaries(plan)).toEqual([
      'build_data.x64@.step_pop64',
      'build_data.x64@.step_arch64',
      'build_data.x64@.end_arch64',
      'build_data.x86@.step_pop32',
      'build_data.x86@.end_pop32',
      'build_data@.step_menu',
      'build_data@.end_menu',
      'build_data.iso@.step_iso',
      'build_data.usb@.step_usb',
    ]);
  });

  it('forks a lane from main as it is there, and goes on with main where it was', () => {
    expect(jobs(planOf(['a', 'l:b>tmp/x', 'c']))).toEqual([
      'main[a]<-empty',
      'l[b]<-fork build_data@.end_a',
      'main[c]<-continue build_data@.end_a +l:tmp/x',
    ]);
  });

  it('joins a lane that comes in parts in front of the main step behind its last part', () => {
    expect(jobs(planOf(['a', 'l:b>tmp/b', 'c', 'l:d>tmp/d', 'e']))).toEqual([
      'main[a]<-empty',
      'l[b]<-fork build_data@.end_a',
      'main[c]<-continue build_data@.end_a',
      'l[d]<-continue build_data.l@.end_b',
      'main[e]<-continue build_data@.end_c +l:tmp/b +l:tmp/d',
    ]);
  });

  it('joins several lanes, also when they take turns', () => {
    expect(jobs(planOf(['k:a>tmp/a', 'l:b>tmp/b', 'k:c', 'd']))).toEqual([
      'k[a]<-empty',
      'l[b]<-empty',
      'k[c]<-continue build_data.k@.end_a',
      'main[d]<-empty +k:tmp/a +l:tmp/b',
    ]);
  });

  it('brings each lane in once', () => {
    const plan = planOf(['l:a>tmp/a', 'b', 'm:c>tmp/c', 'd']);
    expect(plan.jobs.map(({ imports }) => imports.map(({ path }) => path))).toEqual([
      [],
      ['tmp/a'],
      [],
      ['tmp/c'],
    ]);
  });

  it('gives every job an end where that is asked for', () => {
    const plan = planOf(['a', 'l:b', 'l:c'], { everyEnd: true });
    expect(boundaries(plan)).toEqual([
      'build_data@.step_a',
      'build_data@.end_a',
      'build_data.l@.step_b',
      'build_data.l@.step_c',
      'build_data.l@.end_c',
    ]);
  });

  it('never has a job need itself or a later one, in whatever order lanes take turns: there is no circle to write', () => {
    for (const lanes of sequences(['main', 'k', 'l'], 5)) {
      const plan = planOf(lanes.map((lane, at) => `${lane}:s${at}>tmp/${lane}-${at}`));
      for (const { index, base, imports } of plan.jobs) {
        const from = base.kind === 'empty' ? [] : [base.boundary.job];
        const joined = imports.map(({ path }) =>
          plan.jobs.findIndex(({ steps }) => steps.some(({ outputs }) => outputs.includes(path))),
        );
        expect([lanes, [...from, ...joined].filter((job) => job < 0 || job >= index)]).toEqual([lanes, []]);
      }
    }
  });
});

/** All of the length. */
function sequences(words: readonly string[], length: number): readonly (readonly string[])[] {
  if (length === 0) return [[]];
  return sequences(words, length - 1).flatMap((before) => words.map((word) => [...before, word]));
}
