/** What a step wrote to a stream, from an attempt's log; each byte one character. */
export function stepOutput(log: Buffer, step: string, stream: 'out' | 'err'): string {
  const head = new RegExp(`^\\S+ ${step} ${stream}([|>]) (.*)$`, 's');
  return log
    .toString('latin1')
    .split('\n')
    .map((line) => head.exec(line))
    .map((match) => (match === null ? '' : `${match[2] ?? ''}${match[1] === '|' ? '\n' : ''}`))
    .join('');
}
