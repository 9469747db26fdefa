import { describe, expect, it } from '@jest/globals';
import type { BuildId, BuildState } from '#libs/contracts';
import {
  collectBuilds,
  type AgentSpace,
  type CollectableBuild,
  type KeepSettings,
} from './collect-policy.js';
import { agentId, GB, NOW } from './testing.js';

const DAY = 86_400_000;
const SETTINGS: KeepSettings = {
  keepFinishedMs: 1 * DAY,
  keepFailedMs: 7 * DAY,
  keepArtifactsMs: 30 * DAY,
  keepLogsMs: 90 * DAY,
  keepNewestPerName: 1,
};
const TANK = agentId('tank');

function buildOf(id: string, state: BuildState, days: number, over: Partial<CollectableBuild> = {}) {
  return {
    id: `b-${id}` as BuildId,
    name: id,
    state,
    endedAt: NOW - days * DAY - 1,
    heldOn: [TANK],
    hasArtifacts: true,
    hasLogs: true,
    ...over,
  };
}

function agentWith(freeBytes: number, over: Partial<AgentSpace> = {}): AgentSpace {
  return { id: TANK, name: 'tank', freeBytes, floorBytes: 10 * GB, isDropping: false, ...over };
}

/** `x:checkpoints,artifacts` of each build of which something goes. */
function collected(
  builds: readonly CollectableBuild[],
  agents: readonly AgentSpace[] = [],
): readonly string[] {
  return collectBuilds(builds, agents, SETTINGS, NOW).map(({ build, checkpointsOn, artifacts, logs }) => {
    const what = [
      checkpointsOn.length > 0 ? 'checkpoints' : '',
      artifacts ? 'artifacts' : '',
      logs ? 'logs' : '',
    ];
    return `${build.slice(2)}:${what.filter((word) => word !== '').join()}`;
  });
}

describe('collecting by age', () => {
  it.each<[string, CollectableBuild, readonly string[]]>([
    ['nothing of a fresh build', buildOf('x', 'succeeded', 0), []],
    ['checkpoints of a finished build', buildOf('x', 'succeeded', 1), ['x:checkpoints']],
    ['not yet those of a failed one', buildOf('x', 'failed', 6), []],
    ['those of a failed one later', buildOf('x', 'failed', 7), ['x:checkpoints']],
    ['those of a cancelled one likewise', buildOf('x', 'cancelled', 7), ['x:checkpoints']],
    ['those of a paused one likewise', buildOf('x', 'paused', 7), ['x:checkpoints']],
    ['artifacts', buildOf('x', 'failed', 30), ['x:checkpoints,artifacts']],
    ['logs', buildOf('x', 'failed', 90), ['x:checkpoints,artifacts,logs']],
    ['only what is still there', buildOf('x', 'failed', 90, { heldOn: [], hasArtifacts: false }), ['x:logs']],
    ['nothing of a pinned build', buildOf('x', 'failed', 900, { pinned: true }), []],
    ['nothing of a running build', buildOf('x', 'running', 900), []],
    ['nothing of a waiting build', buildOf('x', 'waiting', 900), []],
    ['nothing of a build of which no end is known', buildOf('x', 'failed', 0, { endedAt: null }), []],
    ['not the artifacts of the newest of a name', buildOf('x', 'succeeded', 90), ['x:checkpoints,logs']],
  ])('takes %s', (_, build, expected) => {
    expect(collected([build])).toEqual(expected);
  });

  it('keeps the artifacts of the newest successful build of each name', () => {
    const builds = [
      buildOf('old', 'succeeded', 60, { name: 'live', heldOn: [] }),
      buildOf('new', 'succeeded', 50, { name: 'live', heldOn: [] }),
      buildOf('failed', 'failed', 40, { name: 'live', heldOn: [] }),
      buildOf('other', 'succeeded', 70, { name: 'text', heldOn: [] }),
    ];
    expect(collected(builds)).toEqual(['old:artifacts', 'failed:artifacts']);
  });

  it('says why', () => {
    expect(collectBuilds([buildOf('x', 'succeeded', 2)], [], SETTINGS, NOW)).toEqual([
      {
        build: 'b-x',
        checkpointsOn: [TANK],
        artifacts: false,
        logs: false,
        why: ['checkpoints: it is succeeded since 2 days, and they are kept for 1 day'],
      },
    ]);
  });
});

describe('collecting by space', () => {
  const young = (id: string, state: BuildState, over: Partial<CollectableBuild> = {}) =>
    buildOf(id, state, 0, over);

  it.each<[string, readonly CollectableBuild[], AgentSpace, readonly string[]]>([
    ['nothing with enough space', [young('x', 'succeeded')], agentWith(10 * GB), []],
    ['one build below the floor', [young('x', 'succeeded')], agentWith(1), ['x:checkpoints']],
    ['nothing while a drop is on its way', [young('x', 'succeeded')], agentWith(1, { isDropping: true }), []],
    [
      'a finished build before an older failed one',
      [young('f', 'failed', { endedAt: NOW - 9 }), young('c', 'cancelled'), young('s', 'succeeded')],
      agentWith(1),
      ['s:checkpoints'],
    ],
    [
      'a cancelled build before a failed one',
      [young('f', 'failed'), young('c', 'cancelled')],
      agentWith(1),
      ['c:checkpoints'],
    ],
    [
      'the oldest of a kind',
      [young('a', 'failed', { endedAt: NOW - 1 }), young('b', 'failed', { endedAt: NOW - 2 })],
      agentWith(1),
      ['b:checkpoints'],
    ],
    ['never a paused one', [young('x', 'paused')], agentWith(1), []],
    ['never a pinned one', [young('x', 'failed', { pinned: true })], agentWith(1), []],
    ['never a running one', [young('x', 'running', { endedAt: null })], agentWith(1), []],
    ['none that lies elsewhere', [young('x', 'failed', { heldOn: [agentId('other')] })], agentWith(1), []],
    [
      'no more than what goes by age',
      [buildOf('old', 'failed', 8), young('x', 'succeeded')],
      agentWith(1),
      ['old:checkpoints'],
    ],
  ])('takes %s', (_, builds, agent, expected) => {
    expect(collected(builds, [agent])).toEqual(expected);
  });

  it('takes them from that agent only, and says why', () => {
    const build = young('x', 'failed', { heldOn: [agentId('other'), TANK] });
    expect(collectBuilds([build], [agentWith(3.2 * GB)], SETTINGS, NOW)).toMatchObject([
      { checkpointsOn: [TANK], why: ['checkpoints on tank: it has 3.2 GB free, less than 10 GB'] },
    ]);
  });
});
