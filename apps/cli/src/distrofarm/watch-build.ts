import type { Artifact, BuildDetail, FarmEvent } from '#libs/contracts';
import {
  describeTransfer,
  describeWarning,
  formatBytes,
  formatDuration,
  isAtRest,
  startModel,
  variantStandings,
  viewOf,
  type WatchModel,
  withBuild,
  withConnection,
  withEvent,
} from '#libs/watch';
import { changesBetween, whereItStands, type Change } from './build-changes.js';
import { cleaned, toJson } from './cleaned.js';
import { EXIT, exitForBuild } from './exit-codes.js';
import { pathOf, type Farm } from './farm.js';
import { followBuild, type BuildWatcher } from './follow-build.js';
import { LiveScreen } from './live-screen.js';
import { clockTime } from './moments.js';
import { renderWatch } from './render-watch.js';
import type { Session } from './session.js';

export interface WatchOptions {
  /** Lines, and what the running steps write to standard error between them. */
  readonly follow: boolean;
  readonly timeoutMs: number | null;
  /** Exit as the build ended. */
  readonly exitStatus: boolean;
}

/** Shows a build until it comes to rest, and sets how the program exits. Ctrl-C leaves it alone. */
export async function watchBuild(session: Session, found: BuildDetail, options: WatchOptions): Promise<void> {
  const farm = await session.farm();
  const start = cleaned(found);
  const timeout = new AbortController();
  const timer = options.timeoutMs === null ? undefined : setTimeout(() => timeout.abort(), options.timeoutMs);
  const signal = AbortSignal.any([session.io.signal, timeout.signal]);
  try {
    const build = await shown(session, farm, start, options, signal);
    if (!session.json) await describeResult(session, farm, build);
    if (options.exitStatus) session.fail(exitForBuild(build));
  } catch (error) {
    if (!signal.aborted) throw error;
    const [why, exit] = timeout.signal.aborted
      ? [`Not over after ${formatDuration(options.timeoutMs ?? 0)}`, EXIT.timeout]
      : ['Left', EXIT.interrupted];
    await session.note(`${why}; the build goes on. Watch it again with: distrofarm watch ${start.id}`);
    session.fail(exit);
  } finally {
    clearTimeout(timer);
  }
}

async function shown(
  session: Session,
  farm: Farm,
  build: BuildDetail,
  { follow }: WatchOptions,
  signal: AbortSignal,
): Promise<BuildDetail> {
  if (session.json) return await followBuild(farm, build, new JsonWatcher(session), signal);
  if (isAtRest(build)) return build;
  if (follow) return await followWithLogs(session, farm, build, signal);
  if (session.io.stdout.isTTY === true) return await onScreen(session, farm, build, signal);
  return await followBuild(farm, build, new LineWatcher(session), signal);
}

async function onScreen(
  session: Session,
  farm: Farm,
  build: BuildDetail,
  signal: AbortSignal,
): Promise<BuildDetail> {
  let model: WatchModel = startModel(build);
  const { stdout, now } = session.io;
  const screen = new LiveScreen(stdout, (size) => renderWatch(viewOf(model), size, now(), session.colours));
  const show = (next: WatchModel): void => {
    model = next;
    screen.draw();
  };
  try {
    return await followBuild(
      farm,
      build,
      {
        build: (seen) => show(withBuild(model, seen)),
        event: (event) => show(withEvent(model, event)),
        connection: (lost) => show(withConnection(model, lost)),
      },
      signal,
    );
  } finally {
    screen.stop();
  }
}

async function followWithLogs(
  session: Session,
  farm: Farm,
  build: BuildDetail,
  signal: AbortSignal,
): Promise<BuildDetail> {
  const { AttemptLogs } = await import('./attempt-logs.js');
  const lines = new LineWatcher(session);
  const logs = new AttemptLogs(session, farm, { wants: ({ stream }) => stream === 'err', signal });
  logs.ignoreEnded(build);
  const watcher: BuildWatcher = {
    build: (seen) => {
      lines.build(seen);
      logs.follow(seen);
    },
    event: (event) => lines.event(event),
    connection: (lost) => lines.connection(lost),
  };
  const last = await followBuild(farm, build, watcher, signal);
  await logs.ended();
  return last;
}

const TRANSFER_LINE_MS = 10_000;

/** One line per change, with its time. */
class LineWatcher implements BuildWatcher {
  #before: BuildDetail | null = null;
  #lost = false;
  #transferToldAt = 0;

