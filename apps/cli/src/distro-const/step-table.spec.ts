import { describe, expect, it } from '@jest/globals';
import { findResumable } from '#libs/plan';
import { checkpointsOf, planOf } from '../../../../libs/plan/src/testing.js';
import { stepTable } from './step-table.js';

describe('stepTable', () => {
  it('has the columns of distro_const', () => {
    const plan = planOf(['im-pop', 'a-step-with-a-long-name']);
    expect(stepTable(plan, findResumable(plan, checkpointsOf(plan, 1)))).toBe(
      [
        '',
        'Step           Resumable Description',
        '-------------- --------- -------------',
        'im-pop             X     Run im-pop',
        'a-step-with-a-long-name          Run a-step-with-a-long-name',
        '',
      ].join('\n'),
    );
  });
});
