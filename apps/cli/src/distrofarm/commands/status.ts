import type { AgentView, BuildPage, Health, WhoAmI } from '#libs/contracts';
import type { Command } from 'commander';
import { example } from '../example.js';
import { cleaned } from '../cleaned.js';
import { stateColour } from '../state-colour.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

export function status(command: Command, session: Session): void {
  example(command, 'distrofarm status').action(async () => {
    const farm = await session.farm();
    const [health, me, { agents }, { builds }] = await Promise.all([
      farm.get<Health>('/health'),
      farm.get<WhoAmI>('/whoami'),
      farm.get<{ readonly agents: readonly AgentView[] }>('/agents'),
      farm.get<BuildPage>('/builds?state=running&state=waiting&state=paused&limit=200'),
    ]);
    const { name, url } = cleaned(farm.profile);
    await session.show({ health, whoami: me, agents, builds }, (shown) => [
      `${shown.whoami.farm} at ${url} (profile ${name}), version ${shown.health.version}, ${stateColour(session.colours, shown.health.status)(shown.health.status)}`,
      `You are ${shown.whoami.user}, ${shown.whoami.role}.`,
      `Agents: ${counted(shown.agents.map(({ state }) => state)) || 'none; add one with: distrofarm agents enrol'}`,
      `Builds: ${counted(shown.builds.map(({ state }) => state)) || 'none under way'}`,
      ...textTable(
        [],
        shown.builds
          .slice(0, 10)
          .map((build) => [
            `  ${build.id}`,
            build.name,
            stateColour(session.colours, build.state)(build.state),
            `${build.steps.done}/${build.steps.total}`,
            build.user,
            build.summary,
          ]),
      ),
    ]);
  });
}

function counted(states: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const state of states) counts.set(state, (counts.get(state) ?? 0) + 1);
  return [...counts].map(([state, number]) => `${number} ${state}`).join(', ');
}
