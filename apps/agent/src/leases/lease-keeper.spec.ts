import { newId, type AgentSettings, type HeartbeatResponse } from '#libs/contracts';
import { ApiError, Unreachable } from '#libs/http-client';
import { describe, expect, it, jest } from '@jest/globals';
import pino from 'pino';
import { AttemptControl } from '../attempts/attempt.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { LeaseKeeper } from './lease-keeper.js';

const settings: AgentSettings = {
  heartbeatMs: 1_000,
  selfStopMs: 5_000,
  claimWaitMs: 1_000,
  logFlushMs: 10,
  logChunkBytes: 1024,
  maxLogBytes: 1024,
  uploadChunkBytes: 1024,
};

type Lease = Partial<HeartbeatResponse['leases'][number]>;

/** A keeper whose clock and coordinator the test plays. Each `beat` is one heartbeat, answered or not. */
function setUp() {
  const key = { attempt: newId('t'), epoch: 1, token: 'dft_x' };
  const control = new AttemptControl(key, null);
  let now = 0;
  let answer: () => HeartbeatResponse = () => ({ settings, leases: [], drop: [] });
  const onRefused = jest.fn();
  const link = { heartbeat: () => Promise.resolve().then(() => answer()) } as unknown as CoordinatorLink;
  const keeper = new LeaseKeeper(
    {
      link,
      instance: '0'.repeat(32),
      space: () => Promise.resolve({ freeBytes: 1, usedBytes: 1 }),
      sizes: { untold: () => [], told: () => undefined },
      onReplicate: () => undefined,
      onCopied: () => undefined,
      onFingerprints: () => undefined,
      onListings: () => undefined,
      onDrop: () => {},
      onRefused,
      log: pino({ level: 'silent' }),
      now: () => now,
    },
    settings,
  );
  const beat = async (atMs: number, outcome: Lease | Error): Promise<void> => {
    now = atMs;
    answer = () => {
      if (outcome instanceof Error) throw outcome;
      const lease = {
        attempt: key.attempt,
        granted: true,
        wish: 'run' as const,
        pauseBefore: null,
      };
      return { settings, leases: [{ ...lease, ...outcome }], drop: [] };
    };
    await keeper.beatOnce(new AbortController().signal);
  };
  keeper.hold(control, 0);
  return { control, beat, onRefused };
}

const down = new Unreachable('down', null);

describe('LeaseKeeper', () => {
  it('keeps an attempt for as long as it is renewed', async () => {
    const { control, beat } = setUp();
    for (const at of [4_000, 8_000, 12_000]) await beat(at, {});
    expect(control.stopped).toBeNull();
  });

  it('stops an attempt that was not renewed for as long as the settings say', async () => {
    const { control, beat } = setUp();
    await beat(4_000, {});
    await beat(8_999, down);
    expect(control.stopped).toBeNull();
    await beat(9_000, down);
    expect(control.stopped?.kind).toBe('lease-lost');
  });

  it('stops one that was taken, and forgets it', async () => {
    const { control, beat } = setUp();
    await beat(100, { granted: false });
    expect(control.stopped?.kind).toBe('stale');
  });

  it('passes on a pause, its taking back, and a cancel', async () => {
    const { control, beat } = setUp();
    await beat(1, { wish: 'pause', pauseBefore: 'iso' });
    expect([control.pausesNow, control.pauseBefore]).toEqual([true, 'iso']);
    await beat(2, { wish: 'run' });
    expect([control.pausesNow, control.pauseBefore]).toEqual([false, null]);
    await beat(3, { wish: 'cancel' });
    expect(control.stopped?.kind).toBe('cancelled');
  });

  it('tells when the agent itself is refused', async () => {
    const { beat, onRefused } = setUp();
    await beat(1, new ApiError('NOT_AUTHENTICATED', 401, 'no', null, [], null));
    expect(onRefused).toHaveBeenCalledTimes(1);
  });
});
