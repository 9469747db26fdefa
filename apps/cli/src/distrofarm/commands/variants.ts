import type { Matrix } from '#libs/contracts';
import {
  chooseVariants,
  describeDifference,
  findVariant,
  formatProblem,
  resolveVariant,
  variantDifference,
  type Manifest,
  type Variant,
  type VariantDifference,
} from '#libs/manifest';
import type { Command } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { matrixOption, several } from '../options.js';
import { readManifest } from '../read-manifest.js';
import type { Colours, Session } from '../session.js';
import { textTable } from '../text-table.js';

interface VariantsOptions {
  readonly variant?: readonly string[];
  readonly matrix?: Matrix;
  readonly steps?: boolean;
}

/** One variant, or one value of an axis by itself. */
interface ShownVariant extends Omit<VariantDifference, 'values'> {
  readonly name: string;
  readonly optional: boolean;
  /** Neither value of a password is shown. */
  readonly values: readonly {
    readonly path: string;
    readonly secret: boolean;
    readonly from: readonly string[];
    readonly to: readonly string[];
  }[];
  /** Why it cannot be built; empty when it can. */
  readonly problems: readonly string[];
  readonly steps?: readonly {
    readonly index: number;
    readonly name: string;
    readonly lane: string;
    readonly message: string;
  }[];
}

interface ShownManifest {
  readonly name: string;
  readonly variants: readonly ShownVariant[];
  /** Only when no variants were chosen. */
  readonly axes?: readonly { readonly name: string; readonly values: readonly ShownVariant[] }[];
}

export function variants(command: Command, session: Session): void {
  example(
    command
      .argument('<manifest>', 'the manifest file; no farm is needed')
      .option('-V, --variant <name>', 'only this variant, or combination; may be repeated', several)
      .addOption(matrixOption())
      .option('-s, --steps', 'all steps of each'),
    'distrofarm variants examples/debian-live.xml',
    'distrofarm variants --matrix locale=en,de --matrix edition manifest.xml',
  ).action(async (file: string, options: VariantsOptions) => {
    const { cwd, now } = session.io;
    const { manifest } = await readManifest(file, { cwd, now: now() });
    const answer = shownManifest(manifest, options);
    await session.show(answer, (shown) => linesOf(session.colours, shown));
    const all = [...answer.variants, ...(answer.axes ?? []).flatMap(({ values }) => values)];
    if (all.some(({ problems }) => problems.length > 0)) session.fail(EXIT.usage);
  });
}

function shownManifest(
  manifest: Manifest,
  { variant: names = [], matrix = {}, steps = false }: VariantsOptions,
): ShownManifest {
  const chosen = chooseVariants(manifest, { names, matrix: new Map(Object.entries(matrix)) });
  if (!chosen.ok) throw new CliError(EXIT.usage, chosen.reason, chosen.hint);
  const shown = chosen.variants.map((variant) => shownVariant(manifest, variant, steps));
  if (names.length > 0 || Object.keys(matrix).length > 0) return { name: manifest.name, variants: shown };
  const axes = manifest.axes.map((axis) => ({
    name: axis.name,
    values: axis.values.flatMap((value) => {
      const alone = findVariant(manifest, `${axis.name}-${value.name}`);
      return alone === null ? [] : [{ ...shownVariant(manifest, alone, steps), name: value.name }];
    }),
  }));
  return { name: manifest.name, variants: shown, axes };
}

function shownVariant(manifest: Manifest, variant: Variant, withSteps: boolean): ShownVariant {
  const resolved = resolveVariant(manifest, variant);
  const { values, packages, skipped } = variantDifference(manifest, variant);
  const steps = resolved.ok ? resolved.manifest.steps : [];
  return {
    name: variant.name,
    optional: variant.isOptional,
    values: values.map(({ isSecret, ...value }) => ({ ...value, secret: isSecret })),
    packages,
    skipped,
    problems: resolved.ok ? [] : resolved.problems.map(formatProblem),
    ...(withSteps
      ? { steps: steps.map(({ index, name, lane, message }) => ({ index, name, lane, message })) }
      : {}),
  };
}

function linesOf(colours: Colours, { name, variants: shown, axes = [] }: ShownManifest): readonly string[] {
  return [
    name,
    ...shown.flatMap((variant) => variantLines(colours, variant)),
    ...axes.flatMap((axis) => [
      '',
      colours.bold(`axis ${axis.name}`),
      ...axis.values.flatMap((value) => variantLines(colours, value)),
    ]),
  ];
}

function variantLines(colours: Colours, variant: ShownVariant): readonly string[] {
  const { values, packages, skipped, problems, steps = [] } = variant;
  const rows = describeDifference({
    values: values.map(({ secret, ...value }) => ({ ...value, isSecret: secret })),
    packages,
    skipped,
  }).map(({ what, change }) => [`    ${what}`, change]);
  const stepRows = steps.map(({ index, name, lane, message }) => [`    ${index}`, name, lane, message]);
  return [
    `  ${colours.bold(variant.name)}${variant.optional ? ' (optional)' : ''}${rows.length === 0 ? colours.dim('  as the manifest is') : ''}`,
    ...textTable([], rows),
    ...problems.map((problem) => colours.red(`    cannot be built: ${problem}`)),
    ...textTable([], stepRows),
  ];
}
