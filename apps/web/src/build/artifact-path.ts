import type { Artifact } from '#libs/contracts';
import { pathOf } from '../session/farm-api.js';

/** Where the API has its bytes. */
export function pathToArtifact({
  build,
  variant,
  name,
}: Pick<Artifact, 'build' | 'variant' | 'name'>): string {
  return pathOf`/builds/${build}/artifacts/${variant}/` + name.split('/').map(encodeURIComponent).join('/');
}
