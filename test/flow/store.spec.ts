// Needs PostgreSQL's server programs (Debian: postgresql), setpriv and flock; root, or a user that PostgreSQL accepts.
import { describe, expect, it } from '@jest/globals';
import type { Kysely } from 'kysely';
import { newId, type AgentId, type BuildId, type JobState } from '#libs/contracts';
import {
  addDropping,
  addLogChunk,
  addScripts,
  appendAudit,
  appendEvents,
  artifactsOfBuild,
  attemptsOfAgent,
  attemptsPastLease,
  attemptStepStartedAt,
  blobsAmong,
  buildsOfAreas,
  cataloguedAmong,
  checkpointsOfKeys,
  checkpointsOfLineages,
  clearAgentFailures,
  countAgentFailure,
  countBindingJobStates,
  countCheckpoints,
  countJobStates,
  createEnrolment,
  createToken,
  drainAgent,
  dutyHolder,
  equalsStateOf,
  eventsOfAgent,
  eventsOfBuild,
  findAgent,
  findAgentByKeyHash,
  findAgentByName,
  findArtifact,
  findBlob,
  findReportedJob,
  findTokenByHash,
  findUpload,
  firstEventSeq,
  hasBlob,
  hashSecret,
  heldAreas,
  holdsDuty,
  insertAttempt,
  insertBlob,
  insertCheckpoint,
  insertTicket,
  isUniqueViolation,
  keepAreaSizes,
  keepFetchTime,
  keepStepReads,
  lastEventSeq,
  listAgents,
  listCheckpointPins,
  listCheckpoints,
  listScripts,
  listTokens,
  logChunksOf,
  markAgentLost,
  markArtifactsUnavailable,
  newestReusableBuild,
  outputsOfBuild,
  outputsOfJobs,
  pauseAgent,
  pinCheckpoints,
  pinJob,
  putArtifact,
  putOutput,
  quarantineAgent,
  readAudit,
  readEvents,
  readMeta,
  recordAreaSizes,
  recordHeartbeat,
  recordHello,
  releaseDuty,
  removeAreaSize,
  removeBlob,
  removeCheckpointsOfArea,
  removeDropping,
  removeOutputsOfBuild,
  removeScript,
  removeUpload,
  replaceCheckpoints,
  resultsOfKeys,
  reusableResults,
  reuseSteps,
  reusableStates,
  insertJobs,
  stepsOfJob,
  revokeAgent,
  revokeToken,
  runningJobs,
  setMetaOnce,
  silentAgents,
  staleUploads,
  startAttemptStep,
  startUpload,
  stepReads,
  takeDuty,
  touchToken,
  transact,
  trimEvents,
  undrainAgent,
  unpauseAgent,
  unpauseDueAgents,
  unpinCheckpoints,
  unreferencedBlobs,
  updateBuild,
  updateJob,
  useEnrolment,
  useTicket,
  usualFetchBytes,
  usualFetches,
  verifyAudit,
  waitingJobs,
  type CheckpointRow,
  type StepRow,
  type Flag,
  type Schema,
  type StepReads,
} from '#libs/store';
import { aBuild, aJob, anAgent, digest, FACTS } from '../support/store-rows.js';
import { describeEachDatabase } from '../../libs/store/src/testing.js';

