import type {
  AgentView,
  CollectionReport,
  Health,
  ReplicaLack,
  ReplicaLackList,
  WhoAmI,
} from '#libs/contracts';
import { ApiError } from '#libs/http-client';
import { formatDuration } from '#libs/watch';
import { stat } from 'node:fs/promises';
import { cleaned } from './cleaned.js';
import { describeError } from './describe-error.js';
import type { Farm } from './farm.js';
import { chooseProfile, profilesPath } from './profiles.js';
import type { Session } from './session.js';

export interface Finding {
  readonly check: string;
  readonly verdict: 'ok' | 'warn' | 'bad';
  readonly found: string;
  /** What to do about it. */
  readonly advice: string | null;
}

/** Tokens expire and leases run by clocks: that much does no harm. */
const CLOCK_TOLERANCE_MS = 30_000;

/** Looks at one thing after the other, and stops where the rest cannot work either. */
export async function* diagnose(session: Session): AsyncGenerator<Finding> {
  const profile = await attempt(
    'profile',
    async () => await chooseProfile(session.io.env, session.options.profile),
  );
  if (!profile.ok) {
    yield profile.finding;
    return;
  }
  const { name, url, token, ca } = profile.value;
  yield await profileFinding(session, name, url, ca !== null);
  const farm = await session.farm();
  const health = await attempt('reach', async () => await healthOf(farm));
  if (!health.ok) {
    yield health.finding;
    return;
  }
  yield ok(
    'reach',
    url.startsWith('https:') ? `${url} answers, its certificate is trusted` : `${url} answers`,
  );
  yield* healthFindings(session, cleaned(health.value));
  const skew = await attempt('clock', async () => await clockFinding(session, farm));
  yield skew.ok ? skew.value : skew.finding;
  if (token === null) {
    yield bad('token', 'there is none', 'Log in: distrofarm login URL');
    return;
  }
  const me = await attempt('token', async () => cleaned(await farm.get<WhoAmI>('/whoami')));
  if (!me.ok) {
    yield me.finding;
    return;
  }
  yield roleFinding(me.value);
  const agents = await attempt(
    'agents',
    async () => await farm.get<{ readonly agents: readonly AgentView[] }>('/agents'),
  );
  yield* agents.ok ? agentFindings(cleaned(agents.value.agents)) : [agents.finding];
  const replicas = await attempt('replicas', async () => await farm.get<ReplicaLackList>('/replicas'));
  yield* replicas.ok ? replicaFindings(cleaned(replicas.value.lacking)) : [replicas.finding];
  const room = await attempt('room', async () => await farm.get<CollectionReport>('/checkpoints/collection'));
  yield* room.ok ? roomFindings(cleaned(room.value)) : [room.finding];
}

/** A coordinator without its database answers with 503, and says so in the same words. */
async function healthOf(farm: Farm): Promise<Health> {
  try {
    return await farm.get<Health>('/health');
  } catch (error) {
    const body = error instanceof ApiError ? (error.body as Partial<Health> | null) : null;
    if (body?.status === 'degraded') return body as Health;
    throw error;
  }
}

type Attempt<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly finding: Finding };

async function attempt<T>(check: string, look: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, value: await look() };
  } catch (error) {
    const described = describeError(error);
    if (described === null) throw error;
    return { ok: false, finding: bad(check, described.body.message, described.body.hint) };
  }
}

async function profileFinding({ io }: Session, name: string, url: string, hasCa: boolean): Promise<Finding> {
  const path = profilesPath(io.env);
  const found = `${name}: ${url}${hasCa ? ', with its own certificate authority' : ''}`;
  const mode = await stat(path).then(
    ({ mode: bits }) => bits & 0o077,
    () => 0,
  );
  if (mode === 0) return ok('profile', found);
  return {
    check: 'profile',
    verdict: 'warn',
    found: `${found}; others can read ${path}, which holds tokens`,
    advice: `chmod 600 ${path}`,
  };
}

