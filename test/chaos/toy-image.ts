import { Scenario, type ScenarioStep } from '../support/farm-scenario.js';
import { Random } from './random.js';
import { noteTruth } from './truth-log.js';

/** Lines that each step writes to its log. */
export const LINES_OF_STEP = 8;

interface ToyStep extends ScenarioStep {
  /** Steps whose effects it must find in its workspace, in this order. */
  readonly after: readonly string[];
  readonly body: string;
  /** It reads which variant it is for. */
  readonly knowsVariant?: boolean;
}

/** What an image has of its own. Of two builds, the steps in front of the first that differs are the same. */
export interface Taste {
  /** The step that adds something, so that the image has other bytes; `plain`: none does. */
  readonly edition: Edition;
  /** That step's script says so, which changes no byte: but no step from there on equals one of another salt. */
  readonly salt: { readonly step: string; readonly text: string };
}

export const EDITIONS = ['plain', 'mod', 'root', 'iso'] as const;
export type Edition = (typeof EDITIONS)[number];
/** Of which each image is made. */
export const VARIANTS = ['a', 'b'] as const;
/** Else a farm that has built much would have nothing left to do. */
const SALTED = ['pop', 'pop', 'mod', 'root'] as const;

/** The same each time, since a submission may be repeated. `<mix>#<n>`: builds of one mix have their salt in common. */
export function tasteOf(key: string): Taste {
  const [mix = ''] = key.split('#');
  const text = Buffer.from(mix).toString('hex');
  return {
    edition: new Random(key).pick(EDITIONS),
    salt: { step: new Random(mix).pick(SALTED), text },
  };
}

/** What tells the step from others of its name, but for what it begins with. */
export function tasteOfStep({ edition, salt }: Taste, variant: string, step: string): string {
  const own = ownTaste({ edition, salt }, step);
  return knowsVariant(step) ? `${own} ${variant}` : own;
}

function ownTaste({ edition, salt }: Taste, step: string): string {
  return `${edition === step ? edition : 'plain'} ${salt.step === step ? salt.text : '-'}`;
}

function knowsVariant(step: string): boolean {
  return TOY_STEPS.find(({ name }) => name === step)?.knowsVariant === true;
}

/** Files that every variant publishes, whose bytes depend on nothing but the manifest and the edition. */
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
    knowsVariant: true,
    body: 'mkdir "$2/root/boot"; cp "$4"/*.img "$2/root/boot/"; sha256sum < "$2/root/boot/x86.img" >> "$2/root/numbers"; echo "$variant" >> "$2/root/numbers"',
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

export function toyImage(folder: string, taste: Taste): Scenario {
  const variants = VARIANTS.map(
    (name) =>
      `<farm:variant name="${name}"><farm:set path="${VARIANT_PATH}" value="${name}"/></farm:variant>`,
  );
  return new Scenario(folder, TOY_STEPS, {
    name: 'Toy',
    variants: `<farm:variants>${variants.join('')}</farm:variants>`,
    script: (step) => scriptOf(folder, step, taste),
  });
}

const VARIANT_PATH = 'img_params/hostname';

/** In the folder of the truth log: the next step that finds it takes it away, and fails. */
export const FAILS_NEXT = 'fails-next';

/** The trace is added to first, so that what a broken roll back leaves of a step that was killed is seen by the next one. */
function scriptOf(folder: string, { name, body = '', lane }: ScenarioStep, taste: Taste): string {
  const image = lane !== undefined && TOY_IMAGE_LANES.includes(lane);
  const asks = knowsVariant(name);
  return `#!/bin/bash
# farm:reads:${asks ? ` ${VARIANT_PATH}` : ''}
set -eu
taste='${ownTaste(taste, name)}'
${asks ? `variant=$(ManifestRead "$1" ${VARIANT_PATH}); taste+=" $variant"` : ''}
${noteTruth(folder, name)}
echo "$execution ${name}" >> "$2/.trace"
say() { for line in $(seq "$1" "$2"); do echo "line $execution $line"; sleep 0.05; done; }
say 1 ${LINES_OF_STEP / 2}
if rm "${folder}/${FAILS_NEXT}" 2> /dev/null; then exit 1; fi
${taste.edition === name ? `echo ${name} >> "$2/root/numbers"` : ''}
${body}
say ${LINES_OF_STEP / 2 + 1} ${LINES_OF_STEP}
${image ? `cat "$2/.trace" "$4"/*.trace > "$5/${lane}.trace"` : ''}
note end
`;
}