type Db = Kysely<Schema>;
const many = <T>(count: number, make: (index: number) => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

describeEachDatabase('the tables of record', (open) => {
  describe('facts of the farm', () => {
    it('are set once, by the first of many', async () => {
      const { db } = await open();
      expect(await readMeta(db, 'name')).toBeNull();
      const answers = new Set(await many(8, (index) => setMetaOnce(db, 'name', `farm ${index}`)));
      expect(answers).toEqual(new Set([await readMeta(db, 'name')]));
    });
  });

  describe('events', () => {
    it('come back as they were told, from a number on, of all builds or of one', async () => {
      const { db } = await open();
      const [build, job, attempt, agent] = [newId('b'), newId('j'), newId('t'), newId('a')];
      await transact(db, (tx) =>
        appendEvents(tx, 10, [
          { type: 'agent-enrolled', agent },
          { type: 'step-started', build, job, attempt, agent, data: { step: 'im-pop', odd: 'ä\u0000"' } },
        ]),
      );
      await transact(db, (tx) =>
        appendEvents(tx, 11, [{ type: 'build-ended', build, data: { state: 'failed' } }]),
      );
      expect(await readEvents(db, { after: 1, limit: 1 })).toEqual([
        {
          seq: 2,
          at: 10,
          type: 'step-started',
          build,
          job,
          attempt,
          agent,
          data: { step: 'im-pop', odd: 'ä\u0000"' },
        },
      ]);
      expect((await readEvents(db, { after: 0, build, limit: 9 })).map(({ seq }) => seq)).toEqual([2, 3]);
      expect([await firstEventSeq(db), await lastEventSeq(db)]).toEqual([1, 3]);
    });

    it('of an agent itself, and of a build by their types, come the newest first to be kept', async () => {
      const { db } = await open();
      const [build, agent, other] = [newId('b'), newId('a'), newId('a')];
      await transact(db, (tx) =>
        appendEvents(tx, 10, [
          { type: 'agent-enrolled', agent },
          { type: 'resumed', build, agent },
          { type: 'agent-lost', agent: other },
          { type: 'step-started', build, agent },
          { type: 'resumed', build, agent },
          { type: 'agent-lost', agent },
        ]),
      );
      const seqs = (events: readonly { readonly seq: number }[]) => events.map(({ seq }) => seq);
      expect(seqs(await eventsOfAgent(db, agent, { before: null, limit: 9 }))).toEqual([6, 1]);
      expect(seqs(await eventsOfAgent(db, agent, { before: 6, limit: 9 }))).toEqual([1]);
      expect(seqs(await eventsOfBuild(db, build, { types: ['resumed'], limit: 9 }))).toEqual([2, 5]);
      expect(seqs(await eventsOfBuild(db, build, { types: ['resumed'], limit: 1 }))).toEqual([5]);
    });

    it('none at all give the last number, and take none', async () => {
      const { db } = await open();
      expect([await firstEventSeq(db), await lastEventSeq(db)]).toEqual([null, 0]);
      expect(await transact(db, (tx) => appendEvents(tx, 1, []))).toBe(0);
    });

    it('are trimmed when old, but not those of builds that run, nor how a build ended', async () => {
      const { db } = await open();
      const [over, running] = [await aBuild(db, 'succeeded'), await aBuild(db, 'running')];
      const tell = (at: number) =>
        transact(db, (tx) =>
          appendEvents(tx, at, [
            { type: 'warning' },
            { type: 'step-started', build: over },
            { type: 'step-started', build: running },
            { type: 'build-ended', build: over },
          ]),
        );
      await tell(100);
      await tell(200);
      expect(await trimEvents(db, 200)).toBe(2);
      expect((await readEvents(db, { after: 0, limit: 99 })).map(({ seq }) => seq)).toEqual([
        3, 4, 5, 6, 7, 8,
      ]);
      expect(await lastEventSeq(db)).toBe(8);
    });
  });

  describe('a duty', () => {
    it('is one holder’s of many that want it', async () => {
      const { db } = await open();
      const taken = await many(10, (index) => takeDuty(db, 'schedule', `c${index}`, 1000, 100));
      expect(taken.filter(Boolean)).toHaveLength(1);
      expect(await dutyHolder(db, 'schedule')).toEqual({
        holder: `c${taken.indexOf(true)}`,
        expiresAt: 1100,
      });
    });

    it('is kept by renewing it, lost by not, and free when given up', async () => {
      const { db } = await open();
      const take = (holder: string, now: number) => takeDuty(db, 'schedule', holder, now, 100);
      expect(await dutyHolder(db, 'schedule')).toBeNull();
      expect([await take('a', 0), await take('a', 60), await take('b', 159), await take('b', 160)]).toEqual([
        true,
        true,
        false,
        true,
      ]);
      expect(await take('a', 200)).toBe(false);
      await releaseDuty(db, 'schedule', 'a');
      expect(await take('a', 200)).toBe(false);
      await releaseDuty(db, 'schedule', 'b');
      expect(await take('a', 200)).toBe(true);
      expect(await takeDuty(db, 'sweep', 'b', 200, 100)).toBe(true);
    });

    it('is held by its holder only, and only until it expires', async () => {
      const { db } = await open();
      await takeDuty(db, 'schedule', 'a', 0, 100);
      const holds = (holder: string, now: number) =>
        transact(db, (tx) => holdsDuty(tx, 'schedule', holder, now));
      expect([await holds('a', 99), await holds('a', 100), await holds('b', 50)]).toEqual([
        true,
        false,
        false,
      ]);
      expect(await transact(db, (tx) => holdsDuty(tx, 'unheard of', 'a', 0))).toBe(false);
    });

    it('is not taken over while a transaction relies on it', async () => {
      const { db } = await open();
      await takeDuty(db, 'schedule', 'a', 0, 100);
      const order: string[] = [];
      let takeOver: Promise<unknown> = Promise.resolve();
      await transact(db, async (tx) => {
        expect(await holdsDuty(tx, 'schedule', 'a', 99)).toBe(true);
        takeOver = takeDuty(db, 'schedule', 'b', 100, 100).then((taken) =>
          order.push(`b takes it: ${taken}`),
        );
        for (let pass = 0; pass < 50; pass += 1) await readMeta(tx, 'name');
        order.push('a is done');
      });
      await takeOver;
      expect(order).toEqual(['a is done', 'b takes it: true']);
      expect(await transact(db, (tx) => holdsDuty(tx, 'schedule', 'a', 99))).toBe(false);
    });
  });

  describe('tokens', () => {
    const wanted = {
      user: 'ada',
      role: 'submitter',
      rights: ['scripts'],
      note: 'ci',
      expiresAt: 100,
    } as const;

    it('are found by the hash of the secret that was shown once', async () => {
      const { db } = await open();
      const { token, secret } = await createToken(db, wanted, 10);
      expect(secret).toMatch(/^dfu_[A-Za-z0-9_-]{43}$/);
      expect(token).toEqual({
        id: expect.stringMatching(/^k-/) as unknown,
        user: 'ada',
        role: 'submitter',
        rights: ['scripts'],
        note: 'ci',
        createdAt: 10,
        expiresAt: 100,
        lastUsedAt: null,
        revokedAt: null,
      });
      expect(await findTokenByHash(db, hashSecret(secret), 99)).toEqual({ kind: 'valid', token });
      expect(JSON.stringify(await db.selectFrom('tokens').selectAll().execute())).not.toContain(secret);
    });

    it('are unknown, expired or revoked, each told apart', async () => {
      const { db } = await open();
      const { token, secret } = await createToken(db, wanted, 10);
      expect(await findTokenByHash(db, hashSecret('dfu_'), 10)).toEqual({ kind: 'unknown' });
      expect(await findTokenByHash(db, hashSecret(secret), 100)).toEqual({ kind: 'expired', token });
      expect(await revokeToken(db, token.id, 20)).toMatchObject({ revokedAt: 20 });
      expect(await revokeToken(db, token.id, 30)).toMatchObject({ revokedAt: 20 });
      expect(await findTokenByHash(db, hashSecret(secret), 25)).toMatchObject({ kind: 'revoked' });
      expect(await revokeToken(db, newId('k'), 30)).toBeNull();
      const eternal = await createToken(db, { ...wanted, expiresAt: null }, 40);
      expect(await findTokenByHash(db, hashSecret(eternal.secret), Number.MAX_SAFE_INTEGER)).toMatchObject({
        kind: 'valid',
      });
      expect((await listTokens(db)).map(({ id }) => id)).toEqual([eternal.token.id, token.id]);
    });

    it('remember their last use by the minute', async () => {
      const { db } = await open();
      const { token, secret } = await createToken(db, { ...wanted, expiresAt: null }, 0);
      const useAt = async (now: number) => {
        const found = await findTokenByHash(db, hashSecret(secret), now);
        if (found.kind === 'valid') await touchToken(db, found.token, now);
        return (await listTokens(db))[0]?.lastUsedAt;
      };
      expect([await useAt(1000), await useAt(60_999), await useAt(61_000)]).toEqual([1000, 1000, 61_000]);
      // One that read the row long ago does not set it back.
      await touchToken(db, token, 61_001);
      expect((await listTokens(db))[0]?.lastUsedAt).toBe(61_000);
    });
  });

  describe('an enrolment token', () => {
    const wanted = { name: 'mill', createdBy: 'ada', expiresAt: 100 };

    it('enrols one of ten who use it at once', async () => {
      const { db } = await open();
      const secret = await createEnrolment(db, wanted, 0);
      const used = await many(10, () =>
        transact(db, (tx) => useEnrolment(tx, hashSecret(secret), newId('a'), 99)),
      );
      expect(used.filter(({ kind }) => kind === 'used')).toEqual([
        { kind: 'used', name: 'mill', createdBy: 'ada' },
      ]);
      expect(used.filter(({ kind }) => kind === 'spent')).toHaveLength(9);
    });

    it('is refused when unknown or expired, and not spent by what failed after it', async () => {
      const { db } = await open();
      const secret = await createEnrolment(db, { ...wanted, name: null }, 0);
      const use = (now: number) => useEnrolment(db, hashSecret(secret), newId('a'), now);
      expect(await use(100)).toEqual({ kind: 'expired' });
      expect(await useEnrolment(db, hashSecret('dfe_'), newId('a'), 0)).toEqual({ kind: 'unknown' });
      await transact(db, async (tx) => {
        await useEnrolment(tx, hashSecret(secret), newId('a'), 50);
        throw new Error('no agent after all');
      }).catch(() => undefined);
      expect(await use(50)).toEqual({ kind: 'used', name: null, createdBy: 'ada' });
    });
  });

  describe('the catalogue of scripts', () => {
    it('knows which digests it holds', async () => {
      const { db } = await open();
      const [a, b, c] = [digest('a'), digest('b'), digest('c')];
      await addScripts(
        db,
        [
          { sha256: a, name: 'im-pop', note: '' },
          { sha256: b, name: 'iso', note: '' },
        ],
        'ada',
        1,
      );
      await addScripts(db, [{ sha256: a, name: 'im-pop 2', note: 'renamed' }], 'bob', 2);
      expect(await listScripts(db)).toEqual([
        { sha256: a, name: 'im-pop 2', note: 'renamed', addedBy: 'ada', addedAt: 1 },
        { sha256: b, name: 'iso', note: '', addedBy: 'ada', addedAt: 1 },
      ]);
      expect(await cataloguedAmong(db, [a, c])).toEqual(new Set([a]));
      expect(await cataloguedAmong(db, [])).toEqual(new Set());
      expect([await removeScript(db, a), await removeScript(db, a)]).toEqual([true, false]);
      expect(await cataloguedAmong(db, [a, b])).toEqual(new Set([b]));
    });
  });

  describe('agents', () => {
    it('are found by id, name and key', async () => {
      const { db } = await open();
      const agent = await anAgent(db, 'mill');
      expect(agent).toMatchObject({
        name: 'mill',
        facts: FACTS,
        load: null,
        drained: false,
        paused: false,
        dropping: [],
      });
      expect(await findAgent(db, agent.id)).toEqual(agent);
      expect(await findAgentByName(db, 'mill')).toEqual(agent);
      expect(await findAgentByKeyHash(db, digest('key of mill'))).toEqual(agent);
      expect(await findAgentByName(db, 'lime')).toBeNull();
      const other = await anAgent(db, 'ash');
      expect(await listAgents(db)).toEqual([other, agent]);
      const error: unknown = await anAgent(db, 'mill').catch((reason: unknown) => reason);
      expect(isUniqueViolation(error)).toBe(true);
    });

    it('are what the process that said hello last says', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      const beat = {
        instance: 'one',
        load: { cpu: 0.5, freeMemoryBytes: 9 },
        freeBytes: 7,
        usedBytes: 3,
        leaving: true,
      };
      expect(await recordHeartbeat(db, id, beat, 5)).toBeNull();
      await recordHello(db, id, { instance: 'one', facts: { ...FACTS, slots: 4 }, peer: null }, 10);
      expect(await recordHeartbeat(db, id, beat, 20)).toMatchObject({
        load: { cpu: 0.5, freeMemoryBytes: 9 },
        facts: { ...FACTS, slots: 4, freeBytes: 7, usedBytes: 3 },
        leaving: true,
        lastSeenAt: 20,
      });
      await recordHello(db, id, { instance: 'two', facts: FACTS, peer: null }, 30);
      expect(await recordHeartbeat(db, id, beat, 40)).toBeNull();
      expect(await findAgent(db, id)).toMatchObject({
        instance: 'two',
        facts: FACTS,
        leaving: false,
        lastSeenAt: 30,
      });
    });

    it('are lost once when unseen for long, until they answer again', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      expect(await markAgentLost(db, id, 1000, 1000)).toBe(false);
      expect(await silentAgents(db, 1000)).toEqual([]);
      await recordHello(db, id, { instance: 'one', facts: FACTS, peer: null }, 10);
      expect(await silentAgents(db, 10)).toEqual([]);
      expect(await silentAgents(db, 11)).toEqual([{ id, name: 'mill', lastSeenAt: 10 }]);
      const lost = [
        await markAgentLost(db, id, 10, 50),
        await markAgentLost(db, id, 11, 50),
        await markAgentLost(db, id, 11, 60),
      ];
      expect(lost).toEqual([false, true, false]);
      expect(await silentAgents(db, 1000)).toEqual([]);
      expect(await findAgent(db, id)).toMatchObject({ lostAt: 50 });
      await recordHeartbeat(
        db,
        id,
        { instance: 'one', load: { cpu: 0, freeMemoryBytes: 1 }, freeBytes: 1, usedBytes: 1, leaving: false },
        70,
      );
      expect(await findAgent(db, id)).toMatchObject({ lostAt: null });
    });

    it('keep the reason while they are drained or paused', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      const state = async () => {
        const { drained, letsFinish, paused, pausedUntil, reason } = (await findAgent(db, id))!;
        return { drained, letsFinish, paused, pausedUntil, reason };
      };
      await drainAgent(db, id, { reason: 'ada: new disk', letsFinish: true });
      await pauseAgent(db, id, { reason: 'bob: lunch', until: 100 });
      expect(await state()).toMatchObject({
        drained: true,
        letsFinish: true,
        paused: true,
        pausedUntil: 100,
        reason: 'bob: lunch',
      });
      await undrainAgent(db, id);
      expect(await state()).toMatchObject({
        drained: false,
        letsFinish: false,
        paused: true,
        pausedUntil: 100,
        reason: 'bob: lunch',
      });
      expect(await unpauseDueAgents(db, 99)).toEqual([]);
      expect(await unpauseDueAgents(db, 100)).toEqual([id]);
      expect(await state()).toMatchObject({ drained: false, paused: false, pausedUntil: null, reason: '' });
      await pauseAgent(db, id, { reason: 'bob: for good', until: null });
      expect(await unpauseDueAgents(db, Number.MAX_SAFE_INTEGER)).toEqual([]);
      await unpauseAgent(db, id);
      expect(await state()).toMatchObject({ drained: false, paused: false, pausedUntil: null, reason: '' });
    });

    it('are revoked once, and heard no more', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      await recordHello(db, id, { instance: 'one', facts: FACTS, peer: null }, 10);
      expect([await revokeAgent(db, id, 20), await revokeAgent(db, id, 30)]).toEqual([true, false]);
      const beat = {
        instance: 'one',
        load: { cpu: 0, freeMemoryBytes: 1 },
        freeBytes: 1,
        usedBytes: 1,
        leaving: false,
      };
      expect(await recordHeartbeat(db, id, beat, 40)).toBeNull();
      expect(await markAgentLost(db, id, 100, 100)).toBe(false);
      expect(await findAgent(db, id)).toMatchObject({ revokedAt: 20, lastSeenAt: 10 });
    });

    it('count their failures in a row', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      const counts = await many(3, () => countAgentFailure(db, id));
      expect([...counts].sort()).toEqual([1, 2, 3]);
      await quarantineAgent(db, id, 500);
      expect(await findAgent(db, id)).toMatchObject({ failures: 3, quarantinedUntil: 500 });
      await clearAgentFailures(db, id);
      expect(await findAgent(db, id)).toMatchObject({ failures: 0, quarantinedUntil: null });
    });

    it('are out of quarantine when somebody ends their pause', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      await countAgentFailure(db, id);
      await quarantineAgent(db, id, 500);
      await unpauseAgent(db, id);
      expect(await findAgent(db, id)).toMatchObject({ failures: 0, quarantinedUntil: null });
    });

    it('are told to drop each area once, by many at the same time', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      await many(8, (index) => transact(db, (tx) => addDropping(tx, id, ['always', `area ${index}`])));
      expect(new Set((await findAgent(db, id))?.dropping)).toEqual(
        new Set(['always', ...Array.from({ length: 8 }, (_, index) => `area ${index}`)]),
      );
      expect((await findAgent(db, id))?.dropping).toHaveLength(9);
      await many(8, (index) => transact(db, (tx) => removeDropping(tx, id, [`area ${index}`, 'unknown'])));
      expect((await findAgent(db, id))?.dropping).toEqual(['always']);
      await transact(db, (tx) => addDropping(tx, newId('a'), ['of nobody']));
    });
  });

  describe('jobs', () => {
    it('are for one agent as long as somebody says so', async () => {
      const { db } = await open();
      const { id: agent } = await anAgent(db, 'mill');
      const job = await aJob(db, await aBuild(db, 'running'));
      const onAgent = async () => (await runningJobs(db, [job])).map((row) => row.onAgent);
      expect(await onAgent()).toEqual([null]);
      for (const pinned of [agent, (await anAgent(db, 'tank')).id, null]) {
        await pinJob(db, job, pinned);
        expect(await onAgent()).toEqual([pinned]);
      }
    });
  });

  describe('what fetching a checkpoint takes', () => {
    it('is usual by store family, and forgotten after a month', async () => {
      const { db } = await open();
      expect(await usualFetches(db)).toEqual(new Map());
      const day = 86_400_000;
      const what = { distribution: 'live', label: '.step_a' };
      for (const [index, ms] of [7000, 1000, 3000].entries())
        await keepFetchTime(db, { store: 'zfs', ...what, bytes: 1, ms, at: index });
      await keepFetchTime(db, { store: 'btrfs', ...what, bytes: 1, ms: 50, at: 3 });
      expect(await usualFetches(db)).toEqual(
        new Map([
          ['zfs', { ms: 3000, smallMs: 3000, bytesPerSecond: null }],
          ['btrfs', { ms: 50, smallMs: 50, bytesPerSecond: null }],
        ]),
      );
      await keepFetchTime(db, { store: 'zfs', ...what, bytes: 18e6, ms: 9000, at: 40 * day });
      expect(await usualFetches(db)).toEqual(
        new Map([['zfs', { ms: 9000, smallMs: 0, bytesPerSecond: 2e6 }]]),
      );
    });

    it('comes from sizes, too, which are known by distribution and boundary', async () => {
      const { db } = await open();
      const keep = async (distribution: string, label: string, bytes: number): Promise<void> =>
        keepFetchTime(db, { store: 'zfs', distribution, label, bytes, ms: 1, at: 1 });
      for (const bytes of [3, 9, 5]) await keep('live', '.step_a', bytes);
      await keep('live', '.step_b', 7);
      await keep('other', '.step_a', 100);
      expect(await usualFetchBytes(db, 'live')).toEqual(
        new Map([
          ['.step_a', 5],
          ['.step_b', 7],
        ]),
      );
      expect(await usualFetchBytes(db, 'none')).toEqual(new Map());
    });
  });

  describe('what scripts asked for', () => {
    const row = (at: number, script = 'a', nodepaths = ['name']): StepReads => {
      return { step: 'pop', script, nodepaths, build: newId('b'), at };
    };

    it('is that of the newest run, of each script by itself', async () => {
      const { db } = await open();
      const [one, again, other] = [row(1), row(2, 'a', []), row(1, 'b')];
      for (const each of [one, again, other]) await keepStepReads(db, each);
      expect(await stepReads(db, 'pop', 'a')).toEqual(again);
      expect(await stepReads(db, 'pop', 'b')).toEqual(other);
      expect(await stepReads(db, 'iso', 'a')).toBeNull();
      expect(await stepReads(db, 'pop', 'c')).toBeNull();
    });

    it('is forgotten of all but the newest fifty scripts of a name', async () => {
      const { db } = await open();
      await keepStepReads(db, { ...row(0), step: 'iso' });
      for (let at = 0; at < 60; at += 1) await keepStepReads(db, row(at, `s${at}`));
      expect(await stepReads(db, 'pop', 's9')).toBeNull();
      expect(await stepReads(db, 'pop', 's10')).not.toBeNull();
      expect(await stepReads(db, 'iso', 'a')).not.toBeNull();
    });
  });

  describe('the audit', () => {
    const entry = {
      user: 'ada',
      tokenId: newId('k'),
      action: 'build.cancel',
      target: 'b-1',
      why: 'wrong ISO',
    } as const;

    it('chains what many write at once, and finds nothing wrong with it', async () => {
      const { db } = await open();
      expect(await verifyAudit(db)).toBeNull();
      await many(12, (index) => transact(db, (tx) => appendAudit(tx, index, { ...entry, data: { index } })));
      const entries = await readAudit(db, { limit: 100 });
      expect(entries.map(({ seq }) => seq)).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1]);
      expect(new Set(entries.map(({ hash }) => hash)).size).toBe(12);
      expect(await verifyAudit(db)).toBeNull();
    });

    it('is read newest first, by page', async () => {
      const { db } = await open();
      for (const at of [1, 2, 3])
        await transact(db, (tx) => appendAudit(tx, at, { ...entry, tokenId: null }));
      expect(await readAudit(db, { before: 3, limit: 1 })).toEqual([
        {
          ...entry,
          tokenId: null,
          seq: 2,
          at: 2,
          data: {},
          hash: expect.stringMatching(/^[0-9a-f]{64}$/) as unknown,
        },
      ]);
    });

    it.each([
      [
        'another reason',
        3,
        (db: Db) => db.updateTable('audit').set({ why: 'right ISO' }).where('seq', '=', 3).execute(),
      ],
      ['another time', 1, (db: Db) => db.updateTable('audit').set({ at: 99 }).where('seq', '=', 1).execute()],
      [
        'other data',
        5,
        (db: Db) => db.updateTable('audit').set({ data: '{ }' }).where('seq', '=', 5).execute(),
      ],
      [
        'no author',
        2,
        (db: Db) => db.updateTable('audit').set({ token_id: null }).where('seq', '=', 2).execute(),
      ],
      [
        'a hash that fits',
        4,
        (db: Db) =>
          db
            .updateTable('audit')
            .set({ hash: digest('x') })
            .where('seq', '=', 4)
            .execute(),
      ],
      ['a missing entry', 2, (db: Db) => db.deleteFrom('audit').where('seq', '=', 2).execute()],
      ['a missing end', 5, (db: Db) => db.deleteFrom('audit').where('seq', '=', 5).execute()],
      ['nothing left', 1, (db: Db) => db.deleteFrom('audit').execute()],
    ])('shows where it was tampered with: %s', async (_, seq, tamper) => {
      const { db } = await open();
      for (const at of [1, 2, 3, 4, 5]) await transact(db, (tx) => appendAudit(tx, at, entry));
      await tamper(db);
      expect(await verifyAudit(db)).toBe(seq);
    });

    it('goes together with events, whoever is first', async () => {
      const { db } = await open();
      await many(10, () =>
        transact(db, async (tx) => {
          await appendAudit(tx, 1, entry);
          await appendEvents(tx, 1, [{ type: 'warning' }]);
        }),
      );
      expect([await lastEventSeq(db), await verifyAudit(db)]).toEqual([10, null]);
    });
  });

  describe('blobs', () => {
    it('are there once, and young again when they come again', async () => {
      const { db } = await open();
      const blob = { sha256: digest('iso'), bytes: 5_000_000_000 };
      await many(4, () => insertBlob(db, blob, 10));
      expect(await findBlob(db, blob.sha256)).toEqual({ ...blob, createdAt: 10 });
      await insertBlob(db, blob, 20);
      expect(await findBlob(db, blob.sha256)).toEqual({ ...blob, createdAt: 20 });
      expect([await hasBlob(db, blob.sha256), await hasBlob(db, digest('usb'))]).toEqual([true, false]);
      expect(await blobsAmong(db, [blob.sha256, digest('usb')])).toEqual(new Set([blob.sha256]));
      expect([await removeBlob(db, blob.sha256, 20), await removeBlob(db, blob.sha256, 21)]).toEqual([
        false,
        true,
      ]);
      expect(await hasBlob(db, blob.sha256)).toBe(false);
    });

    it('are collected when old and nothing refers to them', async () => {
      const { db } = await open();
      const build = await aBuild(db, 'running', [digest('script')]);
      const collected = await aBuild(db, 'succeeded', [digest('old script')], 50);
      const job = await aJob(db, build);
      const words = ['script', 'old script', 'output', 'artifact', 'gone artifact', 'nobody’s', 'young'];
      for (const word of words)
        await insertBlob(db, { sha256: digest(word), bytes: 1 }, word === 'young' ? 99 : 1);
      await putOutput(db, {
        jobId: job,
        path: 'x',
        attemptId: newId('t'),
        pieces: [{ sha256: digest('output'), bytes: 1 }],
        treeSha256: digest('t'),
      });
      const artifact = { variant: 'default', job, attempt: newId('t'), bytes: 1 };
      await putArtifact(db, { ...artifact, build, name: 'a.iso', sha256: digest('artifact') }, 5);
      await putArtifact(
        db,
        { ...artifact, build: collected, name: 'a.iso', sha256: digest('gone artifact') },
        5,
      );
      await markArtifactsUnavailable(db, collected);
      const names = new Map(words.map((word) => [digest(word), word]));
      const found = async (limit: number) =>
        (await unreferencedBlobs(db, { before: 99, limit })).map(({ sha256 }) => names.get(sha256)).sort();
      expect(await found(10)).toEqual(['gone artifact', 'nobody’s', 'old script']);
      expect(await found(2)).toHaveLength(2);
      await removeOutputsOfBuild(db, build);
      expect(await found(10)).toContain('output');
    });
  });

  describe('uploads', () => {
    it('of one digest by one attempt are one, also when started by many', async () => {
      const { db } = await open();
      const [attempt, other] = [newId('t'), newId('t')];
      const upload = { attempt, sha256: digest('iso'), bytes: 9 };
      const started = await many(6, () => startUpload(db, upload, 10));
      expect(new Set(started.map(({ id }) => id)).size).toBe(1);
      const [first] = started;
      expect(await findUpload(db, first!.id)).toEqual({
        id: first!.id,
        attemptId: attempt,
        sha256: digest('iso'),
        bytes: 9,
        createdAt: 10,
      });
      const second = await startUpload(db, { ...upload, attempt: other }, 20);
      expect(second.id).not.toBe(first!.id);
      expect(await staleUploads(db, 20)).toEqual([first]);
      await removeUpload(db, first!.id);
      expect([await findUpload(db, first!.id), await staleUploads(db, 99)]).toEqual([null, [second]]);
    });
  });

  describe('outputs and artifacts', () => {
    it('are the newest of their name', async () => {
      const { db } = await open();
      const build = await aBuild(db, 'running');
      const [job, next] = [await aJob(db, build, 0), await aJob(db, build, 1)];
      const attempts = [newId('t'), newId('t')] as const;
      const output = (attempt: 0 | 1, word: string) => ({
        jobId: job,
        path: 'boot/initrd',
        attemptId: attempts[attempt],
        pieces: [word, 'shared'].map((piece) => ({ sha256: digest(piece), bytes: 4 })),
        treeSha256: digest('tree'),
      });
      await putOutput(db, output(0, 'old'));
      await putOutput(db, output(1, 'new'));
      const end = { ...output(1, 'end'), path: '' };
      await putOutput(db, end);
      expect(await outputsOfJobs(db, [job, next])).toEqual([end, output(1, 'new')]);
      expect(await outputsOfJobs(db, [])).toEqual([]);
      expect(await outputsOfBuild(db, build)).toEqual([end, output(1, 'new')]);
      expect(await outputsOfBuild(db, newId('b'))).toEqual([]);

      const artifact = { build, variant: 'default', name: 'live.iso', job, bytes: 7 };
      await putArtifact(db, { ...artifact, attempt: attempts[0], sha256: digest('one') }, 10);
      await putArtifact(db, { ...artifact, attempt: attempts[1], sha256: digest('two') }, 20);
      const published = {
        build,
        variant: 'default',
        name: 'live.iso',
        bytes: 7,
        sha256: digest('two'),
        attempt: attempts[1],
        publishedAt: 20,
        available: true,
      };
      expect(await artifactsOfBuild(db, build)).toEqual([published]);
      expect(await findArtifact(db, build, 'default', 'live.iso')).toEqual(published);
      expect(await findArtifact(db, build, 'default', 'LIVE.ISO')).toBeNull();
      await markArtifactsUnavailable(db, build);
      expect(await artifactsOfBuild(db, build)).toEqual([{ ...published, available: false }]);
    });
  });

  describe('jobs', () => {
    it('that wait are those of builds that are to run, with what they go on from', async () => {
      const { db } = await open();
      const [build, paused] = [await aBuild(db, 'running'), await aBuild(db, 'paused')];
      await updateBuild(db, paused, { wish: 'pause' });
      await updateJob(db, await aJob(db, paused), { state: 'waiting' });
      const [main, iso, other] = [await aJob(db, build), await aJob(db, build, 1), await aJob(db, build, 2)];
      await updateJob(db, main, { generation: 3, end_checkpoint: '7' });
      await updateJob(db, other, { state: 'waiting' });
      await updateJob(db, iso, {
        state: 'waiting',
        waiting_since: 5,
        generation: 2,
        epoch: 1,
        ancestry: [{ generation: 1, upTo: 'iso', upToIndex: 4 }],
        avoid: ['a-0000000001' as AgentId],
      });
      await db
        .updateTable('jobs')
        .set((set) => ({
          variant_id: set.selectFrom('jobs as main').select('main.variant_id').where('main.id', '=', main),
          base_job: 0,
          base_workspace: 'build_data',
          base_label: '.end_grub',
        }))
        .where('id', '=', iso)
        .execute();
      const waiting = new Map((await waitingJobs(db)).map((job) => [job.id, job]));
      expect([...waiting.keys()].toSorted()).toEqual([iso, other].toSorted());
      expect(waiting.get(iso)).toMatchObject({
        build,
        index: 1,
        lineage: `${build}/v0/1/g2`,
        ancestors: [{ lineage: `${build}/v0/1/g1`, upToIndex: 4 }],
        wasTried: true,
        base: { jobId: main, lineage: `${build}/v0/0/g3`, checkpoint: '7' },
        avoid: ['a-0000000001'],
        waitingSince: 5,
        user: 'ada',
        priority: 'normal',
      });
      expect(waiting.get(other)).toMatchObject({
        lineage: `${build}/v2/2/g1`,
        ancestors: [],
        wasTried: false,
        base: null,
        // When its build came: nobody has noted more.
        waitingSince: 1,
      });
    });

    it('count for their build, but not those of an optional variant of which one failed', async () => {
      const { db } = await open();
      const build = await aBuild(db, 'running');
      let index = 0;
      const jobs = async (optional: number, ...states: readonly JobState[]): Promise<void> => {
        const variant = newId('v');
        await db
          .insertInto('variants')
          .values({
            id: variant,
            build_id: build,
            name: variant,
            plan_content_sha256: '',
            optional,
            keys_wait: 0,
          })
          .execute();
        for (const state of states) {
          const job = await aJob(db, build, (index += 1));
          await db.updateTable('jobs').set({ variant_id: variant, state }).where('id', '=', job).execute();
        }
      };
      await jobs(0, 'succeeded', 'succeeded');
      await jobs(1, 'succeeded', 'paused');
      await jobs(1, 'succeeded', 'failed', 'blocked');
      expect(await countJobStates(db, build)).toEqual(
        new Map([
          ['succeeded', 4],
          ['paused', 1],
          ['failed', 1],
          ['blocked', 1],
        ]),
      );
      expect(await countBindingJobStates(db, build)).toEqual(
        new Map([
          ['succeeded', 3],
          ['paused', 1],
        ]),
      );
      await jobs(0, 'failed');
      expect((await countBindingJobStates(db, build)).get('failed')).toBe(1);
    });

    it('are reported of under their own names', async () => {
      const { db } = await open();
      const build = await aBuild(db, 'running');
      const job = await aJob(db, build);
      const step = { job_id: job, message: '', state: 'waiting', started_at: null, ended_at: null } as const;
      await db
        .insertInto('steps')
        .values(
          [0, 1].map((index) => ({ ...step, index, name: `s${index}`, outcome: null, attempt_id: null })),
        )
        .execute();
      expect(await findReportedJob(db, job)).toEqual({
        id: job,
        lane: 'main',
        variant: 'v0',
        retries: 0,
        build: { id: build, name: 'live', startedAt: null, replicas: 0 },
        steps: new Map([
          [0, 's0'],
          [1, 's1'],
        ]),
      });
      expect(await findReportedJob(db, newId('j'))).toBeNull();
    });
  });

  describe('attempts', () => {
    it('are found by their agent, newest first, from any of them on', async () => {
      const { db } = await open();
      const agent = await anAgent(db, 'mill');
      const build = await aBuild(db, 'running');
      const job = await aJob(db, build);
      const given = { job, build, lineage: 'x', leaseUntil: 10 };
      const ids = Array.from({ length: 4 }, () => newId('t')).toSorted();
      // Two at the same time: then by their ids.
      for (const [index, now] of [5, 7, 7, 9].entries())
        await insertAttempt(db, {
          ...given,
          id: ids[index]!,
          number: index + 1,
          epoch: index + 1,
          agent: agent.id,
          now,
        });
      await insertAttempt(db, {
        ...given,
        id: newId('t'),
        number: 9,
        epoch: 9,
        agent: (await anAgent(db, 'ash')).id,
        now: 8,
      });
      const [newest, ...others] = await attemptsOfAgent(db, agent.id, { before: null, limit: 3 });
      expect(newest).toMatchObject({
        id: ids[3],
        build,
        name: 'live',
        variant: 'v0',
        lane: 'main',
        steps: [],
      });
      expect(others.map(({ id }) => id)).toEqual([ids[2], ids[1]]);
      const rest = await attemptsOfAgent(db, agent.id, { before: others[0]!, limit: 9 });
      expect(rest.map(({ id }) => id)).toEqual([ids[1], ids[0]]);
    });

    it('are past their lease when nobody renewed it', async () => {
      const { db } = await open();
      const build = await aBuild(db, 'running');
      const [job, agent] = [await aJob(db, build), (await anAgent(db, 'mill')).id];
      const attempt = { id: newId('t'), job, build, number: 1, epoch: 1, agent, lineage: 'l', now: 1 };
      await insertAttempt(db, { ...attempt, leaseUntil: 10 });
      expect(await attemptsPastLease(db, 9)).toEqual([]);
      expect(await attemptsPastLease(db, 10)).toMatchObject([{ id: attempt.id, lease_until: 10 }]);
      expect(await attemptStepStartedAt(db, attempt.id, 0)).toBeNull();
      await startAttemptStep(db, attempt.id, 0, 7);
      // Once more, where room was made for it.
      await startAttemptStep(db, attempt.id, 0, 8);
      expect(await attemptStepStartedAt(db, attempt.id, 0)).toBe(8);
    });
  });

  describe('tickets', () => {
    it('are good once, in time, and for their source only', async () => {
      const { db } = await open();
      const [mill, lime] = [(await anAgent(db, 'mill')).id, (await anAgent(db, 'lime')).id];
      const checkpoint = { id: '7', workspace: 'build_data', label: '.step_a' };
      const transfer = { receiver: lime, area: 'b-0000000001.default', checkpoint, base: null };
      const ticket = { source: mill, transfer, expiresAt: 100 };
      for (const hash of ['one', 'two']) await insertTicket(db, { ...ticket, hash }, 10);
      expect(await useTicket(db, 'none', mill, 20)).toBeNull();
      expect(await useTicket(db, 'one', lime, 20)).toBeNull();
      expect(await useTicket(db, 'one', mill, 101)).toBeNull();
      const uses = await Promise.all([1, 2, 3].map(() => useTicket(db, 'one', mill, 20)));
      expect(uses.filter((use) => use !== null)).toEqual([transfer]);
      await insertTicket(db, { ...ticket, hash: 'three', expiresAt: 300 }, 200);
      expect(await useTicket(db, 'two', mill, 50)).toBeNull();
    });
  });

  describe('checkpoints', () => {
    const row = (agentId: AgentId, id: string, change: Partial<CheckpointRow> = {}): CheckpointRow => ({
      agentId,
      id,
      buildId: 'b-0000000001' as BuildId,
      variant: 'default',
      lineage: 'b-0000000001/default/0/g1',
      workspace: 'build_data',
      label: `.step_${id}`,
      previous: '',
      takenAt: Number(id),
      key: null,
      ...change,
    });

    it('are what the agent says that it holds', async () => {
      const { db } = await open();
      const [mill, lime] = [(await anAgent(db, 'mill')).id, (await anAgent(db, 'lime')).id];
      await insertCheckpoint(db, row(mill, '1'));
      await insertCheckpoint(db, row(mill, '1', { label: 'never' }));
      await insertCheckpoint(db, row(lime, '1', { lineage: 'other' }));
      await transact(db, (tx) =>
        replaceCheckpoints(tx, mill, [row(mill, '3'), row(mill, '2'), row(mill, '2', { label: 'twice' })]),
      );
      expect(await listCheckpoints(db, { agent: mill })).toEqual([row(mill, '2'), row(mill, '3')]);
      expect(await listCheckpoints(db)).toHaveLength(3);
      expect(await countCheckpoints(db)).toEqual(
        new Map([
          [mill, 2],
          [lime, 1],
        ]),
      );
      expect(await checkpointsOfLineages(db, ['other', 'none'])).toEqual([
        row(lime, '1', { lineage: 'other' }),
      ]);
      expect(await checkpointsOfLineages(db, [])).toEqual([]);
      await transact(db, (tx) => replaceCheckpoints(tx, mill, []));
      expect(await countCheckpoints(db)).toEqual(new Map([[lime, 1]]));
    });

    it('go with their area', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      const other = { buildId: 'b-0000000002' as BuildId };
      await transact(db, (tx) =>
        replaceCheckpoints(tx, id, [row(id, '1'), row(id, '2', { variant: 'small' }), row(id, '3', other)]),
      );
      await removeCheckpointsOfArea(db, id, 'b-0000000001' as BuildId, 'default');
      expect((await listCheckpoints(db)).map((checkpoint) => checkpoint.id)).toEqual(['2', '3']);
      expect(await listCheckpoints(db, { build: other.buildId })).toEqual([row(id, '3', other)]);
    });

    it('are held by areas, with what these take', async () => {
      const { db } = await open();
      const { id: mill } = await anAgent(db, 'mill');
      const { id: lime } = await anAgent(db, 'lime');
      const [one, two] = ['b-0000000001', 'b-0000000002'] as BuildId[];
      await transact(db, (tx) =>
        replaceCheckpoints(tx, mill, [row(mill, '1'), row(mill, '7'), row(mill, '3', { variant: 'small' })]),
      );
      await insertCheckpoint(db, row(lime, '1'));
      const size = (buildId: BuildId, variant: string, usedBytes: number) => ({
        buildId,
        variant,
        usedBytes,
      });
      await recordAreaSizes(db, mill, [size(one!, 'default', 5), size(two!, 'default', 6_000_000_000)], 50);
      await recordAreaSizes(db, mill, [size(one!, 'default', 7)], 60);
      const held = async () =>
        (await heldAreas(db))
          .map(({ agentId, buildId, variant, checkpoints, firstAt, newestAt, usedBytes }) =>
            [
              agentId === mill ? 'mill' : 'lime',
              buildId.slice(-1),
              variant,
              checkpoints,
              firstAt,
              newestAt,
              usedBytes,
            ].join(' '),
          )
          .toSorted();
      expect(await held()).toEqual([
        'lime 1 default 1 1 1 ',
        'mill 1 default 2 1 7 7',
        'mill 1 small 1 3 3 ',
        'mill 2 default 0 50 50 6000000000',
      ]);
      await keepAreaSizes(db, mill, [{ buildId: one!, variant: 'default' }]);
      await keepAreaSizes(db, lime, []);
      await removeCheckpointsOfArea(db, mill, one!, 'small');
      expect(await held()).toEqual(['lime 1 default 1 1 1 ', 'mill 1 default 2 1 7 7']);
      await removeAreaSize(db, mill, one!, 'default');
      expect(await held()).toEqual(['lime 1 default 1 1 1 ', 'mill 1 default 2 1 7 ']);
    });

    it('are of builds that took over from others', async () => {
      const { db } = await open();
      const [root, leaf, gone] = [
        await aBuild(db, 'succeeded'),
        await aBuild(db, 'running'),
        await aBuild(db, 'succeeded', [], 9),
      ];
      const job = await aJob(db, leaf);
      const step = { name: 'a', message: '', state: 'succeeded' as const, started_at: null, ended_at: null };
      await db
        .insertInto('steps')
        .values(
          [0, 1].map((index) => ({
            job_id: job,
            index,
            ...step,
            outcome: null,
            attempt_id: null,
            reused_from: root,
          })),
        )
        .execute();
      const origin = { build: gone, variant: 'v0', lineage: 'l', workspace: 'w', label: '.end' };
      await db
        .updateTable('jobs')
        .set({ end_origin: JSON.stringify(origin) })
        .where('id', '=', job)
        .execute();
      const builds = await buildsOfAreas(db);
      expect(builds.map(({ id }) => id).toSorted()).toEqual([root, leaf].toSorted());
      expect(builds.find(({ id }) => id === leaf)).toMatchObject({
        name: 'live',
        state: 'running',
        endedAt: null,
      });
      expect(builds.find(({ id }) => id === leaf)?.tookFrom.toSorted()).toEqual([root, gone].toSorted());
      expect(builds.find(({ id }) => id === root)?.tookFrom).toEqual([]);
    });

    it('are pinned as a whole or by variant, by whoever did it last', async () => {
      const { db } = await open();
      const [one, two] = [await aBuild(db, 'failed'), await aBuild(db, 'succeeded')];
      const pin = { build: one, variant: null, user: 'ada', why: 'to look at', pinnedAt: 1 };
      await pinCheckpoints(db, pin);
      await pinCheckpoints(db, { ...pin, variant: 'de', pinnedAt: 3 });
      await pinCheckpoints(db, { ...pin, build: two, pinnedAt: 2 });
      await pinCheckpoints(db, { ...pin, user: 'bob', pinnedAt: 4 });
      const pinned = async () => (await listCheckpointPins(db)).map((each) => each);
      expect(await pinned()).toEqual([
        { ...pin, build: two, pinnedAt: 2 },
        { ...pin, variant: 'de', pinnedAt: 3 },
        { ...pin, user: 'bob', pinnedAt: 4 },
      ]);
      expect(await unpinCheckpoints(db, one, null)).toBe(true);
      expect(await unpinCheckpoints(db, one, null)).toBe(false);
      expect((await pinned()).map(({ build, variant }) => [build, variant])).toEqual([
        [two, null],
        [one, 'de'],
      ]);
    });

    it.each<[maker: string, makerIs: Flag, user: string, userIs: Flag, serves: boolean]>([
      ['an untrusted build', 0, 'an untrusted one', 0, true],
      ['an untrusted build', 0, 'a trusted one', 1, false],
      ['a trusted build', 1, 'an untrusted one', 0, true],
      ['a trusted build', 1, 'a trusted one', 1, true],
    ])('and results of %s (%d) are for %s (%d): %s', async (_, makerIs, __, userIs, serves) => {
      const { db } = await open();
      const { id: agent } = await anAgent(db, 'mill');
      const [maker, user] = [await aBuild(db, 'succeeded'), await aBuild(db, 'waiting')];
      const [done, waiting] = [await aJob(db, maker), await aJob(db, user)];
      const [state, end] = [digest('state'), digest('end')];
      await updateBuild(db, maker, { trusted: makerIs, reuse: 1, name: 'Tiny' });
      await updateBuild(db, user, { trusted: userIs, reuse: 1 });
      await db.updateTable('jobs').set({ state: 'succeeded', end_key: end }).where('id', '=', done).execute();
      await db
        .updateTable('jobs')
        .set({ state: 'waiting', end_key: end })
        .where('id', '=', waiting)
        .execute();
      await db.insertInto('boundary_keys').values({ job_id: waiting, position: 1, key: state }).execute();
      await insertCheckpoint(db, row(agent, '1', { buildId: maker, variant: 'v0', key: state }));
      const found = {
        results: (await reusableResults(db)).map(({ from }) => from),
        states: (await reusableStates(db)).map(({ job }) => job),
        // What an agent may fetch for it.
        fetched: await equalsStateOf(db, [waiting], { build: maker, variant: 'v0', id: '1' }),
        // What it is assigned, and what `plan` says.
        assigned: (await checkpointsOfKeys(db, [state], userIs)).map(({ id }) => id),
        planned: [...(await resultsOfKeys(db, [end], userIs)).values()],
        // Whose image time it takes.
        newest: (await newestReusableBuild(db, 'Tiny', userIs))?.build ?? null,
      };
      expect(found).toEqual(
        serves
          ? {
              results: [done],
              states: [waiting],
              fetched: true,
              assigned: ['1'],
              planned: [maker],
              newest: maker,
            }
          : { results: [], states: [], fetched: false, assigned: [], planned: [], newest: null },
      );
    });

    it('prove all steps in front of them, also those that have run here', async () => {
      const { db } = await open();
      const [maker, user] = [await aBuild(db, 'succeeded'), await aBuild(db, 'running')];
      const job = await aJob(db, user);
      const step = (index: number, state: StepRow['state']): StepRow => ({
        ...{ job_id: job, index, name: `s${index}`, message: '', state, outcome: null, reused_from: null },
        ...{ started_at: 1, ended_at: state === 'waiting' ? null : 2, attempt_id: null },
      });
      await insertJobs(db, [], [step(0, 'succeeded'), step(1, 'waiting'), step(2, 'waiting')], []);
      await reuseSteps(db, job, maker, 2);
      const steps = await stepsOfJob(db, job);
      expect(steps.map(({ state, reused_from, ended_at }) => [state, reused_from, ended_at])).toEqual([
        ['succeeded', maker, null],
        ['succeeded', maker, null],
        ['waiting', null, null],
      ]);
    });

    it('may be many thousands', async () => {
      const { db } = await open();
      const { id } = await anAgent(db, 'mill');
      const rows = Array.from({ length: 5000 }, (_, index) => row(id, String(index)));
      await transact(db, (tx) => replaceCheckpoints(tx, id, rows));
      expect(await countCheckpoints(db)).toEqual(new Map([[id, 5000]]));
    });
  });

  describe('chunks of a log', () => {
    it('are kept once, in order', async () => {
      const { db } = await open();
      const attemptId = newId('t');
      const chunk = (offset: number, bytes: number) => ({ attemptId, offset, bytes, receivedAt: 1 });
      expect(await addLogChunk(db, chunk(5_000_000_000, 10))).toBe(true);
      expect(await addLogChunk(db, chunk(0, 7))).toBe(true);
      expect(await addLogChunk(db, chunk(0, 9))).toBe(false);
      expect(await logChunksOf(db, attemptId)).toEqual([chunk(0, 7), chunk(5_000_000_000, 10)]);
    });
  });
});
