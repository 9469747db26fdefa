import { describe, expect, it } from '@jest/globals';
import type { BuildId, BuildState } from '#libs/contracts';
import { collectBuilds, type CollectableBuild, type KeepSettings } from './collect-policy.js';
import { NOW } from './testing.js';

const DAY = 86_400_000;
const SETTINGS: KeepSettings = { keepArtifactsMs: 30 * DAY, keepLogsMs: 90 * DAY, keepNewestPerName: 1 };

function buildOf(id: string, state: BuildState, days: number, over: Partial<CollectableBuild> = {}) {
  return {
    id: `b-${id}` as BuildId,
    name: id,
    state,
    endedAt: NOW - days * DAY - 1,
    hasArtifacts: true,
    hasLogs: true,
    ...over,
  };
}

/** `x:artifacts,logs` of each build of which something goes. */
function collected(builds: readonly CollectableBuild[]): readonly string[] {
  return collectBuilds(builds, SETTINGS, NOW).map(({ build, artifacts, logs }) => {
    const what = [artifacts ? 'artifacts' : '', logs ? 'logs' : ''];
    return `${build.slice(2)}:${what.filter((word) => word !== '').join()}`;
  });
}

describe('collecting by age', () => {
  it.each<[string, CollectableBuild, readonly string[]]>([
    ['nothing of a fresh build', buildOf('x', 'succeeded', 0), []],
    ['artifacts', buildOf('x', 'failed', 30), ['x:artifacts']],
    ['artifacts of a paused build likewise', buildOf('x', 'paused', 30), ['x:artifacts']],
    ['logs', buildOf('x', 'failed', 90), ['x:artifacts,logs']],
    ['only what is still there', buildOf('x', 'failed', 90, { hasArtifacts: false }), ['x:logs']],
    ['nothing of a running build', buildOf('x', 'running', 900), []],
    ['nothing of a waiting build', buildOf('x', 'waiting', 900), []],
    ['nothing of a build of which no end is known', buildOf('x', 'failed', 0, { endedAt: null }), []],
    ['not the artifacts of the newest of a name', buildOf('x', 'succeeded', 90), ['x:logs']],
  ])('takes %s', (_, build, expected) => {
    expect(collected([build])).toEqual(expected);
  });

  it('keeps the artifacts of the newest successful build of each name', () => {
    const builds = [
      buildOf('old', 'succeeded', 60, { name: 'live' }),
      buildOf('new', 'succeeded', 50, { name: 'live' }),
      buildOf('failed', 'failed', 40, { name: 'live' }),
      buildOf('other', 'succeeded', 70, { name: 'text' }),
    ];
    expect(collected(builds)).toEqual(['old:artifacts', 'failed:artifacts']);
  });

  it('says why', () => {
    expect(collectBuilds([buildOf('x', 'failed', 31)], SETTINGS, NOW)).toEqual([
      {
        build: 'b-x',
        artifacts: true,
        logs: false,
        why: ['artifacts: it is failed since 31 days, and they are kept for 30 days'],
      },
    ]);
  });
});
