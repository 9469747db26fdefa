import { expect, it } from '@jest/globals';
import type { BuildId } from '#libs/contracts';
import { certificateOf, certificateTable } from './certificate.js';

const [one, two] = ['b-0000000001', 'b-0000000002'] as unknown as readonly [BuildId, BuildId];

const rounds = [
  {
    builds: 2,
    injected: [
      { fault: 'a', where: 'iso', touched: [one, two], goesOnMs: 1500 },
      { fault: 'a', where: 'iso', touched: [], goesOnMs: null },
      { fault: 'b', where: null, touched: [two], goesOnMs: 200 },
    ],
    violations: [{ invariant: 6 as const, text: 'other bytes', build: two }],
  },
];

it('counts what each fault touched, and what came of it', () => {
  const certificate = certificateOf(['a', 'b', 'c'], rounds);
  expect(certificate).toMatchObject({ faults: 3, builds: 2, violations: 1 });
  expect(certificate.rows).toEqual([
    { fault: 'a', injected: 2, touched: 2, recovered: 1, worstMs: 1500 },
    { fault: 'b', injected: 1, touched: 1, recovered: 0, worstMs: 200 },
    { fault: 'c', injected: 0, touched: 0, recovered: 0, worstMs: null },
  ]);
  expect([...certificate.places]).toEqual([['a at iso', 2]]);
  expect(certificateTable(certificate)).toContain('| a | 2 | 2 | 1 | 1.5 s |');
});
