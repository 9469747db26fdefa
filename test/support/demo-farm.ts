import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildId } from '#libs/contracts';
import { INSTALLED } from './farm-process.js';
import type { Scenario, ScenarioStep } from './farm-scenario.js';
import { TestFarm } from './test-farm.js';

const MESSAGES = {
  'im-pop': 'Populate the image with packages',
  'im-mod': 'Image area modifications',
  locale: 'Locales and keyboard',
  desktop: 'Desktop and its defaults',
  'ba-init': 'Boot archive initialization',
  'ba-arch': 'Boot archive archiving',
  strip: 'Strip the image area',
  iso: 'Make the ISO image',
  usb: 'Make the USB image',
} as const;

/** What the image's steps write, as such scripts do. */
const TALK = `
echo "Reading package lists..."
printf '\\033[32mGet:1\\033[0m http://deb.debian.org/debian bookworm InRelease [151 kB]\\n'
printf '\\033[1mUnpacking\\033[0m systemd (252.30-1) ...\\n'
echo 'W: Possible missing firmware /lib/firmware/i915/mtl_dmc.bin for module i915' >&2
echo "Setting up dbus (1.14.10-1) ..."
`;

const AXES = `<farm:variants>
  <farm:axis name="desktop"><farm:value name="gnome"/><farm:value name="kde"/><farm:value name="text"/></farm:axis>
  <farm:axis name="locale"><farm:value name="en"/><farm:value name="de"/><farm:value name="fr"/><farm:value name="ja"/></farm:axis>
  <farm:axis name="cpu"><farm:value name="x64"/><farm:value name="x64v3"/></farm:axis>
</farm:variants>`;

/** A farm as one finds it in the middle of a day: something runs, something waits, something has failed. */
export interface DemoFarm {
  readonly farm: TestFarm;
  /** 24 variants, of which some have steps that wait at a gate. */
  readonly matrix: BuildId;
  /** One variant, in the middle. */
  readonly single: BuildId;
  readonly failed: BuildId;
  readonly succeeded: BuildId;
  /** Its agent was lost, and another one went on. */
  readonly handedOver: BuildId;
  /** Opens the gates. */
  readonly letGo: () => Promise<void>;
}

/** Takes half a minute. Needs what TestFarm needs. */
export async function startDemoFarm(): Promise<DemoFarm> {
  const farm = await TestFarm.start({
    database: 'sqlite',
    agents: 0,
    leaseSeconds: 4,
    env: { DISTROFARM_FARM: 'northwind' },
  });
  for (let count = 0; count < 3; count += 1) await farm.addAgent({ DISTROFARM_AGENT_SLOTS: '3' });
  const publish = 'head -c 2500000 /dev/zero > "$5/live.iso"; echo sums > "$5/live.iso.log"';
  const steps = (change: (name: string) => string): readonly ScenarioStep[] =>
    Object.entries(MESSAGES).map(([name, message]) => ({
      name,
      message,
      body: `${TALK}${name === 'usb' ? publish : ''}\n${change(name)}`,
    }));
  const run = async (scenario: Scenario, part: Parameters<TestFarm['submit']>[1] = {}): Promise<BuildId> =>
    await farm.submit(scenario, { priority: 'normal', ...part });

  const screen = await readFile(join(INSTALLED, 'test/fixtures/boot-screen.png'), 'base64');
  const boots = ['iso.bios', 'iso.uefi', 'usb.uefi']
    .map((each) => `echo ${screen} | base64 -d > "$5/boot-test/Debian-Live.${each}.up.png"`)
    .join('\n');
  const usual = farm.scenario(
    steps((name) => (name === 'usb' ? `mkdir "$5/boot-test"\n${boots}` : 'sleep 0.4')),
    { name: 'Debian-Live' },
  );
  const succeeded = await run(usual, { note: 'weekly' });
  await farm.atRest(succeeded);
  const broken = farm.scenario(
    steps((name) => (name === 'ba-arch' ? 'echo "E: no space left in boot archive" >&2; exit 3' : '')),
    { name: 'Rescue' },
  );
  const failed = await run(broken);
  await farm.atRest(failed);

  const lost = farm.scenario(
    steps((name) => (name === 'desktop' ? '[ -e "$S/again" ] || { touch "$S/again"; hold lost; }' : '')),
    { name: 'Kiosk' },
  );
  const handedOver = await run(lost, { onAgent: null, replicas: 1, waitForReplicas: true });
  await lost.reached('lost');
  const holder = (await farm.build(handedOver)).jobs[0]?.attempts.at(-1)?.agentName ?? '';
  const index = farm.agents.findIndex(({ name }) => name === holder);
  await farm.agents[index]!.kill9();
  await farm.atRest(handedOver);
  await farm.startAgent(index);

  const single = farm.scenario(
    steps((name) => (name === 'ba-init' ? 'hold middle' : 'sleep 0.2')),
    { name: 'Debian-Live' },
  );
  const singleId = await run(single, { priority: 'high', note: 'release candidate' });
  await single.reached('middle');
  const many = farm.scenario(
    steps((name) => (name === 'iso' ? '[ $((RANDOM % 3)) -gt 0 ] || hold wide' : '')),
    { name: 'Debian-Editions', variants: AXES },
  );
  const matrix = await run(many, { matrix: { desktop: [], locale: [], cpu: [] } });
  await many.reached('wide');
  await farm.buildThat(matrix, ({ steps: { done } }) => done >= 60);
  const waiting = farm.scenario(
    steps(() => ''),
    { name: 'Debian-Minimal' },
  );
  await run(waiting, { priority: 'low' });
  await farm.call('POST', '/agents/agent2/drain', { why: 'new disks', letFinish: true });
  return {
    farm,
    matrix,
    single: singleId,
    failed,
    succeeded,
    handedOver,
    letGo: async () => {
      await single.open('middle');
      await many.open('wide');
    },
  };
}
