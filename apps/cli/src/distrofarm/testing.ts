import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { promisify } from 'node:util';
import { Farm } from './farm.js';
import type { Io, Output } from './io.js';
import type { AttemptView, BuildDetail, BuildId, JobId, JobView, StepView } from '#libs/contracts';

/** Values as the API answers them, for specs: a whole one with what the test is about put in. */

export function buildOf(part: Partial<BuildDetail>): BuildDetail {
  return {
    id: 'b-0000000001' as BuildId,
    name: 'Live',
    state: 'running',
    wish: 'run',
    user: 'ada',
    priority: 'normal',
    note: '',
    variants: ['default'],
    createdAt: 0,
    startedAt: 1000,
    endedAt: null,
    steps: { total: 3, done: 0 },
    summary: '',
    manifestSha256: '0'.repeat(64),
    manifestPath: 'live.xml',
    sourceDateEpoch: 0,
    pauseBefore: null,
    replicas: 0,
    waitForReplicas: false,
    jobs: [],
    eventSeq: 0,
    ...part,
  };
}

export function jobOf(part: Partial<JobView>): JobView {
  return {
    id: 'j-0000000001' as JobId,
    variant: 'default',
    index: 0,
    lane: 'main',
    state: 'running',
    waitingReason: '',
    needs: [],
    retries: 0,
    steps: [],
    attempts: [],
    ...part,
  };
}

export function stepOf(part: Partial<StepView>): StepView {
  return {
    index: 0,
    name: 'im-pop',
    message: 'Populate the image',
    state: 'waiting',
    reusedFrom: null,
    startedAt: null,
    endedAt: null,
    outcome: null,
    attempt: null,
    agent: null,
    checkpoint: null,
    checkpointOn: [],
    usualMs: null,
    ...part,
  };
}

export function attemptOf(part: Partial<AttemptView>): AttemptView {
  return {
    id: 't-0000000001' as AttemptView['id'],
    job: 'j-0000000001' as JobId,
    number: 1,
    epoch: 1,
    state: 'running',
    agent: 'a-0000000001' as AttemptView['agent'],
    agentName: 'agent-a',
    assignedAt: 0,
    startedAt: 0,
    endedAt: null,
    end: null,
    phase: 'running',
    logBytes: 0,
    ...part,
  };
}

export interface TestIo extends Io {
  readonly out: () => string;
  readonly err: () => string;
}

/** What a command sees of a process, with what it writes kept. */
export function ioOf(part: Partial<Io> & { readonly typed?: string } = {}): TestIo {
  const written = { out: '', err: '' };
  const output = (name: keyof typeof written): Output => ({
    write: (data) => {
      written[name] += Buffer.from(data).toString('utf8');
      return true;
    },
    once: () => undefined,
  });
  return {
    stdin: Readable.from([part.typed ?? '']),
    stdout: output('out'),
    stderr: output('err'),
    env: {},
    cwd: '/',
    now: () => 0,
    signal: new AbortController().signal,
    ...part,
    out: () => written.out,
    err: () => written.err,
  };
}

export interface TestFarm extends AsyncDisposable {
  readonly url: string;
  readonly farm: Farm;
}

/** A coordinator that answers as the spec says, on loopback: what is faked is the far side of the wire, not the client. */
export async function farmAnswering(answer: RequestListener): Promise<TestFarm> {
  const server = createServer(answer);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const farm = new Farm({ name: 'test', url, token: null, ca: null });
  return {
    url,
    farm,
    async [Symbol.asyncDispose]() {
      farm.close();
      server.closeAllConnections();
      await promisify(server.close.bind(server))();
    },
  };
}
