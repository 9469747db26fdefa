import type { BuildDetail, FarmEvent } from '#libs/contracts';
import { describe, expect, it } from '@jest/globals';
import type { ServerResponse } from 'node:http';
import { followBuild, type BuildWatcher } from './follow-build.js';
import { buildOf } from '../../../../libs/watch/src/testing.js';
import { farmAnswering } from './testing.js';

const eventOf = (seq: number): FarmEvent => {
  const nobody = { build: null, job: null, attempt: null, agent: null };
  return { seq, at: 0, type: 'warning', ...nobody, data: { text: `\u001b[2J${seq}` } };
};

/** The coordinator of one build: states come one after the other as events are sent. */
class Scene {
  state: BuildDetail['state'] = 'running';
  readonly positions: string[] = [];
  readonly told = {
    states: [] as string[],
    seqs: [] as number[],
    texts: [] as unknown[],
    lost: [] as (string | null)[],
  };
  readonly watcher: BuildWatcher = {
    build: ({ state }) => void this.told.states.push(state),
    event: ({ seq, data }) => {
      this.told.seqs.push(seq);
      this.told.texts.push(data['text']);
    },
    connection: (lost) => {
      if (this.told.lost.at(-1) !== lost) this.told.lost.push(lost);
    },
  };

  constructor(private readonly streams: readonly ((response: ServerResponse, scene: Scene) => void)[]) {}

  async follow(signal = new AbortController().signal): Promise<BuildDetail> {
    await using test = await farmAnswering((request, response) => {
      if (request.headers.accept !== 'text/event-stream') {
        response.end(JSON.stringify(buildOf({ state: this.state, eventSeq: 100 })));
        return;
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      const stream = this.streams[this.positions.length];
      this.positions.push(String(request.headers['last-event-id']));
      stream?.(response, this);
    });
    return await followBuild(test.farm, buildOf({ state: this.state, eventSeq: 10 }), this.watcher, signal);
  }
}

function send(response: ServerResponse, ...seqs: readonly number[]): void {
  for (const seq of seqs) response.write(`id: ${seq}\ndata: ${JSON.stringify(eventOf(seq))}\n\n`);
}

describe('followBuild', () => {
  it('ends when the build has come to rest, though the stream stays open', async () => {
    const scene = new Scene([
      (response, own) => {
        own.state = 'succeeded';
        send(response, 11);
      },
    ]);
    expect((await scene.follow()).state).toBe('succeeded');
    expect(scene.told).toMatchObject({ states: ['running', 'succeeded'], seqs: [11], texts: ['\\x1b[2J11'] });
    expect(scene.positions).toEqual(['10']);
  });

  it('asks for nothing when the build is at rest', async () => {
    const scene = new Scene([]);
    scene.state = 'failed';
    expect((await scene.follow()).state).toBe('failed');
    expect(scene.positions).toEqual([]);
  });

  it('goes on behind the last event, and says what happened to the connection', async () => {
    const scene = new Scene([
      (response) => {
        send(response, 11, 12);
        setImmediate(() => response.destroy());
      },
      (response) => response.end(),
      (response, own) => {
        own.state = 'paused';
        send(response, 13);
      },
    ]);
    await scene.follow();
    expect(scene.positions).toEqual(['10', '12', '12']);
    expect(scene.told.seqs).toEqual([11, 12, 13]);
    expect(scene.told.lost).toEqual([null, expect.stringContaining('cannot reach'), null]);
  });

  it('ignores what is no event of ours', async () => {
    const scene = new Scene([
      (response, own) => {
        response.write(': heartbeat\n\ndata: nonsense\n\nevent: ping\ndata: {}\n\n');
        own.state = 'succeeded';
        send(response, 11);
      },
    ]);
    await scene.follow();
    expect(scene.told.seqs).toEqual([11]);
  });

  it('throws what the farm refuses with', async () => {
    await using test = await farmAnswering((_request, response) => {
      response
        .writeHead(401)
        .end(JSON.stringify({ code: 'NOT_AUTHENTICATED', message: 'expired', hint: null, problems: [] }));
    });
    const { watcher } = new Scene([]);
    const following = followBuild(
      test.farm,
      buildOf({ state: 'running' }),
      watcher,
      new AbortController().signal,
    );
    await expect(following).rejects.toMatchObject({ code: 'NOT_AUTHENTICATED' });
  });

  it('ends with the reason of the signal', async () => {
    const abort = new AbortController();
    const scene = new Scene([() => abort.abort(new Error('enough'))]);
    await expect(scene.follow(abort.signal)).rejects.toThrow('enough');
  });
});
