import { describe, expect, it } from '@jest/globals';
import type { AgentId, BuildId, ComparedCheckpoint, FileChange, ReadyDiff } from '#libs/contracts';
import picocolors from 'picocolors';
import { checkpointName, differenceLines, whatIsWaitedFor, whyThereIsNone } from './render-diff.js';

const colours = picocolors.createColors(false);
const side = (before: string | null, change: Partial<ComparedCheckpoint> = {}): ComparedCheckpoint => ({
  ...{ id: '123', build: 'b-0123456789' as BuildId, variant: 'de', lane: 'main', label: '', before },
  takenAt: 1,
  agents: [{ agent: 'a-0123456789' as AgentId, agentName: 'mill' }],
  listing: { state: 'ready', entries: 1, bytes: 1, madeAt: 1 },
  ...change,
});
const facts = { type: 'file', mode: 0o644, uid: 0, gid: 0, bytes: 2000, target: null } as const;
const added = (path: string): FileChange => ({ path, change: 'added', parts: [], from: null, to: facts });
const NONE = { added: 0, removed: 0, changed: 0, same: 12_345 };
const SAME: ReadyDiff = {
  ...{ state: 'ready', from: side('pop'), to: side(null), files: NONE, packages: null },
  ...{ addedBytes: 0, removedBytes: 0, changedBytes: 0, folders: [], changes: [], matching: 0, next: null },
};

describe('differenceLines', () => {
  it('says that two are the same', () => {
    expect(differenceLines(SAME, colours, 10)).toEqual([
      'b-0123456789.de@pop → b-0123456789.de@end',
      'files:    0 added, 0 removed, 0 changed, 12,345 the same',
      '          0 B in all',
      '',
      'The two are the same.',
    ]);
  });

  it('has counts, packages, folders and files, and says how many more there are', () => {
    const lines = differenceLines(
      {
        ...SAME,
        files: { added: 2000, removed: 1, changed: 1, same: 5 },
        ...{ addedBytes: 4_000_000, removedBytes: 1000, changedBytes: -500 },
        packages: {
          counts: { added: 1, removed: 1, changed: 1, same: 300 },
          changes: [
            { name: 'base-files', architecture: 'amd64', from: '12', to: '13' },
            { name: 'dash', architecture: 'all', from: null, to: '1' },
            { name: 'zsh', architecture: 'amd64', from: '5', to: null },
          ],
        },
        folders: [
          { path: 'etc', added: 0, removed: 1, changed: 1, bytes: -1500, whole: false },
          { path: 'etc/x', added: 2000, removed: 0, changed: 0, bytes: 4_000_000, whole: true },
        ],
        changes: [
          added('etc/x/1'),
          {
            ...{ path: 'etc/y', change: 'changed', parts: ['mode'], from: facts },
            to: { ...facts, mode: 0o755 },
          },
          { ...added('etc/z'), change: 'removed', from: facts, to: null },
        ],
        matching: 2002,
        next: 3,
      },
      colours,
      2,
    );
    expect(lines).toEqual([
      'b-0123456789.de@pop → b-0123456789.de@end',
      'files:    2,000 added, 1 removed, 1 changed, 5 the same',
      '          +4.0 MB in all: 4.0 MB added, 1.0 kB removed, -500 B in what changed',
      'packages: 1 added, 1 removed, 1 changed, 300 the same',
      '',
      'packages:',
      '  ~  base-files  amd64  12 → 13',
      '  +  dash        all    1',
      '  and 1 more packages (--most; --json has all)',
      '',
      'folders:',
      '  etc/*           -1  ~1  -1.5 kB',
      '  etc/x/  +2,000          +4.0 MB',
      '',
      'files:',
      '  + etc/x/1  (2.0 kB)',
      '  ~ etc/y  (mode 644 → 755)',
      '  and 2,000 more files (--most, --path; --json has all)',
    ]);
  });
});

describe('what is not there yet', () => {
  const waiting = side('pop', { listing: { state: 'waiting', why: 'agent mill lists it', since: 1 } });
  const failed = side(null, { lane: 'iso', listing: { state: 'failed', why: 'agent mill is lost' } });

  it('is told of by name', () => {
    expect(checkpointName(failed)).toBe('b-0123456789.de/iso@end');
    const both = { state: 'waiting', from: waiting, to: waiting } as const;
    expect(whatIsWaitedFor(both)).toBe('b-0123456789.de@pop: agent mill lists it');
    expect(whyThereIsNone({ state: 'failed', from: waiting, to: failed })).toBe(
      'what is in b-0123456789.de/iso@end (123) is not to be had: agent mill is lost',
    );
  });
});
