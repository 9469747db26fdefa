import type { Request, Response } from 'express';
import { pipeline } from 'node:stream/promises';
import type { BlobStore } from '#libs/artifacts';
import { parseRange } from './parse-range.js';

export interface SentBlob {
  readonly sha256: string;
  readonly bytes: number;
}

/** Sends a blob, or the part of it that a Range header asks for. Its ETag is its digest, so a resumed download notices another file. */
export async function sendBlob(
  blobs: BlobStore,
  blob: SentBlob,
  request: Request,
  response: Response,
  headers: Readonly<Record<string, string>> = {},
): Promise<void> {
  const etag = `"${blob.sha256}"`;
  response.set({
    ...headers,
    'Accept-Ranges': 'bytes',
    ETag: etag,
    'Cache-Control': 'private, immutable, max-age=31536000',
    'Content-Type': 'application/octet-stream',
    'X-Content-Type-Options': 'nosniff',
  });
  if (request.headers['if-none-match'] === etag) {
    response.status(304).end();
    return;
  }
  const ifRange = request.headers['if-range'];
  const wanted = ifRange === undefined || ifRange === etag ? request.headers.range : undefined;
  const range = parseRange(wanted, blob.bytes);
  if (range === 'unsatisfiable') {
    response.status(416).set('Content-Range', `bytes */${blob.bytes}`).end();
    return;
  }
  const { start, end } = range ?? { start: 0, end: blob.bytes - 1 };
  if (range !== null) response.status(206).set('Content-Range', `bytes ${start}-${end}/${blob.bytes}`);
  response.set('Content-Length', String(end - start + 1));
  if (request.method === 'HEAD' || blob.bytes === 0) {
    response.end();
    return;
  }
  const body = await blobs.open(blob.sha256, { start, end });
  // Whoever downloads may go away at any time; that is no failure of ours.
  await pipeline(body, response).catch((error: unknown) => {
    if (!response.destroyed) throw error;
  });
}
