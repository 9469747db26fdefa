import { Injectable } from '@nestjs/common';
import type { Transaction } from 'kysely';
import {
  FarmError,
  newId,
  type AskId,
  type BuildId,
  type FingerprintAnswer,
  type FingerprintAsk,
  type TakenFingerprints,
} from '#libs/contracts';
import {
  answerAsk,
  askOnce,
  findAsk,
  fingerprintsOf,
  groupBy,
  listAgents,
  manifestText,
  openAsks,
  takeAsk,
  type AgentRow,
  type FingerprintAskRow,
  type Schema,
} from '#libs/store';
import { Wakes } from '#libs/queue';
import { CoordinatorConfig } from '../config.js';
import { mayTake, whomToTell, whyAsking, type OpenAsk } from '../decide/give-fingerprints.js';
import type { CandidateAgent } from '../decide/placement-input.js';
import { candidateOf } from '../scheduling/candidate-agents.js';
import { Clock, Store } from '../store.js';
import { agentChannel, FINGERPRINTS, Work, type Changes } from '../work.js';
import type { WantedFingerprint } from './wanted-fingerprints.js';

/** Asks agents for fingerprints: see libs/contracts fingerprint-asks.ts. Each ask is a row until it is answered. */
@Injectable()
export class AskFingerprints {
  #turn = 0;

  constructor(
    private readonly store: Store,
    private readonly work: Work,
    private readonly wakes: Wakes,
    private readonly config: CoordinatorConfig,
    private readonly clock: Clock,
  ) {}

  /** By digest, the ask that answers it: one that is open, or was answered a moment ago, or a new one. */
  async ask(
    tx: Transaction<Schema>,
    changes: Changes,
    now: number,
    wanted: readonly Pick<WantedFingerprint, 'digest' | 'request'>[],
  ): Promise<ReadonlyMap<string, AskId>> {
    const asks = new Map<string, AskId>();
    for (const { digest, request } of wanted) {
      if (asks.has(digest)) continue;
      const ask = { id: newId('f'), digest, request };
      asks.set(digest, await askOnce(tx, ask, now - this.config.fingerprintMs, now));
    }
    if (asks.size > 0) changes.wantsFingerprints = true;
    return asks;
  }

  /** Tells agents that there is something to ask for; a hint may be lost, so from time to time. */
  async hint(): Promise<void> {
    const asks = await openAsks(this.store.db);
    if (asks.length === 0) return;
    const now = this.clock.now();
    const agents = await this.#agents();
    this.#turn += 1;
    for (const agent of whomToTell(asks.map(openAskOf), agents, this.#turn, now))
      void this.wakes.publish(agentChannel(agent), FINGERPRINTS);
  }

  /** What the agent is to ask for now, the oldest first; from here on it is that agent's. */
  async take(agent: AgentRow, most: number): Promise<TakenFingerprints> {
    const { db } = this.store;
    const open = await openAsks(db);
    if (open.length === 0) return { asks: [] };
    const now = this.clock.now();
    const agents = await this.#agents();
    const candidate = candidateOf(agent, [], now);
    const asks: FingerprintAsk[] = [];
    for (const ask of open) {
      if (asks.length === most) break;
      if (!mayTake(openAskOf(ask), candidate, agents, now)) continue;
      const manifest = await manifestText(db, ask.request.manifestSha256);
      if (manifest === null || !(await takeAsk(db, ask, agent.id, now))) continue;
      asks.push(toContract(ask, manifest));
    }
    return { asks };
  }

  /** A repeated answer changes nothing. Throws CONFLICT when the ask is not the agent's. */
  async answer(agent: AgentRow, id: AskId, answer: FingerprintAnswer): Promise<void> {
    await this.work.change(async (tx, changes, now) => {
      const told =
        answer.kind === 'output'
          ? { output: answer.sha256 }
          : answer.kind === 'failed'
            ? { failure: answer.reason }
            : { unable: answer.reason };
      if (!(await answerAsk(tx, id, agent.id, told, now))) {
        const ask = await findAsk(tx, id);
        if (ask?.agent_id === agent.id) return;
        throw new FarmError('CONFLICT', `the ask ${id} is not agent ${agent.name}'s`);
      }
      changes.wantsFingerprints = true;
    });
  }

  /** Whether the file is one of a submission for which the agent asks now. */
  async isInput(agent: AgentRow, sha256: string): Promise<boolean> {
    const asks = await openAsks(this.store.db, agent.id);
    return asks.some(({ request }) => request.files.some((file) => file.sha256 === sha256));
  }

  /** Why those of the builds wait whose step keys are not known yet. */
  async reasons(builds: readonly BuildId[]): Promise<ReadonlyMap<BuildId, string>> {
    const waiting = await fingerprintsOf(this.store.db, builds, { keysWait: true });
    if (waiting.length === 0) return new Map();
    const now = this.clock.now();
    const agents = await this.#agents();
    return new Map(
      [...groupBy(waiting, ({ build }) => build)].map(([build, steps]) => {
        const open = steps.filter(({ ask }) => ask.answered_at === null);
        return [
          build,
          whyAsking(
            open.map(({ ask }) => openAskOf(ask)),
            agents,
            now,
          ),
        ];
      }),
    );
  }

  async #agents(): Promise<readonly CandidateAgent[]> {
    const now = this.clock.now();
    return (await listAgents(this.store.db)).map((agent) => candidateOf(agent, [], now));
  }
}

function openAskOf({ request, agent_id, taken_at, unable }: FingerprintAskRow): OpenAsk {
  const { step, requires, onAgent } = request;
  return { step, requires, onAgent, agent: agent_id, takenAt: taken_at, unable };
}

function toContract({ id, request }: FingerprintAskRow, manifest: string): FingerprintAsk {
  const { manifestPath, files, variant, step, sourceDateEpoch, planContentSha256 } = request;
  return {
    ...{ ask: id, manifest, manifestPath, variant, step, sourceDateEpoch, planContentSha256 },
    files: files.map(({ path, executable, sha256, bytes }) => ({ path, executable, sha256, bytes })),
  };
}
