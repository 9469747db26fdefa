import { Transform, type Readable } from 'node:stream';
import { FarmError } from '#libs/contracts';

/** The same stream, failing with TOO_LARGE at the first byte beyond `most`. */
export function limitBytes(input: Readable, most: number, what: string): Readable {
  let seen = 0;
  const limited = new Transform({
    transform(chunk: Buffer, _, done) {
      seen += chunk.length;
      if (seen > most) done(new FarmError('TOO_LARGE', `${what}: more than ${most} bytes came`));
      else done(null, chunk);
    },
  });
  input.on('error', (error) => limited.destroy(error));
  input.on('aborted', () =>
    limited.destroy(new FarmError('INVALID', `${what}: the request ended in the middle`)),
  );
  return input.pipe(limited);
}
