import { describe, expect, it } from '@jest/globals';
import { describeTransfer } from './describe-transfer.js';

describe('describeTransfer', () => {
  const known = { label: '.step_im-mod', from: 'tank', bytes: 412_000_000 };
  it.each([
    [
      { ...known, totalBytes: 1_200_000_000, bytesPerSecond: 96_000_000, secondsLeft: 9 },
      'fetching checkpoint im-mod from tank: 412.0 MB of 1.2 GB, 96.0 MB/s, 9.0s left',
    ],
    [
      { ...known, totalBytes: 400_000_000, bytesPerSecond: 0, secondsLeft: null },
      'fetching checkpoint im-mod from tank: 412.0 MB of 412.0 MB',
    ],
    [
      { ...known, totalBytes: null, bytesPerSecond: 1000, secondsLeft: null },
      'fetching checkpoint im-mod from tank: 412.0 MB, 1.0 kB/s',
    ],
    [
      { ...known, totalBytes: 1_200_000_000, bytesPerSecond: 0, earlierBytes: 120_000_000 },
      'fetching checkpoint im-mod from tank, going on at 120.0 MB: 412.0 MB of 1.2 GB',
    ],
    [{}, 'fetching checkpoint ? from ?: 0 B'],
  ])('%j', (data, text) => {
    expect(describeTransfer(data)).toBe(text);
  });
});
