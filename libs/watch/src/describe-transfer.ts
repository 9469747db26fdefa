import type { FarmEvent } from '#libs/contracts';
import { formatBytes } from './byte-count.js';
import { formatDuration } from './durations.js';

/**
 * `fetching checkpoint im-mod from tank: 412.0 MB of 1.2 GB, 96.0 MB/s, 8.2s left`, of an event `transfer-progress`; behind `tank` it may say `, going on at 120.0 MB`.
 */
export function describeTransfer(data: FarmEvent['data']): string {
  const [label, from] = [data['label'], data['from']].map((value) =>
    typeof value === 'string' ? value : '?',
  );
  const [bytes, total, rate, left, earlier] = [
    data['bytes'],
    data['totalBytes'],
    data['bytesPerSecond'],
    data['secondsLeft'],
    data['earlierBytes'],
  ].map((value) => (typeof value === 'number' ? value : null));
  const parts = [
    `${formatBytes(bytes ?? 0)}${total == null ? '' : ` of ${formatBytes(Math.max(total, bytes ?? 0))}`}`,
    ...(rate == null || rate === 0 ? [] : [`${formatBytes(rate)}/s`]),
    ...(left == null ? [] : [`${formatDuration(left * 1000)} left`]),
  ];
  const begin = earlier == null ? '' : `, going on at ${formatBytes(earlier)}`;
  return `fetching checkpoint ${(label ?? '').replace(/^\.step_/, '')} from ${from}${begin}: ${parts.join(', ')}`;
}
