import type { z } from 'zod';
import type { Artifact, ArtifactList, BuildDetail } from '#libs/contracts';
import { formatBytes } from '#libs/watch';
import { ActionButton } from '../kit/action-button.js';
import { Answer } from '../kit/answer.js';
import { DateTime } from '../kit/moments.js';
import { pathOf } from '../session/farm-api.js';
import { useFarm } from '../session/use-farm.js';
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
      <table className="artifacts" aria-label="Artifacts">
        <thead>
          <tr>
            <th scope="col">Variant</th>
            <th scope="col">File</th>
            <th scope="col" className="number">
              Size
            </th>
            <th scope="col">SHA-256</th>
            <th scope="col" className="number">
              Published
            </th>
            <th scope="col">
              <span className="hidden">Download</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {artifacts.map((artifact) => (
            <tr key={`${artifact.variant}/${artifact.name}`}>
              <td>{artifact.variant}</td>
              <th scope="row">{artifact.name}</th>
              <td className="number">{formatBytes(artifact.bytes)}</td>
              <td className="digest">
                <code>{artifact.sha256}</code>
              </td>
              <td className="number">
                <DateTime at={artifact.publishedAt} />
              </td>
              <td>
                <ActionButton
                  whyNot={artifact.available ? null : 'Removed by retention; its digest stays.'}
                  onClick={() => void download(pathTo(artifact), lastPart(artifact.name), artifact.bytes)}
                >
                  Download<span className="hidden"> {artifact.name}</span>
                </ActionButton>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}

function pathTo({ build, variant, name }: Artifact): string {
  return pathOf`/builds/${build}/artifacts/${variant}/` + name.split('/').map(encodeURIComponent).join('/');
}

function lastPart(name: string): string {
  return name.split('/').at(-1) ?? name;
}
