import { describe, expect, it } from '@jest/globals';
import { parseCommandLine } from './command-line.js';

const ENROL = ['enrol', '--coordinator', 'https://farm.example.test', '--token', 'dfe_x'];

describe('parseCommandLine', () => {
  it.each([
    [[], { kind: 'run' }],
    [['run'], { kind: 'run' }],
    [['-h'], { kind: 'help' }],
    [['--version'], { kind: 'version' }],
    [
      ENROL,
      {
        kind: 'enrol',
        coordinator: 'https://farm.example.test',
        token: 'dfe_x',
        caFingerprint: null,
        name: null,
      },
    ],
    [
      [...ENROL, '--name', 'one', '--ca-fingerprint', `sha256:${'0'.repeat(64)}`],
      { kind: 'enrol', name: 'one' },
    ],
  ])('reads %j', (args, expected) => expect(parseCommandLine(args)).toMatchObject(expected));

  it.each([
    ['another command', ['start']],
    ['too much', ['run', 'now']],
    ['an unknown option', ['--verbose']],
    ['enrol without token', ENROL.slice(0, 3)],
    ['a bad fingerprint', [...ENROL, '--ca-fingerprint', 'abc']],
    ['a bad name', [...ENROL, '--name', '../x']],
    ['plain http to another host', ['enrol', '--coordinator', 'http://10.0.0.1', '--token', 'x']],
  ])('refuses %s', (_, args) => expect(parseCommandLine(args).kind).toBe('usage-error'));
});