function* healthFindings({ version }: Session, health: Health): Generator<Finding> {
  yield health.version === version
    ? ok('version', `${version} on both sides`)
    : {
        check: 'version',
        verdict: 'warn',
        found: `this program is ${version}, the farm ${health.version}`,
        advice: 'Use the same version on both sides.',
      };
  const parts = `database ${health.database}, redis ${health.redis}`;
  yield health.status === 'ok'
    ? ok('health', parts)
    : bad('health', `degraded: ${parts}`, 'See the log of the coordinator.');
}

/** Half of the way there and back is taken for the way of the answer. */
async function clockFinding({ io }: Session, farm: Farm): Promise<Finding> {
  const before = io.now();
  const { headers, body } = await farm.download('/health', { signal: io.signal });
  body.destroy();
  const date = Date.parse(headers.date ?? '');
  if (Number.isNaN(date)) return ok('clock', 'the farm does not say what time it has');
  // The header has whole seconds, cut off.
  const skew = date + 500 - (before + io.now()) / 2;
  const size = formatDuration(Math.abs(skew));
  if (Math.abs(skew) <= CLOCK_TOLERANCE_MS) return ok('clock', 'the same here and there');
  return {
    check: 'clock',
    verdict: 'warn',
    found: `the farm's clock is ${size} ${skew > 0 ? 'ahead of' : 'behind'} this one`,
    advice: 'Set both by NTP.',
  };
}

function roleFinding({ user, role, rights }: WhoAmI): Finding {
  const may =
    role === 'viewer'
      ? 'it may only look'
      : rights.includes('scripts')
        ? 'it may bring own scripts'
        : 'it may use catalogued scripts only';
  return ok('token', `${user}, ${role}: ${may}`);
}

function* agentFindings(agents: readonly AgentView[]): Generator<Finding> {
  if (agents.length === 0) {
    yield bad('agents', 'there are none: nothing can be built', 'Add one with: distrofarm agents enrol');
    return;
  }
  const ready = agents.filter(({ state }) => state === 'idle' || state === 'busy');
  const found = `${ready.length} of ${agents.length} take work`;
  yield ready.length > 0 ? ok('agents', found) : bad('agents', found, 'See why with: distrofarm agents list');
  for (const { name, state, reason } of agents.filter((agent) => agent.state === 'lost')) {
    const advice = `Is its host up, and distrofarm-agent running there? See: distrofarm agents show ${name}`;
    yield {
      check: 'agents',
      verdict: 'warn',
      found: `${name} is ${state}${reason === '' ? '' : `: ${reason}`}`,
      advice,
    };
  }
}

function* replicaFindings(lacking: readonly ReplicaLack[]): Generator<Finding> {
  const coming = lacking.filter(({ kind }) => kind === 'coming').length;
  yield ok('replicas', coming === 0 ? 'none is on its way' : `of ${coming} jobs on their way`);
  for (const { build, variant, lane, kind, reason } of lacking.filter((each) => each.kind !== 'coming')) {
    yield {
      check: 'replicas',
      verdict: 'warn',
      found: `${build} ${variant}/${lane}: ${reason}`,
      advice:
        kind === 'missing'
          ? 'See which agents are ready, and have room: distrofarm agents list'
          : 'See what the agent has to say that is to fetch it, and how fast the network between them is.',
    };
  }
}

function* roomFindings({ removals, shortages }: CollectionReport): Generator<Finding> {
  if (shortages.length === 0)
    yield ok('room', removals.length === 0 ? 'there is enough' : 'what is too old or too much goes soon');
  for (const { why, pinnedBytes } of shortages) {
    yield {
      check: 'room',
      verdict: 'warn',
      found: why,
      advice:
        pinnedBytes > 0
          ? 'See what people keep: distrofarm checkpoints pins'
          : 'See what takes it: distrofarm checkpoints usage',
    };
  }
}

function ok(check: string, found: string): Finding {
  return { check, verdict: 'ok', found, advice: null };
}

function bad(check: string, found: string, advice: string | null): Finding {
  return { check, verdict: 'bad', found, advice };
}
