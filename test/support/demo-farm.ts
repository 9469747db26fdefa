import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildId, CheckpointView } from '#libs/contracts';
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
  /** Of the matrix, on disk, with `steps` beside it. */
  readonly manifest: string;
  /** In front of two steps that follow each other, of which the first brought packages and files. */
  readonly states: { readonly from: string; readonly to: string };
  /** Opens the gates. */
  readonly letGo: () => Promise<void>;
}

/** As a step that installs packages leaves it. */
const INSTALL = `
mkdir -p "$2"/var/lib/dpkg "$2"/usr/bin "$2"/usr/lib/systemd/system "$2"/usr/share/doc "$2"/usr/share/locale/{de,fr,ja} "$2"/etc/default
for package in "dbus 1.14.10-1" "systemd 252.30-1" "linux-image-amd64 6.1.94-1"; do
  printf 'Package: %s\\nStatus: install ok installed\\nArchitecture: amd64\\nVersion: %s\\n\\n' $package >> "$2/var/lib/dpkg/status"
  mkdir -p "$2/usr/share/doc/\${package% *}"; head -c 4000 /dev/zero > "$2/usr/share/doc/\${package% *}/copyright"
done
head -c 900000 /dev/zero > "$2/usr/bin/dbus-daemon"; chmod 4755 "$2/usr/bin/dbus-daemon"; ln -s dbus-daemon "$2/usr/bin/messagebus"
for unit in dbus.service dbus.socket network.target; do echo "[Unit]" > "$2/usr/lib/systemd/system/$unit"; done
echo 'LANG=C.UTF-8' > "$2/etc/default/locale"
`;
const LOCALIZE = `
sed -i 's/1.14.10-1/1.14.10-1~deb12u1/' "$2/var/lib/dpkg/status"
printf 'Package: locales\\nStatus: install ok installed\\nArchitecture: all\\nVersion: 2.36-9+deb12u7\\n\\n' >> "$2/var/lib/dpkg/status"
for locale in de fr ja; do for domain in dbus systemd apt dpkg; do head -c 20000 /dev/urandom > "$2/usr/share/locale/$locale/$domain.mo"; done; done
echo 'LANG=de_DE.UTF-8' > "$2/etc/default/locale"; rm "$2/usr/lib/systemd/system/network.target"; chmod 755 "$2/usr/bin/dbus-daemon"
`;

async function changedStates(farm: TestFarm, build: BuildId): Promise<DemoFarm['states']> {
  const { checkpoints } = await farm.call<{ checkpoints: CheckpointView[] }>(
    'GET',
    `/checkpoints?build=${build}`,
  );
  const idOf = (step: string): string => checkpoints.find(({ before }) => before === step)?.id ?? '';
  return { from: idOf('locale'), to: idOf('desktop') };
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
    steps((name) => {
      if (name === 'im-pop') return INSTALL;
      if (name === 'locale') return LOCALIZE;
      return name === 'usb' ? `mkdir "$5/boot-test"\n${boots}` : 'sleep 0.4';
    }),
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
    manifest: await many.write(),
    states: await changedStates(farm, succeeded),
    letGo: async () => {
      await single.open('middle');
      await many.open('wide');
    },
  };
}
