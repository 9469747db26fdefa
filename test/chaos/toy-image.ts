import { Scenario, type ScenarioStep } from '../support/farm-scenario.js';
import { noteTruth } from './truth-log.js';

/** Lines that each step writes to its log. */
export const LINES_OF_STEP = 8;

interface ToyStep extends ScenarioStep {
  /** Steps whose effects it must find in its workspace, in this order. */
  readonly after: readonly string[];
  readonly body: string;
}

/** Files that every build publishes, whose bytes depend on nothing but the manifest. */
export const IMAGES = ['toy.iso', 'toy.usb'] as const;
/** Beside each image: which executions its bytes come from, a line `<execution> <step>` each. */
export const TRACES = ['iso.trace', 'usb.trace'] as const;

/**
 * An image like a real one, in small: main populates, two lanes make boot archives of it, main joins them, and two more lanes write an ISO and a USB image. What a step
 * adds to it depends on all that was added before, so that a step run twice on the same data, or not at all, gives other bytes.
 */
export const TOY_STEPS: readonly ToyStep[] = [
  { name: 'pop', after: [], body: 'mkdir "$2/root"; seq 20000 > "$2/root/numbers"' },
  { name: 'mod', after: ['pop'], body: 'sha256sum < "$2/root/numbers" >> "$2/root/numbers"' },
  bootArchive('ba-64', 'x86_64'),
  bootArchive('ba-32', 'x86'),
  {
    name: 'root',
    after: ['pop', 'mod'],
    body: 'mkdir "$2/root/boot"; cp "$4"/*.img "$2/root/boot/"; sha256sum < "$2/root/boot/x86.img" >> "$2/root/numbers"',
  },
  {
    name: 'iso',
    lane: 'iso',
    after: ['pop', 'mod', 'root'],
    body: `date=$(date --utc --date="@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S00)
xorriso -report_about WARNING -as mkisofs -quiet -rational-rock -volid TOY --modification-date="$date" \\
  --set_all_file_dates "$date" -output "$5/.partial" "$2/root" > /dev/null 2>&1
mv "$5/.partial" "$5/toy.iso"`,
  },
  {
    name: 'usb',
    lane: 'usb',
    after: ['pop', 'mod', 'root'],
    body: `truncate --size=512 "$3/head"
{
  cat "$3/head"
  tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --create --directory "$2" root
} > "$5/.partial"
mv "$5/.partial" "$5/toy.usb"`,
  },
];

/** Lanes of which nothing goes on: each makes an image. */
export const TOY_IMAGE_LANES: readonly string[] = ['iso', 'usb'];
/** The jobs that this makes, by the plan's order, each by its first step. */
export const TOY_JOBS: readonly string[] = TOY_STEPS.filter(
  ({ lane }, index) => index === 0 || lane !== TOY_STEPS[index - 1]?.lane,
).map(({ name }) => name);

function bootArchive(name: string, archive: string): ToyStep {
  const path = `boot_archive/${archive}`;
  return {
    name,
    lane: name,
    outputs: [`${path}.img`, `${path}.trace`],
    after: ['pop', 'mod'],
    body: `gzip --no-name < "$2/root/numbers" > "$4/${archive}.img"; tail --lines=1 "$2/.trace" > "$4/${archive}.trace"`,
  };
}

export function toyImage(folder: string): Scenario {
  return new Scenario(folder, TOY_STEPS, { name: 'Toy', script: (step) => scriptOf(folder, step) });
}

/** The trace is added to first, so that what a broken roll back leaves of a step that was killed is seen by the next one. */
function scriptOf(folder: string, { name, body = '', lane }: ScenarioStep): string {
  const image = lane !== undefined && TOY_IMAGE_LANES.includes(lane);
  return `#!/bin/bash
set -eu
${noteTruth(folder, name)}
echo "$execution ${name}" >> "$2/.trace"
say() { for line in $(seq "$1" "$2"); do echo "line $execution $line"; sleep 0.05; done; }
say 1 ${LINES_OF_STEP / 2}
${body}
say ${LINES_OF_STEP / 2 + 1} ${LINES_OF_STEP}
${image ? `cat "$2/.trace" "$4"/*.trace > "$5/${lane}.trace"` : ''}
note end
`;
}
