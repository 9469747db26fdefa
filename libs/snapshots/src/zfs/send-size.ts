/** What `zfs send -nP` says that a stream will be; `null` where it says nothing of the kind. */
export function parseSendSize(output: string): number | null {
  const size = /^size\s+(\d{1,15})$/m.exec(output)?.[1];
  return size === undefined ? null : Number(size);
}
