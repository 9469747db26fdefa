import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { randomBytes } from 'node:crypto';
import { giveBack, SlabReader } from './slab-reader.js';

const SLAB = 256 * 1024;

describe('what is read in slabs', () => {
  let server: Server;
  let sender: Socket;
  let receiver: Socket;
  let reader: SlabReader;
  beforeEach(async () => {
    server = createServer({ pauseOnConnect: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    reader = new SlabReader();
    const { port } = server.address() as AddressInfo;
    receiver = reader.attach(connect({ host: '127.0.0.1', port, onread: reader.onread }));
    [sender] = (await once(server, 'connection')) as [Socket];
    sender.on('error', () => undefined);
  });
  afterEach(() => {
    reader.destroy();
    server.close();
  });

  async function read(onPiece: (piece: Buffer) => void): Promise<Buffer> {
    const copies: Buffer[] = [];
    for await (const piece of reader) {
      copies.push(Buffer.from(piece as Buffer));
      onPiece(piece as Buffer);
      // So that more than one is waiting now and then.
      if (copies.length % 3 === 0) await new Promise((later) => setTimeout(later, 2));
    }
    return Buffer.concat(copies);
  }

  it.each([0, 1, SLAB - 1, SLAB, SLAB + 1, 10 * SLAB + 17])('is all of %d bytes, in order', async (bytes) => {
    const sent = randomBytes(bytes);
    sender.end(sent);
    expect((await read(giveBack)).equals(sent)).toBe(true);
  });

  it('lies in the same memory again and again where it is given back', async () => {
    const memory = new Set<ArrayBufferLike>();
    sender.end(randomBytes(40 * SLAB));
    await read((piece) => {
      memory.add(piece.buffer);
      giveBack(piece);
    });
    expect(memory.size).toBeLessThan(8);
  });

  it('stays as it is where it is not given back, also when the next ones are', async () => {
    const sent = randomBytes(20 * SLAB);
    sender.end(sent);
    const kept: Buffer[] = [];
    let at = 0;
    await read((piece) => {
      const number = Math.floor(at / SLAB);
      at += piece.length;
      // All of a slab, or nothing of it.
      if (number % 2 === 0) kept.push(piece);
      else giveBack(piece);
    });
    const even = Buffer.concat(
      Array.from({ length: 10 }, (_, n) => sent.subarray(2 * n * SLAB, (2 * n + 1) * SLAB)),
    );
    expect(Buffer.concat(kept).equals(even)).toBe(true);
  });

  it('is not read on when nobody takes it', async () => {
    const sent = randomBytes(200 * SLAB);
    for (let at = 0; at < sent.length; at += SLAB) sender.write(sent.subarray(at, at + SLAB));
    sender.end();
    await once(reader, 'readable');
    for (let left = -1; left !== sender.writableLength;) {
      left = sender.writableLength;
      await new Promise((later) => setTimeout(later, 300));
    }
    expect(sender.writableLength).toBeGreaterThan(0);
    expect((await read(giveBack)).equals(sent)).toBe(true);
  });

  it('is cut when the other side is gone without an end', async () => {
    // The kernel resets a connection that is closed with something unread; Node.js' own reset says that all has been sent, and then resets.
    await new Promise<unknown>((sent) => receiver.write('unread', sent));
    const reading = read(() => sender.destroy());
    sender.write('some');
    await expect(reading).rejects.toThrow('ECONNRESET');
  });

  it('is closed with its reader', async () => {
    reader.destroy();
    await once(sender.resume(), 'close');
  });
});

describe('giving back', () => {
  it('what is no slab does nothing', () => {
    const piece = Buffer.from('a piece');
    giveBack(piece);
    expect(piece.toString()).toBe('a piece');
  });
});
