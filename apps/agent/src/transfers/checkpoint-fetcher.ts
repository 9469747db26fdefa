import {
  POSITION_HEADER,
  type AgentId,
  type AreaName,
  type CheckpointRef,
  type Holding,
  type TransferTicket,
} from '#libs/contracts';
import { SnapshotStoreError, type PartialReceive, type SnapshotStore } from '#libs/engine';
import { retryDelays } from '#libs/event-stream';
import { ApiError } from '#libs/http-client';
import type { Checkpoint } from '#libs/plan';
import { SlabReader } from '#libs/snapshots';
import { pipeline, type Readable } from 'node:stream';
import { connect, type ConnectionOptions } from 'node:tls';
import { takeStatus } from './answer-head.js';
import type { CoordinatorLink } from '../link/coordinator-link.js';
import { IncomingCheckpoint } from './incoming-checkpoint.js';
import { holdingOf } from '../attempts/note-event.js';
import { Pace } from './pace.js';
import type { PeerCredentials } from './peer-identity.js';
import { pause, persistently } from '../link/persistently.js';
import { TransferError } from '../blobs/transfer-error.js';
import { TransferRate } from './transfer-rate.js';

export interface FetchOptions {
  readonly link: Pick<CoordinatorLink, 'askTransfer'>;
  readonly credentials: () => PeerCredentials;
  readonly onProgress: (progress: TransferProgress) => void;
  readonly onFailure: (error: Error) => void;
  readonly signal: AbortSignal;
  /** Whether there is something that it must not slow. Default: never. */
  readonly isBusy?: () => boolean;
  readonly stallMs?: number;
  readonly connectMs?: number;
  readonly progressMs?: number;
}

export interface TransferProgress {
  readonly from: string;
  /** With those that came earlier. */
  readonly bytes: number;
  /** As the source estimates. */
  readonly totalBytes: number | null;
  readonly bytesPerSecond: number;
  /** Those that came before a transfer broke off, where this one goes on. */
  readonly earlierBytes?: number;
}

/** Where a checkpoint is to go. */
export interface Receiving {
  readonly store: Pick<SnapshotStore, 'receive' | 'partial'>;
}

export interface Fetched {
  readonly checkpoint: Checkpoint;
  readonly from: string;
  /** In the transfer that ended it, without what had come earlier. */
  readonly bytes: number;
  readonly ms: number;
}

const STALL_MS = 60_000;
/** A host that is gone swallows the first packet without a word; one that is there has shaken hands by then. */
const CONNECT_MS = 10_000;
const PROGRESS_MS = 1_000;
/** A cut or damaged transfer is gone on with, or begun anew; what fails so often without getting any further will fail again. */
const MOST_TRIES = 4;
/** Of those, how many go on at one place. What had come may be what is wrong. */
const MOST_TRIES_AT_ONE_PLACE = 3;
const FIRST_DELAY_MS = 200;
const LONGEST_DELAY_MS = 5_000;

/**
 * Brings a checkpoint that other agents hold into the store. `null` when nobody can send it, after all have been asked. Throws SnapshotStoreError for
 * what is wrong here, not there: no room, somebody else's data in the way.
 */
export async function fetchCheckpoint(
  area: Receiving,
  areaName: AreaName,
  wanted: Holding,
  base: Checkpoint | null,
  options: FetchOptions,
): Promise<Fetched | null> {
  const tried: Tried = { without: [], gone: [], base, failures: 0, position: null, triesThere: 0 };
  const delays = retryDelays({ firstMs: FIRST_DELAY_MS, maxMs: LONGEST_DELAY_MS });
  for (;;) {
    const ticket = await askFor(areaName, wanted, tried, options);
    if (ticket === null) return null;
    try {
      return await fetchFrom(area, wanted, tried, ticket, options);
    } catch (error) {
      options.signal.throwIfAborted();
      if (isOurs(error)) throw error;
      options.onFailure(error as Error);
      if (learn(tried, ticket.source.agent, error)) continue;
      tried.failures += 1;
      if (tried.failures % MOST_TRIES === 0) tried.without.push(ticket.source.agent);
    }
    await pause(delays.next().value, options.signal);
  }
}

interface Tried {
  readonly without: AgentId[];
  readonly gone: AgentId[];
  base: Checkpoint | null;
  /** Since it got any further. */
  failures: number;
  /** Where the store is. */
  position: string | null;
  /** How often that has been gone on from. */
  triesThere: number;
}

/** What has come by now, to be gone on with; `null`: nothing, or nothing that is worth another try. */
async function keptOf({ store }: Receiving, wanted: Holding, tried: Tried): Promise<PartialReceive | null> {
  const kept = await store.partial(refOf(wanted), tried.base);
  if (kept !== null && kept.position !== tried.position)
    Object.assign(tried, { position: kept.position, failures: 0, triesThere: 0 });
  return tried.triesThere < MOST_TRIES_AT_ONE_PLACE ? kept : null;
}

/** The source said why, and asking otherwise will help. */
function learn(tried: Tried, source: AgentId, error: unknown): boolean {
  const hasNoBase =
    (error instanceof SourceRefused && error.status === 409) ||
    (error instanceof SnapshotStoreError && error.code === 'NOT_FOUND');
  if (hasNoBase && tried.base !== null) {
    tried.base = null;
    return true;
  }
  if (!(error instanceof SourceRefused) || error.status !== 404) return false;
  tried.gone.push(source);
  tried.without.push(source);
  return true;
}

/** Nothing that another source, or another try, would mend. A base that ZFS cannot use is mended by asking for all. */
function isOurs(error: unknown): boolean {
  return error instanceof SnapshotStoreError && error.code !== 'BAD_STREAM' && error.code !== 'NOT_FOUND';
}

