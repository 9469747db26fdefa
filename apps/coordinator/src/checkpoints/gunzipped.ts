import { ListingError } from '#libs/listing';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';

/** What a compressed listing unpacks to, piece by piece. It is opened when the first is read; whoever reads no further ends it. Throws ListingError for what is not compressed so, and the source's own errors. */
export async function* gunzipped(open: () => Promise<Readable>): AsyncGenerator<Buffer, void> {
  const source = await open();
  const gunzip = createGunzip();
  source.on('error', (error) => gunzip.destroy(error));
  source.pipe(gunzip);
  try {
    for await (const piece of gunzip) yield piece as Buffer;
  } catch (error) {
    if (error instanceof Error && 'code' in error && /^Z_/.test(String(error.code)))
      throw new ListingError('it is not compressed as a listing is', { cause: error });
    throw error;
  } finally {
    source.destroy();
    gunzip.destroy();
  }
}
