/** A process of many simulated agents, driven by messages of thousand-agents.ts, its parent. */
import { pino } from 'pino';
import { SimulatedAgent, type Answered, type SimulatedWork } from './simulated-agent.js';

export interface AgentsToSimulate {
  readonly url: string;
  readonly work: SimulatedWork;
  /** Enrolment tokens by agent. */
  readonly agents: readonly { readonly name: string; readonly token: string }[];
}

export type Order =
  | ({ readonly kind: 'enrol' } & AgentsToSimulate)
  | { readonly kind: 'connect' }
  /** Forget what was counted so far. */
  | { readonly kind: 'count' }
  | { readonly kind: 'tell' };

export type Answer =
  { readonly kind: 'done' } | { readonly kind: 'counted'; readonly answered: readonly Answered[] };

/** So many calls at the same time while they enrol. */
const ENROL_AT_A_TIME = 20;

const log = pino({ level: 'warn' }, pino.destination(2));
const stop = new AbortController();
let agents: readonly SimulatedAgent[] = [];
let answered: Answered[] = [];

process.on('message', (order: Order) => {
  void obey(order).then((answer) => process.send?.(answer));
});
process.on('disconnect', () => process.exit(0));

async function obey(order: Order): Promise<Answer> {
  switch (order.kind) {
    case 'enrol':
      agents = await enrolAll(order);
      return { kind: 'done' };
    case 'connect':
      await Promise.all(agents.map(connected));
      return { kind: 'done' };
    case 'count':
      answered = [];
      return { kind: 'done' };
    case 'tell':
      return { kind: 'counted', answered };
  }
}

async function enrolAll({ url, work, agents }: AgentsToSimulate): Promise<readonly SimulatedAgent[]> {
  const options = { url, work, log, onAnswer: (one: Answered) => void answered.push(one) };
  const enrolled: SimulatedAgent[] = [];
  for (let at = 0; at < agents.length; at += ENROL_AT_A_TIME) {
    const some = agents.slice(at, at + ENROL_AT_A_TIME);
    enrolled.push(
      ...(await Promise.all(some.map(({ name, token }) => SimulatedAgent.enrol(token, name, options)))),
    );
  }
  return enrolled;
}

async function connected(agent: SimulatedAgent): Promise<void> {
  await new Promise<void>((resolve) => {
    agent.run(stop.signal, resolve).catch((error: unknown) => {
      log.error({ err: error }, 'an agent broke off');
    });
  });
}