async function askFor(
  area: AreaName,
  wanted: Holding,
  { base, without, gone }: Tried,
  { link, signal }: FetchOptions,
): Promise<TransferTicket | null> {
  const ask = { area, checkpoint: refOf(wanted), base: base === null ? null : refOf(base), without, gone };
  try {
    return await persistently(() => link.askTransfer(ask, signal), signal);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

async function fetchFrom(
  area: Receiving,
  wanted: Holding,
  tried: Tried,
  ticket: TransferTicket,
  options: FetchOptions,
): Promise<Fetched> {
  const kept = await keptOf(area, wanted, tried);
  const startedAt = performance.now();
  const from = ticket.source.name;
  const { stream, whyCut } = await openStream(ticket, kept?.position ?? null, options);
  if (kept !== null) tried.triesThere += 1;
  const incoming = new IncomingCheckpoint(ticket.maxBytes);
  // Also when the answer was cut before anybody looked.
  const pace = options.isBusy === undefined ? [] : [new Pace({ isBusy: options.isBusy })];
  pipeline([stream, ...pace, incoming], () => undefined);
  const abort = (): void => void stream.destroy(new Error('not wanted any more'));
  options.signal.addEventListener('abort', abort, { once: true });
  const rate = new TransferRate();
  let totalBytes: number | null = null;
  let earlier: { readonly earlierBytes?: number } = {};
  const timer = setInterval(() => {
    const bytes = incoming.bytes + (earlier.earlierBytes ?? 0);
    rate.note(incoming.bytes, performance.now());
    options.onProgress({ from, bytes, totalBytes, bytesPerSecond: rate.bytesPerSecond, ...earlier });
  }, options.progressMs ?? PROGRESS_MS);
  try {
    const { facts, bytes: announced, position } = await incoming.preface;
    totalBytes = announced;
    const checkpoint = { ...refOf(wanted), facts };
    requireAnnounced(checkpoint, wanted);
    if (position !== undefined) {
      if (position !== kept?.position) throw new TransferError('it goes on elsewhere than was asked for');
      earlier = { earlierBytes: kept.bytes };
    }
    await area.store.receive(checkpoint, tried.base, incoming, position);
    return { checkpoint, from, bytes: incoming.bytes, ms: Math.round(performance.now() - startedAt) };
  } catch (error) {
    // The store only knows that the stream ended too early.
    throw whyCut() ?? incoming.errored ?? error;
  } finally {
    clearInterval(timer);
    options.signal.removeEventListener('abort', abort);
    incoming.destroy();
    stream.destroy();
  }
}

interface Answer {
  readonly stream: Readable;
  /** Where we cut it off ourselves, the stream only says that it was cut. */
  readonly whyCut: () => TransferError | null;
}

/** Resolves to what is behind the answer's head. Throws SourceRefused and TransferError. */
async function openStream(
  { ticket, source }: TransferTicket,
  position: string | null,
  { credentials, stallMs = STALL_MS, connectMs = CONNECT_MS, signal }: FetchOptions,
): Promise<Answer> {
  signal.throwIfAborted();
  const { host, port } = source.address;
  const stream = new SlabReader();
  // It may be cut when nobody is listening.
  stream.on('error', () => undefined);
  // Node.js has `onread` here as net.connect does; its types do not.
  const options: ConnectionOptions & { readonly onread: SlabReader['onread'] } = {
    ...credentials(),
    host,
    port,
    onread: stream.onread,
    // Known by its certificate, wherever it is.
    checkServerIdentity: (_, { subject }) =>
      subject.CN === source.agent
        ? undefined
        : new Error(`this is ${String(subject.CN)}, not agent ${source.name}`),
  };
  const socket = stream.attach(connect(options));
  let stalled: TransferError | null = null;
  // From the first packet on.
  socket.setTimeout(stallMs, () => {
    stalled = new TransferError(`agent ${source.name}: nothing came for ${stallMs / 1000} s`);
    stream.destroy(stalled);
  });
  const unanswered = setTimeout(
    () => stream.destroy(new Error(`no connection to ${host}:${port} within ${connectMs / 1000} s`)),
    connectMs,
  );
  const abort = (): void => void stream.destroy(signal.reason as Error);
  signal.addEventListener('abort', abort);
  socket.once('secureConnect', () => {
    clearTimeout(unanswered);
    const goOn = position === null ? '' : `${POSITION_HEADER}: ${position}\r\n`;
    socket.write(`POST / HTTP/1.0\r\nauthorization: Bearer ${ticket}\r\n${goOn}content-length: 0\r\n\r\n`);
  });
  try {
    const status = await takeStatus(stream);
    if (status === 200) return { stream, whyCut: () => stalled };
    throw new SourceRefused(status, source.name);
  } catch (error) {
    stream.destroy();
    if (error instanceof SourceRefused) throw error;
    throw new TransferError(`agent ${source.name} does not send: ${(error as Error).message}`);
  } finally {
    clearTimeout(unanswered);
    signal.removeEventListener('abort', abort);
  }
}

class SourceRefused extends Error {
  override readonly name = 'SourceRefused';
  constructor(
    readonly status: number,
    source: string,
  ) {
    super(`agent ${source} refused with ${status}`);
  }
}

/** The facts decide what a checkpoint is good for; so they are those that the coordinator knows of it. */
function requireAnnounced(checkpoint: Checkpoint, wanted: Holding): void {
  const said = holdingOf(checkpoint);
  const isSame =
    said?.lineage === wanted.lineage && said.previous === wanted.previous && said.takenAt === wanted.takenAt;
  if (!isSame)
    throw new TransferError('the checkpoint is not the one that its agent told the coordinator of');
}

function refOf({ id, workspace, label }: CheckpointRef): CheckpointRef {
  return { id, workspace, label };
}
