import type { z } from 'zod';
import type { Artifact, ArtifactList, BuildDetail } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { ActionButton } from '../kit/action-button.js';
import { Answer } from '../kit/answer.js';
import { DataTable } from '../kit/data-table.js';
import { DateTime } from '../kit/moments.js';
import { pathOf } from '../session/farm-api.js';
import { useFarm } from '../session/use-farm.js';
import { pathToArtifact } from './artifact-path.js';
import { BootPictures } from './boot-pictures.js';
import { useDownload } from './use-download.js';

/** What the build has made: sizes, digests, and the files. */
export function ArtifactsView({ build }: { readonly build: BuildDetail }) {
  const answer = useFarm<z.infer<typeof ArtifactList>>(pathOf`/builds/${build.id}/artifacts`);
  return (
    <Answer of={answer} what="the artifacts">
      {({ artifacts }) =>
        artifacts.length === 0 ? (
          <p className="none">Nothing was published yet.</p>
        ) : (
          <Artifacts artifacts={artifacts} build={build} />
        )
      }
    </Answer>
  );
}

const REMOVED = 'Removed by retention; its digest stays.';

interface ArtifactsProps {
  readonly artifacts: readonly Artifact[];
  readonly build: BuildDetail;
}

function Artifacts({ artifacts, build }: ArtifactsProps) {
  const { download, progress, failure } = useDownload();
  const available = artifacts.filter((artifact) => artifact.available);
  const bytes = available.reduce((sum, artifact) => sum + artifact.bytes, 0);
  return (
    <>
      <p className="artifact-head">
        {available.length} files, {formatBytes(bytes)}.{' '}
        <button
          type="button"
          onClick={() => void download(pathOf`/builds/${build.id}/SHA256SUMS`, 'SHA256SUMS', null)}
        >
          SHA256SUMS
        </button>{' '}
        <span className="more">
          All of them, checked: <code>distrofarm artifacts download {build.id}</code>
        </span>
      </p>
      <p role="status" className="download">
        {progress !== null &&
          `Loading ${progress.name}: ${formatBytes(progress.bytes)}${progress.total === null ? '' : ` of ${formatBytes(progress.total)}`}`}
      </p>
      {failure !== null && <p role="alert">{failure}</p>}
      <BootPictures artifacts={artifacts} />
      <DataTable
        label="Artifacts"
        className="artifacts"
        columns={[
          { name: 'Variant', cell: ({ variant }) => variant },
          { name: 'File', isRowHead: true, cell: ({ name }) => name },
          { name: 'Size', isNumber: true, cell: ({ bytes }) => formatBytes(bytes) },
          { name: 'SHA-256', className: 'digest', cell: ({ sha256 }) => <code>{sha256}</code> },
          { name: 'Published', isNumber: true, cell: ({ publishedAt }) => <DateTime at={publishedAt} /> },
          {
            name: 'Download',
            isUnnamed: true,
            cell: (artifact) => (
              <ActionButton
                whyNot={artifact.available ? null : REMOVED}
                onClick={() =>
                  void download(pathToArtifact(artifact), lastPart(artifact.name), artifact.bytes)
                }
              >
                Download<span className="hidden"> {artifact.name}</span>
              </ActionButton>
            ),
          },
        ]}
        rows={artifacts}
        keyOf={({ variant, name }) => `${variant}/${name}`}
      />
    </>
  );
}

function lastPart(name: string): string {
  return name.split('/').at(-1) ?? name;
}
