// Needs redis-server, root, ip(8) with network namespaces, nsenter, xorriso, and the built dist/ (of DISTROFARM_BUILT, when that is set).
import { expect, it, jest } from '@jest/globals';
import { execa } from 'execa';
import { resolve } from 'node:path';

jest.setTimeout(300_000);

const COMMAND = resolve(import.meta.dirname, '../chaos/chaos.sh');

it('a farm with faults in it keeps its promises', async () => {
  const faults = [
    'agent-killed-in-snapshot',
    'coordinator-killed',
    'redis-emptied',
    'link-reset',
    'user-cancels',
  ];
  const { stdout, exitCode } = await execa(
    COMMAND,
    ['--runs', '2', '--seed', '4', '--faults', faults.join()],
    {
      reject: false,
      all: true,
    },
  );
  expect(stdout).toMatch(/^seed 4$/m);
  expect(stdout).toMatch(/^run 2: .*: 0 violations$/m);
  expect(exitCode).toBe(0);
});

it('lists its faults', async () => {
  const { stdout } = await execa(COMMAND, ['--list']);
  for (const fault of ['agent     ', 'coordinator', 'redis', 'database', 'network', 'disk', 'user'])
    expect(stdout).toContain(fault);
});