  constructor(private readonly session: Session) {}

  build(build: BuildDetail): void {
    const changes = this.#before === null ? whereItStands(build) : changesBetween(this.#before, build);
    this.#before = build;
    for (const change of changes) this.#print(change);
  }

  event(event: FarmEvent): void {
    if (event.type === 'transfer-progress') this.#transfer(event);
    const text = this.#before === null ? null : describeWarning(this.#before, event);
    if (text !== null)
      this.#print({ at: event.at, text: event.type === 'warning' ? `warning: ${text}` : text });
  }

  connection(lost: string | null): void {
    if ((lost !== null) === this.#lost) return;
    this.#lost = lost !== null;
    const text = lost === null ? 'connected again' : `not connected: ${lost}; trying again`;
    this.#print({ at: null, text });
  }

  /** Now and then: they come each second. */
  #transfer({ at, data }: FarmEvent): void {
    if (at - this.#transferToldAt < TRANSFER_LINE_MS) return;
    this.#transferToldAt = at;
    this.#print({ at, text: describeTransfer(data) });
  }

  #print({ at, text }: Change): void {
    this.session.io.stdout.write(`${clockTime(at ?? this.session.io.now())} ${text}\n`);
  }
}

/** The farm's events as they are. */
class JsonWatcher implements BuildWatcher {
  constructor(private readonly session: Session) {}

  build(): void {
    // The events tell it.
  }

  event(event: FarmEvent): void {
    this.session.io.stdout.write(`${toJson(event)}\n`);
  }

  connection(): void {
    // Events go on by their position.
  }
}

async function describeResult(session: Session, farm: Farm, build: BuildDetail): Promise<void> {
  const { colours } = session;
  const paint =
    build.state === 'succeeded' ? colours.green : build.state === 'failed' ? colours.red : colours.yellow;
  const took =
    build.endedAt === null
      ? ''
      : ` after ${formatDuration(build.endedAt - (build.startedAt ?? build.createdAt))}`;
  await session.print(paint(`${build.name} ${build.id} ${build.state}${took}.`));
  if (build.summary !== '' && build.summary !== build.state) await session.print(build.summary);
  await session.print(...(await whatNext(session, farm, build)));
}

async function whatNext({ colours }: Session, farm: Farm, build: BuildDetail): Promise<readonly string[]> {
  const { id, state } = build;
  switch (state) {
    case 'succeeded':
      return [...(await artifactLines(farm, id)), ...withoutOptional(build)];
    case 'failed':
      return [
        `See why with:  distrofarm log ${id}${failedStep(build)}`,
        `Go on with:    distrofarm retry ${id}`,
      ];
    case 'paused':
    case 'cancelled':
      return [`Go on with: distrofarm resume ${id}`];
    case 'waiting':
    case 'running':
      return [colours.dim(`Watch it again with: distrofarm watch ${id}`)];
  }
}

/** What an optional variant lacks can be had later. */
function withoutOptional(build: BuildDetail): readonly string[] {
  const failed = variantStandings(build).filter(({ state }) => state === 'failed');
  if (failed.length === 0) return [];
  const names = failed.map(({ name }) => name);
  return [
    `Failed, and optional: ${names.slice(0, MOST_NAMED).join(', ')}${names.length > MOST_NAMED ? ` and ${names.length - MOST_NAMED} more` : ''}.`,
    `See why with:  distrofarm log ${build.id}${failedStep(build)}`,
    `Go on with:    distrofarm retry ${build.id}`,
  ];
}

const MOST_NAMED = 8;

function failedStep({ jobs }: BuildDetail): string {
  const step = jobs.flatMap(({ steps }) => steps).find(({ state }) => state === 'failed');
  return step === undefined ? '' : ` --step ${step.name} --tail 20`;
}

async function artifactLines(farm: Farm, id: string): Promise<readonly string[]> {
  const { artifacts } = cleaned(
    await farm.get<{ artifacts: readonly Artifact[] }>(pathOf`/builds/${id}/artifacts`),
  );
  if (artifacts.length === 0) return [];
  const several = new Set(artifacts.map(({ variant }) => variant)).size > 1;
  const files = artifacts.map(
    ({ variant, name, bytes }) => `  ${several ? `${variant}/` : ''}${name}  ${formatBytes(bytes)}`,
  );
  return [...files, `Download with: distrofarm artifacts download ${id}`];
}
