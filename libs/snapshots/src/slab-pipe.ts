import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlabReader } from './slab-reader.js';

export interface SlabPipe {
  readonly reader: SlabReader;
  /** To be a child's standard output. Destroy it as soon as the child has it: the reader ends when nobody has it any more. */
  readonly writer: Socket;
}

/** What Node.js gives a child for its output is read piece by piece into new memory; so it is connected by hand. */
export async function slabPipe(): Promise<SlabPipe> {
  // Nobody else can enter it, and so connect.
  const folder = await mkdtemp(join(tmpdir(), 'distrofarm-pipe-'));
  const server = createServer({ pauseOnConnect: true });
  try {
    const path = join(folder, 's');
    server.listen(path);
    await once(server, 'listening');
    const reader = new SlabReader();
    const socket = connect({ path, onread: reader.onread });
    const [accepted] = await Promise.all([once(server, 'connection'), once(socket, 'connect')]);
    reader.attach(socket);
    return { reader, writer: accepted[0] as Socket };
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
}
