import { readFileSync } from 'node:fs';
import type { Manifest } from './manifest.js';
import { formatProblem } from './format-problem.js';
import { parseManifest } from './parse-manifest.js';

const FIXTURES = new URL('../../../test/fixtures/manifests/', import.meta.url);

/** `valid/farm.xml` and the like, for specs. */
export function readFixture(name: string): string {
  return readFileSync(new URL(name, FIXTURES), 'utf8');
}

/** For specs: the manifest, or an error that says what is wrong with it. */
export function parseValid(text: string): Manifest {
  const result = parseManifest(text, { file: 'test.xml', now: new Date(2010, 8, 14, 13, 5) });
  if (!result.ok) throw new Error(result.problems.map(formatProblem).join('\n'));
  return result.manifest;
}

/** For specs: the formatted problems of a manifest; none when it is in order. */
export function problemsOf(text: string): readonly string[] {
  const result = parseManifest(text, { file: 'test.xml', now: new Date(2010, 8, 14, 13, 5) });
  return result.ok ? [] : result.problems.map(formatProblem);
}

export interface SmallManifest {
  readonly attributes?: string;
  readonly buildArea?: string;
  readonly flags?: string;
  readonly steps?: string;
  readonly archive?: string;
  readonly image?: string;
  readonly rest?: string;
}

/** For specs: a manifest of two steps in which any part can be exchanged. */
export function smallManifest(parts: SmallManifest = {}): string {
  return `<distribution xmlns:farm="urn:distrofarm:1" ${parts.attributes ?? 'name="Small"'}>
  <distro_constr_params>
    <build_area>${parts.buildArea ?? 'rpool/dc'}</build_area>
    ${parts.flags ?? ''}
    <output_image>
      <finalizer>${parts.steps ?? '<script name="pop"><checkpoint name="im-pop"/></script><script name="iso"><checkpoint name="iso"/></script>'}</finalizer>
      ${parts.archive ?? ''}
    </output_image>
  </distro_constr_params>
  <img_params>
    <packages><pkg name="vim"/></packages>
    <boot_archive_contents><base_include type="dir">boot</base_include></boot_archive_contents>
    ${parts.image ?? ''}
  </img_params>
  ${parts.rest ?? ''}
</distribution>`;
}
