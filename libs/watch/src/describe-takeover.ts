import type { Takeover } from '#libs/contracts';
import { formatBytes } from './byte-count.js';
import { formatDuration } from './durations.js';

/** `state in front of im-mod, fetched from tank: 12.0 MB in 3.1s` */
export function describeTakeover({ before, carried }: Pick<Takeover, 'before' | 'carried'>): string {
  const what = `state in front of ${before}`;
  if (carried === null) return what;
  const { how, source, bytes, ms } = carried;
  const came = how === 'fetched' ? 'fetched' : 'copied ahead';
  return `${what}, ${came} from ${source}: ${formatBytes(bytes)} in ${formatDuration(ms)}`;
}
