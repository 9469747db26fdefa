import type { Artifact, BuildDetail } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import type { Command } from 'commander';
import { CliError } from '../cli-error.js';
import { example } from '../example.js';
import { EXIT } from '../exit-codes.js';
import { pathOf } from '../farm.js';
import { dateTime } from '../moments.js';
import type { Session } from '../session.js';
import { textTable } from '../text-table.js';

interface ArtifactList {
  readonly artifacts: readonly Artifact[];
}

export function artifacts(command: Command, session: Session): void {
  list(command.command('list').description('the files that a build published'), session);
  download(command.command('download').description('fetch them; goes on where it was interrupted'), session);
}

function list(command: Command, session: Session): void {
  example(
    command.argument('[build]', 'id, the beginning of one, or "latest"', 'latest'),
    'distrofarm artifacts list latest',
  ).action(async (reference: string) => {
    const farm = await session.farm();
    await session.show(
      await farm.get<ArtifactList>(pathOf`/builds/${reference}/artifacts`),
      ({ artifacts: found }) => {
        if (found.length === 0) return ['The build has published nothing yet.'];
        const rows = found.map(({ variant, name, bytes, sha256, publishedAt, available }) => {
          return [
            variant,
            name,
            formatBytes(bytes),
            dateTime(publishedAt),
            available ? sha256 : 'removed by retention',
          ];
        });
        return textTable(['VARIANT', 'NAME', 'SIZE', 'PUBLISHED', 'SHA-256'], rows);
      },
    );
  });
}

function download(command: Command, session: Session): void {
  example(
    command
      .argument('<build>', 'id, the beginning of one, or "latest"')
      .argument('[name...]', 'only these files; all without')
      .option('-o, --output <folder>', 'where to put them', '.')
      .option('-V, --variant <name>', 'only those of this variant'),
    'distrofarm artifacts download latest -o images',
  ).action(
    async (
      reference: string,
      names: readonly string[],
      options: { readonly output: string; readonly variant?: string },
    ) => {
      const farm = await session.farm();
      // `latest` may be another build a moment later.
      const { id } = await farm.get<BuildDetail>(pathOf`/builds/${reference}`);
      const { artifacts: all } = await farm.get<ArtifactList>(pathOf`/builds/${id}/artifacts`);
      const chosen = chosenArtifacts(id, all, names, options.variant);
      const byVariant = new Set(all.map(({ variant }) => variant)).size > 1;
      const { downloadArtifact } = await import('../download-artifact.js');
      for (const artifact of chosen) {
        await downloadArtifact(session, farm, artifact, { folder: options.output, byVariant });
      }
    },
  );
}

function chosenArtifacts(
  build: string,
  all: readonly Artifact[],
  names: readonly string[],
  variant: string | undefined,
): readonly Artifact[] {
  const ofVariant = all.filter((artifact) => variant === undefined || artifact.variant === variant);
  const missing = names.find((name) => !ofVariant.some((artifact) => artifact.name === name));
  if (missing !== undefined || ofVariant.length === 0) {
    const what = missing === undefined ? 'no file' : `no file "${missing}"`;
    throw new CliError(
      EXIT.notFound,
      `${build} has published ${what}`,
      `See what it has: distrofarm artifacts list ${build}`,
    );
  }
  const chosen = names.length === 0 ? ofVariant : ofVariant.filter(({ name }) => names.includes(name));
  const gone = chosen.find(({ available }) => !available);
  if (gone !== undefined && names.length > 0)
    throw new CliError(EXIT.notFound, `retention has removed "${gone.name}" of ${build}`);
  return chosen.filter(({ available }) => available);
}
